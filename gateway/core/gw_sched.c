#include "gw_sched.h"

#include <utlist.h>

#include "sl_base.h"

bool gw_sched_next(const struct gw_queue *q, struct gw_fleet *fleet,
                   struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    *out_item = NULL;
    struct gw_pool *pool;
    DL_FOREACH (q->waiting, pool) {
        struct gw_queue_item *head = pool->head;
        if (*out_item != NULL && head->arrival > (*out_item)->arrival)
            continue;
        struct gw_fleet_slice *slice =
            gw_fleet_pick(fleet, SL_CONTAINER_OF(pool, struct gw_fleet_model, pool));
        if (slice == NULL)
            continue;
        *out_item = head;
        *out_slice = slice;
    }
    return *out_item != NULL;
}
