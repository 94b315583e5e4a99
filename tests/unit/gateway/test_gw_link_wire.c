/* test_gw_link_wire.c - node messages against protobuf-c's own encoding and decoding, and against
 * garbage. */
#include "gw_link_wire.h"

#include <stdlib.h>

#include "fail_alloc.h"
#include "infer_builder.h"
#include "sl_base.h"
#include "sl_pack.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice/node/v1/node.pb-c.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

enum { ROOM = 1 << 16 };

struct rig {
    struct sl_arena arena;
    struct gw_node_batch batch;
};

static bool read(struct rig *r, const Sluice__Node__V1__NodeBatch *m)
{
    sl_arena_init(&r->arena, &sl_alloc_malloc, 8 << 20);
    return gw_link_read_batch(sl_pack(&r->arena, &m->base), &r->arena, &r->batch);
}

static void done(struct rig *r)
{
    sl_arena_finish(&r->arena);
}

/* ---- reading */

static void a_hello_says_what_the_node_has(void **state SL_UNUSED)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    Sluice__Node__V1__Slice slice = SLUICE__NODE__V1__SLICE__INIT, *slices = &slice;
    Sluice__Node__V1__Model model = SLUICE__NODE__V1__MODEL__INIT, *models = &model;
    Sluice__Node__V1__TensorSpec in = SLUICE__NODE__V1__TENSOR_SPEC__INIT, *ins = &in;
    int64_t shape[2] = {-1, 7};
    struct rig r;
    m.session = 99;
    m.hello = &h;
    h.protocol_min = 1;
    h.protocol_max = 3;
    h.node = TEXT("n1");
    h.version = TEXT("0.1");
    h.bulk_window_bytes = 1 << 26;
    h.inline_max_bytes = 32768;
    h.slice_backlog_max = 63;
    h.n_slices = h.n_models = 1;
    h.slices = &slices;
    h.models = &models;
    slice.id = 4;
    slice.device = TEXT("gpu0");
    slice.kind = TEXT("mig");
    slice.memory_bytes = 123;
    slice.share_thousandths = 250;
    model.name = TEXT("m");
    model.version = TEXT("1");
    model.engine = TEXT("onnx");
    model.duration_us = 5;
    model.duration = TEXT("auto");
    model.size = TEXT("xlarge");
    model.max_duration_us = UINT64_MAX; /* of a careless node: kept within what can be counted */
    model.n_inputs = 1;
    model.inputs = &ins;
    in.name = TEXT("IN");
    in.datatype = TEXT("BF16");
    in.n_shape = 2;
    in.shape = shape;
    assert_true(read(&r, &m));
    const struct gw_node_batch *b = &r.batch;
    assert_true(b->session == 99 && b->has_hello && b->hello.session == 99);
    assert_true(b->protocol_min == 1 && b->protocol_max == 3);
    assert_true(b->bulk_window_bytes == 1 << 26 && b->inline_max_bytes == 32768);
    assert_string_equal(b->hello.name, "n1");
    assert_string_equal(b->hello.version, "0.1");
    assert_int_equal(b->hello.slice_backlog_max, 63);
    assert_int_equal(b->hello.slice_count, 1);
    assert_int_equal(b->hello.slices[0].id, 4);
    assert_string_equal(b->hello.slices[0].device, "gpu0");
    assert_string_equal(b->hello.slices[0].kind, "mig");
    assert_true(b->hello.slices[0].memory_bytes == 123 &&
                b->hello.slices[0].share_thousandths == 250);
    const struct gw_model_spec *spec = &b->hello.models[0];
    assert_string_equal(spec->name, "m");
    assert_string_equal(spec->engine, "onnx");
    assert_string_equal(spec->problem, "");
    assert_string_equal(spec->duration, "auto");
    assert_string_equal(spec->size, "xlarge");
    assert_true(spec->duration_us == 5 && spec->max_duration_us == INT64_MAX / 1000);
    assert_true(spec->input_count == 1 && spec->output_count == 0);
    assert_string_equal(spec->inputs[0].name, "IN");
    assert_true(spec->inputs[0].dtype == SL_DTYPE_BF16 && spec->inputs[0].rank == 2);
    assert_true(spec->inputs[0].dims[0] == -1 && spec->inputs[0].dims[1] == 7);
    done(&r);
    in.datatype = TEXT("FP8"); /* of a later version: that model's problem alone */
    assert_true(read(&r, &m));
    assert_string_equal(r.batch.hello.models[0].problem,
                        "a tensor's datatype is not known, or its shape has over 16 dimensions");
    done(&r);
    int64_t many[17] = {0};
    in.datatype = TEXT("FP32");
    in.n_shape = 17;
    in.shape = many;
    model.problem = TEXT("model.yaml:1: broken");
    assert_true(read(&r, &m));
    assert_string_equal(r.batch.hello.models[0].problem, "model.yaml:1: broken");
    done(&r);
}

