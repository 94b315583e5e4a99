/* fuzz_gw_whole.c - a visitor's bytes into a whole gateway in memory (whole_gateway.h) with an executor behind it:
 * whatever comes, cut as it may be, each exchange gets one reply and goes home, what waits to be sent stays bounded,
 * and nothing is left over; also when an allocation fails on the way.
 *
 * Input: one byte of options (1: preface and SETTINGS come first, 2: an executor is there, 4: one allocation
 * fails), one byte that says which, then steps. A step is one byte (modulo STEP_COUNT) and what it takes; blind
 * mutation seldom writes HPACK or a protobuf message, so there are steps that do. tests/fuzz/corpus/make_whole.py
 * writes the seeds. */
#include <stdlib.h>

#include "fail_alloc.h"
#include "fake_zmq.h"
#include "fuzz_peer.h"
#include "gw_zip.h"
#include "infer_builder.h"
#include "whole_gateway.h"
#include "whole_node.h"

enum { OPT_PREFACE = 1, OPT_NODE = 2, OPT_NO_MEMORY = 4 };

enum step {
    STEP_RAW,     /* count, bytes: to the gateway as they are */
    STEP_REQUEST, /* method, what comes with it: HEADERS of the next stream */
    STEP_UPLOAD,  /* stream, message: its bytes, as STEP_DATA lets them */
    STEP_DATA,    /* stream, amount: DATA of the upload, or without one from the input */
    STEP_FRAME,   /* type, flags, stream, count, bytes */
    STEP_TURN,    /* gateway and executor */
    STEP_TIME,    /* which span */
    STEP_TAKE,    /* amount: the peer takes so much */
    STEP_CHUNK,   /* how the visitor's bytes are cut from now on */
    STEP_NODE,    /* what becomes of the executor */
    STEP_CONNECT, /* another connection, or an older one again */
    STEP_COUNT
};

enum { STREAMS = 16, VECTORS_MAX = 64, OUTPUT_MAX = 400 * 1024, FRAME_HEAD = 9, MESSAGES = 14 };

struct upload {
    struct sl_span message;
    size_t sent; /* with the prefix */
    bool is_zipped;
};

static struct world {
    struct fail_alloc memory;
    struct whole_gateway gateway;
    struct whole_node node;
    bool has_node;
    struct gw_h2 *conn;
    size_t chunk_bytes;
    uint32_t next_stream;
    struct upload uploads[STREAMS];
    struct fuzz_script script;
} w;

/* ---- canned messages */

static struct sl_span messages[MESSAGES];
static bool is_packed[MESSAGES];

