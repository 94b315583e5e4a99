/* ex_pool_int.h - what ex_pool.c (the table, waiting), ex_pool_life.c (start, death, messages) and
 * ex_pool_work.c (jobs, results) share. */
#ifndef EX_POOL_INT_H
#define EX_POOL_INT_H

#include "ex_channel.h"
#include "ex_output_log.h"
#include "ex_pool.h"
#include "ex_process.h"
#include "ex_record.h"
#include "ex_segment.h"
#include "sl_shm_peer.h"

/* Input segments that are kept for the next job of the same worker and nearly the same size: neither
 * side has to map them again. What was not used for a while goes. */
enum { EX_POOL_KEPT_MAX = 64, EX_POOL_KEPT_BYTES = 512 << 20 };

enum ex_pool_state {
    EX_POOL_RESTING, /* of a wide slice, and no job has come yet */
    EX_POOL_IDLE,
    EX_POOL_STARTING,
    EX_POOL_READY,
    EX_POOL_ENDING, /* killed, or its end was seen coming */
    EX_POOL_GIVEN_UP,
    EX_POOL_STATE_COUNT
};

/* A result whose large outputs are being copied to where the worker cannot reach them, step by step. */
struct ex_keeping {
    struct ex_ring_record record;
    struct ex_blob *blob; /* NULL: there is none */
    uint8_t *data;        /* its bytes */
    uint64_t done_bytes;
};

struct ex_pool_worker {
    uint32_t index; /* in the pool */
    uint32_t slice;
    uint32_t model;
    enum ex_pool_state state;
    struct ex_process process;
    struct sl_hold hold;        /* of its first thread */
    struct ex_channel channel;  /* open from STARTING to gone */
    struct sl_shm_peer outputs; /* segments that it has shown */
    struct ex_output_log output;
    sl_mono_ns started_at;  /* the last process of it */
    sl_mono_ns start_at;    /* IDLE: not before */
    sl_mono_ns give_up_at;  /* STARTING: it loads for too long */
    uint64_t life;          /* processes started */
    unsigned load_failures; /* in a row, before it was ever ready */
    unsigned crashes;       /* in a row, without a result in between */
    bool was_ready;
    bool is_wanted;         /* a job waits for its return */
    bool is_ours;           /* this end was our doing */
    uint64_t posted;        /* seq of the last job given to it */
    uint64_t posted_before; /* the same when it was last looked whether it rests */
    uint64_t done;          /* seq of the last result */
    uint32_t segment_count; /* input segments it knows */
    uint32_t next_segment;
    struct ex_keeping keeping;    /* of the result that is being taken */
    bool is_active;               /* in pool.active: it has jobs, or news were seen */
    bool is_dirty;                /* something is to be published */
    char text[SL_ERROR_TEXT_MAX]; /* why it failed, or is about to end */
};

struct ex_pool {
    const struct sl_alloc *alloc;
    struct ex_pool_conf conf;
    const struct ex_catalog *catalog;
    struct ex_pool_events events;
    int epoll;
    bool is_stopping;
    uint64_t segments_bytes;                   /* of all input segments, also kept ones */
    struct ex_segment *kept[EX_POOL_KEPT_MAX]; /* oldest first; known to a worker, unused */
    size_t kept_count;
    uint64_t kept_bytes;
    const struct sl_hold *own_hold; /* of this process's threads; NULL: nothing is held */
    size_t wide_count;              /* processes of wide slices */
    sl_mono_ns rest_at;             /* when those are looked at; SL_MONO_NEVER: there are none */
    sl_mono_ns trim_at;             /* SL_MONO_NEVER: there is nothing that could go */
    size_t in[EX_POOL_STATE_COUNT]; /* how many workers are in each state; ex_pool_move */
    struct ex_pool_stats stats;
    struct ex_record_scratch *scratch;
    struct ex_pool_worker **active; /* those whose rings are to be looked at */
    size_t active_count;
    size_t next_active; /* the first one of the next turn */
    size_t worker_count;
    uint32_t *table; /* slice * models + model: index in workers, UINT32_MAX: none */
    struct ex_pool_worker *workers;
};

/* What an epoll event is about: worker index * 4 + this. */
enum ex_pool_source { EX_POOL_BELL, EX_POOL_CONTROL, EX_POOL_PIDFD, EX_POOL_OUTPUT };

/* ---- ex_pool_life.c */
bool ex_pool_is_wide(const struct ex_pool *p, const struct ex_pool_worker *w);
void ex_pool_move(struct ex_pool *p, struct ex_pool_worker *w, enum ex_pool_state to);
void ex_pool_start_worker(struct ex_pool *p, struct ex_pool_worker *w, sl_mono_ns now);
/* SIGKILL; `ours`: because of a job or the load's time, not because it misbehaved. */
void ex_pool_kill_worker(struct ex_pool *p, struct ex_pool_worker *w, const char *text, bool ours);
void ex_pool_on_control(struct ex_pool *p, struct ex_pool_worker *w);
/* If it is gone: tells its last results and its end, and plans its return. */
void ex_pool_on_maybe_gone(struct ex_pool *p, struct ex_pool_worker *w, sl_mono_ns now);
void ex_pool_close_worker(struct ex_pool_worker *w);
void ex_pool_broke_protocol(struct ex_pool *p, struct ex_pool_worker *w, const char *what);

/* ---- ex_pool_work.c */
void ex_pool_activate(struct ex_pool *p, struct ex_pool_worker *w);
/* Large ones as far as *left_bytes goes, from which what was copied is taken; keeping.blob tells whether one is
 * half taken. */
void ex_pool_take_results(struct ex_pool *p, struct ex_pool_worker *w, uint64_t *left_bytes);
/* All of them, however long it takes. */
void ex_pool_take_last_results(struct ex_pool *p, struct ex_pool_worker *w);
void ex_pool_drop_keeping(struct ex_pool_worker *w);
sl_status ex_pool_post(void *ctx, uint32_t slice, uint32_t model, struct ex_posting *posting,
                       struct sl_error *why);
void ex_pool_cancel(void *ctx, uint32_t slice, uint32_t model, uint64_t seq);
struct ex_segment *ex_pool_segment_open(void *ctx, uint32_t slice, uint32_t model, uint64_t bytes,
                                        uint8_t **out_map);
/* Ends the kept segments of w (NULL: of all). */
void ex_pool_drop_kept(struct ex_pool *p, const struct ex_pool_worker *w);
/* Gives back memory that was not used since the last time. */
void ex_pool_trim(struct ex_pool *p, sl_mono_ns now);
void ex_pool_segment_close(void *ctx, struct ex_segment *segment);

/* ---- ex_pool.c */
struct ex_pool_worker *ex_pool_find(const struct ex_pool *p, uint32_t slice, uint32_t model);

#endif
