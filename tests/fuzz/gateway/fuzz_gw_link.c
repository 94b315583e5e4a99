/* fuzz_gw_link.c - what an executor may say, into a whole gateway in memory (whole_gateway.h) with visitors that
 * wait: news and payloads in any order, size and number, of sessions that are there or not. Each call gets one
 * reply, and nothing is left over.
 *
 * Input: steps. A step is one byte (modulo STEP_COUNT) and what it takes; the leases that it names are those that
 * the gateway gave out. tests/fuzz/corpus/make_link.py writes the seeds. */
#include <stdlib.h>
#include <unistd.h>

#include "ex_link_wire.h"
#include "fail_calls.h"
#include "fake_zmq.h"
#include "fuzz_peer.h"
#include "infer_builder.h"
#include "whole_gateway.h"
#include "whole_node.h"

enum step {
    STEP_RAW,      /* count, bytes: a control message */
    STEP_SAID,     /* count, bytes: the same behind the session's number */
    STEP_HELLO,    /* session */
    STEP_CALL,     /* which message: a visitor calls */
    STEP_STARTED,  /* lease */
    STEP_RESULT,   /* lease, reason, outputs, how the payload comes, its size, bytes */
    STEP_RETURNED, /* lease */
    STEP_TAKEN,    /* amount */
    STEP_BULK,     /* session, lease, offset, total, count */
    STEP_FRAMES,   /* count, bytes of each: a bulk message of as many frames */
    STEP_TURN,
    STEP_TIME,   /* which span */
    STEP_DOOR,   /* session, how: an executor comes for shared memory */
    STEP_SHOW,   /* session, number, kind of memory */
    STEP_SHARED, /* lease, where it lies: a result in memory that was shown, or not */
    STEP_DONE,   /* number, generation: of what was lent to the executor */
    STEP_COUNT
};

enum { SESSIONS = 2, LEASES = 8, CALLS_MAX = 24, MESSAGES = 4, WINDOW = 60000, FRAME_MAX = 16384 };

static struct world {
    struct fail_alloc memory;
    struct whole_gateway gateway;
    struct gw_h2 *conn;
    uint32_t next_stream;
    void *zmq, *control[SESSIONS], *bulk[SESSIONS];
    int doors[SESSIONS]; /* -1: closed */
    struct ex_welcome welcomes[SESSIONS];
    uint64_t leases[LEASES]; /* the last that were given out */
    size_t lease_count;
    struct fuzz_script script;
} w;

static struct ex_catalog *catalog;
static struct sl_span messages[MESSAGES];

/* ---- the script */

static uint64_t next_lease(void)
{
    uint8_t which = fuzz_byte(&w.script);
    return which == 255 ? which : w.leases[which % LEASES];
}

/* ---- visitors */

static void keep_message(size_t i, const char *model, size_t count)
{
    struct infer_builder b;
    infer_begin(&b, model);
    infer_input(&b, "IN", "FP32", 1, (int64_t[]){(int64_t)count});
    infer_raw(&b, infer_room(&b, count * 4), count * 4);
    struct sl_span bytes = infer_bytes(&b);
    uint8_t *copy = malloc(bytes.len);
    fuzz_require(copy != NULL);
    memcpy(copy, bytes.data, bytes.len);
    messages[i] = sl_span_of(copy, bytes.len);
    infer_end(&b);
}

static void put(const void *bytes, size_t len)
{
    if (w.conn != NULL)
        (void)!gw_h2_input(w.conn, sl_span_of(bytes, len), w.gateway.now);
}

static void put_frame(uint8_t type, uint8_t flags, const void *payload, size_t len)
{
    const uint8_t head[9] = {
        (uint8_t)(len >> 16),          (uint8_t)(len >> 8),   (uint8_t)len, type, flags, 0, 0,
        (uint8_t)(w.next_stream >> 8), (uint8_t)w.next_stream};
    put(head, sizeof head);
    put(payload, len);
}

static void put_headers(void)
{
    static const char block[] = "\x83\x86" /* POST, http */
                                "\x04\x2a/inference.GRPCInferenceService/ModelInfer"
                                "\x01\x01"
                                "a"
                                "\x0f\x10\x10"
                                "application/grpc"
                                "\x00\x02"
                                "te"
                                "\x08"
                                "trailers";
    put_frame(1, 4, block, sizeof block - 1);
}

static void take_output(void)
{
    struct iovec v[64];
    size_t n, total;
    do {
        total = 0;
        n = gw_h2_output(w.conn, v, SL_ARRAY_LEN(v), w.gateway.now);
        for (size_t i = 0; i < n; i++)
            total += v[i].iov_len;
        gw_h2_sent(w.conn, total);
    } while (total > 0);
}

