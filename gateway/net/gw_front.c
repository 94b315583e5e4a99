/* gw_front.c - the net thread: one loop turn is mail out, mail in, bytes out. */
#include "gw_front.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw_conn.h"
#include "gw_listener.h"
#include "gw_mail.h"
#include "gw_stream.h"
#include "sl_log.h"

enum { READ_BUFFER_BYTES = 256 * 1024, TICK_MS = 500 };

/* Connections are numbered from here on in each front, so that no two have one number. */
enum { FRONT_SHIFT = 48 };

/* Of the mail to net, beside GW_TO_NET_*: flow has had its last word, the exchange comes home. */
enum { TO_NET_HOME = 1 << 8 };

/* ANNOUNCED: connections end by themselves, each after a round trip; WAITED: one tick later, those that
 * have not answered by the next are ended all the same. */
enum drain_stage { SERVING, ANNOUNCED, WAITED, ENDING, DRAINED };

struct gw_front {
    struct gw_front_conf conf;
    struct gw_front_port port;
    uv_loop_t own_loop;
    uv_loop_t *loop;
    bool is_guest;
    bool is_started;
    uv_thread_t thread;

    uv_prepare_t prepare; /* ends each turn, right before the loop waits */
    uv_idle_t busy;       /* active: the loop does not wait */
    uv_timer_t tick;
    uv_async_t async;
    size_t open_handles; /* these and the listener */

    struct gw_listener listener;
    bool is_accept_paused;
    struct gw_conn_host host;
    struct gw_stream_pool pool;
    struct gw_mail to_flow;
    struct gw_mail to_net;

    sl_mono_ns now; /* of this turn, when has_now */
    bool has_now;
    bool is_in_turn;
    bool wants_turn; /* another one, without waiting */
    enum drain_stage drain_stage;
    bool is_stopping;

    atomic_bool drain_wanted;
    atomic_bool stop_wanted;
    atomic_bool limits_wanted;
    pthread_mutex_t wake_lock; /* guards the next three: flow may still post while the loop ends */
    bool is_wakeable;
    bool has_next_limits;
    struct gw_front_conf next_limits;
};

void gw_front_conf_defaults(struct gw_front_conf *c)
{
    *c = (struct gw_front_conf){
        .max_connections = 10000,
        .max_streams = 256,
        .max_message_bytes = 64 << 20,
        .header_bytes_max = 16 * 1024,
        .held_bytes_max = 256 << 20,
        .outbound_max_bytes = 512 * 1024,
        .exchanges_kept = 4096,
        .times = {.handshakes_max = 512,
                  .handshake_ns = 10 * SL_NS_PER_S,
                  .idle_ns = 600 * SL_NS_PER_S,
                  .keepalive_ns = 120 * SL_NS_PER_S,
                  .keepalive_timeout_ns = 20 * SL_NS_PER_S},
        .stall_timeout_ns = 30 * SL_NS_PER_S,
        .min_rate_bytes = 1024,
        .pings = {.min_time_ns = 10 * SL_NS_PER_S, .is_without_calls = true},
        .mirrors_encoding = true,
    };
}

/* ---- time and waking ---- */

static sl_mono_ns front_now(void *ctx)
{
    struct gw_front *f = ctx;
    if (!f->has_now) {
        f->now = sl_clock_mono(f->conf.clock);
        f->has_now = true;
    }
    return f->now;
}

static void wake_net(struct gw_front *f)
{
    pthread_mutex_lock(&f->wake_lock);
    if (f->is_wakeable)
        uv_async_send(&f->async);
    pthread_mutex_unlock(&f->wake_lock);
}

static void flush_to_flow(struct gw_front *f)
{
    if (gw_mail_flush(&f->to_flow))
        f->port.wake(f->port.ctx, f);
}

/* ---- mail ---- */

static void post_to_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct gw_front *f = ctx;
    gw_mail_post(&f->to_flow, x, events);
}