static void keep(size_t i, struct sl_span bytes)
{
    uint8_t *copy = malloc(bytes.len + 1);
    fuzz_require(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    messages[i] = sl_span_of(copy, bytes.len);
}

static void make_floats(size_t i, const char *model, size_t count)
{
    struct infer_builder b;
    infer_begin(&b, model);
    infer_input(&b, "IN", "FP32", 1, (int64_t[]){(int64_t)count});
    infer_raw(&b, infer_room(&b, count * 4), count * 4);
    keep(i, infer_bytes(&b));
    infer_end(&b);
}

static void make_pair(size_t i)
{
    static int64_t numbers[] = {1, 2};
    static ProtobufCBinaryData texts[] = {{2, (uint8_t *)"ab"}, {0, NULL}};
    struct infer_builder b;
    infer_begin(&b, "pair");
    infer_param_string(&b, "sluice_duration", "1s");
    Inference__InferTensorContents *a =
        infer_contents(&b, infer_input(&b, "A", "BYTES", 1, (int64_t[]){2}));
    a->bytes_contents = texts;
    a->n_bytes_contents = SL_ARRAY_LEN(texts);
    Inference__InferTensorContents *n =
        infer_contents(&b, infer_input(&b, "B", "INT64", 2, (int64_t[]){1, 2}));
    n->int64_contents = numbers;
    n->n_int64_contents = SL_ARRAY_LEN(numbers);
    infer_output(&b, "Y");
    keep(i, infer_bytes(&b));
    infer_end(&b);
}

static void make_packed(size_t i, size_t of)
{
    static uint8_t room[64 * 1024];
    size_t len;
    fuzz_require(gw_zip_deflate(&sl_alloc_malloc, GW_ENCODING_GZIP, &messages[of], 1, room,
                                sizeof room, &len) == SL_OK);
    keep(i, sl_span_of(room, len));
    is_packed[i] = true;
}

static void make_messages(void)
{
    keep(0, sl_span_str(""));
    keep(1, sl_span_str("\x0a\x04"
                        "echo"));
    make_floats(2, "echo", 3);
    make_floats(3, "echo", 30000);
    make_pair(4);
    make_floats(5, "stalls", 1);
    make_floats(6, "dies", 1);
    make_floats(7, "fails", 1);
    make_packed(8, 3);
    make_floats(9, "echo", 1000);
    /* Forms of sluice.v1: an account, a token, an app, a reason in each of its two places. */
    keep(10, sl_span_str("\x0a\x08"
                         "user:ana\x12\x04test"));
    keep(11, sl_span_str("\x0a\x03"
                         "ana\x12\x03"
                         "all"));
    keep(12, sl_span_str("\x0a\x04"
                         "demo\x12\x08user:ana\x1a\x03"
                         "all"));
    keep(13, sl_span_str("\x0a\x08"
                         "user:ana\x10\x07\x1a\x04test"));
}

/* ---- to the gateway */

/* In memory of its own, so that reading past it is seen. */
static void put(const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    while (w.conn != NULL && len > 0) {
        size_t n = w.chunk_bytes > 0 && w.chunk_bytes < len ? w.chunk_bytes : len;
        uint8_t *own = malloc(n);
        fuzz_require(own != NULL);
        memcpy(own, from, n);
        if (gw_h2_wants_input(w.conn))
            (void)!gw_h2_input(w.conn, sl_span_of(own, n), w.gateway.now);
        free(own);
        from += n;
        len -= n;
    }
}

static void put_frame(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t len)
{
    static uint8_t frame[FRAME_HEAD + 64 * 1024];
    const uint8_t head[FRAME_HEAD] = {(uint8_t)(len >> 16),
                                      (uint8_t)(len >> 8),
                                      (uint8_t)len,
                                      type,
                                      flags,
                                      (uint8_t)(stream >> 24),
                                      (uint8_t)(stream >> 16),
                                      (uint8_t)(stream >> 8),
                                      (uint8_t)stream};
    fuzz_require(len <= sizeof frame - FRAME_HEAD);
    memcpy(frame, head, FRAME_HEAD);
    if (len > 0)
        memcpy(frame + FRAME_HEAD, payload, len);
    put(frame, FRAME_HEAD + len);
}

/* A stream of the script: the low bits count back from the newest. */
static uint32_t stream_of(uint8_t byte)
{
    uint32_t back = 2u * (byte & 7u);
    return w.next_stream > 2 + back ? w.next_stream - 2 - back : 1;
}

static struct upload *upload_of(uint32_t stream)
{
    return &w.uploads[stream / 2 % STREAMS];
}

/* ---- HEADERS */

static size_t put_string(uint8_t *out, struct sl_span s)
{
    enum { PREFIX_MAX = 127 };
    size_t n = 0, rest = s.len;
    if (rest < PREFIX_MAX) {
        out[n++] = (uint8_t)rest;
    } else {
        out[n++] = PREFIX_MAX;
        for (rest -= PREFIX_MAX; rest >= 128; rest >>= 7)
            out[n++] = (uint8_t)(rest | 128);
        out[n++] = (uint8_t)rest;
    }
    if (s.len > 0)
        memcpy(out + n, s.data, s.len);
    return n + s.len;
}

struct block {
    size_t len;
    uint8_t bytes[2048];
};

static void add_field(struct block *b, struct sl_span name, struct sl_span value)
{
    b->bytes[b->len++] = 0; /* literal, not indexed, with a name */
    b->len += put_string(b->bytes + b->len, name);
    b->len += put_string(b->bytes + b->len, value);
}

static void add_text(struct block *b, const char *name, const char *value)
{
    add_field(b, sl_span_str(name), sl_span_str(value));
}

static void step_request(void)
{
    enum { ZIPPED = 16, TIMEOUT = 32, EXTRA = 64, ENDS = 128, END_STREAM = 1, END_HEADERS = 4 };
    static struct block b;
    unsigned method = fuzz_byte(&w.script) % GW_METHOD_COUNT;
    uint8_t what = fuzz_byte(&w.script);
    b.len = 0;
    add_text(&b, ":method", "POST");
    add_text(&b, ":scheme", "http");
    add_text(&b, ":path", method > 0 ? gw_method_path((enum gw_method)method) : "/no.Such/Method");
    add_text(&b, ":authority", "a");
    add_text(&b, "content-type", "application/grpc");
    add_text(&b, "te", "trailers");
    if ((what & ZIPPED) != 0) {
        add_text(&b, "grpc-encoding", "gzip");
        add_text(&b, "grpc-accept-encoding", "gzip");
    }
    if ((what & TIMEOUT) != 0)
        add_text(&b, "grpc-timeout", "900m");
    if ((what & EXTRA) != 0) {
        struct sl_span name = fuzz_bytes(&w.script, fuzz_byte(&w.script) & 63u);
        add_field(&b, name, fuzz_bytes(&w.script, fuzz_byte(&w.script)));
    }
    *upload_of(w.next_stream) = (struct upload){0};
    put_frame(1, (uint8_t)(END_HEADERS | ((what & ENDS) != 0 ? END_STREAM : 0)), w.next_stream,
              b.bytes, b.len);
    w.next_stream += 2;
}

/* ---- DATA */

static void step_upload(void)
{
    uint8_t which = fuzz_byte(&w.script), message = fuzz_byte(&w.script);
    *upload_of(stream_of(which)) = (struct upload){.message = messages[message % MESSAGES],
                                                   .is_zipped = is_packed[message % MESSAGES]};
}

/* The next bytes of prefix and message. */
static size_t cut_upload(struct upload *u, uint8_t *out, size_t max)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    size_t n = 0, total = sizeof prefix + u->message.len;
    gw_grpc_frame_prefix(u->is_zipped, (uint32_t)u->message.len, prefix);
    for (; n < max && u->sent < total; n++, u->sent++)
        out[n] =
            u->sent < sizeof prefix ? prefix[u->sent] : u->message.data[u->sent - sizeof prefix];
    return n;
}

