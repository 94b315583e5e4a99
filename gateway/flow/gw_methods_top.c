/* gw_methods_top.c - sluice.v1.Admin: GetStatus and GetTop, the gateway at a glance.
 *
 * Cost   O(slices + nodes + GW_LEDGER_LOOK_MAX), whatever visitors there are and whatever waits; and for each tier of
 *        which calls wait, an estimate (gw_eta.h) and a place in the order (gw_sched_place).
 */
#include <utlist.h>

#include "gw_call_eta.h"
#include "gw_services.h"
#include "gw_top_facts.h"

/* ---- GetStatus */

static struct gw_eta eta_of_newest(struct gw_flow *f, const struct gw_line *line, sl_mono_ns now)
{
    struct gw_sched_place place;
    if (line->waiting == NULL)
        return (struct gw_eta){GW_ETA_NEVER_US, GW_ETA_NEVER_US};
    const struct gw_call *newest = line->waiting->line_prev;
    gw_sched_place(&f->sched, &newest->queue_item, &place);
    return gw_call_eta_at(f, newest, &place, now);
}

static void fill_lines(struct gw_flow *f, sl_mono_ns now, struct gw_status_facts *out)
{
    const struct gw_tiers *tiers = f->conf.tiers;
    for (size_t i = 0; i < GW_LINES; i++) {
        const struct gw_line *line = &f->lines[i];
        bool is_tier = i < tiers->tier_count;
        if (!is_tier && line->waiting_count + line->placed_count == 0)
            continue;
        out->lines[out->line_count++] =
            (struct gw_line_facts){.tier = is_tier ? tiers->tiers[i].name : "",
                                   .weight = is_tier ? tiers->tiers[i].weight : 0,
                                   .waiting = line->waiting_count,
                                   .placed = line->placed_count,
                                   .longest_us = gw_line_longest_us(line, now),
                                   .newest = eta_of_newest(f, line, now)};
    }
}

static void fill_status(struct gw_flow *f, sl_mono_ns now, struct gw_status_facts *out)
{
    *out = (struct gw_status_facts){
        .version = f->conf.version,
        .uptime_ms = (now - f->conf.started_at) / SL_NS_PER_MS,
        .now = f->wall_now,
        .is_draining = f->is_draining,
        .is_ready = gw_flow_is_ready(f),
        .fleet = gw_fleet_totals(f->fleet),
        .connections = f->ports.net.connections(f->ports.net.ctx),
        .calls_receiving = f->counts.in[GW_CALL_RECEIVING],
        .calls_queued = f->counts.in[GW_CALL_QUEUED],
        .calls_dispatched = f->counts.in[GW_CALL_DISPATCHED],
        .calls_running = f->counts.in[GW_CALL_RUNNING],
        .outcomes = f->ended,
        .today = gw_day_at(&f->today, f->wall_now),
    };
    fill_lines(f, now, out);
}

void gw_admin_status(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_status_facts facts;
    fill_status(f, q->now, &facts);
    gw_inquiry_answer(f, q, f->ports.wire.status(&q->exchange->arena, &facts));
}

/* ---- GetTop */

static enum gw_slice_use use_of(const struct gw_fleet_lease *lease, const struct gw_call *c)
{
    if (c == NULL || c->owes)
        return GW_SLICE_CLEARING;
    return lease->is_started ? GW_SLICE_RUNNING : GW_SLICE_SENT;
}

static void fill_call(const struct gw_flow *f, const struct gw_call *c, sl_mono_ns now,
                      struct gw_slice_facts *out)
{
    if (c == NULL)
        return;
    out->call_id = c->call_id;
    out->tier = f->conf.tiers->tiers[c->who.tier].name;
    out->visitor = gw_principal_name(&c->who);
    out->size = gw_money_size(f, c)->name;
    out->limit_us = c->limit_us;
    if (c->started_at != 0 && now > c->started_at)
        out->run_us = (now - c->started_at) / SL_NS_PER_US;
}

