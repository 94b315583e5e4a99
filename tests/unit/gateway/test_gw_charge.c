/* test_gw_charge.c - what calls cost: each reason, the rounding of factors, never more than held, batches. */
#include "gw_charge.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static bool is_paid_for(enum sl_reason r)
{
    return r == SL_REASON_OK || r == SL_REASON_MODEL_ERROR || r == SL_REASON_OUT_OF_MEMORY ||
           r == SL_REASON_DURATION_EXCEEDED || r == SL_REASON_CANCELLED ||
           r == SL_REASON_DEADLINE_EXCEEDED;
}

static void platform_failures_cost_nothing(void **state SL_UNUSED)
{
    for (int r = 0; r < SL_REASON_COUNT; r++) {
        enum sl_reason reason = (enum sl_reason)r;
        assert_int_equal(gw_charge(reason, true, 500, 1000, 1000), is_paid_for(reason) ? 500 : 0);
        assert_int_equal(gw_charge(reason, false, 500, 1000, 1000), 0);
        assert_int_equal(gw_charge(reason, true, 0, 1000, 1000), 0);
        assert_int_equal(gw_charge(reason, true, -1, 1000, 1000), 0);
    }
}

static void never_more_than_held(void **state SL_UNUSED)
{
    assert_int_equal(gw_charge(SL_REASON_DURATION_EXCEEDED, true, 61000000, 60000000, 1000),
                     60000000);
    assert_int_equal(gw_charge(SL_REASON_OK, true, INT64_MAX, 7, UINT32_MAX), 7);
    assert_int_equal(gw_charge(SL_REASON_OK, true, 5, 0, 2000), 0);
}

static void factors_round_up(void **state SL_UNUSED)
{
    assert_int_equal(gw_charge_of_time(60000000, 2000), 120000000);
    assert_int_equal(gw_charge_of_time(1, 1), 1);
    assert_int_equal(gw_charge_of_time(1000, 1), 1);
    assert_int_equal(gw_charge_of_time(1001, 1), 2);
    assert_int_equal(gw_charge_of_time(3, 1500), 5);
    assert_int_equal(gw_charge_of_time(0, 1500), 0);
    assert_true(gw_charge_of_time(INT64_MAX, 2000) == INT64_MAX);
    assert_true(gw_charge_of_time(INT64_MAX, 1000) == INT64_MAX);
}

/* The longest time that fits, and not a microsecond more. */
static void time_within_is_the_reverse(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 5);
    for (int i = 0; i < 100000; i++) {
        sl_gpu_us us = (sl_gpu_us)(sl_rng_u64(&rng) >> (14 + sl_rng_below(&rng, 50)));
        uint32_t factor = 1 + (uint32_t)sl_rng_below(&rng, i % 2 ? 5000 : 1000000);
        sl_gpu_us time = gw_charge_time_within(us, factor);
        assert_true(gw_charge_of_time(time, factor) <= us);
        assert_true(gw_charge_of_time(time + 1, factor) > us);
    }
}

static void a_batch_pays_all_of_its_time(void **state SL_UNUSED)
{
    assert_int_equal(gw_charge_share(100, 3, 0), 34);
    assert_int_equal(gw_charge_share(100, 3, 1), 33);
    assert_int_equal(gw_charge_share(100, 3, 2), 33);
    assert_int_equal(gw_charge_share(2, 4, 0), 2);
    assert_int_equal(gw_charge_share(2, 4, 3), 0);
    for (size_t count = 1; count < 50; count++) {
        sl_gpu_us sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += gw_charge_share(12345, count, i);
        assert_int_equal(sum, 12345);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(platform_failures_cost_nothing),
        cmocka_unit_test(never_more_than_held),
        cmocka_unit_test(factors_round_up),
        cmocka_unit_test(time_within_is_the_reverse),
        cmocka_unit_test(a_batch_pays_all_of_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
