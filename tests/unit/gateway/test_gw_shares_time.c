/* test_gw_shares_time.c - who gets how much of the time of several slices, in a small simulation:
 * classes that always wait, classes that come and go, calls whose length is known and calls
 * whose length is not. */
#include "gw_shares.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S(seconds) ((seconds)*SL_US_PER_S)

enum { CLASSES = 4, SLICES_MAX = 20, WINDOW = 30, MINUTES_MAX = 24 * 60, LONGEST_S = 60 };

/* How long the calls of a class are. */
enum law { FIXED, UNIFORM, TWO_KINDS, LAWS };
/* What is expected of them. */
enum expectation { EXACT, MEAN, DECLARED, EXPECTATIONS };

struct crowd {
    enum law law;
    enum expectation expectation;
    int64_t longest_us, mean_us;
    int64_t toggles_at; /* INT64_MAX: waits always */
    int64_t served_us;  /* by what has ended */
    int64_t served_by[MINUTES_MAX + 1];
};

struct slice {
    int64_t from, until; /* until 0: free */
    struct gw_share share;
};

struct sim {
    struct gw_shares shares;
    struct crowd crowds[CLASSES];
    size_t count, slice_count;
    struct slice slices[SLICES_MAX];
    int64_t now;
    struct sl_rng rng;
};

/* ---- calls */

static int64_t any_length(struct sim *m, const struct crowd *c)
{
    switch (c->law) {
    case UNIFORM:
        return S(1) + (int64_t)sl_rng_below(&m->rng, (uint64_t)(c->longest_us - S(1)) + 1);
    case TWO_KINDS:
        return sl_rng_below(&m->rng, 4) == 0 ? c->longest_us : S(1);
    default:
        return c->longest_us;
    }
}

static int64_t mean_of(const struct crowd *c)
{
    switch (c->law) {
    case UNIFORM:
        return (S(1) + c->longest_us) / 2;
    case TWO_KINDS:
        return (3 * S(1) + c->longest_us) / 4;
    default:
        return c->longest_us;
    }
}

static int64_t expected_of(const struct crowd *c, int64_t length_us)
{
    if (c->expectation == EXACT)
        return length_us;
    return c->expectation == MEAN ? c->mean_us : S(LONGEST_S);
}

static void start_on(struct sim *m, struct slice *slice)
{
    size_t i = gw_shares_next(&m->shares, GW_SHARES_ALL);
    if (i == GW_SHARES_NONE)
        return;
    const struct crowd *c = &m->crowds[i];
    int64_t length_us = any_length(m, c);
    slice->from = m->now;
    slice->until = m->now + length_us;
    slice->share = gw_shares_start(&m->shares, i, expected_of(c, length_us), GW_FACTOR_ONE);
}

static void end_on(struct sim *m, struct slice *slice)
{
    int64_t used_us = slice->until - slice->from;
    m->crowds[slice->share.class_index].served_us += used_us;
    gw_shares_end(&m->shares, &slice->share, used_us);
    slice->until = 0;
}

/* ---- time */

/* From a second to half an hour. */
static int64_t any_pause(struct sim *m)
{
    int64_t longest = sl_rng_below(&m->rng, 2) == 0 ? S(1800) : S(60);
    return S(1) + (int64_t)sl_rng_below(&m->rng, (uint64_t)longest);
}

static void toggle(struct sim *m, size_t i)
{
    struct crowd *c = &m->crowds[i];
    if (m->shares.classes[i].is_waiting)
        gw_shares_rest(&m->shares, i);
    else
        gw_shares_wait(&m->shares, i);
    c->toggles_at = m->now + any_pause(m);
}

static int64_t next_event(const struct sim *m, int64_t end)
{
    int64_t at = end;
    for (size_t i = 0; i < m->slice_count; i++)
        if (m->slices[i].until != 0 && m->slices[i].until < at)
            at = m->slices[i].until;
    for (size_t i = 0; i < m->count; i++)
        if (m->crowds[i].toggles_at < at)
            at = m->crowds[i].toggles_at;
    return at;
}