static void a_hello_says_which_slices_are_one(void **state SL_UNUSED)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello h = SLUICE__NODE__V1__HELLO__INIT;
    Sluice__Node__V1__Slice slice[4], *slices[4];
    uint32_t parts[3] = {9, 5, 5};
    struct rig r;
    for (uint32_t i = 0; i < 4; i++) {
        sluice__node__v1__slice__init(slices[i] = &slice[i]);
        slice[i].id = 7 + i;
        slice[i].device = TEXT("cpu0");
        slice[i].share_thousandths = i < 3 ? 333 : 1000;
    }
    m.session = 99;
    m.hello = &h;
    h.protocol_max = 3;
    h.n_slices = 3;
    h.slices = slices;
    h.n_wide_slices = 1;
    h.wide_slices = &slices[3];
    slice[3].parts = parts;
    slice[3].n_parts = 2;
    slice[1].id = 5;
    assert_true(read(&r, &m));
    const struct gw_hello *hello = &r.batch.hello;
    assert_true(hello->slice_count == 3 && hello->wide_count == 1);
    assert_true(hello->slices[3].id == 10 && hello->slices[3].parts == 6);
    assert_true(hello->slices[0].parts == 0 && hello->slices[0].share_thousandths == 333);
    done(&r);
    slice[3].n_parts = 3; /* one of them twice: what that is, the fleet refuses */
    assert_true(read(&r, &m));
    assert_int_equal(r.batch.hello.slices[3].parts, 6);
    done(&r);
    slice[1].id = 8; /* one that is not there */
    slice[3].n_parts = 2;
    assert_true(read(&r, &m));
    assert_int_equal(r.batch.hello.slices[3].parts, 0);
    done(&r);
    h.protocol_max = 2; /* it knew of no sizes */
    assert_true(read(&r, &m));
    assert_int_equal(r.batch.hello.slices[0].share_thousandths, 500);
    done(&r);
}

