/* test_gw_deadline.c - the formula by its numbers, and the laws of the order that it makes. */
#include "gw_deadline.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S(seconds) ((seconds)*SL_US_PER_S)

enum { TRIALS = 20000 };

static int64_t offset(int64_t declared_us, int64_t used_us, int64_t limit_us, int64_t max_wait_us)
{
    struct gw_deadline_ask ask = {.declared_us = declared_us,
                                  .used_us = used_us,
                                  .limit_us = limit_us,
                                  .max_wait_us = max_wait_us};
    return gw_deadline_offset_us(&ask);
}

static void the_formula_by_its_numbers(void **state SL_UNUSED)
{
    assert_int_equal(offset(S(60), 0, S(120), S(600)), S(15));
    assert_int_equal(offset(S(60), S(60), S(120), S(600)), S(30));
    assert_int_equal(offset(S(60), S(120), S(120), S(600)), S(45));
    assert_int_equal(offset(0, 0, S(120), S(60)), 3750000);
    assert_int_equal(offset(S(5), 0, S(120), S(60)), 4687500);
    assert_int_equal(offset(S(5), S(40), S(120), S(60)), 7812500);
    assert_int_equal(offset(S(300), 0, S(1500), S(600)), S(60));
    assert_int_equal(offset(S(300), 0, S(1500), S(60)), S(30)); /* the cap */
    assert_int_equal(offset(1, 0, 3, S(60)), 3750000);          /* .1875 us down */
    assert_int_equal(offset(6, 0, 3, S(60)), 3750001);
}

static void every_value_has_an_answer(void **state SL_UNUSED)
{
    assert_int_equal(offset(S(60), S(500), S(120), S(600)), S(45));
    assert_int_equal(offset(S(60), 0, 0, S(600)), S(45));
    assert_int_equal(offset(S(60), 0, -1, S(600)), S(45));
    assert_int_equal(offset(S(60), -5, S(120), S(600)), S(15));
    assert_int_equal(offset(-5, 0, S(120), S(600)), 3750000);
    assert_int_equal(offset(S(60), 0, S(120), -1), 0);
    assert_int_equal(offset(INT64_MAX, INT64_MAX, INT64_MAX, S(600)), S(300));
    assert_int_equal(offset(S(60), 0, INT64_MAX, INT64_MAX), S(15));
    assert_true(offset(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX) >=
                offset(INT64_MAX / 4, INT64_MAX, INT64_MAX, INT64_MAX));
    assert_int_equal(offset(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN), 0);
    struct gw_deadline_ask late = {.arrived_us = INT64_MAX - 5,
                                   .declared_us = S(60),
                                   .limit_us = S(120),
                                   .max_wait_us = S(60)};
    assert_true(gw_deadline_us(&late) == INT64_MAX);
}

/* ---- laws, for any values */

/* Of any magnitude: usual ones, and the ends of the type. */
static int64_t any(struct sl_rng *r)
{
    uint64_t bits = sl_rng_below(r, 64);
    int64_t x = (int64_t)(sl_rng_u64(r) >> bits);
    return sl_rng_below(r, 16) == 0 ? ~x : x;
}

static struct gw_deadline_ask any_ask(struct sl_rng *r)
{
    return (struct gw_deadline_ask){
        .declared_us = any(r), .used_us = any(r), .limit_us = any(r), .max_wait_us = any(r)};
}

static void shorter_and_less_used_are_not_later(void **state SL_UNUSED)
{
    struct sl_rng r;
    sl_rng_seed(&r, 1);
    for (int i = 0; i < TRIALS; i++) {
        struct gw_deadline_ask a = any_ask(&r), shorter = a, lighter = a, richer = a;
        shorter.declared_us = any(&r);
        lighter.used_us = any(&r);
        richer.limit_us = any(&r);
        if (shorter.declared_us <= a.declared_us)
            assert_true(gw_deadline_us(&shorter) <= gw_deadline_us(&a));
        if (lighter.used_us <= a.used_us)
            assert_true(gw_deadline_us(&lighter) <= gw_deadline_us(&a));
        if (richer.limit_us >= a.limit_us)
            assert_true(gw_deadline_us(&richer) <= gw_deadline_us(&a));
    }
}

/* Where no cap is in the way, and the difference is more than rounding. */
static void usual_differences_count(void **state SL_UNUSED)
{
    struct sl_rng r;
    sl_rng_seed(&r, 2);
    for (int i = 0; i < TRIALS; i++) {
        int64_t declared = (int64_t)sl_rng_below(&r, (uint64_t)S(300)), used, limit = S(1500);
        used = (int64_t)sl_rng_below(&r, (uint64_t)S(1400));
        int64_t here = offset(declared, used, limit, S(600));
        assert_true(offset(declared + 1000, used, limit, S(600)) > here);
        assert_true(offset(declared, used + 1000, limit, S(600)) > here);
    }
}

static void no_offset_is_beyond_the_cap(void **state SL_UNUSED)
{
    struct sl_rng r;
    sl_rng_seed(&r, 3);
    for (int i = 0; i < TRIALS; i++) {
        struct gw_deadline_ask a = any_ask(&r);
        int64_t got = gw_deadline_offset_us(&a);
        assert_true(got >= 0);
        assert_true(got <= (a.max_wait_us > 0 ? a.max_wait_us / 2 : 0));
    }
}

static void only_arrivals_within_the_offset_overtake(void **state SL_UNUSED)
{
    struct sl_rng r;
    size_t overtaken = 0;
    sl_rng_seed(&r, 4);
    for (int i = 0; i < TRIALS; i++) {
        struct gw_deadline_ask a = any_ask(&r), b = any_ask(&r);
        a.arrived_us = (int64_t)sl_rng_below(&r, (uint64_t)S(100));
        b.arrived_us = a.arrived_us + (int64_t)sl_rng_below(&r, (uint64_t)S(100));
        a.max_wait_us = b.max_wait_us = S(60);
        if (gw_deadline_us(&b) >= gw_deadline_us(&a)) /* the first of equal ones is first */
            continue;
        overtaken++;
        int64_t later_us = b.arrived_us - a.arrived_us;
        assert_true(later_us < gw_deadline_offset_us(&a) - gw_deadline_offset_us(&b));
        assert_true(later_us < S(30));
    }
    assert_true(overtaken > TRIALS / 100);
}

/* The same numbers by floating point. */
static void the_formula_is_what_the_design_says(void **state SL_UNUSED)
{
    struct sl_rng r;
    sl_rng_seed(&r, 5);
    for (int i = 0; i < TRIALS; i++) {
        int64_t declared = (int64_t)sl_rng_below(&r, (uint64_t)S(300));
        int64_t limit = 1 + (int64_t)sl_rng_below(&r, (uint64_t)S(3000));
        int64_t used = (int64_t)sl_rng_below(&r, (uint64_t)limit + 1);
        double wanted =
            30e6 * (0.25 + 0.75 * (double)declared / 60e6) * (0.5 + (double)used / (double)limit);
        double got = (double)offset(declared, used, limit, S(6000));
        assert_true(got <= wanted + 0.01 && got > wanted - 1.01);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_by_its_numbers),
        cmocka_unit_test(every_value_has_an_answer),
        cmocka_unit_test(shorter_and_less_used_are_not_later),
        cmocka_unit_test(usual_differences_count),
        cmocka_unit_test(no_offset_is_beyond_the_cap),
        cmocka_unit_test(only_arrivals_within_the_offset_overtake),
        cmocka_unit_test(the_formula_is_what_the_design_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
