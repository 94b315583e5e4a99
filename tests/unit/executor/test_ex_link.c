/* test_ex_link.c - the executor's end of the link over real ZeroMQ sockets: what is said on the control connection
 * passes a bulk connection that stands still; a gateway that dies while they shake hands. */
#include "ex_link.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "remove_tree.h"
#include "sl_clock.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sluice/node/v1/node.pb-c.h"

enum { PAYLOAD_BYTES = 1 << 20, WAIT_MS = 5000, TRIES = 20 };

typedef Sluice__Node__V1__GatewayBatch down_batch;
typedef Sluice__Node__V1__NodeBatch up_batch;

/* A payload whose release, on ZeroMQ's thread, takes until it is told to go on. */
struct stuck {
    struct ex_blob blob;
    uint8_t *bytes;
    pthread_t loop;
    sem_t go_on;
    atomic_bool is_stuck, is_over;
};

static struct rig {
    char dir[64], control[128], bulk[128];
    void *zmq, *control_socket, *bulk_socket;
    uint8_t peer[256]; /* the node's identity on the control connection */
    int peer_len;
    uint64_t session, beats, cancelled, called_back, tries;
    struct ex_catalog *catalog;
    struct ex_slice slice;
    struct ex_link *link;
    struct stuck stuck;
} r;

/* ---- the node */

static void on_call(void *ctx SL_UNUSED, const struct ex_call *call SL_UNUSED)
{
}

static void on_cancel(void *ctx SL_UNUSED, uint64_t lease)
{
    r.cancelled = lease;
}

static void on_call_back(void *ctx SL_UNUSED, uint64_t lease)
{
    r.called_back = lease;
}

static sl_status on_bulk(void *ctx SL_UNUSED, uint64_t lease SL_UNUSED, uint64_t offset SL_UNUSED,
                         uint64_t total SL_UNUSED, struct sl_span bytes SL_UNUSED)
{
    return SL_OK;
}

static void on_lost(void *ctx SL_UNUSED)
{
    fail_msg("the node has lost its gateway");
}

static void make_link(void)
{
    const struct ex_link_events events = {NULL, on_call, on_cancel, on_call_back, on_bulk, on_lost};
    r.slice = (struct ex_slice){.id = 0, .device = "cpu0"};
    assert_ok(ex_catalog_create(&sl_alloc_malloc, &r.catalog));
    const struct ex_link_conf conf = {.control = r.control,
                                      .bulk = r.bulk,
                                      .hello = {.node = "n1",
                                                .host = "here",
                                                .slices = &r.slice,
                                                .slice_count = 1,
                                                .catalog = r.catalog,
                                                .bulk_window_bytes = PAYLOAD_BYTES,
                                                .inline_max_bytes = 1000,
                                                .slice_backlog_max = 8}};
    assert_ok(ex_link_create(&sl_alloc_malloc, &conf, &events, &r.link));
    ex_link_start(r.link, sl_clock_mono(&sl_clock_real));
}

/* ---- the gateway */

static void *bind_router(const char *endpoint)
{
    const int zero = 0;
    void *socket = zmq_socket(r.zmq, ZMQ_ROUTER);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    return socket;
}

static void say(down_batch *batch)
{
    uint8_t bytes[1000];
    batch->session = r.session;
    assert_true(sluice__node__v1__gateway_batch__get_packed_size(batch) <= sizeof bytes);
    const size_t len = sluice__node__v1__gateway_batch__pack(batch, bytes);
    assert_int_equal(zmq_send(r.control_socket, r.peer, (size_t)r.peer_len, ZMQ_SNDMORE),
                     r.peer_len);
    assert_int_equal(zmq_send(r.control_socket, bytes, len, 0), len);
}

static void welcome(void)
{
    down_batch batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Welcome w = SLUICE__NODE__V1__WELCOME__INIT;
    batch.welcome = &w;
    w.protocol = 1;
    w.bulk_window_bytes = 64 << 20;
    w.inline_max_bytes = 1000;
    w.heartbeat_every_ms = 10;
    w.lost_after_ms = 600000;
    w.shared_path = (char *)(uintptr_t) "";
    say(&batch);
}

/* One lease, and another one is called back. */
static void cancel(uint64_t lease, uint64_t called_back)
{
    down_batch batch = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Cancel c = SLUICE__NODE__V1__CANCEL__INIT, *cancels = &c;
    c.lease = lease;
    batch.n_called_back = 1;
    batch.called_back = &called_back;
    batch.n_cancels = 1;
    batch.cancels = &cancels;
    say(&batch);
}

static void hear(void)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    const int len = zmq_recv(r.control_socket, r.peer, sizeof r.peer, ZMQ_DONTWAIT);
    if (len > 0 && zmq_msg_recv(&m, r.control_socket, 0) >= 0) {
        up_batch *batch =
            sluice__node__v1__node_batch__unpack(NULL, zmq_msg_size(&m), zmq_msg_data(&m));
        assert_non_null(batch);
        r.peer_len = len;
        r.session = batch->session;
        r.beats += batch->heartbeat != NULL;
        if (batch->hello != NULL)
            welcome();
        sluice__node__v1__node_batch__free_unpacked(batch, NULL);
    }
    zmq_msg_close(&m);
}

