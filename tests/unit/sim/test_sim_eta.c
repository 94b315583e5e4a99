/* test_sim_eta.c - what calls that wait are told of their start, in the scenarios of the tree and by seeds that nothing
 * was tuned with: the p90 band holds for 85 to 95 % of them, and is not wide for it. */
#include <stdlib.h>

#include "sim_rig.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_test.h"

static struct sim_scenario scenario;
static struct sim_result result;

static void load(const char *name)
{
    char path[1000];
    struct sl_buf errors;
    snprintf(path, sizeof path, "%s/%s.yaml", SCENARIOS, name);
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    if (sim_scenario_load(path, NULL, 0, NULL, &scenario, &errors) != SL_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
}

static void add(struct sim_eta_tally *sum, const struct sim_eta_tally *t)
{
    sum->told += t->told;
    sum->within_p50 += t->within_p50;
    sum->within_p90 += t->within_p90;
    sim_histogram_join(&sum->ratio, &t->ratio);
    sim_histogram_join(&sum->width, &t->width);
}

static void check(const char *name, const struct sim_eta_tally *t)
{
    double held = 100 * (double)t->within_p90 / (double)t->told;
    double width = sim_eta_quantile(&t->width, 500), spread = sim_eta_quantile(&t->ratio, 900);
    printf("%s: %llu told, p90 held for %.1f %%, is %.2f x p50, nine of ten within %.2f x\n", name,
           (unsigned long long)t->told, held, width, spread);
    assert_true(t->told > 1000);
    if (held < 85 || held > 95 || width > 2 * spread)
        fail_msg("%s: the band is wrong", name);
}

static void the_p90_band_holds(void **state SL_UNUSED)
{
    static const char *const names[] = {"flash-crowd",       "overload",  "heavy-users",
                                        "declared",          "node-loss", "lying-client",
                                        "xlarge-among-large"};
    unsigned seeds = rig_count("seeds", 20, 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        static struct sim_eta_tally sum;
        memset(&sum, 0, sizeof sum);
        load(names[i]);
        for (unsigned seed = 0; seed < seeds; seed++) {
            const struct sim_day_options o = {.seed = 7000 + seed};
            rig_run(&scenario, &o, &result);
            for (size_t t = 0; t < scenario.tiers.tier_count; t++)
                add(&sum, &result.tiers[t].eta);
            sim_result_finish(&result);
        }
        check(names[i], &sum);
        sim_scenario_finish(&scenario);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_p90_band_holds)};
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
