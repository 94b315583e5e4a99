/* test_ex_record.c - jobs and results to bytes and back; cuts and bent bytes are survived. */
#include <stdlib.h>

#include "ex_record.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ROOM = EX_RECORD_HEAD_MAX + 4096 };

static struct ex_record_scratch *scratch;

static int make_scratch(void **state SL_UNUSED)
{
    scratch = malloc(sizeof(*scratch));
    return scratch == NULL;
}

static int drop_scratch(void **state SL_UNUSED)
{
    free(scratch);
    return 0;
}

/* As a ring would hold it: exactly len bytes, so that ASan sees a read beyond them. */
static struct sl_span exact(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    return sl_span_of(copy, len);
}

static void drop(struct sl_span s)
{
    free((void *)(uintptr_t)s.data);
}

/* ---- a job with everything in it */

static const int64_t dims_a[] = {2, 3};
static const int64_t dims_c[] = {0, 5};
static const struct ex_record_tensor inputs[] = {
    {.bytes = 24, .index = 2, .rank = 2, .dims = dims_a},
    {.offset = 128, .bytes = 1 << 20, .segment = 9, .index = 0, .rank = 0, .dims = dims_a},
    {.index = 63, .rank = 2, .dims = dims_c},
};
static const struct ex_param params[] = {
    {.name = "flag", .kind = EX_PARAM_BOOL, .value.b = true},
    {.name = "int", .kind = EX_PARAM_INT, .value.i = INT64_MIN},
    {.name = "uint", .kind = EX_PARAM_UINT, .value.u = UINT64_MAX},
    {.name = "double", .kind = EX_PARAM_DOUBLE, .value.d = -0.125},
    {.name = "text", .kind = EX_PARAM_STRING, .value.s = "gr\xc3\xbc\xc3\x9f"},
    {.name = "empty", .kind = EX_PARAM_STRING, .value.s = ""},
};

/* Writes it; its whole length. */
static size_t write_job(uint8_t *out)
{
    static struct ex_record_tensor placed[SL_ARRAY_LEN(inputs)];
    memcpy(placed, inputs, sizeof(inputs));
    const struct ex_job job = {
        .seq = 77,
        .wanted = 5,
        .call_id = "123e4567-e89b-12d3-a456-426614174000",
        .inputs = placed,
        .input_count = SL_ARRAY_LEN(placed),
        .params = params,
        .param_count = SL_ARRAY_LEN(params),
    };
    uint64_t end = ex_job_head_bytes(&job);
    assert_true(end > 0 && end % 8 == 0);
    assert_ok(ex_record_place(&placed[0], &end, ROOM));
    assert_ok(ex_job_encode(&job, out));
    return end;
}

static void assert_params_equal(const struct ex_job *job)
{
    assert_int_equal(job->param_count, SL_ARRAY_LEN(params));
    for (size_t i = 0; i < job->param_count; i++) {
        assert_string_equal(job->params[i].name, params[i].name);
        assert_int_equal(job->params[i].kind, params[i].kind);
    }
    assert_true(job->params[0].value.b);
    assert_true(job->params[1].value.i == INT64_MIN);
    assert_true(job->params[2].value.u == UINT64_MAX);
    assert_true(job->params[3].value.d == -0.125);
    assert_string_equal(job->params[4].value.s, "gr\xc3\xbc\xc3\x9f");
    assert_string_equal(job->params[5].value.s, "");
}

static void a_job_comes_back_whole(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    struct ex_job job;
    const struct sl_span record = exact(bytes, write_job(bytes));
    assert_ok(ex_job_decode(record, scratch, &job));
    assert_int_equal(job.seq, 77);
    assert_int_equal(job.wanted, 5);
    assert_string_equal(job.call_id, "123e4567-e89b-12d3-a456-426614174000");
    assert_int_equal(job.input_count, 3);
    assert_int_equal(job.inputs[0].index, 2);
    assert_int_equal(job.inputs[0].bytes, 24);
    assert_int_equal(job.inputs[0].offset % EX_RECORD_ALIGN, 0);
    assert_int_equal(job.inputs[0].offset + 24, record.len);
    assert_memory_equal(job.inputs[0].dims, dims_a, sizeof(dims_a));
    assert_int_equal(job.inputs[1].segment, 9);
    assert_int_equal(job.inputs[1].offset, 128);
    assert_int_equal(job.inputs[1].rank, 0);
    assert_int_equal(job.inputs[2].bytes, 0);
    assert_int_equal(job.inputs[2].index, 63);
    assert_memory_equal(job.inputs[2].dims, dims_c, sizeof(dims_c));
    assert_params_equal(&job);
    drop(record);
}

