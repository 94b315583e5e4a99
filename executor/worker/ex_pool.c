/* ex_pool.c - the table of workers, and waiting for all of them at once. */
#include "ex_pool.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ex_pool_int.h"

enum { EVENTS_OF_A_TURN = 64 };

/* What a turn copies of large results, all workers together: the gateway and other calls wait for its end. */
enum { KEEP_TURN_BYTES = 2 << 20 };

/* ---- the table */

struct ex_pool_worker *ex_pool_find(const struct ex_pool *p, uint32_t slice, uint32_t model)
{
    const uint32_t models = ex_catalog_count(p->catalog);
    if (slice >= p->conf.slice_count || model >= models)
        return NULL;
    const uint32_t index = p->table[slice * models + model];
    return index == UINT32_MAX ? NULL : &p->workers[index];
}

static void add_worker(struct ex_pool *p, uint32_t slice, uint32_t model)
{
    struct ex_pool_worker *w = &p->workers[p->worker_count];
    w->index = (uint32_t)p->worker_count;
    w->slice = slice;
    w->model = model;
    w->process = (struct ex_process){.pidfd = -1, .output = -1};
    w->channel = (struct ex_channel){.control = -1, .down_bell = -1, .up_bell = -1};
    p->table[slice * ex_catalog_count(p->catalog) + model] = w->index;
    p->worker_count++;
    w->state = ex_pool_is_wide(p, w) ? EX_POOL_RESTING : EX_POOL_IDLE;
    p->in[w->state]++;
}

/* Slice by slice, so that each model serves before any has its second worker. */
static void add_workers(struct ex_pool *p)
{
    for (uint32_t slice = 0; slice < p->conf.slice_count; slice++) {
        for (uint32_t model = 0; model < ex_catalog_count(p->catalog); model++) {
            p->table[slice * ex_catalog_count(p->catalog) + model] = UINT32_MAX;
            if (ex_catalog_spec(p->catalog, model))
                add_worker(p, slice, model);
        }
    }
}

static bool allocate(struct ex_pool *p, size_t cells)
{
    const size_t room = cells > 0 ? cells : 1;
    p->scratch = sl_alloc_get(p->alloc, sizeof(*p->scratch));
    p->table = sl_alloc_zero(p->alloc, room, sizeof(*p->table));
    p->workers = sl_alloc_zero(p->alloc, room, sizeof(*p->workers));
    p->active = sl_alloc_zero(p->alloc, room, sizeof(struct ex_pool_worker *));
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    return p->scratch && p->table && p->workers && p->active && p->epoll >= 0;
}

sl_status ex_pool_create(const struct sl_alloc *alloc, const struct ex_pool_conf *conf,
                         const struct ex_catalog *catalog, const struct ex_pool_events *events,
                         struct ex_pool **out)
{
    const size_t cells = conf->slice_count * ex_catalog_count(catalog);
    if (!ex_ring_is_data_bytes(conf->ring_bytes) || cells > EX_POOL_WORKERS_MAX ||
        conf->starting_max == 0)
        return SL_EINVAL;
    struct ex_pool *p = sl_alloc_zero(alloc, 1, sizeof(*p));
    if (!p)
        return SL_ENOMEM;
    p->alloc = alloc;
    p->conf = *conf;
    p->catalog = catalog;
    p->events = *events;
    if (!allocate(p, cells)) {
        ex_pool_destroy(p);
        return SL_ENOMEM;
    }
    p->trim_at = p->rest_at = SL_MONO_NEVER;
    add_workers(p);
    *out = p;
    return SL_OK;
}

/* The kernel ends a killed process within moments; its memory is waited for. */
static void end_worker(struct ex_pool_worker *w)
{
    if (w->process.pid == 0)
        return;
    ex_process_kill(&w->process);
    while (!ex_process_reap(&w->process)) {
        struct pollfd gone = {.fd = w->process.pidfd, .events = POLLIN};
        (void)poll(&gone, 1, -1);
    }
    ex_pool_close_worker(w);
}

void ex_pool_destroy(struct ex_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->worker_count; i++)
        ex_process_kill(&p->workers[i].process);
    ex_pool_drop_kept(p, NULL);
    for (size_t i = 0; i < p->worker_count; i++)
        end_worker(&p->workers[i]);
    if (p->epoll >= 0)
        close(p->epoll);
    sl_alloc_free(p->alloc, p->active);
    sl_alloc_free(p->alloc, p->workers);
    sl_alloc_free(p->alloc, p->table);
    sl_alloc_free(p->alloc, p->scratch);
    sl_alloc_free(p->alloc, p);
}

/* ---- a turn */

int ex_pool_fd(const struct ex_pool *p)
{
    return p->epoll;
}

static bool is_known_pid(void *ctx, pid_t pid)
{
    const struct ex_pool *p = ctx;
    for (size_t i = 0; i < p->worker_count; i++) {
        if (p->workers[i].process.pid == pid)
            return true;
    }
    return false;
}

