/* test_sl_rng.c - known answers, ranges, and no bias that a count could show. */
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

/* The reference code of the generator, from state {1, 2, 3, 4}; the first numbers are also those
 * that the crates rand_xoshiro and others test against. */
static void state_one_to_four_gives_known_numbers(void **state SL_UNUSED)
{
    static const uint64_t known[] = {11520,
                                     0,
                                     1509978240,
                                     1215971899390074240,
                                     1216172134540287360,
                                     607988272756665600,
                                     UINT64_C(16172922978634559625),
                                     UINT64_C(8476171486693032832),
                                     UINT64_C(10595114339597558777),
                                     UINT64_C(2904607092377533576)};
    struct sl_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < SL_ARRAY_LEN(known); i++)
        assert_true(sl_rng_u64(&rng) == known[i]);
}

/* splitmix64 from 0: 0xe220a8397b1dcdaf is its well-known first number. */
static void seed_fills_the_state_by_splitmix64(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 0);
    assert_true(rng.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rng.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(rng.s[2] == UINT64_C(0x06c45d188009454f));
    assert_true(rng.s[3] == UINT64_C(0xf88bb8a8724c81ec));
}

static void same_seed_same_numbers(void **state SL_UNUSED)
{
    struct sl_rng a;
    struct sl_rng b;
    struct sl_rng c;
    sl_rng_seed(&a, 42);
    sl_rng_seed(&b, 42);
    sl_rng_seed(&c, 43);
    int equal_to_c = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = sl_rng_u64(&a);
        assert_true(x == sl_rng_u64(&b));
        equal_to_c += x == sl_rng_u64(&c);
    }
    assert_int_equal(equal_to_c, 0);
}

static void below_stays_below(void **state SL_UNUSED)
{
    static const uint64_t limits[] = {
        1, 2, 3, 10, 1000, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1, UINT64_MAX};
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (size_t i = 0; i < SL_ARRAY_LEN(limits); i++) {
        for (int n = 0; n < 1000; n++)
            assert_true(sl_rng_below(&rng, limits[i]) < limits[i]);
    }
}

/* With a plain remainder, n = 3 * 2^62 would hit its lowest third twice as often as the others. */
static void below_has_no_modulo_bias(void **state SL_UNUSED)
{
    const uint64_t third = UINT64_C(1) << 62;
    int hits[3] = {0, 0, 0};
    struct sl_rng rng;
    sl_rng_seed(&rng, 4);
    for (int i = 0; i < 30000; i++)
        hits[sl_rng_below(&rng, 3 * third) / third]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(hits[i], 9600, 10400); /* 5 standard deviations */
}

static void unit_is_even_over_its_range(void **state SL_UNUSED)
{
    int hits[10] = {0};
    struct sl_rng rng;
    sl_rng_seed(&rng, 5);
    for (int i = 0; i < 100000; i++) {
        double x = sl_rng_unit(&rng);
        assert_true(x >= 0 && x < 1);
        hits[(int)(x * 10)]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(hits[i], 9500, 10500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_one_to_four_gives_known_numbers),
        cmocka_unit_test(seed_fills_the_state_by_splitmix64),
        cmocka_unit_test(same_seed_same_numbers),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_has_no_modulo_bias),
        cmocka_unit_test(unit_is_even_over_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
