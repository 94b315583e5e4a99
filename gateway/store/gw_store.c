#include "gw_store.h"

#include <stdatomic.h>
#include <stdio.h>

#include "gw_store_build.h"
#include "gw_store_mend.h"
#include "gw_store_reader.h"
#include "gw_store_sums.h"
#include "sl_log.h"

/* A whole piece is built as soon as it is there: 2 to 5 ms, for which a commit may have to wait. Less than
 * that waits until nothing comes for a moment, but not for long. */
static const int64_t quiet_ns = 50 * SL_NS_PER_MS, build_within_ns = 1 * SL_NS_PER_S;
/* Pages of 4 KiB in the WAL: when there is work, and when there has been none for a while. */
enum { CHECKPOINT_PAGES = 4096, CHECKPOINT_IDLE_PAGES = 256 };
static const int64_t idle_ns = 1 * SL_NS_PER_S;

enum { FORGET_AT_ONCE = 256 };
static const int64_t forget_every_ns = 60 * SL_NS_PER_S;
static const int64_t retry_first_ns = 100 * SL_NS_PER_MS, retry_last_ns = 5 * SL_NS_PER_S;

struct gw_store {
    struct gw_store_conf conf;
    const struct sl_alloc *alloc;
    struct gw_store_queue queue;
    struct gw_store_reader reader;
    pthread_mutex_t swap_lock; /* gw_store_reader's */
    pthread_t thread;
    bool has_thread;
    /* the store's thread; the root's before it starts and after it has ended */
    struct gw_store_db db;
    struct gw_store_batches waiting; /* taken and not stored */
    sl_mono_ns build_by;             /* while the tables are behind */
    sl_mono_ns retry_at, forget_at, broken_since;
    int64_t retry_ns;
    bool has_more_to_forget, is_broken, is_behind;
    /* for all */
    atomic_int state; /* enum gw_store_state */
    pthread_mutex_t health_lock;
    struct gw_store_health health; /* guarded by health_lock */
};

/* ---- how it is */

static enum gw_store_state state_of(struct gw_store *s)
{
    int64_t lag = gw_store_lag(&s->db), bound = s->conf.lag_max;
    s->is_behind = lag >= (s->is_behind ? bound - bound / 4 : bound);
    if (s->is_broken)
        return GW_STORE_BROKEN;
    return s->is_behind ? GW_STORE_BEHIND : GW_STORE_WELL;
}

static void publish(struct gw_store *s)
{
    struct gw_store_health h = {
        .state = state_of(s), .last_n = s->db.last_n, .built_n = s->db.built_n};
    if (h.state == GW_STORE_BROKEN)
        snprintf(h.why, sizeof h.why, "%s", s->db.why);
    pthread_mutex_lock(&s->health_lock);
    s->health = h;
    pthread_mutex_unlock(&s->health_lock);
    atomic_store_explicit(&s->state, (int)h.state, memory_order_release);
    sl_metric_set(s->conf.metrics.lag, h.last_n - h.built_n);
    sl_metric_set(s->conf.metrics.is_writable, h.state != GW_STORE_BROKEN);
}

static void note_broken(struct gw_store *s, sl_mono_ns now)
{
    s->retry_ns = s->is_broken ? s->retry_ns * 2 : retry_first_ns;
    s->retry_ns = s->retry_ns < retry_last_ns ? s->retry_ns : retry_last_ns;
    s->retry_at = sl_sat_add(now, s->retry_ns);
    if (s->is_broken)
        return;
    s->is_broken = true;
    s->broken_since = now;
    sl_log(SL_LOG_ERROR, "the store cannot be written", SL_S("why", s->db.why),
           SL_S("again", s->db.fault == GW_STORE_FATAL ? "never" : "tried again"));
}

static void note_well(struct gw_store *s, sl_mono_ns now)
{
    if (!s->is_broken)
        return;
    s->is_broken = false;
    sl_log(SL_LOG_INFO, "the store can be written again", SL_S("path", s->conf.path),
           SL_I("after_ms", (now - s->broken_since) / SL_NS_PER_MS));
}

