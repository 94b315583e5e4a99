/* test_gw_fluid.c - the place of a call among classes, against what the shares then do. */
#include "gw_fluid.h"

#include "gw_shares.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S(seconds) ((seconds)*SL_US_PER_S)

enum { CLASSES = 4, CALLS_MAX = 60 };

struct crowd {
    struct gw_shares shares;
    struct gw_fluid_class classes[CLASSES];
    int64_t length_us[CLASSES];
    size_t started[CLASSES];
};

static void begin(struct crowd *c, struct sl_rng *rng)
{
    static const uint32_t weights[] = {1, 4, 16};
    gw_shares_init(&c->shares, CLASSES);
    for (size_t i = 0; i < CLASSES; i++) {
        struct gw_fluid_class *f = &c->classes[i];
        c->length_us[i] = S(1) + (int64_t)sl_rng_below(rng, S(20));
        f->weight = weights[sl_rng_below(rng, SL_ARRAY_LEN(weights))];
        f->count = (size_t)sl_rng_below(rng, CALLS_MAX);
        gw_shares_set_weight(&c->shares, i, f->weight);
        if (f->count > 0)
            gw_shares_wait(&c->shares, i);
    }
}

static bool start_next(struct crowd *c, size_t *out_class)
{
    size_t i = gw_shares_next(&c->shares, GW_SHARES_ALL);
    if (i == GW_SHARES_NONE)
        return false;
    (void)gw_shares_start(&c->shares, i, c->length_us[i], GW_FACTOR_ONE);
    if (--c->classes[i].count == 0)
        gw_shares_rest(&c->shares, i);
    *out_class = i;
    return true;
}

/* Some start, so that tags differ; then what waits is told to the model. */
static void go_on(struct crowd *c, struct sl_rng *rng)
{
    size_t i;
    for (uint64_t left = sl_rng_below(rng, 20); left > 0 && start_next(c, &i); left--)
        continue;
    for (i = 0; i < CLASSES; i++) {
        c->classes[i].ahead = c->shares.classes[i].ahead;
        c->classes[i].work_us = (int64_t)c->classes[i].count * c->length_us[i];
        c->started[i] = 0;
    }
}

/* Ties may go either way: one call of each other class. */
static void expect_near(struct gw_fluid_sum got, size_t count)
{
    size_t off = got.count > count ? got.count - count : count - got.count;
    if (off > CLASSES - 1)
        fail_msg("place %zu, and it was %zu", got.count, count);
}

static void calls_start_at_their_places(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 17);
    for (int round = 0; round < 2000; round++) {
        static struct crowd c;
        struct gw_fluid_class then[CLASSES];
        size_t i;
        begin(&c, &rng);
        go_on(&c, &rng);
        memcpy(then, c.classes, sizeof then);
        for (size_t count = 0; start_next(&c, &i); count++) {
            struct gw_fluid_sum own = {c.started[i], (int64_t)c.started[i] * c.length_us[i]};
            expect_near(gw_fluid_before(then, CLASSES, i, own), count);
            c.started[i]++;
        }
    }
}

static void one_class_is_its_own_line(void **state SL_UNUSED)
{
    const struct gw_fluid_class alone = {.weight = 4, .count = 7, .work_us = S(7)};
    struct gw_fluid_sum sum = gw_fluid_before(&alone, 1, 0, (struct gw_fluid_sum){3, S(3)});
    assert_int_equal(sum.count, 3);
    assert_int_equal(sum.work_us, S(3));
}

static void who_owes_waits_for_the_others(void **state SL_UNUSED)
{
    struct gw_fluid_class c[2] = {{.weight = 1, .ahead = S(10) * 1000, .count = 1, .work_us = S(1)},
                                  {.weight = 1, .count = 100, .work_us = S(100)}};
    struct gw_fluid_sum sum = gw_fluid_before(c, 2, 0, (struct gw_fluid_sum){0});
    assert_int_equal(sum.count, 11); /* the eleventh starts when the tags are equal: a tie, after */
    c[1].ahead = S(20) * 1000;
    assert_int_equal(gw_fluid_before(c, 2, 0, (struct gw_fluid_sum){0}).count, 0);
}

static void extremes_do_not_overflow(void **state SL_UNUSED)
{
    const struct gw_fluid_class c[2] = {
        {.weight = 1, .ahead = INT64_MAX, .count = 1, .work_us = INT64_MAX},
        {.weight = UINT32_MAX, .count = SIZE_MAX / 4, .work_us = INT64_MAX},
    };
    struct gw_fluid_sum own = {1, INT64_MAX};
    assert_true(gw_fluid_before(c, 2, 0, own).work_us == INT64_MAX);
    assert_true(gw_fluid_before(c, 2, 1, own).work_us == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_start_at_their_places),
        cmocka_unit_test(one_class_is_its_own_line),
        cmocka_unit_test(who_owes_waits_for_the_others),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
