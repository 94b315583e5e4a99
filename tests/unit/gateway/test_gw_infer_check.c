/* test_gw_infer_check.c - a request against its model: what fits becomes a plan whose payload is
 * the tensors, what does not is refused with the name, the value and what was expected. */
#include "gw_infer_check.h"

#include <stdlib.h>

#include "infer_builder.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define DIMS(...)                                                                                  \
    (const int64_t[])                                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct gw_tensor_spec pair_inputs[] = {{"A", SL_DTYPE_FP32, {-1, 2}, 2},
                                                    {"B", SL_DTYPE_UINT8, {-1}, 1}};
static const struct gw_tensor_spec pair_outputs[] = {
    {"X", SL_DTYPE_FP32, {-1}, 1}, {"Y", SL_DTYPE_FP32, {-1}, 1}, {"Z", SL_DTYPE_FP32, {-1}, 1}};
static const struct gw_model_spec pair = {.name = "pair",
                                          .version = "1",
                                          .engine = "fake",
                                          .inputs = pair_inputs,
                                          .input_count = 2,
                                          .outputs = pair_outputs,
                                          .output_count = 3,
                                          .problem = ""};

/* One input of the given type and shape, no output. */
struct one {
    struct gw_tensor_spec input;
    struct gw_model_spec model;
};

static const struct gw_model_spec *model_of(struct one *o, enum sl_dtype t, size_t rank)
{
    o->input = (struct gw_tensor_spec){.name = "IN", .dtype = t, .rank = rank};
    for (size_t i = 0; i < rank; i++)
        o->input.dims[i] = -1;
    o->model = (struct gw_model_spec){
        .name = "one", .version = "1", .engine = "fake", .inputs = &o->input, .input_count = 1};
    return &o->model;
}

struct checked {
    struct sl_arena arena;
    struct sl_span message;
    struct gw_peek peek;
    struct gw_plan plan;
    struct sl_error err;
    uint8_t *payload;
};

enum { MAX_BYTES = 1 << 20 };

static bool check(struct checked *c, struct infer_builder *b, const struct gw_model_spec *model)
{
    *c = (struct checked){.message = infer_bytes(b)};
    sl_arena_init(&c->arena, &sl_alloc_malloc, 1 << 20);
    gw_peek_init(&c->peek, &c->arena);
    assert_true(gw_peek_feed(&c->peek, c->message.data, c->message.len, c->message.len, &c->err));
    if (!gw_plan_make(&c->plan, &c->peek, c->message.data, model, MAX_BYTES, &c->arena, &c->err))
        return false;
    uint8_t *converted = malloc((size_t)c->plan.converted_bytes + 1);
    bool ok = gw_plan_convert(&c->plan, c->message.data, converted, &c->err);
    if (ok) {
        size_t part = c->plan.message_part.length;
        c->payload = malloc((size_t)gw_plan_payload_bytes(&c->plan) + 1);
        memcpy(c->payload, c->message.data + c->plan.message_part.offset, part);
        memcpy(c->payload + part, converted, (size_t)c->plan.converted_bytes);
    }
    free(converted);
    return ok;
}

static void done(struct checked *c, struct infer_builder *b)
{
    free(c->payload);
    sl_arena_finish(&c->arena);
    infer_end(b);
}

static void assert_refused_as(struct infer_builder *b, const struct gw_model_spec *model,
                              enum sl_reason reason, const char *sentence)
{
    struct checked c;
    assert_false(check(&c, b, model));
    assert_string_equal(c.err.text, sentence);
    assert_int_equal(c.err.reason, reason);
    done(&c, b);
}

static void assert_refused(struct infer_builder *b, const struct gw_model_spec *model,
                           const char *sentence)
{
    assert_refused_as(b, model, SL_REASON_BAD_INPUT, sentence);
}

