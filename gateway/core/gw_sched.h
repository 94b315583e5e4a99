/* gw_sched.h - which waiting call runs next, and on which slice. Pure.
 *
 * First come, first served among the heads of all pools that have a slice for one more call; a pool
 * whose slices are all taken is passed over, so a call that needs another node blocks nobody.
 *
 * Cost     O(pools with waiting calls x slices).
 */
#ifndef GW_SCHED_H
#define GW_SCHED_H

#include "gw_fleet.h"
#include "gw_queue.h"

/* false: nothing can start now. Neither the queue nor the fleet changes. */
bool gw_sched_next(const struct gw_queue *q, struct gw_fleet *fleet,
                   struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice);
/* The same among gw_fleet_model.background, on idle slices alone: asked when nothing of the other queue can start. */
bool gw_sched_next_idle(const struct gw_queue *background, struct gw_fleet *fleet,
                        struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice);

#endif
