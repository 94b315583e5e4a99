/* ex_blob.h - bytes that several holders share, possibly on several threads: the last one to let go
 * ends them. Used for results that leave by reference while the network still reads them.
 *
 * Threads  hold and release from any thread; `end` runs on the thread of the last release.
 */
#ifndef EX_BLOB_H
#define EX_BLOB_H

#include <stdatomic.h>

#include "sl_span.h"

struct sl_shm_block;

struct ex_blob {
    struct sl_span bytes; /* never written while anybody holds it */
    struct sl_shm_block
        *block;          /* where they lie, from its first byte on; NULL: memory of our own */
    atomic_uint holders; /* 1 when made */
    void (*end)(struct ex_blob *blob);
};

static inline void ex_blob_init(struct ex_blob *b, struct sl_span bytes,
                                void (*end)(struct ex_blob *))
{
    b->bytes = bytes;
    b->block = NULL;
    atomic_init(&b->holders, 1);
    b->end = end;
}

static inline struct ex_blob *ex_blob_hold(struct ex_blob *b)
{
    atomic_fetch_add_explicit(&b->holders, 1, memory_order_relaxed);
    return b;
}

/* NULL is fine. */
static inline void ex_blob_release(struct ex_blob *b)
{
    if (b && atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel) == 1)
        b->end(b);
}

#endif
