/* fuzz_ex_whole.c - what a gateway may say, into a whole executor in memory (whole_node.h): sessions, calls, payloads
 * and cancels in any order, size and number. No call ends more often than it was sent, the jobs' invariants hold
 * after each turn, and nothing is left over.
 *
 * Input: steps. A step is one byte (modulo STEP_COUNT) and what it takes. tests/fuzz/corpus/make_ex_whole.py writes
 * the seeds. */
#include <stdlib.h>
#include <unistd.h>

#include "fail_calls.h"
#include "fake_zmq.h"
#include "fuzz_peer.h"
#include "gw_link_wire.h"
#include "sl_fdpass.h"
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
    STEP_NODE, /* whether it shares memory: another executor in its place */
    STEP_SHOW, /* number, kind of memory */
    STEP_LEND, /* lease, model, slice, how, elements, where they lie */
    STEP_DONE, /* number, generation: of what the executor has lent */
    STEP_COUNT
};

enum { LEASES = 256 };

static struct world {
    struct fail_alloc memory;
    struct whole_node node;
    sl_mono_ns now;
    void *zmq, *control, *bulk;
    uint8_t control_id[256], bulk_id[256];
    size_t control_id_len, bulk_id_len;
    int listener, door; /* for shared memory; door -1: nobody came */
    uint64_t session;
    unsigned open[LEASES]; /* sent and not ended, in this session */
    struct fuzz_script script;
} w;

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

/* false: it has said nothing more. */
static bool receive(void *socket, uint8_t id[256], size_t *id_len, zmq_msg_t *last)
{
    zmq_msg_t first;
    zmq_msg_init(&first);
    const bool has = fuzz_receive(socket, &first, last);
    if (has) {
        *id_len = zmq_msg_size(&first);
        memcpy(id, zmq_msg_data(&first), *id_len);
    }
    zmq_msg_close(&first);
    return has;
}

