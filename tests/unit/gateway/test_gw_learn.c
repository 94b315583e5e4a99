/* test_gw_learn.c - percentiles of the last samples are those of a sorted list, and what an `auto` call asks for. */
#include "gw_learn.h"

#include <stdlib.h>

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S SL_US_PER_S

static int by_length(const void *a, const void *b)
{
    sl_gpu_us x = *(const sl_gpu_us *)a, y = *(const sl_gpu_us *)b;
    return (x > y) - (x < y);
}

/* The smallest sample such that at least so many percent are not above it. */
static sl_gpu_us naive_percentile(const sl_gpu_us *last, size_t count, unsigned percent)
{
    sl_gpu_us sorted[GW_LEARN_SAMPLES];
    memcpy(sorted, last, count * sizeof *last);
    qsort(sorted, count, sizeof *sorted, by_length);
    for (size_t i = 0; i < count; i++)
        if ((i + 1) * 100 >= count * percent)
            return sorted[i];
    return 0;
}

static void percentiles_are_those_of_the_last_samples(void **state SL_UNUSED)
{
    enum { COUNT = 3000 };
    static sl_gpu_us all[COUNT];
    static struct gw_learn l;
    struct sl_rng rng;
    sl_rng_seed(&rng, 17);
    assert_int_equal(gw_learn_percentile(&l, 50), 0);
    for (size_t i = 0; i < COUNT; i++) {
        all[i] = 1 + (sl_gpu_us)sl_rng_below(&rng, i % 3 ? 20 : 1000000);
        gw_learn_add(&l, all[i]);
        size_t count = i + 1 < GW_LEARN_SAMPLES ? i + 1 : GW_LEARN_SAMPLES;
        const sl_gpu_us *last = &all[i + 1 - count];
        assert_int_equal(gw_learn_percentile(&l, 50), naive_percentile(last, count, 50));
        assert_int_equal(gw_learn_percentile(&l, 95), naive_percentile(last, count, 95));
        assert_int_equal(gw_learn_percentile(&l, 100), naive_percentile(last, count, 100));
        assert_int_equal(gw_learn_percentile(&l, 1), naive_percentile(last, count, 1));
    }
}

static void add_many(struct gw_learn *l, sl_gpu_us v, int count)
{
    while (count-- > 0)
        gw_learn_add(l, v);
}

static void four_samples_are_too_few(void **state SL_UNUSED)
{
    static struct gw_learn l;
    add_many(&l, 2 * S, 4);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 1 * S), 60 * S);
    add_many(&l, 2 * S, 1);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 30 * S), 5 * S / 2);
}

static void auto_asks_for_p95_and_a_quarter_or_what_is_left(void **state SL_UNUSED)
{
    static struct gw_learn l;
    add_many(&l, 4 * S, 50);
    add_many(&l, 9 * S, 50);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 30 * S), 45 * S / 4);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 11 * S), 11 * S);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 6 * S), 6 * S);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 4 * S), 4 * S); /* p50 is just left */
    assert_int_equal(gw_learn_duration(&l, 60 * S, 4 * S - 1), 4 * S);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 0), 4 * S);
}

static void short_calls_ask_for_a_second(void **state SL_UNUSED)
{
    static struct gw_learn l;
    add_many(&l, 0, 10); /* counts as a microsecond: nobody asks for nothing */
    assert_int_equal(gw_learn_duration(&l, 60 * S, 30 * S), 1 * S);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 300), 300);
    assert_int_equal(gw_learn_duration(&l, 60 * S, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_last_samples),
        cmocka_unit_test(four_samples_are_too_few),
        cmocka_unit_test(auto_asks_for_p95_and_a_quarter_or_what_is_left),
        cmocka_unit_test(short_calls_ask_for_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