/* What is larger than the first window waits there for room; the window is open after a turn. */
static void put_message(struct sl_span message)
{
    for (size_t at = 0; at < message.len; at += FRAME_MAX) {
        const size_t rest = message.len - at, len = rest < FRAME_MAX ? rest : FRAME_MAX;
        put_frame(0, len == rest, message.data + at, len);
        if (message.len <= WINDOW)
            continue;
        whole_gateway_turn(&w.gateway);
        take_output();
    }
}

static void step_call(void)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    struct sl_span message = messages[fuzz_byte(&w.script) % MESSAGES];
    if (w.next_stream > 2 * CALLS_MAX)
        return;
    gw_grpc_frame_prefix(false, (uint32_t)message.len, prefix);
    put_headers();
    put_frame(0, 0, prefix, sizeof prefix);
    put_message(message);
    w.next_stream += 2;
}

/* ---- the executors */

static uint64_t session_of(size_t i)
{
    return 7 + i;
}

static const char *name_of(size_t i)
{
    return i == 0 ? "n0" : "n1";
}

static void say(size_t i, const struct sl_buf *b)
{
    fuzz_send(w.control[i], &(struct sl_span){b->data, b->len}, 1);
}

static struct sl_buf news_of(size_t i)
{
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, EX_LINK_MESSAGE_MAX);
    fuzz_require(ex_link_put_session(&b, session_of(i)) == SL_OK);
    return b;
}

static void send_news(struct sl_buf *b, sl_status put_status)
{
    if (put_status == SL_OK)
        say(0, b);
    sl_buf_finish(b);
}

static void step_hello(void)
{
    static const struct ex_slice slices[2] = {{.id = 0, .device = "cpu0"}, {.id = 1}};
    size_t i = fuzz_byte(&w.script) % SESSIONS;
    const struct ex_hello hello = {.node = name_of(i),
                                   .host = "memory",
                                   .slices = slices,
                                   .slice_count = SL_ARRAY_LEN(slices),
                                   .catalog = catalog,
                                   .bulk_window_bytes = 100000,
                                   .inline_max_bytes = 1024,
                                   .slice_backlog_max = 4,
                                   .wants_shared_memory = true};
    struct sl_arena arena;
    struct sl_buf b = news_of(i);
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
    fuzz_require(ex_link_put_hello(&b, &hello, &arena) == SL_OK);
    say(i, &b);
    sl_buf_finish(&b);
    sl_arena_finish(&arena);
}

static void step_said(void)
{
    struct sl_buf b = news_of(0);
    struct sl_span more = fuzz_bytes(&w.script, fuzz_byte(&w.script));
    send_news(&b, sl_buf_append(&b, more.data, more.len));
}

static void step_result(void)
{
    enum { OUTPUTS_MAX = 3, BY_BULK = 4, FAILED = 128 };
    static const char *const names[] = {"OUT", "X", ""};
    struct ex_output outputs[OUTPUTS_MAX];
    int64_t dims[OUTPUTS_MAX];
    uint64_t lease = next_lease();
    uint8_t how = fuzz_byte(&w.script);
    size_t count = how % (OUTPUTS_MAX + 1);
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t len = fuzz_size(&w.script, 16u);
        dims[i] = (int64_t)(len / 4);
        bytes += len;
        outputs[i] = (struct ex_output){.name = names[i],
                                        .dtype = SL_DTYPE_FP32,
                                        .dims = &dims[i],
                                        .rank = 1,
                                        .bytes = sl_span_of(fuzz_filler(0).data, (size_t)len)};
    }
    const struct ex_outcome outcome = {.reason = (how & FAILED) != 0 ? SL_REASON_MODEL_ERROR
                                                                     : SL_REASON_OK,
                                       .text = "as asked for",
                                       .outputs = outputs,
                                       .output_count = count,
                                       .started = (how & 64u) != 0,
                                       .held_us = fuzz_byte(&w.script)};
    bool by_bulk = (how & BY_BULK) != 0;
    struct sl_buf b = news_of(0);
    const struct ex_link_payload payload = {.inside = fuzz_filler(by_bulk ? 0 : bytes),
                                            .bulk_bytes = by_bulk ? bytes : 0};
    send_news(&b, ex_link_put_result(&b, lease, &outcome, &payload));
}

