/* test_cli_values.c - tensors on the command line: values, shapes, .npy files, 16-bit floats, showing. */
#include <math.h>
#include <stdlib.h>

#include "cli_half.h"
#include "cli_npy.h"
#include "cli_show.h"
#include "cli_value.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

struct parsed {
    struct sl_arena arena;
    struct cli_tensor tensor;
    struct sl_error why;
};

static sl_status parse(struct parsed *p, const char *text, enum sl_dtype dtype)
{
    p->why = (struct sl_error){0};
    sl_arena_init(&p->arena, &sl_alloc_malloc, 1 << 20);
    return cli_value_parse(text, dtype, &p->arena, &p->tensor, &p->why);
}

static void good_values(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        enum sl_dtype dtype;
        const char *raw;
        size_t bytes, rank;
        int64_t shape[3];
    } cases[] = {
        {"1", SL_DTYPE_INT8, "\1", 1, 0, {0}},
        {"[-128,127]", SL_DTYPE_INT8, "\x80\x7f", 2, 1, {2}},
        {"[0, 255]", SL_DTYPE_UINT8, "\0\xff", 2, 1, {2}},
        {"[[1,2],[3,4],[5,6]]", SL_DTYPE_UINT16, "\1\0\2\0\3\0\4\0\5\0\6\0", 12, 2, {3, 2}},
        {"-1", SL_DTYPE_INT64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, {0}},
        {"\"18446744073709551615\"",
         SL_DTYPE_UINT64,
         "\xff\xff\xff\xff\xff\xff\xff\xff",
         8,
         0,
         {0}},
        {"[true,false,1,0]", SL_DTYPE_BOOL, "\1\0\1\0", 4, 1, {4}},
        {"1", SL_DTYPE_FP32, "\0\0\x80\x3f", 4, 0, {0}},
        {"1.5", SL_DTYPE_FP64, "\0\0\0\0\0\0\xf8\x3f", 8, 0, {0}},
        {"[1,-2]", SL_DTYPE_FP16, "\0\x3c\0\xc0", 4, 1, {2}},
        {"1", SL_DTYPE_BF16, "\x80\x3f", 2, 0, {0}},
        {"inf", SL_DTYPE_FP32, "\0\0\x80\x7f", 4, 0, {0}},
        {"[\"-inf\"]", SL_DTYPE_FP16, "\0\xfc", 2, 1, {1}},
        {"hello", SL_DTYPE_BYTES, "\5\0\0\0hello", 9, 0, {0}},
        {"", SL_DTYPE_BYTES, "\0\0\0\0", 4, 0, {0}},
        {"{\"a\":1}", SL_DTYPE_BYTES, "\7\0\0\0{\"a\":1}", 11, 0, {0}},
        {"[\"a\",\"\"]", SL_DTYPE_BYTES, "\1\0\0\0a\0\0\0\0", 9, 1, {2}},
        {"\"\\u00e4\"", SL_DTYPE_BYTES, "\2\0\0\0\xc3\xa4", 6, 0, {0}},
        {"[]", SL_DTYPE_FP32, "", 0, 1, {0}},
        {"[[],[]]", SL_DTYPE_FP32, "", 0, 2, {2, 0}},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct parsed p;
        if (parse(&p, cases[i].text, cases[i].dtype) != SL_OK)
            fail_msg("%s: %s", cases[i].text, p.why.text);
        assert_int_equal(p.tensor.rank, cases[i].rank);
        assert_memory_equal(p.tensor.shape, cases[i].shape, cases[i].rank * 8);
        assert_int_equal(p.tensor.data.len, cases[i].bytes);
        assert_memory_equal(p.tensor.data.data, cases[i].raw, cases[i].bytes);
        sl_arena_finish(&p.arena);
    }
}

