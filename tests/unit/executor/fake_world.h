/* fake_world.h - gateway and workers as a job's story sees them: both ports of ex_ports.h, scripted by
 * the test, checking on every report what must always hold:
 *
 *   - a call ends once, and nothing is said of it afterwards or of a call that was never sent
 *   - Started comes at most once, and before a result that says started
 *   - a slice runs one call at a time, or several that its worker was given as one, and none while the wide slice that
 *     it is a part of runs one
 *   - what a call gets back is what it sent, whomever it ran with
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include "ex_jobs.h"
#include "sl_rng.h"

/* Two slices, and WORLD_WIDE, which is both. */
enum { WORLD_WIDE = 2 };
enum {
    WORLD_SLICES = 3,
    WORLD_MODELS = 2,
    WORLD_LEASES = 4096,
    WORLD_RING = 8,
    WORLD_JOB_BYTES = 400
};

struct fake_worker {
    bool is_ready;
    bool is_dying;  /* kill was asked for */
    bool has_begun; /* the first job of the ring */
    bool is_failed; /* for ever */
    uint64_t last_seq;
    struct fake_job {
        uint64_t seq;
        int64_t rows;
        size_t len;
        uint8_t bytes[WORLD_JOB_BYTES];
    } ring[WORLD_RING]; /* the oldest first */
    size_t ring_count;
    uint64_t cancelled[WORLD_RING];
    size_t cancelled_count;
};

struct fake_lease {
    bool is_open; /* sent, and the gateway waits for it */
    bool was_started;
    unsigned ends;
    uint32_t slice;
    bool is_bad;           /* its worker fails a run of which it is a part */
    enum sl_reason reason; /* of its end */
    bool is_returned;
    bool result_started;
    sl_gpu_us held_us;
    sl_gpu_us run_us; /* of those that ran together; and how many they were, and its place */
    uint32_t run_calls, run_place;
    char text[SL_ERROR_TEXT_MAX];
};

struct world {
    struct ex_catalog *catalog;
    struct ex_jobs *jobs;
    void *journal_map;
    struct ex_journal *journal;
    sl_gpu_us told_us; /* held, as results said */
    struct ex_report_port report;
    struct ex_worker_port port;
    struct fake_worker workers[WORLD_SLICES][WORLD_MODELS];
    struct fake_lease leases[WORLD_LEASES];
    size_t running[WORLD_SLICES]; /* leases that were Started and have not ended */
    size_t run_calls;             /* of the largest run so far */
    struct ex_model_spec specs[WORLD_MODELS];
    size_t segments;    /* open */
    bool has_no_memory; /* segment_open fails */
    size_t ring_bytes;  /* a larger job does not fit the ring */
    sl_mono_ns now;
};

void world_init(struct world *w, const struct sl_alloc *alloc);
/* From now on calls of both models run together, up to max_batch rows; they bring 1 to 3 each. */
void world_set_batch(struct world *w, int64_t max_batch, int64_t delay_us);
/* As world_init, but jobs may fail to be made. */
sl_status world_try_init(struct world *w, const struct sl_alloc *alloc);
void world_finish(struct world *w);

/* Dispatches a call of model "m0" or "m1" (one input of 16 bytes x 3 rows); bulk: its bytes come later. */
void world_call(struct world *w, uint64_t lease, uint32_t slice, uint32_t model, bool bulk,
                uint64_t limit_us);
/* All bytes of a bulk call. */
sl_status world_bulk(struct world *w, uint64_t lease);
/* The worker's first job ends, well or (cancelled before it began) not at all. */
void world_complete(struct world *w, uint32_t slice, uint32_t model, sl_gpu_us run);
/* The same with an outcome of the test's. */
void world_end(struct world *w, uint32_t slice, uint32_t model, struct ex_outcome *outcome,
               sl_gpu_us run);
/* The worker's process is gone; ready again with world_ready. */
void world_die(struct world *w, uint32_t slice, uint32_t model, const char *text);
void world_ready(struct world *w, uint32_t slice, uint32_t model);
/* The gateway is gone and forgets its calls. */
void world_lose_gateway(struct world *w);
/* What results told and what is left to be told is what the journal sums up to. */
void world_check_journal(struct world *w);
/* ex_jobs_check, and what the gateway knows agrees with it. */
void world_check(const struct world *w);

#endif
