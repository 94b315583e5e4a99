/* ex_server.c - creates the parts, wires their ports, runs the loop, drains. */
#include "ex_server.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ex_catalog.h"
#include "ex_hold.h"
#include "ex_jobs.h"
#include "ex_journal_file.h"
#include "ex_keys.h"
#include "ex_lease.h"
#include "ex_link.h"
#include "ex_model_repo.h"
#include "ex_pool.h"
#include "ex_process.h"
#include "ex_slice_cpu.h"
#include "sl_daemon.h"
#include "sl_shm_peer.h"
#include "sl_shm_pool.h"
#include "sl_spin.h"

/* What the loop waits for, as bits. RESULTS lie in rings: no descriptor tells of them. */
enum { SIGNALS = 1, POOL = 2, LINK = 4, RESULTS = 8 };

enum phase { LOADING, SERVING, DRAINING, ABANDONING, STOPPING, STOPPED };

enum {
    BULK_WINDOW_BYTES = 64 << 20,
    INLINE_MAX_BYTES = 256 << 10,
    LINGER_MS = 1000,
    CONFIG_ERRORS_MAX = 64 << 10,
};

static const int64_t abandon_patience_ns = 2 * SL_NS_PER_S;
static const int64_t results_idle_ns = 10 * SL_NS_PER_S;
static const int64_t workers_patience_ns = SL_NS_PER_S;
static const int64_t unrecorded_log_pause_ns = 10 * SL_NS_PER_S;

struct ex_server {
    const struct ex_conf *conf;
    const char *config_path;
    const struct sl_clock *clock;
    struct ex_model_repo *repo;
    struct ex_catalog *catalog;
    struct ex_slice slices[EX_ALL_SLICES_MAX];
    size_t slice_count; /* wide ones included, which are the last ones */
    char host[256];
    struct ex_journal_file journal_file;
    struct ex_journal *journal;
    struct sl_shm_pool *results; /* where large results lie until the gateway has them */
    struct ex_pool *pool;
    struct ex_link_keys keys; /* with CURVE */
    struct ex_link *link;
    struct ex_jobs *jobs;
    struct ex_report_port report;
    struct ex_worker_port workers;
    int epoll;
    int signals;
    struct sl_spin spin;
    struct ex_hold hold;
    enum phase phase;
    sl_mono_ns phase_ends_at; /* LOADING: hello anyway; later ones: no longer */
    uint32_t late_models;     /* announced as loading */
    uint64_t unrecorded;      /* of the calls given back for the journal's sake, told in the log */
    sl_mono_ns unrecorded_log_at;
    sl_mono_ns now; /* of this turn */
};

/* ---- models */

static bool fill_catalog(struct ex_server *s, struct sl_error *err)
{
    for (size_t i = 0; i < ex_model_repo_count(s->repo); i++) {
        const struct ex_model_entry *e = ex_model_repo_at(s->repo, i);
        const sl_status st = ex_catalog_add(s->catalog, e->name, e->spec, e->problem);
        if (st != SL_OK) {
            sl_error_set(err, SL_REASON_INTERNAL, "model %s: %s", e->name, sl_status_text(st));
            return false;
        }
        if (!e->spec)
            sl_log(SL_LOG_ERROR, "model cannot be served", SL_S("model", e->name),
                   SL_S("why", e->problem));
    }
    return true;
}

static bool load_models(struct ex_server *s, struct sl_error *err)
{
    if (ex_model_repo_load(s->conf->models, &s->repo, err) != SL_OK)
        return false;
    if (ex_catalog_create(&sl_alloc_malloc, &s->catalog) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the models");
        return false;
    }
    return fill_catalog(s, err);
}

/* Writes into the catalogue how each model stands; counts those that still load. */
static uint32_t judge_models(struct ex_server *s)
{
    uint32_t loading = 0;
    for (uint32_t i = 0; i < ex_catalog_count(s->catalog); i++) {
        if (!ex_catalog_spec(s->catalog, i))
            continue;
        const enum ex_pool_outlook outlook = ex_pool_outlook(s->pool, i);
        loading += outlook == EX_POOL_LOADING;
        ex_catalog_set_problem(s->catalog, i,
                               outlook == EX_POOL_SERVING  ? ""
                               : outlook == EX_POOL_FAILED ? ex_pool_problem(s->pool, i)
                                                           : "loading");
    }
    return loading;
}

