/* test_sl_dtype.c - the protocol's datatypes, and shapes whose products would wrap. */
#include "sl_base.h"
#include "sl_dtype.h"
#include "sl_rng.h"
#include "sl_test.h"

static void names_and_widths(void **state SL_UNUSED)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {
        {"BOOL", 1}, {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4}, {"UINT64", 8},
        {"INT8", 1}, {"INT16", 2}, {"INT32", 4},  {"INT64", 8},  {"FP16", 2},
        {"FP32", 4}, {"FP64", 8},  {"BF16", 2},   {"BYTES", 0},
    };
    assert_int_equal(SL_ARRAY_LEN(types), SL_DTYPE_COUNT - 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++) {
        enum sl_dtype t = sl_dtype_from_name(sl_span_str(types[i].name));
        assert_int_not_equal(t, SL_DTYPE_INVALID);
        assert_string_equal(sl_dtype_name(t), types[i].name);
        assert_int_equal(sl_dtype_bytes(t), types[i].bytes);
    }
}

static void unknown_types(void **state SL_UNUSED)
{
    static const char *const unknown[] = {"", "fp32", "FP32 ", "FP3", "FP322", "INVALID", "STRING"};
    for (size_t i = 0; i < SL_ARRAY_LEN(unknown); i++)
        assert_int_equal(sl_dtype_from_name(sl_span_str(unknown[i])), SL_DTYPE_INVALID);
    assert_int_equal(sl_dtype_from_name(sl_span_of("FP32\0", 5)), SL_DTYPE_INVALID);
    assert_string_equal(sl_dtype_name(SL_DTYPE_INVALID), "INVALID");
    assert_string_equal(sl_dtype_name(SL_DTYPE_COUNT), "INVALID");
    assert_string_equal(sl_dtype_name((enum sl_dtype) - 1), "INVALID");
    assert_int_equal(sl_dtype_bytes((enum sl_dtype)1000), 0);
}

static void elements(void **state SL_UNUSED)
{
    int64_t count = -1;
    assert_ok(sl_shape_elements(NULL, 0, &count));
    assert_int_equal(count, 1);
    assert_ok(sl_shape_elements((int64_t[]){2, 3, 4}, 3, &count));
    assert_int_equal(count, 24);
    assert_ok(sl_shape_elements((int64_t[]){2, 0, 4}, 3, &count));
    assert_int_equal(count, 0);
    assert_ok(sl_shape_elements((int64_t[]){INT64_MAX, INT64_MAX, 0}, 3, &count));
    assert_int_equal(count, 0);
    assert_ok(sl_shape_elements((int64_t[]){INT64_MAX, 1}, 2, &count));
    assert_true(count == INT64_MAX);
    count = -7;
    assert_status(sl_shape_elements((int64_t[]){1, -1}, 2, &count), SL_EINVAL);
    assert_status(sl_shape_elements((int64_t[]){0, -1}, 2, &count), SL_EINVAL);
    assert_status(sl_shape_elements((int64_t[]){INT64_MAX, 2}, 2, &count), SL_ERANGE);
    assert_status(sl_shape_elements((int64_t[]){1LL << 32, 1LL << 32}, 2, &count), SL_ERANGE);
    assert_int_equal(count, -7);
}

static void bytes(void **state SL_UNUSED)
{
    uint64_t n = 77;
    assert_ok(sl_shape_bytes(SL_DTYPE_FP32, (int64_t[]){2, 3}, 2, &n));
    assert_int_equal(n, 24);
    assert_ok(sl_shape_bytes(SL_DTYPE_INT64, NULL, 0, &n));
    assert_int_equal(n, 8);
    assert_ok(sl_shape_bytes(SL_DTYPE_BOOL, (int64_t[]){INT64_MAX}, 1, &n));
    assert_true(n == INT64_MAX);
    n = 77;
    assert_status(sl_shape_bytes(SL_DTYPE_UINT8, (int64_t[]){-1}, 1, &n), SL_EINVAL);
    assert_status(sl_shape_bytes(SL_DTYPE_BYTES, (int64_t[]){1}, 1, &n), SL_EINVAL);
    assert_status(sl_shape_bytes(SL_DTYPE_INVALID, (int64_t[]){1}, 1, &n), SL_EINVAL);
    assert_status(sl_shape_bytes(SL_DTYPE_FP64, (int64_t[]){INT64_MAX}, 1, &n), SL_ERANGE);
    assert_status(sl_shape_bytes(SL_DTYPE_FP16, (int64_t[]){1LL << 62}, 1, &n), SL_ERANGE);
    assert_int_equal(n, 77);
}

