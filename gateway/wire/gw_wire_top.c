#include "gw_wire_top.h"

#include "gw_top_facts.h"
#include "gw_wire_text.h"
#include "sl_pack.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__GetStatusResponse pb_status;
typedef Sluice__V1__GetStatusResponse__Outcome pb_outcome;
typedef Sluice__V1__GetStatusResponse__Line pb_line;
typedef Sluice__V1__GetTopResponse pb_top;
typedef Sluice__V1__GetTopResponse__SliceUse pb_slice;
typedef Sluice__V1__GetTopResponse__VisitorUse pb_visitor;
typedef Sluice__V1__GetTopResponse__NodeUse pb_node;

/* ---- GetStatus */

/* A status and what its lists point to. */
struct status {
    pb_status m;
    pb_outcome outcomes[SL_REASON_COUNT], *outcome_list[SL_REASON_COUNT];
    pb_line lines[GW_LINES], *line_list[GW_LINES];
};

static void add_outcomes(const struct gw_status_facts *facts, struct status *s)
{
    for (int r = 0; r < SL_REASON_COUNT; r++) {
        if (facts->outcomes[r] == 0)
            continue;
        pb_outcome *o = &s->outcomes[s->m.n_outcomes];
        sluice__v1__get_status_response__outcome__init(o);
        o->reason = gw_wire_text(sl_reason_name((enum sl_reason)r));
        o->calls = facts->outcomes[r];
        s->outcome_list[s->m.n_outcomes++] = o;
    }
    s->m.outcomes = s->outcome_list;
}

static void add_lines(const struct gw_status_facts *facts, struct status *s)
{
    for (size_t i = 0; i < facts->line_count; i++) {
        const struct gw_line_facts *from = &facts->lines[i];
        pb_line *to = &s->lines[i];
        sluice__v1__get_status_response__line__init(to);
        to->tier = gw_wire_text(from->tier);
        to->background = from->tier[0] == '\0';
        to->weight = from->weight;
        to->waiting = from->waiting;
        to->longest_wait_us = from->longest_us;
        to->placed = from->placed;
        to->newest_eta_p50_us = from->newest.p50_us;
        to->newest_eta_p90_us = from->newest.p90_us;
        s->line_list[i] = to;
    }
    s->m.n_lines = facts->line_count;
    s->m.lines = s->line_list;
}

static void fill_status(const struct gw_status_facts *facts, struct status *s)
{
    pb_status *m = &s->m;
    sluice__v1__get_status_response__init(m);
    m->version = gw_wire_text(facts->version);
    m->uptime_ms = facts->uptime_ms;
    m->started_at_us = facts->now - facts->uptime_ms * (SL_US_PER_S / 1000);
    m->draining = facts->is_draining;
    m->ready = facts->is_ready;
    m->nodes = (uint32_t)facts->fleet.nodes;
    m->nodes_drained = (uint32_t)facts->fleet.drained;
    m->slices = (uint32_t)facts->fleet.slices;
    m->slices_busy = (uint32_t)facts->fleet.slices_busy;
    m->slices_background = (uint32_t)facts->fleet.background;
    m->models = (uint32_t)facts->fleet.models;
    m->connections = (uint32_t)facts->connections;
    m->calls_receiving = facts->calls_receiving;
    m->calls_queued = facts->calls_queued;
    m->calls_dispatched = facts->calls_dispatched;
    m->calls_running = facts->calls_running;
    m->today_began_at_us = facts->today.began_at;
    m->today_used_us = facts->today.used_us;
    m->today_charged_us = facts->today.charged_us;
    add_outcomes(facts, s);
    add_lines(facts, s);
}

struct sl_span gw_wire_status(struct sl_arena *arena, const struct gw_status_facts *facts)
{
    struct status *s = sl_arena_zero(arena, 1, sizeof *s);
    if (s == NULL)
        return GW_WIRE_NOTHING;
    fill_status(facts, s);
    return sl_pack(arena, &s->m.base);
}

/* ---- GetTop: each list is filled by one function; false: no memory */

static const Sluice__V1__GetTopResponse__Use use_of[] = {
    [GW_SLICE_IDLE] = SLUICE__V1__GET_TOP_RESPONSE__USE__IDLE,
    [GW_SLICE_SENT] = SLUICE__V1__GET_TOP_RESPONSE__USE__SENT,
    [GW_SLICE_RUNNING] = SLUICE__V1__GET_TOP_RESPONSE__USE__RUNNING,
    [GW_SLICE_CLEARING] = SLUICE__V1__GET_TOP_RESPONSE__USE__CLEARING,
};

