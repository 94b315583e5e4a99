/* sl_arena.c - blocks in a list, newest first; a request is a bump of the newest block's offset. */
#include "sl_arena.h"

#include <stdint.h>
#include <string.h>

/* The first block is kept through resets: all that a small call needs fits into it. */
enum { FIRST_BLOCK_BYTES = 2048 - 16, LARGEST_STEP_BYTES = 64 * 1024 };

struct sl_arena_block {
    struct sl_arena_block *next; /* older */
    size_t capacity;
    _Alignas(max_align_t) unsigned char payload[];
};

void sl_arena_init(struct sl_arena *a, const struct sl_alloc *alloc, size_t max_bytes)
{
    *a = (struct sl_arena){.alloc = alloc, .max_bytes = max_bytes};
}

/* Frees every block newer than keep. */
static void drop_blocks(struct sl_arena *a, const struct sl_arena_block *keep)
{
    while (a->head != keep) {
        struct sl_arena_block *gone = a->head;
        a->head = gone->next;
        a->total_bytes -= gone->capacity;
        sl_alloc_free(a->alloc, gone);
    }
    a->used_bytes = 0;
}

void sl_arena_finish(struct sl_arena *a)
{
    drop_blocks(a, NULL);
}

void sl_arena_reset(struct sl_arena *a)
{
    const struct sl_arena_block *first = a->head;
    while (first && first->next)
        first = first->next;
    drop_blocks(a, first);
    a->has_failed = false;
}

/* The next block doubles what there is, within a step and within what max_bytes leaves. */
static size_t next_capacity(const struct sl_arena *a, size_t bytes)
{
    size_t capacity = a->total_bytes > FIRST_BLOCK_BYTES ? a->total_bytes : FIRST_BLOCK_BYTES;
    size_t left = a->max_bytes - a->total_bytes;
    if (capacity > LARGEST_STEP_BYTES)
        capacity = LARGEST_STEP_BYTES;
    if (capacity < bytes)
        capacity = bytes;
    return capacity < left ? capacity : left;
}

static struct sl_arena_block *add_block(struct sl_arena *a, size_t bytes)
{
    if (bytes > a->max_bytes - a->total_bytes || bytes > SIZE_MAX - sizeof(struct sl_arena_block))
        return NULL;
    size_t capacity = next_capacity(a, bytes);
    struct sl_arena_block *block = sl_alloc_get(a->alloc, sizeof(*block) + capacity);
    if (!block)
        return NULL;
    block->next = a->head;
    block->capacity = capacity;
    a->head = block;
    a->total_bytes += capacity;
    return block;
}

static void *get_from_new_block(struct sl_arena *a, size_t bytes)
{
    struct sl_arena_block *block = add_block(a, bytes);
    if (!block) {
        a->has_failed = true;
        return NULL;
    }
    a->used_bytes = bytes;
    return block->payload;
}

void *sl_arena_get(struct sl_arena *a, size_t bytes)
{
    const size_t mask = _Alignof(max_align_t) - 1;
    size_t start = (a->used_bytes + mask) & ~mask;
    if (bytes == 0)
        bytes = 1; /* distinct requests have distinct addresses */
    if (!a->head || start > a->head->capacity || bytes > a->head->capacity - start)
        return get_from_new_block(a, bytes);
    a->used_bytes = start + bytes;
    return a->head->payload + start;
}

void *sl_arena_zero(struct sl_arena *a, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    void *p = sl_arena_get(a, total);
    return p ? memset(p, 0, total) : NULL;
}

char *sl_arena_str(struct sl_arena *a, struct sl_span s)
{
    if (s.len == SIZE_MAX)
        return NULL;
    char *copy = sl_arena_get(a, s.len + 1);
    if (!copy)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}
