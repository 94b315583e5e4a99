/* test_sl_text.c - UTF-8 vectors, numbers at their ends, units, and round trips. */
#include <stdlib.h>

#include <time.h>

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

/* ---------------------------------------------------------------------------------------- UTF-8 */

static bool is_utf8(const char *s)
{
    return sl_text_is_utf8(sl_span_str(s));
}

static void well_formed_utf8(void **state SL_UNUSED)
{
    static const char *const good[] = {
        "",
        "a",
        "\x7f",
        "\xc2\x80",         /* U+0080, the first of two bytes */
        "\xdf\xbf",         /* U+07FF, the last */
        "\xe0\xa0\x80",     /* U+0800 */
        "\xed\x9f\xbf",     /* U+D7FF, before the surrogates */
        "\xee\x80\x80",     /* U+E000, behind them */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x90\x80\x80", /* U+10000 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF */
        "gr\xc3\xbc\xc3\x9f"
        "e \xe2\x82\xac \xf0\x9f\x9a\xb0!",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        assert_true(is_utf8(good[i]));
}

static void ill_formed_utf8(void **state SL_UNUSED)
{
    static const char *const bad[] = {
        "\x80", /* a continuation alone */
        "\xbf",
        "\xc2", /* cut off */
        "\xe2\x82",
        "\xf0\x9f\x9a",
        "\xc2"
        "a", /* lead without continuation */
        "\xe2\x82"
        "a",
        "\xc0\x80", /* overlong NUL */
        "\xc0\xaf",
        "\xc1\xbf", /* overlong in two bytes */
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",     /* surrogates */
        "\xf4\x90\x80\x80", /* over U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80", /* five and six bytes */
        "\xfc\x84\x80\x80\x80\x80",
        "\xfe",
        "\xff",
        "good then \xff",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_false(is_utf8(bad[i]));
}

static void nul_is_refused_in_texts_only(void **state SL_UNUSED)
{
    uint32_t code = 1;
    assert_false(sl_text_is_utf8(sl_span_of("a\0b", 3)));
    assert_int_equal(sl_text_utf8_next(sl_span_of("\0", 1), &code), 1);
    assert_int_equal(code, 0);
    assert_int_equal(sl_text_utf8_next(sl_span_of(NULL, 0), &code), 0);
    assert_int_equal(sl_text_utf8_next(sl_span_str("\xe2\x82\xac!"), NULL), 3);
}

static size_t encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)((0xf00u >> len & 0xff) | code);
    return len;
}

/* All of Unicode, and everything that only looks like it. */
static void every_code_point(void **state SL_UNUSED)
{
    for (uint32_t code = 0; code < 0x200000; code++) {
        uint8_t bytes[4];
        size_t len = encode(code, bytes);
        bool is_character = code < 0xd800 || (code > 0xdfff && code <= 0x10ffff);
        uint32_t seen = UINT32_MAX;
        size_t seen_len = sl_text_utf8_next(sl_span_of(bytes, len), &seen);
        assert_int_equal(seen_len, is_character ? len : 0);
        assert_true(!is_character || seen == code);
        assert_int_equal(sl_text_utf8_next(sl_span_of(bytes, len - 1), NULL),
                         0); /* cut by one byte */
    }
}

/* -------------------------------------------------------------------------------------- numbers */

static void integers(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        sl_status status;
        int64_t value;
    } cases[] = {
        {"0", SL_OK, 0},
        {"-0", SL_OK, 0},
        {"007", SL_OK, 7},
        {"-12", SL_OK, -12},
        {"9223372036854775807", SL_OK, INT64_MAX},
        {"-9223372036854775808", SL_OK, INT64_MIN},
        {"9223372036854775808", SL_ERANGE, 0},
        {"-9223372036854775809", SL_ERANGE, 0},
        {"18446744073709551616", SL_ERANGE, 0},
        {"99999999999999999999999999", SL_ERANGE, 0},
        {"99999999999999999999999999x", SL_EINVAL, 0},
        {"", SL_EINVAL, 0},
        {"-", SL_EINVAL, 0},
        {"--1", SL_EINVAL, 0},
        {"+1", SL_EINVAL, 0},
        {" 1", SL_EINVAL, 0},
        {"1 ", SL_EINVAL, 0},
        {"1.0", SL_EINVAL, 0},
        {"0x10", SL_EINVAL, 0},
        {"1e3", SL_EINVAL, 0},
        {"\xd9\xa1", SL_EINVAL, 0}, /* an Arabic-Indic digit */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        int64_t value = -77;
        assert_status(sl_text_int(sl_span_str(cases[i].text), &value), cases[i].status);
        assert_true(value == (cases[i].status == SL_OK ? cases[i].value : -77));
    }
    int64_t value;
    assert_status(sl_text_int(sl_span_of("1\0", 2), &value), SL_EINVAL);
}

