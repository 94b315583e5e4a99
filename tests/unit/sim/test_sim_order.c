/* test_sim_order.c - the laws of order and of shares, through the whole flow: calls as they come, are sent and run,
 * against what decision 024 says of them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "gw_deadline.h"
#include "sim_rig.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { WAITING_MAX = 4096, TIERS = 3, MINUTES_MAX = 600, WINDOW_MINUTES = 30, TEXT_BYTES = 2000 };

static struct sim_scenario scenario;
static struct sim_result result;

/* ---- within a tier */

/* Calls that have come and are neither sent nor ended, with the key that each should have. */
struct line {
    struct {
        struct sim_sight call;
        int64_t key_us;
    } waiting[WAITING_MAX];
    size_t count;
    int64_t max_wait_us;
    uint64_t sent, overtakings, by_age; /* by_age: not by their key */
};

static int64_t key_of(const struct line *l, const struct sim_sight *c)
{
    const struct gw_deadline_ask ask = {.arrived_us = c->arrived_at / SL_NS_PER_US,
                                        .declared_us = c->declared_us,
                                        .used_us = c->used_us,
                                        .limit_us = c->limit_us,
                                        .max_wait_us = l->max_wait_us};
    return gw_deadline_us(&ask);
}

static void came(void *ctx, const struct sim_sight *c)
{
    struct line *l = ctx;
    assert_true(l->count < WAITING_MAX);
    l->waiting[l->count].call = *c;
    l->waiting[l->count++].key_us = key_of(l, c);
}

static void forget(struct line *l, uint64_t number)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->waiting[i].call.number == number) {
            l->waiting[i] = l->waiting[--l->count];
            return;
        }
}

/* Of those of c's tier that wait, c included: is it the first by key, and did it come first? */
static void look(const struct line *l, const struct sim_sight *c, bool *is_first, bool *is_oldest)
{
    int64_t key_us = key_of(l, c);
    *is_first = *is_oldest = true;
    for (size_t i = 0; i < l->count; i++) {
        const struct sim_sight *other = &l->waiting[i].call;
        if (other->tier != c->tier || other->number == c->number)
            continue;
        bool is_before = l->waiting[i].key_us < key_us ||
                         (l->waiting[i].key_us == key_us && other->number < c->number);
        *is_first = *is_first && !is_before;
        *is_oldest = *is_oldest && other->number > c->number;
    }
}

/* By its key, or because it is the oldest and has waited for half of the longest wait. */
static void sent(void *ctx, const struct sim_sight *c, sl_mono_ns now)
{
    struct line *l = ctx;
    bool is_first, is_oldest;
    look(l, c, &is_first, &is_oldest);
    bool is_old = is_oldest && (now - c->arrived_at) / SL_NS_PER_US >= l->max_wait_us / 2;
    if (!is_first && !is_old)
        fail_msg("at %" PRId64 " us call %" PRIu64 ", of %" PRId64 ", passes others of its tier",
                 now / SL_NS_PER_US, c->number, c->arrived_at / SL_NS_PER_US);
    l->sent++;
    l->by_age += !is_first;
    l->overtakings += !is_oldest;
    forget(l, c->number);
}

static void ended(void *ctx, const struct sim_sight *c, enum sl_reason reason, sl_mono_ns now)
{
    (void)reason, (void)now;
    forget(ctx, c->number);
}

static void calls_of_a_tier_go_by_their_keys_or_their_age(void **state SL_UNUSED)
{
    static struct line l;
    const struct sim_watch watch = {&l, came, sent, NULL, ended};
    unsigned days = rig_count("days", 40, 3);
    rig_read("length: 40m\n"
             "models: {a: {run: lognormal 3s 0.8, declared: 20s}, b: {run: exponential 8s}}\n"
             "fleet: {gpu: {nodes: 2, devices: 2}}\n"
             "visitors:\n"
             "  crowd: {tier: anonymous, visitors: 300, calls: 60000, declares: run x 2}\n"
             "  some:  {tier: free, visitors: 40, calls: 40000, declares: run x 3}\n"
             "  heavy: {tier: free, visitors: 1, calls: 9000}\n"
             "  payers: {tier: pro, visitors: 30, calls: 40000, leaves: exponential 60s}\n"
             "tiers: {free: {daily: 2000s, in_flight: 100}}\n"
             "limits: {queue_of_tier: 200}\n",
             &scenario);
    for (unsigned day = 0; day < days; day++) {
        const struct sim_day_options o = {.seed = 100 + day, .watch = &watch};
        l = (struct line){.max_wait_us = scenario.gateway.calls.max_wait_ns / SL_NS_PER_US};
        rig_run(&scenario, &o, &result);
        sim_result_finish(&result);
        assert_true(l.sent > 500 && l.overtakings > 100);
        assert_true(l.by_age > 0 && l.by_age < l.sent / 4);
    }
    sim_scenario_finish(&scenario);
}

