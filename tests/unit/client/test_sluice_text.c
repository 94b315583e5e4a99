/* test_sluice_text.c - addresses, percent and base64 decoding, grpc-timeout, metadata names. */
#include <stdlib.h>

#include "sl_base.h"
#include "sl_buf.h"
#include "sl_test.h"
#include "sl_time.h"
#include "sluice_status.h"
#include "sluice_text.h"

static void good_addresses(void **state SL_UNUSED)
{
    static const char *const cases[][3] = {{"127.0.0.1:8001", "127.0.0.1", "8001"},
                                           {"localhost:1", "localhost", "1"},
                                           {"a.b-c:65535", "a.b-c", "65535"},
                                           {"[::1]:80", "::1", "80"},
                                           {"[fe80::1%eth0]:8001", "fe80::1%eth0", "8001"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sluice_address a;
        assert_ok(sluice_address_parse(cases[i][0], &a));
        assert_string_equal(a.host, cases[i][1]);
        assert_string_equal(a.port, cases[i][2]);
    }
}

static void bad_addresses(void **state SL_UNUSED)
{
    static const char *const cases[] = {"",
                                        "host",
                                        ":8001",
                                        "host:",
                                        "host:0",
                                        "h:65536",
                                        "h:-1",
                                        "h:80x",
                                        "::1:8001",
                                        "[::1]",
                                        "[]:80",
                                        "[::1:80",
                                        "h:99999999999999999999"};
    struct sluice_address a;
    char longest[400];

    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++)
        assert_status(sluice_address_parse(cases[i], &a), SL_EINVAL);
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + 300, ":80", 4);
    assert_status(sluice_address_parse(longest, &a), SL_EINVAL);
}

static void percent(void **state SL_UNUSED)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"plain", "plain"},
                                           {"a%20b", "a b"},
                                           {"%C3%a4", "\xc3\xa4"},
                                           {"%", "%"},
                                           {"100%", "100%"},
                                           {"%4", "%4"},
                                           {"%zz%41", "%zzA"},
                                           {"%25%32%35", "%25"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s", cases[i][0]);
        text[sluice_percent_decode(text, strlen(text))] = '\0';
        assert_string_equal(text, cases[i][1]);
    }
}

static void base64(void **state SL_UNUSED)
{
    static const char *const good[][2] = {
        {"", ""},        {"Zg==", "f"},      {"Zg", "f"},           {"Zm8=", "fo"},
        {"Zm9v", "foo"}, {"Zm9vYg", "foob"}, {"Zm9vYmE=", "fooba"}, {"+/-_", "\xfb\xff\xbf"}};
    static const char *const bad[] = {"A", "Zm9vY", "Zm 9v", "Zm9v!", "=Zm9"};
    struct sl_buf out;

    sl_buf_init(&out, &sl_alloc_malloc, 100);
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++) {
        sl_buf_clear(&out);
        assert_ok(sluice_base64_decode(sl_span_str(good[i][0]), &out));
        assert_true(sl_span_eq_str(sl_buf_span(&out), good[i][1]));
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_status(sluice_base64_decode(sl_span_str(bad[i]), &out), SL_EINVAL);
    sl_buf_finish(&out);
    sl_buf_init(&out, &sl_alloc_malloc, 2);
    assert_status(sluice_base64_decode(sl_span_str("Zm9v"), &out), SL_ETOOBIG);
    sl_buf_finish(&out);
}

/* What a server reads from the text. */
static int64_t timeout_ns(const char *text)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'n', 1},           {'u', SL_NS_PER_US},     {'m', SL_NS_PER_MS},
                 {'S', SL_NS_PER_S}, {'M', 60 * SL_NS_PER_S}, {'H', 3600 * SL_NS_PER_S}};
    char *end;
    long value = strtol(text, &end, 10);
    char unit = *end;

    assert_int_equal(strlen(end), 1);
    assert_in_range(value, 0, 99999999);
    for (size_t i = 0; i < SL_ARRAY_LEN(units); i++) {
        if (units[i].unit == unit)
            return value * units[i].ns;
    }
    fail_msg("no unit in %s", text);
    return 0;
}

static void timeouts_lose_little(void **state SL_UNUSED)
{
    char text[SLUICE_GRPC_TIMEOUT_BYTES];

    for (int64_t ns = 1; ns > 0 && ns < INT64_MAX / 3; ns += ns / 3 + 1) {
        sluice_grpc_timeout(ns, text);
        int64_t back = timeout_ns(text);
        assert_true(back >= ns && back - ns <= ns / 99999);
    }
    sluice_grpc_timeout(0, text);
    assert_string_equal(text, "0n");
    sluice_grpc_timeout(-5, text);
    assert_string_equal(text, "0n");
    sluice_grpc_timeout(INT64_MAX, text);
    assert_string_equal(text, "2562048H");
}

static void metadata_names(void **state SL_UNUSED)
{
    static const char *const good[] = {"sluice-size", "a", "x_y.z-0", "authorization"};
    static const char *const bad[] = {"",       "Sluice-Size",  ":path",      "grpc-timeout",
                                      "te",     "content-type", "a b",        "\xc3\xa4",
                                      "a\r\nb", "connection",   "grpc-status"};
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        assert_true(sluice_is_metadata_name(sl_span_str(good[i])));
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_false(sluice_is_metadata_name(sl_span_str(bad[i])));
    assert_true(sluice_is_header_value(sl_span_str("5s or more")));
    assert_false(sluice_is_header_value(sl_span_str(" 5s")));
    assert_false(sluice_is_header_value(sl_span_str("5s\n")));
}

static void status_texts_are_cut_at_characters(void **state SL_UNUSED)
{
    char out[6];

    sluice_status_copy_text(out, sizeof(out), sl_span_str("abcd\xc3\xa4"));
    assert_string_equal(out, "abcd");
    sluice_status_copy_text(out, sizeof(out), sl_span_str("abc\xc3\xa4"));
    assert_string_equal(out, "abc\xc3\xa4");
    sluice_status_copy_text(out, sizeof(out), sl_span_of("ab\0cd", 5));
    assert_string_equal(out, "ab");
    assert_string_equal(sluice_code_name(SLUICE_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(sluice_code_name(17), "UNKNOWN");
    assert_string_equal(sluice_code_name(-1), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(percent),
        cmocka_unit_test(base64),
        cmocka_unit_test(timeouts_lose_little),
        cmocka_unit_test(metadata_names),
        cmocka_unit_test(status_texts_are_cut_at_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
