/* ex_result_blob.c - blobs in blocks of a pool, or on the heap. */
#include "ex_result_blob.h"

#include "sl_aside.h"
#include "sl_base.h"

struct pooled {
    struct ex_blob blob;
    const struct sl_alloc *alloc;
    struct sl_shm_pool *pool;
};

static void end_pooled(struct ex_blob *blob)
{
    struct pooled *b = SL_CONTAINER_OF(blob, struct pooled, blob);
    sl_shm_pool_put(b->pool, blob->block);
    sl_alloc_free(b->alloc, b);
}

static struct ex_blob *create_pooled(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                     size_t bytes, uint8_t **out_data)
{
    struct pooled *b = sl_alloc_get(alloc, sizeof(*b));
    struct sl_shm_block *block = b ? sl_shm_pool_take(pool, bytes) : NULL;
    if (!block) {
        sl_alloc_free(alloc, b);
        return NULL;
    }
    b->alloc = alloc;
    b->pool = pool;
    ex_blob_init(&b->blob, sl_span_of(block->data, bytes), end_pooled);
    b->blob.block = block;
    *out_data = block->data;
    return &b->blob;
}

struct owned {
    struct ex_blob blob;
    const struct sl_alloc *alloc;
    uint8_t data[];
};

static void end_owned(struct ex_blob *blob)
{
    struct owned *b = SL_CONTAINER_OF(blob, struct owned, blob);
    sl_aside_free(b->alloc, b, sizeof(*b) + blob->bytes.len);
}

struct ex_blob *ex_result_blob_create(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                      size_t bytes, uint8_t **out_data)
{
    struct ex_blob *pooled = create_pooled(alloc, pool, bytes, out_data);
    if (pooled)
        return pooled;
    struct owned *b = sl_alloc_get(alloc, sizeof(*b) + bytes);
    if (!b)
        return NULL;
    b->alloc = alloc;
    ex_blob_init(&b->blob, sl_span_of(b->data, bytes), end_owned);
    *out_data = b->data;
    return &b->blob;
}
