/* test_gw_infer_reply.c - the pieces of a reply, put together, are the ModelInferResponse that
 * protobuf-c reads; results that do not fit the model or their payload are refused. */
#include "gw_infer_reply.h"

#include <stdlib.h>

#include "inference/inference.pb-c.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct gw_tensor_spec specs[] = {{"X", SL_DTYPE_FP32, {-1, 2}, 2},
                                              {"Y", SL_DTYPE_UINT8, {-1}, 1},
                                              {"S", SL_DTYPE_INT64, {0}, 0}};
static const struct gw_model_spec model = {.name = "trio",
                                           .version = "7",
                                           .engine = "fake",
                                           .outputs = specs,
                                           .output_count = 3,
                                           .problem = ""};

/* A result with X of shape [rows,2], Y of [count] and S, laid out one after the other in
 * `bytes`. */
struct rig {
    struct sl_arena arena;
    size_t order[3];
    struct gw_plan plan;
    struct gw_result_output outputs[3];
    int64_t dims[2][2];
    uint8_t bytes[1024];
    struct sl_span pieces[64];
    struct gw_result_payload payload;
    struct gw_reply_message reply;
    struct sl_error err;
};

static void begin(struct rig *r, int64_t rows, int64_t count)
{
    *r = (struct rig){.order = {0, 1, 2}, .dims = {{rows, 2}, {count, 0}}};
    uint64_t x = (uint64_t)rows * 8, y = (uint64_t)count;
    sl_arena_init(&r->arena, &sl_alloc_malloc, 1 << 16);
    r->plan = (struct gw_plan){.model = &model, .outputs = r->order, .output_count = 3};
    r->outputs[0] = (struct gw_result_output){sl_span_str("X"), SL_DTYPE_FP32, r->dims[0], 2, 0, x};
    r->outputs[1] =
        (struct gw_result_output){sl_span_str("Y"), SL_DTYPE_UINT8, r->dims[1], 1, x, y};
    r->outputs[2] = (struct gw_result_output){sl_span_str("S"), SL_DTYPE_INT64, NULL, 0, x + y, 8};
    for (size_t i = 0; i < sizeof r->bytes; i++)
        r->bytes[i] = (uint8_t)(i * 7 + 1);
    r->pieces[0] = sl_span_of(r->bytes, (size_t)(x + y + 8));
    r->payload = (struct gw_result_payload){r->pieces, 1, x + y + 8};
}

static void end(struct rig *r)
{
    sl_arena_finish(&r->arena);
}

static bool make(struct rig *r)
{
    return gw_infer_reply(&r->plan, sl_span_str("id-1"), r->outputs, 3, &r->payload, &r->arena,
                          &r->reply, &r->err);
}

static Inference__ModelInferResponse *decode(const struct gw_reply_message *reply)
{
    uint8_t *all = malloc((size_t)reply->total_bytes + 1), *p = all;
    for (size_t i = 0; i < reply->piece_count; i++) {
        memcpy(p, reply->pieces[i].data, reply->pieces[i].len);
        p += reply->pieces[i].len;
    }
    assert_int_equal(p - all, reply->total_bytes);
    Inference__ModelInferResponse *m =
        inference__model_infer_response__unpack(NULL, (size_t)(p - all), all);
    free(all);
    assert_non_null(m);
    return m;
}

static void check_reply(const struct rig *r)
{
    Inference__ModelInferResponse *m = decode(&r->reply);
    assert_string_equal(m->model_name, "trio");
    assert_string_equal(m->model_version, "7");
    assert_string_equal(m->id, "id-1");
    assert_int_equal(m->n_outputs, r->plan.output_count);
    assert_int_equal(m->n_raw_output_contents, r->plan.output_count);
    for (size_t k = 0; k < m->n_outputs; k++) {
        const struct gw_result_output *want = &r->outputs[r->plan.outputs[k]];
        assert_span_text(want->name, m->outputs[k]->name);
        assert_string_equal(m->outputs[k]->datatype, sl_dtype_name(want->dtype));
        assert_int_equal(m->outputs[k]->n_shape, want->rank);
        for (size_t i = 0; i < want->rank; i++)
            assert_int_equal(m->outputs[k]->shape[i], want->dims[i]);
        assert_int_equal(m->raw_output_contents[k].len, want->bytes);
        if (want->bytes > 0)
            assert_memory_equal(m->raw_output_contents[k].data, r->bytes + want->payload_offset,
                                want->bytes);
    }
    inference__model_infer_response__free_unpacked(m, NULL);
}

static void a_reply_is_what_was_asked_for_in_order(void **state SL_UNUSED)
{
    static const size_t orders[][3] = {{0, 1, 2}, {2, 0, 1}, {1, 0, 2}, {2, 1, 0}};
    for (size_t i = 0; i < SL_ARRAY_LEN(orders); i++)
        for (size_t count = 0; count <= 3; count++) {
            struct rig r;
            begin(&r, 3, 5);
            memcpy(r.order, orders[i], sizeof r.order);
            r.plan.output_count = count;
            assert_true(make(&r));
            check_reply(&r);
            end(&r);
        }
}

static void tensor_bytes_go_out_where_they_lie(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 4, 4);
    assert_true(make(&r));
    size_t by_reference = 0;
    for (size_t i = 0; i < r.reply.piece_count; i++)
        if (r.reply.pieces[i].data >= r.bytes && r.reply.pieces[i].data < r.bytes + sizeof r.bytes)
            by_reference += r.reply.pieces[i].len;
    assert_int_equal(by_reference, r.payload.total_bytes);
    end(&r);
}

