/* test_gw_day.c - what is summed up since midnight. */
#include "gw_day.h"

#include "sl_test.h"

#define DAY (24 * 3600 * SL_US_PER_S)

static void a_day_begins_at_midnight(void **state SL_UNUSED)
{
    struct gw_day d = {0};
    gw_day_add(&d, 20000 * DAY + 5, 10, 1);
    gw_day_add(&d, 20001 * DAY - 1, 20, 2);
    assert_true(d.began_at == 20000 * DAY && d.used_us == 30 && d.charged_us == 3);
    assert_int_equal(gw_day_at(&d, 20001 * DAY).used_us, 0);
    assert_int_equal(gw_day_at(&d, 20001 * DAY).began_at, 20001 * DAY);
    assert_int_equal(d.used_us, 30); /* who looks changes nothing */
    gw_day_add(&d, 20001 * DAY, 7, 0);
    assert_true(d.began_at == 20001 * DAY && d.used_us == 7 && d.charged_us == 0);
}

static void a_clock_that_steps_back_begins_no_day(void **state SL_UNUSED)
{
    struct gw_day d = {0};
    gw_day_add(&d, 20001 * DAY, 7, 7);
    gw_day_add(&d, 20001 * DAY - 1, 7, 7);
    assert_true(d.began_at == 20001 * DAY && d.used_us == 14);
    gw_day_add(&d, 20001 * DAY, INT64_MAX, INT64_MAX);
    assert_true(d.used_us == INT64_MAX && d.charged_us == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_begins_at_midnight),
        cmocka_unit_test(a_clock_that_steps_back_begins_no_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