/* The layout is a contract with workers in other languages: these bytes may not change. */
static void the_layout_stands(void **state SL_UNUSED)
{
    static const int64_t dims[] = {4};
    static const struct ex_param param = {.name = "ab", .kind = EX_PARAM_STRING, .value.s = "xyz"};
    uint8_t bytes[256] = {0};
    struct ex_record_tensor input = {.bytes = 4, .index = 1, .rank = 1, .dims = dims};
    const struct ex_job job = {.seq = 0x0102,
                               .wanted = 3,
                               .call_id = "id",
                               .inputs = &input,
                               .input_count = 1,
                               .params = &param,
                               .param_count = 1};
    uint8_t wanted[136] = {[8] = 2,
                           [9] = 1,
                           [16] = 3,
                           [24] = 136,
                           [28] = 1,
                           [30] = 1,
                           [32] = 'i',
                           [33] = 'd',
                           /* input */
                           [80] = 192,
                           [88] = 4,
                           [100] = 1,
                           [102] = 1,
                           [104] = 4,
                           /* param */
                           [112] = 5,
                           [114] = 2,
                           [120] = 3,
                           [128] = 'a',
                           [129] = 'b',
                           [131] = 'x',
                           [132] = 'y',
                           [133] = 'z'};
    uint64_t end = ex_job_head_bytes(&job);
    assert_int_equal(end, 136);
    assert_ok(ex_record_place(&input, &end, 256));
    assert_ok(ex_job_encode(&job, bytes));
    assert_memory_equal(bytes, wanted, sizeof(wanted));
}

/* ---- results */

static size_t write_result(uint8_t *out, enum sl_reason reason, const char *text)
{
    static struct ex_record_tensor outputs[2];
    outputs[0] = (struct ex_record_tensor){.bytes = 100, .index = 0, .rank = 2, .dims = dims_a};
    outputs[1] = (struct ex_record_tensor){
        .bytes = 1000, .segment = 3, .index = 1, .rank = 2, .dims = dims_a};
    const struct ex_result result = {
        .seq = 5,
        .run_us = 1234567,
        .reason = reason,
        .text = text,
        .outputs = outputs,
        .output_count = reason == SL_REASON_OK ? 2 : 0,
    };
    uint64_t end = ex_result_head_bytes(&result);
    if (reason == SL_REASON_OK)
        assert_ok(ex_record_place(&outputs[0], &end, ROOM));
    assert_ok(ex_result_encode(&result, out));
    return end;
}

static void a_result_comes_back_whole(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    struct ex_result result;
    struct sl_span record = exact(bytes, write_result(bytes, SL_REASON_OK, ""));
    assert_ok(ex_result_decode(record, scratch, &result));
    assert_int_equal(result.seq, 5);
    assert_int_equal(result.run_us, 1234567);
    assert_int_equal(result.reason, SL_REASON_OK);
    assert_string_equal(result.text, "");
    assert_int_equal(result.output_count, 2);
    assert_int_equal(result.outputs[0].offset + 100, record.len);
    assert_int_equal(result.outputs[1].segment, 3);
    drop(record);

    record = exact(bytes, write_result(bytes, SL_REASON_OUT_OF_MEMORY, "no room"));
    assert_ok(ex_result_decode(record, scratch, &result));
    assert_int_equal(result.reason, SL_REASON_OUT_OF_MEMORY);
    assert_string_equal(result.text, "no room");
    assert_int_equal(result.output_count, 0);
    drop(record);
}

static void every_reason_comes_back(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    struct ex_result result;
    for (int r = SL_REASON_OK + 1; r < SL_REASON_COUNT; r++) {
        struct sl_span record = exact(bytes, write_result(bytes, (enum sl_reason)r, "x"));
        assert_ok(ex_result_decode(record, scratch, &result));
        assert_int_equal(result.reason, r);
        drop(record);
    }
}

static void long_texts_are_cut(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    static char text[2000];
    struct ex_result result;
    memset(text, 'x', sizeof(text) - 1);
    struct sl_span record = exact(bytes, write_result(bytes, SL_REASON_MODEL_ERROR, text));
    assert_ok(ex_result_decode(record, scratch, &result));
    assert_int_equal(strlen(result.text), EX_RECORD_TEXT_MAX);
    drop(record);
}

/* ---- what cannot be written */

