/* gw_h2_mem.c - a list of blocks, and chains of those that wait for their next use. */
#include "gw_h2_mem.h"

#include <sanitizer/asan_interface.h>
#include <stdint.h>
#include <string.h>
#include <utlist.h>

/* Before each block; keeps what follows aligned. */
struct gw_h2_block {
    struct gw_h2_block *prev, *next;
    struct gw_h2_block *next_kept;
    size_t steps; /* its payload has so many GW_H2_KEPT_STEP_BYTES; 0: it is large */
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

/* How many steps a small block of so many bytes has; 0: it is large. */
static size_t steps_of(size_t bytes)
{
    if (bytes > GW_H2_KEPT_SIZES * GW_H2_KEPT_STEP_BYTES)
        return 0;
    return bytes == 0 ? 1 : (bytes + GW_H2_KEPT_STEP_BYTES - 1) / GW_H2_KEPT_STEP_BYTES;
}

static struct gw_h2_block *take_kept(struct gw_h2_mem *m, size_t steps)
{
    struct gw_h2_block *b = steps > 0 ? m->kept[steps - 1] : NULL;
    if (b == NULL)
        return NULL;
    m->kept[steps - 1] = b->next_kept;
    m->kept_bytes -= steps * GW_H2_KEPT_STEP_BYTES;
    ASAN_UNPOISON_MEMORY_REGION(b->payload, steps * GW_H2_KEPT_STEP_BYTES);
    return b;
}

/* In a sanitizer build whoever still uses it is found. */
static bool keep(struct gw_h2_mem *m, struct gw_h2_block *b)
{
    const size_t bytes = b->steps * GW_H2_KEPT_STEP_BYTES;
    if (bytes == 0 || m->kept_bytes + bytes > GW_H2_KEPT_BYTES_MAX)
        return false;
    b->next_kept = m->kept[b->steps - 1];
    m->kept[b->steps - 1] = b;
    m->kept_bytes += bytes;
    ASAN_POISON_MEMORY_REGION(b->payload, bytes);
    return true;
}

static void *get(size_t bytes, void *mem)
{
    struct gw_h2_mem *m = mem;
    const size_t steps = steps_of(bytes);
    struct gw_h2_block *b = take_kept(m, steps);
    if (b != NULL)
        return b->payload;
    void *p = put_block(m, NULL, steps > 0 ? steps * GW_H2_KEPT_STEP_BYTES : bytes);
    if (p != NULL)
        block_of(p)->steps = steps;
    return p;
}

static void *get_zeroed(size_t count, size_t bytes, void *mem)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        total = SIZE_MAX;
    void *p = get(total, mem);
    return p != NULL ? memset(p, 0, total) : NULL;
}

static void release(void *p, void *mem)
{
    struct gw_h2_mem *m = mem;
    if (p == NULL || m->is_starved)
        return;
    struct gw_h2_block *b = block_of(p);
    if (keep(m, b))
        return;
    DL_DELETE(m->blocks, b);
    sl_alloc_free(m->alloc, b);
}

/* Out of a small block that has become too small. */
static void *move(struct gw_h2_mem *m, void *p, size_t bytes)
{
    void *larger = get(bytes, m);
    if (larger == NULL)
        return NULL;
    memcpy(larger, p, block_of(p)->steps * GW_H2_KEPT_STEP_BYTES);
    release(p, m);
    return larger;
}

static void *resize(void *p, size_t bytes, void *mem)
{
    struct gw_h2_mem *m = mem;
    if (p == NULL)
        return get(bytes, m);
    struct gw_h2_block *b = block_of(p);
    if (b->steps > 0)
        return bytes <= b->steps * GW_H2_KEPT_STEP_BYTES ? p : move(m, p, bytes);
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
