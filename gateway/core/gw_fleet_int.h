/* gw_fleet_int.h - the insides that gw_fleet.c (leases) and gw_fleet_join.c (announcements)
 * and gw_fleet_size.c (sizes) share. */
#ifndef GW_FLEET_INT_H
#define GW_FLEET_INT_H

#include "gw_fleet.h"

/* The hash of names takes its memory from the fleet's allocator (every function that changes it has
 * the fleet as f), and no memory is an error, not the end of the process. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(slot)   ((slot)->is_hashed = false)
#define uthash_malloc(bytes)        sl_alloc_get(f->alloc, bytes)
#define uthash_free(pointer, bytes) sl_alloc_free(f->alloc, pointer)
#include <uthash.h>

struct model_slot {
    struct gw_fleet_model model; /* first: a gw_fleet_model is its slot */
    bool is_hashed;              /* in gw_fleet.by_name; while the model is current */
    UT_hash_handle hh;
};

struct gw_fleet {
    const struct sl_alloc *alloc;
    struct gw_fleet_conf conf;
    struct sl_slot_table *nodes;  /* struct gw_fleet_node */
    struct sl_slot_table *models; /* struct model_slot */
    struct sl_slot_table *leases; /* struct gw_fleet_lease */
    struct model_slot *by_name;   /* current models */
    struct gw_fleet_totals totals;
    uint64_t round;         /* of placing */
    uint64_t changes;       /* of nodes and leases, ever */
    sl_mono_ns now;         /* when it began */
    uint64_t kept_in_round; /* the last one in which something was kept */
};

/* ---- gw_fleet_size.c */
/* Parts that gw_fleet_keep keeps in this round. */
uint64_t gw_fleet_kept_parts(const struct gw_fleet *f, const struct gw_fleet_node *node);
size_t gw_fleet_part_count(const struct gw_fleet_slice *slice);
/* Fills a new slice's parts and extents; those that it is made of are there. */
void gw_fleet_measure(struct gw_fleet_slice *slice, uint64_t parts);
/* A node that has m leaves: calls of a size that it alone can serve may wait for it. */
void gw_fleet_remember_extent(struct gw_fleet_model *m, const struct gw_fleet_node *node);

/* Frees what the node and the model own; their slots stay. */
void gw_fleet_node_finish(struct gw_fleet *f, struct gw_fleet_node *node);
void gw_fleet_model_finish(struct gw_fleet *f, struct model_slot *m);
/* The node's offers are no longer counted. */
void gw_fleet_node_withdraw(struct gw_fleet *f, struct gw_fleet_node *node);

#endif
