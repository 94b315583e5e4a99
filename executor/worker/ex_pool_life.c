/* ex_pool_life.c - a worker's process: its start, what it says of itself, its end and its return. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "ex_comeback.h"
#include "ex_pool_int.h"
#include "sl_text.h"

/* ---- start */

struct arguments {
    char slice_id[16], threads[16], memory[24], share[16];
    char *argv[32];
    size_t count;
};

static void add(struct arguments *a, const char *option, const char *value)
{
    a->argv[a->count++] = (char *)(uintptr_t)option;
    if (value)
        a->argv[a->count++] = (char *)(uintptr_t)value;
}

static void make_arguments(const struct ex_pool *p, const struct ex_pool_worker *w,
                           struct arguments *a)
{
    static const char *const kinds[] = {"cpu", "whole", "mig", "mps", "shared"};
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const struct ex_slice *s = &p->conf.slices[w->slice];
    memset(a, 0, sizeof(*a));
    snprintf(a->slice_id, sizeof(a->slice_id), "%u", s->id);
    snprintf(a->threads, sizeof(a->threads), "%u", s->cpu_threads);
    snprintf(a->memory, sizeof(a->memory), "%llu", (unsigned long long)s->memory_bytes);
    snprintf(a->share, sizeof(a->share), "%u", s->share_thousandths);
    add(a, p->conf.program, NULL);
    add(a, "--model-dir", ex_catalog_spec(p->catalog, w->model)->dir);
    add(a, "--slice-id", a->slice_id);
    add(a, "--device", s->device);
    add(a, "--kind", kinds[s->kind]);
    add(a, "--threads", a->threads);
    add(a, "--memory", a->memory);
    add(a, "--share", a->share);
    add(a, "--log-level", levels[p->conf.log_level]);
}

static bool watch(struct ex_pool *p, const struct ex_pool_worker *w, int fd,
                  enum ex_pool_source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)w->index * 4 + source};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_all(struct ex_pool *p, const struct ex_pool_worker *w)
{
    return watch(p, w, w->channel.up_bell, EX_POOL_BELL) &&
           watch(p, w, w->channel.control, EX_POOL_CONTROL) &&
           watch(p, w, w->process.pidfd, EX_POOL_PIDFD) &&
           watch(p, w, w->process.output, EX_POOL_OUTPUT);
}

static sl_status start_process(struct ex_pool *p, struct ex_pool_worker *w)
{
    int worker_fds[EX_WORKER_FD_COUNT];
    struct arguments arguments;
    sl_status st = ex_channel_open(p->conf.ring_bytes, p->conf.ring_bytes, &w->channel, worker_fds);
    if (st != SL_OK)
        return st;
    make_arguments(p, w, &arguments);
    st = ex_process_start(arguments.argv, worker_fds, p->own_hold, &w->process);
    ex_channel_close_worker_fds(worker_fds);
    if (st != SL_OK)
        ex_channel_close(&w->channel);
    return st;
}

void ex_pool_start_worker(struct ex_pool *p, struct ex_pool_worker *w, sl_mono_ns now)
{
    const sl_status st = start_process(p, w);
    w->started_at = now;
    if (st != SL_OK) {
        w->crashes++;
        w->start_at = ex_comeback_at(w->crashes + 2, now);
        sl_log(SL_LOG_ERROR, "worker cannot be started", SL_S("why", sl_status_text(st)),
               SL_S("model", ex_catalog_name(p->catalog, w->model)), SL_U("slice", w->slice));
        return;
    }
    ex_pool_move(p, w, EX_POOL_STARTING);
    p->wide_count += ex_pool_is_wide(p, w);
    w->life++;
    w->posted = w->done = w->posted_before = 0;
    w->segment_count = w->next_segment = 0;
    sl_shm_peer_init(&w->outputs, EX_SEGMENTS_MAX);
    w->is_ours = false;
    w->text[0] = '\0';
    w->give_up_at = sl_sat_add(now, p->conf.load_patience_ns);
    ex_output_log_init(&w->output, ex_catalog_name(p->catalog, w->model), w->slice);
    p->stats.started++;
    if (!watch_all(p, w))
        ex_pool_kill_worker(p, w, "cannot be watched", false);
}

/* ---- state */

bool ex_pool_is_wide(const struct ex_pool *p, const struct ex_pool_worker *w)
{
    return p->conf.slices[w->slice].parts != 0;
}

void ex_pool_move(struct ex_pool *p, struct ex_pool_worker *w, enum ex_pool_state to)
{
    p->in[w->state]--;
    p->in[to]++;
    w->state = to;
}

void ex_pool_kill_worker(struct ex_pool *p, struct ex_pool_worker *w, const char *text, bool ours)
{
    if (w->state != EX_POOL_STARTING && w->state != EX_POOL_READY)
        return;
    ex_pool_move(p, w, EX_POOL_ENDING);
    w->is_ours = ours;
    snprintf(w->text, sizeof(w->text), "%s", text);
    ex_process_kill(&w->process);
}

void ex_pool_broke_protocol(struct ex_pool *p, struct ex_pool_worker *w, const char *what)
{
    char text[200];
    if (w->state != EX_POOL_STARTING && w->state != EX_POOL_READY)
        return;
    p->stats.broke_protocol++;
    snprintf(text, sizeof(text), "broke the protocol of workers: %s", what);
    ex_pool_kill_worker(p, w, text, false);
}

