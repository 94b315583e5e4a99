/* ex_joint.h - calls that run together: one job for their worker, made of theirs, and its outputs cut to theirs.
 *
 * Errors   Without memory there is no joint: its calls run one by one.
 * Memory   One allocation for a joint. It borrows its tasks and their inputs' bytes; a segment that it is given
 *          belongs to it, and is closed by who ends it.
 */
#ifndef EX_JOINT_H
#define EX_JOINT_H

#include "ex_batch.h"
#include "ex_task.h"

struct ex_joint {
    struct ex_posting posting; /* arrays behind the struct, like those below */
    struct ex_task **tasks;    /* in the order in which they waited */
    int64_t *items;            /* of each of them */
    size_t count;
    int64_t item_count;  /* of all */
    sl_gpu_us limit_us;  /* the shortest that one of them declares */
    uint64_t *cuts;      /* for each output: where each task's part of it ends */
    size_t output_count; /* of the model */
};

/* Of count > 1 tasks that may join (ex_batch.h). NULL: no memory. */
struct ex_joint *ex_joint_create(const struct sl_alloc *alloc, struct ex_task *const tasks[],
                                 size_t count, size_t output_count);
void ex_joint_destroy(const struct sl_alloc *alloc, struct ex_joint *g); /* NULL is fine */

/* For a worker that has no room for the inputs in its ring: copies them to a segment of ex_joint_segment_bytes. */
uint64_t ex_joint_segment_bytes(const struct ex_joint *g);
void ex_joint_use_segment(struct ex_joint *g, struct ex_segment *segment, uint8_t *map);

/* Have all its tasks been cancelled? */
bool ex_joint_is_unwanted(const struct ex_joint *g);

/* Cuts the outputs of the run. False: they are not those of so many items; *err says which. */
bool ex_joint_cut(struct ex_joint *g, const struct ex_outcome *whole, struct sl_error *err);
/* What i-th task gets of outputs that were cut. dims: for its outputs' shapes. */
void ex_joint_part(const struct ex_joint *g, const struct ex_outcome *whole, size_t i,
                   struct ex_output outputs[], int64_t dims[][SL_RANK_MAX]);

#endif
