#include "sim_result.h"

#include <stdlib.h>

static const int64_t class_edges_s[SIM_CLASSES] = {5, 15, 30, 60, 120, 300};

static bool make_tallies(struct sim_result *r, size_t tiers, size_t groups)
{
    r->tiers = calloc(tiers, sizeof *r->tiers);
    r->groups = calloc(groups, sizeof *r->groups);
    r->eta_over_day = calloc(SIM_BUCKETS, sizeof *r->eta_over_day);
    bool is_made = r->tiers != NULL && r->groups != NULL && r->eta_over_day != NULL;
    for (size_t i = 0; is_made && i < tiers; i++) {
        r->tiers[i].wait_over_day = calloc(SIM_BUCKETS, sizeof *r->tiers[i].wait_over_day);
        is_made = r->tiers[i].wait_over_day != NULL;
    }
    return is_made;
}

sl_status sim_result_init(struct sim_result *r, const struct sim_scenario *s)
{
    *r = (struct sim_result){.scenario = s};
    for (size_t i = 0; i < SIM_CLASSES; i++)
        r->classes[i].up_to_us = class_edges_s[i] * SL_US_PER_S;
    r->classes[SIM_CLASSES - 1].up_to_us = INT64_MAX;
    if (make_tallies(r, s->tiers.tier_count, s->visitors.count))
        return SL_OK;
    sim_result_finish(r);
    return SL_ENOMEM;
}

void sim_result_finish(struct sim_result *r)
{
    for (size_t i = 0; r->tiers != NULL && i < r->scenario->tiers.tier_count; i++)
        free(r->tiers[i].wait_over_day);
    free(r->tiers);
    free(r->groups);
    free(r->eta_over_day);
    *r = (struct sim_result){0};
}

double sim_result_utilisation(const struct sim_bucket *b)
{
    return b->up_us > 0 ? b->busy_us / b->up_us : 0;
}

double sim_result_queue(const struct sim_bucket *b)
{
    return b->over_us > 0 ? b->queued_us / b->over_us : 0;
}

double sim_result_share(const struct sim_result *r, size_t tier)
{
    double all = 0;
    for (size_t i = 0; i < r->scenario->tiers.tier_count; i++)
        all += (double)r->tiers[i].used_us;
    return all > 0 ? (double)r->tiers[tier].used_us / all : 0;
}

uint64_t sim_tally_refused(const struct sim_tally *t)
{
    static const enum sl_reason refusals[] = {SL_REASON_QUOTA_EXCEEDED, SL_REASON_QUEUE_FULL,
                                              SL_REASON_DURATION_TOO_LONG,
                                              SL_REASON_SIZE_UNAVAILABLE, SL_REASON_BLOCKED};
    uint64_t sum = 0;
    for (size_t i = 0; i < SL_ARRAY_LEN(refusals); i++)
        sum += t->ended[refusals[i]];
    return sum;
}

double sim_eta_quantile(const struct sim_histogram *ratios, unsigned thousandths)
{
    return (double)sim_histogram_quantile_us(ratios, thousandths) / 1e6;
}

double sim_result_jain(double sum, double sum_of_squares, uint64_t count)
{
    return sum_of_squares > 0 ? sum * sum / ((double)count * sum_of_squares) : 0;
}
