/* ex_pool.h - the supervisor's workers: one process for each (slice, model), started, given work,
 * listened to, killed, and started again.
 *
 *   RESTING --a job--> IDLE, in the life of a wide slice's worker
 *
 *   IDLE --time, turn--> STARTING --LOADED--> READY
 *    ^                      |  |                |
 *    |   <--- gone ---------'  `--- FAILED,     |   kill --> ENDING --gone--> IDLE
 *    `------- gone -----------------' too many times, or by its own word --> FAILED
 *
 * A wide slice's worker is made when a call for it comes, and ended when none has come for conf.wide_idle_ns to twice
 * that: meanwhile nobody needs its memory.
 *
 * A worker that died of itself comes back at once; when that happens again before it has given a result, more and
 * more time lies between its starts. Those for which a job waits come first. One that never loaded is given up
 * after EX_LOAD_TRIES_MAX.
 *
 * On the way   a turn of the loop: ex_pool_receive -> (jobs) -> ex_pool_publish -> ex_pool_sleep, and
 *          only if that is true may the loop wait. Results, deaths and readiness are told through
 *          ex_pool_events, from receive, reap and tick.
 * Errors   A worker that breaks the protocol is killed and logged; it never ends the supervisor.
 * Threads  One, which lives as long as the workers.
 * Memory   Two rings of ring_bytes for each worker, input segments, and what conf.results holds.
 */
#ifndef EX_POOL_H
#define EX_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_catalog.h"
#include "ex_ports.h"
#include "ex_slice.h"
#include "sl_alloc.h"
#include "sl_hold.h"
#include "sl_log.h"
#include "sl_shm_pool.h"
#include "sl_status.h"
#include "sl_time.h"

enum { EX_LOAD_TRIES_MAX = 3, EX_POOL_WORKERS_MAX = 8192 };

struct ex_pool_conf {
    const char *program; /* path of sluice-worker */
    uint64_t ring_bytes; /* data area of each of a worker's two rings */
    const struct ex_slice *slices;
    size_t slice_count;
    unsigned starting_max; /* how many load at the same time */
    int64_t load_patience_ns;
    int64_t wide_idle_ns;        /* 0: they stay */
    uint64_t segments_max_bytes; /* input segments of all jobs together */
    struct sl_shm_pool *results; /* for large results; borrowed; NULL: they lie on the heap */
    enum sl_log_level log_level; /* what workers log */
};

struct ex_pool_events {
    void *ctx;
    void (*ready)(void *ctx, uint32_t slice, uint32_t model);
    void (*result)(void *ctx, uint32_t slice, uint32_t model, uint64_t seq,
                   struct ex_outcome *outcome, sl_gpu_us run);
    /* A large result is there, and follows when it has been copied: the run is over. */
    void (*result_came)(void *ctx, uint32_t slice, uint32_t model, uint64_t seq);
    void (*lost)(void *ctx, uint32_t slice, uint32_t model, uint64_t started_seq, const char *text);
    void (*failed)(void *ctx, uint32_t slice, uint32_t model, const char *text);
};

/* Of a model's workers on all slices that are not wide. */
enum ex_pool_outlook { EX_POOL_LOADING, EX_POOL_SERVING, EX_POOL_FAILED };

struct ex_pool_stats {
    uint64_t started;
    uint64_t crashes; /* died of themselves */
    uint64_t kills;   /* ended by the supervisor while they worked */
    uint64_t broke_protocol;
};

struct ex_pool;

/* A worker for each slice and each model of the catalogue that has a spec. conf's strings and slices,
 * and the catalogue, are borrowed. Errors: SL_EINVAL (ring_bytes; too many workers), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_pool_create(const struct sl_alloc *alloc,
                                       const struct ex_pool_conf *conf,
                                       const struct ex_catalog *catalog,
                                       const struct ex_pool_events *events, struct ex_pool **out);
/* Kills and reaps what is left; segments that jobs still have must be closed before. NULL is fine. */
void ex_pool_destroy(struct ex_pool *p);

int ex_pool_fd(const struct ex_pool *p);
/* is_ready: the descriptor is. The rings of working workers are looked at in any case. */
void ex_pool_receive(struct ex_pool *p, bool is_ready, sl_mono_ns now);
void ex_pool_reap(struct ex_pool *p, sl_mono_ns now); /* on SIGCHLD */
void ex_pool_tick(struct ex_pool *p,
                  sl_mono_ns now); /* starts what is due, ends what loads too long */
sl_mono_ns ex_pool_next_at(const struct ex_pool *p);
void ex_pool_publish(struct ex_pool *p);
/* Does a worker run a job, and has none another one behind it? */
bool ex_pool_is_at_last_jobs(const struct ex_pool *p);
/* Is there something for ex_pool_receive in a ring? */
bool ex_pool_has_result(const struct ex_pool *p);
/* Before waiting for the descriptor. False: there is a result already. */
SL_MUST_CHECK bool ex_pool_sleep(struct ex_pool *p);

/* From now on a worker is held to own's processor when it gets a job, and those that are started are not,
 * although this thread is; own is borrowed. NULL: all are let go. */
void ex_pool_hold(struct ex_pool *p, const struct sl_hold *own);

/* No worker is started any more; those without work are asked to exit, those that load are killed. */
void ex_pool_stop(struct ex_pool *p);
/* Processes that are not gone yet. */
size_t ex_pool_alive_count(const struct ex_pool *p);

enum ex_pool_outlook ex_pool_outlook(const struct ex_pool *p, uint32_t model);
/* Of a FAILED model: why, of the last worker; else "". */
const char *ex_pool_problem(const struct ex_pool *p, uint32_t model);
struct ex_pool_stats ex_pool_stats(const struct ex_pool *p);

struct ex_worker_port ex_pool_port(struct ex_pool *p);

#endif
