/* test_gw_infer_contents.c - typed contents become the same bytes that a raw tensor would have, in
 * every way in which protobuf may write them. */
#include "gw_infer_contents.h"

#include <stdlib.h>

#include "gw_pb.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum layout { PACKED, UNPACKED, SPLIT, MIXED, LAYOUT_COUNT };
enum { ROOM = 8192 };

/* Written apart from the table under test: the protocol's own words (inference.proto). */
static uint32_t field_of(enum sl_dtype t)
{
    switch (t) {
    case SL_DTYPE_BOOL:
        return 1;
    case SL_DTYPE_INT8:
    case SL_DTYPE_INT16:
    case SL_DTYPE_INT32:
        return 2;
    case SL_DTYPE_INT64:
        return 3;
    case SL_DTYPE_UINT8:
    case SL_DTYPE_UINT16:
    case SL_DTYPE_UINT32:
        return 4;
    case SL_DTYPE_UINT64:
        return 5;
    case SL_DTYPE_FP32:
        return 6;
    case SL_DTYPE_FP64:
        return 7;
    default:
        return 0;
    }
}

static const enum sl_dtype numeric[] = {SL_DTYPE_BOOL,   SL_DTYPE_UINT8,  SL_DTYPE_UINT16,
                                        SL_DTYPE_UINT32, SL_DTYPE_UINT64, SL_DTYPE_INT8,
                                        SL_DTYPE_INT16,  SL_DTYPE_INT32,  SL_DTYPE_INT64,
                                        SL_DTYPE_FP32,   SL_DTYPE_FP64};

static bool is_float(enum sl_dtype t)
{
    return t == SL_DTYPE_FP32 || t == SL_DTYPE_FP64;
}

static bool is_signed(enum sl_dtype t)
{
    return t >= SL_DTYPE_INT8 && t <= SL_DTYPE_INT64;
}

/* The bits of a value of this type, and as a varint field holds them (sign-extended). */
static uint64_t random_value(struct sl_rng *rng, enum sl_dtype t)
{
    unsigned bits = 8 * (unsigned)sl_dtype_bytes(t);
    uint64_t v = sl_rng_u64(rng) >> sl_rng_below(rng, 64);
    if (t == SL_DTYPE_BOOL)
        return v & 1;
    if (sl_rng_below(rng, 8) == 0)
        v = sl_rng_below(rng, 2) ? UINT64_MAX : UINT64_C(1) << (bits - 1); /* the ends */
    v &= UINT64_MAX >> (64 - bits);
    if (is_signed(t) && bits < 64 && v >> (bits - 1))
        v |= UINT64_MAX << bits;
    return v;
}

static uint8_t *put_element(uint8_t *p, enum sl_dtype t, uint64_t v)
{
    if (!is_float(t))
        return gw_pb_put_varint(p, v);
    memcpy(p, &v, sl_dtype_bytes(t));
    return p + sl_dtype_bytes(t);
}

static uint8_t *put_packed(uint8_t *p, enum sl_dtype t, const uint64_t *values, size_t n)
{
    uint8_t content[ROOM], *q = content;
    for (size_t i = 0; i < n; i++)
        q = put_element(q, t, values[i]);
    return gw_pb_put_bytes(p, field_of(t), sl_span_of(content, (size_t)(q - content)));
}

static uint8_t *put_unpacked(uint8_t *p, enum sl_dtype t, const uint64_t *values, size_t n)
{
    unsigned wire = t == SL_DTYPE_FP32   ? GW_PB_FIXED32
                    : t == SL_DTYPE_FP64 ? GW_PB_FIXED64
                                         : GW_PB_VARINT;
    for (size_t i = 0; i < n; i++) {
        p = gw_pb_put_varint(p, field_of(t) << 3 | wire);
        p = put_element(p, t, values[i]);
    }
    return p;
}

static size_t encode(uint8_t *out, enum sl_dtype t, const uint64_t *values, size_t n,
                     enum layout how)
{
    uint8_t *p = out;
    size_t half = n / 2;
    switch (how) {
    case UNPACKED:
        return (size_t)(put_unpacked(p, t, values, n) - out);
    case SPLIT:
        p = put_packed(p, t, values, half);
        return (size_t)(put_packed(p, t, values + half, n - half) - out);
    case MIXED:
        p = put_unpacked(p, t, values, half);
        return (size_t)(put_packed(p, t, values + half, n - half) - out);
    default:
        return (size_t)(put_packed(p, t, values, n) - out);
    }
}

/* The contents as raw bytes by the way a caller goes; NULL with err set. */
static uint8_t *to_raw(struct sl_span contents, enum sl_dtype t, struct gw_contents_count *count,
                       struct sl_error *err)
{
    *err = (struct sl_error){0};
    if (!gw_contents_count(contents, t, sl_span_str("IN"), count, err))
        return NULL;
    uint8_t *raw = malloc(count->raw_bytes + 1); /* exact but for one: ASan sees the rest */
    if (count->is_contiguous)
        memcpy(raw, contents.data + count->raw_at, count->raw_bytes);
    else if (!gw_contents_write(contents, t, sl_span_str("IN"), raw, err)) {
        free(raw);
        return NULL;
    }
    return raw;
}