/* ---- what it says */

static void on_loaded(struct ex_pool *p, struct ex_pool_worker *w)
{
    if (w->state != EX_POOL_STARTING)
        return;
    ex_pool_move(p, w, EX_POOL_READY);
    w->was_ready = true;
    w->is_wanted = false;
    w->load_failures = 0;
    sl_log(SL_LOG_INFO, "worker ready", SL_S("model", ex_catalog_name(p->catalog, w->model)),
           SL_U("slice", w->slice), SL_I("pid", w->process.pid));
    p->events.ready(p->events.ctx, w->slice, w->model);
}

/* It is about to exit by itself, with less to say than this. */
static void on_last_words(struct ex_pool *p, struct ex_pool_worker *w, const char *text)
{
    ex_pool_kill_worker(p, w, text, false);
}

static void on_segment(struct ex_pool *p, struct ex_pool_worker *w,
                       const struct ex_worker_message *m)
{
    if (sl_shm_peer_add(&w->outputs, m->segment, m->fd) != SL_OK)
        ex_pool_broke_protocol(p, w, "a segment is not one");
}

static void on_message(struct ex_pool *p, struct ex_pool_worker *w,
                       const struct ex_worker_message *m)
{
    switch (m->kind) {
    case EX_WORKER_LOADED:
        on_loaded(p, w);
        return;
    case EX_WORKER_FAILED:
        w->load_failures = EX_LOAD_TRIES_MAX; /* it knows that the next one would not do better */
        on_last_words(p, w, m->text);
        return;
    case EX_WORKER_FATAL:
        on_last_words(p, w, m->text);
        return;
    case EX_WORKER_SEGMENT:
        on_segment(p, w, m);
        return;
    case EX_WORKER_FORGET:
        if (sl_shm_peer_forget(&w->outputs, m->segment) != SL_OK)
            ex_pool_broke_protocol(p, w, "it takes a segment back too early");
        return;
    default:
        ex_pool_broke_protocol(p, w, "a message that workers do not send");
    }
}

void ex_pool_on_control(struct ex_pool *p, struct ex_pool_worker *w)
{
    struct ex_worker_message m;
    sl_status st = SL_OK;
    while (w->channel.control >= 0 && (st = ex_worker_receive(w->channel.control, &m)) == SL_OK)
        on_message(p, w, &m);
    if (st == SL_EPROTO)
        ex_pool_broke_protocol(p, w, "a message is not one");
    /* Closed: it stays readable for ever, and its pidfd says the rest. */
    if (st == SL_ENOENT || st == SL_EIO)
        (void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, w->channel.control, NULL);
}

/* ---- its end */

void ex_pool_close_worker(struct ex_pool_worker *w)
{
    ex_pool_drop_keeping(w);
    ex_channel_close(&w->channel);
    sl_shm_peer_finish(&w->outputs);
    sl_hold_forget(&w->hold);
    ex_process_close(&w->process);
}

/* Comes back when? A worker that never loaded is given up after a few tries. */
static void plan_return(struct ex_pool *p, struct ex_pool_worker *w)
{
    const bool never_loaded = !w->was_ready;
    w->load_failures += never_loaded && w->load_failures < EX_LOAD_TRIES_MAX;
    const bool may_rest = ex_pool_is_wide(p, w) && !w->is_wanted;
    ex_pool_move(p, w,
                 w->load_failures >= EX_LOAD_TRIES_MAX ? EX_POOL_GIVEN_UP
                 : may_rest                            ? EX_POOL_RESTING
                                                       : EX_POOL_IDLE);
    p->wide_count -= ex_pool_is_wide(p, w);
    w->crashes += !w->is_ours;
    w->start_at = ex_comeback_at(w->crashes, w->started_at);
    if (p->is_stopping)
        return;
    p->stats.crashes += !w->is_ours;
    sl_log(w->is_ours ? SL_LOG_INFO : SL_LOG_WARN, "worker ended",
           SL_S("model", ex_catalog_name(p->catalog, w->model)), SL_U("slice", w->slice),
           SL_S("how", w->text), SL_S("given_up", w->state == EX_POOL_GIVEN_UP ? "yes" : "no"));
}

void ex_pool_on_maybe_gone(struct ex_pool *p, struct ex_pool_worker *w, sl_mono_ns now)
{
    uint64_t started_ns;
    char how[100];
    if (w->process.pid == 0 || !ex_process_reap(&w->process))
        return;
    ex_pool_on_control(p, w);
    ex_pool_move(p, w, EX_POOL_ENDING); /* results make room for jobs: not here any more */
    if (!w->is_ours)                    /* else nobody waits for them */
        ex_pool_take_last_results(p, w);
    const uint64_t started_seq = ex_ring_started(&w->channel.ring, &started_ns);
    (void)ex_output_log_read(&w->output, w->process.output, now);
    ex_output_log_flush(&w->output, now);
    if (w->text[0] == '\0')
        snprintf(w->text, sizeof(w->text), "%s",
                 ex_process_end_text(&w->process, how, sizeof(how)));
    ex_pool_drop_kept(p, w);
    ex_pool_close_worker(w);
    plan_return(p, w);
    p->events.lost(p->events.ctx, w->slice, w->model, started_seq, w->text);
    if (w->state == EX_POOL_GIVEN_UP)
        p->events.failed(p->events.ctx, w->slice, w->model, w->text);
}