/* Hello when all models have loaded or failed, or when it has taken too long. Those that come later
 * are announced by a new session, once no call would be lost by it. */
static void announce_models(struct ex_server *s)
{
    if (s->phase == LOADING) {
        s->late_models = judge_models(s);
        if (s->late_models > 0 && s->now < s->phase_ends_at)
            return;
        s->phase = SERVING;
        ex_link_start(s->link, s->now);
    } else if (s->phase == SERVING && s->late_models > 0 && ex_jobs_open_count(s->jobs) == 0) {
        const uint32_t loading = judge_models(s);
        if (loading < s->late_models)
            ex_link_restart(s->link, s->now);
        s->late_models = loading;
    }
}

/* ---- what the gateway says */

static void on_call(void *ctx, const struct ex_call *call)
{
    struct ex_server *s = ctx;
    ex_hold_call(&s->hold, s->pool, call->cpu_hint, s->now);
    ex_jobs_accept(s->jobs, call, s->now);
}

static void on_cancel(void *ctx, uint64_t lease)
{
    struct ex_server *s = ctx;
    ex_jobs_cancel(s->jobs, lease, s->now);
}

static void on_call_back(void *ctx, uint64_t lease)
{
    struct ex_server *s = ctx;
    ex_jobs_call_back(s->jobs, lease, s->now);
}

static sl_status on_bulk(void *ctx, uint64_t lease, uint64_t offset, uint64_t total,
                         struct sl_span bytes)
{
    struct ex_server *s = ctx;
    return ex_jobs_bulk(s->jobs, lease, offset, total, bytes, s->now);
}

static void on_gateway_lost(void *ctx)
{
    struct ex_server *s = ctx;
    ex_jobs_drop_all(s->jobs, s->now);
}

/* ---- what workers say */

static void on_worker_ready(void *ctx, uint32_t slice, uint32_t model)
{
    struct ex_server *s = ctx;
    ex_jobs_worker_ready(s->jobs, slice, model, s->now);
}

static void on_result(void *ctx, uint32_t slice, uint32_t model, uint64_t seq,
                      struct ex_outcome *outcome, sl_gpu_us run)
{
    struct ex_server *s = ctx;
    ex_jobs_result(s->jobs, slice, model, seq, outcome, run, s->now);
}

static void on_result_came(void *ctx, uint32_t slice, uint32_t model, uint64_t seq)
{
    struct ex_server *s = ctx;
    ex_jobs_result_came(s->jobs, slice, model, seq, s->now);
}

static void on_worker_lost(void *ctx, uint32_t slice, uint32_t model, uint64_t started_seq,
                           const char *text)
{
    struct ex_server *s = ctx;
    ex_jobs_worker_lost(s->jobs, slice, model, started_seq, text, s->now);
}

static void on_worker_failed(void *ctx, uint32_t slice, uint32_t model, const char *text)
{
    struct ex_server *s = ctx;
    sl_log(SL_LOG_ERROR, "model cannot be served",
           SL_S("model", ex_catalog_name(s->catalog, model)), SL_U("slice", slice),
           SL_S("why", text));
    ex_jobs_worker_failed(s->jobs, slice, model, text, s->now);
}

/* ---- making the parts */

static void make_slices(struct ex_server *s)
{
    const struct ex_slice_cpu_plan plan = {.count = (size_t)s->conf->slices.cpu,
                                           .per_device = (size_t)s->conf->slices.per_device,
                                           .threads = (uint32_t)s->conf->slices.cpu_threads,
                                           .memory_bytes = s->conf->slices.memory_bytes};
    s->slice_count = ex_slice_cpu_make(s->slices, &plan);
}

static sl_status make_results(struct ex_server *s)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "sluice-result",
                                          .bytes_max = s->conf->link.shared_memory_bytes,
                                          .count_max = SL_SHM_PEER_MAX,
                                          .idle_ns = results_idle_ns};
    return sl_shm_pool_create(&conf, &s->results);
}