void ex_pool_reap(struct ex_pool *p, sl_mono_ns now)
{
    for (size_t i = 0; i < p->worker_count; i++)
        ex_pool_on_maybe_gone(p, &p->workers[i], now);
    ex_process_end_strays(is_known_pid, p);
}

static void read_output(struct ex_pool *p, struct ex_pool_worker *w, sl_mono_ns now)
{
    if (w->process.output >= 0 && !ex_output_log_read(&w->output, w->process.output, now))
        (void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, w->process.output, NULL);
}

static void on_event(struct ex_pool *p, uint64_t what, sl_mono_ns now)
{
    struct ex_pool_worker *w = &p->workers[what / 4];
    switch ((enum ex_pool_source)(what % 4)) {
    case EX_POOL_BELL:
        ex_worker_clear_bell(w->channel.up_bell);
        ex_pool_activate(p, w);
        return;
    case EX_POOL_CONTROL:
        ex_pool_on_control(p, w);
        return;
    case EX_POOL_PIDFD:
        ex_pool_on_maybe_gone(p, w, now);
        ex_process_end_strays(is_known_pid, p);
        return;
    case EX_POOL_OUTPUT:
        read_output(p, w, now);
        return;
    }
}

/* Another worker is the first one each time, so that all get their share of what is copied. */
static void take_all_results(struct ex_pool *p)
{
    uint64_t left_bytes = KEEP_TURN_BYTES;
    const size_t first = p->next_active++, count = p->active_count; /* results may add to these */
    for (size_t i = 0; i < count; i++) {
        struct ex_pool_worker *w = p->active[(first + i) % count];
        if (w->state != EX_POOL_READY)
            continue;
        ex_ring_wake(&w->channel.ring);
        ex_pool_take_results(p, w, &left_bytes);
    }
}

void ex_pool_receive(struct ex_pool *p, bool is_ready, sl_mono_ns now)
{
    struct epoll_event events[EVENTS_OF_A_TURN];
    const int n = is_ready ? epoll_wait(p->epoll, events, EVENTS_OF_A_TURN, 0) : 0;
    for (int i = 0; i < n; i++)
        on_event(p, events[i].data.u64, now);
    take_all_results(p);
}

void ex_pool_publish(struct ex_pool *p)
{
    for (size_t i = 0; i < p->active_count; i++) {
        struct ex_pool_worker *w = p->active[i];
        if (w->state == EX_POOL_READY && w->is_dirty && ex_ring_publish(&w->channel.ring))
            ex_worker_ring_bell(w->channel.down_bell);
        w->is_dirty = false;
    }
}

bool ex_pool_is_at_last_jobs(const struct ex_pool *p)
{
    uint64_t most = 0;
    for (size_t i = 0; i < p->active_count; i++) {
        const struct ex_pool_worker *w = p->active[i];
        const uint64_t jobs = w->state == EX_POOL_READY ? w->posted - w->done : 0;
        most = jobs > most ? jobs : most;
    }
    return most == 1;
}

bool ex_pool_has_result(const struct ex_pool *p)
{
    for (size_t i = 0; i < p->active_count; i++) {
        const struct ex_pool_worker *w = p->active[i];
        if (w->state == EX_POOL_READY && (w->keeping.blob || ex_ring_has_record(&w->channel.ring)))
            return true;
    }
    return false;
}

/* Workers without jobs have nothing to say in their rings: only the others are asked to ring. */
bool ex_pool_sleep(struct ex_pool *p)
{
    size_t kept = 0;
    bool may_sleep = true;
    for (size_t i = 0; i < p->active_count; i++) {
        struct ex_pool_worker *w = p->active[i];
        w->is_active = w->state == EX_POOL_READY && w->done < w->posted;
        if (!w->is_active)
            continue;
        p->active[kept++] = w;
        if (w->keeping.blob)
            may_sleep = false;
        else
            may_sleep = ex_ring_sleep(&w->channel.ring, EX_RING_WAKE_RECORD) && may_sleep;
    }
    p->active_count = kept;
    return may_sleep;
}

/* ---- where workers run */

void ex_pool_hold(struct ex_pool *p, const struct sl_hold *own)
{
    if (p->own_hold == NULL && own == NULL)
        return;
    for (size_t i = 0; own == NULL && i < p->worker_count; i++)
        sl_hold_end(&p->workers[i].hold);
    p->own_hold = own;
}

/* ---- time */

/* Most turns come when all workers stand ready: nothing is due then. */
static bool is_settled(const struct ex_pool *p)
{
    return p->in[EX_POOL_IDLE] == 0 && p->in[EX_POOL_STARTING] == 0;
}

static void end_slow_loads(struct ex_pool *p, sl_mono_ns now)
{
    for (size_t i = 0; i < p->worker_count; i++) {
        struct ex_pool_worker *w = &p->workers[i];
        if (w->state == EX_POOL_STARTING && w->give_up_at <= now)
            ex_pool_kill_worker(p, w, "took too long to load", false);
    }
}

static void start_due(struct ex_pool *p, bool wanted, sl_mono_ns now)
{
    for (size_t i = 0; i < p->worker_count; i++) {
        struct ex_pool_worker *w = &p->workers[i];
        if (p->in[EX_POOL_STARTING] >= p->conf.starting_max)
            return;
        if (w->state == EX_POOL_IDLE && w->start_at <= now && w->is_wanted == wanted)
            ex_pool_start_worker(p, w, now);
    }
}