static void integers_round_trip(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 9);
    for (int i = 0; i < 100000; i++) {
        int64_t value = (int64_t)sl_rng_u64(&rng) >> sl_rng_below(&rng, 64);
        int64_t read;
        char text[32];
        snprintf(text, sizeof(text), "%lld", (long long)value);
        assert_ok(sl_text_int(sl_span_str(text), &read));
        assert_true(read == value);
    }
}

/* -------------------------------------------------------------------------- numbers with a unit */

static void durations(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        sl_status status;
        int64_t ns;
    } cases[] = {
        {"90s", SL_OK, 90 * SL_NS_PER_S},
        {"500ms", SL_OK, 500 * SL_NS_PER_MS},
        {"2m", SL_OK, 120 * SL_NS_PER_S},
        {"1h", SL_OK, 3600 * SL_NS_PER_S},
        {"1d", SL_OK, 86400 * SL_NS_PER_S},
        {"10us", SL_OK, 10000},
        {"7ns", SL_OK, 7},
        {"1.5s", SL_OK, 1500 * SL_NS_PER_MS},
        {"0.5us", SL_OK, 500},
        {"0s", SL_OK, 0},
        {"0.000000001s", SL_OK, 1},
        {"1.000000000000000000s", SL_OK, SL_NS_PER_S},
        {"9223372036854775807ns", SL_OK, INT64_MAX},
        {"9223372036.854775807s", SL_OK, INT64_MAX},
        {"9223372036854775808ns", SL_ERANGE, 0},
        {"106752d", SL_ERANGE, 0},
        {"99999999999999999999999s", SL_ERANGE, 0},
        {"0.0000000001s", SL_EINVAL, 0}, /* a tenth of a nanosecond */
        {"0.5ns", SL_EINVAL, 0},
        {"1.0000000000000000000s", SL_EINVAL, 0}, /* more digits than are read */
        {"5", SL_EINVAL, 0},
        {"", SL_EINVAL, 0},
        {"s", SL_EINVAL, 0},
        {".5s", SL_EINVAL, 0},
        {"1.s", SL_EINVAL, 0},
        {"-1s", SL_EINVAL, 0},
        {"+1s", SL_EINVAL, 0},
        {"1 s", SL_EINVAL, 0},
        {"1S", SL_EINVAL, 0},
        {"1sec", SL_EINVAL, 0},
        {"1s ", SL_EINVAL, 0},
        {"1e3s", SL_EINVAL, 0},
        {"1,5s", SL_EINVAL, 0},
        {"1s2ms", SL_EINVAL, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        int64_t ns = -77;
        if (sl_text_duration(sl_span_str(cases[i].text), false, &ns) != cases[i].status)
            fail_msg("%s", cases[i].text);
        assert_true(ns == (cases[i].status == SL_OK ? cases[i].ns : -77));
    }
}

static void bare_seconds_only_where_allowed(void **state SL_UNUSED)
{
    int64_t ns;
    assert_ok(sl_text_duration(sl_span_str("5"), true, &ns));
    assert_true(ns == 5 * SL_NS_PER_S);
    assert_ok(sl_text_duration(sl_span_str("0.5"), true, &ns));
    assert_true(ns == 500 * SL_NS_PER_MS);
    assert_ok(sl_text_duration(sl_span_str("500ms"), true, &ns));
    assert_true(ns == 500 * SL_NS_PER_MS);
    assert_status(sl_text_duration(sl_span_str(""), true, &ns), SL_EINVAL);
    assert_status(sl_text_duration(sl_span_str("-5"), true, &ns), SL_EINVAL);
    assert_status(sl_text_duration(sl_span_str("99999999999"), true, &ns), SL_ERANGE);
}

static void sizes(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        sl_status status;
        uint64_t bytes;
    } cases[] = {
        {"100B", SL_OK, 100},
        {"4KiB", SL_OK, 4096},
        {"4KB", SL_OK, 4000},
        {"64MiB", SL_OK, UINT64_C(64) << 20},
        {"1MB", SL_OK, 1000000},
        {"1GiB", SL_OK, UINT64_C(1) << 30},
        {"141GB", SL_OK, UINT64_C(141000000000)},
        {"1TiB", SL_OK, UINT64_C(1) << 40},
        {"2TB", SL_OK, UINT64_C(2000000000000)},
        {"1.5GiB", SL_OK, UINT64_C(3) << 29},
        {"0B", SL_OK, 0},
        {"74625056768B", SL_OK, UINT64_C(74625056768)},
        {"18446744073709551615B", SL_OK, UINT64_MAX},
        {"18446744073709551616B", SL_ERANGE, 0},
        {"16777216TiB", SL_ERANGE, 0},
        {"0.5B", SL_EINVAL, 0},
        {"0.3KiB", SL_EINVAL, 0},
        {"64", SL_EINVAL, 0},
        {"64mib", SL_EINVAL, 0},
        {"64M", SL_EINVAL, 0},
        {"-1B", SL_EINVAL, 0},
        {"B", SL_EINVAL, 0},
        {"", SL_EINVAL, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        uint64_t bytes = 77;
        if (sl_text_bytes(sl_span_str(cases[i].text), &bytes) != cases[i].status)
            fail_msg("%s", cases[i].text);
        assert_true(bytes == (cases[i].status == SL_OK ? cases[i].bytes : 77));
    }
}

