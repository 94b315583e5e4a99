#include "gw_queue.h"

#include <utlist.h>

void gw_queue_init(struct gw_queue *q, size_t max_count)
{
    *q = (struct gw_queue){.max_count = max_count};
}

/* Behind all that are older. New arrivals are the youngest, so the search starts at the tail. */
static void insert(struct gw_pool *pool, struct gw_queue_item *item)
{
    struct gw_queue_item *before = pool->head == NULL ? NULL : pool->head->prev;
    while (before != NULL && before->arrival > item->arrival)
        before = before == pool->head ? NULL : before->prev;
    if (before == NULL)
        DL_PREPEND(pool->head, item);
    else
        DL_APPEND_ELEM(pool->head, before, item);
}

void gw_queue_return(struct gw_queue *q, struct gw_pool *pool, struct gw_queue_item *item,
                     uint64_t arrival)
{
    item->arrival = arrival;
    item->pool = pool;
    insert(pool, item);
    if (pool->count++ == 0)
        DL_APPEND(q->waiting, pool);
    q->count++;
}

sl_status gw_queue_push(struct gw_queue *q, struct gw_pool *pool, struct gw_queue_item *item,
                        uint64_t arrival)
{
    if (q->count >= q->max_count)
        return SL_EFULL;
    gw_queue_return(q, pool, item, arrival);
    return SL_OK;
}

void gw_queue_remove(struct gw_queue *q, struct gw_queue_item *item)
{
    struct gw_pool *pool = item->pool;
    if (pool == NULL)
        return;
    DL_DELETE(pool->head, item);
    item->pool = NULL;
    if (--pool->count == 0)
        DL_DELETE(q->waiting, pool);
    q->count--;
}
