/* ex_worker_sink.h - where an engine writes its outputs: into the result's record in the up ring,
 * or, when there is no room, each into a segment, which was another result's before and is the next
 * one's after it.
 *
 * A result's way:  open (reserves the record) -> the engine takes -> send -> ex_ring_publish
 *
 * Threads  One.
 * Memory   Owns the segments.
 */
#ifndef EX_WORKER_SINK_H
#define EX_WORKER_SINK_H

#include "ex_engine.h"
#include "ex_record.h"
#include "ex_ring.h"
#include "ex_worker_outputs.h"

struct ex_worker_sink {
    struct ex_sink base;
    struct ex_ring *ring;
    struct ex_worker_outputs segments;
    uint64_t output_max_bytes; /* of all segments of one run */
    uint64_t head_max_bytes;   /* of a successful result */
    size_t output_count;       /* of the model */
    /* Of the result under way: */
    uint8_t *record;
    uint64_t end;            /* of what the record holds so far */
    uint64_t segments_bytes; /* of all outputs in segments */
    size_t count;
    struct ex_record_tensor outputs[EX_TENSORS_MAX];
    int64_t dims[EX_TENSORS_MAX][SL_RANK_MAX];
};

/* For a model of output_count outputs. memory_bytes of the slice, 0: not limited. */
void ex_worker_sink_init(struct ex_worker_sink *s, struct ex_ring *ring, int control,
                         size_t output_count, uint64_t memory_bytes);
void ex_worker_sink_finish(struct ex_worker_sink *s);

/* Room for a result. Errors: SL_EAGAIN (not now), SL_EPROTO. */
SL_MUST_CHECK sl_status ex_worker_sink_open(struct ex_worker_sink *s);

/* Ends the result: writes and commits its record. For a failure (reason is not OK) what was taken is
 * dropped. Errors: SL_EINVAL. */
SL_MUST_CHECK sl_status ex_worker_sink_send(struct ex_worker_sink *s, uint64_t seq, uint64_t run_us,
                                            const struct sl_error *outcome);

#endif