static void shortest_forms(void **state SL_UNUSED)
{
    static const struct {
        int64_t ns;
        const char *text;
    } spans[] = {
        {0, "0s"},
        {1, "1ns"},
        {1500 * SL_NS_PER_MS, "1500ms"},
        {90 * SL_NS_PER_S, "90s"},
        {60 * SL_NS_PER_S, "1m"},
        {48 * 3600 * SL_NS_PER_S, "2d"},
        {10000, "10us"},
        {INT64_MAX, "9223372036854775807ns"},
        {-SL_NS_PER_S, "-1s"},
        {INT64_MIN, "-9223372036854775808ns"},
    };
    static const struct {
        uint64_t bytes;
        const char *text;
    } bytes[] = {
        {0, "0B"},
        {1, "1B"},
        {1023, "1023B"},
        {1024, "1KiB"},
        {1000, "1KB"},
        {UINT64_C(64) << 20, "64MiB"},
        {UINT64_C(141000000000), "141GB"},
        {UINT64_C(3) << 29, "1536MiB"},
        {UINT64_MAX, "18446744073709551615B"},
    };
    char out[32];
    for (size_t i = 0; i < SL_ARRAY_LEN(spans); i++) {
        sl_text_format_duration(spans[i].ns, out);
        assert_string_equal(out, spans[i].text);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(bytes); i++) {
        sl_text_format_bytes(bytes[i].bytes, out);
        assert_string_equal(out, bytes[i].text);
    }
}

static void formats_round_trip(void **state SL_UNUSED)
{
    static const uint64_t steps[] = {1, 1000, 1024, 1000000, 1048576, 60000000000, 1000000000};
    struct sl_rng rng;
    sl_rng_seed(&rng, 10);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = sl_rng_u64(&rng) >> sl_rng_below(&rng, 64);
        value = value / steps[i % 7] * steps[i % 7];
        char out[32];
        uint64_t bytes;
        int64_t ns;
        sl_text_format_bytes(value, out);
        assert_ok(sl_text_bytes(sl_span_str(out), &bytes));
        assert_true(bytes == value);
        sl_text_format_duration((int64_t)(value >> 1), out);
        assert_ok(sl_text_duration(sl_span_str(out), false, &ns));
        assert_true(ns == (int64_t)(value >> 1));
    }
}

/* Nothing that a caller may send makes a reader read past the end (ASan, valgrind) or accept a text
 * that has a byte more than a number with a unit. */
static void random_bytes_are_safe(void **state SL_UNUSED)
{
    static const char letters[] = "0123456789.-smhdnuKMGTiB\0\xff";
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (int i = 0; i < 200000; i++) {
        size_t len = sl_rng_below(&rng, 12);
        char *text = malloc(len + 1); /* exact: a read past the end is seen */
        assert_non_null(text);
        for (size_t j = 0; j <= len; j++)
            text[j] = letters[sl_rng_below(&rng, sizeof(letters) - 1)];
        struct sl_span tail = sl_span_of(text + 1, len);
        int64_t n;
        int64_t ns = 0;
        uint64_t bytes;
        bool is_duration = sl_text_duration(tail, true, &ns) == SL_OK;
        bool is_size = sl_text_bytes(tail, &bytes) == SL_OK;
        bool is_int = sl_text_int(tail, &n) == SL_OK;
        assert_true(ns >= 0);
        text[0] = '!';
        struct sl_span whole = sl_span_of(text, len + 1);
        assert_status(sl_text_duration(whole, true, &n), SL_EINVAL);
        assert_status(sl_text_bytes(whole, &bytes), SL_EINVAL);
        assert_status(sl_text_int(whole, &n), SL_EINVAL);
        memmove(text, text + 1, len);
        text[len] = '!';
        assert_true(!is_duration || sl_text_duration(whole, true, &n) == SL_EINVAL);
        assert_true(!is_size || sl_text_bytes(whole, &bytes) == SL_EINVAL);
        assert_true(!is_int || sl_text_int(whole, &n) == SL_EINVAL);
        sl_text_is_utf8(tail);
        free(text);
    }
}