/* Both ends' loops, until it is true. */
static void run_until(bool (*is_true)(void), const char *what)
{
    for (int i = 0; i < WAIT_MS; i++) {
        const sl_mono_ns now = sl_clock_mono(&sl_clock_real);
        ex_link_receive(r.link, true, now);
        (void)ex_link_flush(r.link, now);
        hear();
        if (is_true())
            return;
        usleep(1000);
    }
    fail_msg("%s: not within %d ms", what, WAIT_MS);
}

static int begin(void **state SL_UNUSED)
{
    r = (struct rig){.dir = "/tmp/sluice-link-XXXXXX"};
    assert_non_null(mkdtemp(r.dir));
    assert_int_equal(sem_init(&r.stuck.go_on, 0, 0), 0);
    snprintf(r.control, sizeof r.control, "ipc://%s/c", r.dir);
    snprintf(r.bulk, sizeof r.bulk, "ipc://%s/b", r.dir);
    r.zmq = zmq_ctx_new();
    r.bulk_socket = bind_router(r.bulk);
    return 0;
}

static int end(void **state SL_UNUSED)
{
    sem_post(&r.stuck.go_on); /* else a test that failed would wait for it for ever */
    ex_link_destroy(r.link, 0);
    ex_catalog_destroy(r.catalog);
    if (r.control_socket != NULL)
        zmq_close(r.control_socket);
    zmq_close(r.bulk_socket);
    zmq_ctx_term(r.zmq);
    return remove_tree(r.dir);
}

/* ---- a bulk connection that stands still */

static void end_stuck(struct ex_blob *blob)
{
    struct stuck *s = SL_CONTAINER_OF(blob, struct stuck, blob);
    if (!pthread_equal(pthread_self(), s->loop)) {
        atomic_store(&s->is_stuck, true);
        sem_wait(&s->go_on);
    }
    atomic_store(&s->is_over, true);
}

static void report_large_result(void)
{
    struct stuck *s = &r.stuck;
    const int64_t dims[1] = {PAYLOAD_BYTES};
    s->is_over = false;
    ex_blob_init(&s->blob, sl_span_of(s->bytes, PAYLOAD_BYTES), end_stuck);
    const struct ex_output output = {.name = "OUT",
                                     .dtype = SL_DTYPE_UINT8,
                                     .dims = dims,
                                     .rank = 1,
                                     .bytes = s->blob.bytes,
                                     .blob = &s->blob};
    const struct ex_outcome outcome = {
        .text = "", .outputs = &output, .output_count = 1, .started = true};
    const struct ex_report_port port = ex_link_report_port(r.link);
    port.result(port.ctx, ++r.tries, &outcome);
    ex_blob_release(&s->blob);
}

static bool is_up(void)
{
    return ex_link_is_up(r.link);
}

/* The last one to hold a payload may be the loop: then the next one has to do. */
static bool is_stuck(void)
{
    if (!r.stuck.is_stuck && r.stuck.is_over && r.tries < TRIES)
        report_large_result();
    return r.stuck.is_stuck;
}

static bool is_cancelled(void)
{
    return r.cancelled == 4711;
}

static bool has_heartbeats(void)
{
    return r.beats >= 3;
}

static void cancels_and_heartbeats_pass_it(void **state SL_UNUSED)
{
    r.stuck.bytes = test_calloc(PAYLOAD_BYTES, 1);
    r.stuck.loop = pthread_self();
    r.stuck.is_over = true;
    r.control_socket = bind_router(r.control);
    make_link();
    run_until(is_up, "the welcome");
    run_until(is_stuck, "ZeroMQ's thread at the payload");
    r.beats = 0;
    cancel(4711, 4712);
    run_until(is_cancelled, "a cancel");
    assert_int_equal(r.called_back, 4712);
    run_until(has_heartbeats, "heartbeats");
    assert_false(r.stuck.is_over);
    sem_post(&r.stuck.go_on);
    while (!r.stuck.is_over)
        usleep(1000);
    test_free(r.stuck.bytes);
}

/* ---- a gateway that dies while they shake hands */

static int listen_for_control(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s/c", r.dir);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* The node comes, and its connection ends at once. */
static bool comes_in_vain(int listener, int within_ms)
{
    sl_mono_ns now = sl_clock_mono(&sl_clock_real);
    for (const sl_mono_ns end = now + within_ms * SL_NS_PER_MS; now < end;
         now = sl_clock_mono(&sl_clock_real)) {
        ex_link_receive(r.link, true, now);
        (void)ex_link_flush(r.link, now);
        const int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            close(fd);
            return true;
        }
        usleep(1000);
    }
    return false;
}

/* Only what happens again and again is a disagreement, about which it takes its time. */
static void a_death_in_the_handshake_is_no_refusal(void **state SL_UNUSED)
{
    const int listener = listen_for_control();
    make_link();
    for (int i = 0; i < 3; i++)
        assert_true(comes_in_vain(listener, 800));
    assert_false(comes_in_vain(listener, 400));
    assert_true(comes_in_vain(listener, WAIT_MS));
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_death_in_the_handshake_is_no_refusal, begin, end),
        cmocka_unit_test_setup_teardown(cancels_and_heartbeats_pass_it, begin, end),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
