/* gw_drains.h - the nodes that operators have drained, by name: nothing is placed there, whoever connects under that
 * name, until an operator says otherwise. Pure.
 *
 * Threads  One: the flow's.
 * Memory   Owns its rows, of some 350 bytes each, at most max_count.
 * Cost     O(rows) for everything: asked when a node connects, and by operators.
 * Errors   All or nothing.
 */
#ifndef GW_DRAINS_H
#define GW_DRAINS_H

#include "gw_fleet.h"
#include "gw_principal.h"

struct gw_drain_row {
    char node[GW_FLEET_NODE_NAME_MAX + 1];
    char by[GW_ACCOUNT_NAME_MAX + 1]; /* the administrator's account */
    sl_wall_us at;
};

struct gw_drains;

/* Errors: SL_EINVAL (max_count is 0), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_drains_create(const struct sl_alloc *alloc, size_t max_count,
                                         struct gw_drains **out);
void gw_drains_destroy(struct gw_drains *d); /* NULL is fine */

/* Errors: SL_EEXIST (it is drained already: who said so first stays), SL_EFULL, SL_ENOMEM, SL_EINVAL (no name). */
SL_MUST_CHECK sl_status gw_drains_add(struct gw_drains *d, const struct gw_drain_row *row);
void gw_drains_remove(struct gw_drains *d, const char *node); /* none is fine */

/* NULL: it is not drained. Valid until it is removed. */
const struct gw_drain_row *gw_drains_find(const struct gw_drains *d, const char *node);
/* The row after this one, in the order in which they came; NULL begins, and is the end. */
const struct gw_drain_row *gw_drains_next(const struct gw_drains *d,
                                          const struct gw_drain_row *after);
size_t gw_drains_count(const struct gw_drains *d);

#endif
