/* gw_drain.c - nodes that an operator drains.
 *
 *   drained: nothing is placed there > what was sent and has not started is called back > what runs ends
 */
#include <utlist.h>

#include "gw_call.h"
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

sl_status gw_flow_drain_node(struct gw_flow *f, const struct gw_drain_row *row,
                             uint32_t *out_called_back)
{
    struct gw_fleet_node *node = gw_fleet_node_by_name(f->fleet, row->node);
    *out_called_back = 0;
    if (gw_drains_find(f->drains, row->node) != NULL)
        return SL_OK;
    if (node == NULL)
        return SL_ENOENT;
    sl_status s = gw_drains_add(f->drains, row);
    if (s != SL_OK)
        return s;
    gw_fleet_set_drained(f->fleet, node, true);
    *out_called_back = call_back(f, node);
    sl_metric_add(f->metrics.drains, 1);
    sl_log(SL_LOG_INFO, "node drained", SL_S("node", row->node),
           SL_U("calls", gw_fleet_lease_count(node)), SL_U("called_back", *out_called_back),
           SL_S("by", row->by));
    return SL_OK;
}

sl_status gw_flow_undrain_node(struct gw_flow *f, const char *name, const char *by)
{
    struct gw_fleet_node *node = gw_fleet_node_by_name(f->fleet, name);
    if (gw_drains_find(f->drains, name) == NULL)
        return node != NULL ? SL_OK : SL_ENOENT;
    gw_drains_remove(f->drains, name);
    if (node != NULL)
        gw_fleet_set_drained(f->fleet, node, false);
    f->is_stuck = false;
    sl_log(SL_LOG_INFO, "node no longer drained", SL_S("node", name), SL_S("by", by));
    return SL_OK;
}