static void fill_slice(const struct gw_slice_facts *from, pb_slice *to)
{
    sluice__v1__get_top_response__slice_use__init(to);
    to->node = from->slice->node->name;
    to->slice = from->slice->id;
    to->device = from->slice->device;
    to->use = use_of[from->use];
    to->background = from->is_background;
    to->model = gw_wire_text(from->model);
    to->call_id = gw_wire_text(from->call_id);
    to->tier = gw_wire_text(from->tier);
    to->visitor = gw_wire_text(from->visitor);
    to->run_us = from->run_us;
    to->limit_us = from->limit_us;
    to->calls = (uint32_t)from->started;
    to->behind = (uint32_t)from->behind;
    to->size = gw_wire_text(from->size);
}

/* false: no memory. */
static bool fill_parts(struct sl_arena *arena, const struct gw_fleet_slice *s, pb_slice *to)
{
    const struct gw_fleet_node *node = s->node;
    if (s < node->slices + node->slice_count)
        return true;
    to->parts = sl_arena_get(arena, node->slice_count * sizeof *to->parts);
    for (size_t i = 0; to->parts != NULL && i < node->slice_count; i++)
        if (s->parts >> i & 1)
            to->parts[to->n_parts++] = node->slices[i].id;
    return to->parts != NULL;
}

static bool add_slices(struct sl_arena *arena, const struct gw_top_facts *facts, pb_top *m)
{
    pb_slice *items = sl_arena_get(arena, (facts->slice_count + 1) * sizeof *items);
    m->slices = sl_arena_zero(arena, facts->slice_count + 1, sizeof *m->slices);
    if (items == NULL || m->slices == NULL)
        return false;
    for (size_t i = 0; i < facts->slice_count; i++) {
        fill_slice(&facts->slices[i], &items[i]);
        if (!fill_parts(arena, facts->slices[i].slice, &items[i]))
            return false;
        m->slices[m->n_slices++] = &items[i];
    }
    return true;
}

static bool add_visitors(struct sl_arena *arena, const struct gw_top_facts *facts, pb_top *m)
{
    pb_visitor *items = sl_arena_get(arena, (facts->visitor_count + 1) * sizeof *items);
    m->visitors = sl_arena_zero(arena, facts->visitor_count + 1, sizeof *m->visitors);
    if (items == NULL || m->visitors == NULL)
        return false;
    for (size_t i = 0; i < facts->visitor_count; i++) {
        const struct gw_account_view *from = &facts->visitors[i];
        sluice__v1__get_top_response__visitor_use__init(&items[i]);
        items[i].account = gw_wire_copy(arena, from->row.name);
        if (items[i].account == NULL)
            return false;
        items[i].calls = from->in_flight;
        items[i].spent_us = from->row.spent_us;
        items[i].held_us = from->held_us;
        m->visitors[m->n_visitors++] = &items[i];
    }
    return true;
}

static void fill_node(const struct gw_fleet_node *from, sl_mono_ns now, pb_node *to)
{
    sluice__v1__get_top_response__node_use__init(to);
    to->name = from->name;
    to->drained = from->is_drained;
    to->stopping = from->is_draining;
    to->silent_for_ms = now > from->heard_at ? (now - from->heard_at) / SL_NS_PER_MS : 0;
    to->slices = (uint32_t)from->slice_count;
    to->calls = (uint32_t)gw_fleet_lease_count(from);
    for (size_t i = 0; i < from->slice_count; i++)
        to->slices_busy += gw_fleet_slice_is_held(&from->slices[i]);
}

static bool add_nodes(struct sl_arena *arena, const struct gw_top_facts *facts, pb_top *m)
{
    pb_node *items = sl_arena_get(arena, (facts->node_count + 1) * sizeof *items);
    m->nodes = sl_arena_zero(arena, facts->node_count + 1, sizeof *m->nodes);
    if (items == NULL || m->nodes == NULL)
        return false;
    for (size_t i = 0; i < facts->node_count; i++) {
        fill_node(facts->nodes[i], facts->mono_now, &items[i]);
        m->nodes[m->n_nodes++] = &items[i];
    }
    return true;
}

struct sl_span gw_wire_top(struct sl_arena *arena, const struct gw_top_facts *facts)
{
    pb_top m = SLUICE__V1__GET_TOP_RESPONSE__INIT;
    struct status *s = sl_arena_zero(arena, 1, sizeof *s);
    if (s == NULL)
        return GW_WIRE_NOTHING;
    fill_status(&facts->status, s);
    m.status = &s->m;
    m.visitors_open = (uint32_t)facts->visitors_open;
    bool is_whole = add_slices(arena, facts, &m) && add_visitors(arena, facts, &m) &&
                    add_nodes(arena, facts, &m);
    return is_whole ? sl_pack(arena, &m.base) : GW_WIRE_NOTHING;
}