static void news_of_leases_are_read(void **state SL_UNUSED)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Started started = SLUICE__NODE__V1__STARTED__INIT, *starteds = &started;
    Sluice__Node__V1__Returned returned = SLUICE__NODE__V1__RETURNED__INIT, *returneds = &returned;
    Sluice__Node__V1__Result results[3], *list[3];
    Sluice__Node__V1__Tensor out = SLUICE__NODE__V1__TENSOR__INIT, *outs = &out;
    int64_t shape[1] = {2};
    struct rig r;
    for (int i = 0; i < 3; i++) {
        sluice__node__v1__result__init(&results[i]);
        list[i] = &results[i];
    }
    m.session = 1;
    m.n_started = m.n_returned = 1;
    m.started = &starteds;
    m.returned = &returneds;
    m.n_results = 3;
    m.results = list;
    m.draining = true;
    m.bulk_taken_bytes = 77;
    started.lease = 10;
    returned.lease = 11;
    results[0].lease = 12;
    results[0].payload = (ProtobufCBinaryData){8, (uint8_t *)TEXT("12345678")};
    results[0].held_us = 5000;
    results[0].started = true;
    results[0].run_us = 9000;
    results[0].run_calls = 3;
    results[0].run_place = 1;
    results[0].n_outputs = 1;
    results[0].outputs = &outs;
    out.name = TEXT("OUT");
    out.datatype = TEXT("FP32");
    out.n_shape = 1;
    out.shape = shape;
    out.offset_bytes = 1;
    out.length_bytes = 8;
    results[1].lease = 13;
    results[1].reason = TEXT("OUT_OF_MEMORY");
    results[1].text = TEXT("no room");
    results[2].lease = 14;
    results[2].reason = TEXT("SOMETHING_NEW");
    results[2].payload_bytes = 1 << 30;
    assert_true(read(&r, &m));
    const struct gw_node_batch *b = &r.batch;
    assert_true(!b->has_hello && b->is_draining && b->bulk_taken_bytes == 77);
    assert_true(b->started_count == 1 && b->started[0] == 10);
    assert_true(b->returned_count == 1 && b->returned[0] == 11);
    assert_int_equal(b->result_count, 3);
    assert_true(b->results[0].result.lease == 12 && b->results[0].result.reason == SL_REASON_OK);
    assert_true(b->results[0].result.was_started && b->results[0].result.held_us == 5000);
    assert_int_equal(b->results[0].result.run_us, 9000);
    assert_int_equal(b->results[0].result.run_calls, 3);
    assert_int_equal(b->results[0].result.run_place, 1);
    assert_span_text(b->results[0].inline_payload, "12345678");
    const struct gw_result_output *o = &b->results[0].result.outputs[0];
    assert_span_text(o->name, "OUT");
    assert_true(o->dtype == SL_DTYPE_FP32 && o->rank == 1 && o->dims[0] == 2);
    assert_true(o->payload_offset == 1 && o->bytes == 8);
    assert_int_equal(b->results[1].result.reason, SL_REASON_OUT_OF_MEMORY);
    assert_span_text(b->results[1].result.text, "no room");
    assert_int_equal(b->results[2].result.reason, SL_REASON_INTERNAL);
    assert_int_equal(b->results[2].bulk_bytes, 1 << 30);
    done(&r);
    int64_t many[17] = {0};
    out.n_shape = 17;
    out.shape = many;
    assert_false(read(&r, &m));
    done(&r);
}

static void leases_that_ended_are_read(void **state SL_UNUSED)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Ended e = SLUICE__NODE__V1__ENDED__INIT, *ended[2] = {&e, &e};
    uint8_t call[16] = {1, 2, 3};
    struct rig r;
    m.session = 7;
    m.n_ended = 2;
    m.ended = ended;
    e.record = 5 << 16;
    e.gateway_run = UINT64_MAX;
    e.lease = 9;
    e.call_id = (ProtobufCBinaryData){sizeof call, call};
    e.model = TEXT("m");
    e.slice = 3;
    e.held_us = UINT64_MAX;
    e.reason = TEXT("EXECUTOR_LOST");
    e.started_at_us = 17;
    e.ended_at_us = 18;
    assert_true(read(&r, &m));
    assert_int_equal(r.batch.ended_count, 2);
    const struct gw_ended *one = &r.batch.ended[1];
    assert_true(one->record == 5 << 16 && one->gateway_run == UINT64_MAX && one->lease == 9);
    assert_memory_equal(one->call_id, call, sizeof call);
    assert_span_text(one->model, "m");
    assert_true(one->slice == 3 && one->held_us == INT64_MAX / 1000);
    assert_int_equal(one->reason, SL_REASON_EXECUTOR_LOST);
    assert_true(one->started_at == 17 && one->ended_at == 18);
    done(&r);
    e.call_id.len = 15;
    assert_false(read(&r, &m));
    done(&r);
    e.call_id.len = 0;
    e.record = 0;
    assert_false(read(&r, &m));
    done(&r);
}

static void a_batch_without_a_session_is_refused(void **state SL_UNUSED)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    struct rig r;
    assert_false(read(&r, &m));
    done(&r);
    m.session = 1;
    assert_true(read(&r, &m));
    done(&r);
}

