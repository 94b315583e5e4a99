/* gw_methods_node.c - sluice.v1.Admin: nodes that an operator drains.
 *
 *   drained: nothing is placed there > what was sent and has not started is called back > what runs ends
 */
#include <stdio.h>
#include <utlist.h>

#include "gw_services.h"
#include "sl_log.h"

/* Calls that were sent there and nobody knows to have started. A node that started one meanwhile goes on with it. */
static uint32_t call_back(struct gw_flow *f, struct gw_fleet_node *node)
{
    uint32_t count = 0;
    struct gw_fleet_lease *lease;
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
        DL_FOREACH (node->slices[i].leases, lease) {
            struct gw_call *c = gw_call_find(f, lease->call);
            if (lease->is_started || c == NULL || c->owes || c->is_called_back)
                continue;
            c->is_called_back = true;
            f->ports.link.call_back(f->ports.link.ctx, node, lease->id);
            count++;
        }
    return count;
}

enum { NAMES_MAX = SL_ERROR_TEXT_MAX };

static void add_name(char names[NAMES_MAX], const char *name)
{
    size_t len = strlen(names);
    snprintf(names + len, NAMES_MAX - len, "%s%s", len > 0 ? ", " : "", name);
}

/* As many as a sentence holds: those that ListNodes has. */
static void list_names(struct gw_flow *f, char names[NAMES_MAX])
{
    size_t cursor = 0;
    const struct gw_fleet_node *node;
    const struct gw_drain_row *row = NULL;
    names[0] = '\0';
    while ((node = gw_fleet_next_node(f->fleet, &cursor)) != NULL)
        add_name(names, node->name);
    while ((row = gw_drains_next(f->drains, row)) != NULL)
        if (gw_fleet_node_by_name(f->fleet, row->node) == NULL)
            add_name(names, row->node);
}

/* Connected, or drained, or both. false: neither, and it was refused. */
static bool is_known(struct gw_flow *f, struct gw_inquiry *q)
{
    char names[NAMES_MAX];
    const char *name = q->form.node;
    if (gw_fleet_node_by_name(f->fleet, name) != NULL || gw_drains_find(f->drains, name) != NULL)
        return true;
    list_names(f, names);
    if (names[0] == '\0')
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "node",
                           "no node is named '%s'; none is connected", name);
    else
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "node", "no node is named '%s'; there are %s",
                           name, names);
    return false;
}

static void answer(struct gw_flow *f, struct gw_inquiry *q, uint32_t called_back)
{
    const struct gw_drained_facts facts = {.name = q->form.node,
                                           .node = gw_fleet_node_by_name(f->fleet, q->form.node),
                                           .row = gw_drains_find(f->drains, q->form.node),
                                           .called_back = called_back,
                                           .now = q->now};
    gw_inquiry_answer(f, q, f->ports.wire.drained_node(&q->exchange->arena, &facts));
}

static void refuse_more(struct gw_flow *f, struct gw_inquiry *q, sl_status s)
{
    if (s == SL_EFULL)
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "node",
                           "%zu nodes are drained, which is the limit; undo one that has left",
                           gw_drains_count(f->drains));
    else
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "", "no memory for the node's name");
}

void gw_admin_drain(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_fleet_node *node = gw_fleet_node_by_name(f->fleet, q->form.node);
    struct gw_drain_row row = {.at = f->wall_now};
    uint32_t called_back = 0;
    if (!is_known(f, q))
        return;
    snprintf(row.node, sizeof row.node, "%s", q->form.node);
    snprintf(row.by, sizeof row.by, "%s", gw_principal_name(&q->who));
    sl_status s = gw_drains_add(f->drains, &row);
    if (s != SL_OK && s != SL_EEXIST) {
        refuse_more(f, q, s);
        return;
    }
    if (s == SL_OK && node != NULL) {
        gw_fleet_set_drained(f->fleet, node, true);
        called_back = call_back(f, node);
        sl_metric_add(f->metrics.drains, 1);
        sl_log(SL_LOG_INFO, "node drained", SL_S("node", row.node),
               SL_U("calls", gw_fleet_lease_count(node)), SL_U("called_back", called_back),
               GW_BY(q));
    }
    answer(f, q, called_back);
}

void gw_admin_undrain(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_fleet_node *node = gw_fleet_node_by_name(f->fleet, q->form.node);
    if (!is_known(f, q))
        return;
    if (gw_drains_find(f->drains, q->form.node) != NULL) {
        gw_drains_remove(f->drains, q->form.node);
        if (node != NULL)
            gw_fleet_set_drained(f->fleet, node, false);
        f->is_stuck = false;
        sl_log(SL_LOG_INFO, "node no longer drained", SL_S("node", q->form.node), GW_BY(q));
    }
    answer(f, q, 0);
}
