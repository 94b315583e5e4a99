/* test_sim_scenario.c - scenarios that are read, and sentences for those that are not. */
#include "sim_scenario.h"

#include "sl_base.h"
#include "sl_test.h"

#define SMALL                                                                                      \
    "models: {m: {run: 5s}}\n"                                                                     \
    "fleet: {gpu: {nodes: 2, devices: 3}}\n"

static struct sl_buf errors;

static int setup(void **state SL_UNUSED)
{
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    return 0;
}

static int teardown(void **state SL_UNUSED)
{
    sl_buf_finish(&errors);
    return 0;
}

static void what_is_said_and_what_is_not(void **state SL_UNUSED)
{
    struct sim_scenario s;
    const char *text = SMALL "visitors:\n"
                             "  a: {tier: pro, calls: 86400, visitors: 10, models: {m: 3}}\n"
                             "  b: {tier: vip, calls: 1, declares: run x 1.5}\n"
                             "tiers: {vip: {daily: 1h, weight: 7}, pro: {weight: 8}}\n"
                             "calls: {max_wait: 30s}\n";
    assert_ok(sim_scenario_parse("s.yaml", sl_span_str(text), &s, &errors));
    const struct sim_group_row *g = sim_scenario_groups(&s);
    assert_int_equal(s.node_count, 2);
    assert_int_equal(s.slice_count, 12);
    assert_int_equal(s.length_ns, 86400 * SL_NS_PER_S);
    assert_string_equal(s.tiers.tiers[g[0].tier_index].name, "pro");
    assert_int_equal(s.tiers.tiers[g[0].tier_index].weight, 8);
    assert_int_equal(s.tiers.tiers[g[0].tier_index].daily_us, 1500 * SL_US_PER_S);
    assert_int_equal(s.tiers.tiers[g[1].tier_index].weight, 7);
    assert_true(g[0].arrivals.per_us > 0.9999e-6 && g[0].arrivals.per_us < 1.0001e-6);
    assert_true(g[1].says == SIM_SAYS_RUN && g[1].says_times > 1.49 && g[1].says_times < 1.51);
    assert_int_equal(s.gateway.calls.max_wait_ns, 30 * SL_NS_PER_S);
    assert_int_equal(s.gateway.calls.max_wait_limit_ns, 600 * SL_NS_PER_S);
    assert_true(s.gateway.limits.message_bytes > 0); /* a default that no scenario can say */
    sim_scenario_finish(&s);
}

static void every_fault_has_its_sentence(void **state SL_UNUSED)
{
    static const struct {
        const char *text, *sentence;
    } rows[] = {
        {SMALL "visitors: {a: {tier: pro, calls: 1, cals: 2}}\n",
         "s.yaml:3:37: unknown key visitors.a.cals"},
        {SMALL "visitors: {a: {tier: gold, calls: 1}}\n", "'gold' is not in tiers"},
        {SMALL "visitors: {a: {tier: pro, calls: 1, models: {n: 1}}}\n", "'n' is not in models"},
        {SMALL "visitors: {a: {tier: pro, calls: 1, run: soon}}\n", "'soon' is no law"},
        {SMALL "visitors: {a: {tier: pro, calls: 1, declares: run x y}}\n", "visitors.a.declares"},
        {SMALL "visitors: {a: {tier: pro, calls: 1, hours: [1, 2]}}\n", "has not 24 numbers"},
        {SMALL "visitors: {a: {tier: pro, calls: 1}}\nlosses: [{at: 1h, node: gpu-2}]\n",
         "'gpu-2' is no node"},
        {SMALL "visitors: {a: {tier: pro, calls: 1}}\nlength: 1h\nmeasure: {from: 2h}\n",
         "measure.from"},
        {SMALL "visitors: {a: {tier: pro, calls: 1}}\nlisten: {grpc: ''}\n", "unknown key listen"},
        {"models: {m: {run: 5}}\nfleet: {g: }\nvisitors: {a: {tier: pro, calls: 1}}\n",
         "'5' is no law"},
        {"fleet: {g: {models: [x]}}\n", "models: '' names no model"},
        {SMALL, "visitors: '' names no group"},
        {"models: {m: {run: 5s}}\nfleet: {g: {devices: 40, slices: 2}}\n"
         "visitors: {a: {tier: pro, calls: 1}}\n",
         "more than 64 slices"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct sim_scenario s;
        sl_buf_clear(&errors);
        assert_status(sim_scenario_parse("s.yaml", sl_span_str(rows[i].text), &s, &errors),
                      SL_EINVAL);
        assert_ok(sl_buf_append(&errors, "", 1));
        if (strstr((const char *)errors.data, rows[i].sentence) == NULL)
            fail_msg("%s\nsays: %s\nnot: %s", rows[i].text, (const char *)errors.data,
                     rows[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_said_and_what_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(every_fault_has_its_sentence, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