/* ---- a turn of the store's thread: each piece leaves db.fault when it fails */

static void answer(struct gw_store *s, sl_status outcome)
{
    if (gw_store_queue_answer(&s->queue, &s->waiting, outcome))
        s->conf.wake(s->conf.wake_ctx);
}

static void commit(struct gw_store *s, sl_mono_ns now)
{
    int64_t before_n = s->db.last_n;
    if (s->waiting.head == NULL || gw_store_db_commit(&s->db, s->waiting.head) != SL_OK)
        return;
    if (s->db.built_n == before_n)
        s->build_by = sl_sat_add(now, build_within_ns);
    sl_metric_add(s->conf.metrics.entries, s->db.last_n - before_n);
    sl_metric_add(s->conf.metrics.groups, 1);
    answer(s, SL_OK);
    gw_store_db_mark(&s->db); /* nobody waits for it */
}

/* Or half of what the tables may be behind. */
static bool has_piece(const struct gw_store *s)
{
    int64_t lag = gw_store_lag(&s->db);
    return lag >= GW_STORE_PIECE_MAX || lag > s->conf.lag_max / 2;
}

static sl_status build(struct gw_store *s, bool is_quiet, sl_mono_ns now)
{
    int64_t lag = gw_store_lag(&s->db);
    if (has_piece(s) || (lag > 0 && (is_quiet || now >= s->build_by)))
        return gw_store_build(&s->db, GW_STORE_PIECE_MAX);
    return SL_OK;
}

static sl_status checkpoint(struct gw_store *s, bool is_idle)
{
    int unmoved = gw_store_db_unmoved(&s->db);
    if (unmoved >= CHECKPOINT_PAGES || (is_idle && unmoved >= CHECKPOINT_IDLE_PAGES))
        return gw_store_db_checkpoint(&s->db);
    return SL_OK;
}

static sl_status forget(struct gw_store *s, sl_mono_ns now)
{
    if (s->conf.keep_us == 0 || (now < s->forget_at && !s->has_more_to_forget))
        return SL_OK;
    s->forget_at = sl_sat_add(now, forget_every_ns);
    sl_wall_us before = sl_clock_wall(s->conf.clock) - s->conf.keep_us;
    return gw_store_forget(&s->db, before, FORGET_AT_ONCE, &s->has_more_to_forget);
}

/* Entries first; the rest stops at its first fault. */
static void work(struct gw_store *s, bool is_quiet, sl_mono_ns now)
{
    bool is_idle = is_quiet && gw_store_lag(&s->db) == 0;
    commit(s, now);
    if (s->db.fault == GW_STORE_FINE && build(s, is_quiet, now) == SL_OK &&
        checkpoint(s, is_idle) == SL_OK && forget(s, now) == SL_OK)
        note_well(s, now);
    else
        note_broken(s, now);
}

/* Makes ready for another try. false: there is none. Questions wait while the file is replaced. */
static bool recover(struct gw_store *s)
{
    bool is_mend = s->db.fault == GW_STORE_MEND;
    pthread_mutex_lock(&s->swap_lock);
    sl_status st = gw_store_recover(&s->db);
    pthread_mutex_unlock(&s->swap_lock);
    if (is_mend && st == SL_OK)
        sl_metric_add(s->conf.metrics.mended, 1);
    return st == SL_OK;
}

static void try_to_work(struct gw_store *s, bool is_quiet)
{
    sl_mono_ns now = sl_clock_mono(s->conf.clock);
    if (s->is_broken && now < s->retry_at)
        return;
    if (s->is_broken && !recover(s))
        note_broken(s, now);
    else
        work(s, is_quiet, now);
}

static int64_t time_until(const struct gw_store *s, sl_mono_ns at)
{
    int64_t ns = at - sl_clock_mono(s->conf.clock);
    return ns > 0 ? ns : 0;
}

