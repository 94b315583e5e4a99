/* test_gw_front.c - fronts over real sockets: with a thread of their own and as guests, their timers,
 * limits, drain and stop. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gw_front.h"
#include "sl_base.h"
#include "sl_test.h"

enum { FRONTS = 2, BIG = 5 << 20, WAIT_S = 20, CALLS_MAX = 128 };

/* ---- fronts and their flow ---- */

struct world {
    uv_loop_t loop;
    bool is_guest;
    struct gw_front_conf conf;
    struct gw_front *fronts[FRONTS];
    size_t front_count;
    struct sl_metric_registry *registry;
    struct gw_net_metrics metrics;
    atomic_size_t drained, stopped;
    bool holds; /* flow answers nothing */
    size_t opened, gone, sent;
    struct gw_exchange *held[64];
    size_t held_count;
};

static struct world w;
static uint8_t bytes[BIG];

static void release(void *body)
{
    gw_body_release(body);
}

enum { REPLIED = 1 };

static void answer(struct gw_exchange *x)
{
    struct sl_span *piece = sl_arena_get(&x->arena, sizeof *piece);
    if (x->flow_call == REPLIED)
        return;
    x->flow_call = REPLIED;
    if (x->body == NULL) {
        sl_error_set(&x->reply.error, SL_REASON_CANCELLED, "gone");
    } else {
        *piece = sl_span_of(x->body->data, x->body->len);
        x->reply.pieces = piece;
        x->reply.piece_count = 1;
        x->reply.message_bytes = piece->len;
        x->reply.release = release;
        x->reply.release_ctx = x->body;
        x->body = NULL;
    }
    gw_front_post(x->net_front, x, GW_TO_NET_REPLY);
}

static void on_mail(void *ctx SL_UNUSED, struct gw_exchange *x, unsigned events)
{
    w.opened += (events & GW_EV_OPEN) != 0;
    w.gone += (events & GW_EV_GONE) != 0;
    w.sent += (events & GW_EV_SENT) != 0;
    if ((events & GW_EV_OPEN) != 0 && w.holds)
        w.held[w.held_count++] = x;
    if ((events & GW_EV_LENGTH) != 0)
        gw_front_post(x->net_front, x, GW_TO_NET_GRANT);
    if ((events & (GW_EV_MESSAGE | GW_EV_GONE)) != 0 && !w.holds)
        answer(x);
}

static void run_flow(struct gw_front *f)
{
    gw_front_take(f, on_mail, NULL);
    gw_front_flush(f);
}

static void answer_held(void)
{
    w.holds = false;
    for (size_t i = 0; i < w.held_count; i++)
        answer(w.held[i]);
    w.held_count = 0;
    for (size_t i = 0; i < w.front_count; i++)
        gw_front_flush(w.fronts[i]);
}

static void on_wake(void *ctx SL_UNUSED, struct gw_front *f)
{
    if (w.is_guest)
        run_flow(f);
}

static void on_drained(void *ctx SL_UNUSED, struct gw_front *f SL_UNUSED)
{
    atomic_fetch_add(&w.drained, 1);
}

static void on_stopped(void *ctx SL_UNUSED, struct gw_front *f SL_UNUSED)
{
    atomic_fetch_add(&w.stopped, 1);
}

/* One step of everything that does not run by itself. */
static void step(void)
{
    const struct timespec nap = {.tv_nsec = 200000};
    if (w.is_guest)
        uv_run(&w.loop, UV_RUN_NOWAIT);
    else
        for (size_t i = 0; i < w.front_count; i++)
            run_flow(w.fronts[i]);
    nanosleep(&nap, NULL);
}

static void open_world(bool is_guest, size_t fronts)
{
    memset(&w, 0, sizeof w);
    w.is_guest = is_guest;
    w.front_count = fronts;
    uv_loop_init(&w.loop);
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &w.registry));
    assert_ok(gw_net_metrics_register(w.registry, &w.metrics));
    gw_front_conf_defaults(&w.conf);
    w.conf.address = "127.0.0.1";
    w.conf.clock = &sl_clock_real;
    w.conf.metrics = &w.metrics;
}

