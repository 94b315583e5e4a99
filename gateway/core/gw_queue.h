/* gw_queue.h - calls that wait for a slice, in pools of calls that want the same slices. Pure.
 *
 * A pool is a model's calls, in the order of their arrival numbers; a call that was given back by a
 * node returns to its old place. The scheduler compares the heads of the pools, so a call that must
 * wait for one node blocks nobody else.
 *
 * Cost     push O(1) for a new arrival, O(k) for one that returns behind k older ones; remove O(1).
 * Memory   Items and pools lie in their owners' objects; nothing is allocated.
 * Limits   max_count items in all.
 */
#ifndef GW_QUEUE_H
#define GW_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "sl_status.h"

struct gw_pool;
struct gw_size;

struct gw_queue_item {
    struct gw_queue_item *prev, *next;
    struct gw_pool *pool; /* NULL: not queued */
    uint64_t arrival;
    const struct gw_size *size; /* its owner's; of the slice that it waits for */
};

struct gw_pool {
    struct gw_queue_item *head; /* oldest */
    size_t count;
    struct gw_pool *prev, *next; /* gw_queue.waiting, while count > 0 */
};

struct gw_queue {
    struct gw_pool *waiting; /* pools with items */
    size_t count, max_count;
};

void gw_queue_init(struct gw_queue *q, size_t max_count);
/* Errors: SL_EFULL. An item that returns is let in even then: it was accepted before. */
SL_MUST_CHECK sl_status gw_queue_push(struct gw_queue *q, struct gw_pool *pool,
                                      struct gw_queue_item *item, uint64_t arrival);
void gw_queue_return(struct gw_queue *q, struct gw_pool *pool, struct gw_queue_item *item,
                     uint64_t arrival);
void gw_queue_remove(struct gw_queue *q, struct gw_queue_item *item); /* not queued: nothing */

#endif