static void step_data(void)
{
    static uint8_t bytes[16 * 1024];
    uint8_t which = fuzz_byte(&w.script), amount = fuzz_byte(&w.script);
    uint32_t stream = stream_of(which);
    struct upload *u = upload_of(stream);
    bool ends = (which & 128u) != 0;
    if (u->message.data == NULL) {
        struct sl_span from = fuzz_bytes(&w.script, amount);
        put_frame(0, ends, stream, from.data, from.len);
        return;
    }
    size_t len = cut_upload(u, bytes, amount == 255 ? sizeof bytes : amount * 64u + 1);
    put_frame(0, ends && u->sent == GW_GRPC_PREFIX_BYTES + u->message.len, stream, bytes, len);
}

/* ---- other steps */

static void step_frame(void)
{
    uint8_t type = fuzz_byte(&w.script), flags = fuzz_byte(&w.script), which = fuzz_byte(&w.script);
    struct sl_span payload = fuzz_bytes(&w.script, fuzz_byte(&w.script));
    put_frame(type, flags, which == 255 ? 0 : stream_of(which), payload.data, payload.len);
}

static void step_turn(void)
{
    whole_gateway_turn(&w.gateway);
    if (w.has_node)
        whole_node_turn(&w.node, w.gateway.now);
    whole_gateway_turn(&w.gateway);
}

static void step_time(void)
{
    static const int64_t spans[] = {SL_NS_PER_MS,     100 * SL_NS_PER_MS, SL_NS_PER_S,
                                    3 * SL_NS_PER_S,  6 * SL_NS_PER_S,    31 * SL_NS_PER_S,
                                    61 * SL_NS_PER_S, 1000 * SL_NS_PER_S};
    whole_gateway_advance(&w.gateway, spans[fuzz_byte(&w.script) % SL_ARRAY_LEN(spans)]);
    step_turn();
}

