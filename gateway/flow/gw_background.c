/* gw_background.c - calls over quota in a tier whose `when_idle` is `run`: they have a queue of their own, start on a slice that
 * nobody else could take now, pay nothing, and give way.
 *
 *   over quota > background queue > idle slice > result
 *                                             `> somebody has waited for `calls.background_grace` > PREEMPTED
 *
 * Nothing is fed behind them, so nobody waits in their line. Of those that could give way the one goes that began last.
 */
#include <utlist.h>

#include "gw_call.h"

/* ---- in */

bool gw_background_takes(const struct gw_flow *f, const struct gw_call *c,
                         const struct gw_hold_refusal *refusal)
{
    bool is_over_quota = refusal->kind == GW_HOLD_QUOTA || refusal->kind == GW_HOLD_TOO_LONG;
    return is_over_quota && f->conf.tiers->tiers[c->who.tier].runs_when_idle &&
           gw_sched_has_background_room(&f->sched);
}

/* ---- started */

void gw_background_place(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    while (!f->is_stuck && gw_sched_next_idle(&f->sched, f->fleet, &item, &slice))
        gw_call_dispatch(f, SL_CONTAINER_OF(item, struct gw_call, queue_item), slice, now);
}

/* ---- giving way */

/* What a model's calls could have of background work. */
struct yield {
    struct gw_call *last;  /* the one that began last; NULL: none */
    bool is_being_cleared; /* a slice that nobody counts on yet is being cleared */
};

/* A background lease is alone on its slice. */
static void look_at(struct gw_flow *f, struct gw_fleet_lease *lease, struct yield *y)
{
    if (lease == NULL || !lease->is_background || y->is_being_cleared)
        return;
    if (lease->is_recalled) {
        y->is_being_cleared = lease->claimed_in != f->give_way_round;
        if (y->is_being_cleared)
            lease->claimed_in = f->give_way_round;
        return;
    }
    struct gw_call *c = gw_call_find(f, lease->call);
    if (c != NULL && (y->last == NULL || c->arrival > y->last->arrival))
        y->last = c;
}

static struct yield look_for(struct gw_flow *f, const struct gw_fleet_model *m,
                             const struct gw_size *size)
{
    struct yield y = {0};
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    for (size_t i = 0; gw_fleet_node_takes(offer->node) && i < gw_fleet_all_slices(offer->node);
         i++)
        if (gw_fleet_slice_helps(&offer->node->slices[i], size))
            look_at(f, offer->node->slices[i].leases, &y);
    return y;
}

static void preempt(struct gw_flow *f, struct gw_call *c)
{
    struct sl_error err;
    struct gw_fleet_lease *lease = gw_fleet_find_lease(f->fleet, c->lease);
    sl_error_set(&err, SL_REASON_PREEMPTED,
                 "the call was over quota and ran while the slice was idle; it gave way to a call "
                 "that is paid for");
    if (lease != NULL)
        lease->claimed_in = f->give_way_round;
    gw_call_fail(f, c, &err);
}

/* To those of one model's calls that have waited for so long, the oldest first; the next one in its time. */
static void give_way_to(struct gw_flow *f, const struct gw_queue_model *waiting, sl_mono_ns now)
{
    const struct gw_fleet_model *m = SL_CONTAINER_OF(waiting, struct gw_fleet_model, waiting);
    const struct gw_queue_item *item;
    unsigned hopeless = 0; /* sizes for which nothing can give way */
    DL_FOREACH (waiting->head, item) {
        const struct gw_call *waits = SL_CONTAINER_OF(item, struct gw_call, queue_item);
        sl_mono_ns at = sl_sat_add(waits->queued_at, f->conf.background_grace_ns);
        if ((hopeless & 1u << waits->size) != 0)
            continue;
        struct yield y = look_for(f, m, gw_money_size(f, waits));
        if (!y.is_being_cleared && y.last == NULL) {
            hopeless |= 1u << waits->size;
            continue;
        }
        if (at > now) {
            f->give_way_at = at < f->give_way_at ? at : f->give_way_at;
            return;
        }
        if (!y.is_being_cleared)
            preempt(f, y.last);
    }
}

void gw_background_turn(struct gw_flow *f, sl_mono_ns now)
{
    const struct gw_queue_model *waiting;
    f->give_way_at = SL_MONO_NEVER;
    if (f->sched.queue.counts[0] == 0 || gw_fleet_totals(f->fleet).background == 0)
        return;
    f->give_way_round++;
    DL_FOREACH (f->sched.queue.models[0], waiting)
        give_way_to(f, waiting, now);
}