static void assert_input(const struct checked *c, size_t i, const void *bytes, size_t len)
{
    const struct gw_plan_input *in = &c->plan.inputs[i];
    assert_int_equal(in->bytes, len);
    assert_true(in->payload_offset + in->bytes <= gw_plan_payload_bytes(&c->plan));
    if (len > 0)
        assert_memory_equal(c->payload + in->payload_offset, bytes, len);
}

static const float a_values[4] = {1.5f, -2.0f, 3.25f, 1e-9f};
static const uint8_t b_values[3] = {7, 0, 255};

/* Both inputs of `pair`, raw, in the order asked for. */
static void raw_pair(struct infer_builder *b, bool b_first)
{
    infer_begin(b, "pair");
    for (int i = 0; i < 2; i++) {
        bool is_b = (i == 0) == b_first;
        infer_input(b, is_b ? "B" : "A", is_b ? "UINT8" : "FP32", is_b ? 1 : 2,
                    is_b ? DIMS(3) : DIMS(2, 2));
        infer_raw(b, is_b ? (const void *)b_values : a_values,
                  is_b ? sizeof b_values : sizeof a_values);
    }
}

/* ---- what fits */

static void raw_tensors_are_planned_in_the_models_order(void **state SL_UNUSED)
{
    for (int b_first = 0; b_first <= 1; b_first++) {
        struct infer_builder b;
        struct checked c;
        raw_pair(&b, b_first);
        assert_true(check(&c, &b, &pair));
        assert_input(&c, 0, a_values, sizeof a_values);
        assert_input(&c, 1, b_values, sizeof b_values);
        assert_int_equal(c.plan.converted_bytes, 0);
        assert_true(c.plan.message_part.length < sizeof a_values + sizeof b_values + 8);
        assert_int_equal(c.plan.inputs[0].said->dims[0], 2);
        done(&c, &b);
    }
}

static void typed_floats_are_used_where_they_lie(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    infer_begin(&b, "pair");
    Inference__InferTensorContents *t =
        infer_contents(&b, infer_input(&b, "A", "FP32", 2, DIMS(2, 2)));
    t->n_fp32_contents = 4;
    t->fp32_contents = infer_copy(&b, a_values, sizeof a_values);
    t = infer_contents(&b, infer_input(&b, "B", "UINT8", 1, DIMS(3)));
    t->n_uint_contents = 3;
    t->uint_contents = infer_copy(&b, (uint32_t[]){7, 0, 255}, 3 * sizeof(uint32_t));
    assert_true(check(&c, &b, &pair));
    assert_false(c.plan.inputs[0].is_converted);
    assert_true(c.plan.inputs[1].is_converted);
    assert_int_equal(c.plan.converted_bytes, 3);
    assert_int_equal(c.plan.message_part.length, sizeof a_values);
    assert_input(&c, 0, a_values, sizeof a_values);
    assert_input(&c, 1, b_values, sizeof b_values);
    done(&c, &b);
}

static void outputs_are_those_asked_for_in_that_order(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    raw_pair(&b, false);
    assert_true(check(&c, &b, &pair));
    assert_int_equal(c.plan.output_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c.plan.outputs[i], i);
    done(&c, &b);
    raw_pair(&b, false);
    infer_output(&b, "Z");
    infer_output(&b, "X");
    assert_true(check(&c, &b, &pair));
    assert_int_equal(c.plan.output_count, 2);
    assert_int_equal(c.plan.outputs[0], 2);
    assert_int_equal(c.plan.outputs[1], 0);
    done(&c, &b);
}

static void tensors_without_elements_have_no_bytes(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    infer_begin(&b, "pair");
    infer_input(&b, "A", "FP32", 2, DIMS(0, 2));
    infer_raw(&b, "", 0);
    infer_input(&b, "B", "UINT8", 1, DIMS(0));
    infer_raw(&b, "", 0);
    assert_true(check(&c, &b, &pair));
    assert_int_equal(gw_plan_payload_bytes(&c.plan), 0);
    assert_input(&c, 0, NULL, 0);
    done(&c, &b);
    infer_begin(&b, "pair"); /* and typed, with no contents at all */
    infer_input(&b, "A", "FP32", 2, DIMS(0, 2));
    infer_input(&b, "B", "UINT8", 1, DIMS(0));
    assert_true(check(&c, &b, &pair));
    assert_int_equal(gw_plan_payload_bytes(&c.plan), 0);
    done(&c, &b);
}

