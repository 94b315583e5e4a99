/* test_sluice_wire.c - requests encoded by reference, answers taken apart in place, error details. */
#include <stdlib.h>

#include "inference/inference.pb-c.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice_pb.h"
#include "sluice_status.h"
#include "sluice_wire.h"

typedef Inference__ModelInferRequest pb_request;
typedef Inference__ModelInferResponse pb_response;
typedef Inference__ModelInferResponse__InferOutputTensor pb_output;

/* The body's parts in one piece. */
static struct sl_buf flatten(const struct sluice_body *body)
{
    struct sl_buf flat;
    sl_buf_init(&flat, &sl_alloc_malloc, 1 << 20);
    for (size_t i = 0; i < body->part_count; i++)
        assert_ok(sl_buf_append(&flat, body->parts[i].data, body->parts[i].len));
    assert_int_equal(flat.len, body->total_bytes);
    return flat;
}

static struct sluice_request *sample_request(const float *numbers)
{
    static const struct sluice_bytes words[] = {{"ab", 2}, {NULL, 0}, {"c", 1}};
    struct sluice_request *r;

    assert_int_equal(sluice_request_create("m", "3", &r), SLUICE_OK);
    sluice_request_set_id(r, "call 7");
    sluice_request_add_input(r, "x", "FP32", (int64_t[]){2, 2}, 2, numbers, 16);
    sluice_request_add_bytes_input(r, "words", (int64_t[]){3}, 1, words, 3);
    sluice_request_add_input(r, "none", "INT8", (int64_t[]){0}, 1, NULL, 0);
    sluice_request_add_output(r, "y");
    sluice_request_add_parameter(
        r, &(struct sluice_parameter){"p", SLUICE_PARAMETER_INT64, {.int64 = -5}});
    sluice_request_add_parameter(
        r, &(struct sluice_parameter){"q", SLUICE_PARAMETER_STRING, {.string = "v"}});
    assert_int_equal(r->error.code, SLUICE_OK);
    return r;
}

static void a_request_is_what_protobuf_reads(void **state SL_UNUSED)
{
    static const float numbers[4] = {1, 2, 3, 4};
    struct sluice_request *r = sample_request(numbers);
    struct sluice_body body;

    sluice_body_init(&body);
    assert_ok(sluice_wire_put_infer(r, 1 << 20, &body));
    assert_ptr_equal(body.parts[1].data, numbers); /* not copied */
    struct sl_buf flat = flatten(&body);
    assert_int_equal(flat.data[0], 0);
    assert_int_equal(flat.data[4], flat.len - 5);
    pb_request *pb = inference__model_infer_request__unpack(NULL, flat.len - 5, flat.data + 5);
    assert_non_null(pb);
    assert_string_equal(pb->model_name, "m");
    assert_string_equal(pb->model_version, "3");
    assert_string_equal(pb->id, "call 7");
    assert_int_equal(pb->n_inputs, 3);
    assert_int_equal(pb->inputs[0]->shape[1], 2);
    assert_string_equal(pb->inputs[1]->datatype, "BYTES");
    assert_int_equal(pb->n_raw_input_contents, 3);
    assert_memory_equal(pb->raw_input_contents[0].data, numbers, 16);
    assert_int_equal(pb->raw_input_contents[1].len, 15);
    assert_memory_equal(pb->raw_input_contents[1].data, "\2\0\0\0ab\0\0\0\0\1\0\0\0c", 15);
    assert_int_equal(pb->raw_input_contents[2].len, 0);
    assert_string_equal(pb->outputs[0]->name, "y");
    assert_int_equal(pb->n_parameters, 2);
    assert_int_equal(pb->parameters[0]->value->int64_param, -5);
    assert_string_equal(pb->parameters[1]->value->string_param, "v");
    inference__model_infer_request__free_unpacked(pb, NULL);
    sl_buf_finish(&flat);
    sluice_body_finish(&body);
    sluice_request_destroy(r);
}

