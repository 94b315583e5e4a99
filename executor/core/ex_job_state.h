/* ex_job_state.h - the states of a job, the legal moves between them, and counters that move along.
 *
 * Purity   Pure. Threads: one.
 *
 *   NEW --accept--> RECEIVING --payload complete--> WAITING --post--> POSTED --begin--> RUNNING
 *    |                                               ^    ^              |                 | |
 *    `--- accept, payload inside --------------------'    `- worker lost +-----------------' |
 *                                                            before it began the job        stop
 *                                                                                            |
 *   ENDED <-- result, return, cancel, drop: from every state                             STOPPING
 *
 * A job is RUNNING when it is the first in its worker; whether the worker had begun it is known once
 * the worker is dead: begun, it ends there and is charged; not begun, it waits for the next one.
 * STOPPING ends when the worker is gone. A run of several jobs that fails, or is stopped over its limit, takes them back
 * to WAITING, each to run alone. The arrows are walked by ex_jobs.c.
 */
#ifndef EX_JOB_STATE_H
#define EX_JOB_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_status.h"

#define EX_JOB_STATE_MAP(X)                                                                        \
    X(NEW)                                                                                         \
    X(RECEIVING)                                                                                   \
    X(WAITING)                                                                                     \
    X(POSTED)                                                                                      \
    X(RUNNING)                                                                                     \
    X(STOPPING)                                                                                    \
    X(ENDED)

enum ex_job_state {
#define EX_JOB_STATE_ENUM(name) EX_JOB_##name,
    EX_JOB_STATE_MAP(EX_JOB_STATE_ENUM)
#undef EX_JOB_STATE_ENUM
        EX_JOB_STATE_COUNT
};

/* How many jobs are in each state now; ENDED only ever grows. NEW is not counted. */
struct ex_job_counts {
    uint64_t in[EX_JOB_STATE_COUNT];
};

const char *ex_job_state_name(enum ex_job_state s); /* "RUNNING"; "?" outside the table */
bool ex_job_may_move(enum ex_job_state from, enum ex_job_state to);
/* Moves *state and the counters together. Errors: SL_EINVAL (no such arrow; nothing changed). */
SL_MUST_CHECK sl_status ex_job_move(struct ex_job_counts *counts, enum ex_job_state *state,
                                    enum ex_job_state to);
/* Jobs that have been accepted and have not ended. */
uint64_t ex_job_open_count(const struct ex_job_counts *counts);

#endif