static void a_scalar_has_one_element(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    struct one one;
    infer_begin(&b, "one");
    infer_input(&b, "IN", "INT16", 0, NULL);
    infer_raw(&b, "\x01\x02", 2);
    assert_true(check(&c, &b, model_of(&one, SL_DTYPE_INT16, 0)));
    assert_input(&c, 0, "\x01\x02", 2);
    done(&c, &b);
}

static void a_model_without_inputs_takes_none(void **state SL_UNUSED)
{
    static const struct gw_model_spec none = {.name = "none", .version = "1"};
    struct infer_builder b;
    struct checked c;
    infer_begin(&b, "none");
    assert_true(check(&c, &b, &none));
    assert_int_equal(gw_plan_payload_bytes(&c.plan), 0);
    done(&c, &b);
    infer_begin(&b, "none");
    infer_input(&b, "IN", "FP32", 0, NULL);
    assert_refused(&b, &none, "model 'none' has no input 'IN'");
}

/* Every datatype raw, with as many bytes as its shape says, one more and one less. */
static void raw_bytes_are_exactly_shape_times_datatype(void **state SL_UNUSED)
{
    static const uint8_t zeros[256];
    for (int t = SL_DTYPE_INVALID + 1; t < SL_DTYPE_BYTES; t++) {
        size_t exact = 6 * sl_dtype_bytes((enum sl_dtype)t);
        for (size_t len = exact - 1; len <= exact + 1; len++) {
            struct infer_builder b;
            struct checked c;
            struct one one;
            char wanted[200];
            const char *name = sl_dtype_name((enum sl_dtype)t);
            infer_begin(&b, "one");
            infer_input(&b, "IN", name, 2, DIMS(2, 3));
            infer_raw(&b, zeros, len);
            bool ok = check(&c, &b, model_of(&one, (enum sl_dtype)t, 2));
            assert_int_equal(ok, len == exact);
            snprintf(wanted, sizeof wanted,
                     "input 'IN' of shape [2,3] and datatype %s needs %zu bytes, %zu were sent",
                     name, exact, len);
            if (!ok)
                assert_string_equal(c.err.text, wanted);
            done(&c, &b);
        }
    }
}

/* ---- what does not fit */

static void names_are_checked(void **state SL_UNUSED)
{
    struct infer_builder b;
    raw_pair(&b, false);
    b.inputs[1]->name = (char *)(uintptr_t) "C";
    assert_refused(&b, &pair, "model 'pair' has no input 'C'");
    raw_pair(&b, false);
    b.inputs[1] = b.inputs[0];
    assert_refused(&b, &pair, "input 'A' is given twice");
    raw_pair(&b, false);
    b.request.n_inputs = b.request.n_raw_input_contents = 1;
    assert_refused(&b, &pair, "model 'pair' needs input 'B', which is missing");
    infer_begin(&b, "pair");
    assert_refused(&b, &pair, "model 'pair' needs input 'A', which is missing");
    raw_pair(&b, false);
    infer_output(&b, "W");
    assert_refused(&b, &pair, "model 'pair' has no output 'W'");
    raw_pair(&b, false);
    infer_output(&b, "X");
    infer_output(&b, "X");
    assert_refused(&b, &pair, "output 'X' is asked for twice");
}