static void start_world(void)
{
    const struct gw_front_port port = {on_wake, on_drained, on_stopped, NULL};
    struct sl_error e;
    for (size_t i = 0; i < w.front_count; i++) {
        w.conf.index = (unsigned)i;
        assert_ok(gw_front_create(&w.conf, &port, w.is_guest ? &w.loop : NULL, &e, &w.fronts[i]));
        w.conf.port = gw_front_bound_port(w.fronts[i]);
        assert_int_equal(w.conf.port, gw_front_bound_port(w.fronts[0]));
    }
    for (size_t i = 0; i < w.front_count; i++)
        assert_ok(gw_front_start(w.fronts[i]));
}

#define step_until(condition)                                                                      \
    do {                                                                                           \
        time_t end_ = time(NULL) + WAIT_S;                                                         \
        while (!(condition)) {                                                                     \
            step();                                                                                \
            if (time(NULL) > end_)                                                                 \
                fail_msg("never: %s", #condition);                                                 \
        }                                                                                          \
    } while (0)

static void close_world(void)
{
    for (size_t i = 0; i < w.front_count; i++)
        gw_front_stop(w.fronts[i]);
    step_until(atomic_load(&w.stopped) == w.front_count);
    step();
    assert_int_equal(sl_metric_value(w.metrics.connections), 0);
    answer_held(); /* nobody takes these; destroy gives back what they hold */
    for (size_t i = 0; i < w.front_count; i++)
        gw_front_destroy(w.fronts[i]);
    assert_int_equal(uv_loop_close(&w.loop), 0);
    sl_metric_registry_destroy(w.registry);
}

/* ---- a client ---- */

struct client {
    int fd;
    nghttp2_session *session;
    const uint8_t *upload;
    size_t upload_len;          /* of the calls that are under way, all the same */
    size_t uploaded[CALLS_MAX]; /* by stream */
    size_t downloaded;
    bool is_right; /* what came is what went */
    size_t calls_ended;
    bool saw_goaway, is_closed, reads_nothing;
};

static ssize_t client_send(nghttp2_session *session SL_UNUSED, const uint8_t *data, size_t len,
                           int flags SL_UNUSED, void *user_data)
{
    ssize_t n = send(((struct client *)user_data)->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 ? n : errno == EAGAIN ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static uint8_t upload_byte(const struct client *c, size_t at)
{
    if (at >= 5)
        return c->upload[at - 5];
    return (uint8_t)((uint64_t)c->upload_len >>
                     (8 * (4 - at))); /* the first is 0: not compressed */
}

static ssize_t client_read(nghttp2_session *session SL_UNUSED, int32_t id, uint8_t *buf, size_t max,
                           uint32_t *flags, nghttp2_data_source *source SL_UNUSED, void *user_data)
{
    struct client *c = user_data;
    size_t *at = &c->uploaded[(size_t)(id / 2) % CALLS_MAX], n = 0;
    for (; n < max && *at < c->upload_len + 5; n++)
        buf[n] = upload_byte(c, (*at)++);
    if (*at == c->upload_len + 5)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int client_data(nghttp2_session *session SL_UNUSED, uint8_t flags SL_UNUSED,
                       int32_t id SL_UNUSED, const uint8_t *data, size_t len, void *user_data)
{
    struct client *c = user_data;
    for (size_t i = 0; i < len; i++, c->downloaded++)
        if (c->downloaded >= 5 && c->upload[c->downloaded - 5] != data[i])
            c->is_right = false;
    return 0;
}

static int client_close_stream(nghttp2_session *session SL_UNUSED, int32_t id SL_UNUSED,
                               uint32_t code SL_UNUSED, void *user_data)
{
    ((struct client *)user_data)->calls_ended++;
    return 0;
}

static int client_frame(nghttp2_session *session SL_UNUSED, const nghttp2_frame *frame,
                        void *user_data)
{
    if (frame->hd.type == NGHTTP2_GOAWAY)
        ((struct client *)user_data)->saw_goaway = true;
    return 0;
}

static void connect_client(struct client *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(w.conf.port)};
    nghttp2_session_callbacks *cb;
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0), .is_right = true};
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof a), 0);
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_send_callback(cb, client_send);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, client_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, client_close_stream);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, client_frame);
    assert_int_equal(nghttp2_session_client_new(&c->session, cb, c), 0);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void disconnect_client(struct client *c)
{
    close(c->fd);
    nghttp2_session_del(c->session);
}