/* A small message of very many parts must not become much memory. */
static void the_arena_bounds_what_a_batch_may_become(void **state SL_UNUSED)
{
    enum { PARTS = 400000 };
    uint8_t *bytes = malloc(2 + 2 * PARTS), *p = bytes;
    struct sl_arena arena;
    struct gw_node_batch batch;
    *p++ = 0x08;
    *p++ = 1;
    for (int i = 0; i < PARTS; i++) { /* an empty Started */
        *p++ = 0x1a;
        *p++ = 0;
    }
    sl_arena_init(&arena, &sl_alloc_malloc, 8 << 20);
    assert_false(gw_link_read_batch(sl_span_of(bytes, 2 + 2 * PARTS), &arena, &batch));
    sl_arena_finish(&arena);
    free(bytes);
}

static void garbage_is_survived(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 81);
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)sl_rng_below(&rng, 60);
        uint8_t *bytes = malloc(len + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)sl_rng_below(&rng, sl_rng_below(&rng, 2) ? 256 : 80);
        if (len > 2 && sl_rng_below(&rng, 2)) {
            bytes[0] = 0x08;
            bytes[1] = 1;
        }
        struct sl_arena arena;
        struct gw_node_batch batch;
        struct gw_bulk_header h;
        sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
        if (gw_link_read_batch(sl_span_of(bytes, len), &arena, &batch))
            assert_true(batch.session != 0);
        if (gw_link_read_bulk(sl_span_of(bytes, len), &h))
            assert_true(h.session != 0);
        sl_arena_finish(&arena);
        free(bytes);
    }
}

static void bulk_headers_go_there_and_back(void **state SL_UNUSED)
{
    const struct gw_bulk_header cases[] = {{1, 0, 0, 0, {0}},
                                           {2, 3, 4, 5, {0}},
                                           {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, {0}}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        uint8_t bytes[GW_BULK_HEADER_MAX];
        struct gw_bulk_header back;
        size_t len = gw_link_write_bulk(&cases[i], bytes);
        assert_true(len <= sizeof bytes);
        assert_true(gw_link_read_bulk(sl_span_of(bytes, len), &back));
        assert_memory_equal(&back, &cases[i], sizeof back);
        Sluice__Node__V1__BulkHeader *m = sluice__node__v1__bulk_header__unpack(NULL, len, bytes);
        assert_non_null(m);
        assert_true(m->session == cases[i].session && m->lease == cases[i].lease &&
                    m->offset_bytes == cases[i].offset_bytes &&
                    m->total_bytes == cases[i].total_bytes);
        sluice__node__v1__bulk_header__free_unpacked(m, NULL);
        for (size_t cut = 0; cut < len; cut++)
            (void)gw_link_read_bulk(sl_span_of(bytes, cut), &back);
        assert_false(gw_link_read_bulk(sl_span_of(bytes, len - 1), &back));
    }
}

static void the_newest_common_version_is_taken(void **state SL_UNUSED)
{
    enum { MIN = GW_LINK_PROTOCOL_MIN, MAX = GW_LINK_PROTOCOL_MAX };
    assert_int_equal(gw_link_negotiate(MIN, MAX), MAX);
    assert_int_equal(gw_link_negotiate(0, MAX + 9), MAX); /* an executor that speaks more */
    assert_int_equal(gw_link_negotiate(0, MIN), MIN);
    assert_int_equal(gw_link_negotiate(MAX, UINT32_MAX), MAX);
    assert_int_equal(gw_link_negotiate(MAX + 1, MAX + 2), 0); /* newer */
    assert_int_equal(gw_link_negotiate(0, MIN - 1), 0);       /* older */
    assert_int_equal(gw_link_negotiate(MAX, MIN - 1), 0);     /* nonsense */
}

/* ---- writing */

static Sluice__Node__V1__GatewayBatch *unpack(const struct sl_buf *b)
{
    Sluice__Node__V1__GatewayBatch *m =
        sluice__node__v1__gateway_batch__unpack(NULL, b->len, b->data);
    assert_non_null(m);
    return m;
}

