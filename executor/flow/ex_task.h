/* ex_task.h - one job in the supervisor's memory: a dispatched call, checked and copied, kept until it
 * has ended so that it can be given to a second worker when the first one dies.
 *
 * Errors   A call that does not suit its model is refused with BAD_INPUT (the sentence names the
 *          tensor), one without memory with NO_CAPACITY.
 * Memory   One allocation per task; inputs that come by bulk lie in a segment, which belongs to the
 *          task and is closed by who ends it (ex_jobs.c).
 */
#ifndef EX_TASK_H
#define EX_TASK_H

#include <uthash.h>

#include "ex_call.h"
#include "ex_job_state.h"
#include "ex_model.h"
#include "ex_ports.h"
#include "sl_alloc.h"

struct ex_task {
    uint64_t gateway_run;
    uint64_t lease;
    uint32_t slice;
    uint32_t model;
    uint64_t arrival; /* at the node */
    enum ex_job_state state;
    sl_gpu_us limit_us;
    unsigned death_count;   /* workers that died of themselves before this job began */
    bool is_announced;      /* the gateway was told Started */
    bool is_orphan;         /* the gateway does not wait any more: nothing is reported */
    bool is_cancelled;      /* while it ran: whatever comes of it is no result */
    int64_t items;          /* that it brings to a run with others; 0: it runs alone */
    struct ex_joint *joint; /* POSTED and later, together with others; shared by them. Or NULL */
    sl_mono_ns came_at;     /* in its slice's line since */
    sl_mono_ns kill_at;     /* when the worker of a run that nobody waits for is ended */
    sl_mono_ns done_at;     /* when its result was seen; 0: not yet */
    enum sl_reason stop_reason; /* of STOPPING */

    struct ex_posting posting; /* arrays behind the struct */
    const uint64_t *sources;   /* where each input begins in the payload */
    uint64_t payload_bytes;    /* by bulk; 0: it came with the call */
    uint64_t received_bytes;
    uint8_t *segment_map;
    sl_mono_ns give_up_at; /* of RECEIVING: no bulk for so long */

    UT_hash_handle hh;           /* ex_jobs.by_lease */
    struct ex_task *prev, *next; /* receiving, a line's waiting, a line's posted */
};

/* A checked copy of call, in state NEW. False: *err says why not. */
bool ex_task_create(const struct sl_alloc *alloc, const struct ex_call *call, uint32_t model,
                    const struct ex_model_spec *spec, struct ex_task **out, struct sl_error *err);
void ex_task_destroy(const struct sl_alloc *alloc, struct ex_task *t); /* NULL is fine */

/* Bytes of segment that the inputs need, each at a multiple of EX_RECORD_ALIGN. */
uint64_t ex_task_segment_bytes(const struct ex_task *t);
/* Ties the task to a segment of at least that size, mapped at map: inputs get their offsets. */
void ex_task_use_segment(struct ex_task *t, struct ex_segment *segment, uint8_t *map);
/* Where the i-th input's bytes are, all of them received. */
struct sl_span ex_task_input(const struct ex_task *t, size_t i);
/* Copies the next bytes of the payload to where they belong in the segment. Errors: SL_EPROTO (not
 * the next ones, or beyond the end; nothing changed). */
SL_MUST_CHECK sl_status ex_task_receive(struct ex_task *t, uint64_t offset, struct sl_span bytes);

#endif
