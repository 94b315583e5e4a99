/* test_sim_day.c - small days: their numbers are what queueing theory, the scenario and arithmetic say. */
#include "sim_day.h"

#include <math.h>

#include "sim_report.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_test.h"

static struct sim_scenario scenario;
static struct sim_result result;

static void read(const char *text)
{
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    if (sim_scenario_parse("day.yaml", sl_span_str(text), &scenario, &errors) != SL_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
}

static void run(const char *text, bool is_paranoid)
{
    const struct sim_day_options o = {.seed = 1, .is_paranoid = is_paranoid};
    read(text);
    assert_ok(sim_day_run(&scenario, &o, &result));
    if (result.wrong[0] != '\0')
        fail_msg("step %llu: %s", (unsigned long long)result.steps, result.wrong);
}

static int end(void **state SL_UNUSED)
{
    sim_result_finish(&result);
    sim_scenario_finish(&scenario);
    return 0;
}

static struct sim_tally *tier(const char *name)
{
    for (size_t i = 0; i < scenario.tiers.tier_count; i++)
        if (strcmp(scenario.tiers.tiers[i].name, name) == 0)
            return &result.tiers[i];
    fail_msg("no tier %s", name);
    return NULL;
}

static void assert_near(double got, double wanted, double by)
{
    if (fabs(got - wanted) > by)
        fail_msg("got %g, wanted %g +- %g", got, wanted, by);
}

/* One slice, Poisson arrivals, exponential times at rho = 0.5: M/M/1, where the mean wait is a mean service time, and
 * half of all wait not at all. */
static void a_lone_slice_is_the_queue_of_the_textbook(void **state SL_UNUSED)
{
    run("models: {m: {run: exponential 1s, declared: 60s}}\n"
        "fleet: {gpu: {slices: 1}}\n"
        "visitors: {all: {tier: pro, visitors: 10000, calls: 43200}}\n"
        "calls: {max_wait: 500s}\n",
        false);
    assert_near(sim_result_utilisation(&result.all), 0.5, 0.02);
    assert_near(sim_histogram_mean_us(&tier("pro")->wait) / 1e6, 1, 0.1);
    assert_near((double)sim_histogram_quantile_us(&tier("pro")->wait, 450) / 1e6, 0, 0.01);
    assert_near(sim_result_queue(&result.all), 0.5, 0.05);
    assert_int_equal(tier("pro")->ended[SL_REASON_OK], result.calls);
}

/* Everything that can happen, and the full checks after every step. */
static const char busy_day[] =
    "length: 20m\n"
    "models: {a: {run: lognormal 4s 0.8, declared: 10s, load: 2s}, b: {run: 1s, declared: 5s}}\n"
    "fleet:\n"
    "  big: {nodes: 2, devices: 1, life: 5m, repair: 30s}\n"
    "  small: {slices: 1, models: [b]}\n"
    "losses: [{at: 10m, for: 1m, node: small-0}]\n"
    "visitors:\n"
    "  crowd: {tier: anonymous, visitors: 900, calls: 400000, leaves: exponential 20s}\n"
    "  auto: {tier: free, visitors: 20, calls: 20000, declares: auto, max_wait: 20s}\n"
    "  liars: {tier: pro, calls: 10000, declares: 2s, models: {a: 1}}\n"
    "limits: {queue: 20}\n";

static void a_busy_day_keeps_its_invariants(void **state SL_UNUSED)
{
    run(busy_day, true);
    assert_true(result.nodes_lost > 1);
    assert_true(tier("anonymous")->ended[SL_REASON_CANCELLED] > 10);
    assert_true(tier("anonymous")->ended[SL_REASON_QUEUE_FULL] > 10);
    assert_true(tier("pro")->ended[SL_REASON_DURATION_EXCEEDED] > 10);
    assert_true(tier("free")->ended[SL_REASON_OK] > 10);
}

static void a_seed_is_a_day(void **state SL_UNUSED)
{
    const struct sim_day_options o = {.seed = 1}, another = {.seed = 2};
    struct sim_result again, other;
    run(busy_day, false);
    assert_ok(sim_day_run(&scenario, &o, &again));
    assert_ok(sim_day_run(&scenario, &another, &other));
    assert_true(result.digest == again.digest && result.steps == again.steps);
    assert_true(result.digest != other.digest);
    sim_result_finish(&again);
    sim_result_finish(&other);
}

static void a_lost_node_is_missed_and_comes_back(void **state SL_UNUSED)
{
    run("length: 2h\n"
        "models: {m: {run: 10s}}\n"
        "fleet: {gpu: {nodes: 2, slices: 1}}\n"
        "losses: [{at: 30m, for: 30m, node: gpu-1}]\n"
        "visitors: {all: {tier: pro, visitors: 1000, calls: 12000}}\n",
        false);
    assert_int_equal(result.nodes_lost, 1);
    assert_near(result.all.up_us / result.all.over_us, 2 - 0.25, 0.001);
    assert_true(tier("pro")->ended[SL_REASON_EXECUTOR_LOST] <= 1);
    const struct sim_bucket *then = &result.over_day[SIM_BUCKETS / 3];
    assert_near(then->up_us / then->over_us, 1, 1e-6);
}

static void reports_have_the_numbers(void **state SL_UNUSED)
{
    struct sl_buf text;
    run(busy_day, false);
    sl_buf_init(&text, &sl_alloc_malloc, 1 << 20);
    assert_ok(sim_report_text(&result, 1, &text));
    assert_ok(sim_report_json(&result, 1, &text));
    assert_ok(sl_buf_append(&text, "", 1));
    assert_non_null(strstr((const char *)text.data, "anonymous"));
    assert_non_null(strstr((const char *)text.data, "\"wrong\": null"));
    sl_buf_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lone_slice_is_the_queue_of_the_textbook, end),
        cmocka_unit_test_teardown(a_busy_day_keeps_its_invariants, end),
        cmocka_unit_test_teardown(a_seed_is_a_day, end),
        cmocka_unit_test_teardown(a_lost_node_is_missed_and_comes_back, end),
        cmocka_unit_test_teardown(reports_have_the_numbers, end),
    };
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