static void run_to(struct sim *m, int64_t end)
{
    do {
        m->now = next_event(m, end);
        for (size_t i = 0; i < m->slice_count; i++)
            if (m->slices[i].until != 0 && m->slices[i].until <= m->now)
                end_on(m, &m->slices[i]);
        for (size_t i = 0; i < m->count; i++)
            if (m->crowds[i].toggles_at <= m->now)
                toggle(m, i);
        for (size_t i = 0; i < m->slice_count; i++)
            if (m->slices[i].until == 0)
                start_on(m, &m->slices[i]);
        assert_ok(gw_shares_check(&m->shares));
    } while (m->now < end);
}

static void write_down(struct sim *m, size_t minute)
{
    for (size_t i = 0; i < m->count; i++)
        m->crowds[i].served_by[minute] = m->crowds[i].served_us;
    for (size_t i = 0; i < m->slice_count; i++) {
        const struct slice *slice = &m->slices[i];
        if (slice->until != 0)
            m->crowds[slice->share.class_index].served_by[minute] += m->now - slice->from;
    }
}

static void run_minutes(struct sim *m, size_t from, size_t to)
{
    for (size_t minute = from; minute <= to; minute++) {
        run_to(m, m->now + (minute > from ? S(60) : 0));
        write_down(m, minute);
    }
}

/* Of the time of all slices, from one minute to another. */
static double part(const struct sim *m, size_t class_index, size_t from, size_t to)
{
    const struct crowd *c = &m->crowds[class_index];
    return (double)(c->served_by[to] - c->served_by[from]) /
           ((double)m->slice_count * (double)(to - from) * 60e6);
}

/* ---- scenes */

static void make(struct sim *m, uint64_t seed, size_t slice_count, const uint32_t *weights,
                 size_t count)
{
    *m = (struct sim){.count = count, .slice_count = slice_count};
    sl_rng_seed(&m->rng, seed);
    gw_shares_init(&m->shares, count);
    for (size_t i = 0; i < count; i++) {
        struct crowd *c = &m->crowds[i];
        gw_shares_set_weight(&m->shares, i, weights[i]);
        gw_shares_wait(&m->shares, i);
        c->law = (enum law)sl_rng_below(&m->rng, LAWS);
        c->expectation = (enum expectation)sl_rng_below(&m->rng, EXPECTATIONS);
        c->longest_us = S(2 + (int64_t)sl_rng_below(&m->rng, LONGEST_S - 1));
        c->mean_us = mean_of(c);
        c->toggles_at = INT64_MAX;
    }
}

static double weight_part(const struct sim *m, size_t class_index)
{
    double sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->shares.classes[i].weight;
    return m->shares.classes[class_index].weight / sum;
}

static const uint32_t usual[] = {1, 4, 16};

/* Weights of a scene: the usual ones, or any. */
static size_t any_weights(struct sl_rng *r, uint32_t weights[CLASSES])
{
    size_t count = 2 + sl_rng_below(r, CLASSES - 1);
    bool is_usual = sl_rng_below(r, 2) == 0;
    for (size_t i = 0; i < count; i++)
        weights[i] = is_usual ? usual[i % 3] : 1 + (uint32_t)sl_rng_below(r, 20);
    return count;
}

/* Four classes have two slices or more: on a single one three of them may each be ahead by a call
 * of a minute, and that is 3.3 points of half an hour. */
static size_t any_slices(struct sl_rng *r, size_t class_count)
{
    return (class_count > 3 ? 2 : 1) +
           sl_rng_below(r, sl_rng_below(r, 2) == 0 ? 3 : SLICES_MAX - 1);
}

enum { SCENES = 200, LENGTH = 120 };

struct worst {
    double points;
    uint64_t seed;
};

static void note(struct worst *w, double points, uint64_t seed)
{
    if (points > w->points)
        *w = (struct worst){points, seed};
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

static void all_who_always_wait_get_their_weight(void **state SL_UNUSED)
{
    static struct sim m;
    struct worst worst = {0};
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        struct sl_rng r;
        uint32_t weights[CLASSES];
        sl_rng_seed(&r, seed);
        size_t count = any_weights(&r, weights);
        make(&m, seed, any_slices(&r, count), weights, count);
        run_minutes(&m, 0, LENGTH);
        for (size_t i = 0; i < count; i++)
            for (size_t from = 0; from + WINDOW <= LENGTH; from++)
                note(&worst, distance(part(&m, i, from, from + WINDOW), weight_part(&m, i)), seed);
    }
    print_message("always waiting: within %.2f points of the weight over any 30 min, %d scenes\n",
                  100 * worst.points, SCENES);
    assert_true(worst.points < 0.05);
}