static void step_shared(void)
{
    uint64_t lease = next_lease();
    const struct ex_link_payload payload = {.shared = fuzz_ref(&w.script)};
    const size_t len = (size_t)payload.shared.length_bytes;
    const int64_t dims[1] = {(int64_t)(len / 4)};
    const struct ex_output out = {.name = "OUT",
                                  .dtype = SL_DTYPE_FP32,
                                  .dims = dims,
                                  .rank = 1,
                                  .bytes = sl_span_of(fuzz_filler(0).data, len)};
    const struct ex_outcome outcome = {
        .reason = SL_REASON_OK, .outputs = &out, .output_count = 1, .started = true};
    struct sl_buf b = news_of(0);
    send_news(&b, ex_link_put_result(&b, lease, &outcome, &payload));
}

static void step_bulk(void)
{
    uint8_t who = fuzz_byte(&w.script);
    const struct ex_welcome *welcome = &w.welcomes[who / 4 % SESSIONS];
    const struct ex_bulk_header h = {
        .session = session_of(who % (SESSIONS + 1u)),
        .lease = who >= 128 ? 0 : next_lease(),
        .offset_bytes = fuzz_size(&w.script, 16u),
        .total_bytes = fuzz_size(&w.script, 16u),
        .token = who >= 128 ? sl_span_of(welcome->token.bytes, welcome->token.len)
                            : sl_span_of(NULL, 0)};
    uint8_t header[EX_BULK_HEADER_MAX];
    const struct sl_span frames[] = {sl_span_of(header, ex_link_write_bulk(&h, header)),
                                     fuzz_filler(fuzz_size(&w.script, 16u))};
    fuzz_send(w.bulk[who / 4 % SESSIONS], frames, SL_ARRAY_LEN(frames));
}

static void close_door(size_t i)
{
    fuzz_door_drop_all(w.doors[i]);
    if (w.doors[i] >= 0)
        close(w.doors[i]);
    w.doors[i] = -1;
}

static void step_door(void)
{
    size_t i = fuzz_byte(&w.script) % SESSIONS;
    close_door(i);
    w.doors[i] = fuzz_door_open(&w.script, session_of(i));
}

static void step_show(void)
{
    size_t i = fuzz_byte(&w.script) % SESSIONS;
    fuzz_door_show(&w.script, w.doors[i]);
}

/* Learns the leases that are given out, and the token. */
static void listen_to(size_t session)
{
    struct ex_gateway_batch batch;
    struct sl_arena arena;
    zmq_msg_t none, m;
    zmq_msg_init(&none);
    zmq_msg_init(&m);
    while (fuzz_receive(w.control[session], &none, &m)) {
        sl_arena_init(&arena, &sl_alloc_malloc, 8 << 20);
        fuzz_require(ex_link_read_batch(sl_span_of(zmq_msg_data(&m), zmq_msg_size(&m)), &arena,
                                        &batch) == SL_OK);
        if (batch.has_welcome)
            w.welcomes[session] = batch.welcome;
        for (size_t i = 0; i < batch.call_count; i++)
            w.leases[w.lease_count++ % LEASES] = batch.calls[i].lease;
        sl_arena_finish(&arena);
    }
    zmq_msg_close(&m);
}

/* ---- steps */

static void step_turn(void)
{
    whole_gateway_turn(&w.gateway);
    for (size_t i = 0; i < SESSIONS; i++) {
        listen_to(i);
        fuzz_drop_all(w.bulk[i]);
        fuzz_door_drop_all(w.doors[i]);
    }
    take_output();
    whole_gateway_turn(&w.gateway);
    fuzz_require(gw_fleet_check(gw_flow_fleet(w.gateway.flow)) == SL_OK);
}

static void step_time(void)
{
    static const int64_t spans[] = {SL_NS_PER_MS, SL_NS_PER_S, 4 * SL_NS_PER_S, 61 * SL_NS_PER_S};
    whole_gateway_advance(&w.gateway, spans[fuzz_byte(&w.script) % SL_ARRAY_LEN(spans)]);
    step_turn();
}

static void step_lease_news(enum step step)
{
    struct sl_buf b = news_of(0);
    struct sl_shm_ref use;
    if (step == STEP_STARTED)
        send_news(&b, ex_link_put_started(&b, next_lease()));
    else if (step == STEP_RETURNED)
        send_news(&b,
                  ex_link_put_returned(&b, next_lease(), SL_REASON_NO_CAPACITY, "as asked for"));
    else if (step == STEP_TAKEN)
        send_news(&b, ex_link_put_bulk_taken(&b, fuzz_size(&w.script, 16u)));
    else {
        use = (struct sl_shm_ref){.number = fuzz_byte(&w.script)};
        use.generation = fuzz_byte(&w.script);
        send_news(&b, ex_link_put_shared_done(&b, &use));
    }
}