static void datatypes_are_checked(void **state SL_UNUSED)
{
    static const char *const said[] = {"FP64", "fp32", "", "FLOAT"};
    for (size_t i = 0; i < SL_ARRAY_LEN(said); i++) {
        struct infer_builder b;
        char wanted[100];
        raw_pair(&b, false);
        b.inputs[0]->datatype = (char *)(uintptr_t)said[i];
        snprintf(wanted, sizeof wanted, "input 'A' has datatype '%s', the model takes FP32",
                 said[i]);
        assert_refused(&b, &pair, wanted);
    }
}

static void assert_shape_refused(size_t rank, const int64_t *dims, const char *sentence)
{
    struct infer_builder b;
    raw_pair(&b, false);
    b.inputs[0]->n_shape = rank;
    b.inputs[0]->shape = infer_copy(&b, dims, rank * sizeof *dims);
    assert_refused(&b, &pair, sentence);
}

static void shapes_are_checked(void **state SL_UNUSED)
{
    assert_shape_refused(2, DIMS(2, 3), "input 'A' has shape [2,3], the model takes [-1,2]");
    assert_shape_refused(1, DIMS(4), "input 'A' has shape [4], the model takes [-1,2]");
    assert_shape_refused(0, NULL, "input 'A' has shape [], the model takes [-1,2]");
    assert_shape_refused(2, DIMS(-1, 2),
                         "input 'A' has shape [-1,2]; dimensions are 0 or more and their product "
                         "fits 63 bits");
    assert_shape_refused(2, DIMS(INT64_MIN, 2),
                         "input 'A' has shape [-9223372036854775808,2]; dimensions are 0 or more "
                         "and their product fits 63 bits");
    assert_shape_refused(2, DIMS(INT64_C(1) << 62, 2),
                         "input 'A' has shape [4611686018427387904,2]; dimensions are 0 or more "
                         "and their product fits 63 bits");
    assert_shape_refused(2, DIMS(INT64_C(1) << 61, 2),
                         "input 'A' of shape [2305843009213693952,2] needs more bytes than can be "
                         "counted, 16 were sent");
}

static void raw_contents_are_for_each_input_or_none(void **state SL_UNUSED)
{
    struct infer_builder b;
    raw_pair(&b, false);
    b.request.n_raw_input_contents = 1;
    assert_refused(&b, &pair,
                   "the request has 2 inputs and 1 raw_input_contents; there is one for each "
                   "input, or none");
    raw_pair(&b, false);
    infer_raw(&b, "x", 1);
    assert_refused(&b, &pair,
                   "the request has 2 inputs and 3 raw_input_contents; there is one for each "
                   "input, or none");
    raw_pair(&b, false);
    infer_contents(&b, b.inputs[1]);
    assert_refused(&b, &pair,
                   "input 'B' has typed contents although the request has raw_input_contents; use "
                   "one of the two");
}

static void typed_contents_are_counted(void **state SL_UNUSED)
{
    struct infer_builder b;
    for (size_t n = 0; n <= 4; n++) {
        char wanted[100];
        infer_begin(&b, "pair");
        Inference__InferTensorContents *t =
            infer_contents(&b, infer_input(&b, "A", "FP32", 2, DIMS(1, 2)));
        t->n_fp32_contents = n;
        t->fp32_contents = infer_copy(&b, a_values, sizeof a_values);
        if (n == 2)
            snprintf(wanted, sizeof wanted, "model 'pair' needs input 'B', which is missing");
        else
            snprintf(wanted, sizeof wanted,
                     "input 'A' of shape [1,2] needs 2 elements, its contents have %zu", n);
        assert_refused(&b, &pair, wanted);
    }
}

static void typed_contents_of_another_datatype_are_refused(void **state SL_UNUSED)
{
    struct infer_builder b;
    infer_begin(&b, "pair");
    Inference__InferTensorContents *t =
        infer_contents(&b, infer_input(&b, "A", "FP32", 2, DIMS(1, 2)));
    t->n_fp64_contents = 2;
    t->fp64_contents = infer_room(&b, 2 * sizeof(double));
    memset(t->fp64_contents, 0, 2 * sizeof(double));
    assert_refused(&b, &pair,
                   "input 'A' is FP32, whose typed contents are fp32_contents, not fp64_contents");
}

