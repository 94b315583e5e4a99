/* test_gw_eta.c - estimates against what then happens: exactly, where calls are alike; within their p90, where they are
 * not, in a small simulation of a line before some slices. */
#include "gw_eta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S(seconds) ((int64_t)((seconds)*SL_US_PER_S))

enum { SLICES_MAX = 200, CALLS = 6000 };

/* ---- calls that are alike */

/* Gives calls of that length to the slice that is free first; when would the next one start? */
static int64_t start_by_hand(int64_t *free_at, size_t slices, size_t calls, int64_t length)
{
    for (;;) {
        size_t first = 0;
        for (size_t i = 1; i < slices; i++)
            if (free_at[i] < free_at[first])
                first = i;
        if (calls-- == 0)
            return free_at[first];
        free_at[first] += length;
    }
}

static void alike_calls_start_when_it_says(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 3);
    for (int round = 0; round < 3000; round++) {
        struct gw_eta_slices s;
        int64_t free_at[GW_ETA_SLICES_MAX], length = 1 + (int64_t)sl_rng_below(&rng, S(30));
        size_t slices = 1 + (size_t)sl_rng_below(&rng, GW_ETA_SLICES_MAX);
        size_t calls = (size_t)sl_rng_below(&rng, 100);
        gw_eta_slices_begin(&s);
        for (size_t i = 0; i < slices; i++) {
            free_at[i] = (int64_t)sl_rng_below(&rng, S(10));
            gw_eta_slices_add(&s, free_at[i]);
        }
        gw_eta_slices_end(&s);
        struct gw_fluid_sum before = {calls, (int64_t)calls * length};
        assert_int_equal(gw_eta_start_us(&s, before),
                         start_by_hand(free_at, slices, calls, length));
    }
}

static void many_slices_are_told_by_some(void **state SL_UNUSED)
{
    struct gw_eta_slices s;
    struct sl_rng rng;
    int64_t free_at[SLICES_MAX];
    sl_rng_seed(&rng, 4);
    gw_eta_slices_begin(&s);
    for (size_t i = 0; i < SLICES_MAX; i++) {
        free_at[i] = (int64_t)sl_rng_below(&rng, S(10));
        gw_eta_slices_add(&s, free_at[i]);
    }
    gw_eta_slices_end(&s);
    assert_int_equal(s.all_count, SLICES_MAX);
    assert_true(s.count >= GW_ETA_SLICES_MAX / 2 && s.count <= GW_ETA_SLICES_MAX);
    struct gw_fluid_sum before = {1000, S(10000)};
    int64_t got = gw_eta_start_us(&s, before);
    int64_t exact = start_by_hand(free_at, SLICES_MAX, 1000, S(10));
    assert_true(llabs(got - exact) < S(5));
}

static void without_slices_it_is_never(void **state SL_UNUSED)
{
    struct gw_eta_slices s;
    struct gw_eta_errors *e;
    gw_eta_slices_begin(&s);
    gw_eta_slices_end(&s);
    assert_int_equal(gw_eta_start_us(&s, (struct gw_fluid_sum){0}), GW_ETA_NEVER_US);
    assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 1, &e));
    assert_int_equal(gw_eta_of(e, 0, GW_ETA_NEVER_US, 0).p50_us, GW_ETA_NEVER_US);
    gw_eta_learn(e, 0, GW_ETA_NEVER_US, 5, 0);
    gw_eta_errors_destroy(e);
}

static void extremes_do_not_overflow(void **state SL_UNUSED)
{
    struct gw_eta_slices s;
    struct gw_eta_errors *e;
    gw_eta_slices_begin(&s);
    gw_eta_slices_add(&s, INT64_MAX);
    gw_eta_slices_add(&s, -5);
    gw_eta_slices_end(&s);
    assert_int_equal(s.rest_us[0], 0);
    assert_true(gw_eta_start_us(&s, (struct gw_fluid_sum){1000, INT64_MAX}) > 0);
    assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 1, &e));
    for (int i = 0; i < 100; i++)
        gw_eta_learn(e, 0, 0, INT64_MAX, 0);
    assert_true(gw_eta_of(e, 0, 0, S(1)).p90_us > 0);
    assert_true(gw_eta_of(e, 0, INT64_MAX, S(1)).p90_us > 0);
    gw_eta_errors_destroy(e);
}