static void empty_tensors_have_empty_contents(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 0, 0);
    assert_true(make(&r));
    check_reply(&r);
    end(&r);
}

/* Cut the payload at random places, empty pieces included. */
static void a_payload_may_come_in_many_pieces(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 31);
    for (int round = 0; round < 2000; round++) {
        struct rig r;
        begin(&r, (int64_t)sl_rng_below(&rng, 6), (int64_t)sl_rng_below(&rng, 40));
        size_t at = 0, total = (size_t)r.payload.total_bytes, n = 0;
        while (at < total && n < 62) {
            size_t len = (size_t)sl_rng_below(&rng, total - at + 1);
            r.pieces[n++] = sl_span_of(r.bytes + at, len);
            at += len;
        }
        r.pieces[n++] = sl_span_of(r.bytes + at, total - at);
        r.payload.piece_count = n;
        assert_true(make(&r));
        check_reply(&r);
        end(&r);
    }
}

static void assert_refused(struct rig *r, enum sl_reason reason, const char *sentence)
{
    assert_false(make(r));
    assert_string_equal(r->err.text, sentence);
    assert_int_equal(r->err.reason, reason);
    end(r);
}

static void a_missing_output_is_named(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 1, 1);
    r.outputs[1].name = sl_span_str("Y2");
    assert_refused(&r, SL_REASON_MODEL_ERROR, "model 'trio' did not give output 'Y'");
}

static void outputs_that_are_not_the_models_are_refused(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 1, 1);
    r.outputs[1].dtype = SL_DTYPE_INT8;
    assert_refused(&r, SL_REASON_MODEL_ERROR,
                   "model 'trio' gave output 'Y' as INT8 [1] of 1 bytes, which is not what its "
                   "model.yaml says");
    begin(&r, 1, 1);
    r.outputs[0].rank = 1;
    assert_refused(&r, SL_REASON_MODEL_ERROR,
                   "model 'trio' gave output 'X' as FP32 [1] of 8 bytes, which is not what its "
                   "model.yaml says");
    begin(&r, 1, 1);
    r.dims[0][1] = 3;
    assert_refused(&r, SL_REASON_MODEL_ERROR,
                   "model 'trio' gave output 'X' as FP32 [1,3] of 8 bytes, which is not what its "
                   "model.yaml says");
    begin(&r, 1, 1);
    r.dims[0][0] = -1;
    assert_refused(&r, SL_REASON_MODEL_ERROR,
                   "model 'trio' gave output 'X' as FP32 [-1,2] of 8 bytes, which is not what its "
                   "model.yaml says");
    begin(&r, 1, 1);
    r.outputs[0].bytes = 7;
    assert_refused(&r, SL_REASON_MODEL_ERROR,
                   "model 'trio' gave output 'X' as FP32 [1,2] of 7 bytes, which is not what its "
                   "model.yaml says");
}

static void places_outside_the_payload_are_refused(void **state SL_UNUSED)
{
    static const uint64_t offsets[] = {11, 1000, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < SL_ARRAY_LEN(offsets); i++) {
        struct rig r;
        begin(&r, 1, 1);
        r.outputs[2].payload_offset = offsets[i];
        assert_refused(&r, SL_REASON_INTERNAL,
                       "the executor placed output 'S' outside its payload");
    }
}

/* Every output over the whole of a payload of many pieces: more pieces than an honest result
 * has. */
static void overlapping_outputs_do_not_overflow(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 4, 32);
    for (size_t i = 0; i < 32; i++)
        r.pieces[i] = sl_span_of(r.bytes + i, 1);
    r.payload = (struct gw_result_payload){r.pieces, 32, 32};
    r.outputs[0].payload_offset = r.outputs[1].payload_offset = 0;
    r.outputs[2].payload_offset = 24;
    assert_refused(&r, SL_REASON_INTERNAL, "the executor let outputs overlap in its payload");
}

/* The bytes are never touched: they go out by reference. */
static void a_reply_over_4_gib_is_refused(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, 1, 1);
    r.dims[1][0] = UINT32_MAX;
    r.outputs[1].bytes = UINT32_MAX;
    r.outputs[2].payload_offset = r.outputs[1].payload_offset + UINT32_MAX;
    r.payload.total_bytes = r.outputs[2].payload_offset + 8;
    r.pieces[0] = sl_span_of(r.bytes, (size_t)r.payload.total_bytes);
    assert_false(make(&r));
    assert_int_equal(r.err.reason, SL_REASON_TOO_LARGE);
    assert_non_null(strstr(r.err.text, "a gRPC message has at most 4294967295"));
    end(&r);
}

static void no_memory_is_said(void **state SL_UNUSED)
{
    for (size_t max = 0;; max += 16) {
        struct rig r;
        begin(&r, 2, 2);
        sl_arena_finish(&r.arena);
        sl_arena_init(&r.arena, &sl_alloc_malloc, max);
        bool ok = make(&r);
        if (!ok)
            assert_int_equal(r.err.reason, SL_REASON_NO_CAPACITY);
        end(&r);
        if (ok)
            break;
        assert_true(max < 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_what_was_asked_for_in_order),
        cmocka_unit_test(tensor_bytes_go_out_where_they_lie),
        cmocka_unit_test(empty_tensors_have_empty_contents),
        cmocka_unit_test(a_payload_may_come_in_many_pieces),
        cmocka_unit_test(a_missing_output_is_named),
        cmocka_unit_test(outputs_that_are_not_the_models_are_refused),
        cmocka_unit_test(places_outside_the_payload_are_refused),
        cmocka_unit_test(overlapping_outputs_do_not_overflow),
        cmocka_unit_test(a_reply_over_4_gib_is_refused),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