static void limits_are_kept(void **state SL_UNUSED)
{
    static char long_text[EX_RECORD_HEAD_MAX + 1];
    struct ex_record_tensor many[EX_TENSORS_MAX + 1] = {0};
    struct ex_param param = {.name = "p", .kind = EX_PARAM_BOOL};
    struct ex_param params_many[EX_PARAMS_MAX + 1];
    struct ex_job job = {.seq = 1, .call_id = "x", .inputs = many, .params = &param};
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(params_many); i++)
        params_many[i] = param;
    assert_true(ex_job_head_bytes(&job) > 0);
    job.input_count = EX_TENSORS_MAX + 1;
    assert_int_equal(ex_job_head_bytes(&job), 0);
    job.input_count = 0;
    job.call_id = "123456789012345678901234567890123456789012345678";
    assert_int_equal(ex_job_head_bytes(&job), 0);
    job.call_id = "x";
    job.param_count = 1;
    param.name = "";
    assert_int_equal(ex_job_head_bytes(&job), 0);
    param.name = long_text + EX_RECORD_HEAD_MAX - EX_RECORD_PARAM_NAME_MAX - 1;
    assert_int_equal(ex_job_head_bytes(&job), 0);
    param.name++;
    assert_true(ex_job_head_bytes(&job) > 0);
    param = (struct ex_param){.name = "p", .kind = EX_PARAM_STRING, .value.s = long_text};
    assert_int_equal(ex_job_head_bytes(&job), 0);
    job.params = params_many;
    job.param_count = EX_PARAMS_MAX + 1;
    assert_int_equal(ex_job_head_bytes(&job), 0);
}

static void placing_keeps_to_the_end(void **state SL_UNUSED)
{
    struct ex_record_tensor t = {.bytes = 64};
    uint64_t end = 65;
    assert_status(ex_record_place(&t, &end, 191), SL_ETOOBIG);
    assert_int_equal(end, 65);
    assert_ok(ex_record_place(&t, &end, 192));
    assert_int_equal(t.offset, 128);
    assert_int_equal(end, 192);
    t.bytes = UINT64_MAX;
    assert_status(ex_record_place(&t, &end, 1 << 20), SL_ETOOBIG);
    t.bytes = 0;
    assert_ok(ex_record_place(&t, &end, 0));
    assert_int_equal(t.offset, 0);
    assert_int_equal(end, 192);
}

/* ---- what must not be read */

typedef sl_status (*decoder)(struct sl_span record);

static sl_status decode_job(struct sl_span record)
{
    struct ex_job job;
    return ex_job_decode(record, scratch, &job);
}

static sl_status decode_result(struct sl_span record)
{
    struct ex_result result;
    return ex_result_decode(record, scratch, &result);
}

static void every_cut_is_refused(const uint8_t *bytes, size_t len, decoder decode)
{
    for (size_t n = 0; n < len; n++) {
        const struct sl_span record = exact(bytes, n);
        assert_status(decode(record), SL_EPROTO);
        drop(record);
    }
}

/* Any one byte and any several bytes: refused or read, but nothing beyond the record is touched. */
static void noise_is_survived(const uint8_t *bytes, size_t len, decoder decode)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int round = 0; round < 40000; round++) {
        const struct sl_span record = exact(bytes, len);
        uint8_t *own = (uint8_t *)(uintptr_t)record.data;
        for (uint64_t n = 1 + sl_rng_below(&rng, 4); n > 0; n--)
            own[8 + sl_rng_below(&rng, len - 8)] = (uint8_t)sl_rng_u64(&rng);
        const sl_status s = decode(record);
        assert_true(s == SL_OK || s == SL_EPROTO);
        drop(record);
    }
}

static void cut_and_bent_records_are_survived(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    size_t len = write_job(bytes);
    every_cut_is_refused(bytes, len, decode_job);
    noise_is_survived(bytes, len, decode_job);
    len = write_result(bytes, SL_REASON_OK, "");
    every_cut_is_refused(bytes, len, decode_result);
    noise_is_survived(bytes, len, decode_result);
    len = write_result(bytes, SL_REASON_MODEL_ERROR, "some text");
    every_cut_is_refused(bytes, len, decode_result);
    noise_is_survived(bytes, len, decode_result);
}

/* One field of a good record changed: `width` bytes at `at`. */
struct bend {
    const char *why;
    size_t at;
    uint64_t value;
    size_t width;
};

