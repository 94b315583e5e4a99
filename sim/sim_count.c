/* sim_count.c - what happens, counted for the day's result. */
#include "sim_day_int.h"

static struct sim_tally *tier_of(struct sim *s, uint32_t group)
{
    return &s->result->tiers[s->groups[group].row->tier_index];
}

static int64_t bucket_ns(const struct sim *s)
{
    return s->scenario->length_ns / SIM_BUCKETS + 1;
}

static size_t bucket_at(const struct sim *s, sl_mono_ns at)
{
    int64_t b = at / bucket_ns(s);
    return b < SIM_BUCKETS ? (size_t)b : SIM_BUCKETS - 1;
}

static struct sim_class *class_of(struct sim *s, int64_t declared_us)
{
    struct sim_class *c = s->result->classes;
    while (declared_us > c->up_to_us)
        c++;
    return c;
}

void sim_count_arrival(struct sim *s, const struct sim_call *c)
{
    s->result->calls++;
    if (!c->is_measured)
        return;
    tier_of(s, c->group)->calls++;
    s->result->groups[c->group].calls++;
    s->groups[c->group].asked_ms[c->visitor] += (uint32_t)(c->run_us / 1000);
}

static void add_eta(struct sim_eta_tally *t, const struct gw_eta *eta, int64_t wait_us)
{
    const double more = 10000;
    double p50 = (double)eta->p50_us + more, p90 = (double)eta->p90_us + more;
    t->told++;
    t->within_p50 += wait_us <= eta->p50_us;
    t->within_p90 += wait_us <= eta->p90_us;
    sim_histogram_add(&t->ratio, (int64_t)(1e6 * ((double)wait_us + more) / p50));
    sim_histogram_add(&t->width, (int64_t)(1e6 * p90 / p50));
}

void sim_count_eta(struct sim *s, uint32_t group, const struct gw_eta *eta, sl_mono_ns arrived_at)
{
    int64_t wait_us = (s->now - arrived_at) / SL_NS_PER_US;
    if (eta->p50_us == GW_ETA_NEVER_US)
        return;
    add_eta(&tier_of(s, group)->eta, eta, wait_us);
    add_eta(&s->result->eta_over_day[bucket_at(s, arrived_at)], eta, wait_us);
}

void sim_count_start(struct sim *s, const struct sim_job *j)
{
    s->result->started++;
    if (!j->is_measured)
        return;
    sim_count_eta(s, j->group, &j->eta, j->arrived_at);
    int64_t us = (s->now - j->arrived_at) / SL_NS_PER_US;
    struct sim_tally *tier = tier_of(s, j->group), *group = &s->result->groups[j->group];
    tier->started++;
    group->started++;
    sim_histogram_add(&tier->wait, us);
    sim_histogram_add(&group->wait, us);
    sim_histogram_add(&tier->wait_over_day[bucket_at(s, j->arrived_at)], us);
}

/* The part of a run that lies within what is measured. */
static int64_t measured_us(const struct sim *s, sl_mono_ns from)
{
    sl_mono_ns first = s->scenario->measure_from_ns, last = s->scenario->measure_until_ns;
    last = last < s->ends_at ? last : s->ends_at;
    first = from > first ? from : first;
    last = s->now < last ? s->now : last;
    return last > first ? (last - first) / SL_NS_PER_US : 0;
}

void sim_count_run(struct sim *s, const struct sim_job *j, bool is_good)
{
    if (!j->is_started)
        return;
    int64_t held_us = (s->now - j->started_at) / SL_NS_PER_US;
    int64_t us = measured_us(s, j->started_at) * (int64_t)j->slice->width;
    tier_of(s, j->group)->used_us += us;
    s->result->groups[j->group].used_us += us;
    if (is_good && j->is_measured)
        s->groups[j->group].got_ms[j->visitor] += (uint32_t)(held_us / 1000);
}

/* Did it ask for a slice and have the time for it? */
static bool could_run(enum sl_reason r)
{
    return r == SL_REASON_OK || r == SL_REASON_ALLOCATION_TIMEOUT || r == SL_REASON_QUEUE_FULL ||
           r == SL_REASON_DURATION_EXCEEDED;
}

void sim_count_end(struct sim *s, const struct sim_call *c)
{
    enum sl_reason r = c->x.reply.error.reason;
    s->result->digest = s->result->digest * UINT64_C(1099511628211) +
                        (c->visitor * 64 + (uint64_t)r) * 8 + c->group + (uint64_t)s->now;
    if (!c->is_measured)
        return;
    tier_of(s, c->group)->ended[r]++;
    s->result->groups[c->group].ended[r]++;
    if (!could_run(r))
        return;
    struct sim_class *class = class_of(s, c->declared_us);
    class->asked++;
    class->served += r == SL_REASON_OK || r == SL_REASON_DURATION_EXCEEDED;
}

/* ---- time */

static void add(struct sim_bucket *b, const struct sim *s, int64_t ns)
{
    double us = (double)ns / (double)SL_NS_PER_US;
    b->busy_us += us * (double)s->slices_running;
    b->up_us += us * (double)s->slices_up;
    b->queued_us += us * (double)gw_flow_counts(s->flow)->in[GW_CALL_QUEUED];
    b->over_us += us;
}

static void add_piece(struct sim *s, sl_mono_ns from, sl_mono_ns until)
{
    if (until > s->ends_at)
        until = s->ends_at;
    if (until <= from)
        return;
    add(&s->result->over_day[bucket_at(s, from)], s, until - from);
    if (from >= s->scenario->measure_from_ns && from < s->scenario->measure_until_ns)
        add(&s->result->all, s, until - from);
}

void sim_count_time(struct sim *s, sl_mono_ns until)
{
    uint64_t queued = gw_flow_counts(s->flow)->in[GW_CALL_QUEUED];
    if (queued > s->result->max_queued)
        s->result->max_queued = queued;
    for (sl_mono_ns at = s->now; at < until && at < s->ends_at;) {
        sl_mono_ns edge = (at / bucket_ns(s) + 1) * bucket_ns(s);
        sl_mono_ns piece = edge < until ? edge : until;
        add_piece(s, at, piece);
        at = piece;
    }
}

/* ---- the end */

static void find_jain(const struct sim_group *g, struct sim_tally *t)
{
    double sum = 0, squares = 0;
    for (int64_t v = 0; v < g->row->visitors; v++) {
        if (g->asked_ms[v] == 0)
            continue;
        double part = (double)g->got_ms[v] / (double)g->asked_ms[v];
        sum += part;
        squares += part * part;
        t->jain_visitors++;
    }
    t->jain = sim_result_jain(sum, squares, t->jain_visitors);
}

void sim_count_finish(struct sim *s)
{
    for (size_t i = 0; i < s->scenario->visitors.count; i++)
        find_jain(&s->groups[i], &s->result->groups[i]);
}
