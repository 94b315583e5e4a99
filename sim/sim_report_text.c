/* sim_report_text.c - results as tables for a terminal. */
#include <inttypes.h>

#include "sim_report.h"
#include "sim_report_int.h"

static sl_status add_head(const struct sim_result *r, struct sl_buf *out)
{
    const struct sim_scenario *s = r->scenario;
    SIM_TRY(sl_buf_printf(out, "%s\n", r->label));
    return sl_buf_printf(out,
                         "  %" PRIu64 " calls on %zu slices of %zu nodes in %.1f h, seed %" PRIu64
                         "; %" PRIu64 " steps in %.1f s\n",
                         r->calls, s->slice_count, s->node_count,
                         sim_seconds((double)s->length_ns / 1000) / 3600, r->seed, r->steps,
                         r->real_s);
}

static sl_status add_tally(const char *name, const struct sim_tally *t, double share, bool has_jain,
                           struct sl_buf *out)
{
    double calls = (double)t->calls;
    SIM_TRY(sl_buf_printf(
        out, "  %-14s %9" PRIu64 " %6.1f %% %6.1f %% %6.1f %% %8.2f %8.2f %8.2f %6.1f %%", name,
        t->calls, sim_percent((double)t->ended[SL_REASON_OK], calls),
        sim_percent((double)sim_tally_refused(t), calls),
        sim_percent((double)t->ended[SL_REASON_ALLOCATION_TIMEOUT], calls),
        sim_seconds(sim_histogram_mean_us(&t->wait)),
        sim_seconds((double)sim_histogram_quantile_us(&t->wait, 500)),
        sim_seconds((double)sim_histogram_quantile_us(&t->wait, 990)), 100 * share));
    if (has_jain)
        SIM_TRY(sl_buf_printf(out, "  %.3f", t->jain));
    return sl_buf_printf(out, "\n");
}

static sl_status add_tallies(const struct sim_result *r, struct sl_buf *out)
{
    SIM_TRY(sl_buf_printf(out, "  %-14s %9s %8s %8s %8s %8s %8s %8s %8s  %s\n", "", "calls",
                          "served", "refused", "in vain", "wait s", "p50", "p99", "time", "jain"));
    for (size_t i = 0; i < r->scenario->tiers.tier_count; i++)
        if (r->tiers[i].calls > 0)
            SIM_TRY(add_tally(r->scenario->tiers.tiers[i].name, &r->tiers[i],
                              sim_result_share(r, i), false, out));
    double all = 0;
    for (size_t i = 0; i < r->scenario->visitors.count; i++)
        all += (double)r->groups[i].used_us;
    for (size_t i = 0; i < r->scenario->visitors.count; i++) {
        const char *name = sim_scenario_groups(r->scenario)[i].name;
        double share = all > 0 ? (double)r->groups[i].used_us / all : 0;
        SIM_TRY(sl_buf_printf(out, "  "));
        SIM_TRY(add_tally(name, &r->groups[i], share, true, out));
    }
    return SL_OK;
}

static sl_status add_classes(const struct sim_result *r, struct sl_buf *out)
{
    SIM_TRY(sl_buf_printf(out, "  served of those that declared at most"));
    for (size_t i = 0; i < SIM_CLASSES; i++) {
        const struct sim_class *c = &r->classes[i];
        if (c->asked == 0)
            continue;
        if (c->up_to_us == INT64_MAX)
            SIM_TRY(sl_buf_printf(out, "  more: "));
        else
            SIM_TRY(sl_buf_printf(out, "  %" PRId64 " s: ", c->up_to_us / SL_US_PER_S));
        SIM_TRY(sl_buf_printf(out, "%.1f %%", sim_percent((double)c->served, (double)c->asked)));
    }
    return sl_buf_printf(out, "\n");
}

static sl_status add_etas(const struct sim_result *r, struct sl_buf *out)
{
    for (size_t i = 0; i < r->scenario->tiers.tier_count; i++) {
        const struct sim_eta_tally *t = &r->tiers[i].eta;
        if (t->told == 0)
            continue;
        SIM_TRY(sl_buf_printf(out,
                              "  ETA of %-11s %" PRIu64
                              " told; p50 held for %.1f %%, p90 for %.1f %%; told p90/p50 "
                              "%.2f, nine of ten within %.2f x p50\n",
                              r->scenario->tiers.tiers[i].name, t->told,
                              sim_percent((double)t->within_p50, (double)t->told),
                              sim_percent((double)t->within_p90, (double)t->told),
                              sim_eta_quantile(&t->width, 500), sim_eta_quantile(&t->ratio, 900)));
    }
    return SL_OK;
}

static sl_status add_result(const struct sim_result *r, struct sl_buf *out)
{
    SIM_TRY(add_head(r, out));
    SIM_TRY(add_tallies(r, out));
    SIM_TRY(sl_buf_printf(out,
                          "  utilisation %.1f %%; %.1f calls wait on average, %" PRIu64
                          " at most; %" PRIu64 " nodes lost\n",
                          100 * sim_result_utilisation(&r->all), sim_result_queue(&r->all),
                          r->max_queued, r->nodes_lost));
    SIM_TRY(add_classes(r, out));
    SIM_TRY(add_etas(r, out));
    if (r->wrong[0] != '\0')
        SIM_TRY(sl_buf_printf(out, "  BROKEN at step %" PRIu64 ": %s\n", r->steps, r->wrong));
    return SL_OK;
}

sl_status sim_report_text(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    for (size_t i = 0; i < count; i++)
        SIM_TRY(add_result(&results[i], out));
    return count > 1 ? sim_report_compare(results, count, out) : SL_OK;
}