static void bad_values(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        enum sl_dtype dtype;
        const char *part;
    } cases[] = {
        {"x", SL_DTYPE_FP32, "x"},
        {"[1,2", SL_DTYPE_FP32, "column"},
        {"[1,[2]]", SL_DTYPE_FP32, "[2]"},
        {"[[1,2],[3]]", SL_DTYPE_FP32, "not all of one length"},
        {"[[1],2]", SL_DTYPE_FP32, "not all of one length"},
        {"128", SL_DTYPE_INT8, "128 is not an element of INT8"},
        {"-1", SL_DTYPE_UINT8, "-1"},
        {"256", SL_DTYPE_UINT8, "256"},
        {"1.5", SL_DTYPE_INT32, "1.5"},
        {"2147483648", SL_DTYPE_INT32, "2147483648"},
        {"null", SL_DTYPE_FP32, "null"},
        {"2", SL_DTYPE_BOOL, "2"},
        {"[1]", SL_DTYPE_BYTES, "1 is not an element of BYTES"},
        {"\"a", SL_DTYPE_BYTES, "column"},
        {"\"18446744073709551616\"", SL_DTYPE_UINT64, "18446744073709551616"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", SL_DTYPE_FP32, "nested"},
        {"", SL_DTYPE_FP32, "FP32"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct parsed p;
        assert_status(parse(&p, cases[i].text, cases[i].dtype), SL_EINVAL);
        if (strstr(p.why.text, cases[i].part) == NULL)
            fail_msg("%s is not in: %s", cases[i].part, p.why.text);
        sl_arena_finish(&p.arena);
    }
}

static void shapes_are_fitted(void **state SL_UNUSED)
{
    static const struct {
        int64_t have[4], pattern[4], want[4];
        size_t have_rank, pattern_rank;
        bool fits;
    } cases[] = {
        {{2, 4}, {-1, 4}, {2, 4}, 2, 2, true},
        {{4}, {-1, 4}, {1, 4}, 1, 2, true},  /* leading one */
        {{3}, {-1, -1}, {1, 3}, 1, 2, true}, /* leading one */
        {{8}, {-1, 4}, {2, 4}, 1, 2, true},  /* the free dimension solved */
        {{0}, {1}, {1}, 0, 1, true},         /* a scalar for one element */
        {{6}, {2, 3}, {2, 3}, 1, 2, true},   /* no free dimension */
        {{2, 2}, {4}, {4}, 2, 1, true},      /* flattened */
        {{3}, {-1, 4}, {0}, 1, 2, false},
        {{6}, {-1, 2, -1}, {0}, 1, 3, false}, /* two free: not to be guessed */
        {{5}, {2, 3}, {0}, 1, 2, false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct cli_tensor t = {.dtype = SL_DTYPE_FP32, .rank = cases[i].have_rank};
        memcpy(t.shape, cases[i].have, sizeof(cases[i].have));
        sl_status s = cli_value_fit(&t, cases[i].pattern, cases[i].pattern_rank);
        assert_int_equal(s == SL_OK, cases[i].fits);
        assert_int_equal(t.rank, cases[i].fits ? cases[i].pattern_rank : cases[i].have_rank);
        assert_memory_equal(t.shape, cases[i].fits ? cases[i].want : cases[i].have, t.rank * 8);
    }
}

static void shape_texts(void **state SL_UNUSED)
{
    int64_t shape[SL_RANK_MAX];
    size_t rank;

    assert_ok(cli_shape_parse("1,3,224", shape, &rank));
    assert_int_equal(rank, 3);
    assert_int_equal(shape[2], 224);
    assert_ok(cli_shape_parse("", shape, &rank));
    assert_int_equal(rank, 0);
    assert_status(cli_shape_parse("1,", shape, &rank), SL_EINVAL);
    assert_status(cli_shape_parse(",1", shape, &rank), SL_EINVAL);
    assert_status(cli_shape_parse("-1", shape, &rank), SL_EINVAL);
    assert_status(cli_shape_parse("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", shape, &rank), SL_EINVAL);
}

static void npy_round_trip(void **state SL_UNUSED)
{
    static const int64_t shape[SL_RANK_MAX] = {2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

    for (int d = SL_DTYPE_BOOL; d < SL_DTYPE_COUNT; d++) {
        enum sl_dtype dtype = (enum sl_dtype)d;
        for (size_t rank = 0; rank <= SL_RANK_MAX; rank++) {
            uint8_t data[64] = {1, 2, 3};
            uint64_t bytes;
            struct cli_npy npy;
            struct sl_error why;
            struct sl_buf file;
            sl_buf_init(&file, &sl_alloc_malloc, 4096);
            sl_status s = cli_npy_write_head(dtype, shape, rank, &file);
            if (dtype == SL_DTYPE_BYTES || dtype == SL_DTYPE_BF16) {
                assert_int_equal(s, SL_EINVAL);
                sl_buf_finish(&file);
                continue;
            }
            assert_ok(s);
            assert_int_equal(file.len % 64, 0);
            assert_ok(sl_shape_bytes(dtype, shape, rank, &bytes));
            assert_ok(sl_buf_append(&file, data, (size_t)bytes));
            assert_ok(cli_npy_parse(sl_buf_span(&file), &npy, &why));
            assert_int_equal(npy.dtype, dtype);
            assert_int_equal(npy.rank, rank);
            assert_memory_equal(npy.shape, shape, rank * 8);
            assert_memory_equal(npy.data.data, data, bytes);
            sl_buf_finish(&file);
        }
    }
}

/* A version-1 file with this dict and that many bytes of data. */
static struct sl_buf make_npy(uint8_t version, const char *dict, size_t data_bytes)
{
    struct sl_buf f;
    uint8_t head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, (uint8_t)strlen(dict)};

    sl_buf_init(&f, &sl_alloc_malloc, 4096);
    assert_ok(sl_buf_append(&f, head, version == 2 ? 12 : 10));
    assert_ok(sl_buf_append(&f, dict, strlen(dict)));
    for (size_t i = 0; i < data_bytes; i++)
        assert_ok(sl_buf_append(&f, "x", 1));
    return f;
}

static void npy_heads(void **state SL_UNUSED)
{
    static const struct {
        uint8_t version;
        const char *dict;
        size_t bytes;
        bool good;
    } cases[] = {
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 32, true},
        {2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 32, true},
        {1, "{'shape': (), 'fortran_order': False, 'descr': '|u1'}\n", 1, true},
        {1, "{'descr': '<i1', 'fortran_order': False, 'shape': (0, 5)}", 0, true},
        {3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 32, false},
        {1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 4), }", 32, false},
        {1, "{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 16, false},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, false},
        {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4), }", 32, false},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", 31, false},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -4), }", 32, false},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4", 32, false},
        {1, "{'descr': '<f4', 'fortran_order': False}", 32, false},
        {1, "{'descr': '<f4", 0, false},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0, false},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,4)}", 16,
         false},
        {1, "", 0, false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_error why = {0};
        struct cli_npy npy;
        struct sl_buf f = make_npy(cases[i].version, cases[i].dict, cases[i].bytes);
        if ((cli_npy_parse(sl_buf_span(&f), &npy, &why) == SL_OK) != cases[i].good)
            fail_msg("%s: %s", cases[i].dict, why.text);
        assert_true(cases[i].good || why.text[0] != '\0');
        for (size_t len = 0; len < f.len; len++) /* cut anywhere: only no harm */
            (void)!cli_npy_parse(sl_span_of(f.data, len), &npy, &why);
        sl_buf_finish(&f);
    }
}