static void a_request_over_the_limit_is_refused(void **state SL_UNUSED)
{
    static const float numbers[4];
    struct sluice_request *r = sample_request(numbers);
    struct sluice_body body;

    sluice_body_init(&body);
    assert_ok(sluice_wire_put_infer(r, 1 << 20, &body));
    uint64_t exact = body.total_bytes - SLUICE_GRPC_PREFIX_BYTES;
    sluice_body_finish(&body);
    assert_ok(sluice_wire_put_infer(r, exact, &body));
    sluice_body_finish(&body);
    assert_status(sluice_wire_put_infer(r, exact - 1, &body), SL_ETOOBIG);
    sluice_body_finish(&body);
    sluice_request_destroy(r);
}

static void refusals_of_a_request(void **state SL_UNUSED)
{
    struct sluice_request *r;
    int64_t shape[2] = {2, 3};
    float data[6] = {0};

    sluice_request_create("m", NULL, &r);
    assert_int_equal(sluice_request_add_input(r, "", "FP32", shape, 2, data, 24), 3);
    assert_int_equal(sluice_request_add_input(r, "x", "FP33", shape, 2, data, 24), 3);
    assert_int_equal(sluice_request_add_input(r, "x", "FP32", shape, 2, data, 23), 3);
    assert_int_equal(sluice_request_add_input(r, "x", "FP32", shape, 17, data, 24), 3);
    assert_int_equal(sluice_request_add_input(r, "x", "FP32", (int64_t[]){-1}, 1, data, 24), 3);
    assert_int_equal(sluice_request_add_input(r, "x", "BYTES", (int64_t[]){1}, 1, "\5\0\0\0a", 5),
                     3);
    assert_int_equal(sluice_request_add_input(r, "x", "FP32", shape, 2, data, 24), SLUICE_OK);
    assert_int_equal(sluice_request_add_input(r, "x", "FP32", shape, 2, data, 24), 3);
    assert_int_equal(sluice_request_add_bytes_input(r, "b", (int64_t[]){2}, 1, NULL, 0), 3);
    assert_int_equal(sluice_request_set_id(r, "\xff"), 3);
    /* The first of all is kept. */
    assert_string_equal(r->error.message, "an input's name must be UTF-8 of 1 to 1024 bytes");
    sluice_request_clear(r);
    assert_int_equal(r->error.code, SLUICE_OK);
    for (int i = 0; i <= SLUICE_INPUTS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof(name), "i%d", i);
        assert_int_equal(sluice_request_add_input(r, name, "INT8", NULL, 0, "x", 1),
                         i < SLUICE_INPUTS_MAX ? SLUICE_OK : SLUICE_INVALID_ARGUMENT);
    }
    sluice_request_destroy(r);
    sluice_request_create("", "", &r);
    assert_int_equal(r->error.code, SLUICE_INVALID_ARGUMENT);
    sluice_request_destroy(r);
}

/* An answer of count outputs of FP32, each with elements elements, packed by protobuf-c. */
static struct sl_buf pack_answer(size_t count, size_t elements)
{
    pb_response pb = INFERENCE__MODEL_INFER_RESPONSE__INIT;
    pb_output outputs[8];
    pb_output *pointers[8];
    ProtobufCBinaryData raw[8];
    int64_t shape[1] = {(int64_t)elements};
    struct sl_buf out;

    pb.model_name = "model";
    pb.id = "id";
    for (size_t i = 0; i < count; i++) {
        inference__model_infer_response__infer_output_tensor__init(&outputs[i]);
        outputs[i].name = i == 0 ? "first" : "next";
        outputs[i].datatype = "FP32";
        outputs[i].n_shape = 1;
        outputs[i].shape = shape;
        pointers[i] = &outputs[i];
        raw[i].len = elements * 4;
        raw[i].data = calloc(elements + 1, 4);
        for (size_t j = 0; j < elements; j++)
            ((float *)(void *)raw[i].data)[j] = (float)(i * 1000 + j);
    }
    pb.n_outputs = pb.n_raw_output_contents = count;
    pb.outputs = pointers;
    pb.raw_output_contents = raw;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 20);
    assert_ok(sl_buf_reserve(&out, inference__model_infer_response__get_packed_size(&pb)));
    out.len = inference__model_infer_response__pack(&pb, out.data);
    for (size_t i = 0; i < count; i++)
        free(raw[i].data);
    return out;
}

