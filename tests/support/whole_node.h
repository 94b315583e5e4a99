/* whole_node.h - an executor in memory: the real link, jobs and catalogue over fake_zmq, and workers that are
 * functions. Its models say by their names what becomes of a call:
 *
 *   echo    IN FP32 [-1] comes back as OUT
 *   pair    A BYTES [-1] and B INT64 [-1,2] come back as X and Y
 *   fails   as echo, but ends as MODEL_ERROR
 *   stalls  as echo, but never ends by itself
 *   dies    as echo, but its worker dies of it
 *
 *   whole_node_start > whole_node_turn ... > whole_node_finish > whole_node_forget
 *
 * Memory   From the allocator given; what stands for workers and their memory, from malloc. An executor that
 *          shares memory has segments and results in memfds, and reads and lends as on one host.
 * Threads  One.
 */
#ifndef WHOLE_NODE_H
#define WHOLE_NODE_H

#include "ex_jobs.h"
#include "ex_link.h"
#include "sl_shm_pool.h"

/* Where gateways and executors of this process meet: names that fake_zmq knows. The socket of shared memory
 * stands beside the first, as a file. */
const char *whole_control(void);
#define WHOLE_BULK "mem://bulk"

/* The last slice is wide: both others. */
enum { WHOLE_SLICES = 3, WHOLE_MODELS = 5, WHOLE_RING = 8 };

struct whole_job;

struct whole_node {
    const struct sl_alloc *alloc;
    bool shares_memory;
    struct sl_shm_pool *results; /* NULL: on the heap */
    struct ex_slice slices[WHOLE_SLICES];
    struct ex_catalog *catalog;
    struct ex_link *link;
    struct ex_jobs *jobs;
    void *journal_map; /* outlives finish, as a file would */
    struct ex_journal *journal;
    struct ex_report_port report;
    struct ex_worker_port workers;
    struct whole_job *rings[WHOLE_SLICES][WHOLE_MODELS]; /* the oldest first */
    bool is_dying[WHOLE_SLICES][WHOLE_MODELS];
    uint64_t last_seq;
    sl_mono_ns now;
    size_t segment_count; /* open */
    size_t lost_count;    /* sessions that ended */
};

/* Says hello under that name; *n is zeroed, or was finished. Errors: SL_ENOMEM; nothing is left then. */
SL_MUST_CHECK sl_status whole_node_start(struct whole_node *n, const struct sl_alloc *alloc,
                                         const char *name, bool shares_memory, sl_mono_ns now);
/* Takes what has come, works, says what there is to say. */
void whole_node_turn(struct whole_node *n, sl_mono_ns now);
/* It is gone without a word, and its journal is there for the next start. */
void whole_node_finish(struct whole_node *n);
/* Its journal too. */
void whole_node_forget(struct whole_node *n);

#endif