static void take(size_t max)
{
    struct iovec v[VECTORS_MAX];
    size_t total = 0;
    if (w.conn == NULL)
        return;
    size_t n = gw_h2_output(w.conn, v, VECTORS_MAX, w.gateway.now);
    for (size_t i = 0; i < n; i++)
        total += v[i].iov_len;
    fuzz_require(total < OUTPUT_MAX);
    gw_h2_sent(w.conn, total < max ? total : max);
    if (total == 0 && gw_h2_is_over(w.conn)) {
        whole_gateway_disconnect(&w.gateway, w.conn);
        w.conn = NULL;
    }
}

static void start_node(void)
{
    if (!w.has_node)
        w.has_node =
            whole_node_start(&w.node, &w.memory.alloc, "n1", false, w.gateway.now) == SL_OK;
}

static void stop_node(void)
{
    if (w.has_node)
        whole_node_finish(&w.node);
    w.has_node = false;
}

static void step_node(void)
{
    switch (fuzz_byte(&w.script) % 4) {
    case 0:
        stop_node();
        break;
    case 1:
        start_node();
        break;
    case 2:
        fake_zmq_cut(whole_control());
        break;
    default:
        if (w.has_node)
            ex_link_set_draining(w.node.link);
    }
}

static void greet(void)
{
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    put(preface, sizeof preface); /* the string's end is the frame's last byte */
}

/* The one before stays open, unheard. */
static void step_connect(void)
{
    uint8_t which = fuzz_byte(&w.script);
    w.conn = (which & 1u) != 0 ? whole_gateway_connect(&w.gateway)
                               : w.gateway.conns[which / 2 % WHOLE_CONNS];
    w.next_stream = 1;
    if ((which & 1u) != 0)
        greet();
}

static void run_step(enum step step)
{
    switch (step) {
    case STEP_RAW: {
        struct sl_span raw = fuzz_bytes(&w.script, fuzz_byte(&w.script));
        put(raw.data, raw.len);
        break;
    }
    case STEP_REQUEST:
        step_request();
        break;
    case STEP_UPLOAD:
        step_upload();
        break;
    case STEP_DATA:
        step_data();
        break;
    case STEP_FRAME:
        step_frame();
        break;
    case STEP_TURN:
        step_turn();
        break;
    case STEP_TIME:
        step_time();
        break;
    case STEP_TAKE:
        take(fuzz_byte(&w.script) * 256u);
        break;
    case STEP_CHUNK:
        w.chunk_bytes = fuzz_byte(&w.script);
        break;
    case STEP_NODE:
        step_node();
        break;
    case STEP_CONNECT:
        step_connect();
        break;
    case STEP_COUNT:
        break;
    }
}

/* ---- a run */

static bool begin(unsigned options)
{
    memset(&w, 0, sizeof w);
    fail_alloc_init(&w.memory);
    w.next_stream = 1;
    whole_gateway_init(&w.gateway, &w.memory.alloc, 1000 * SL_NS_PER_S);
    fuzz_require(whole_gateway_start(&w.gateway) == SL_OK);
    if ((options & OPT_NODE) != 0)
        start_node();
    for (int i = 0; i < 3; i++)
        step_turn();
    w.conn = whole_gateway_connect(&w.gateway);
    fuzz_require(w.conn != NULL);
    if ((options & OPT_PREFACE) != 0)
        greet();
    return true;
}

static void finish(void)
{
    w.memory.fail_at = 0;
    stop_node();
    whole_node_forget(&w.node);
    fuzz_require(whole_gateway_finish(&w.gateway) == NULL);
    fuzz_require(fail_alloc_finish(&w.memory) == 0);
    fuzz_require(fake_zmq_open_count() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (messages[0].data == NULL) {
        make_messages();
        fuzz_be_silent();
    }
    if (size < 2 || !begin(data[0]))
        return 0;
    if ((data[0] & OPT_NO_MEMORY) != 0) {
        w.memory.calls = 0;
        w.memory.fail_at = 1u + data[1];
    }
    w.script = (struct fuzz_script){data + 2, size - 2};
    while (w.script.left > 0)
        run_step((enum step)(fuzz_byte(&w.script) % STEP_COUNT));
    step_turn();
    take(SIZE_MAX);
    finish();
    return 0;
}