static void halves_round_trip(void **state SL_UNUSED)
{
    for (uint32_t h = 0; h <= UINT16_MAX; h++) {
        float f = cli_half_to_float((uint16_t)h);
        float b = cli_bfloat_to_float((uint16_t)h);
        if (isnan(f))
            assert_true(isnan(cli_half_to_float(cli_half_from_float(f))));
        else
            assert_int_equal(cli_half_from_float(f), h);
        if (isnan(b))
            assert_true(isnan(cli_bfloat_to_float(cli_bfloat_from_float(b))));
        else
            assert_int_equal(cli_bfloat_from_float(b), h);
    }
    assert_float_equal(cli_half_to_float(0x3c01), 1.0009765625, 0);
    assert_float_equal(cli_half_to_float(1), 0x1p-24, 0);
}

/* Every float lies between its neighbours and goes to the nearer one, halfway to the even one. */
static void halves_round_to_nearest(void **state SL_UNUSED)
{
    for (uint16_t h = 0; h < 0x7bff; h++) {
        float low = cli_half_to_float(h);
        float high = cli_half_to_float((uint16_t)(h + 1));
        float middle = (low + high) / 2;
        assert_int_equal(cli_half_from_float(middle), h + (h & 1));
        assert_int_equal(cli_half_from_float(nextafterf(middle, low)), h);
        assert_int_equal(cli_half_from_float(nextafterf(middle, high)), h + 1);
    }
    assert_int_equal(cli_half_from_float(65519.0F), 0x7bff);
    assert_int_equal(cli_half_from_float(65520.0F), 0x7c00);
    assert_int_equal(cli_half_from_float(-1e30F), 0xfc00);
}

