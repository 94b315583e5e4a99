/* test_gw_learn_work.c - expected work is the mean of the last samples, and what is declared
 * until there are five. */
#include "gw_learn_work.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S SL_US_PER_S

static void four_samples_are_too_few(void **state SL_UNUSED)
{
    static struct gw_learn l;
    for (int i = 0; i < 4; i++)
        gw_learn_add(&l, 2 * S);
    assert_int_equal(gw_learn_work(&l, 60 * S), 60 * S);
    gw_learn_add(&l, 12 * S);
    assert_int_equal(gw_learn_work(&l, 60 * S), 4 * S);
    assert_int_equal(gw_learn_work(&l, 3 * S), 3 * S);
}

static void it_is_the_mean_of_the_last_samples(void **state SL_UNUSED)
{
    enum { COUNT = 1000 };
    static sl_gpu_us all[COUNT];
    static struct gw_learn l;
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (size_t i = 0; i < COUNT; i++) {
        size_t count = i + 1 < GW_LEARN_SAMPLES ? i + 1 : GW_LEARN_SAMPLES;
        long double sum = 0;
        all[i] = 1 + (sl_gpu_us)sl_rng_below(&rng, i % 3 ? 100 : INT64_C(1) << 40);
        gw_learn_add(&l, all[i]);
        for (size_t k = i + 1 - count; k <= i; k++)
            sum += (long double)all[k];
        long double wanted = sum / (long double)count;
        sl_gpu_us got = gw_learn_work(&l, INT64_MAX);
        if (count >= GW_LEARN_SAMPLES_MIN)
            assert_true((long double)got >= wanted - 0.5L && (long double)got <= wanted + 0.5L);
        else
            assert_true(got == INT64_MAX);
    }
}

static void the_longest_samples_do_not_overflow(void **state SL_UNUSED)
{
    static struct gw_learn l;
    for (int i = 0; i < GW_LEARN_SAMPLES; i++)
        gw_learn_add(&l, INT64_MAX);
    assert_true(gw_learn_work(&l, INT64_MAX) == INT64_MAX);
}

static void what_is_left_is_what_longer_ones_had_left(void **state SL_UNUSED)
{
    static struct gw_learn l;
    for (int i = 0; i < 4; i++)
        gw_learn_add(&l, 10 * S);
    assert_int_equal(gw_learn_rest(&l, 60 * S, 15 * S), 45 * S); /* they are too few */
    gw_learn_add(&l, 20 * S);
    gw_learn_add(&l, 40 * S);
    assert_int_equal(gw_learn_rest(&l, 60 * S, 0), 100 * S / 6);
    assert_int_equal(gw_learn_rest(&l, 60 * S, 10 * S), 20 * S); /* of the two longest */
    assert_int_equal(gw_learn_rest(&l, 60 * S, 39 * S), 1 * S);
    assert_int_equal(gw_learn_rest(&l, 60 * S, 40 * S), 20 * S); /* longer than any */
    assert_int_equal(gw_learn_rest(&l, 60 * S, 50 * S), 10 * S); /* then it is ended */
    assert_int_equal(gw_learn_rest(&l, 12 * S, 10 * S), 2 * S);
    assert_int_equal(gw_learn_rest(&l, 12 * S, 13 * S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_samples_are_too_few),
        cmocka_unit_test(it_is_the_mean_of_the_last_samples),
        cmocka_unit_test(what_is_left_is_what_longer_ones_had_left),
        cmocka_unit_test(the_longest_samples_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