/* Has it had no job since it was last looked at? */
static bool may_rest(const struct ex_pool *p, const struct ex_pool_worker *w)
{
    return ex_pool_is_wide(p, w) && w->state == EX_POOL_READY && w->done == w->posted &&
           w->posted == w->posted_before;
}

static void let_rest(struct ex_pool *p, sl_mono_ns now)
{
    const bool is_first = p->rest_at == SL_MONO_NEVER;
    if (p->wide_count == 0 || p->conf.wide_idle_ns == 0 || p->is_stopping) {
        p->rest_at = SL_MONO_NEVER;
        return;
    }
    if (!is_first && now < p->rest_at)
        return;
    p->rest_at = sl_sat_add(now, p->conf.wide_idle_ns);
    for (size_t i = 0; !is_first && i < p->worker_count; i++) {
        struct ex_pool_worker *w = &p->workers[i];
        if (may_rest(p, w))
            ex_pool_kill_worker(p, w, "had nothing to do", true);
        w->posted_before = w->posted;
    }
}

void ex_pool_tick(struct ex_pool *p, sl_mono_ns now)
{
    ex_pool_trim(p, now);
    let_rest(p, now);
    if (is_settled(p))
        return;
    end_slow_loads(p, now);
    if (p->is_stopping)
        return;
    start_due(p, true, now);
    start_due(p, false, now);
}

sl_mono_ns ex_pool_next_at(const struct ex_pool *p)
{
    sl_mono_ns next = p->trim_at < p->rest_at ? p->trim_at : p->rest_at;
    if (is_settled(p))
        return next;
    const bool may_start = !p->is_stopping && p->in[EX_POOL_STARTING] < p->conf.starting_max;
    for (size_t i = 0; i < p->worker_count; i++) {
        const struct ex_pool_worker *w = &p->workers[i];
        if (w->state == EX_POOL_STARTING && w->give_up_at < next)
            next = w->give_up_at;
        if (w->state == EX_POOL_IDLE && may_start && w->start_at < next)
            next = w->start_at;
    }
    return next;
}

/* ---- ends */

void ex_pool_stop(struct ex_pool *p)
{
    static const struct ex_worker_message stop = {.kind = EX_WORKER_STOP, .fd = -1};
    p->is_stopping = true;
    for (size_t i = 0; i < p->worker_count; i++) {
        struct ex_pool_worker *w = &p->workers[i];
        if (w->state == EX_POOL_STARTING)
            ex_pool_kill_worker(p, w, "the node stops", true);
        else if (w->state == EX_POOL_READY && w->done == w->posted &&
                 ex_worker_send(w->channel.control, &stop) != SL_OK)
            ex_pool_kill_worker(p, w, "the node stops", true);
    }
}

size_t ex_pool_alive_count(const struct ex_pool *p)
{
    size_t count = 0;
    for (size_t i = 0; i < p->worker_count; i++)
        count += p->workers[i].process.pid != 0;
    return count;
}

/* ---- looking */

static bool is_plain(const struct ex_pool *p, uint32_t slice)
{
    return slice < p->conf.slice_count && p->conf.slices[slice].parts == 0;
}

enum ex_pool_outlook ex_pool_outlook(const struct ex_pool *p, uint32_t model)
{
    enum ex_pool_outlook outlook = EX_POOL_FAILED;
    for (uint32_t slice = 0; is_plain(p, slice); slice++) {
        const struct ex_pool_worker *w = ex_pool_find(p, slice, model);
        if (w && w->was_ready)
            return EX_POOL_SERVING;
        if (w && w->state != EX_POOL_GIVEN_UP)
            outlook = EX_POOL_LOADING;
    }
    return outlook;
}

const char *ex_pool_problem(const struct ex_pool *p, uint32_t model)
{
    for (uint32_t slice = 0; is_plain(p, slice); slice++) {
        const struct ex_pool_worker *w = ex_pool_find(p, slice, model);
        if (w && w->state == EX_POOL_GIVEN_UP)
            return w->text;
    }
    return "";
}

struct ex_pool_stats ex_pool_stats(const struct ex_pool *p)
{
    return p->stats;
}

/* ---- the port */

static void kill_worker(void *ctx, uint32_t slice, uint32_t model)
{
    struct ex_pool *p = ctx;
    struct ex_pool_worker *w = ex_pool_find(p, slice, model);
    if (!w || w->state != EX_POOL_READY)
        return;
    p->stats.kills++;
    ex_pool_kill_worker(p, w, "was ended by the node", true);
}

struct ex_worker_port ex_pool_port(struct ex_pool *p)
{
    return (struct ex_worker_port){.ctx = p,
                                   .post = ex_pool_post,
                                   .cancel = ex_pool_cancel,
                                   .kill = kill_worker,
                                   .segment_open = ex_pool_segment_open,
                                   .segment_close = ex_pool_segment_close};
}