static void listen_to_control(void)
{
    struct gw_node_batch batch;
    struct sl_arena arena;
    zmq_msg_t m;
    zmq_msg_init(&m);
    while (receive(w.control, w.control_id, &w.control_id_len, &m)) {
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
    zmq_msg_init(&m);
    while (receive(w.bulk, w.bulk_id, &w.bulk_id_len, &m))
        ;
    zmq_msg_close(&m);
}

static void close_door(void)
{
    fuzz_door_drop_all(w.door);
    if (w.door >= 0)
        close(w.door);
    w.door = -1;
}

/* Who came last for shared memory is heard. */
static void listen_to_door(void)
{
    int door;
    while (sl_fdpass_accept(w.listener, &door) == SL_OK) {
        close_door();
        w.door = door;
    }
    fuzz_door_drop_all(w.door);
}

/* ---- what the gateway says */

static void send_control(struct sl_span bytes)
{
    const struct sl_span frames[] = {sl_span_of(w.control_id, w.control_id_len), bytes};
    if (w.control_id_len > 0)
        fuzz_send(w.control, frames, SL_ARRAY_LEN(frames));
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
        send_control(sl_span_of(b->data, b->len));
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
                                       .shared_path = (how & 32) != 0 ? fuzz_door_path() : "",
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

static void send_dispatch(Sluice__Node__V1__Dispatch *d)
{
    Sluice__Node__V1__GatewayBatch m = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    struct sl_arena arena;
    m.session = w.session;
    m.dispatches = &d;
    m.n_dispatches = 1;
    sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
    w.open[d->lease]++;
    send_control(sl_pack(&arena, &m.base));
    sl_arena_finish(&arena);
}

/* Inside, by bulk, or where it says that it lies. */
static void fill_payload(Sluice__Node__V1__Dispatch *d, Sluice__Node__V1__Shared *shared,
                         uint64_t bytes, bool by_bulk)
{
    struct sl_span inside = fuzz_filler(bytes);
    if (shared != NULL) {
        const struct sl_shm_ref at = fuzz_ref(&w.script);
        shared->segment = at.number;
        shared->generation = at.generation;
        shared->offset_bytes = at.offset_bytes;
        shared->length_bytes = at.length_bytes;
        d->shared = shared;
    } else if (by_bulk) {
        d->payload_bytes = bytes;
    } else {
        d->payload = (ProtobufCBinaryData){inside.len, (uint8_t *)(uintptr_t)inside.data};
    }
}

static void step_dispatch(bool is_lent)
{
    enum { SHORT = 32, BY_BULK = 64, PARAMETER = 128 };
    static const char *const names[] = {"echo", "stalls", "fails", "dies", "pair", "none"};
    Sluice__Node__V1__Dispatch d = SLUICE__NODE__V1__DISPATCH__INIT;
    Sluice__Node__V1__Tensor input, *inputs = &input;
    Sluice__Node__V1__Parameter param = SLUICE__NODE__V1__PARAMETER__INIT, *params = &param;
    Sluice__Node__V1__Shared shared = SLUICE__NODE__V1__SHARED__INIT;
    int64_t shape[1];
    d.lease = fuzz_byte(&w.script);
    d.model = (char *)(uintptr_t)names[fuzz_byte(&w.script) % SL_ARRAY_LEN(names)];
    uint8_t how = fuzz_byte(&w.script);
    uint64_t count = fuzz_size(&w.script, 4u);
    d.slice = how & 3u;
    d.limit_us = (how & SHORT) != 0 ? 100 : 1000000;
    fill_input(&input, shape, count, how);
    d.inputs = &inputs;
    d.n_inputs = 1;
    param.name = (char *)(uintptr_t) "p";
    d.parameters = &params;
    d.n_parameters = (how & PARAMETER) != 0;
    fill_payload(&d, is_lent ? &shared : NULL, count * 4, (how & BY_BULK) != 0);
    send_dispatch(&d);
}

static void step_bulk(void)
{
    const struct gw_bulk_header h = {.session = w.session,
                                     .lease = fuzz_byte(&w.script),
                                     .offset_bytes = fuzz_size(&w.script, 4u) * 4,
                                     .total_bytes = fuzz_size(&w.script, 4u) * 4};
    uint8_t header[GW_BULK_HEADER_MAX];
    const struct sl_span frames[] = {sl_span_of(w.bulk_id, w.bulk_id_len),
                                     sl_span_of(header, gw_link_write_bulk(&h, header)),
                                     fuzz_filler(fuzz_size(&w.script, 4u) * 4)};
    if (w.bulk_id_len > 0)
        fuzz_send(w.bulk, frames, SL_ARRAY_LEN(frames));
}

static void step_frames(void)
{
    if (w.bulk_id_len > 0)
        fuzz_send_frames(&w.script, w.bulk, sl_span_of(w.bulk_id, w.bulk_id_len));
}

static void step_turn(void)
{
    whole_node_turn(&w.node, w.now);
    fuzz_require(ex_jobs_check(w.node.jobs) == SL_OK);
    listen_to_control();
    listen_to_bulk();
    listen_to_door();
}

static void start_node(bool shares_memory)
{
    fuzz_require(whole_node_start(&w.node, &w.memory.alloc, "n1", shares_memory, w.now) == SL_OK);
}

static void step_node(void)
{
    whole_node_finish(&w.node);
    start_node(fuzz_byte(&w.script) % 2 == 1);
    step_turn();
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
    struct sl_shm_ref use;
    if (step == STEP_REFUSE)
        send_batch(&b, gw_link_put_refuse(&b, "as asked for", fuzz_byte(&w.script) % 2 == 1));
    else if (step == STEP_CANCEL)
        send_batch(&b, gw_link_put_cancel(&b, fuzz_byte(&w.script)));
    else if (step == STEP_TAKEN)
        send_batch(&b, gw_link_put_taken(&b, fuzz_size(&w.script, 4u)));
    else if (step == STEP_BEAT)
        send_batch(&b, gw_link_put_heartbeat(&b, 1));
    else {
        use = (struct sl_shm_ref){.number = fuzz_byte(&w.script)};
        use.generation = fuzz_byte(&w.script);
        send_batch(&b, gw_link_put_shared_done(&b, &use));
    }
}

static void run_step(enum step step)
{
    struct sl_span raw;
    switch (step) {
    case STEP_RAW:
        raw = fuzz_bytes(&w.script, fuzz_byte(&w.script));
        memset(w.open, 127, sizeof w.open);
        send_control(raw);
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
    case STEP_DONE:
        step_words(step);
        break;
    case STEP_DISPATCH:
    case STEP_LEND:
        step_dispatch(step == STEP_LEND);
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
        fake_zmq_cut(whole_control());
        break;
    case STEP_NODE:
        step_node();
        break;
    case STEP_SHOW:
        fuzz_door_show(&w.script, w.door);
        break;
    case STEP_COUNT:
        break;
    }
}

/* ---- a run */

static void begin(void)
{
    memset(&w, 0, sizeof w);
    fail_alloc_init(&w.memory);
    w.now = 1000 * SL_NS_PER_S;
    w.zmq = zmq_ctx_new();
    w.control = fuzz_socket(w.zmq, ZMQ_ROUTER, whole_control(), NULL);
    w.bulk = fuzz_socket(w.zmq, ZMQ_ROUTER, WHOLE_BULK, NULL);
    w.door = -1;
    fuzz_require(sl_fdpass_listen(fuzz_door_path(), &w.listener) == SL_OK);
    start_node(false);
    step_turn();
}

static void finish(void)
{
    whole_node_finish(&w.node);
    whole_node_forget(&w.node);
    listen_to_door();
    close_door();
    close(w.listener);
    (void)unlink(fuzz_door_path());
    zmq_close(w.control);
    zmq_close(w.bulk);
    zmq_ctx_term(w.zmq);
    fuzz_require(fail_alloc_finish(&w.memory) == 0);
    fuzz_require(fake_zmq_open_count() == 0);
    fuzz_require(fail_calls_maps() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_be_silent();
    begin();
    w.script = (struct fuzz_script){data, size};
    while (w.script.left > 0)
        run_step((enum step)(fuzz_byte(&w.script) % STEP_COUNT));
    step_turn();
    finish();
    return 0;
}
