#include "gw_exchange.h"

struct gw_body *gw_body_create(const struct sl_alloc *alloc, size_t len)
{
    if (len > SIZE_MAX - sizeof(struct gw_body))
        return NULL;
    struct gw_body *b = sl_alloc_get(alloc, sizeof *b + len);
    if (b == NULL)
        return NULL;
    atomic_init(&b->references, 1);
    b->alloc = alloc;
    b->len = len;
    return b;
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
    sl_alloc_free(b->alloc, b);
}