/* ---- what is learned */

static void ratios_are_learned_by_class_and_horizon(void **state SL_UNUSED)
{
    struct gw_eta_errors *e;
    assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 3, &e));
    assert_int_equal(gw_eta_of(e, 0, S(10), S(1)).p50_us, S(10));
    assert_int_equal(gw_eta_of(e, 0, S(10), S(1)).p90_us, S(20));
    for (int64_t i = 1; i <= 100; i++) /* from 1 % to 100 % longer */
        gw_eta_learn(e, 1, S(10), S(10) + i * S(10) / 100, i);
    struct gw_eta of_one = gw_eta_of(e, 1, S(10), S(1));
    assert_true(llabs(of_one.p50_us - S(15)) < S(0.2));
    assert_true(llabs(of_one.p90_us - S(19)) < S(0.2));
    assert_int_equal(gw_eta_of(e, 2, S(10), S(1)).p50_us, of_one.p50_us); /* by all classes */
    assert_int_equal(gw_eta_of(e, 1, S(60), S(1)).p50_us, S(60));         /* another horizon */
    for (int i = 0; i < GW_ETA_SAMPLES_MIN; i++)
        gw_eta_learn(e, 2, S(10), S(5), 200);
    assert_true(llabs(gw_eta_of(e, 2, S(10), S(1)).p90_us - S(5)) < S(0.1));
    assert_int_equal(gw_eta_of(e, 1, S(10), S(1)).p50_us, of_one.p50_us);
    gw_eta_errors_destroy(e);
}

static void calls_of_one_time_do_not_push_out_the_others(void **state SL_UNUSED)
{
    struct gw_eta_errors *e;
    assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 1, &e));
    for (int i = 0; i < GW_LEARN_SAMPLES; i++)
        gw_eta_learn(e, 0, S(16), S(16), i);
    for (int i = 0; i < 1000; i++)
        gw_eta_learn(e, 0, S(16), S(40), S(0.9) + i);
    assert_int_equal(gw_eta_of(e, 0, S(16), S(1)).p90_us, S(16));
    for (int i = 1; i < GW_LEARN_SAMPLES; i++)
        gw_eta_learn(e, 0, S(16), S(40), S(2) * i);
    assert_true(llabs(gw_eta_of(e, 0, S(16), S(1)).p50_us - S(40)) < S(0.1));
    gw_eta_errors_destroy(e);
}

static void what_nobody_proves_any_more_is_forgotten(void **state SL_UNUSED)
{
    struct gw_eta_errors *e;
    assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 1, &e));
    for (int i = 0; i < GW_LEARN_SAMPLES; i++)
        gw_eta_learn(e, 0, S(10), S(40), i);
    assert_true(gw_eta_of(e, 0, S(10), S(600)).p50_us > S(39));
    assert_int_equal(gw_eta_of(e, 0, S(10), S(601)).p50_us, S(10));
    for (int i = 0; i < GW_ETA_SAMPLES_MIN; i++)
        gw_eta_learn(e, 0, S(10), S(10), S(700) + i);
    assert_int_equal(gw_eta_of(e, 0, S(10), S(701)).p90_us, S(10));
    gw_eta_errors_destroy(e);
}

static void without_memory_there_is_none(void **state SL_UNUSED)
{
    struct fail_alloc memory;
    struct gw_eta_errors *e;
    fail_alloc_init(&memory);
    memory.fail_at = 1;
    assert_int_equal(gw_eta_errors_create(&memory.alloc, 3, &e), SL_ENOMEM);
    assert_int_equal(gw_eta_errors_create(&memory.alloc, 0, &e), SL_EINVAL);
}

/* ---- a line before some slices, calls of any length, and what is told to each that comes */

struct line {
    struct sl_rng rng;
    size_t slices;
    double mean_s, load;
    int64_t free_at[SLICES_MAX];
    size_t waiting_from;
    int64_t now;
};

struct tally {
    size_t told, within_p50, within_p90;
    double width, spread; /* sums over calls: p90 - p50 as told, and by the truth of all errors */
};

static double exponential(struct line *l, double mean)
{
    return -mean * log(1 - sl_rng_unit(&l->rng));
}