static sl_status make_pool(struct ex_server *s)
{
    const struct ex_pool_conf conf = {.program = s->conf->worker.program,
                                      .ring_bytes = s->conf->worker.ring_bytes,
                                      .slices = s->slices,
                                      .slice_count = s->slice_count,
                                      .starting_max = (unsigned)s->conf->worker.loading,
                                      .load_patience_ns = s->conf->worker.load_timeout_ns,
                                      .wide_idle_ns = s->conf->worker.wide_idle_ns,
                                      .segments_max_bytes = s->conf->limits.payload_total_bytes,
                                      .results = s->results,
                                      .log_level = (enum sl_log_level)s->conf->log_level};
    const struct ex_pool_events events = {
        s, on_worker_ready, on_result, on_result_came, on_worker_lost, on_worker_failed};
    return ex_pool_create(&sl_alloc_malloc, &conf, s->catalog, &events, &s->pool);
}

/* The leases of the process before this one that no gateway has accounted for. */
static void tell_leases(const struct ex_server *s)
{
    const struct ex_journal_totals t = ex_journal_totals(s->journal);
    if (s->conf->state[0] == '\0')
        sl_log(SL_LOG_WARN, "leases are kept in memory only: state is not set");
    if (t.unacknowledged > 0)
        sl_log(SL_LOG_INFO, "leases to be told to a gateway", SL_U("leases", t.unacknowledged),
               SL_U("were_open", t.ended_open));
    if (t.passed_over > 0)
        sl_log(SL_LOG_WARN, "leases of before the machine was started are not told",
               SL_U("leases", t.passed_over));
}

static bool make_journal(struct ex_server *s, struct sl_error *err)
{
    const uint32_t max = (uint32_t)s->conf->lease.unacknowledged_max;
    if (ex_journal_file_open(s->conf->state, max, &s->journal_file, err) != SL_OK ||
        ex_journal_file_journal(&s->journal_file, max, &s->journal, err) != SL_OK)
        return false;
    tell_leases(s);
    ex_journal_tick(s->journal, sl_clock_mono(s->clock), sl_clock_wall(s->clock));
    return true;
}

static sl_status make_link(struct ex_server *s)
{
    const struct ex_link_conf conf = {
        .control = s->conf->link.control,
        .bulk = s->conf->link.bulk,
        .keys = s->conf->link.security == SL_LINK_CURVE ? &s->keys : NULL,
        .bulk_is_plain = s->conf->link.bulk_security == SL_LINK_NONE,
        .hello = {.node = s->conf->node,
                  .host = s->host,
                  .slices = s->slices,
                  .slice_count = s->slice_count,
                  .catalog = s->catalog,
                  .bulk_window_bytes = BULK_WINDOW_BYTES,
                  .inline_max_bytes = INLINE_MAX_BYTES,
                  .slice_backlog_max = (uint32_t)s->conf->lease.backlog,
                  .wants_shared_memory = s->conf->link.shared_memory_bytes > 0,
                  .journal = ex_journal_totals(s->journal).id},
        .results = s->results,
        .journal = s->journal};
    const struct ex_link_events events = {s,       on_call,        on_cancel, on_call_back,
                                          on_bulk, on_gateway_lost};
    return ex_link_create(&sl_alloc_malloc, &conf, &events, &s->link);
}

static sl_status make_jobs(struct ex_server *s)
{
    struct ex_jobs_conf conf = {.slice_count = s->slice_count,
                                .backlog_max = (uint32_t)s->conf->lease.backlog,
                                .jobs_max = (uint32_t)s->conf->limits.jobs,
                                .payload_max_bytes = s->conf->limits.payload_bytes,
                                .cancel_grace_ns = s->conf->lease.cancel_grace_ns,
                                .receive_patience_ns = s->conf->lease.receive_timeout_ns,
                                .journal = s->journal};
    for (size_t i = 0; i < s->slice_count; i++)
        conf.parts[i] = s->slices[i].parts;
    s->report = ex_link_report_port(s->link);
    s->workers = ex_pool_port(s->pool);
    return ex_jobs_create(&sl_alloc_malloc, &conf, s->catalog, &s->report, &s->workers, &s->jobs);
}