static void on_mail_from_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct gw_front *f = ctx;
    struct gw_stream *s = gw_stream_of(x);
    if ((events & TO_NET_HOME) != 0) {
        gw_stream_give(&f->pool, s);
        return;
    }
    if (s->h2 != NULL)
        gw_conn_mark(gw_h2_user(s->h2));
    if ((events & GW_TO_NET_HEAD) != 0)
        gw_h2_head(s);
    if ((events & GW_TO_NET_UPDATE) != 0)
        gw_h2_update(s);
    if ((events & GW_TO_NET_REPLY) != 0)
        gw_h2_reply(s, &f->host.h2_port);
    else if ((events & GW_TO_NET_GRANT) != 0)
        gw_h2_grant(s);
}

/* ---- accepting ---- */

static bool has_places(const struct gw_front *f)
{
    return f->host.conn_count < f->conf.max_connections &&
           f->host.unready_count < f->conf.times.handshakes_max;
}

static void pause_accepting(struct gw_front *f)
{
    struct gw_net_counts *counts = &f->host.counts;
    f->is_accept_paused = true;
    if (f->host.conn_count >= f->conf.max_connections)
        counts->accept_pauses++;
    else
        counts->handshake_pauses++;
}

static void on_ready_to_accept(void *ctx)
{
    struct gw_front *f = ctx;
    if (!has_places(f)) {
        pause_accepting(f);
        return;
    }
    f->is_accept_paused = false;
    sl_status s = gw_conn_accept(&f->host, &f->listener);
    if (s == SL_OK || s == SL_EAGAIN)
        return;
    f->is_accept_paused = true; /* the tick tries again */
    sl_log(SL_LOG_WARN, "connection not accepted", SL_S("cause", sl_status_text(s)));
}

static void resume_accepting(void *ctx)
{
    struct gw_front *f = ctx;
    if (f->is_accept_paused && f->listener.is_open && has_places(f))
        on_ready_to_accept(f);
}

/* ---- drain and stop ---- */

static void on_handle_closed(void *ctx);

static void on_uv_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void close_handle(uv_handle_t *handle, struct gw_front *f)
{
    handle->data = f;
    uv_close(handle, on_uv_closed);
}

static void end(struct gw_front *f)
{
    flush_to_flow(f);
    gw_net_metrics_add(f->conf.metrics, &f->host.counts);
    if (f->is_guest)
        f->port.stopped(f->port.ctx, f);
}

/* The connections close in the same phase of the loop as the handles, in any order. */
static void on_handle_closed(void *ctx)
{
    struct gw_front *f = ctx;
    f->open_handles--;
}

static void close_handles(struct gw_front *f)
{
    pthread_mutex_lock(&f->wake_lock);
    f->is_wakeable = false;
    pthread_mutex_unlock(&f->wake_lock);
    gw_listener_close(&f->listener, on_handle_closed, f);
    close_handle((uv_handle_t *)&f->busy, f);
    close_handle((uv_handle_t *)&f->tick, f);
    close_handle((uv_handle_t *)&f->async, f);
}

static void begin_stop(struct gw_front *f)
{
    f->is_stopping = true;
    gw_conn_close_all(&f->host);
    close_handles(f);
}

static void on_prepare_closed(uv_handle_t *handle)
{
    struct gw_front *f = handle->data;
    f->open_handles--;
    end(f);
}

/* The prepare handle is the last to go: it watches the others go. */
static void continue_stop(struct gw_front *f)
{
    flush_to_flow(f);
    if (f->open_handles > 1 || f->host.conn_count > 0 ||
        uv_is_closing((const uv_handle_t *)&f->prepare))
        return;
    f->prepare.data = f;
    uv_close((uv_handle_t *)&f->prepare, on_prepare_closed);
}

static void begin_drain(struct gw_front *f)
{
    f->drain_stage = ANNOUNCED;
    gw_listener_close(&f->listener, on_handle_closed, f);
    gw_conn_announce_end_all(&f->host);
}

static void look_at_drain(struct gw_front *f)
{
    if (atomic_load_explicit(&f->drain_wanted, memory_order_acquire) && f->drain_stage == SERVING)
        begin_drain(f);
    if (f->drain_stage != SERVING && f->drain_stage != DRAINED && f->host.conn_count == 0) {
        f->drain_stage = DRAINED;
        f->port.drained(f->port.ctx, f);
    }
}

/* ---- limits ---- */

