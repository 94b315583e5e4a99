/* ex_batch.h - several calls of one model as one run of its engine: which calls may join, and what of the run is whose.
 * Pure.
 *
 * A model allows it with max_batch: then each of its tensors begins with a free dimension, and what lies along it
 * are items that do not know of each other. The run's inputs are its calls' inputs, one behind the other, in the order
 * of the calls; its outputs are cut the same way, its time is divided by items.
 *
 * Laws     (property tests)
 *   B1  the calls of a run are alike but for their items, and nobody declares more than EX_BATCH_LIMIT_RATIO
 *       times what another one does
 *   B2  the cuts of an output lie one behind the other and are all of it
 *   B3  shares are never negative and sum up to the whole
 *
 * Memory   Everything is the caller's. Outputs may lie in memory that their worker still writes: each byte is read
 *          once, and no length that stands there is believed.
 * Threads  None of its own.
 */
#ifndef EX_BATCH_H
#define EX_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_record.h"
#include "sl_time.h"

enum {
    EX_BATCH_MAX = 256,           /* items of a run, and so calls of it */
    EX_BATCH_BYTES_MAX = 8 << 20, /* of a run's inputs, which are copied in one go */
    EX_BATCH_LIMIT_RATIO = 2
};

/* How many items the call brings; 0: it cannot be joined, because its inputs do not agree, or it has none. */
int64_t ex_batch_items(const struct ex_job *job);
/* Bytes of its inputs. */
uint64_t ex_batch_bytes(const struct ex_job *job);
/* The same but for the number of items: inputs, wanted outputs, parameters. */
bool ex_batch_is_alike(const struct ex_job *a, const struct ex_job *b);

/* What has joined so far. All zeros: nobody. */
struct ex_batch {
    size_t calls;
    int64_t items;
    uint64_t bytes;
    sl_gpu_us shortest_us, longest_us; /* declared by one of them */
};

/* One more call. The first one is always taken; false: the run would be larger than items_max or EX_BATCH_BYTES_MAX, or
 * the call declares too different a time. Nothing changes then. */
bool ex_batch_add(struct ex_batch *b, int64_t items_max, int64_t items, uint64_t bytes,
                  sl_gpu_us limit_us);

/* A call's part of `whole` microseconds of a run of all_items. The first call's is what the others leave. */
sl_gpu_us ex_batch_share(sl_gpu_us whole, int64_t items, int64_t all_items);

/* Where the parts of calls of so many items each end in the bytes of an output of their run. False: it is not an
 * output of that many items. */
bool ex_batch_cut(const struct ex_output *output, const int64_t items[], size_t count,
                  uint64_t out_ends[]);

#endif