static void run_client(struct client *c)
{
    static uint8_t buf[65536];
    ssize_t n;
    if (nghttp2_session_send(c->session) != 0)
        c->is_closed = true;
    while (!c->reads_nothing && (n = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT)) >= 0) {
        if (n == 0 || nghttp2_session_mem_recv(c->session, buf, (size_t)n) < 0) {
            c->is_closed = true;
            return;
        }
    }
    step();
}

#define NV(n, v)                                                                                   \
    {                                                                                              \
        (uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1, sizeof(v) - 1, NGHTTP2_NV_FLAG_NONE         \
    }

static void begin_call(struct client *c, const uint8_t *message, size_t len)
{
    static const nghttp2_nv nv[] = {
        NV(":method", "POST"),
        NV(":scheme", "http"),
        NV(":authority", "t"),
        NV(":path", "/inference.GRPCInferenceService/ModelInfer"),
        NV("content-type", "application/grpc"),
    };
    nghttp2_data_provider source = {.read_callback = client_read};
    c->upload = message;
    c->upload_len = len;
    c->downloaded = 0;
    int32_t id = nghttp2_submit_request(c->session, NULL, nv, SL_ARRAY_LEN(nv), &source, NULL);
    assert_true(id > 0);
    c->uploaded[(size_t)(id / 2) % CALLS_MAX] = 0;
}

#define run_until(client, condition)                                                               \
    do {                                                                                           \
        time_t until_ = time(NULL) + WAIT_S;                                                       \
        while (!(condition)) {                                                                     \
            run_client(client);                                                                    \
            if (time(NULL) > until_)                                                               \
                fail_msg("never: %s", #condition);                                                 \
        }                                                                                          \
    } while (0)

static void call(struct client *c, size_t len)
{
    size_t before = c->calls_ended;
    begin_call(c, bytes, len);
    run_until(c, c->calls_ended > before);
    assert_int_equal(c->downloaded, len + 5);
    assert_true(c->is_right);
}

/* ---- tests, most of them in both ways of running ---- */

static void check_echo(bool is_guest, size_t fronts)
{
    struct client c[6];
    open_world(is_guest, fronts);
    start_world();
    for (size_t i = 0; i < SL_ARRAY_LEN(c); i++)
        connect_client(&c[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(c); i++) {
        call(&c[i], 0);
        call(&c[i], 200);
        call(&c[i], 100000);
        call(&c[i], 3);
    }
    call(&c[0], BIG);
    step_until(w.sent == 4 * SL_ARRAY_LEN(c) + 1); /* also the last, lazy one */
    assert_int_equal(w.opened, w.sent);
    assert_int_equal(w.gone, 0);
    assert_int_equal(sl_metric_value(w.metrics.connections), SL_ARRAY_LEN(c));
    assert_int_equal(sl_metric_value(w.metrics.requests), w.opened);
    for (size_t i = 0; i < SL_ARRAY_LEN(c); i++)
        disconnect_client(&c[i]);
    step_until(sl_metric_value(w.metrics.connections) == 0);
    close_world();
}

static void echo_by_a_thread(void **state SL_UNUSED)
{
    check_echo(false, 1);
}

static void echo_by_two_threads_on_one_port(void **state SL_UNUSED)
{
    check_echo(false, 2);
}

static void echo_by_a_guest(void **state SL_UNUSED)
{
    check_echo(true, 1);
}

static void check_drain(bool is_guest)
{
    struct client c, idle;
    open_world(is_guest, 1);
    w.holds = true;
    start_world();
    connect_client(&c);
    connect_client(&idle);
    begin_call(&c, bytes, 1000);
    run_until(&c, w.opened == 1);
    run_until(&idle, sl_metric_value(w.metrics.connections) == 2);
    gw_front_drain(w.fronts[0]);
    run_until(&idle, idle.is_closed);
    assert_true(idle.saw_goaway);
    run_until(&c, c.saw_goaway);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(w.conf.port)};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    assert_int_not_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0); /* nobody listens */
    close(fd);
    assert_int_equal(atomic_load(&w.drained), 0);
    answer_held();
    run_until(&c, c.calls_ended == 1);
    assert_true(c.is_right && c.downloaded == 1005);
    run_until(&c, c.is_closed);
    disconnect_client(&c);
    disconnect_client(&idle);
    step_until(atomic_load(&w.drained) == 1);
    close_world();
}

static void drain_by_a_thread(void **state SL_UNUSED)
{
    check_drain(false);
}

static void drain_by_a_guest(void **state SL_UNUSED)
{
    check_drain(true);
}

static void check_stop(bool is_guest)
{
    struct client c;
    open_world(is_guest, 1);
    w.holds = true;
    start_world();
    connect_client(&c);
    for (int i = 0; i < 10; i++)
        begin_call(&c, bytes, 1000);
    run_until(&c, w.opened == 10);
    close_world();
    assert_int_equal(w.gone, 10);
    disconnect_client(&c);
}

static void stop_tells_open_calls(void **state SL_UNUSED)
{
    check_stop(false);
    check_stop(true);
}

static void a_lost_client_is_told(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.holds = true;
    start_world();
    connect_client(&c);
    begin_call(&c, bytes, 1000);
    run_until(&c, w.opened == 1);
    disconnect_client(&c);
    step_until(w.gone == 1);
    answer_held();
    step_until(w.sent == 1);
    close_world();
}

static void silent_connections_are_closed(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.times.handshake_ns = 100 * SL_NS_PER_MS;
    start_world();
    connect_client(&c);
    char byte;
    step_until(recv(c.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0); /* our SETTINGS */
    step_until(sl_metric_value(w.metrics.timeouts_handshake) == 1);
    step_until(sl_metric_value(w.metrics.connections) == 0);
    disconnect_client(&c);
    close_world();
}

static void idle_connections_are_ended_politely(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.times.idle_ns = 100 * SL_NS_PER_MS;
    start_world();
    connect_client(&c);
    call(&c, 100);
    run_until(&c, c.is_closed);
    assert_true(c.saw_goaway);
    assert_int_equal(sl_metric_value(w.metrics.timeouts_idle), 1);
    disconnect_client(&c);
    close_world();
}

/* Pings are no requests: they do not keep a connection that nobody uses. */
static void pings_do_not_keep_an_idle_connection(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.times.idle_ns = SL_NS_PER_S;
    w.conf.pings.min_time_ns = 0;
    start_world();
    connect_client(&c);
    call(&c, 100);
    for (int i = 0; i < 40 && !c.is_closed; i++) {
        const struct timespec nap = {.tv_nsec = 100 * SL_NS_PER_MS};
        nghttp2_submit_ping(c.session, NGHTTP2_FLAG_NONE, NULL);
        run_client(&c);
        nanosleep(&nap, NULL);
    }
    assert_true(c.is_closed && c.saw_goaway);
    assert_int_equal(sl_metric_value(w.metrics.timeouts_idle), 1);
    disconnect_client(&c);
    close_world();
}

static void silent_peers_are_pinged_and_closed(void **state SL_UNUSED)
{
    struct client alive, dead;
    open_world(false, 1);
    w.conf.times.keepalive_ns = 100 * SL_NS_PER_MS;
    w.conf.times.keepalive_timeout_ns = 100 * SL_NS_PER_MS;
    w.holds = true;
    start_world();
    connect_client(&alive);
    connect_client(&dead);
    begin_call(&alive, bytes, 10);
    begin_call(&dead, bytes, 10);
    run_until(&dead, w.opened == 1);
    run_until(&alive, w.opened == 2);
    dead.reads_nothing = true;
    run_until(&alive, sl_metric_value(w.metrics.connections) == 1);
    assert_int_equal(sl_metric_value(w.metrics.timeouts_keepalive), 1);
    step_until(w.gone == 1);
    answer_held();
    run_until(&alive, alive.calls_ended == 1);
    disconnect_client(&alive);
    disconnect_client(&dead);
    close_world();
}

static void old_connections_are_ended_politely(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.times.age_ns = 200 * SL_NS_PER_MS;
    w.holds = true;
    start_world();
    connect_client(&c);
    begin_call(&c, bytes, 1000);
    run_until(&c, c.saw_goaway);
    assert_int_equal(sl_metric_value(w.metrics.timeouts_age), 1);
    for (int i = 0; i < 100; i++)
        run_client(&c);
    assert_false(c.is_closed); /* its call may end */
    answer_held();
    run_until(&c, c.is_closed);
    assert_true(c.is_right && c.calls_ended == 1 && c.downloaded == 1005);
    disconnect_client(&c);
    close_world();
}

static void the_grace_of_old_connections_ends(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.times.age_ns = w.conf.times.age_grace_ns = 200 * SL_NS_PER_MS;
    w.holds = true;
    start_world();
    connect_client(&c);
    begin_call(&c, bytes, 1000);
    run_until(&c, c.is_closed);
    step_until(w.gone == 1);
    disconnect_client(&c);
    close_world();
}

/* Who connects and says nothing takes the places of handshakes, but not for long. */
static void half_open_connections_do_not_lock_others_out(void **state SL_UNUSED)
{
    enum { SILENT = 8 };
    struct client silent[SILENT], c;
    open_world(false, 1);
    w.conf.times.handshakes_max = SILENT;
    w.conf.times.handshake_ns = 20 * SL_NS_PER_S; /* a tenth of it is less than run_until waits */
    start_world();
    for (int i = 0; i < SILENT; i++)
        connect_client(&silent[i]); /* and no preface */
    step_until(sl_metric_value(w.metrics.connections) == SILENT);
    connect_client(&c);
    call(&c, 10);
    assert_true(sl_metric_value(w.metrics.handshake_pauses) > 0);
    assert_true(sl_metric_value(w.metrics.timeouts_handshake) > 0);
    for (int i = 0; i < SILENT; i++)
        disconnect_client(&silent[i]);
    disconnect_client(&c);
    close_world();
}

/* For connections that are there as well; what is tied to the front's making stays. */
static void limits_may_change_while_it_serves(void **state SL_UNUSED)
{
    struct client c, second;
    open_world(false, 2);
    w.conf.max_connections = 1; /* of each front */
    start_world();
    connect_client(&c);
    call(&c, 100);
    struct gw_front_conf next = w.conf;
    next.times.idle_ns = 100 * SL_NS_PER_MS;
    next.max_message_bytes = 1000;
    next.address = "nowhere";
    for (size_t i = 0; i < w.front_count; i++)
        gw_front_set_limits(w.fronts[i], &next);
    run_until(&c, c.is_closed);
    assert_true(c.saw_goaway);
    connect_client(&second);
    begin_call(&second, bytes, 2000);
    run_until(&second, second.calls_ended == 1);
    assert_int_equal(second.downloaded, 0); /* refused */
    disconnect_client(&c);
    disconnect_client(&second);
    close_world();
}

/* Many who come at once, or from afar, take longer than the silent are given. */
static void who_answers_slowly_keeps_its_place(void **state SL_UNUSED)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r";
    const struct timespec nap = {.tv_nsec = 200 * SL_NS_PER_MS};
    struct client c;
    open_world(false, 1);
    w.conf.times.handshakes_max = 1;
    w.conf.times.handshake_ns = 10 * SL_NS_PER_S;
    start_world();
    connect_client(&c);
    for (size_t i = 0; i < 7; i++) { /* 1.4 s, of which a tenth of 10 s is less */
        assert_int_equal(send(c.fd, preface + 3 * i, 3, MSG_NOSIGNAL), 3);
        nanosleep(&nap, NULL);
    }
    assert_int_equal(sl_metric_value(w.metrics.timeouts_handshake), 0);
    step_until(sl_metric_value(w.metrics.timeouts_handshake) == 1); /* now it is silent */
    disconnect_client(&c);
    close_world();
}

static void garbage_gets_a_goaway(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    start_world();
    connect_client(&c);
    static uint8_t garbage[100000] = "GET / HTTP/1.1\r\n\r\n";
    assert_true(send(c.fd, garbage, sizeof garbage, MSG_NOSIGNAL) > 0);
    step_until(recv(c.fd, garbage, sizeof garbage, MSG_DONTWAIT | MSG_PEEK) > 0);
    run_until(&c, c.is_closed);
    assert_true(c.saw_goaway);
    step_until(sl_metric_value(w.metrics.protocol_errors) == 1);
    disconnect_client(&c);
    close_world();
}

static void connections_beyond_the_limit_wait(void **state SL_UNUSED)
{
    struct client first, second;
    open_world(false, 1);
    w.conf.max_connections = 1;
    start_world();
    connect_client(&first);
    call(&first, 10);
    connect_client(&second);
    for (int i = 0; i < 100; i++)
        run_client(&second);
    assert_int_equal(sl_metric_value(w.metrics.connections), 1);
    assert_int_equal(sl_metric_value(w.metrics.accept_pauses), 1);
    disconnect_client(&first);
    call(&second, 10);
    disconnect_client(&second);
    close_world();
}

/* The socket's buffers fill, then ours to its bound, then the connection is not read any more. */
static void who_does_not_read_is_not_read(void **state SL_UNUSED)
{
    struct client c;
    open_world(false, 1);
    w.conf.stall_timeout_ns = SL_NS_PER_S;
    w.conf.outbound_max_bytes = 64 * 1024;
    start_world();
    connect_client(&c);
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30};
    nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, &window, 1);
    nghttp2_session_set_local_window_size(c.session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    call(&c, 10);
    c.reads_nothing = true;
    const int little = 16 * 1024;
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    for (int i = 0; i < 120; i++) {
        begin_call(&c, bytes, 60000);
        run_client(&c);
    }
    run_until(&c, sl_metric_value(w.metrics.timeouts_stall) == 1);
    assert_true(sl_metric_value(w.metrics.stalled_requests) > 0);
    run_until(&c, sl_metric_value(w.metrics.connections) == 0);
    disconnect_client(&c);
    close_world();
}