/* The others come and go, each as it will. */
static void who_always_waits_gets_its_weight_whatever_others_do(void **state SL_UNUSED)
{
    static struct sim m;
    struct worst worst = {0};
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        struct sl_rng r;
        uint32_t weights[CLASSES];
        sl_rng_seed(&r, seed);
        size_t count = any_weights(&r, weights), steady = sl_rng_below(&r, count);
        make(&m, seed, any_slices(&r, count), weights, count);
        for (size_t i = 0; i < count; i++)
            m.crowds[i].toggles_at = i == steady ? INT64_MAX : any_pause(&m);
        run_minutes(&m, 0, LENGTH);
        for (size_t from = 0; from + WINDOW <= LENGTH; from++)
            note(&worst, weight_part(&m, steady) - part(&m, steady, from, from + WINDOW), seed);
    }
    print_message(
        "among others that come and go: at most %.2f points below the weight, %d scenes\n",
        100 * worst.points, SCENES);
    assert_true(worst.points < 0.05);
}

/* An hour without it, then it waits: its part from that minute on, neither more nor less. */
static void who_comes_back_gets_its_weight_from_then_on(void **state SL_UNUSED)
{
    static struct sim m;
    struct worst worst = {0};
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        struct sl_rng r;
        uint32_t weights[CLASSES];
        sl_rng_seed(&r, seed);
        size_t count = any_weights(&r, weights), back = sl_rng_below(&r, count);
        make(&m, seed, any_slices(&r, count), weights, count);
        gw_shares_rest(&m.shares, back);
        run_minutes(&m, 0, 60);
        gw_shares_wait(&m.shares, back);
        assert_int_equal(m.shares.classes[back].ahead, 0);
        run_minutes(&m, 60, 60 + WINDOW);
        for (size_t i = 0; i < count; i++)
            note(&worst, distance(part(&m, i, 60, 60 + WINDOW), weight_part(&m, i)), seed);
    }
    print_message("after an hour's rest: within %.2f points of the weight, %d scenes\n",
                  100 * worst.points, SCENES);
    assert_true(worst.points < 0.05);
}

/* At any moment: whoever owes nothing and begins to wait is next, but for those who are exactly
 * level with it. */
static void who_begins_to_wait_is_next(void **state SL_UNUSED)
{
    static struct sim m;
    size_t seen = 0;
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        make(&m, seed, 1 + seed % SLICES_MAX, usual, 3);
        for (size_t i = 0; i < 3; i++)
            m.crowds[i].toggles_at = any_pause(&m);
        for (size_t minute = 0; minute < LENGTH; minute++) {
            run_to(&m, m.now + S(60));
            for (size_t i = 0; i < 3; i++) {
                struct gw_shares s = m.shares;
                if (s.classes[i].is_waiting || s.classes[i].ahead > 0)
                    continue;
                gw_shares_wait(&s, i);
                size_t next = gw_shares_next(&s, GW_SHARES_ALL);
                assert_true(next == i || s.classes[next].ahead == 0);
                seen++;
            }
        }
    }
    assert_true(seen > SCENES);
}

/* A day of it; the middle tier comes and goes. */
static void the_lowest_tier_is_served_under_the_highest(void **state SL_UNUSED)
{
    static const size_t slice_counts[] = {1, 2, 8, SLICES_MAX};
    static struct sim m;
    for (size_t i = 0; i < SL_ARRAY_LEN(slice_counts); i++) {
        make(&m, i + 1, slice_counts[i], usual, 3);
        m.crowds[1].toggles_at = any_pause(&m);
        run_minutes(&m, 0, MINUTES_MAX);
        double got = part(&m, 0, 0, MINUTES_MAX);
        print_message("the lowest under permanent overload by the highest, %zu slices: 1/%.1f\n",
                      slice_counts[i], 1 / got);
        assert_true(got > 1 / 21.5 && got < 1 / 16.5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_always_wait_get_their_weight),
        cmocka_unit_test(who_always_waits_gets_its_weight_whatever_others_do),
        cmocka_unit_test(who_comes_back_gets_its_weight_from_then_on),
        cmocka_unit_test(who_begins_to_wait_is_next),
        cmocka_unit_test(the_lowest_tier_is_served_under_the_highest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