static void refuse_each(const uint8_t *bytes, size_t len, decoder decode, const struct bend *bends,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sl_span record = exact(bytes, len);
        memcpy((uint8_t *)(uintptr_t)record.data + bends[i].at, &bends[i].value, bends[i].width);
        if (decode(record) != SL_EPROTO)
            fail_msg("accepted: %s", bends[i].why);
        drop(record);
    }
}

static void each_rule_of_a_job_is_checked(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    const size_t len = write_job(bytes);
    static const struct bend bends[] = {
        {"sequence 0", 8, 0, 8},
        {"head beyond the record", 24, 1 << 20, 4},
        {"head that ends in its fixed part", 24, 72, 4},
        {"head of an odd length", 24, 81, 4},
        {"too many inputs", 28, 65, 2},
        {"fewer inputs than there are", 28, 2, 2},
        {"too many params", 30, 65, 2},
        {"fewer params than there are", 30, 5, 2},
        {"call id without end", 79, 'x', 1},
        {"call id with a NUL within", 33, 0, 1},
        {"offset not aligned", 80, 513, 8},
        {"offset within the head", 80, 64, 8},
        {"offset beyond the record", 80, 1 << 20, 8},
        {"bytes beyond the record", 88, 25, 8},
        {"bytes that overflow", 88, UINT64_MAX, 8},
        {"two inputs of one index", 100, 0, 2},
        {"index too large", 100, 64, 2},
        {"rank too large", 102, 17, 2},
        {"negative dimension", 104, UINT64_MAX, 8},
        {"segment part that overflows", 128, UINT64_MAX - 63, 8},
        {"empty input with an offset", 144, 64, 8},
        {"empty input in a segment", 160, 1, 4},
        {"param of no kind", 184, 0, 1},
        {"param of an unknown kind", 184, 6, 1},
        {"param with something in its gap", 185, 1, 1},
        {"param without name", 186, 0, 2},
        {"param with a short name", 186, 3, 2},
        {"param with a long name", 186, 256, 2},
        {"param with something in its other gap", 188, 1, 4},
        {"bool that is 2", 192, 2, 8},
        {"param with something behind its name", 205, 1, 1},
    };
    refuse_each(bytes, len, decode_job, bends, SL_ARRAY_LEN(bends));
}

static void each_rule_of_a_result_is_checked(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    static const struct bend good[] = {
        {"head beyond the record", 24, 1 << 20, 4},
        {"too many outputs", 28, 65, 2},
        {"success with a text", 30, 1, 2},
        {"text beyond the head", 30, 400, 2},
        {"reason with something behind its end", 63, 'x', 1},
        {"offset within the head", 64, 0, 8},
        {"bytes beyond the record", 72, 101, 8},
        {"two outputs of one index", 84, 1, 2},
        {"something behind the text", 151, 1, 1},
    };
    static const struct bend failed[] = {
        {"text without end", 30, 6, 2},
        {"text with a NUL within", 66, 0, 1},
        {"failure with outputs", 28, 1, 2},
    };
    size_t len = write_result(bytes, SL_REASON_OK, "");
    refuse_each(bytes, len, decode_result, good, SL_ARRAY_LEN(good));
    len = write_result(bytes, SL_REASON_MODEL_ERROR, "no room");
    refuse_each(bytes, len, decode_result, failed, SL_ARRAY_LEN(failed));
}

static void an_unknown_reason_is_internal(void **state SL_UNUSED)
{
    static uint8_t bytes[ROOM];
    struct ex_result result;
    const size_t len = write_result(bytes, SL_REASON_MODEL_ERROR, "x");
    memcpy(bytes + 32, "MODEL_SORRY", 11);
    struct sl_span record = exact(bytes, len);
    assert_ok(ex_result_decode(record, scratch, &result));
    assert_int_equal(result.reason, SL_REASON_INTERNAL);
    drop(record);
    memset(bytes + 32, 0, 32);
    memcpy(bytes + 32, "OK", 2); /* a failure that calls itself a success */
    record = exact(bytes, len);
    assert_ok(ex_result_decode(record, scratch, &result));
    assert_int_equal(result.reason, SL_REASON_INTERNAL);
    drop(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_comes_back_whole),
        cmocka_unit_test(the_layout_stands),
        cmocka_unit_test(a_result_comes_back_whole),
        cmocka_unit_test(every_reason_comes_back),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(placing_keeps_to_the_end),
        cmocka_unit_test(cut_and_bent_records_are_survived),
        cmocka_unit_test(each_rule_of_a_job_is_checked),
        cmocka_unit_test(each_rule_of_a_result_is_checked),
        cmocka_unit_test(an_unknown_reason_is_internal),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
