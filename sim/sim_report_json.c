/* sim_report_json.c - results as JSON. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sim_report.h"
#include "sim_report_int.h"

static json_t *wait_json(const struct sim_histogram *h)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "mean_s", sim_seconds(sim_histogram_mean_us(h)),
                     "p50_s", sim_seconds((double)sim_histogram_quantile_us(h, 500)), "p90_s",
                     sim_seconds((double)sim_histogram_quantile_us(h, 900)), "p99_s",
                     sim_seconds((double)sim_histogram_quantile_us(h, 990)), "most_s",
                     sim_seconds((double)h->most_us));
}

static json_t *ended_json(const struct sim_tally *t)
{
    json_t *o = json_object();
    for (int r = 0; r < SL_REASON_COUNT; r++)
        if (t->ended[r] > 0)
            json_object_set_new(o, sl_reason_name((enum sl_reason)r),
                                json_integer((json_int_t)t->ended[r]));
    return o;
}

static json_t *eta_json(const struct sim_eta_tally *t)
{
    double told = (double)t->told;
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "told", (json_int_t)t->told, "within_p50",
                     told > 0 ? (double)t->within_p50 / told : 0, "within_p90",
                     told > 0 ? (double)t->within_p90 / told : 0, "wait_to_p50_median",
                     sim_eta_quantile(&t->ratio, 500), "wait_to_p50_p90",
                     sim_eta_quantile(&t->ratio, 900), "p90_to_p50_median",
                     sim_eta_quantile(&t->width, 500));
}

static json_t *tally_json(const struct sim_tally *t)
{
    return json_pack("{s:I, s:I, s:o, s:f, s:o}", "calls", (json_int_t)t->calls, "started",
                     (json_int_t)t->started, "ended", ended_json(t), "slice_s",
                     sim_seconds((double)t->used_us), "wait", wait_json(&t->wait));
}

static json_t *tiers_json(const struct sim_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < r->scenario->tiers.tier_count; i++) {
        if (r->tiers[i].calls == 0)
            continue;
        json_t *tier = tally_json(&r->tiers[i]);
        json_object_set_new(tier, "share", json_real(sim_result_share(r, i)));
        json_object_set_new(tier, "eta", eta_json(&r->tiers[i].eta));
        json_object_set_new(o, r->scenario->tiers.tiers[i].name, tier);
    }
    return o;
}

static json_t *groups_json(const struct sim_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < r->scenario->visitors.count; i++) {
        json_t *group = tally_json(&r->groups[i]);
        json_object_set_new(group, "jain", json_real(r->groups[i].jain));
        json_object_set_new(group, "visitors_who_asked",
                            json_integer((json_int_t)r->groups[i].jain_visitors));
        json_object_set_new(o, sim_scenario_groups(r->scenario)[i].name, group);
    }
    return o;
}

static json_t *classes_json(const struct sim_result *r)
{
    json_t *a = json_array();
    for (size_t i = 0; i < SIM_CLASSES; i++) {
        const struct sim_class *c = &r->classes[i];
        json_t *row =
            json_pack("{s:I, s:I}", "asked", (json_int_t)c->asked, "served", (json_int_t)c->served);
        if (c->up_to_us != INT64_MAX)
            json_object_set_new(row, "up_to_s", json_integer(c->up_to_us / SL_US_PER_S));
        json_array_append_new(a, row);
    }
    return a;
}

static json_t *day_json(const struct sim_result *r)
{
    json_t *a = json_array();
    for (size_t i = 0; i < SIM_BUCKETS; i++)
        json_array_append_new(a, json_pack("{s:f, s:f}", "utilisation",
                                           sim_result_utilisation(&r->over_day[i]), "queue",
                                           sim_result_queue(&r->over_day[i])));
    return a;
}

static json_t *result_json(const struct sim_result *r)
{
    char digest[17];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)r->digest);
    json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "label", r->label, "seed",
                          (json_int_t)r->seed, "calls", (json_int_t)r->calls, "steps",
                          (json_int_t)r->steps, "slices", (json_int_t)r->scenario->slice_count,
                          "nodes_lost", (json_int_t)r->nodes_lost, "queued_most",
                          (json_int_t)r->max_queued, "digest", digest);
    json_object_set_new(o, "utilisation", json_real(sim_result_utilisation(&r->all)));
    json_object_set_new(o, "queue_mean", json_real(sim_result_queue(&r->all)));
    json_object_set_new(o, "tiers", tiers_json(r));
    json_object_set_new(o, "visitors", groups_json(r));
    json_object_set_new(o, "declared", classes_json(r));
    json_object_set_new(o, "over_day", day_json(r));
    json_object_set_new(o, "wrong", r->wrong[0] == '\0' ? json_null() : json_string(r->wrong));
    return o;
}

sl_status sim_report_json(const struct sim_result *results, size_t count, struct sl_buf *out)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(runs, result_json(&results[i]));
    json_t *all = json_pack("{s:o}", "runs", runs);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(all);
    if (text == NULL)
        return SL_ENOMEM;
    sl_status s = sl_buf_printf(out, "%s\n", text);
    free(text);
    return s;
}
