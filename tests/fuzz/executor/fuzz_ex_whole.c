/* fuzz_ex_whole.c - what a gateway may say, into a whole executor in memory (whole_node.h): sessions, calls, payloads
 * and cancels in any order, size and number. No call ends more often than it was sent, the jobs' invariants hold
 * after each turn, and nothing is left over.
 *
 * Input: steps. A step is one byte (modulo STEP_COUNT) and what it takes. tests/fuzz/corpus/make_ex_whole.py writes
 * the seeds. */
#include <stdlib.h>
#include <zmq.h>

#include "fail_alloc.h"
#include "fake_zmq.h"
#include "fuzz_script.h"
#include "gw_link_wire.h"
#include "sl_log.h"
#include "sl_pack.h"
#include "sluice/node/v1/node.pb-c.h"
#include "whole_node.h"

enum step {
    STEP_RAW,      /* count, bytes: a control message */
    STEP_SAID,     /* count, bytes: the same behind the session's number */
    STEP_WELCOME,  /* what it offers */
    STEP_REFUSE,   /* - */
    STEP_DISPATCH, /* lease, model, slice, how, elements */
    STEP_CANCEL,   /* lease */
    STEP_TAKEN,    /* amount */
    STEP_BEAT,     /* - */
    STEP_BULK,     /* lease, offset, total, amount */
    STEP_FRAMES,   /* count, bytes of each: a bulk message of as many frames */
    STEP_TURN,
    STEP_TIME, /* which span */
    STEP_CUT,
    STEP_COUNT
};

enum { CHUNK_MAX = 64 * 1024, LEASES = 256 };

static struct world {
    struct fail_alloc memory;
    struct whole_node node;
    sl_mono_ns now;
    void *zmq, *control, *bulk;
    uint8_t control_id[256], bulk_id[256];
    size_t control_id_len, bulk_id_len;
    uint64_t session;
    unsigned open[LEASES]; /* sent and not ended, in this session */
    struct fuzz_script script;
} w;

static uint8_t filler[CHUNK_MAX];

/* ---- what the node says */

static void note_end(uint64_t lease)
{
    fuzz_require(lease < LEASES && w.open[lease] > 0);
    w.open[lease]--;
}

static void note_batch(const struct gw_node_batch *b)
{
    if (b->has_hello) {
        w.session = b->session;
        memset(w.open, 0, sizeof w.open);
    }
    if (b->session != w.session)
        return;
    for (size_t i = 0; i < b->started_count; i++)
        fuzz_require(b->started[i] < LEASES && w.open[b->started[i]] > 0);
    for (size_t i = 0; i < b->result_count; i++)
        note_end(b->results[i].result.lease);
    for (size_t i = 0; i < b->returned_count; i++)
        note_end(b->returned[i]);
}

static size_t receive(void *socket, uint8_t id[256], zmq_msg_t *last)
{
    zmq_msg_t m;
    size_t len = 0, count = 0;
    bool more = true;
    zmq_msg_init(&m);
    while (more && zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) >= 0) {
        if (count++ == 0) {
            len = zmq_msg_size(&m);
            memcpy(id, zmq_msg_data(&m), len);
        }
        more = zmq_msg_more(&m) != 0;
        zmq_msg_move(last, &m);
    }
    zmq_msg_close(&m);
    return len;
}

static void listen_to_control(void)
{
    struct gw_node_batch batch;
    struct sl_arena arena;
    zmq_msg_t m;
    size_t len;
    zmq_msg_init(&m);
    while ((len = receive(w.control, w.control_id, &m)) > 0) {
        w.control_id_len = len;
        sl_arena_init(&arena, &sl_alloc_malloc, 8 << 20);
        fuzz_require(
            gw_link_read_batch(sl_span_of(zmq_msg_data(&m), zmq_msg_size(&m)), &arena, &batch));
        note_batch(&batch);
        sl_arena_finish(&arena);
    }
    zmq_msg_close(&m);
}

static void listen_to_bulk(void)
{
    zmq_msg_t m;
    size_t len;
    zmq_msg_init(&m);
    while ((len = receive(w.bulk, w.bulk_id, &m)) > 0)
        w.bulk_id_len = len;
    zmq_msg_close(&m);
}

/* ---- what the gateway says */