/* What min_rate_bytes makes of one interval. */
static uint64_t least_bytes(const struct gw_front_conf *c)
{
    double bytes = (double)c->min_rate_bytes * ((double)c->stall_timeout_ns / (double)SL_NS_PER_S);
    return (uint64_t)bytes;
}

static void limit_host(struct gw_front *f)
{
    const struct gw_front_conf *c = &f->conf;
    f->host.h2_conf = (struct gw_h2_conf){
        .max_streams = c->max_streams,
        .max_message_bytes = c->max_message_bytes,
        .header_bytes_max = c->header_bytes_max,
        .held_bytes_max = c->held_bytes_max,
        .outbound_max_bytes = c->outbound_max_bytes,
        .pace = {c->stall_timeout_ns, least_bytes(c)},
        .pings = c->pings,
        .mirrors_encoding = c->mirrors_encoding,
    };
    f->host.times = c->times;
    f->host.proxies = &c->proxies;
}

static void take_limits(struct gw_front *f)
{
    struct gw_front_conf was = f->conf;
    pthread_mutex_lock(&f->wake_lock);
    bool has_next = f->has_next_limits;
    if (has_next)
        f->conf = f->next_limits;
    f->has_next_limits = false;
    pthread_mutex_unlock(&f->wake_lock);
    if (!has_next)
        return;
    f->conf.address = was.address;
    f->conf.port = was.port;
    f->conf.index = was.index;
    f->conf.tls = was.tls;
    f->conf.seed = was.seed;
    f->conf.exchanges_kept = was.exchanges_kept;
    f->conf.clock = was.clock;
    f->conf.metrics = was.metrics;
    limit_host(f);
    resume_accepting(f);
}

void gw_front_set_limits(struct gw_front *f, const struct gw_front_conf *conf)
{
    pthread_mutex_lock(&f->wake_lock);
    f->next_limits = *conf;
    f->has_next_limits = true;
    pthread_mutex_unlock(&f->wake_lock);
    atomic_store_explicit(&f->limits_wanted, true, memory_order_release);
    wake_net(f);
}

/* ---- turns ---- */

static void turn(struct gw_front *f)
{
    /* Looked at first and obeyed last: what was flushed before the stop is still sent. */
    bool stops = atomic_load_explicit(&f->stop_wanted, memory_order_acquire);
    f->is_in_turn = true;
    f->wants_turn = false;
    look_at_drain(f);
    if (atomic_exchange_explicit(&f->limits_wanted, false, memory_order_acquire))
        take_limits(f);
    flush_to_flow(f); /* before the writes: flow works while we write */
    gw_mail_take(&f->to_net, on_mail_from_flow, f);
    f->wants_turn |= gw_conn_write_dirty(&f->host);
    f->wants_turn |= f->to_flow.outbox_is_urgent;
    gw_net_metrics_add(f->conf.metrics, &f->host.counts);
    f->is_in_turn = false;
    if (stops && !f->is_stopping)
        begin_stop(f);
}

static void on_busy(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct gw_front *f = prepare->data;
    if (f->is_stopping) {
        continue_stop(f);
        return;
    }
    turn(f);
    if (f->is_stopping)
        return;
    if (f->wants_turn)
        uv_idle_start(&f->busy, on_busy);
    else
        uv_idle_stop(&f->busy);
    f->has_now = false;
}

static void on_tick(uv_timer_t *timer)
{
    struct gw_front *f = timer->data;
    gw_conn_tick_all(&f->host);
    resume_accepting(f);
    if (f->drain_stage == ANNOUNCED) {
        f->drain_stage = WAITED;
    } else if (f->drain_stage == WAITED) {
        f->drain_stage = ENDING;
        gw_conn_begin_end_all(&f->host);
    }
    if (gw_mail_flush(&f->to_flow) || gw_mail_is_overdue(&f->to_flow))
        f->port.wake(f->port.ctx, f);
}

static void on_async(uv_async_t *async)
{
    (void)async; /* being awake is all: the turn's end looks at everything */
}

/* ---- life ---- */

