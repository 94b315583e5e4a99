/* test_sl_base64.c - RFC 4648's own examples without padding, and what may be read. */
#include "sl_base.h"
#include "sl_base64.h"
#include "sl_test.h"

static void examples_of_the_rfc(void **state SL_UNUSED)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(pairs); i++) {
        char out[16];
        size_t len = sl_base64_encode(sl_span_str(pairs[i][0]), out);
        assert_string_equal(out, pairs[i][1]);
        assert_int_equal(len, SL_BASE64_LEN(strlen(pairs[i][0])));
        assert_true(sl_base64_is_valid(sl_span_of(out, len)));
    }
}

static void validity(void **state SL_UNUSED)
{
    static const char *const good[] = {"", "Zg", "Zg==", "Zm8", "Zm8=", "Zm9v", "+/+/"};
    static const char *const bad[] = {"Z",    "Zm9vY", "Zg=",   "Zg===",    "Zm8==", "=",    "====",
                                      "Zm=v", "Z m8",  "Zm-_v", "\xff\xff", "Zm9v=", "Zg,Zg"};
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        if (!sl_base64_is_valid(sl_span_str(good[i])))
            fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        if (sl_base64_is_valid(sl_span_str(bad[i])))
            fail_msg("'%s' is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(validity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
