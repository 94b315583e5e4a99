/* ex_result_blob.h - memory of the supervisor's own for what a worker wrote: nobody can change it any
 * more when it is looked at, and the worker may write on.
 *
 * Threads  The blob may end on any.
 * Memory   From the pool when it has room, so that a gateway of this host can be shown it; else of
 *          this process alone. The pool outlives its blobs.
 */
#ifndef EX_RESULT_BLOB_H
#define EX_RESULT_BLOB_H

#include "ex_blob.h"
#include "sl_alloc.h"
#include "sl_shm_pool.h"

/* bytes (> 0) to be written through *out_data, with one holder; NULL: no memory. alloc is borrowed, and
 * used on any thread. */
struct ex_blob *ex_result_blob_create(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                      size_t bytes, uint8_t **out_data);

#endif
