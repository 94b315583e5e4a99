/* ex_ports.h - the world as a job's story sees it: the gateway above, worker processes below.
 *
 * Two small tables of functions; tests bring fakes. No function calls back into the story: what
 * happens later (a result, a dead worker) is told by a new call of ex_jobs.h.
 *
 * Memory   Everything passed is borrowed for the call, unless a line says otherwise.
 */
#ifndef EX_PORTS_H
#define EX_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_record.h"
#include "sl_status.h"

/* ---- up: what the gateway is told. Never fails: a lost gateway is found out otherwise. */
struct ex_report_port {
    void *ctx;
    void (*started)(void *ctx, uint64_t lease);
    void (*result)(void *ctx, uint64_t lease, const struct ex_outcome *outcome);
    void (*returned)(void *ctx, uint64_t lease, enum sl_reason reason, const char *text);
};

/* Memory that a worker can read: made by the worker port, written by the story, then posted. */
struct ex_segment;

/* A job on its way into a worker's ring. The worker port fills job.seq and where inputs lie. */
struct ex_posting {
    struct ex_job job; /* job.inputs == inputs */
    struct ex_record_tensor *inputs;
    const struct sl_span
        *bytes; /* of each input, in part_count pieces, when there is no segment; else NULL */
    size_t part_count;
    struct ex_segment *segment; /* the inputs' offsets are in it; or NULL */
};

/* ---- down: one worker per (slice, model); the story gives work to one worker of a slice at a time */
struct ex_worker_port {
    void *ctx;
    /* Into the worker's ring. SL_EAGAIN: it is not ready or has no room (the story hears `ready` or a
     * result later); SL_ENEVER: it will never be ready, *why is filled; SL_ETOOBIG: the job does not
     * fit into its ring at all. */
    sl_status (*post)(void *ctx, uint32_t slice, uint32_t model, struct ex_posting *p,
                      struct sl_error *why);
    /* Job seq need not begin, or go on; a result with reason CANCELLED and a run of 0 follows if it did not
     * begin. */
    void (*cancel)(void *ctx, uint32_t slice, uint32_t model, uint64_t seq);
    /* Ends the process; ex_jobs_worker_lost follows when it is gone, after the results it had
     * published. */
    void (*kill)(void *ctx, uint32_t slice, uint32_t model);
    /* bytes of memory for inputs of a job of that worker, NULL when there is none. They hold what an
     * older job of the same worker left: write them all. End it with segment_close, also after workers that knew
     * it are gone. */
    struct ex_segment *(*segment_open)(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                       uint8_t **out_map);
    void (*segment_close)(void *ctx, struct ex_segment *segment);
};

#endif
