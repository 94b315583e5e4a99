/* ex_worker_segments.h - the segments that the supervisor passed down and has not taken back.
 *
 * Memory   Maps are read-only and end with forget or finish.
 * Threads  One.
 */
#ifndef EX_WORKER_SEGMENTS_H
#define EX_WORKER_SEGMENTS_H

#include <stdint.h>

#include "ex_worker_proto.h"
#include "sl_span.h"
#include "sl_status.h"

struct ex_worker_segment {
    uint32_t number; /* 0: free */
    uint64_t bytes;
    void *map;
};

struct ex_worker_segments {
    struct ex_worker_segment items[EX_SEGMENTS_MAX];
};

void ex_worker_segments_init(struct ex_worker_segments *s);
void ex_worker_segments_finish(struct ex_worker_segments *s);

/* Checks and maps what a SEGMENT message brought; closes fd in any case. Errors: SL_EPROTO (no
 * segment, or its number is 0 or known), SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_worker_segments_add(struct ex_worker_segments *s, uint32_t number,
                                               int fd, uint64_t bytes);
/* A number that is not known is fine. */
void ex_worker_segments_forget(struct ex_worker_segments *s, uint32_t number);

/* The bytes of a part of a segment. Errors: SL_ENOENT (no such segment), SL_EPROTO (beyond its
 * end). */
SL_MUST_CHECK sl_status ex_worker_segments_get(const struct ex_worker_segments *s, uint32_t number,
                                               uint64_t offset, uint64_t bytes,
                                               struct sl_span *out);

#endif