static void every_datatype_and_layout_gives_the_raw_tensor(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (int round = 0; round < 4000; round++) {
        enum sl_dtype t = numeric[sl_rng_below(&rng, SL_ARRAY_LEN(numeric))];
        enum layout how = (enum layout)sl_rng_below(&rng, LAYOUT_COUNT);
        size_t n = (size_t)sl_rng_below(&rng, 40);
        uint64_t values[40];
        uint8_t contents[ROOM];
        for (size_t i = 0; i < n; i++)
            values[i] = random_value(&rng, t);
        size_t len = encode(contents, t, values, n, how);
        struct gw_contents_count count;
        struct sl_error err;
        uint8_t *raw = to_raw(sl_span_of(contents, len), t, &count, &err);
        if (raw == NULL)
            fail_msg("%s: %s", sl_dtype_name(t), err.text);
        assert_int_equal(count.elements, n);
        assert_int_equal(count.raw_bytes, n * sl_dtype_bytes(t));
        if (how == PACKED || n > 1)
            assert_int_equal(count.is_contiguous, is_float(t) && how == PACKED);
        for (size_t i = 0; i < n; i++)
            assert_memory_equal(raw + i * sl_dtype_bytes(t), &values[i], sl_dtype_bytes(t));
        free(raw);
    }
}

static void bytes_elements_get_their_lengths(void **state SL_UNUSED)
{
    static const uint8_t wanted[] = {3, 0, 0, 0, 'a', 0, 'c', 0, 0, 0, 0, 1, 0, 0, 0, 'z'};
    uint8_t contents[64], *p = contents;
    p = gw_pb_put_bytes(p, 8, sl_span_of("a\0c", 3));
    p = gw_pb_put_bytes(p, 8, sl_span_of("", 0));
    p = gw_pb_put_bytes(p, 8, sl_span_of("z", 1));
    struct gw_contents_count count;
    struct sl_error err;
    uint8_t *raw =
        to_raw(sl_span_of(contents, (size_t)(p - contents)), SL_DTYPE_BYTES, &count, &err);
    assert_non_null(raw);
    assert_int_equal(count.elements, 3);
    assert_int_equal(count.raw_bytes, sizeof wanted);
    assert_memory_equal(raw, wanted, sizeof wanted);
    assert_ok(sl_bytes_tensor_check(sl_span_of(raw, sizeof wanted), 3));
    free(raw);
}

static void any_true_is_one(void **state SL_UNUSED)
{
    static const uint64_t said[] = {0, 1, 7, UINT64_MAX};
    uint8_t contents[64];
    size_t len = encode(contents, SL_DTYPE_BOOL, said, 4, PACKED);
    struct gw_contents_count count;
    struct sl_error err;
    uint8_t *raw = to_raw(sl_span_of(contents, len), SL_DTYPE_BOOL, &count, &err);
    assert_non_null(raw);
    assert_memory_equal(raw, "\0\1\1\1", 4);
    free(raw);
}

/* ---- refusals */

static void assert_refused(struct sl_span contents, enum sl_dtype t, const char *sentence)
{
    struct gw_contents_count count;
    struct sl_error err;
    assert_null(to_raw(contents, t, &count, &err));
    assert_int_equal(err.reason, SL_REASON_BAD_INPUT);
    assert_string_equal(err.text, sentence);
}

static void assert_value_refused(enum sl_dtype t, uint64_t v, const char *sentence)
{
    for (int how = 0; how < LAYOUT_COUNT; how++) {
        uint8_t contents[64];
        size_t len = encode(contents, t, &v, 1, (enum layout)how);
        assert_refused(sl_span_of(contents, len), t, sentence);
    }
}

static void values_that_do_not_fit_are_named(void **state SL_UNUSED)
{
    assert_value_refused(SL_DTYPE_UINT8, 300, "input 'IN' has the value 300, which is no UINT8");
    assert_value_refused(SL_DTYPE_UINT8, 256, "input 'IN' has the value 256, which is no UINT8");
    assert_value_refused(SL_DTYPE_UINT16, 65536,
                         "input 'IN' has the value 65536, which is no UINT16");
    assert_value_refused(SL_DTYPE_UINT32, UINT64_C(1) << 32,
                         "input 'IN' has the value 4294967296, which is no UINT32");
    assert_value_refused(SL_DTYPE_INT8, (uint64_t)-129,
                         "input 'IN' has the value -129, which is no INT8");
    assert_value_refused(SL_DTYPE_INT8, 128, "input 'IN' has the value 128, which is no INT8");
    assert_value_refused(SL_DTYPE_INT16, 32768,
                         "input 'IN' has the value 32768, which is no INT16");
    assert_value_refused(SL_DTYPE_INT16, (uint64_t)-32769,
                         "input 'IN' has the value -32769, which is no INT16");
    assert_value_refused(SL_DTYPE_INT32, (uint64_t)INT64_C(-2147483649),
                         "input 'IN' has the value -2147483649, which is no INT32");
    assert_value_refused(SL_DTYPE_INT32, UINT64_C(2147483648),
                         "input 'IN' has the value 2147483648, which is no INT32");
}