static void a_batch_is_the_sum_of_its_parts(void **state SL_UNUSED)
{
    const struct gw_welcome w = {5, sl_span_str("token"), 1, 2, 3, 4, "/run/x.fds", 11};
    const uint64_t records[] = {1 << 16, UINT64_MAX, 3};
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, ROOM);
    assert_ok(gw_link_put_session(&b, 42));
    assert_ok(gw_link_put_welcome(&b, &w));
    assert_ok(gw_link_put_cancel(&b, 7));
    assert_ok(gw_link_put_refuse(&b, "no", true));
    assert_ok(gw_link_put_cancel(&b, 8));
    assert_ok(gw_link_put_call_back(&b, 12));
    assert_ok(gw_link_put_heartbeat(&b, 9));
    assert_ok(gw_link_put_call_back(&b, UINT64_MAX));
    assert_ok(gw_link_put_taken(&b, 10));
    assert_ok(gw_link_put_acknowledged(&b, records, 2));
    assert_ok(gw_link_put_acknowledged(&b, &records[2], 1));
    Sluice__Node__V1__GatewayBatch *m = unpack(&b);
    assert_int_equal(m->session, 42);
    assert_int_equal(m->welcome->protocol, 5);
    assert_int_equal(m->welcome->run, 11);
    assert_int_equal(m->n_acknowledged, 3);
    assert_memory_equal(m->acknowledged, records, sizeof records);
    assert_int_equal(m->welcome->bulk_token.len, 5);
    assert_memory_equal(m->welcome->bulk_token.data, "token", 5);
    assert_true(m->welcome->bulk_window_bytes == 1 && m->welcome->inline_max_bytes == 2);
    assert_true(m->welcome->heartbeat_every_ms == 3 && m->welcome->lost_after_ms == 4);
    assert_string_equal(m->refuse->text, "no");
    assert_true(m->refuse->greet_again);
    assert_int_equal(m->n_cancels, 2);
    assert_true(m->cancels[0]->lease == 7 && m->cancels[1]->lease == 8);
    assert_int_equal(m->n_called_back, 2);
    assert_true(m->called_back[0] == 12 && m->called_back[1] == UINT64_MAX);
    assert_int_equal(m->heartbeat->sequence, 9);
    assert_int_equal(m->bulk_taken_bytes, 10);
    sluice__node__v1__gateway_batch__free_unpacked(m, NULL);
    sl_buf_finish(&b);
}

/* A request for a model with inputs A FP32 [2] (raw or typed as it lies) and B UINT8 [2] (converted
 * when typed). */
struct sending {
    struct infer_builder b;
    struct sl_arena arena;
    struct gw_peek peek;
    struct gw_plan plan;
    struct gw_body *message, *converted;
    struct gw_fleet_slice slice;
    struct gw_dispatch d;
};

static const struct gw_tensor_spec inputs[] = {{"A", SL_DTYPE_FP32, {2}, 1},
                                               {"B", SL_DTYPE_UINT8, {2}, 1}};
static const struct gw_tensor_spec outputs[] = {{"X", SL_DTYPE_FP32, {2}, 1},
                                                {"Y", SL_DTYPE_FP32, {2}, 1}};
static const struct gw_model_spec model = {.name = "m",
                                           .version = "3",
                                           .engine = "fake",
                                           .inputs = inputs,
                                           .input_count = 2,
                                           .outputs = outputs,
                                           .output_count = 2,
                                           .problem = ""};

static void begin_sending(struct sending *s, bool is_typed)
{
    static const float a[2] = {1, 2};
    static const int64_t dims[1] = {2};
    *s = (struct sending){0};
    infer_begin(&s->b, "m");
    infer_input_tensor *in_a = infer_input(&s->b, "A", "FP32", 1, dims);
    infer_input_tensor *in_b = infer_input(&s->b, "B", "UINT8", 1, dims);
    if (is_typed) {
        Inference__InferTensorContents *c = infer_contents(&s->b, in_a);
        c->n_fp32_contents = 2;
        c->fp32_contents = infer_copy(&s->b, a, sizeof a);
        c = infer_contents(&s->b, in_b);
        c->n_uint_contents = 2;
        c->uint_contents = infer_copy(&s->b, (uint32_t[]){8, 9}, 2 * sizeof(uint32_t));
    } else {
        infer_raw(&s->b, a, sizeof a);
        infer_raw(&s->b, "\x08\x09", 2);
    }
}

