/* test_sl_time.c - arithmetic that stays at the type's ends. */
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_time.h"

static void add_saturates(void **state SL_UNUSED)
{
    assert_true(sl_sat_add(1, 2) == 3);
    assert_true(sl_sat_add(INT64_MAX, 0) == INT64_MAX);
    assert_true(sl_sat_add(INT64_MAX, 1) == INT64_MAX);
    assert_true(sl_sat_add(SL_MONO_NEVER, SL_NS_PER_S) == SL_MONO_NEVER);
    assert_true(sl_sat_add(INT64_MIN, -1) == INT64_MIN);
    assert_true(sl_sat_add(INT64_MIN, INT64_MAX) == -1);
}

static void mul_saturates(void **state SL_UNUSED)
{
    assert_true(sl_sat_mul(-3, 4) == -12);
    assert_true(sl_sat_mul(INT64_MAX, 2) == INT64_MAX);
    assert_true(sl_sat_mul(INT64_MIN, 2) == INT64_MIN);
    assert_true(sl_sat_mul(INT64_MIN, -1) == INT64_MAX);
    assert_true(sl_sat_mul(INT64_MAX, -2) == INT64_MIN);
    assert_true(sl_sat_mul(INT64_MAX, 0) == 0);
}

static int64_t clamp(__int128 x)
{
    return x > INT64_MAX ? INT64_MAX : x < INT64_MIN ? INT64_MIN : (int64_t)x;
}

static void agrees_with_wider_arithmetic(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 2);
    for (int i = 0; i < 200000; i++) {
        int64_t a = (int64_t)sl_rng_u64(&rng) >> sl_rng_below(&rng, 64);
        int64_t b = (int64_t)sl_rng_u64(&rng) >> sl_rng_below(&rng, 64);
        assert_true(sl_sat_add(a, b) == clamp((__int128)a + b));
        assert_true(sl_sat_mul(a, b) == clamp((__int128)a * b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_saturates),
        cmocka_unit_test(mul_saturates),
        cmocka_unit_test(agrees_with_wider_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
