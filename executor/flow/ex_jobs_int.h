/* ex_jobs_int.h - what ex_jobs.c (the story of a job) and ex_jobs_joint.c (the story of those that run together) share. */
#ifndef EX_JOBS_INT_H
#define EX_JOBS_INT_H

#include "ex_jobs.h"
#include "ex_joint.h"
#include "ex_lease.h"
#include "ex_task.h"

/* How calls of a model that may run together have come to a slice of late. */
struct ex_habit {
    uint32_t model;
    size_t company; /* calls of the last run, and those like them that waited at its end */
    int64_t
        items_max; /* of a run: 1 after one that failed, twice as many after each that did not */
    sl_mono_ns free_since; /* the end of the last run */
};

/* What stands at one slice. */
struct ex_line {
    struct ex_task *waiting; /* WAITING, in the order of arrival */
    struct ex_task
        *posted; /* the first RUNNING or STOPPING, the others POSTED; all of one model. Of
                             * tasks that run together the first one stands for all */
    uint32_t posted_count;
    uint32_t job_count; /* all that belong to the slice, also RECEIVING */
    bool
        is_due; /* it is to be pumped at the end of the turn, when all that come together are there */
    sl_mono_ns
        look_at; /* when its first task waits no longer for others; SL_MONO_NEVER: it does not */
    struct ex_habit habit;
};

struct ex_jobs {
    const struct sl_alloc *alloc;
    struct ex_jobs_conf conf;
    const struct ex_catalog *catalog;
    const struct ex_report_port *report;
    const struct ex_worker_port *workers;
    struct ex_lease_table *leases;
    struct ex_task *by_lease;  /* hash of all but orphans */
    struct ex_task *receiving; /* RECEIVING; the one that was fed last is last */
    struct ex_job_counts counts;
    struct ex_jobs_stats stats;
    bool refuses_new;
    uint64_t arrivals;
    size_t wide_begin; /* the first wide slice; slice_count: there is none */
    struct ex_line lines[EX_ALL_SLICES_MAX];
};

/* How a lease held its slice: not at all, or as it stands in the journal. */
struct ex_held {
    bool started;
    sl_gpu_us us;
    uint64_t record;
    sl_gpu_us run_us; /* of the run that it was a part of; 0: it ran alone */
    uint32_t run_calls;
};

extern const struct ex_held ex_not_held;

/* ---- ex_jobs.c */

/* Every job is moved by this: an illegal move is a bug here and shows in ex_jobs_check. */
void ex_jobs_move(struct ex_jobs *j, struct ex_task *t, enum ex_job_state to);
/* Tells the gateway that the job has begun, if it waits for that. */
void ex_jobs_announce(struct ex_jobs *j, struct ex_task *t, sl_mono_ns now);
/* A waiting job that its worker has been given. */
void ex_jobs_to_posted(struct ex_jobs *j, struct ex_line *line, struct ex_task *t, sl_mono_ns now);
/* The slice is free of the first posted job, which is taken out of the line; how long it was not. */
sl_gpu_us ex_jobs_release_slice(struct ex_jobs *j, struct ex_line *line, sl_mono_ns end);

/* The lease in the journal. end: the record's number. */
void ex_jobs_record_begin(struct ex_jobs *j, const struct ex_task *t, const char *call_id,
                          sl_mono_ns at);
uint64_t ex_jobs_record_end(struct ex_jobs *j, uint32_t slice, sl_gpu_us held,
                            enum sl_reason cause);
void ex_jobs_forget_begin(struct ex_jobs *j,
                          uint32_t slice); /* it did not hold its slice after all */

/* Ends of a job that is in no list any more: they end its memory, but for tell_outcome. */
void ex_jobs_tell_outcome(struct ex_jobs *j, struct ex_task *t, struct ex_outcome *outcome);
void ex_jobs_fail_task(struct ex_jobs *j, struct ex_task *t, const struct sl_error *why,
                       const struct ex_held *held);
void ex_jobs_end_task(struct ex_jobs *j, struct ex_task *t);
/* Puts jobs in front of those that wait, without those that nobody wants or that outlived too many workers. */
void ex_jobs_back_to_waiting(struct ex_jobs *j, struct ex_line *line, struct ex_task *back,
                             const char *text);

/* What a job is told that ends for that reason before its run is over. */
void ex_jobs_end_sentence(const struct ex_task *t, enum sl_reason reason, struct sl_error *out);

/* ---- ex_jobs_joint.c */

/* Should the first waiting job, which may join, wait on for others although its slice is idle? */
bool ex_jobs_awaits_company(struct ex_jobs *j, struct ex_line *line, const struct ex_task *t,
                            sl_mono_ns now);
/* Offers t to its worker together with those that wait behind it and may join. Errors: SL_EAGAIN (it has to wait on),
 * SL_ENOENT (there are none, or no memory: it runs alone). */
SL_MUST_CHECK sl_status ex_jobs_offer_joint(struct ex_jobs *j, struct ex_line *line,
                                            struct ex_task *t, sl_mono_ns now);
/* A run of so many calls, t one of them, has ended. */
void ex_jobs_note_run(struct ex_jobs *j, struct ex_line *line, const struct ex_task *t,
                      size_t calls, bool is_good, sl_mono_ns now);
/* The run of the first posted job, which is a joint one, has ended at `end`. */
void ex_jobs_joint_result(struct ex_jobs *j, struct ex_line *line, const struct ex_outcome *outcome,
                          sl_mono_ns end);
/* The same for a worker that is gone. Jobs that run again go to *back. */
void ex_jobs_joint_lost(struct ex_jobs *j, struct ex_line *line, bool has_begun, sl_mono_ns now,
                        struct ex_task **back);
/* The joint's memory, and its segment; NULL is fine. */
void ex_jobs_end_joint(struct ex_jobs *j, struct ex_joint *g);

#endif