static bool watch(const struct ex_server *s, int fd, uint32_t bit)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = bit};
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Signals become bytes of a descriptor, before any other thread exists. */
static bool open_signals(struct ex_server *s)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < SL_ARRAY_LEN(wanted); i++)
        sigaddset(&set, wanted[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    s->signals = -1;
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0;
}

static bool make_parts(struct ex_server *s, struct sl_error *err)
{
    sl_daemon_raise_descriptors(); /* segments and workers need them */
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    sl_status st = open_signals(s) && s->epoll >= 0 ? ex_process_become_reaper() : SL_EIO;
    if (st == SL_OK && (ex_keys_read(s->conf, &s->keys, err) != SL_OK || !make_journal(s, err) ||
                        !load_models(s, err)))
        return false;
    if (st == SL_OK)
        st = make_results(s);
    if (st == SL_OK)
        st = make_pool(s);
    if (st == SL_OK)
        st = make_link(s);
    if (st == SL_OK)
        st = make_jobs(s);
    if (st == SL_OK && (!watch(s, s->signals, SIGNALS) || !watch(s, ex_pool_fd(s->pool), POOL) ||
                        !watch(s, ex_link_fd(s->link), LINK)))
        st = SL_EIO;
    if (st != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "the executor cannot be set up: %s",
                     sl_status_text(st));
    return st == SL_OK;
}

sl_status ex_server_create(const struct ex_conf *conf, const char *config_path,
                           const struct sl_clock *clock, struct ex_server **out,
                           struct sl_error *err)
{
    struct ex_server *s = sl_alloc_zero(&sl_alloc_malloc, 1, sizeof(*s));
    if (!s) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory");
        return SL_ENOMEM;
    }
    s->conf = conf;
    s->config_path = config_path;
    s->clock = clock;
    s->epoll = s->signals = s->journal_file.fd = -1;
    s->spin.for_ns = conf->worker.watch_ns;
    s->hold.is_on =
        conf->placement == EX_PLACEMENT_TOGETHER && strncmp(conf->link.control, "ipc://", 6) == 0;
    make_slices(s);
    if (gethostname(s->host, sizeof(s->host) - 1) != 0)
        s->host[0] = '\0';
    if (!make_parts(s, err)) {
        ex_server_destroy(s);
        return SL_EIO;
    }
    *out = s;
    return SL_OK;
}

void ex_server_destroy(struct ex_server *s)
{
    if (!s)
        return;
    ex_jobs_destroy(s->jobs);
    ex_pool_destroy(s->pool);
    ex_link_destroy(s->link, LINGER_MS);
    sl_shm_pool_destroy(s->results);
    ex_journal_destroy(s->journal);
    ex_journal_file_close(&s->journal_file);
    sl_key_erase(&s->keys.own_secret);
    ex_catalog_destroy(s->catalog);
    ex_model_repo_destroy(s->repo);
    if (s->signals >= 0)
        close(s->signals);
    if (s->epoll >= 0)
        close(s->epoll);
    sl_alloc_free(&sl_alloc_malloc, s);
}

/* ---- signals and the end */

static void begin_drain(struct ex_server *s)
{
    sl_log(SL_LOG_INFO, "draining", SL_U("calls", ex_jobs_open_count(s->jobs)));
    s->phase = DRAINING;
    s->phase_ends_at = sl_sat_add(s->now, s->conf->drain_timeout_ns);
    ex_jobs_refuse_new(s->jobs);
    ex_link_set_draining(s->link);
}

static void abandon(struct ex_server *s, const char *why)
{
    sl_log(SL_LOG_WARN, "stopping with open calls", SL_S("why", why),
           SL_U("calls", ex_jobs_open_count(s->jobs)));
    s->phase = ABANDONING;
    s->phase_ends_at = sl_sat_add(s->now, abandon_patience_ns);
    ex_jobs_abandon(s->jobs, s->now);
}

