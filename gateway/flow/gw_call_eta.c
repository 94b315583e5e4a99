/* gw_call_eta.c - what runs where, and for how long still; the place of a call; past estimates. */
#include "gw_call_eta.h"

#include <utlist.h>

#include "gw_learn_work.h"

/* Calls of those who pay nothing are wrong in their own way. */
enum { BACKGROUND_ERRORS = GW_TIERS_MAX, ERROR_CLASSES };

sl_status gw_call_eta_create(struct gw_flow *f)
{
    return gw_eta_errors_create(f->alloc, ERROR_CLASSES, &f->eta.errors);
}

void gw_call_eta_destroy(struct gw_flow *f)
{
    gw_eta_errors_destroy(f->eta.errors);
}

/* ---- what runs */

static int64_t elapsed_us(const struct gw_fleet_lease *lease, sl_mono_ns now)
{
    return now > lease->started_at ? (now - lease->started_at) / SL_NS_PER_US : 0;
}

/* How long the lease is still expected to have its slice; one that is taken back, not at all. */
static int64_t rest_of(struct gw_flow *f, const struct gw_fleet_lease *lease, sl_mono_ns now)
{
    const struct gw_call *c = gw_call_find(f, lease->call);
    if (lease->is_recalled)
        return 0;
    if (!lease->is_started || lease->started_at == 0)
        return lease->expected_us;
    int64_t limit_us = c != NULL ? c->limit_us : lease->model->spec.duration_us;
    return gw_learn_rest(&lease->model->learn, limit_us, elapsed_us(lease, now));
}

/* All that is there, up to a lease; NULL: all. */
static int64_t rest_until(struct gw_flow *f, const struct gw_fleet_slice *s, sl_slot_id until,
                          sl_mono_ns now)
{
    int64_t sum = 0;
    const struct gw_fleet_lease *lease;
    DL_FOREACH (s->leases, lease) {
        if (lease->id == until)
            break;
        sum = sl_sat_add(sum, rest_of(f, lease, now));
    }
    return sum;
}

/* A slice is free when all are that have a part in common with it. */
static int64_t rest_of_slice(struct gw_flow *f, const struct gw_fleet_slice *s, sl_mono_ns now)
{
    int64_t longest = 0;
    for (size_t i = 0; i < gw_fleet_all_slices(s->node); i++) {
        const struct gw_fleet_slice *other = &s->node->slices[i];
        if ((other->parts & s->parts) == 0)
            continue;
        int64_t rest = rest_until(f, other, 0, now);
        longest = rest > longest ? rest : longest;
    }
    return longest;
}

static void add_node(struct gw_flow *f, const struct gw_fleet_node *node,
                     const struct gw_size *size, sl_mono_ns now)
{
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++) {
        const struct gw_fleet_slice *s = &node->slices[i];
        if (!gw_fleet_slice_serves(s, size))
            continue;
        gw_eta_slices_add(&f->eta.slices, rest_of_slice(f, s, now));
        f->eta.parts = (size_t)__builtin_popcountll(s->parts);
    }
}

/* The slices that calls of the model and size could have; looked at once for all who ask at one time. */
static void look_at_slices(struct gw_flow *f, const struct gw_fleet_model *m,
                           const struct gw_size *size, sl_mono_ns now)
{
    const struct gw_fleet_offer *offer;
    uint64_t changes = gw_fleet_changes(f->fleet);
    if (f->eta.model == m->id && f->eta.size == size && f->eta.looked_at == now &&
        f->eta.changes == changes)
        return;
    f->eta.changes = changes;
    f->eta.model = m->id;
    f->eta.size = size;
    f->eta.looked_at = now;
    f->eta.parts = 1;
    gw_eta_slices_begin(&f->eta.slices);
    DL_FOREACH2(m->offers, offer, model_next)
    if (gw_fleet_node_takes(offer->node))
        add_node(f, offer->node, size, now);
    gw_eta_slices_end(&f->eta.slices);
}

/* ---- estimates */

static size_t errors_of(const struct gw_call *c)
{
    return c->is_background ? (size_t)BACKGROUND_ERRORS : c->who.tier;
}

/* Work is told for slices of the smallest size; of those that are made of several there are fewer. */
static int64_t estimate(struct gw_flow *f, const struct gw_call *c,
                        const struct gw_sched_place *place, sl_mono_ns now)
{
    look_at_slices(f, c->model, gw_money_size(f, c), now);
    const struct gw_fluid_sum before = {
        .count = (place->before + f->eta.parts - 1) / f->eta.parts,
        .work_us = place->work_before_us / (int64_t)f->eta.parts,
    };
    return gw_eta_start_us(&f->eta.slices, before);
}