static int64_t wait_while_well(const struct gw_store *s)
{
    if (has_piece(s) || s->has_more_to_forget)
        return 0;
    if (gw_store_lag(&s->db) > 0) {
        int64_t ns = time_until(s, s->build_by);
        return ns < quiet_ns ? ns : quiet_ns;
    }
    if (gw_store_db_unmoved(&s->db) >= CHECKPOINT_IDLE_PAGES)
        return idle_ns;
    return s->conf.keep_us > 0 ? forget_every_ns : -1;
}

static int64_t wait_for(const struct gw_store *s)
{
    if (!s->is_broken)
        return wait_while_well(s);
    return s->db.fault == GW_STORE_FATAL ? -1 : time_until(s, s->retry_at);
}

/* What cannot be stored now will not be by this process. */
static void end(struct gw_store *s)
{
    s->retry_at = 0;
    try_to_work(s, false);
    answer(s, SL_EIO);
    publish(s);
}

/* false: this is the end. */
static bool take(struct gw_store *s)
{
    if (!s->is_broken)
        return gw_store_queue_take(&s->queue, wait_for(s), &s->waiting);
    gw_store_queue_pause(&s->queue, wait_for(s));
    return gw_store_queue_take(&s->queue, 0, &s->waiting);
}

/* Who waits may not have to any more. */
static void publish_change(struct gw_store *s)
{
    int before = atomic_load_explicit(&s->state, memory_order_relaxed);
    publish(s);
    if (atomic_load_explicit(&s->state, memory_order_relaxed) != before)
        s->conf.wake(s->conf.wake_ctx);
}

static void *run(void *ctx)
{
    struct gw_store *s = ctx;
    while (take(s)) {
        try_to_work(s, s->waiting.head == NULL);
        publish_change(s);
    }
    end(s);
    return NULL;
}

/* ---- the flow's side */

static sl_status append(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket)
{
    struct gw_store *s = ctx;
    return gw_store_queue_put(&s->queue, kind, bytes, ticket);
}

static bool may_admit(void *ctx, struct sl_error *why)
{
    struct gw_store *s = ctx;
    struct gw_store_health h;
    int state = atomic_load_explicit(&s->state, memory_order_acquire);
    if (state == GW_STORE_WELL || (state == GW_STORE_BROKEN && s->conf.serves_when_broken))
        return true;
    gw_store_health(s, &h);
    if (h.state == GW_STORE_BROKEN)
        sl_error_set(why, SL_REASON_NO_CAPACITY,
                     "what a call costs cannot be recorded now, so none is begun; please try again "
                     "later");
    else
        sl_error_set(why, SL_REASON_NO_CAPACITY,
                     "receipts are %lld behind the limit of %lld; please try again in a second",
                     (long long)(h.last_n - h.built_n), (long long)s->conf.lag_max);
    return false;
}

static bool must_wait(void *ctx)
{
    struct gw_store *s = ctx;
    return !s->conf.serves_when_broken ||
           atomic_load_explicit(&s->state, memory_order_acquire) != GW_STORE_BROKEN;
}

static sl_status ask(void *ctx, const struct gw_store_question *q, uint64_t ticket)
{
    struct gw_store *s = ctx;
    return gw_store_reader_ask(&s->reader, q, ticket);
}

struct gw_store_port gw_store_port(struct gw_store *s)
{
    return (struct gw_store_port){
        .ctx = s, .append = append, .may_admit = may_admit, .must_wait = must_wait, .ask = ask};
}

bool gw_store_flush(struct gw_store *s)
{
    return gw_store_queue_flush(&s->queue);
}

static void take_stored(struct gw_store *s, const struct gw_store_listener *l)
{
    struct gw_store_batches done = gw_store_queue_collect(&s->queue);
    struct gw_store_batch *b;
    while ((b = gw_store_batches_pop(&done)) != NULL) {
        struct gw_store_entry *e;
        for (size_t at = 0; l->on_stored != NULL && (e = gw_store_batch_next(b, &at)) != NULL;)
            l->on_stored(l->ctx, e->ticket, b->outcome);
        gw_store_queue_recycle(&s->queue, b);
    }
}