static void products_are_exact(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 12);
    for (int round = 0; round < 100000; round++) {
        int64_t dims[4];
        size_t rank = sl_rng_below(&rng, 5);
        unsigned __int128 product = 1; /* may wrap for large dimensions; then it is over anyway */
        bool is_over = false;
        bool has_zero = false;
        for (size_t i = 0; i < rank; i++) {
            dims[i] = (int64_t)(sl_rng_u64(&rng) >> (1 + sl_rng_below(&rng, 63)));
            has_zero |= dims[i] == 0;
            if (!is_over)
                product *= (unsigned __int128)dims[i];
            is_over |= product > INT64_MAX;
        }
        int64_t count;
        sl_status s = sl_shape_elements(dims, rank, &count);
        assert_status(s, is_over && !has_zero ? SL_ERANGE : SL_OK);
        if (s == SL_OK)
            assert_true((unsigned __int128)count == (has_zero ? 0 : product));
    }
}

static void fits(void **state SL_UNUSED)
{
    const int64_t pattern[] = {-1, 4};
    assert_true(sl_shape_fits(pattern, 2, (int64_t[]){0, 4}, 2));
    assert_true(sl_shape_fits(pattern, 2, (int64_t[]){1000, 4}, 2));
    assert_false(sl_shape_fits(pattern, 2, (int64_t[]){1, 5}, 2));
    assert_false(sl_shape_fits(pattern, 2, (int64_t[]){1, 4, 1}, 3));
    assert_false(sl_shape_fits(pattern, 2, (int64_t[]){4}, 1));
    assert_false(sl_shape_fits(pattern, 2, (int64_t[]){-1, 4}, 2)); /* a pattern is no shape */
    assert_true(sl_shape_fits(NULL, 0, NULL, 0));
}

static void format(void **state SL_UNUSED)
{
    char out[64];
    assert_string_equal(sl_shape_format((int64_t[]){2, -1, 4}, 3, out, sizeof(out)), "[2,-1,4]");
    assert_string_equal(sl_shape_format(NULL, 0, out, sizeof(out)), "[]");
    assert_string_equal(sl_shape_format((int64_t[]){INT64_MIN}, 1, out, sizeof(out)),
                        "[-9223372036854775808]");
}

static void format_is_cut_at_a_dimension(void **state SL_UNUSED)
{
    const int64_t dims[] = {100, 200, 300};
    char out[16];
    assert_string_equal(sl_shape_format(dims, 3, out, 14), "[100,200,300]");
    assert_string_equal(sl_shape_format(dims, 3, out, 13), "[100,...]");
    assert_string_equal(sl_shape_format(dims, 3, out, 10), "[100,...]");
    assert_string_equal(sl_shape_format(dims, 3, out, 9), "[...]");
    assert_string_equal(sl_shape_format(dims, 3, out, 6), "[...]");
    for (size_t room = 0; room <= sizeof(out); room++) { /* never past the end: ASan, canary */
        memset(out, '#', sizeof(out));
        sl_shape_format(dims, 3, out, room);
        for (size_t i = room; i < sizeof(out); i++)
            assert_int_equal(out[i], '#');
        assert_true(room == 0 || memchr(out, '\0', room) != NULL);
    }
}

static void format_of_too_many_dimensions(void **state SL_UNUSED)
{
    int64_t dims[100];
    char out[1024];
    for (int i = 0; i < 100; i++)
        dims[i] = INT64_MIN;
    sl_shape_format(dims, SL_RANK_MAX, out, sizeof(out));
    assert_int_equal(strlen(out), SL_RANK_MAX * 21 + 1);
    sl_shape_format(dims, 100, out, sizeof(out));
    assert_string_equal(out + strlen(out) - 5, ",...]");
}

static void bytes_tensors(void **state SL_UNUSED)
{
    const struct sl_span two = sl_span_of("\3\0\0\0abc\0\0\0\0", 11);
    assert_ok(sl_bytes_tensor_check(two, 2));
    assert_status(sl_bytes_tensor_check(two, 1), SL_EINVAL); /* bytes are left */
    assert_status(sl_bytes_tensor_check(two, 3), SL_EINVAL); /* an element is missing */
    assert_status(sl_bytes_tensor_check(two, -1), SL_EINVAL);
    assert_status(sl_bytes_tensor_check(two, INT64_MAX), SL_EINVAL);
    for (size_t len = 0; len < two.len; len++)
        assert_status(sl_bytes_tensor_check(sl_span_of(two.data, len), 2), SL_EINVAL);
    assert_ok(sl_bytes_tensor_check(sl_span_of(NULL, 0), 0));
    assert_status(sl_bytes_tensor_check(sl_span_of("\4\0\0\0abc", 7), 1), SL_EINVAL);
    assert_status(sl_bytes_tensor_check(sl_span_of("\xff\xff\xff\xff", 4), 1), SL_EINVAL);
    assert_status(sl_bytes_tensor_check(sl_span_of("\1\0\0", 3), 1), SL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_widths),
        cmocka_unit_test(unknown_types),
        cmocka_unit_test(elements),
        cmocka_unit_test(bytes),
        cmocka_unit_test(products_are_exact),
        cmocka_unit_test(fits),
        cmocka_unit_test(format),
        cmocka_unit_test(format_is_cut_at_a_dimension),
        cmocka_unit_test(format_of_too_many_dimensions),
        cmocka_unit_test(bytes_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