struct gw_eta gw_call_eta_at(struct gw_flow *f, const struct gw_call *c,
                             const struct gw_sched_place *place, sl_mono_ns now)
{
    return gw_eta_of(f->eta.errors, errors_of(c), estimate(f, c, place, now), now / SL_NS_PER_US);
}

/* ---- why it takes longer */

static const char *why_later(const struct gw_flow *f, const struct gw_call *c,
                             const struct gw_sched_place *place)
{
    if (c->told.requeued != f->requeued)
        return "calls came back from an executor that was lost or could not take them";
    if (place->own_before > c->told.own_before)
        return "calls of the same weight came whose turn is earlier: they are shorter, or their "
               "visitors have used less";
    return "calls of other tiers came, and by their share of the time it is their turn first";
}

/* Since it was nearest. */
static const char *delayed_by(struct gw_flow *f, struct gw_call *c,
                              const struct gw_sched_place *place)
{
    struct gw_call_told *told = &c->told;
    size_t slices = gw_fleet_totals(f->fleet).slices;
    if (told->delayed_by == NULL || place->before <= told->nearest) {
        told->delayed_by = "";
        told->nearest = place->before;
    } else if (place->before > told->before) {
        told->delayed_by = why_later(f, c, place);
    }
    told->before = place->before;
    told->own_before = place->own_before;
    told->requeued = f->requeued;
    if (slices > told->most_slices)
        told->most_slices = slices;
    bool lost_slices = told->delayed_by[0] == '\0' && slices < told->most_slices;
    return lost_slices ? "slices were lost" : told->delayed_by;
}

static struct gw_call_wait wait_in_queue(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct gw_sched_place place;
    gw_sched_place(&f->sched, &c->queue_item, &place);
    const char *why = delayed_by(f, c, &place);
    if (c->queue_item.aside != NULL)
        why = "the app has as many calls running as it may have (apps.max_running)";
    return (struct gw_call_wait){
        .position = place.before + 1,
        .waiting = place.waiting,
        .eta = gw_call_eta_at(f, c, &place, now),
        .delayed_by = why,
    };
}

/* Behind what its slice still has to do. */
static struct gw_call_wait wait_at_node(struct gw_flow *f, const struct gw_call *c, sl_mono_ns now)
{
    const struct gw_fleet_lease *lease = gw_fleet_find_lease(f->fleet, c->lease);
    int64_t rest_us = lease == NULL ? 0 : rest_until(f, lease->slice, lease->id, now);
    return (struct gw_call_wait){
        .eta = gw_eta_of(f->eta.errors, errors_of(c), rest_us, now / SL_NS_PER_US),
        .delayed_by = ""};
}

struct gw_call_wait gw_call_wait_of(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    if (c->state == GW_CALL_QUEUED)
        return wait_in_queue(f, c, now);
    if (c->state == GW_CALL_DISPATCHED)
        return wait_at_node(f, c, now);
    return (struct gw_call_wait){.delayed_by = ""};
}

/* ---- past estimates */

void gw_call_eta_begin(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct gw_sched_place place;
    c->probe.estimated_us = 0;
    if (now < f->eta.next_probe_at)
        return;
    gw_sched_place(&f->sched, &c->queue_item, &place);
    c->probe.estimated_us = estimate(f, c, &place, now);
    if (c->probe.estimated_us <= 0) /* it starts at once, or nobody knows */
        return;
    c->probe.eta =
        gw_eta_of(f->eta.errors, errors_of(c), c->probe.estimated_us, now / SL_NS_PER_US);
    f->eta.next_probe_at = now + GW_ETA_PROBE_NS;
}

/* In thousandths of what was told, as the metric of the ratio wants it. */
static void count(struct gw_flow *f, const struct gw_call *c, int64_t actual_us)
{
    const struct gw_eta *told = &c->probe.eta;
    int64_t base_us = told->p50_us > 0 ? told->p50_us : 1;
    enum gw_eta_outcome outcome = GW_ETA_LATER;
    if (actual_us <= told->p50_us)
        outcome = GW_ETA_WITHIN_P50;
    else if (actual_us <= told->p90_us)
        outcome = GW_ETA_WITHIN_P90;
    sl_metric_add(f->metrics.eta[outcome], 1);
    sl_metric_observe_ns(f->metrics.eta_ratio, sl_sat_mul(actual_us, SL_NS_PER_US) / base_us *
                                                   (SL_NS_PER_S / SL_NS_PER_US));
}

void gw_call_eta_end(struct gw_flow *f, struct gw_call *c, sl_mono_ns at)
{
    int64_t actual_us = at > c->queued_at ? (at - c->queued_at) / SL_NS_PER_US : 0;
    if (c->probe.estimated_us <= 0)
        return;
    count(f, c, actual_us);
    gw_eta_learn(f->eta.errors, errors_of(c), c->probe.estimated_us, actual_us, at / SL_NS_PER_US);
    c->probe.estimated_us = 0;
}