static sl_status check_conf(const struct gw_front_conf *c, struct sl_error *error)
{
    if (c->max_connections > 0 && c->times.handshakes_max > 0 && c->held_bytes_max > 0 &&
        c->max_streams > 0 && c->header_bytes_max > 0 && c->outbound_max_bytes > 0 &&
        c->max_message_bytes > 0 && c->max_message_bytes <= GW_H2_MESSAGE_MAX)
        return SL_OK;
    sl_error_set(error, SL_REASON_BAD_INPUT,
                 "A limit of the listener is 0, or the message limit of %llu bytes is over %llu.",
                 (unsigned long long)c->max_message_bytes, (unsigned long long)GW_H2_MESSAGE_MAX);
    return SL_EINVAL;
}

static void set_up_host(struct gw_front *f)
{
    const struct gw_front_conf *c = &f->conf;
    limit_host(f);
    gw_stream_pool_init(&f->pool, &sl_alloc_malloc, c->exchanges_kept, f);
    sl_rng_seed(&f->pool.rng, c->seed);
    f->pool.bodies = c->bodies;
    f->pool.next_connection = ((uint64_t)c->index << FRONT_SHIFT) + 1;
    f->host.loop = f->loop;
    f->host.tls = c->tls;
    f->host.h2_port = (struct gw_h2_port){
        .post = post_to_flow, .ctx = f, .pool = &f->pool, .counts = &f->host.counts};
    f->host.read_buffer_bytes = READ_BUFFER_BYTES;
    f->host.now = front_now;
    f->host.on_room = resume_accepting;
    f->host.ctx = f;
}

/* The initializers of libuv's plain handles cannot fail; uv_async_init opens a descriptor. */
static int init_handles(struct gw_front *f)
{
    int rv = uv_async_init(f->loop, &f->async, on_async);
    if (rv != 0)
        return rv;
    uv_prepare_init(f->loop, &f->prepare);
    uv_idle_init(f->loop, &f->busy);
    uv_timer_init(f->loop, &f->tick);
    f->prepare.data = f->tick.data = f;
    f->open_handles = 5; /* with the listener */
    return 0;
}

static void free_front(struct gw_front *f)
{
    gw_mail_finish(&f->to_flow);
    gw_mail_finish(&f->to_net);
    pthread_mutex_destroy(&f->wake_lock);
    free(f->host.read_buffer);
    free(f);
}

static struct gw_front *new_front(const struct gw_front_conf *conf,
                                  const struct gw_front_port *port, uv_loop_t *loop)
{
    struct gw_front *f = calloc(1, sizeof *f);
    if (f == NULL)
        return NULL;
    f->conf = *conf;
    f->port = *port;
    f->is_guest = loop != NULL;
    f->loop = loop != NULL ? loop : &f->own_loop;
    gw_mail_init(&f->to_flow, offsetof(struct gw_exchange, to_flow), GW_EV_SENT);
    gw_mail_init(&f->to_net, offsetof(struct gw_exchange, to_net), TO_NET_HOME);
    pthread_mutex_init(&f->wake_lock, NULL);
    set_up_host(f);
    f->host.read_buffer = malloc(READ_BUFFER_BYTES);
    if (f->host.read_buffer != NULL && (f->is_guest || uv_loop_init(&f->own_loop) == 0))
        return f;
    free_front(f);
    return NULL;
}

/* Before start or after the end: lets go what was closed, which takes libuv one round of the loop. */
static void finish_loop(struct gw_front *f)
{
    if (f->is_guest) {
        if (!f->is_started)
            uv_run(f->loop, UV_RUN_NOWAIT);
        return;
    }
    uv_run(f->loop, UV_RUN_DEFAULT);
    uv_loop_close(f->loop);
}

sl_status gw_front_create(const struct gw_front_conf *conf, const struct gw_front_port *port,
                          uv_loop_t *loop, struct sl_error *error, struct gw_front **out)
{
    sl_status s = check_conf(conf, error);
    if (s != SL_OK)
        return s;
    struct gw_front *f = new_front(conf, port, loop);
    if (f == NULL) {
        sl_error_set(error, SL_REASON_INTERNAL, "There is no memory for a net thread.");
        return SL_ENOMEM;
    }
    s = gw_listener_open(&f->listener, f->loop, conf->address, conf->port, conf->index > 0, error);
    if (s == SL_OK && init_handles(f) != 0) {
        sl_error_set(error, SL_REASON_INTERNAL, "There is no descriptor for a net thread.");
        gw_listener_close(&f->listener, NULL, NULL);
        s = SL_EIO;
    }
    if (s != SL_OK) {
        finish_loop(f);
        free_front(f);
        return s;
    }
    f->is_wakeable = true;
    *out = f;
    return SL_OK;
}

