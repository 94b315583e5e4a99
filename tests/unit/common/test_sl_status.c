/* test_sl_status.c - every code has a text of its own. */
#include "sl_status.h"
#include "sl_test.h"

static const sl_status all[] = {
#define STATUS(name, text) SL_##name,
    SL_STATUS_MAP(STATUS)
#undef STATUS
};

static void ok_is_zero(void **state SL_UNUSED)
{
    assert_int_equal(SL_OK, 0);
}

static void texts_differ(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(all); i++) {
        assert_true(strlen(sl_status_text(all[i])) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(sl_status_text(all[i]), sl_status_text(all[j]));
    }
}

static void text_outside_the_table(void **state SL_UNUSED)
{
    assert_string_equal(sl_status_text((sl_status)SL_ARRAY_LEN(all)), "unknown status");
    assert_string_equal(sl_status_text((sl_status)-1), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_is_zero),
        cmocka_unit_test(texts_differ),
        cmocka_unit_test(text_outside_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
