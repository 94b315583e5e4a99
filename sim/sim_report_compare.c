/* sim_report_compare.c - several results side by side: what is different in each row, by tier. */
#include <inttypes.h>

#include "sim_report.h"
#include "sim_report_int.h"

typedef double (*value_fn)(const struct sim_result *r, size_t tier);

static double mean_s(const struct sim_result *r, size_t tier)
{
    return sim_seconds(sim_histogram_mean_us(&r->tiers[tier].wait));
}

static double p99_s(const struct sim_result *r, size_t tier)
{
    return sim_seconds((double)sim_histogram_quantile_us(&r->tiers[tier].wait, 990));
}

static double served(const struct sim_result *r, size_t tier)
{
    const struct sim_tally *t = &r->tiers[tier];
    return t->calls == 0 ? 0 : 100 * (double)t->ended[SL_REASON_OK] / (double)t->calls;
}

static double share(const struct sim_result *r, size_t tier)
{
    return 100 * sim_result_share(r, tier);
}

static const struct {
    const char *title;
    value_fn value;
} measures[] = {
    {"mean wait, s", mean_s}, {"p99 wait, s", p99_s}, {"served, %", served}, {"time, %", share}};

static sl_status add_line(const char *title, const struct sim_result *results, size_t count,
                          value_fn value, size_t tier, struct sl_buf *out)
{
    SIM_TRY(sl_buf_printf(out, "  %-28s", title));
    for (size_t i = 0; i < count; i++)
        SIM_TRY(sl_buf_printf(out, " %12.2f", value(&results[i], tier)));
    return sl_buf_printf(out, "\n");
}

static double utilisation(const struct sim_result *r, size_t tier)
{
    (void)tier;
    return 100 * sim_result_utilisation(&r->all);
}

static double jain(const struct sim_result *r, size_t group)
{
    return r->groups[group].jain;
}

static sl_status add_tiers(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    char title[64];
    for (size_t m = 0; m < SL_ARRAY_LEN(measures); m++)
        for (size_t t = 0; t < results->scenario->tiers.tier_count; t++) {
            if (results->tiers[t].calls == 0)
                continue;
            snprintf(title, sizeof title, "%s: %s", results->scenario->tiers.tiers[t].name,
                     measures[m].title);
            SIM_TRY(add_line(title, results, count, measures[m].value, t, out));
        }
    return SL_OK;
}

sl_status sim_report_compare(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    char title[64];
    SIM_TRY(sl_buf_printf(out, "  %-28s", ""));
    for (size_t i = 0; i < count; i++)
        SIM_TRY(sl_buf_printf(out, " %12.12s", results[i].label));
    SIM_TRY(sl_buf_printf(out, "\n"));
    SIM_TRY(add_tiers(results, count, out));
    for (size_t g = 0; g < results->scenario->visitors.count; g++) {
        snprintf(title, sizeof title, "%s: jain", sim_scenario_groups(results->scenario)[g].name);
        SIM_TRY(add_line(title, results, count, jain, g, out));
    }
    return add_line("utilisation, %", results, count, utilisation, 0, out);
}
