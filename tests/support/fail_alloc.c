/* fail_alloc.c - malloc with a size before each block, a count, and a number that fails. */
#include "fail_alloc.h"

#include <stdlib.h>

/* Before each block; keeps what follows aligned. */
struct block {
    _Alignas(max_align_t) size_t bytes;
};

bool fail_alloc_refuses(struct fail_alloc *f)
{
    f->calls++;
    bool is_hit = f->calls == f->fail_at || (f->keeps_failing && f->calls > f->fail_at);
    if (f->fail_at == 0 || !is_hit)
        return false;
    f->failures++;
    return true;
}

static void *get_block(void *ctx, size_t bytes)
{
    struct fail_alloc *f = ctx;
    struct block *b = fail_alloc_refuses(f) ? NULL : malloc(sizeof(*b) + bytes);
    if (!b)
        return NULL;
    b->bytes = bytes;
    f->live_blocks++;
    f->live_bytes += bytes;
    return b + 1;
}

static void release_block(void *ctx, void *p)
{
    struct fail_alloc *f = ctx;
    if (!p)
        return;
    struct block *b = (struct block *)p - 1;
    f->live_blocks--;
    f->live_bytes -= b->bytes;
    free(b);
}

static void *resize_block(void *ctx, void *p, size_t bytes)
{
    struct fail_alloc *f = ctx;
    if (!p)
        return get_block(ctx, bytes);
    struct block *b = (struct block *)p - 1;
    size_t old_bytes = b->bytes;
    struct block *moved = fail_alloc_refuses(f) ? NULL : realloc(b, sizeof(*b) + bytes);
    if (!moved)
        return NULL;
    moved->bytes = bytes;
    f->live_bytes += bytes - old_bytes;
    return moved + 1;
}

void fail_alloc_init(struct fail_alloc *f)
{
    *f = (struct fail_alloc){.alloc = {get_block, resize_block, release_block, f}};
}

bool fail_alloc_start(struct fail_alloc *f, size_t fail_at)
{
    bool was_reached = fail_at == 1 || f->failures > 0;
    fail_alloc_init(f);
    f->fail_at = fail_at;
    return was_reached;
}

size_t fail_alloc_finish(const struct fail_alloc *f)
{
    return f->live_blocks;
}