static void a_value_out_of_range_is_found_when_converting(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct one one;
    infer_begin(&b, "one");
    Inference__InferTensorContents *t =
        infer_contents(&b, infer_input(&b, "IN", "UINT8", 1, DIMS(1)));
    t->n_uint_contents = 1;
    t->uint_contents = infer_copy(&b, (uint32_t[]){300}, sizeof(uint32_t));
    assert_refused(&b, model_of(&one, SL_DTYPE_UINT8, 1),
                   "input 'IN' has the value 300, which is no UINT8");
}

static void a_bool_is_0_or_1(void **state SL_UNUSED)
{
    static const struct gw_tensor_spec flags = {"F", SL_DTYPE_BOOL, {-1}, 1};
    static const struct gw_model_spec model = {.name = "m", .inputs = &flags, .input_count = 1};
    for (unsigned at = 0; at < 40; at++) {
        uint8_t bytes[40];
        char sentence[100];
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = i % 2;
        bytes[at] = (uint8_t)(2 + 6 * at);
        struct infer_builder b;
        infer_begin(&b, "m");
        infer_input(&b, "F", "BOOL", 1, (int64_t[]){40});
        infer_raw(&b, bytes, sizeof bytes);
        snprintf(sentence, sizeof sentence,
                 "input 'F' is BOOL, whose elements are 0 or 1; element %u is %u", at, bytes[at]);
        assert_refused(&b, &model, sentence);
        infer_end(&b);
    }
}