static void run_step(enum step step)
{
    struct sl_span raw;
    switch (step) {
    case STEP_RAW:
        raw = fuzz_bytes(&w.script, fuzz_byte(&w.script));
        fuzz_send(w.control[0], &raw, 1);
        break;
    case STEP_SAID:
        step_said();
        break;
    case STEP_HELLO:
        step_hello();
        break;
    case STEP_CALL:
        step_call();
        break;
    case STEP_STARTED:
    case STEP_RETURNED:
    case STEP_TAKEN:
    case STEP_DONE:
        step_lease_news(step);
        break;
    case STEP_RESULT:
        step_result();
        break;
    case STEP_BULK:
        step_bulk();
        break;
    case STEP_FRAMES:
        fuzz_send_frames(&w.script, w.bulk[0], sl_span_of(NULL, 0));
        break;
    case STEP_DOOR:
        step_door();
        break;
    case STEP_SHOW:
        step_show();
        break;
    case STEP_SHARED:
        step_shared();
        break;
    case STEP_TURN:
        step_turn();
        break;
    case STEP_TIME:
        step_time();
        break;
    case STEP_COUNT:
        break;
    }
}

/* ---- a run */

static void make_all(void)
{
    static const struct ex_tensor_spec in = {"IN", SL_DTYPE_FP32, {-1}, 1};
    static const struct ex_tensor_spec out[2] = {{"OUT", SL_DTYPE_FP32, {-1}, 1},
                                                 {"X", SL_DTYPE_FP32, {-1}, 1}};
    static const struct ex_model_spec specs[2] = {{.name = "one",
                                                   .version = "1",
                                                   .engine = "fake",
                                                   .inputs = &in,
                                                   .input_count = 1,
                                                   .outputs = out,
                                                   .output_count = 1,
                                                   .duration_us = 1000000,
                                                   .max_duration_us = 2000000},
                                                  {.name = "two",
                                                   .version = "1",
                                                   .engine = "fake",
                                                   .inputs = &in,
                                                   .input_count = 1,
                                                   .outputs = out,
                                                   .output_count = 2,
                                                   .duration_us = 1000000,
                                                   .max_duration_us = 2000000}};
    fuzz_be_silent();
    fuzz_require(ex_catalog_create(&sl_alloc_malloc, &catalog) == SL_OK);
    for (size_t i = 0; i < SL_ARRAY_LEN(specs); i++)
        fuzz_require(ex_catalog_add(catalog, specs[i].name, &specs[i], "") == SL_OK);
    keep_message(0, "one", 3);
    keep_message(1, "two", 3);
    keep_message(2, "one", 4000);  /* by bulk, in one DATA frame */
    keep_message(3, "one", 40000); /* in memory that can be shared */
}

static void begin(void)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    memset(&w, 0, sizeof w);
    fail_alloc_init(&w.memory);
    w.next_stream = 1;
    whole_gateway_init(&w.gateway, &w.memory.alloc, 1000 * SL_NS_PER_S);
    w.gateway.h2_conf.max_streams = CALLS_MAX;
    w.gateway.shares_memory = true;
    fuzz_require(whole_gateway_start(&w.gateway) == SL_OK);
    w.zmq = zmq_ctx_new();
    for (size_t i = 0; i < SESSIONS; i++) {
        w.control[i] = fuzz_socket(w.zmq, ZMQ_DEALER, whole_control(), name_of(i));
        w.bulk[i] = fuzz_socket(w.zmq, ZMQ_DEALER, WHOLE_BULK, name_of(i));
        w.doors[i] = -1;
    }
    w.conn = whole_gateway_connect(&w.gateway);
    fuzz_require(w.conn != NULL);
    put(preface, sizeof preface);
}

static void finish(void)
{
    fuzz_require(whole_gateway_finish(&w.gateway) == NULL);
    for (size_t i = 0; i < SESSIONS; i++) {
        close_door(i);
        zmq_close(w.control[i]);
        zmq_close(w.bulk[i]);
    }
    zmq_ctx_term(w.zmq);
    fuzz_require(fail_alloc_finish(&w.memory) == 0);
    fuzz_require(fake_zmq_open_count() == 0);
    fuzz_require(fail_calls_maps() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (catalog == NULL)
        make_all();
    begin();
    w.script = (struct fuzz_script){data, size};
    while (w.script.left > 0)
        run_step((enum step)(fuzz_byte(&w.script) % STEP_COUNT));
    step_turn();
    finish();
    return 0;
}