static void the_wrong_field_is_named_with_the_right_one(void **state SL_UNUSED)
{
    const uint64_t one = 1;
    uint8_t contents[64];
    size_t len = encode(contents, SL_DTYPE_INT32, &one, 1, PACKED);
    assert_refused(sl_span_of(contents, len), SL_DTYPE_FP32,
                   "input 'IN' is FP32, whose typed contents are fp32_contents, not int_contents");
    assert_refused(
        sl_span_of(contents, len), SL_DTYPE_INT64,
        "input 'IN' is INT64, whose typed contents are int64_contents, not int_contents");
    len = encode(contents, SL_DTYPE_UINT64, &one, 1, PACKED);
    assert_refused(
        sl_span_of(contents, len), SL_DTYPE_UINT8,
        "input 'IN' is UINT8, whose typed contents are uint_contents, not uint64_contents");
    static const uint8_t unknown[] = {0x48, 1};
    assert_refused(
        sl_span_of(unknown, sizeof unknown), SL_DTYPE_BYTES,
        "input 'IN' is BYTES, whose typed contents are bytes_contents, not an unknown field");
}

static void half_precision_has_no_typed_form(void **state SL_UNUSED)
{
    assert_refused(sl_span_of(NULL, 0), SL_DTYPE_FP16,
                   "input 'IN': FP16 has no typed contents, send it in raw_input_contents");
    assert_refused(sl_span_of(NULL, 0), SL_DTYPE_BF16,
                   "input 'IN': BF16 has no typed contents, send it in raw_input_contents");
}

static void garbled_contents_are_refused(void **state SL_UNUSED)
{
    static const uint8_t half_float[] = {0x32, 3, 0, 0, 0};
    static const uint8_t cut_varint[] = {0x12, 2, 1, 0x80};
    static const uint8_t eleven[] = {0x12, 11,   0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x80, 0};
    static const uint8_t as_fixed[] = {0x15, 1, 0, 0, 0};
    static const uint8_t cut_off[] = {0x12, 9, 1};
    assert_refused(sl_span_of(half_float, sizeof half_float), SL_DTYPE_FP32,
                   "the typed contents of input 'IN' are garbled");
    assert_refused(sl_span_of(cut_varint, sizeof cut_varint), SL_DTYPE_INT32,
                   "the typed contents of input 'IN' are garbled");
    assert_refused(sl_span_of(eleven, sizeof eleven), SL_DTYPE_INT32,
                   "the typed contents of input 'IN' are garbled");
    assert_refused(sl_span_of(as_fixed, sizeof as_fixed), SL_DTYPE_INT32,
                   "the typed contents of input 'IN' are garbled");
    assert_refused(sl_span_of(cut_off, sizeof cut_off), SL_DTYPE_INT32,
                   "the typed contents of input 'IN' are cut off");
}

/* What was counted is never passed when it is written, whatever the bytes. */
static void random_contents_keep_to_their_count(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 12);
    for (int round = 0; round < 20000; round++) {
        enum sl_dtype t = (enum sl_dtype)(1 + sl_rng_below(&rng, SL_DTYPE_COUNT - 1));
        size_t len = (size_t)sl_rng_below(&rng, 30);
        uint8_t contents[64];
        for (size_t i = 0; i < len; i++)
            contents[i] = (uint8_t)sl_rng_below(&rng, sl_rng_below(&rng, 2) ? 256 : 16);
        uint32_t field = t == SL_DTYPE_BYTES ? 8 : field_of(t);
        if (len >= 2 && field != 0) {
            contents[0] = (uint8_t)(field << 3 | GW_PB_BYTES);
            contents[1] = (uint8_t)sl_rng_below(&rng, len);
        }
        struct gw_contents_count count;
        struct sl_error err;
        uint8_t *raw = to_raw(sl_span_of(contents, len), t, &count, &err);
        assert_int_equal(raw == NULL, err.reason == SL_REASON_BAD_INPUT);
        free(raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_datatype_and_layout_gives_the_raw_tensor),
        cmocka_unit_test(bytes_elements_get_their_lengths),
        cmocka_unit_test(any_true_is_one),
        cmocka_unit_test(values_that_do_not_fit_are_named),
        cmocka_unit_test(the_wrong_field_is_named_with_the_right_one),
        cmocka_unit_test(half_precision_has_no_typed_form),
        cmocka_unit_test(garbled_contents_are_refused),
        cmocka_unit_test(random_contents_keep_to_their_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
