/* sim_check.c - what must hold after every step, at times in full, and at the end of the day. */
#include <inttypes.h>

#include "gw_ledger.h"
#include "sim_day_int.h"

/* The counters move with the states, so their sum is the number of calls that are open. Calls that were refused before
 * they became one (the table was full) have none. */
void sim_check_step(struct sim *s)
{
    const struct gw_call_counts *c = gw_flow_counts(s->flow);
    uint64_t sum = 0;
    for (int state = GW_CALL_RECEIVING; state < GW_CALL_STATE_COUNT; state++)
        sum += c->in[state];
    if (sum != s->open_count || gw_flow_exchanges(s->flow) != s->open_count)
        sim_complain(s,
                     "%" PRIu64 " calls are counted, %" PRIu64 " exchanges, %" PRIu64 " are open",
                     sum, gw_flow_exchanges(s->flow), s->open_count);
    if (s->slices_running > s->slices_up)
        sim_complain(s, "%zu slices run calls, and only %zu are there", s->slices_running,
                     s->slices_up);
}

/* No slice waits while a call that it could run is queued: the turn must have placed it. */
static void check_idle(struct sim *s)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    if (sim_nodes_may_refuse(s))
        return;
    while ((m = gw_fleet_next_model(gw_flow_fleet(s->flow), &cursor)) != NULL)
        if (m->waiting.count > 0 &&
            gw_fleet_pick_idle(gw_flow_fleet(s->flow), m,
                               gw_sched_size(gw_flow_sched(s->flow), m->waiting.head)) != NULL)
            sim_complain(s, "calls for %s wait although a slice is free", m->spec.name);
}

/* Each lease that is out has one job, and the first of a slice's jobs alone may run. */
static void check_leases(struct sim *s)
{
    size_t leases = gw_fleet_totals(gw_flow_fleet(s->flow)).leases;
    if (leases != s->job_count)
        sim_complain(s, "%zu leases are out, and nodes have %" PRIu64 " calls", leases,
                     s->job_count);
    for (size_t i = 0; i < s->node_count; i++)
        for (size_t j = 0; j < s->nodes[i].slice_count + s->nodes[i].wide_count; j++) {
            const struct sim_job *first = s->nodes[i].slices[j].jobs;
            for (const struct sim_job *k = first; k != NULL; k = k->next)
                if (k != first && k->is_started)
                    sim_complain(s, "a slice of %s runs two calls", s->nodes[i].name);
        }
}

void sim_check_full(struct sim *s)
{
    if (gw_fleet_check(gw_flow_fleet(s->flow)) != SL_OK)
        sim_complain(s, "the fleet's invariants are broken");
    if (gw_sched_check(gw_flow_sched(s->flow), gw_flow_fleet(s->flow)) != SL_OK)
        sim_complain(s, "the scheduler's invariants are broken");
    if (gw_ledger_check(gw_flow_ledger(s->flow)) != SL_OK)
        sim_complain(s, "the ledger's invariants are broken");
    if (gw_flow_check_lines(s->flow) != SL_OK)
        sim_complain(s, "the lines of calls by tier are broken");
    check_idle(s);
    check_leases(s);
}

void sim_check_end(struct sim *s)
{
    uint64_t ended = 0;
    for (int r = 0; r < SL_REASON_COUNT; r++)
        ended += gw_flow_ended(s->flow, (enum sl_reason)r);
    sim_check_full(s);
    if (!gw_flow_is_empty(s->flow) || s->open_count != 0)
        sim_complain(s, "%" PRIu64 " calls are still open", s->open_count);
    if (ended != s->result->calls)
        sim_complain(s, "%" PRIu64 " calls came, %" PRIu64 " ended", s->result->calls, ended);
    if (gw_ledger_totals(gw_flow_ledger(s->flow)).holds != 0)
        sim_complain(s, "time is still held, and nobody is there");
    if (s->receipts_us != s->told_us)
        sim_complain(s, "slices were held for %" PRId64 " us, receipts say %" PRId64, s->told_us,
                     s->receipts_us);
}