static void on_stop_signal(struct ex_server *s)
{
    if (s->phase < DRAINING)
        begin_drain(s);
    else if (s->phase == DRAINING)
        abandon(s, "told to stop at once");
    else
        s->phase = STOPPED;
}

static void tell_change(void *ctx, const struct sl_conf_key *key)
{
    (void)ctx;
    sl_log(key->reloadable ? SL_LOG_INFO : SL_LOG_WARN,
           key->reloadable ? "configuration changed"
                           : "configuration changed, but this key needs a restart",
           SL_S("key", key->name));
}

static void on_hangup(struct ex_server *s)
{
    struct ex_conf fresh;
    struct sl_conf *owner;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, CONFIG_ERRORS_MAX);
    if (ex_conf_load(s->config_path, &fresh, &errors, &owner) == SL_OK) {
        sl_log_set_level((enum sl_log_level)fresh.log_level);
        sl_log(SL_LOG_INFO, "configuration read again");
        sl_conf_diff(ex_conf_table, s->conf, &fresh, tell_change, NULL);
        sl_conf_destroy(owner);
    } else {
        const sl_status st = sl_buf_append(&errors, "", 1);
        sl_log(SL_LOG_ERROR, "configuration not taken",
               SL_S("why", st == SL_OK ? (const char *)errors.data : "too many errors"));
    }
    sl_buf_finish(&errors);
}

static void take_signals(struct ex_server *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            ex_pool_reap(s->pool, s->now);
        else if (info.ssi_signo == SIGHUP)
            on_hangup(s);
        else
            on_stop_signal(s);
    }
}

/* No calls are left: the workers may go, those that do not are killed by ex_pool_destroy. */
static void begin_stop(struct ex_server *s)
{
    s->phase = STOPPING;
    s->phase_ends_at = sl_sat_add(s->now, workers_patience_ns);
    ex_pool_stop(s->pool);
}

static bool is_done(const struct ex_server *s)
{
    if (s->phase == STOPPING)
        return ex_pool_alive_count(s->pool) == 0;
    return ex_jobs_open_count(s->jobs) == 0 &&
           (ex_link_is_idle(s->link) || !ex_link_is_up(s->link));
}

static void advance_end(struct ex_server *s)
{
    const bool is_late = s->now >= s->phase_ends_at;
    if (s->phase < DRAINING || s->phase == STOPPED)
        return;
    if (s->phase == STOPPING && (is_late || is_done(s)))
        s->phase = STOPPED;
    else if (s->phase == DRAINING && is_late && !is_done(s))
        abandon(s, "drain.timeout is over");
    else if (s->phase != STOPPING && (is_late || is_done(s)))
        begin_stop(s);
}

/* ---- the loop */

static sl_mono_ns earlier(sl_mono_ns a, sl_mono_ns b)
{
    return a < b ? a : b;
}

static int wait_ms(const struct ex_server *s)
{
    sl_mono_ns next = earlier(ex_jobs_next_at(s->jobs), ex_link_next_at(s->link));
    next = earlier(next, ex_pool_next_at(s->pool));
    if (s->phase != SERVING)
        next = earlier(next, s->phase_ends_at);
    if (next <= s->now)
        return 0;
    const int64_t ms = (next - s->now) / SL_NS_PER_MS + 1;
    return ms < 60000 ? (int)ms : 60000;
}

/* Calls are given back because the gateway acknowledges no leases: while that goes on, said now and then. */
static void tell_unrecorded(struct ex_server *s)
{
    const uint64_t unrecorded = ex_jobs_stats(s->jobs).unrecorded;
    if (unrecorded == s->unrecorded || s->now < s->unrecorded_log_at)
        return;
    sl_log(SL_LOG_WARN, "calls given back: the journal of leases is full",
           SL_U("calls", unrecorded - s->unrecorded),
           SL_U("unacknowledged", ex_journal_totals(s->journal).unacknowledged));
    s->unrecorded = unrecorded;
    s->unrecorded_log_at = sl_sat_add(s->now, unrecorded_log_pause_ns);
}