/* ---- by what they declare */

static void long_calls_have_a_part_at_twice_the_capacity(void **state SL_UNUSED)
{
    unsigned days = rig_count("seeds", 20, 2);
    rig_read(
        "length: 4h\n"
        "measure: {from: 30m}\n"
        "models: {any: {run: 2s}}\n"
        "fleet: {gpu: {devices: 4}}\n"
        "visitors:\n"
        "  s5:   {tier: pro, visitors: 20000, calls: 110592, run: uniform 1s 4s, declares: 5s}\n"
        "  s15:  {tier: pro, visitors: 20000, calls: 36864, run: uniform 3s 12s, declares: 15s}\n"
        "  s60:  {tier: pro, visitors: 20000, calls: 9216, run: uniform 12s 48s, declares: 60s}\n"
        "  s120: {tier: pro, visitors: 20000, calls: 4608, run: uniform 24s 96s, declares: 120s}\n"
        "  s300: {tier: pro, visitors: 20000, calls: 1843, run: uniform 60s 240s, declares: "
        "300s}\n",
        &scenario);
    for (unsigned day = 0; day < days; day++) {
        const struct sim_day_options o = {.seed = 500 + day};
        rig_run(&scenario, &o, &result);
        for (size_t g = 0; g < scenario.visitors.count; g++) {
            const struct sim_tally *t = &result.groups[g];
            double served = (double)t->ended[SL_REASON_OK] / (double)t->calls;
            if (served < 0.1)
                fail_msg("seed %u: %s: %.1f %% served", 500 + day,
                         sim_scenario_groups(&scenario)[g].name, 100 * served);
        }
        sim_result_finish(&result);
    }
    sim_scenario_finish(&scenario);
}

/* ---- between tiers */

struct ledger {
    double used_us[TIERS][MINUTES_MAX];
    int least_waiting[TIERS][MINUTES_MAX]; /* in that minute */
    int waiting[TIERS];
    size_t minute[TIERS]; /* up to which least_waiting is filled */
};

/* The tiers anonymous, free and pro are the first three. */
static size_t minute_of(sl_mono_ns at)
{
    int64_t m = at / (60 * SL_NS_PER_S);
    return m < MINUTES_MAX ? (size_t)m : MINUTES_MAX - 1;
}

static void change_waiting(struct ledger *l, size_t tier, int by, sl_mono_ns now)
{
    while (l->minute[tier] < minute_of(now))
        l->least_waiting[tier][++l->minute[tier]] = l->waiting[tier];
    l->waiting[tier] += by;
    if (l->waiting[tier] < l->least_waiting[tier][l->minute[tier]])
        l->least_waiting[tier][l->minute[tier]] = l->waiting[tier];
}

struct watched {
    struct line line; /* who waits, so that an end is told from a start */
    struct ledger ledger;
};

static bool is_waiting(const struct line *l, uint64_t number)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->waiting[i].call.number == number)
            return true;
    return false;
}

static void share_came(void *ctx, const struct sim_sight *c)
{
    struct watched *w = ctx;
    came(&w->line, c);
    change_waiting(&w->ledger, c->tier, 1, c->arrived_at);
}

static void share_left(struct watched *w, const struct sim_sight *c, sl_mono_ns now)
{
    if (!is_waiting(&w->line, c->number))
        return;
    forget(&w->line, c->number);
    change_waiting(&w->ledger, c->tier, -1, now);
}

static void share_sent(void *ctx, const struct sim_sight *c, sl_mono_ns now)
{
    share_left(ctx, c, now);
}

static void share_ended(void *ctx, const struct sim_sight *c, enum sl_reason reason, sl_mono_ns now)
{
    (void)reason;
    share_left(ctx, c, now);
}

static void share_ran(void *ctx, const struct sim_sight *c, sl_mono_ns from, sl_mono_ns until,
                      size_t width)
{
    struct watched *w = ctx;
    while (from < until) {
        sl_mono_ns edge = ((sl_mono_ns)minute_of(from) + 1) * 60 * SL_NS_PER_S;
        sl_mono_ns piece = edge < until ? edge : until;
        w->ledger.used_us[c->tier][minute_of(from)] +=
            (double)(piece - from) / 1000 * (double)width;
        from = piece;
    }
}