static void plan_sending(struct sending *s)
{
    struct sl_error err = {0};
    s->message = infer_body(&s->b);
    sl_arena_init(&s->arena, &sl_alloc_malloc, 1 << 20);
    gw_peek_init(&s->peek, &s->arena);
    assert_true(gw_peek_feed(&s->peek, s->message->data, s->message->len, s->message->len, &err));
    assert_true(gw_plan_make(&s->plan, &s->peek, s->message->data, &model, ROOM, &s->arena, &err));
    if (s->plan.converted_bytes > 0) {
        s->converted = gw_body_create(&sl_alloc_malloc, (size_t)s->plan.converted_bytes);
        assert_true(gw_plan_convert(&s->plan, s->message->data, s->converted->data, &err));
    }
    s->slice.id = 5;
    s->d = (struct gw_dispatch){.lease = 77,
                                .slice = &s->slice,
                                .limit_us = 1234,
                                .cpu_hint = 3,
                                .plan = &s->plan,
                                .peek = &s->peek,
                                .message = s->message,
                                .converted = s->converted,
                                .call_id = "the-call",
                                .traceparent = sl_span_str("00-trace")};
}

static void end_sending(struct sending *s)
{
    gw_body_release(s->message);
    gw_body_release(s->converted);
    sl_arena_finish(&s->arena);
    infer_end(&s->b);
}

static void check_tensors(const Sluice__Node__V1__Dispatch *d)
{
    static const float a[2] = {1, 2};
    assert_int_equal(d->n_inputs, 2);
    assert_string_equal(d->inputs[0]->name, "A");
    assert_string_equal(d->inputs[0]->datatype, "FP32");
    assert_true(d->inputs[0]->n_shape == 1 && d->inputs[0]->shape[0] == 2);
    assert_true(d->inputs[0]->length_bytes == 8 && d->inputs[1]->length_bytes == 2);
    if (d->payload.len == 0)
        return;
    assert_memory_equal(d->payload.data + d->inputs[0]->offset_bytes, a, sizeof a);
    assert_memory_equal(d->payload.data + d->inputs[1]->offset_bytes, "\x08\x09", 2);
}

static void a_dispatch_says_all_that_the_node_needs(void **state SL_UNUSED)
{
    for (int is_typed = 0; is_typed <= 1; is_typed++)
        for (int is_inline = 0; is_inline <= 1; is_inline++) {
            struct sending s;
            struct sl_buf b;
            begin_sending(&s, is_typed);
            plan_sending(&s);
            sl_buf_init(&b, &sl_alloc_malloc, ROOM);
            assert_ok(gw_link_put_dispatch(&b, &s.d, NULL, is_inline ? ROOM : 1, &s.arena));
            Sluice__Node__V1__GatewayBatch *m = unpack(&b);
            const Sluice__Node__V1__Dispatch *d = m->dispatches[0];
            assert_true(d->lease == 77 && d->slice == 5 && d->limit_us == 1234);
            assert_int_equal(d->cpu_hint, 3);
            assert_string_equal(d->model, "m");
            assert_string_equal(d->version, "3");
            assert_string_equal(d->call_id, "the-call");
            assert_string_equal(d->traceparent, "00-trace");
            assert_int_equal(d->n_outputs, 0); /* all of them */
            uint64_t bytes = gw_plan_payload_bytes(&s.plan);
            assert_int_equal(d->payload.len, is_inline ? bytes : 0);
            assert_int_equal(d->payload_bytes, is_inline ? 0 : bytes);
            check_tensors(d);
            sluice__node__v1__gateway_batch__free_unpacked(m, NULL);
            sl_buf_finish(&b);
            end_sending(&s);
        }
}

