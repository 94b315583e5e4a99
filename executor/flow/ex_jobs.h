/* ex_jobs.h - the executor's spine: what happens to a call from its dispatch to its end.
 *
 *   accept > wait for bulk > wait for the slice > post > run > report > free
 *
 * Each slice has a line: jobs that wait, and jobs that were posted to one worker (the first of them
 * runs and holds the slice's lease, the others lie in the worker's ring behind it). Jobs of another
 * model wait until that worker is drained. Every job ends exactly once: with a result, by being
 * returned, or silently when its gateway is gone.
 *
 * A wide slice (ex_slice.h) has a line and workers of its own. Lines that have a part in common take turns: the job
 * that came first goes first, so neither passes the other for ever, and the table of leases sees to it that no part
 * has two whatever the gateway sends.
 *
 * Jobs of a model with max_batch run together when they may (ex_batch.h): they gather while their slice is busy, for
 * some time when others are likely to come (ex_jobs_joint.c), and are one job to their worker. Each has a lease, its
 * part of the outputs and of the time. When their run fails, each runs again alone.
 *
 * Purity   No I/O, no clock, no log: the world is ex_ports.h, time is `now`. The same calls give the
 *          same answers.
 * Threads  One.
 * Errors   What a gateway sends wrongly is refused or counted, never fatal.
 * Memory   A task per open job (ex_task.h), at most jobs_max and backlog_max per slice.
 *
 * Nobody waits any more   for a run: its engine is asked to stop, and if it does not in three quarters of
 *          cancel_grace_ns its worker is killed, so that the slice is free within all of it. What stops in time
 *          leaves a worker with its model loaded. The call ends as CANCELLED, also when a result came meanwhile.
 *
 * A worker that dies   its results are told first (ex_jobs_result), then ex_jobs_worker_lost: the job
 *          that had begun ends as MODEL_ERROR, or as DURATION_EXCEEDED or CANCELLED when it was ended
 *          for that; jobs behind it go to the next worker, and are given up after EX_DEATHS_MAX
 *          workers that died of themselves before they began.
 * Time held   from the end of the job before (or from its posting to an idle worker) to the result's
 *          arrival; where several results arrive at once, what the worker says about its run times
 *          divides the time, which stays within what was measured here.
 */
#ifndef EX_JOBS_H
#define EX_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_catalog.h"
#include "ex_job_state.h"
#include "ex_journal.h"
#include "ex_ports.h"
#include "ex_slice.h"
#include "sl_alloc.h"
#include "sl_status.h"
#include "sl_time.h"

enum { EX_DEATHS_MAX = 3, EX_POSTED_MAX = 64 };

struct ex_jobs_conf {
    size_t slice_count;
    uint64_t parts[EX_ALL_SLICES_MAX]; /* of each slice: ex_slice.h */
    uint32_t backlog_max;              /* of a slice, beyond the running job */
    uint32_t jobs_max;                 /* of the node */
    uint64_t payload_max_bytes;
    int64_t cancel_grace_ns;     /* until the slice of a run that nobody waits for is free again */
    int64_t receive_patience_ns; /* how long the next piece of a payload may take */
    struct ex_journal *journal;  /* of leases that held a slice; borrowed; NULL: none */
};

/* What happened, ever. */
struct ex_jobs_stats {
    uint64_t results;
    uint64_t failures; /* results with a reason */
    uint64_t returned;
    uint64_t refused_messages; /* dispatches, cancels and bulk that broke the protocol */
    uint64_t orphans;          /* ended without a report */
    uint64_t joints;           /* runs of several calls */
    uint64_t joints_failed;    /* of them; their calls ran again alone */
    uint64_t unrecorded;       /* calls given back because too many leases wait in the journal */
    uint64_t broken; /* moves that no state allows: a bug here; ex_jobs_check reports it */
};

struct ex_jobs;

/* conf is copied; catalog and ports are borrowed. Errors: SL_EINVAL (a limit is 0), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_jobs_create(const struct sl_alloc *alloc,
                                       const struct ex_jobs_conf *conf,
                                       const struct ex_catalog *catalog,
                                       const struct ex_report_port *report,
                                       const struct ex_worker_port *workers, struct ex_jobs **out);
void ex_jobs_destroy(struct ex_jobs *j); /* NULL is fine; open jobs are dropped without a word */

/* ---- from the gateway */

void ex_jobs_accept(struct ex_jobs *j, const struct ex_call *call, sl_mono_ns now);
/* A job that runs is asked to stop; one that has not after most of cancel_grace_ns is ended with its worker. */
void ex_jobs_cancel(struct ex_jobs *j, uint64_t lease, sl_mono_ns now);
/* Wanted elsewhere: it is returned, unless it has started or is told to have. */
void ex_jobs_call_back(struct ex_jobs *j, uint64_t lease, sl_mono_ns now);
/* A piece of a payload. Errors: SL_ENOENT (no job of that lease waits for bulk), SL_EPROTO (not the
 * piece that comes next). */
SL_MUST_CHECK sl_status ex_jobs_bulk(struct ex_jobs *j, uint64_t lease, uint64_t offset,
                                     uint64_t total, struct sl_span bytes, sl_mono_ns now);
/* The gateway is gone: nobody waits for anything any more. */
void ex_jobs_drop_all(struct ex_jobs *j, sl_mono_ns now);

/* ---- from the workers */

/* It can take work (again). */
void ex_jobs_worker_ready(struct ex_jobs *j, uint32_t slice, uint32_t model, sl_mono_ns now);
/* The run is over, and its result will follow: from now on no time is used. May be told again. */
void ex_jobs_result_came(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t seq,
                         sl_mono_ns now);
/* outcome's started and held_us are filled here. run: what the worker says its engine took. */
void ex_jobs_result(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t seq,
                    struct ex_outcome *outcome, sl_gpu_us run, sl_mono_ns now);
/* The process is gone. started_seq: the last job it began; text: how it ended. */
void ex_jobs_worker_lost(struct ex_jobs *j, uint32_t slice, uint32_t model, uint64_t started_seq,
                         const char *text, sl_mono_ns now);
/* There will be no other worker: its jobs are returned. */
void ex_jobs_worker_failed(struct ex_jobs *j, uint32_t slice, uint32_t model, const char *text,
                           sl_mono_ns now);

/* ---- time and ends */

/* Ends what is over its time. Call it at ex_jobs_next_at, and at least after every turn. */
void ex_jobs_tick(struct ex_jobs *j, sl_mono_ns now);
sl_mono_ns ex_jobs_next_at(const struct ex_jobs *j);
/* From now on every new call is returned with DRAINING. */
void ex_jobs_refuse_new(struct ex_jobs *j);
/* Returns what has not begun, with DRAINING, and ends what runs, with EXECUTOR_LOST. */
void ex_jobs_abandon(struct ex_jobs *j, sl_mono_ns now);

/* Also jobs that nobody waits for but whose worker is still busy. */
uint64_t ex_jobs_open_count(const struct ex_jobs *j);
struct ex_jobs_stats ex_jobs_stats(const struct ex_jobs *j);
/* SL_EBROKEN when an invariant fails: for tests. */
SL_MUST_CHECK sl_status ex_jobs_check(const struct ex_jobs *j);

#endif
