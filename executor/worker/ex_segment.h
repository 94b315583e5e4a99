/* ex_segment.h - shared memory for inputs that do not fit into a ring: made here, shown to one worker,
 * used for one of its jobs after the other.
 *
 * Threads  One.
 */
#ifndef EX_SEGMENT_H
#define EX_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ex_ports.h"
#include "sl_alloc.h"

struct ex_segment {
    const struct sl_alloc *alloc; /* of the struct; borrowed */
    int fd;                       /* read-only */
    void *map;
    uint64_t bytes;
    uint64_t dirty_bytes; /* what lies behind them is zero */
    bool is_idle;         /* kept, and not used for some time */
    /* The worker that knows it, and by which number; 0: none. A worker's life is counted, so that a
     * number is never used with the next process. */
    const void *worker;
    uint64_t worker_life;
    uint32_t number;
};

/* Of at least bytes. NULL: no memory. */
struct ex_segment *ex_segment_create(const struct sl_alloc *alloc, uint64_t bytes);
/* Can it hold bytes, without being far too large? */
bool ex_segment_suits(const struct ex_segment *s, uint64_t bytes);
/* Before the next job's bytes are written: zeroes what would be left behind them. */
void ex_segment_prepare(struct ex_segment *s, uint64_t bytes);
void ex_segment_destroy(struct ex_segment *s);

#endif
