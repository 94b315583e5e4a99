/* sl_shm_pool.h - pieces of shared memory that are used again and again: memfds that this process
 * alone can write and that others may be shown.
 *
 * Fresh pages cost more than the copy of a tensor into them, so a block that is given back stays
 * mapped for the next one. Each has one owner at a time; what it held before is overwritten or
 * zeroed.
 *
 * A block:  (none) --take--> TAKEN --put--> FREE --take--> TAKEN ...
 *                              |             `--trim, or room is needed--> (none)
 *                              `--retire, put--> (none)
 *
 * Peers    A block is shown by its descriptor, once, under its number, and named by number and
 *          generation. Its size is sealed and nobody but this process can ever write it. One whose
 *          peer was lost with it is retired: that peer may still read it, so it holds nothing new.
 * Limits   count_max blocks of together bytes_max bytes; more than that is refused.
 * Threads  Any may take, retire and put; trim and destroy: the owner's.
 * Memory   The pool outlives its blocks. What it writes down of them comes from its allocator.
 */
#ifndef SL_SHM_POOL_H
#define SL_SHM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"
#include "sl_time.h"

struct sl_shm_pool_conf {
    const struct sl_alloc *alloc; /* borrowed; used on any thread */
    const char *label;            /* borrowed; shows up in /proc/PID/maps */
    uint64_t bytes_max;
    uint32_t count_max;
    int64_t idle_ns; /* free for longer: back to the system */
};

/* Constant while it is taken, but for data's bytes. */
struct sl_shm_block {
    uint8_t *data;
    uint64_t bytes;      /* of the memory: at least what was asked for */
    int fd;              /* open for reading; the pool's */
    uint32_t number;     /* from 1, never used for another block */
    uint64_t generation; /* from 1, one more each time it is taken */
};

struct sl_shm_pool;

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_shm_pool_create(const struct sl_shm_pool_conf *conf,
                                           struct sl_shm_pool **out);
/* All blocks must be given back. NULL is fine. */
void sl_shm_pool_destroy(struct sl_shm_pool *p);

/* A block of at least bytes, whose bytes beyond that are zero; NULL: the limits, or no memory. What
 * the first bytes hold is not defined: write them all before anybody reads them. A pool of NULL has
 * none. */
struct sl_shm_block *sl_shm_pool_take(struct sl_shm_pool *p, uint64_t bytes);
/* From now on it is not to be used again. */
void sl_shm_pool_retire(struct sl_shm_pool *p, struct sl_shm_block *b);
void sl_shm_pool_put(struct sl_shm_pool *p, struct sl_shm_block *b);

/* Ends blocks that were free for idle_ns. To be called now and then. */
void sl_shm_pool_trim(struct sl_shm_pool *p, sl_mono_ns now);
/* Is there a block of that number still? */
bool sl_shm_pool_has(struct sl_shm_pool *p, uint32_t number);
/* Of all blocks, free ones too. */
uint64_t sl_shm_pool_bytes(struct sl_shm_pool *p);

#endif
