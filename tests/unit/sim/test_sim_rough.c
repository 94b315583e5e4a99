/* test_sim_rough.c - days on which much goes wrong: large messages that wait for room, bad requests, deadlines, callers
 * that leave, nodes that die every second, give calls back and are drained, very short calls sent ahead. All invariants after
 * every step, and the same seed the same day. */
#include <stdlib.h>

#include "sim_rig.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_test.h"

enum { CALLS = 3000 };

/* Node a has every model, the others all but one: calls for that one must not block the rest. */
#define WORLD                                                                                      \
    "length: 1h\n"                                                                                 \
    "tiers: {pro: {daily: 10d, in_flight: 100000}, free: {daily: 10d, in_flight: 100000}}\n"       \
    "limits: {queue: 150, queue_of_tier: 100, calls: 2000, body_total: 2MiB, body_wait: 5s}\n"     \
    "reply: 200us\n"                                                                               \
    "stop: 1ms\n"

#define FLEET(more)                                                                                \
    "fleet:\n"                                                                                     \
    "  a: {slices: 2" more "}\n"                                                                   \
    "  b: {models: [m0, m2]" more "}\n"                                                            \
    "  c: {models: [m0, m1], whole: false" more "}\n"

#define MODELS(run) "models: {m0: {run: " run "}, m1: {run: " run "}, m2: {run: " run "}}\n"

static const struct {
    const char *name, *text;
} days[] = {
    {"calm", WORLD MODELS("exponential 20ms")
                 FLEET("") "visitors:\n"
                           "  halves: {tier: pro, visitors: 20, calls: 15000000}\n"
                           "  wholes: {tier: free, visitors: 20, calls: 1500000, size: xlarge, "
                           "models: {m0: 1, m2: 1}}\n"},
    {"crowded",
     WORLD MODELS("exponential 20ms")
         FLEET("") "visitors:\n"
                   "  halves: {tier: pro, visitors: 20, calls: 40000000, large: 20, bad: 2,\n"
                   "           deadline: exponential 200ms}\n"
                   "  hasty:  {tier: pro, visitors: 20, calls: 5000000, leaves: exponential 40ms}\n"
                   "  wholes: {tier: free, visitors: 20, calls: 5000000, size: xlarge, large: 20,\n"
                   "           models: {m0: 1, m2: 1}}\n"},
    {"failing", WORLD MODELS("exponential 20ms") FLEET(
                    ", life: 3s, repair: 2s, drain: 2s, returns: 5") "visitors:\n"
                                                                     "  halves: {tier: pro, "
                                                                     "visitors: 20, calls: "
                                                                     "15000000, bad: 2, leaves: "
                                                                     "exponential 1s}\n"
                                                                     "  wholes: {tier: free, "
                                                                     "visitors: 20, calls: "
                                                                     "1500000, size: xlarge, "
                                                                     "models: {m0: 1, m2: 1}}\n"},
    {"short", WORLD MODELS("exponential 50us")
                  FLEET(", life: 1s, repair: 500ms") "visitors:\n"
                                                     "  halves: {tier: pro, visitors: 20, calls: "
                                                     "900000000, bad: 2}\n"
                                                     "  wholes: {tier: free, visitors: 20, calls: "
                                                     "90000000, size: xlarge, bad: 2,\n"
                                                     "           deadline: exponential 5ms, "
                                                     "models: {m0: 1, m2: 1}}\n"},
};

static struct sim_scenario scenario;
static struct sim_result first, again;
static uint64_t ended[SL_REASON_COUNT], drained;

static void run_twice(const char *text, uint64_t seed)
{
    const struct sim_day_options o = {.seed = seed, .is_paranoid = true, .max_calls = CALLS};
    const struct sim_day_options quick = {.seed = seed, .max_calls = CALLS};
    rig_read(text, &scenario);
    rig_run(&scenario, &o, &first);
    rig_run(&scenario, &quick, &again);
    assert_true(first.digest == again.digest && first.steps == again.steps);
    assert_true(first.started > CALLS / 20);
    assert_true(first.groups[scenario.visitors.count - 1].started > CALLS / 200);
    for (size_t t = 0; t < scenario.tiers.tier_count; t++)
        for (int r = 0; r < SL_REASON_COUNT; r++)
            ended[r] += first.tiers[t].ended[r];
    drained += first.nodes_drained;
    sim_result_finish(&first);
    sim_result_finish(&again);
    sim_scenario_finish(&scenario);
}

static void rough_days_keep_their_invariants(void **state SL_UNUSED)
{
    static const enum sl_reason wanted[] = {
        SL_REASON_OK,          SL_REASON_CANCELLED,     SL_REASON_DEADLINE_EXCEEDED,
        SL_REASON_QUEUE_FULL,  SL_REASON_EXECUTOR_LOST, SL_REASON_MODEL_NOT_FOUND,
        SL_REASON_NO_CAPACITY,
    };
    unsigned seeds = rig_count("seeds", 100, 2);
    for (unsigned seed = 1; seed <= seeds; seed++)
        for (size_t i = 0; i < SL_ARRAY_LEN(days); i++)
            run_twice(days[i].text, seed);
    for (size_t i = 0; i < SL_ARRAY_LEN(wanted); i++)
        if (ended[wanted[i]] == 0)
            fail_msg("no call ended by %s", sl_reason_name(wanted[i]));
    assert_true(drained > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rough_days_keep_their_invariants)};
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
