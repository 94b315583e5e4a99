#include "gw_sched.h"

#include <utlist.h>

#include "sl_base.h"

typedef struct gw_fleet_slice *(*pick_fn)(struct gw_fleet *fleet, const struct gw_pool *pool);

static struct gw_fleet_slice *pick(struct gw_fleet *fleet, const struct gw_pool *pool)
{
    return gw_fleet_pick(fleet, SL_CONTAINER_OF(pool, struct gw_fleet_model, pool),
                         pool->head->size);
}

static struct gw_fleet_slice *pick_idle(struct gw_fleet *fleet, const struct gw_pool *pool)
{
    return gw_fleet_pick_idle(fleet, SL_CONTAINER_OF(pool, struct gw_fleet_model, background),
                              pool->head->size);
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

/* The oldest head of all that cannot start now. */
static const struct gw_pool *find_held_up(const struct gw_queue *q, struct gw_fleet *fleet)
{
    const struct gw_pool *oldest = NULL, *pool;
    DL_FOREACH (q->waiting, pool)
        if ((oldest == NULL || pool->head->arrival < oldest->head->arrival) &&
            pick(fleet, pool) == NULL)
            oldest = pool;
    return oldest;
}

bool gw_sched_next(const struct gw_queue *q, struct gw_fleet *fleet,
                   struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    const struct gw_pool *held_up = find_held_up(q, fleet);
    if (held_up != NULL && next(q, fleet, pick, out_item, out_slice) &&
        (*out_item)->arrival > held_up->head->arrival)
        gw_fleet_keep(fleet, SL_CONTAINER_OF(held_up, struct gw_fleet_model, pool),
                      held_up->head->size);
    return next(q, fleet, pick, out_item, out_slice);
}

bool gw_sched_next_idle(const struct gw_queue *background, struct gw_fleet *fleet,
                        struct gw_queue_item **out_item, struct gw_fleet_slice **out_slice)
{
    return next(background, fleet, pick_idle, out_item, out_slice);
}