static void raw_bytes_elements_are_framed(void **state SL_UNUSED)
{
    static const uint8_t two[] = {1, 0, 0, 0, 'a', 0, 0, 0, 0};
    static const uint8_t lie[] = {1, 0, 0, 0, 'a', 9, 0, 0, 0};
    const struct {
        const uint8_t *raw;
        size_t len;
        int64_t elements;
        bool fits;
    } cases[] = {
        {two, 9, 2, true},  {two, 9, 1, false}, {two, 9, 3, false},         {two, 8, 2, false},
        {lie, 9, 2, false}, {two, 0, 0, true},  {two, 9, INT64_MAX, false}, {two, 3, 1, false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct infer_builder b;
        struct checked c;
        struct one one;
        infer_begin(&b, "one");
        infer_input(&b, "IN", "BYTES", 1, &cases[i].elements);
        infer_raw(&b, cases[i].raw, cases[i].len);
        assert_int_equal(check(&c, &b, model_of(&one, SL_DTYPE_BYTES, 1)), cases[i].fits);
        if (!cases[i].fits)
            assert_non_null(strstr(c.err.text, "input 'IN' is BYTES of "));
        done(&c, &b);
    }
}

/* What the first window shows is judged alone: inputs that are missing may still come. */
static void inputs_are_checked_before_their_bytes_are_there(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    raw_pair(&b, false);
    b.request.n_inputs = b.request.n_raw_input_contents = 1;
    assert_false(check(&c, &b, &pair));
    assert_true(gw_plan_check_inputs(&c.peek, c.message.data, &pair, &c.err));
    sl_arena_finish(&c.arena);
    b.inputs[0]->shape[1] = 3;
    assert_false(check(&c, &b, &pair));
    assert_false(gw_plan_check_inputs(&c.peek, c.message.data, &pair, &c.err));
    assert_string_equal(c.err.text, "input 'A' has shape [2,3], the model takes [-1,2]");
    done(&c, &b);
}

/* A byte of a varint may become eight: the limit stands on what comes out. */
static void converted_contents_have_a_limit(void **state SL_UNUSED)
{
    enum { COUNT = MAX_BYTES / 8 + 1 };
    struct infer_builder b;
    struct one one;
    infer_begin(&b, "one");
    Inference__InferTensorContents *t =
        infer_contents(&b, infer_input(&b, "IN", "UINT64", 1, DIMS(COUNT)));
    t->n_uint64_contents = COUNT;
    t->uint64_contents = infer_room(&b, COUNT * sizeof(uint64_t));
    memset(t->uint64_contents, 0, COUNT * sizeof(uint64_t));
    assert_refused_as(&b, model_of(&one, SL_DTYPE_UINT64, 1), SL_REASON_TOO_LARGE,
                      "the typed contents take 1048584 bytes as tensors, the limit is 1048576");
}

static void no_memory_is_said(void **state SL_UNUSED)
{
    struct infer_builder b;
    struct checked c;
    raw_pair(&b, false);
    assert_true(check(&c, &b, &pair));
    struct sl_arena tiny;
    sl_arena_init(&tiny, &sl_alloc_malloc, 8);
    assert_false(gw_plan_make(&c.plan, &c.peek, c.message.data, &pair, MAX_BYTES, &tiny, &c.err));
    assert_int_equal(c.err.reason, SL_REASON_NO_CAPACITY);
    sl_arena_finish(&tiny);
    done(&c, &b);
}

/* Random bytes in a request's place: a plan that is accepted lies inside the message. */
static void mutated_requests_never_plan_outside(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 21);
    for (int round = 0; round < 5000; round++) {
        struct infer_builder b;
        struct sl_arena arena;
        struct gw_peek peek;
        struct gw_plan plan;
        struct sl_error err;
        raw_pair(&b, round % 2 == 0);
        if (round % 3 == 0)
            b.request.n_raw_input_contents = 0;
        struct sl_span m = infer_bytes(&b);
        uint8_t *bytes = malloc(m.len);
        memcpy(bytes, m.data, m.len);
        for (uint64_t n = sl_rng_below(&rng, 3); n > 0; n--)
            bytes[sl_rng_below(&rng, m.len)] ^= (uint8_t)(1u << sl_rng_below(&rng, 8));
        sl_arena_init(&arena, &sl_alloc_malloc, 1 << 20);
        gw_peek_init(&peek, &arena);
        if (gw_peek_feed(&peek, bytes, m.len, m.len, &err) &&
            gw_plan_make(&plan, &peek, bytes, &pair, MAX_BYTES, &arena, &err)) {
            uint8_t *out = malloc((size_t)plan.converted_bytes + 1);
            assert_true(plan.message_part.offset + plan.message_part.length <= m.len);
            for (size_t i = 0; i < 2; i++)
                assert_true(plan.inputs[i].payload_offset + plan.inputs[i].bytes <=
                            gw_plan_payload_bytes(&plan));
            (void)gw_plan_convert(&plan, bytes, out, &err);
            free(out);
        }
        sl_arena_finish(&arena);
        free(bytes);
        infer_end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_tensors_are_planned_in_the_models_order),
        cmocka_unit_test(typed_floats_are_used_where_they_lie),
        cmocka_unit_test(outputs_are_those_asked_for_in_that_order),
        cmocka_unit_test(tensors_without_elements_have_no_bytes),
        cmocka_unit_test(a_scalar_has_one_element),
        cmocka_unit_test(a_model_without_inputs_takes_none),
        cmocka_unit_test(raw_bytes_are_exactly_shape_times_datatype),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(datatypes_are_checked),
        cmocka_unit_test(shapes_are_checked),
        cmocka_unit_test(raw_contents_are_for_each_input_or_none),
        cmocka_unit_test(typed_contents_are_counted),
        cmocka_unit_test(typed_contents_of_another_datatype_are_refused),
        cmocka_unit_test(a_value_out_of_range_is_found_when_converting),
        cmocka_unit_test(a_bool_is_0_or_1),
        cmocka_unit_test(raw_bytes_elements_are_framed),
        cmocka_unit_test(inputs_are_checked_before_their_bytes_are_there),
        cmocka_unit_test(converted_contents_have_a_limit),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(mutated_requests_never_plan_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