/* ready: bits of what has something. Returns bits of what has more, at once. */
static unsigned turn(struct ex_server *s, unsigned ready)
{
    s->now = sl_clock_mono(s->clock);
    ex_journal_tick(s->journal, s->now, sl_clock_wall(s->clock));
    if (ready & SIGNALS)
        take_signals(s);
    ex_link_receive(s->link, ready & LINK, s->now);
    ex_pool_receive(s->pool, ready & POOL, s->now);
    ex_jobs_tick(s->jobs, s->now);
    tell_unrecorded(s);
    ex_pool_tick(s->pool, s->now);
    ex_hold_tick(&s->hold, s->pool, s->now);
    announce_models(s);
    ex_pool_publish(s->pool);
    const bool has_mail = ex_link_flush(s->link, s->now);
    advance_end(s);
    return has_mail ? LINK : 0;
}

static void log_end(const struct ex_server *s)
{
    const struct ex_jobs_stats jobs = ex_jobs_stats(s->jobs);
    const struct ex_pool_stats pool = ex_pool_stats(s->pool);
    const struct ex_link_stats link = ex_link_stats(s->link);
    const struct ex_journal_totals leases = ex_journal_totals(s->journal);
    sl_log(SL_LOG_INFO, "stopped", SL_U("results", jobs.results), SL_U("failures", jobs.failures),
           SL_U("returned", jobs.returned), SL_U("unrecorded", jobs.unrecorded),
           SL_U("orphans", jobs.orphans), SL_U("joints", jobs.joints),
           SL_U("joints_failed", jobs.joints_failed),
           SL_U("refused_messages", jobs.refused_messages + link.dropped),
           SL_U("workers_started", pool.started), SL_U("worker_crashes", pool.crashes),
           SL_U("worker_kills", pool.kills), SL_U("sessions", link.sessions),
           SL_U("leases", leases.leases), SL_I("lease_us", leases.held_us),
           SL_U("unacknowledged", leases.unacknowledged), SL_U("untold", link.untold_leases));
}

/* Adds what is ready. False: waiting is not possible. */
static bool wait_for(const struct ex_server *s, int limit_ms, unsigned *ready)
{
    struct epoll_event events[4];
    const int n = epoll_wait(s->epoll, events, SL_ARRAY_LEN(events), limit_ms);
    for (int i = 0; i < n; i++)
        *ready |= events[i].data.u32;
    return n >= 0 || errno == EINTR;
}

/* The result of a short call comes within microseconds. While calls lie behind each other, sleep is
 * better: it lets results gather. */
static bool watch_rings(struct ex_server *s, unsigned *ready)
{
    bool can_wait = true;
    if (!ex_pool_is_at_last_jobs(s->pool) || !sl_spin_may(&s->spin))
        return true;
    const sl_mono_ns end = sl_clock_mono(s->clock) + s->spin.for_ns;
    do {
        sched_yield();
        can_wait = wait_for(s, 0, ready);
        *ready |= ex_pool_has_result(s->pool) ? RESULTS : 0;
    } while (can_wait && *ready == 0 && sl_clock_mono(s->clock) < end);
    sl_spin_tell(&s->spin, (*ready & RESULTS) != 0);
    return can_wait;
}

/* Waits, unless there is more to do. False: waiting is not possible. */
static bool wait_for_more(struct ex_server *s, unsigned *ready)
{
    if (*ready == 0 && !watch_rings(s, ready))
        return false;
    if (*ready == 0 && !ex_pool_sleep(s->pool))
        *ready = RESULTS;
    return wait_for(s, *ready != 0 ? 0 : wait_ms(s), ready);
}

void ex_server_run(struct ex_server *s)
{
    unsigned ready = SIGNALS | POOL | LINK;
    s->now = sl_clock_mono(s->clock);
    s->phase_ends_at = sl_sat_add(s->now, s->conf->worker.hello_wait_ns);
    sl_log(SL_LOG_INFO, "starting", SL_S("node", s->conf->node),
           SL_U("models", ex_catalog_count(s->catalog)), SL_U("slices", s->slice_count));
    do {
        ready = turn(s, ready);
    } while (s->phase != STOPPED && wait_for_more(s, &ready));
    log_end(s);
}
