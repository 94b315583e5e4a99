/* gw_exchange.c - message bodies, in memory of their own or in a block that is kept; and the place
 * of an update. */
#include "gw_exchange.h"

#include "sl_aside.h"
#include "sl_shm_pool.h"

struct gw_body *gw_body_create(const struct sl_alloc *alloc, size_t len)
{
    if (len > SIZE_MAX - sizeof(struct gw_body))
        return NULL;
    struct gw_body *b = sl_alloc_get(alloc, sizeof *b + len);
    if (b == NULL)
        return NULL;
    *b = (struct gw_body){.alloc = alloc, .len = len, .data = (uint8_t *)(b + 1)};
    atomic_init(&b->references, 1);
    return b;
}

static struct gw_body *create_in_block(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                       size_t len)
{
    struct sl_shm_block *block = sl_shm_pool_take(pool, len);
    struct gw_body *b = block != NULL ? sl_alloc_get(alloc, sizeof *b) : NULL;
    if (b == NULL) {
        if (block != NULL)
            sl_shm_pool_put(pool, block);
        return NULL;
    }
    *b = (struct gw_body){
        .alloc = alloc, .len = len, .data = block->data, .pool = pool, .block = block};
    atomic_init(&b->references, 1);
    return b;
}

struct gw_body *gw_body_create_large(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                     size_t len)
{
    struct gw_body *b = NULL;
    if (pool != NULL && len >= GW_BODY_LARGE_BYTES)
        b = create_in_block(alloc, pool, len);
    return b != NULL ? b : gw_body_create(alloc, len);
}

struct gw_body *gw_body_share(struct gw_body *b)
{
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    return b;
}

void gw_body_release(struct gw_body *b)
{
    if (b == NULL || atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) != 1)
        return;
    if (b->block != NULL)
        sl_shm_pool_put(b->pool, b->block);
    sl_aside_free(b->alloc, b, b->block != NULL ? sizeof *b : sizeof *b + b->len);
}

void gw_exchange_put_update(struct gw_exchange *x, struct gw_body *update)
{
    gw_body_release(atomic_exchange_explicit(&x->update, update, memory_order_acq_rel));
}

struct gw_body *gw_exchange_take_update(struct gw_exchange *x)
{
    return atomic_exchange_explicit(&x->update, NULL, memory_order_acq_rel);
}
