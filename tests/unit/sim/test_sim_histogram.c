/* test_sim_histogram.c - quantiles within 3 % of those of the sorted values. */
#include "sim_histogram.h"

#include <stdlib.h>

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { VALUES = 5000 };

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_those_of_the_sorted_values(void **state SL_UNUSED)
{
    static const unsigned asked[] = {1, 100, 500, 900, 990, 999, 1000};
    static struct sim_histogram h;
    static int64_t values[VALUES];
    struct sl_rng rng;
    for (unsigned bits = 1; bits <= 36; bits += 5) {
        int64_t total = 0;
        memset(&h, 0, sizeof h);
        sl_rng_seed(&rng, bits);
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = (int64_t)sl_rng_below(&rng, UINT64_C(1) << (1 + sl_rng_below(&rng, bits)));
            total += values[i];
            sim_histogram_add(&h, values[i]);
        }
        qsort(values, VALUES, sizeof values[0], compare);
        assert_int_equal(h.count, VALUES);
        assert_int_equal(h.total_us, total);
        assert_int_equal(h.most_us, values[VALUES - 1]);
        for (size_t q = 0; q < SL_ARRAY_LEN(asked); q++) {
            int64_t want = values[(VALUES * asked[q] + 999) / 1000 - 1];
            int64_t got = sim_histogram_quantile_us(&h, asked[q]);
            if (llabs((long long)(got - want)) > want * 3 / 100 + 1)
                fail_msg("%u of %u bits: %lld, wanted %lld", asked[q], bits, (long long)got,
                         (long long)want);
        }
    }
}

static void ends_and_nothing(void **state SL_UNUSED)
{
    static struct sim_histogram h, other;
    assert_int_equal(sim_histogram_quantile_us(&h, 500), 0);
    assert_true(sim_histogram_mean_us(&h) == 0);
    sim_histogram_add(&h, INT64_C(1) << 40);
    assert_true(sim_histogram_quantile_us(&h, 500) <= SIM_HISTOGRAM_MAX_US);
    assert_true(sim_histogram_quantile_us(&h, 500) > SIM_HISTOGRAM_MAX_US / 100 * 97);
    sim_histogram_add(&other, 10);
    sim_histogram_add(&other, 20);
    sim_histogram_join(&h, &other);
    assert_int_equal(h.count, 3);
    assert_int_equal(sim_histogram_quantile_us(&h, 600), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(ends_and_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
