/* sl_arena.h - memory that lives as long as one call, freed in one place.
 *
 * Memory   Grows by blocks from the allocator given at init, up to max_bytes in all; alignment is
 *          that of max_align_t. Nothing is freed before sl_arena_finish or sl_arena_reset.
 * Threads  One thread at a time.
 * Errors   NULL when max_bytes or the allocator is exhausted; the arena stays usable.
 */
#ifndef SL_ARENA_H
#define SL_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "sl_alloc.h"
#include "sl_span.h"

struct sl_arena_block;

struct sl_arena {
    const struct sl_alloc *alloc; /* borrowed; outlives the arena */
    struct sl_arena_block *head;
    size_t used_bytes;  /* of head's payload */
    size_t total_bytes; /* payload of all blocks */
    size_t max_bytes;
    bool has_failed; /* something was not given since init or the last reset */
};

/* Allocates nothing yet. */
void sl_arena_init(struct sl_arena *a, const struct sl_alloc *alloc, size_t max_bytes);
void sl_arena_finish(struct sl_arena *a);
/* Keeps the first block for reuse and frees the others. */
void sl_arena_reset(struct sl_arena *a);

void *sl_arena_get(struct sl_arena *a, size_t bytes);
/* Zeroed; NULL also when count * bytes overflows. */
void *sl_arena_zero(struct sl_arena *a, size_t count, size_t bytes);
/* NUL-terminated copy. */
char *sl_arena_str(struct sl_arena *a, struct sl_span s);

#endif