/* Of the windows of half an hour in which all three waited all the time: the largest distance of a share from its
 * weight's, in points. */
static double worst_distance(const struct ledger *l, size_t minutes, unsigned *windows)
{
    double worst = 0, weights = 0;
    for (size_t t = 0; t < TIERS; t++)
        weights += scenario.tiers.tiers[t].weight;
    for (size_t first = 1; first + WINDOW_MINUTES < minutes; first++) {
        double used[TIERS] = {0}, all = 0;
        bool is_continuous = true;
        for (size_t m = first; m < first + WINDOW_MINUTES; m++)
            for (size_t t = 0; t < TIERS; t++) {
                used[t] += l->used_us[t][m];
                all += l->used_us[t][m];
                is_continuous = is_continuous && l->least_waiting[t][m] > 0;
            }
        *windows += is_continuous;
        for (size_t t = 0; is_continuous && t < TIERS; t++) {
            double distance = 100 * fabs(used[t] / all - scenario.tiers.tiers[t].weight / weights);
            worst = distance > worst ? distance : worst;
        }
    }
    return worst;
}

/* Weights, slices, laws and overloads by chance; each tier asks for at least twice its share. */
static void write_overload(struct sl_rng *r, char out[TEXT_BYTES])
{
    static const char *const laws[] = {"exponential 12s", "lognormal 15s 0.9", "uniform 1s 59s",
                                       "20s"};
    static const double means_s[] = {12, 15, 30, 20};
    size_t law = (size_t)sl_rng_below(r, SL_ARRAY_LEN(laws));
    unsigned slices = 2 + (unsigned)sl_rng_below(r, 7), weights[TIERS], sum = 0;
    for (size_t t = 0; t < TIERS; t++) /* all different: tiers of one weight are one class */
        sum += weights[t] = 1 + (unsigned)(t + TIERS * sl_rng_below(r, 6));
    int calls[TIERS];
    for (size_t t = 0; t < TIERS; t++)
        calls[t] =
            (int)(86400 / means_s[law] * slices * weights[t] / sum * (3 + 5 * sl_rng_unit(r))) +
            3000;
    snprintf(out, TEXT_BYTES,
             "length: 3h\n"
             "models: {m: {run: %s, declared: 60s, max_duration: 60s}}\n"
             "fleet: {gpu: {slices: %u}}\n"
             "tiers: {anonymous: {weight: %u, daily: 10h}, free: {weight: %u, daily: 10h}, "
             "pro: {weight: %u, daily: 10h}}\n"
             "visitors:\n"
             "  a: {tier: anonymous, visitors: 3000, calls: %d}\n"
             "  b: {tier: free, visitors: 3000, calls: %d}\n"
             "  c: {tier: pro, visitors: 3000, calls: %d}\n"
             "calls: {max_wait: 120s}\n",
             laws[law], slices, weights[0], weights[1], weights[2], calls[0], calls[1], calls[2]);
}

static void a_tier_that_waits_has_its_share(void **state SL_UNUSED)
{
    static struct watched w;
    static char text[TEXT_BYTES];
    const struct sim_watch watch = {&w, share_came, share_sent, share_ran, share_ended};
    unsigned days = rig_count("overloads", 100, 5), windows = 0;
    double worst = 0;
    struct sl_rng r;
    sl_rng_seed(&r, 1);
    for (unsigned day = 0; day < days; day++) {
        const struct sim_day_options o = {.seed = day, .watch = &watch};
        write_overload(&r, text);
        rig_read(text, &scenario);
        w = (struct watched){.line.max_wait_us = 120 * SL_US_PER_S};
        rig_run(&scenario, &o, &result);
        double distance = worst_distance(&w.ledger, 180, &windows);
        if (distance > 5)
            fail_msg("day %u: a share is %.1f points off its weight's over half an hour\n%s", day,
                     distance, text);
        worst = distance > worst ? distance : worst;
        sim_result_finish(&result);
        sim_scenario_finish(&scenario);
    }
    printf("%u windows of 30 min, at worst %.2f points off\n", windows, worst);
    assert_true(windows > days * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_a_tier_go_by_their_keys_or_their_age),
        cmocka_unit_test(long_calls_have_a_part_at_twice_the_capacity),
        cmocka_unit_test(a_tier_that_waits_has_its_share),
    };
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
