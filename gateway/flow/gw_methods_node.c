/* gw_methods_node.c - sluice.v1.Admin: DrainNode, UndrainNode. */
#include <stdio.h>

#include "gw_services.h"

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

static void refuse_unknown(struct gw_flow *f, struct gw_inquiry *q)
{
    char names[NAMES_MAX];
    list_names(f, names);
    if (names[0] == '\0')
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "node",
                           "no node is named '%s'; none is connected", q->form.node);
    else
        gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "node", "no node is named '%s'; there are %s",
                           q->form.node, names);
}

static void answer(struct gw_flow *f, struct gw_inquiry *q, sl_status s, uint32_t called_back)
{
    const struct gw_drained_facts facts = {.name = q->form.node,
                                           .node = gw_fleet_node_by_name(f->fleet, q->form.node),
                                           .row = gw_drains_find(f->drains, q->form.node),
                                           .called_back = called_back,
                                           .now = q->now};
    if (s == SL_OK)
        gw_inquiry_answer(f, q, f->ports.wire.drained_node(&q->exchange->arena, &facts));
    else if (s == SL_ENOENT)
        refuse_unknown(f, q);
    else if (s == SL_EFULL)
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "node",
                           "%zu nodes are drained, which is the limit; undo one that has left",
                           gw_drains_count(f->drains));
    else
        gw_services_refuse(f, q, SL_REASON_NO_CAPACITY, "", "no memory for the node's name");
}

void gw_admin_drain(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_drain_row row = {.at = f->wall_now};
    uint32_t called_back;
    snprintf(row.node, sizeof row.node, "%s", q->form.node);
    snprintf(row.by, sizeof row.by, "%s", gw_principal_name(&q->who));
    sl_status s = gw_flow_drain_node(f, &row, &called_back);
    answer(f, q, s, called_back);
}

void gw_admin_undrain(struct gw_flow *f, struct gw_inquiry *q)
{
    answer(f, q, gw_flow_undrain_node(f, q->form.node, gw_principal_name(&q->who)), 0);
}