/* ----------------------------------------------------------------------------------------- UUID */

static void milliseconds(void **state SL_UNUSED)
{
    static const struct {
        int64_t us;
        const char *text;
    } known[] = {{0, "0.000"},          {7, "0.007"},
                 {999, "0.999"},        {1000, "1.000"},
                 {-5, "0.000"},         {60000001, "60000.001"},
                 {1020304, "1020.304"}, {INT64_MAX, "9223372036854775.807"}};
    char out[32];
    for (size_t i = 0; i < SL_ARRAY_LEN(known); i++) {
        sl_text_format_ms(known[i].us, out);
        assert_string_equal(out, known[i].text);
    }
}

static void uuids(void **state SL_UNUSED)
{
    assert_true(sl_text_is_uuid(sl_span_str("01234567-89ab-cdef-0123-456789abcdef")));
    assert_true(sl_text_is_uuid(sl_span_str("00000000-0000-0000-0000-000000000000")));
    assert_false(sl_text_is_uuid(sl_span_str("")));
    assert_false(sl_text_is_uuid(sl_span_str("01234567-89AB-cdef-0123-456789abcdef")));
    assert_false(sl_text_is_uuid(sl_span_str("01234567-89ab-cdef-0123-456789abcde")));
    assert_false(sl_text_is_uuid(sl_span_str("01234567-89ab-cdef-0123-456789abcdef0")));
    assert_false(sl_text_is_uuid(sl_span_str("0123456789ab-cdef-0123-456789abcdef-")));
    assert_false(sl_text_is_uuid(sl_span_str("01234567-89ab-cdef-0123-456789abcdeg")));
    assert_false(sl_text_is_uuid(sl_span_str("{1234567-89ab-cdef-0123-456789abcde}")));
    char made[SL_UUID_TEXT_LEN + 1];
    sl_text_make_uuid(UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210), made);
    assert_string_equal(made, "01234567-89ab-4def-bedc-ba9876543210");
    sl_text_make_uuid(0, 0, made);
    assert_string_equal(made, "00000000-0000-4000-8000-000000000000");
    sl_text_make_uuid(UINT64_MAX, UINT64_MAX, made);
    assert_string_equal(made, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_true(sl_text_is_uuid(sl_span_str(made)));
    assert_false(sl_text_is_uuid(sl_span_str("012345678-9ab-cdef-0123-456789abcdef")));
}

static void items_of_lists(void **state SL_UNUSED)
{
    static const struct {
        const char *list;
        const char *items; /* each in brackets */
    } cases[] = {
        {"", ""},    {"a", "[a]"},  {"a,b", "[a][b]"}, {" a , b ", "[a][b]"}, {"a,,b", "[a][][b]"},
        {",", "[]"}, {"a,", "[a]"}, {"  ", "[]"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        char seen[64] = "";
        struct sl_span item, list = sl_span_str(cases[i].list);
        while (sl_text_next_item(&list, &item))
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "[%.*s]", (int)item.len,
                     (const char *)item.data);
        assert_string_equal(seen, cases[i].items);
    }
}

/* Against the C library's own calendar. */
static void instants(void **state SL_UNUSED)
{
    static const int64_t seconds[] = {0,          1,           86399,       86400,      951782399,
                                      951782400,  951868800,   1795275600,  4107542399, 4107542400,
                                      4102444800, 13569465600, 253402300799};
    char text[SL_TEXT_INSTANT_LEN + 1], wanted[32];
    for (int64_t step = 0; step < 5000; step++) {
        int64_t s = step < (int64_t)SL_ARRAY_LEN(seconds) ? seconds[step] : step * 50680421;
        time_t t = (time_t)s;
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        sl_text_format_instant(s * SL_US_PER_S + step % SL_US_PER_S, text);
        assert_string_equal(text, wanted);
    }
    sl_text_format_instant(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    sl_text_format_instant(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_lists),
        cmocka_unit_test(well_formed_utf8),
        cmocka_unit_test(ill_formed_utf8),
        cmocka_unit_test(nul_is_refused_in_texts_only),
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(integers),
        cmocka_unit_test(integers_round_trip),
        cmocka_unit_test(durations),
        cmocka_unit_test(bare_seconds_only_where_allowed),
        cmocka_unit_test(sizes),
        cmocka_unit_test(shortest_forms),
        cmocka_unit_test(formats_round_trip),
        cmocka_unit_test(random_bytes_are_safe),
        cmocka_unit_test(milliseconds),
        cmocka_unit_test(uuids),
        cmocka_unit_test(instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
