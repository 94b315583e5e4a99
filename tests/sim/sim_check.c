/* sim_check.c - what must hold at every moment, and at the end of the day. */
#include <stdarg.h>
#include <stdio.h>

#include <utlist.h>

#include "gw_ledger.h"
#include "sim_world.h"

enum { SCHED_EVERY = 64 }; /* it looks at every call that waits */

static char complaint[512];

void sim_complain(const char *fmt, ...)
{
    va_list args;
    if (complaint[0] != '\0')
        return;
    va_start(args, fmt);
    vsnprintf(complaint, sizeof complaint, fmt, args);
    va_end(args);
}

const char *sim_complaint(void)
{
    return complaint[0] == '\0' ? NULL : complaint;
}

static uint64_t open_exchanges(const struct sim *s)
{
    uint64_t count = 0;
    const struct sim_exchange *e;
    DL_FOREACH (s->open, e) {
        count++;
    }
    return count;
}

/* The counters move with the states, so their sum is the number of calls that are open. Calls that were
 * refused before they became one (the table was full) have none. */
static void check_counts(struct sim *s)
{
    const struct gw_call_counts *c = gw_flow_counts(s->flow);
    uint64_t sum = 0, open = open_exchanges(s);
    for (int state = GW_CALL_RECEIVING; state < GW_CALL_STATE_COUNT; state++)
        sum += c->in[state];
    if (sum > open)
        sim_complain("%llu calls are counted, %llu exchanges are open", (unsigned long long)sum,
                     (unsigned long long)open);
    if (open != gw_flow_exchanges(s->flow))
        sim_complain("the flow has %llu exchanges, the visitors %llu",
                     (unsigned long long)gw_flow_exchanges(s->flow), (unsigned long long)open);
    if (c->in[GW_CALL_QUEUED] > s->totals.max_queued)
        s->totals.max_queued = c->in[GW_CALL_QUEUED];
}

/* No slice waits while a call that it could run is queued: the turn must have placed it. */
static void check_idle(struct sim *s)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    if (s->plan.return_percent > 0)
        return; /* a link that says "not now" leaves calls queued beside idle slices for a moment */
    while ((m = gw_fleet_next_model(gw_flow_fleet(s->flow), &cursor)) != NULL)
        if (m->waiting.count > 0 &&
            gw_fleet_pick_idle(gw_flow_fleet(s->flow), m,
                               gw_sched_size(gw_flow_sched(s->flow), m->waiting.head)) != NULL)
            sim_complain("calls for %s wait although a slice is free", m->spec.name);
}

const char *sim_check_step(struct sim *s)
{
    if (gw_fleet_check(gw_flow_fleet(s->flow)) != SL_OK)
        sim_complain("the fleet's invariants are broken");
    if (s->checks++ % SCHED_EVERY == 0 &&
        gw_sched_check(gw_flow_sched(s->flow), gw_flow_fleet(s->flow)) != SL_OK)
        sim_complain("the scheduler's invariants are broken");
    if (gw_ledger_check(gw_flow_ledger(s->flow)) != SL_OK)
        sim_complain("the ledger's invariants are broken");
    check_counts(s);
    check_idle(s);
    return sim_complaint();
}

const char *sim_check_end(struct sim *s)
{
    uint64_t ended = 0;
    for (int r = 0; r < SL_REASON_COUNT; r++)
        ended += gw_flow_ended(s->flow, (enum sl_reason)r);
    if (!gw_flow_is_empty(s->flow))
        sim_complain("the flow still has exchanges");
    if (s->totals.replied != s->totals.arrived)
        sim_complain("%llu calls arrived, %llu were answered",
                     (unsigned long long)s->totals.arrived, (unsigned long long)s->totals.replied);
    if (ended > s->totals.arrived)
        sim_complain("%llu calls ended, only %llu arrived", (unsigned long long)ended,
                     (unsigned long long)s->totals.arrived);
    return sim_complaint();
}
