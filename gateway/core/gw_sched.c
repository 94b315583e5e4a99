#include "gw_sched.h"

#include <utlist.h>

#include "sl_base.h"

typedef struct gw_fleet_slice *(*pick_fn)(struct gw_fleet *fleet, const struct gw_pool *pool);

static struct gw_fleet_slice *pick(struct gw_fleet *fleet, const struct gw_pool *pool)
{
    return gw_fleet_pick(fleet, SL_CONTAINER_OF(pool, struct gw_fleet_model, pool));
}

static struct gw_fleet_slice *pick_idle(struct gw_fleet *fleet, const struct gw_pool *pool)
{
    return gw_fleet_pick_idle(fleet, SL_CONTAINER_OF(pool, struct gw_fleet_model, background));
}

static bool next(const struct gw_queue *q, struct gw_fleet *fleet, pick_fn pick_slice,
                 struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    *out_item = NULL;
    struct gw_pool *pool;
    DL_FOREACH (q->waiting, pool) {
        struct gw_queue_item *head = pool->head;
        if (*out_item != NULL && head->arrival > (*out_item)->arrival)
            continue;
        struct gw_fleet_slice *slice = pick_slice(fleet, pool);
        if (slice == NULL)
            continue;
        *out_item = head;
        *out_slice = slice;
    }
    return *out_item != NULL;
}

bool gw_sched_next(const struct gw_queue *q, struct gw_fleet *fleet,
                   struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    return next(q, fleet, pick, out_item, out_slice);
}

bool gw_sched_next_idle(const struct gw_queue *background, struct gw_fleet *fleet,
                        struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    return next(background, fleet, pick_idle, out_item, out_slice);
}
