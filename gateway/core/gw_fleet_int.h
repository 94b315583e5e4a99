/* gw_fleet_int.h - the insides that gw_fleet.c (leases) and gw_fleet_join.c (announcements) share. */
#ifndef GW_FLEET_INT_H
#define GW_FLEET_INT_H

#include "gw_fleet.h"

struct model_slot {
    struct gw_fleet_model model; /* first: a gw_fleet_model is its slot */
    sl_slot_id id;
};

struct gw_fleet {
    const struct sl_alloc *alloc;
    struct gw_fleet_conf conf;
    struct sl_slot_table *nodes;  /* struct gw_fleet_node */
    struct sl_slot_table *models; /* struct model_slot */
    struct sl_slot_table *leases; /* struct gw_fleet_lease */
};

/* Frees what the node and the model own; their slots stay. */
void gw_fleet_node_finish(struct gw_fleet *f, struct gw_fleet_node *node);
void gw_fleet_model_finish(struct gw_fleet *f, struct model_slot *m);
/* The node's offers are no longer counted. */
void gw_fleet_node_withdraw(struct gw_fleet *f, struct gw_fleet_node *node);

#endif