static void send_control(const void *bytes, size_t len)
{
    if (w.control_id_len == 0 ||
        zmq_send(w.control, w.control_id, w.control_id_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return;
    (void)zmq_send(w.control, len > 0 ? bytes : filler, len, ZMQ_DONTWAIT);
}

static struct sl_buf batch(void)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, GW_LINK_BATCH_MAX);
    fuzz_require(gw_link_put_session(&b, w.session) == SL_OK);
    return b;
}

static void send_batch(struct sl_buf *b, sl_status put_status)
{
    if (put_status == SL_OK)
        send_control(b->data, b->len);
    sl_buf_finish(b);
}

static void step_said(void)
{
    struct sl_buf b = batch();
    struct sl_span more = fuzz_bytes(&w.script, fuzz_byte(&w.script));
    memset(w.open, 127, sizeof w.open); /* whatever it dispatches may end */
    send_batch(&b, sl_buf_append(&b, more.data, more.len));
}

static void step_welcome(void)
{
    uint8_t how = fuzz_byte(&w.script);
    const struct gw_welcome welcome = {.protocol = how % 4 == 3 ? 9 : 1,
                                       .bulk_token = sl_span_str("a token"),
                                       .bulk_window_bytes = (how & 4) != 0 ? 1000 : 100000,
                                       .inline_max_bytes = (how & 8) != 0 ? UINT64_MAX : 1024,
                                       .heartbeat_every_ms = (how & 16) != 0 ? 0 : 1000,
                                       .lost_after_ms = 5000};
    struct sl_buf b = batch();
    send_batch(&b, gw_link_put_welcome(&b, &welcome));
}

/* An input as the models of whole_node take it, or nearly. */
static void fill_input(Sluice__Node__V1__Tensor *t, int64_t shape[1], uint64_t count, uint8_t how)
{
    sluice__node__v1__tensor__init(t);
    t->name = (char *)(uintptr_t)((how & 4) != 0 ? "OTHER" : "IN");
    t->datatype = (char *)(uintptr_t)((how & 8) != 0 ? "INT8" : "FP32");
    shape[0] = (int64_t)count;
    t->shape = shape;
    t->n_shape = 1;
    t->offset_bytes = (how & 16) != 0 ? 4 : 0;
    t->length_bytes = count * 4;
}

static void step_dispatch(void)
{
    static const char *const names[] = {"echo", "stalls", "fails", "dies", "pair", "none"};
    Sluice__Node__V1__GatewayBatch m = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Dispatch d = SLUICE__NODE__V1__DISPATCH__INIT, *dispatches = &d;
    Sluice__Node__V1__Tensor input, *inputs = &input;
    Sluice__Node__V1__Parameter param = SLUICE__NODE__V1__PARAMETER__INIT, *params = &param;
    struct sl_arena arena;
    int64_t shape[1];
    uint8_t lease = fuzz_byte(&w.script);
    d.lease = lease;
    d.model = (char *)(uintptr_t)names[fuzz_byte(&w.script) % SL_ARRAY_LEN(names)];
    uint8_t how = fuzz_byte(&w.script);
    uint64_t count = fuzz_size(&w.script, 4u);
    d.slice = how & 3u;
    d.limit_us = (how & 32) != 0 ? 100 : 1000000;
    fill_input(&input, shape, count, how);
    d.inputs = &inputs;
    d.n_inputs = 1;
    param.name = (char *)(uintptr_t) "p";
    d.parameters = &params;
    d.n_parameters = (how & 128) != 0;
    if ((how & 64) != 0)
        d.payload_bytes = count * 4;
    else
        d.payload =
            (ProtobufCBinaryData){count * 4 < CHUNK_MAX ? (size_t)count * 4 : CHUNK_MAX, filler};
    m.session = w.session;
    m.dispatches = &dispatches;
    m.n_dispatches = 1;
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
    struct sl_span bytes = sl_pack(&arena, &m.base);
    w.open[lease]++;
    send_control(bytes.data, bytes.len);
    sl_arena_finish(&arena);
}