/* The result with its message at block + bias. */
static struct sluice_result *receive(struct sl_span message, size_t bias)
{
    struct sluice_result *r = sluice_result_create();
    r->block = malloc(message.len + SLUICE_DATA_ALIGN);
    r->message = r->block + bias;
    r->message_len = message.len;
    if (message.len > 0)
        memcpy(r->message, message.data, message.len);
    return r;
}

static void an_answer_is_found_in_place_and_aligned(void **state SL_UNUSED)
{
    for (size_t bias = 0; bias < SLUICE_DATA_ALIGN; bias++) {
        struct sl_buf packed = pack_answer(3, 5);
        struct sluice_result *r = receive(sl_buf_span(&packed), bias);
        struct sluice_status why;
        assert_ok(sluice_wire_get_infer(r, &why));
        assert_string_equal(sluice_result_model_name(r), "model");
        assert_string_equal(sluice_result_id(r), "id");
        assert_int_equal(sluice_result_output_count(r), 3);
        for (size_t i = 0; i < 3; i++) {
            const struct sluice_tensor *t = sluice_result_output(r, i);
            assert_int_equal((uintptr_t)t->data % SLUICE_DATA_ALIGN, 0);
            assert_int_equal(t->bytes, 20);
            assert_float_equal(((const float *)t->data)[4], (float)(i * 1000 + 4), 0);
        }
        assert_null(sluice_result_output(r, 3));
        assert_non_null(sluice_result_output_named(r, "first"));
        assert_null(sluice_result_output_named(r, "absent"));
        assert_null(sluice_result_message(r).data);
        sluice_result_destroy(r);
        sl_buf_finish(&packed);
    }
}

static void the_first_raw_output_is_seen_as_soon_as_possible(void **state SL_UNUSED)
{
    struct sl_buf packed = pack_answer(1, 200);
    size_t at = packed.len - 800;

    for (size_t len = 0; len <= packed.len; len++)
        assert_int_equal(sluice_wire_raw_offset(sl_span_of(packed.data, len)), len < at ? 0 : at);
    sl_buf_finish(&packed);
}

static void broken_answers_are_refused_without_harm(void **state SL_UNUSED)
{
    struct sl_buf packed = pack_answer(2, 3);
    struct sluice_status why;
    struct sl_rng rng;
    size_t refused = 0;

    sl_rng_seed(&rng, 11);
    for (size_t len = 1; len < packed.len; len++) { /* cut anywhere */
        struct sluice_result *r = receive(sl_span_of(packed.data, len), 0);
        sl_status s = sluice_wire_get_infer(r, &why);
        assert_true(s == SL_OK || (s == SL_EPROTO && why.code == SLUICE_INTERNAL));
        sluice_result_destroy(r);
    }
    for (int i = 0; i < 20000; i++) { /* damaged anywhere */
        struct sluice_result *r = receive(sl_buf_span(&packed), 0);
        for (uint64_t n = 1 + sl_rng_below(&rng, 3); n > 0; n--)
            r->message[sl_rng_below(&rng, packed.len)] = (uint8_t)sl_rng_u64(&rng);
        refused += sluice_wire_get_infer(r, &why) != SL_OK;
        sluice_result_destroy(r);
    }
    assert_true(refused > 1000);
    sl_buf_finish(&packed);
}