static void errors_of_create(void **state SL_UNUSED)
{
    const struct gw_front_port port = {on_wake, on_drained, on_stopped, NULL};
    struct gw_front *f, *other;
    struct sl_error e;
    open_world(false, 0);
    w.conf.address = "localhost";
    assert_status(gw_front_create(&w.conf, &port, NULL, &e, &f), SL_EINVAL);
    assert_non_null(strstr(e.text, "\"localhost\""));
    w.conf.address = "127.0.0.1";
    w.conf.max_streams = 0;
    assert_status(gw_front_create(&w.conf, &port, NULL, &e, &f), SL_EINVAL);
    w.conf.max_streams = 1;
    assert_ok(gw_front_create(&w.conf, &port, NULL, &e, &f));
    assert_ok(gw_front_start(f));
    w.conf.port = gw_front_bound_port(f);
    assert_status(gw_front_create(&w.conf, &port, NULL, &e, &other), SL_EIO); /* taken */
    assert_non_null(strstr(e.text, "in use"));
    w.conf.index = 1;
    assert_ok(gw_front_create(&w.conf, &port, NULL, &e, &other)); /* joins; never started */
    gw_front_destroy(other);
    gw_front_stop(f);
    gw_front_destroy(f);
    gw_front_destroy(NULL);
    atomic_store(&w.stopped, 0);
    close_world();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_by_a_thread),
        cmocka_unit_test(echo_by_two_threads_on_one_port),
        cmocka_unit_test(echo_by_a_guest),
        cmocka_unit_test(drain_by_a_thread),
        cmocka_unit_test(drain_by_a_guest),
        cmocka_unit_test(stop_tells_open_calls),
        cmocka_unit_test(a_lost_client_is_told),
        cmocka_unit_test(silent_connections_are_closed),
        cmocka_unit_test(idle_connections_are_ended_politely),
        cmocka_unit_test(pings_do_not_keep_an_idle_connection),
        cmocka_unit_test(silent_peers_are_pinged_and_closed),
        cmocka_unit_test(old_connections_are_ended_politely),
        cmocka_unit_test(the_grace_of_old_connections_ends),
        cmocka_unit_test(half_open_connections_do_not_lock_others_out),
        cmocka_unit_test(limits_may_change_while_it_serves),
        cmocka_unit_test(who_answers_slowly_keeps_its_place),
        cmocka_unit_test(garbage_gets_a_goaway),
        cmocka_unit_test(connections_beyond_the_limit_wait),
        cmocka_unit_test(who_does_not_read_is_not_read),
        cmocka_unit_test(errors_of_create),
    };
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
