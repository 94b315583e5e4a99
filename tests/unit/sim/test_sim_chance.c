/* test_sim_chance.c - laws of durations and of arrivals: what their texts mean, and that what is drawn follows them. */
#include <math.h>

#include "sim_arrivals.h"
#include "sim_law.h"
#include "sl_base.h"
#include "sl_test.h"
#include "sl_time.h"

#define S(seconds) ((double)(seconds)*1e6)
#define HOUR_US    (INT64_C(3600) * SL_US_PER_S)

enum { DRAWS = 200000 };

static struct sim_law law_of(const char *text)
{
    struct sim_law law;
    if (!sim_law_read(sl_span_str(text), &law))
        fail_msg("'%s' is not read", text);
    return law;
}

static void assert_near(double got, double wanted, double part)
{
    if (fabs(got - wanted) > part * wanted)
        fail_msg("got %g, wanted %g", got, wanted);
}

static void what_is_drawn_has_the_mean_of_its_text(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        double mean_us, deviation_us;
    } rows[] = {
        {"5s", S(5), 0},
        {"exponential 500ms", S(0.5), S(0.5)},
        {"uniform 1s 9s", S(5), S(8) / 3.4641},
        {"lognormal 8s 0.5", S(8), S(8) * 0.53294},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct sim_law law = law_of(rows[i].text);
        struct sl_rng rng;
        double sum = 0, squares = 0;
        sl_rng_seed(&rng, i);
        for (int n = 0; n < DRAWS; n++) {
            double us = (double)sim_law_draw(&law, &rng);
            sum += us;
            squares += us * us;
        }
        double mean = sum / DRAWS;
        assert_near(law.mean_us, rows[i].mean_us, 1e-9);
        assert_near(mean, rows[i].mean_us, 0.01);
        assert_true(fabs(sqrt(squares / DRAWS - mean * mean + 1e-3) - rows[i].deviation_us) <
                    0.02 * rows[i].mean_us);
    }
}

static void other_texts_are_no_laws(void **state SL_UNUSED)
{
    static const char *const texts[] = {
        "",
        "5",
        "exponential",
        "exponential 5",
        "uniform 9s 1s",
        "normal 5s",
        "5s 5s",
        "lognormal 5s",
        "lognormal 5s -1",
        "lognormal 5s x",
        "0s",
        "-5s",
        "exponential 400000d",
        "lognormal 5s 1 2",
        "uniform 1s",
        "lognormal 5s nan",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        struct sim_law law;
        if (sim_law_read(sl_span_str(texts[i]), &law))
            fail_msg("'%s' is read", texts[i]);
    }
}

static struct sim_arrivals even(double per_s)
{
    struct sim_arrivals a = {.per_us = per_s / 1e6};
    for (size_t i = 0; i < SIM_HOURS; i++)
        a.by_hour[i] = 1;
    return a;
}

static double count_between(const struct sim_arrivals *a, int64_t from_us, int64_t until_us,
                            struct sl_rng *rng)
{
    double count = 0;
    int64_t at = from_us;
    while ((at = sim_arrivals_next(a, at, sim_law_exponential(rng), until_us)) != SIM_NEVER_US)
        count++;
    return count;
}

static void as_many_come_as_the_rate_says(void **state SL_UNUSED)
{
    struct sim_arrivals a = even(2);
    struct sl_rng rng;
    sl_rng_seed(&rng, 1);
    a.by_hour[3] = 3;
    a.by_hour[4] = 0;
    a.bursts[0] = (struct sim_burst){HOUR_US / 2, HOUR_US, 10};
    a.burst_count = 1;
    assert_near(count_between(&a, 0, HOUR_US / 2, &rng), 3600, 0.06);
    assert_near(count_between(&a, HOUR_US / 2, HOUR_US, &rng), 36000, 0.02);
    assert_near(count_between(&a, 0, 2 * HOUR_US, &rng), 3600 + 72000 + 3600, 0.02);
    assert_near(count_between(&a, 3 * HOUR_US, 4 * HOUR_US, &rng), 21600, 0.03);
    assert_true(count_between(&a, 4 * HOUR_US, 5 * HOUR_US, &rng) == 0);
}

/* The instant is where the sum of the rate reaches what was asked, over all edges. */
static void an_arrival_is_where_the_expected_number_is_reached(void **state SL_UNUSED)
{
    struct sim_arrivals a = even(1);
    assert_int_equal(sim_arrivals_next(&a, 0, 5, INT64_MAX), 5 * SL_US_PER_S + 1);
    assert_int_equal(sim_arrivals_next(&a, 0, 5, 5 * SL_US_PER_S), SIM_NEVER_US);
    a.by_hour[0] = 0.5;
    assert_int_equal(sim_arrivals_next(&a, 0, 1800 + 10, INT64_MAX),
                     HOUR_US + 10 * SL_US_PER_S + 1);
    assert_true(sim_arrivals_rate(&a, HOUR_US - 1) < sim_arrivals_rate(&a, HOUR_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_drawn_has_the_mean_of_its_text),
        cmocka_unit_test(other_texts_are_no_laws),
        cmocka_unit_test(as_many_come_as_the_rate_says),
        cmocka_unit_test(an_arrival_is_where_the_expected_number_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