static Inference__InferParameter *param(struct sending *s, const char *name, unsigned kind)
{
    Inference__InferParameter *p = infer_param(&s->b, name);
    p->parameter_choice_case = (Inference__InferParameter__ParameterChoiceCase)kind;
    return p;
}

static void parameters_and_chosen_outputs_are_passed_on(void **state SL_UNUSED)
{
    struct sending s;
    struct sl_buf b;
    begin_sending(&s, false);
    infer_output(&s.b, "Y");
    param(&s, "b", INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM)->bool_param = true;
    param(&s, "i", INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM)->int64_param = -5;
    infer_param_string(&s.b, "sluice_duration", "5"); /* ours, not the model's */
    param(&s, "u", INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM)->uint64_param =
        UINT64_MAX;
    param(&s, "d", INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM)->double_param = 0.5;
    infer_param_string(&s.b, "s", "text");
    plan_sending(&s);
    sl_buf_init(&b, &sl_alloc_malloc, ROOM);
    assert_ok(gw_link_put_dispatch(&b, &s.d, NULL, ROOM, &s.arena));
    Sluice__Node__V1__GatewayBatch *m = unpack(&b);
    const Sluice__Node__V1__Dispatch *d = m->dispatches[0];
    assert_int_equal(d->n_outputs, 1);
    assert_string_equal(d->outputs[0], "Y");
    assert_int_equal(d->n_parameters, 5);
    assert_string_equal(d->parameters[0]->name, "b");
    assert_true(d->parameters[0]->bool_value);
    assert_int_equal(d->parameters[1]->int64_value, -5);
    assert_string_equal(d->parameters[2]->name, "u");
    assert_true(d->parameters[2]->uint64_value == UINT64_MAX);
    assert_true(d->parameters[3]->double_value == 0.5);
    assert_string_equal(d->parameters[4]->string_value, "text");
    sluice__node__v1__gateway_batch__free_unpacked(m, NULL);
    sl_buf_finish(&b);
    end_sending(&s);
}

static void what_has_no_room_leaves_the_buffer_as_it_was(void **state SL_UNUSED)
{
    struct sending s;
    begin_sending(&s, false);
    plan_sending(&s);
    for (size_t max = 2;; max++) {
        struct sl_buf b;
        sl_buf_init(&b, &sl_alloc_malloc, max);
        assert_ok(gw_link_put_session(&b, 1));
        size_t before = b.len;
        sl_status st = gw_link_put_dispatch(&b, &s.d, NULL, ROOM, &s.arena);
        if (st != SL_OK) {
            assert_status(st, SL_ETOOBIG);
            assert_int_equal(b.len, before);
        }
        sl_buf_finish(&b);
        if (st == SL_OK)
            break;
    }
    struct sl_arena none;
    struct sl_buf b;
    sl_arena_init(&none, &sl_alloc_malloc, 16);
    sl_buf_init(&b, &sl_alloc_malloc, ROOM);
    assert_status(gw_link_put_dispatch(&b, &s.d, NULL, ROOM, &none), SL_ENOMEM);
    assert_int_equal(b.len, 0);
    sl_arena_finish(&none);
    end_sending(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_says_what_the_node_has),
        cmocka_unit_test(a_hello_says_which_slices_are_one),
        cmocka_unit_test(news_of_leases_are_read),
        cmocka_unit_test(leases_that_ended_are_read),
        cmocka_unit_test(a_batch_without_a_session_is_refused),
        cmocka_unit_test(the_arena_bounds_what_a_batch_may_become),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(bulk_headers_go_there_and_back),
        cmocka_unit_test(the_newest_common_version_is_taken),
        cmocka_unit_test(a_batch_is_the_sum_of_its_parts),
        cmocka_unit_test(a_dispatch_says_all_that_the_node_needs),
        cmocka_unit_test(parameters_and_chosen_outputs_are_passed_on),
        cmocka_unit_test(what_has_no_room_leaves_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
