/* ex_segment.h - shared memory for the tensors that do not fit into a ring: inputs, made here and
 * shown to a worker; outputs, made by a worker and taken over from it.
 *
 * Threads  One; the blob of a taken output may end on any thread.
 * Memory   Descriptors and maps belong to the struct that names them.
 */
#ifndef EX_SEGMENT_H
#define EX_SEGMENT_H

#include <stdint.h>

#include "ex_blob.h"
#include "ex_ports.h"
#include "ex_worker_proto.h"
#include "sl_status.h"

/* ---- inputs */

struct ex_segment {
    int fd; /* read-only */
    void *map;
    uint64_t bytes;
    /* The worker that knows it, and by which number; 0: none. A worker's life is counted, so that a
     * number is never used with the next process. */
    const void *worker;
    uint64_t worker_life;
    uint32_t number;
};

/* NULL: no memory. */
struct ex_segment *ex_segment_create(uint64_t bytes);
void ex_segment_destroy(struct ex_segment *s);

/* ---- outputs */

/* Segments that a worker has announced and no result has named yet. */
struct ex_arrivals {
    struct {
        uint32_t number; /* 0: free */
        int fd;
        uint64_t bytes;
    } items[EX_SEGMENTS_MAX];
};

void ex_arrivals_clear(struct ex_arrivals *a);
/* Takes fd. Errors: SL_EPROTO (not immutable memory of that size, a number twice), SL_EFULL; then fd
 * is closed. */
SL_MUST_CHECK sl_status ex_arrivals_add(struct ex_arrivals *a, uint32_t number, int take_fd,
                                        uint64_t bytes);
/* The bytes of a result, as a blob with one holder. Errors: SL_ENOENT (no such number), SL_EPROTO
 * (outside of it), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_arrivals_take(struct ex_arrivals *a, uint32_t number, uint64_t offset,
                                         uint64_t bytes, struct ex_blob **out);

#endif
