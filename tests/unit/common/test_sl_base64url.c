/* test_sl_base64url.c - RFC 4648's examples in the alphabet for URLs, and that each value has one text. */
#include "sl_base.h"
#include "sl_base64url.h"
#include "sl_test.h"

static void examples_come_back(void **state SL_UNUSED)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "__77"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(pairs); i++) {
        char text[16], back[16];
        size_t len = sl_base64url_encode(sl_span_str(pairs[i][0]), text), back_len;
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(len, SL_BASE64URL_LEN(strlen(pairs[i][0])));
        assert_ok(
            sl_base64url_decode(sl_span_of(text, len), back, SL_BASE64URL_BYTES(len), &back_len));
        assert_span_text(sl_span_of(back, back_len), pairs[i][0]);
    }
}

static void other_texts_are_refused(void **state SL_UNUSED)
{
    static const char *const bad[] = {"Z",    "Zm9vY", "Zg=",  "Zg==", "Zm8=",     "=",    "////",
                                      "Z m8", "Zm+v",  "Zg\n", "Zh",   "\xff\xff", "Zm9=", "Zm9"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        char out[16];
        size_t len;
        if (sl_base64url_decode(sl_span_str(bad[i]), out, sizeof out, &len) != SL_EINVAL)
            fail_msg("'%s' is taken", bad[i]);
    }
}

static void no_two_texts_of_three_characters_are_equal(void **state SL_UNUSED)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < 256 * 256; i++) {
        const char text[] = {'_', (char)(i >> 8), (char)i};
        uint8_t out[2];
        char again[8];
        size_t len;
        if (sl_base64url_decode(sl_span_of(text, 3), out, sizeof out, &len) != SL_OK)
            continue;
        taken++;
        assert_int_equal(sl_base64url_encode(sl_span_of(out, len), again), 3);
        assert_memory_equal(again, text, 3);
    }
    assert_int_equal(taken, 1 << 10); /* 16 bits, of which 6 are fixed */
}

static void room_is_kept(void **state SL_UNUSED)
{
    uint8_t out[4] = {0, 0, 0, 0x5a};
    size_t len;
    assert_status(sl_base64url_decode(sl_span_str("Zm9vYg"), out, 3, &len), SL_ETOOBIG);
    assert_ok(sl_base64url_decode(sl_span_str("Zm9v"), out, 3, &len));
    assert_int_equal(out[3], 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_come_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(no_two_texts_of_three_characters_are_equal),
        cmocka_unit_test(room_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
