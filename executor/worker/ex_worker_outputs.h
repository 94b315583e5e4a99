/* ex_worker_outputs.h - a worker's output segments: memory that the supervisor has mapped and that
 * serves one result after another.
 *
 * A segment:  FREE --take--> TAKEN --send--> BUSY --the supervisor released the record--> FREE
 *              |               `--drop--> FREE
 *              `--trim, or room is needed--> (none)
 *
 * Limits   EX_SEGMENTS_MAX segments; free ones together EX_OUTPUTS_FREE_MAX bytes beside what a run
 *          takes.
 * Threads  One.
 * Memory   Owns maps; descriptors are closed once the supervisor has them.
 */
#ifndef EX_WORKER_OUTPUTS_H
#define EX_WORKER_OUTPUTS_H

#include <stdbool.h>

#include "ex_ring.h"
#include "ex_worker_proto.h"

enum { EX_OUTPUTS_FREE_MAX = 128 << 20, EX_OUTPUTS_BUSY_MAX = 256 << 20 };

struct ex_worker_output {
    uint32_t number; /* 0: no segment here */
    bool is_taken;
    uint64_t busy_until; /* place in the ring; 0: not busy */
    uint64_t bytes;
    void *map;
};

struct ex_worker_outputs {
    struct ex_ring *ring;
    int control;
    uint32_t last_number;
    struct ex_worker_output items[EX_SEGMENTS_MAX];
};

void ex_worker_outputs_init(struct ex_worker_outputs *o, struct ex_ring *ring, int control);
void ex_worker_outputs_finish(struct ex_worker_outputs *o);

/* May a run take `count` segments? Errors: SL_EAGAIN (not before the supervisor has released
 * results), SL_EPROTO. */
SL_MUST_CHECK sl_status ex_worker_outputs_check(struct ex_worker_outputs *o, size_t count);
/* bytes (> 0) of memory, not zeroed, in a segment that the supervisor has been shown. NULL: no memory,
 * or the supervisor is gone. */
void *ex_worker_outputs_take(struct ex_worker_outputs *o, uint64_t bytes, uint32_t *out_number);
/* After the commit of the record that names what was taken; or there is no such record. */
void ex_worker_outputs_send(struct ex_worker_outputs *o);
void ex_worker_outputs_drop(struct ex_worker_outputs *o);

/* Gives the memory of free segments back to the system. False: there was none, or the supervisor could not be told. */
bool ex_worker_outputs_trim(struct ex_worker_outputs *o);
bool ex_worker_outputs_is_empty(const struct ex_worker_outputs *o);

#endif