static sl_status start_handles(struct gw_front *f)
{
    if (gw_listener_start(&f->listener, on_ready_to_accept, f) != SL_OK)
        return SL_EIO;
    uv_prepare_start(&f->prepare, on_prepare);
    uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    return SL_OK;
}

static void run_thread(void *arg)
{
    struct gw_front *f = arg;
    char name[16];
    snprintf(name, sizeof name, "net-%u", f->conf.index);
    pthread_setname_np(pthread_self(), name);
    uv_run(f->loop, UV_RUN_DEFAULT);
    f->port.stopped(f->port.ctx, f);
}

/* Signals are the main thread's. */
static int create_thread(struct gw_front *f)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rv = uv_thread_create(&f->thread, run_thread, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rv;
}

sl_status gw_front_start(struct gw_front *f)
{
    if (start_handles(f) != SL_OK)
        return SL_EIO;
    if (!f->is_guest && create_thread(f) != 0)
        return SL_EIO;
    f->is_started = true;
    return SL_OK;
}

uint16_t gw_front_bound_port(const struct gw_front *f)
{
    return f->listener.port;
}

void gw_front_drain(struct gw_front *f)
{
    atomic_store_explicit(&f->drain_wanted, true, memory_order_release);
    wake_net(f);
}

void gw_front_stop(struct gw_front *f)
{
    atomic_store_explicit(&f->stop_wanted, true, memory_order_release);
    wake_net(f);
}

static void drop_to_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    (void)ctx;
    if ((events & GW_EV_MESSAGE) != 0)
        gw_body_release(x->body);
}

static void drop_to_net(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct gw_front *f = ctx;
    if ((events & GW_TO_NET_REPLY) != 0)
        gw_stream_release_reply(&f->pool, gw_stream_of(x));
}

static void drop_mail(struct gw_front *f)
{
    (void)!gw_mail_flush(&f->to_flow);
    (void)!gw_mail_flush(&f->to_net);
    gw_mail_take(&f->to_flow, drop_to_flow, f);
    gw_mail_take(&f->to_net, drop_to_net, f);
}

void gw_front_destroy(struct gw_front *f)
{
    if (f == NULL)
        return;
    if (f->is_started && !f->is_guest)
        uv_thread_join(&f->thread);
    if (!f->is_started) {
        close_handles(f);
        close_handle((uv_handle_t *)&f->prepare, f);
    }
    finish_loop(f);
    drop_mail(f);
    gw_stream_pool_finish(&f->pool);
    free_front(f);
}

/* ---- flow's side ---- */

struct take_ctx {
    struct gw_front *front;
    gw_front_mail_fn on_mail;
    void *ctx;
};

static void on_mail_to_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    const struct take_ctx *t = ctx;
    t->on_mail(t->ctx, x, events);
    if ((events & GW_EV_SENT) != 0)
        gw_mail_post(&t->front->to_net, x, TO_NET_HOME);
}

void gw_front_take(struct gw_front *f, gw_front_mail_fn on_mail, void *ctx)
{
    struct take_ctx t = {f, on_mail, ctx};
    if (f->is_guest)
        (void)!gw_mail_flush(&f->to_flow); /* of this very turn: nobody needs to be woken for it */
    gw_mail_take(&f->to_flow, on_mail_to_flow, &t);
}

void gw_front_post(struct gw_front *f, struct gw_exchange *x, unsigned events)
{
    gw_mail_post(&f->to_net, x, events);
}

void gw_front_flush(struct gw_front *f)
{
    if (!gw_mail_flush(&f->to_net))
        return;
    if (!f->is_guest)
        wake_net(f);
    else if (f->is_in_turn)
        f->wants_turn = true;
    else if (!f->is_stopping)
        turn(f);
}