void gw_store_take(struct gw_store *s, const struct gw_store_listener *l)
{
    struct gw_store_asked *a = gw_store_reader_collect(&s->reader), *next;
    take_stored(s, l);
    for (; a != NULL; a = next) {
        next = a->next;
        if (l->on_answer != NULL)
            l->on_answer(l->ctx, a->ticket, &a->answer);
        gw_store_reader_free(&s->reader, a);
    }
}

void gw_store_health(struct gw_store *s, struct gw_store_health *out)
{
    pthread_mutex_lock(&s->health_lock);
    *out = s->health;
    pthread_mutex_unlock(&s->health_lock);
}

/* ---- beginning and end */

static sl_status open_db(struct gw_store *s, struct sl_error *err)
{
    const struct gw_store_db_conf c = {.alloc = s->alloc,
                                       .path = s->conf.path,
                                       .vfs = s->conf.vfs,
                                       .syncs_commits = s->conf.syncs_commits};
    return gw_store_db_open(&s->db, &c, sl_clock_wall(s->conf.clock), err);
}

static void init_parts(struct gw_store *s)
{
    gw_store_queue_init(&s->queue, s->alloc, s->conf.queue_max_bytes);
    pthread_mutex_init(&s->swap_lock, NULL);
    pthread_mutex_init(&s->health_lock, NULL);
    s->reader = (struct gw_store_reader){.alloc = s->alloc,
                                         .path = s->conf.path,
                                         .vfs = s->conf.vfs,
                                         .swap_lock = &s->swap_lock,
                                         .wake = s->conf.wake,
                                         .wake_ctx = s->conf.wake_ctx};
    gw_store_reader_init(&s->reader);
}

sl_status gw_store_create(const struct sl_alloc *alloc, const struct gw_store_conf *conf,
                          struct gw_store **out, struct sl_error *err)
{
    struct gw_store *s = sl_alloc_zero(alloc, 1, sizeof *s);
    if (s == NULL) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the store");
        return SL_ENOMEM;
    }
    s->conf = *conf;
    s->alloc = alloc;
    init_parts(s);
    sl_status st = open_db(s, err);
    if (st != SL_OK) {
        gw_store_destroy(s);
        return st;
    }
    sl_metric_add(s->conf.metrics.lost, s->db.lost_count);
    publish(s);
    *out = s;
    return SL_OK;
}

sl_status gw_store_restore(struct gw_store *s, sl_wall_us windows_since, uint64_t leases_span,
                           const struct gw_store_loader *loader, struct sl_error *err)
{
    sl_wall_us now = sl_clock_wall(s->conf.clock);
    sl_status st = gw_store_load(&s->db, windows_since, now, leases_span, loader);
    if (st != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "%s", s->db.why);
    publish(s);
    return st;
}

sl_status gw_store_start(struct gw_store *s)
{
    s->has_thread = pthread_create(&s->thread, NULL, run, s) == 0;
    if (s->has_thread)
        pthread_setname_np(s->thread, GW_STORE_THREAD_NAME);
    return s->has_thread ? gw_store_reader_start(&s->reader) : SL_ENOMEM;
}

void gw_store_stop(struct gw_store *s)
{
    if (!s->has_thread)
        return;
    gw_store_queue_flush(&s->queue);
    gw_store_queue_end(&s->queue);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void gw_store_destroy(struct gw_store *s)
{
    if (s == NULL)
        return;
    gw_store_stop(s);
    gw_store_reader_finish(&s->reader);
    gw_store_db_close(&s->db);
    gw_store_queue_finish(&s->queue);
    pthread_mutex_destroy(&s->health_lock);
    pthread_mutex_destroy(&s->swap_lock);
    sl_alloc_free(s->alloc, s);
}