static void count_calls(const struct gw_fleet_slice *s, struct gw_slice_facts *out)
{
    const struct gw_fleet_lease *lease;
    DL_FOREACH (s->leases, lease)
        out->started += lease->is_started;
    out->behind = s->lease_count - (out->started > 0 ? out->started : 1);
}

static void fill_slice(struct gw_flow *f, const struct gw_fleet_slice *s, sl_mono_ns now,
                       struct gw_slice_facts *out)
{
    const struct gw_fleet_lease *first = s->leases;
    *out = (struct gw_slice_facts){
        .slice = s, .model = "", .call_id = "", .tier = "", .visitor = "", .size = ""};
    if (first == NULL)
        return;
    const struct gw_call *c = gw_call_find(f, first->call);
    out->use = use_of(first, c);
    out->is_background = first->is_background;
    out->model = first->model->spec.name;
    count_calls(s, out);
    fill_call(f, c, now, out);
}

/* A wide slice is shown while it is in use, in the place of its parts. */
static bool is_idle(const struct gw_fleet_node *node, size_t i)
{
    return i < node->slice_count && !gw_fleet_slice_is_held(&node->slices[i]);
}

/* Those in use, or those that are not. */
static size_t add_slices(struct gw_flow *f, sl_mono_ns now, bool in_use, size_t count, size_t max,
                         struct gw_slice_facts *rows)
{
    size_t cursor = 0;
    const struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(f->fleet, &cursor)) != NULL)
        for (size_t i = 0; i < gw_fleet_all_slices(node) && count < max; i++)
            if (in_use ? node->slices[i].leases != NULL : is_idle(node, i))
                fill_slice(f, &node->slices[i], now, &rows[count++]);
    return count;
}

/* false: no memory. */
static bool fill_slices(struct gw_flow *f, struct gw_inquiry *q, struct gw_top_facts *out)
{
    size_t max = (size_t)q->form.page_rows;
    struct gw_slice_facts *rows = sl_arena_get(&q->exchange->arena, max * sizeof *rows);
    if (rows == NULL)
        return false;
    out->slices = rows;
    out->slice_count = add_slices(f, q->now, true, 0, max, rows);
    out->slice_count = add_slices(f, q->now, false, out->slice_count, max, rows);
    return true;
}

static bool fill_visitors(struct gw_flow *f, struct gw_inquiry *q, struct gw_top_facts *out)
{
    size_t max = (size_t)q->form.page_rows;
    struct gw_account_view *rows = sl_arena_get(&q->exchange->arena, max * sizeof *rows);
    if (rows == NULL)
        return false;
    out->visitors = rows;
    out->visitor_count = gw_ledger_busiest(f->ledger, f->wall_now, rows, max);
    out->visitors_open = gw_ledger_totals(f->ledger).visiting;
    return true;
}

static bool fill_nodes(struct gw_flow *f, struct gw_inquiry *q, struct gw_top_facts *out)
{
    size_t max = (size_t)q->form.page_rows, cursor = 0;
    const struct gw_fleet_node **rows = sl_arena_get(&q->exchange->arena, max * sizeof *rows);
    if (rows == NULL)
        return false;
    out->nodes = rows;
    while (out->node_count < max &&
           (rows[out->node_count] = gw_fleet_next_node(f->fleet, &cursor)) != NULL)
        out->node_count++;
    return true;
}

void gw_admin_top(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_top_facts facts = {.mono_now = q->now};
    fill_status(f, q->now, &facts.status);
    bool is_whole =
        fill_slices(f, q, &facts) && fill_visitors(f, q, &facts) && fill_nodes(f, q, &facts);
    gw_inquiry_answer(
        f, q, is_whole ? f->ports.wire.top(&q->exchange->arena, &facts) : sl_span_of(NULL, 0));
}
