/* gw_h2_mem.c - a list of blocks. */
#include "gw_h2_mem.h"

#include <stdint.h>
#include <string.h>
#include <utlist.h>

/* Before each block; keeps what follows aligned. */
struct gw_h2_block {
    struct gw_h2_block *prev, *next;
    _Alignas(max_align_t) uint8_t payload[];
};

static struct gw_h2_block *block_of(void *p)
{
    return (struct gw_h2_block *)((uint8_t *)p - offsetof(struct gw_h2_block, payload));
}

/* A block of so many bytes, in the place of old (NULL: of none); old is on no list meanwhile. */
static void *put_block(struct gw_h2_mem *m, struct gw_h2_block *old, size_t bytes)
{
    struct gw_h2_block *b = NULL;
    if (bytes <= SIZE_MAX - sizeof *b)
        b = m->alloc->resize(m->alloc->ctx, old, sizeof *b + bytes);
    if (b == NULL)
        m->is_starved = true;
    else
        old = b;
    if (old != NULL)
        DL_APPEND(m->blocks, old);
    return b != NULL ? b->payload : NULL;
}

static void *get(size_t bytes, void *mem)
{
    return put_block(mem, NULL, bytes);
}

static void *get_zeroed(size_t count, size_t bytes, void *mem)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        total = SIZE_MAX;
    void *p = put_block(mem, NULL, total);
    return p != NULL ? memset(p, 0, total) : NULL;
}

static void release(void *p, void *mem)
{
    struct gw_h2_mem *m = mem;
    if (p == NULL || m->is_starved)
        return;
    struct gw_h2_block *b = block_of(p);
    DL_DELETE(m->blocks, b);
    sl_alloc_free(m->alloc, b);
}

static void *resize(void *p, size_t bytes, void *mem)
{
    struct gw_h2_mem *m = mem;
    if (p == NULL)
        return put_block(m, NULL, bytes);
    struct gw_h2_block *b = block_of(p);
    DL_DELETE(m->blocks, b);
    return put_block(m, b, bytes);
}

void gw_h2_mem_init(struct gw_h2_mem *m, const struct sl_alloc *alloc)
{
    *m = (struct gw_h2_mem){.alloc = alloc};
}

void gw_h2_mem_finish(struct gw_h2_mem *m)
{
    struct gw_h2_block *b, *next;
    DL_FOREACH_SAFE (m->blocks, b, next)
        sl_alloc_free(m->alloc, b);
    m->blocks = NULL;
}

nghttp2_mem gw_h2_mem_functions(struct gw_h2_mem *m)
{
    return (nghttp2_mem){m, get, release, get_zeroed, resize};
}
