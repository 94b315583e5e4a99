/* test_sl_clock.c - the real clocks run, and a clock of a test's own stands in for them. */
#include <time.h>

#include "sl_base.h"
#include "sl_clock.h"
#include "sl_test.h"

static void mono_never_goes_back(void **state SL_UNUSED)
{
    sl_mono_ns last = sl_clock_mono(&sl_clock_real);
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        sl_mono_ns now = sl_clock_mono(&sl_clock_real);
        assert_true(now >= last);
        last = now;
    }
}

static void mono_counts_nanoseconds(void **state SL_UNUSED)
{
    const struct timespec pause = {0, 20 * SL_NS_PER_MS};
    sl_mono_ns start = sl_clock_mono(&sl_clock_real);
    nanosleep(&pause, NULL);
    assert_true(sl_clock_mono(&sl_clock_real) - start >= 20 * SL_NS_PER_MS);
}

static void wall_is_microseconds_since_1970(void **state SL_UNUSED)
{
    int64_t before = (int64_t)time(NULL) - 1;
    sl_wall_us now = sl_clock_wall(&sl_clock_real);
    int64_t after = (int64_t)time(NULL) + 1;
    assert_true(now >= before * SL_US_PER_S && now <= after * SL_US_PER_S);
}

static sl_mono_ns given_mono(void *ctx)
{
    return *(int64_t *)ctx;
}

static sl_wall_us given_wall(void *ctx)
{
    return *(int64_t *)ctx / SL_NS_PER_US;
}

static void own_clock_gets_its_context(void **state SL_UNUSED)
{
    int64_t now = 5 * SL_NS_PER_S;
    const struct sl_clock clock = {given_mono, given_wall, &now};
    assert_true(sl_clock_mono(&clock) == 5 * SL_NS_PER_S);
    now++;
    assert_true(sl_clock_mono(&clock) == 5 * SL_NS_PER_S + 1);
    assert_true(sl_clock_wall(&clock) == 5 * SL_US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mono_never_goes_back),
        cmocka_unit_test(mono_counts_nanoseconds),
        cmocka_unit_test(wall_is_microseconds_since_1970),
        cmocka_unit_test(own_clock_gets_its_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