/* As the gateway does: of what runs it knows how long it has run, and the mean of such calls. */
static void look_at_slices(const struct line *l, struct gw_eta_slices *s)
{
    gw_eta_slices_begin(s);
    for (size_t i = 0; i < l->slices; i++)
        gw_eta_slices_add(s, l->free_at[i] > l->now ? S(l->mean_s) : 0);
    gw_eta_slices_end(s);
}

/* It starts on the slice that is free first; all before it have their slices. */
static int64_t start(struct line *l)
{
    size_t first = 0;
    for (size_t i = 1; i < l->slices; i++)
        if (l->free_at[i] < l->free_at[first])
            first = i;
    int64_t at = l->free_at[first] > l->now ? l->free_at[first] : l->now;
    l->free_at[first] = at + S(exponential(l, l->mean_s));
    return at;
}

static void play(struct line *l, struct gw_eta_errors *e, struct tally *t)
{
    static struct {
        int64_t at, estimated, wait;
        struct gw_eta told;
    } calls[CALLS];
    size_t learned = 0;
    for (size_t n = 0; n < CALLS; n++) {
        struct gw_eta_slices s;
        l->now += S(exponential(l, l->mean_s / (double)l->slices / l->load));
        while (l->waiting_from < n &&
               calls[l->waiting_from].at + calls[l->waiting_from].wait <= l->now)
            l->waiting_from++;
        for (; learned < l->waiting_from; learned++) /* by their ends; they start in their order */
            gw_eta_learn(e, 0, calls[learned].estimated, calls[learned].wait, l->now);
        size_t waiting = n - l->waiting_from;
        look_at_slices(l, &s);
        calls[n].estimated = gw_eta_start_us(
            &s, (struct gw_fluid_sum){waiting, (int64_t)((double)waiting * l->mean_s * 1e6)});
        calls[n].told = gw_eta_of(e, 0, calls[n].estimated, l->now);
        calls[n].at = l->now;
        calls[n].wait = start(l) - l->now;
        if (n < CALLS / 3 || calls[n].estimated == 0) /* it must know something first */
            continue;
        t->told++;
        t->within_p50 += calls[n].wait <= calls[n].told.p50_us;
        t->within_p90 += calls[n].wait <= calls[n].told.p90_us;
        t->width += (double)(calls[n].told.p90_us - calls[n].told.p50_us);
        t->spread += fabs((double)(calls[n].wait - calls[n].told.p50_us));
    }
}

static void bands_hold_in_a_line(void **state SL_UNUSED)
{
    static const struct {
        size_t slices;
        double load;
    } kinds[] = {{1, 0.9}, {2, 0.9}, {8, 0.95}, {32, 0.98}, {4, 1.02}};
    for (size_t k = 0; k < SL_ARRAY_LEN(kinds); k++) {
        static struct line l;
        struct gw_eta_errors *e;
        struct tally t = {0};
        l = (struct line){.slices = kinds[k].slices, .mean_s = 5, .load = kinds[k].load};
        sl_rng_seed(&l.rng, 100 + k);
        assert_ok(gw_eta_errors_create(&sl_alloc_malloc, 1, &e));
        play(&l, e, &t);
        gw_eta_errors_destroy(e);
        double p50 = (double)t.within_p50 / (double)t.told;
        double p90 = (double)t.within_p90 / (double)t.told;
        printf(
            "%zu slices, load %.2f: %zu told, p50 holds for %.1f %%, p90 for %.1f %%, width %.2f "
            "of the mean error\n",
            kinds[k].slices, kinds[k].load, t.told, 100 * p50, 100 * p90, t.width / t.spread);
        assert_true(t.told > CALLS / 4);
        assert_true(p90 > 0.85 && p90 < 0.95);
        assert_true(p50 > 0.40 && p50 < 0.60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alike_calls_start_when_it_says),
        cmocka_unit_test(many_slices_are_told_by_some),
        cmocka_unit_test(without_slices_it_is_never),
        cmocka_unit_test(extremes_do_not_overflow),
        cmocka_unit_test(ratios_are_learned_by_class_and_horizon),
        cmocka_unit_test(calls_of_one_time_do_not_push_out_the_others),
        cmocka_unit_test(what_nobody_proves_any_more_is_forgotten),
        cmocka_unit_test(without_memory_there_is_none),
        cmocka_unit_test(bands_hold_in_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