static void wrong_sizes_are_named(void **state SL_UNUSED)
{
    struct sl_buf packed = pack_answer(1, 3);
    struct sluice_status why;

    /* The raw bytes say 12: make the shape say another number. */
    uint8_t *shape = memmem(packed.data, packed.len, "\x1a\x01\x03", 3);
    assert_non_null(shape);
    shape[2] = 4;
    struct sluice_result *r = receive(sl_buf_span(&packed), 0);
    assert_status(sluice_wire_get_infer(r, &why), SL_EPROTO);
    assert_non_null(strstr(why.message, "first has 12 bytes"));
    sluice_result_destroy(r);
    sl_buf_finish(&packed);
}

static void details_give_reason_and_pause(void **state SL_UNUSED)
{
    static const char details[] = "\x08\x08\x12\x01x"
                                  "\x1a\x47\x0a\x28type.googleapis.com/google.rpc.ErrorInfo\x12\x1b"
                                  "\x0a\x0aQUEUE_FULL\x1a\x0d\x0a\x05limit\x12\x04"
                                  "4000"
                                  "\x1a\x34\x0a\x28type.googleapis.com/"
                                  "google.rpc.RetryInfo\x12\x08\x0a\x06\x08\x02\x10\x80\xca\xb5";
    struct sluice_pairs_list pairs;
    struct sluice_status s;

    sluice_pairs_init(&pairs);
    sluice_status_clear(&s);
    sluice_wire_get_details(sl_span_of(details, sizeof(details) - 1), &s, &pairs);
    assert_string_equal(s.reason, "QUEUE_FULL");
    assert_string_equal(sluice_pairs_find(&pairs, "limit"), "4000");
    sluice_pairs_finish(&pairs);
    for (size_t len = 0; len < sizeof(details) - 1; len++) {
        sluice_wire_get_details(sl_span_of(details, len), &s, &pairs);
        sluice_pairs_finish(&pairs);
    }
}

static void varints_round_trip(void **state SL_UNUSED)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int64_t d = -1; d <= 1; d++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)d;
            uint64_t back;
            uint8_t bytes[SLUICE_PB_VARINT_MAX];
            size_t n = sluice_pb_put_varint(value, bytes);
            struct sl_span rest = sl_span_of(bytes, n);
            assert_ok(sluice_pb_varint(&rest, &back));
            assert_int_equal(rest.len, 0);
            assert_true(back == value);
            rest = sl_span_of(bytes, n - 1);
            assert_status(sluice_pb_varint(&rest, &back), SL_EPROTO);
        }
    }
}

static void pairs_are_bounded(void **state SL_UNUSED)
{
    struct sluice_pairs_list l;
    char big[SLUICE_PAIRS_BYTES_MAX + 1];

    memset(big, 'x', sizeof(big));
    sluice_pairs_init(&l);
    assert_status(sluice_pairs_add(&l, sl_span_of(big, sizeof(big)), sl_span_str("")), SL_EFULL);
    assert_ok(sluice_pairs_add(&l, sl_span_of(big, sizeof(big) - 1), sl_span_str("")));
    assert_status(sluice_pairs_add(&l, sl_span_str("a"), sl_span_str("")), SL_EFULL);
    sluice_pairs_finish(&l);
    for (int i = 0; i < SLUICE_PAIRS_MAX; i++)
        assert_ok(sluice_pairs_add(&l, sl_span_str("a"), sl_span_str("b")));
    assert_status(sluice_pairs_add(&l, sl_span_str("a"), sl_span_str("b")), SL_EFULL);
    sluice_pairs_finish(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_protobuf_reads),
        cmocka_unit_test(a_request_over_the_limit_is_refused),
        cmocka_unit_test(refusals_of_a_request),
        cmocka_unit_test(an_answer_is_found_in_place_and_aligned),
        cmocka_unit_test(the_first_raw_output_is_seen_as_soon_as_possible),
        cmocka_unit_test(broken_answers_are_refused_without_harm),
        cmocka_unit_test(wrong_sizes_are_named),
        cmocka_unit_test(details_give_reason_and_pause),
        cmocka_unit_test(varints_round_trip),
        cmocka_unit_test(pairs_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
