/* ex_result_blob.c - blobs in blocks of a pool, or on the heap. */
#include "ex_result_blob.h"

#include <stdlib.h>

#include "sl_base.h"

struct pooled {
    struct ex_blob blob;
    struct sl_shm_pool *pool;
};

static void end_pooled(struct ex_blob *blob)
{
    struct pooled *b = SL_CONTAINER_OF(blob, struct pooled, blob);
    sl_shm_pool_put(b->pool, blob->block);
    free(b);
}

static struct ex_blob *create_pooled(struct sl_shm_pool *pool, size_t bytes, uint8_t **out_data)
{
    struct pooled *b = malloc(sizeof(*b));
    struct sl_shm_block *block = b ? sl_shm_pool_take(pool, bytes) : NULL;
    if (!block) {
        free(b);
        return NULL;
    }
    b->pool = pool;
    ex_blob_init(&b->blob, sl_span_of(block->data, bytes), end_pooled);
    b->blob.block = block;
    *out_data = block->data;
    return &b->blob;
}

struct owned {
    struct ex_blob blob;
    uint8_t data[];
};

static void end_owned(struct ex_blob *blob)
{
    free(SL_CONTAINER_OF(blob, struct owned, blob));
}

struct ex_blob *ex_result_blob_create(struct sl_shm_pool *pool, size_t bytes, uint8_t **out_data)
{
    struct ex_blob *pooled = create_pooled(pool, bytes, out_data);
    if (pooled)
        return pooled;
    struct owned *b = malloc(sizeof(*b) + bytes);
    if (!b)
        return NULL;
    ex_blob_init(&b->blob, sl_span_of(b->data, bytes), end_owned);
    *out_data = b->data;
    return &b->blob;
}