static void shown(const char *datatype, const void *data, size_t bytes, const char *text,
                  const char *json)
{
    static const int64_t shape[1] = {0};
    struct sluice_tensor t = {
        .name = "t", .datatype = datatype, .shape = shape, .rank = 1, .data = data, .bytes = bytes};
    struct sl_buf out;

    sl_buf_init(&out, &sl_alloc_malloc, 4096);
    assert_ok(cli_show_values(&t, 3, &out));
    if (!sl_span_eq_str(sl_buf_span(&out), text))
        fail_msg("%.*s, wanted: %s", (int)out.len, (const char *)out.data, text);
    sl_buf_finish(&out);
    json_t *document = cli_show_json(&t);
    char *dumped = json_dumps(json_object_get(document, "data"), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(dumped, json);
    free(dumped);
    json_decref(document);
}

static void tensors_are_shown(void **state SL_UNUSED)
{
    const float floats[] = {1, -2.5F, INFINITY, NAN};
    const double reals[] = {0.1};
    const int64_t wide[] = {INT64_MIN, INT64_MAX};
    const uint64_t natural[] = {UINT64_MAX};

    shown("FP32", floats, 16, "1 -2.5 inf ... 1 more", "[1.0,-2.5,\"Infinity\",\"NaN\"]");
    shown("FP64", reals, 8, "0.10000000000000001", "[0.10000000000000001]");
    shown("INT64", wide, 16, "-9223372036854775808 9223372036854775807",
          "[-9223372036854775808,9223372036854775807]");
    shown("UINT64", natural, 8, "18446744073709551615", "[\"18446744073709551615\"]");
    shown("INT8", "\x80\x7f", 2, "-128 127", "[-128,127]");
    shown("BOOL", "\1\0", 2, "true false", "[true,false]");
    shown("FP16", "\0\x3c", 2, "1", "[1.0]");
    shown("BYTES", "\2\0\0\0hi\1\0\0\0\xff\0\0\0\0\1\0\0\0x", 20,
          "\"hi\" (1 bytes) \"\" ... 1 more", "[\"hi\",{\"base64\":\"/w==\"},\"\",\"x\"]");
    shown("NEW7", "ab", 2, "(2 bytes)", "{\"base64\":\"YWI=\"}");
    shown("FP32", floats, 0, "", "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values),       cmocka_unit_test(bad_values),
        cmocka_unit_test(shapes_are_fitted), cmocka_unit_test(shape_texts),
        cmocka_unit_test(npy_round_trip),    cmocka_unit_test(npy_heads),
        cmocka_unit_test(halves_round_trip), cmocka_unit_test(halves_round_to_nearest),
        cmocka_unit_test(tensors_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