static void step_bulk(void)
{
    const struct gw_bulk_header h = {.session = w.session,
                                     .lease = fuzz_byte(&w.script),
                                     .offset_bytes = fuzz_size(&w.script, 4u) * 4,
                                     .total_bytes = fuzz_size(&w.script, 4u) * 4};
    uint8_t header[GW_BULK_HEADER_MAX];
    uint64_t len = fuzz_size(&w.script, 4u) * 4;
    if (w.bulk_id_len == 0 ||
        zmq_send(w.bulk, w.bulk_id, w.bulk_id_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return;
    (void)zmq_send(w.bulk, header, gw_link_write_bulk(&h, header), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(w.bulk, filler, len < CHUNK_MAX ? (size_t)len : CHUNK_MAX, ZMQ_DONTWAIT);
}

static void step_frames(void)
{
    size_t count = 1u + fuzz_byte(&w.script) % 4u;
    if (w.bulk_id_len == 0 ||
        zmq_send(w.bulk, w.bulk_id, w.bulk_id_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct sl_span bytes = fuzz_bytes(&w.script, fuzz_byte(&w.script));
        (void)zmq_send(w.bulk, bytes.len > 0 ? bytes.data : filler, bytes.len,
                       ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0));
    }
}

static void step_turn(void)
{
    whole_node_turn(&w.node, w.now);
    fuzz_require(ex_jobs_check(w.node.jobs) == SL_OK);
    listen_to_control();
    listen_to_bulk();
}

static void step_time(void)
{
    static const int64_t spans[] = {SL_NS_PER_MS, 100 * SL_NS_PER_MS, SL_NS_PER_S, 6 * SL_NS_PER_S};
    w.now += spans[fuzz_byte(&w.script) % SL_ARRAY_LEN(spans)];
    step_turn();
}

static void step_words(enum step step)
{
    struct sl_buf b = batch();
    if (step == STEP_REFUSE)
        send_batch(&b, gw_link_put_refuse(&b, "as asked for", fuzz_byte(&w.script) % 2 == 1));
    else if (step == STEP_CANCEL)
        send_batch(&b, gw_link_put_cancel(&b, fuzz_byte(&w.script)));
    else if (step == STEP_TAKEN)
        send_batch(&b, gw_link_put_taken(&b, fuzz_size(&w.script, 4u)));
    else
        send_batch(&b, gw_link_put_heartbeat(&b, 1));
}

static void run_step(enum step step)
{
    struct sl_span raw;
    switch (step) {
    case STEP_RAW:
        raw = fuzz_bytes(&w.script, fuzz_byte(&w.script));
        memset(w.open, 127, sizeof w.open);
        send_control(raw.data, raw.len);
        break;
    case STEP_SAID:
        step_said();
        break;
    case STEP_WELCOME:
        step_welcome();
        break;
    case STEP_REFUSE:
    case STEP_CANCEL:
    case STEP_TAKEN:
    case STEP_BEAT:
        step_words(step);
        break;
    case STEP_DISPATCH:
        step_dispatch();
        break;
    case STEP_BULK:
        step_bulk();
        break;
    case STEP_FRAMES:
        step_frames();
        break;
    case STEP_TURN:
        step_turn();
        break;
    case STEP_TIME:
        step_time();
        break;
    case STEP_CUT:
        fake_zmq_cut(WHOLE_CONTROL);
        break;
    case STEP_COUNT:
        break;
    }
}

/* ---- a run */

static void drop_line(void *ctx, const char *line, unsigned len)
{
    (void)ctx, (void)line, (void)len;
}

static void *listen_at(const char *endpoint)
{
    void *s = zmq_socket(w.zmq, ZMQ_ROUTER);
    fuzz_require(s != NULL && zmq_bind(s, endpoint) == 0);
    return s;
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    fail_alloc_init(&w.memory);
    w.now = 1000 * SL_NS_PER_S;
    w.zmq = zmq_ctx_new();
    w.control = listen_at(WHOLE_CONTROL);
    w.bulk = listen_at(WHOLE_BULK);
    fuzz_require(whole_node_start(&w.node, &w.memory.alloc, "n1", w.now) == SL_OK);
    step_turn();
}

static void finish(void)
{
    whole_node_finish(&w.node);
    zmq_close(w.control);
    zmq_close(w.bulk);
    zmq_ctx_term(w.zmq);
    fuzz_require(fail_alloc_finish(&w.memory) == 0);
    fuzz_require(fake_zmq_open_count() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sl_log_set_sink(drop_line, NULL);
    begin();
    w.script = (struct fuzz_script){data, size};
    while (w.script.left > 0)
        run_step((enum step)(fuzz_byte(&w.script) % STEP_COUNT));
    step_turn();
    finish();
    return 0;
}
