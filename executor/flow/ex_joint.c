/* ex_joint.c - one block of memory for a job of several tasks; inputs by reference, outputs by reference. */
#include "ex_joint.h"

#include <string.h>

/* ---- making */

/* struct, inputs, dims, items, cuts, spans, tasks: what needs the wider alignment first */
static size_t block_bytes(const struct ex_job *job, size_t count, size_t output_count)
{
    const size_t per_input = sizeof(struct ex_record_tensor) + SL_RANK_MAX * sizeof(int64_t) +
                             count * sizeof(struct sl_span);
    const size_t per_task =
        sizeof(int64_t) + output_count * sizeof(uint64_t) + sizeof(struct ex_task *);
    return sizeof(struct ex_joint) + job->input_count * per_input + count * per_task;
}

static void lay_out(struct ex_joint *g, const struct ex_job *job)
{
    const size_t n = job->input_count;
    struct ex_record_tensor *inputs = (void *)(g + 1);
    int64_t *dims = (void *)(inputs + n);
    g->items = dims + n * SL_RANK_MAX;
    g->cuts = (uint64_t *)(g->items + g->count);
    struct sl_span *spans = (void *)(g->cuts + g->count * g->output_count);
    g->tasks = (void *)(spans + n * g->count);
    g->posting.inputs = inputs;
    g->posting.bytes = spans;
    g->posting.part_count = g->count;
    for (size_t i = 0; i < n; i++)
        inputs[i].dims = dims + i * SL_RANK_MAX;
}

/* The i-th input: of all tasks' rows, with all tasks' bytes. */
static void join_input(struct ex_joint *g, size_t i)
{
    const struct ex_record_tensor *first = &g->tasks[0]->posting.inputs[i];
    struct ex_record_tensor *in = &g->posting.inputs[i];
    struct sl_span *parts = (struct sl_span *)(uintptr_t)g->posting.bytes + i * g->count;
    int64_t *dims = (int64_t *)(uintptr_t)in->dims;
    memcpy(dims, first->dims, first->rank * sizeof(dims[0]));
    dims[0] = g->item_count;
    *in = (struct ex_record_tensor){.index = first->index, .rank = first->rank, .dims = dims};
    for (size_t k = 0; k < g->count; k++) {
        parts[k] = ex_task_input(g->tasks[k], i);
        in->bytes += parts[k].len;
    }
}

struct ex_joint *ex_joint_create(const struct sl_alloc *alloc, struct ex_task *const tasks[],
                                 size_t count, size_t output_count)
{
    const struct ex_job *job = &tasks[0]->posting.job;
    struct ex_joint *g = sl_alloc_get(alloc, block_bytes(job, count, output_count));
    if (!g)
        return NULL;
    *g = (struct ex_joint){
        .count = count, .output_count = output_count, .limit_us = tasks[0]->limit_us};
    lay_out(g, job);
    for (size_t i = 0; i < count; i++) {
        g->tasks[i] = tasks[i];
        g->items[i] = tasks[i]->items;
        g->item_count += tasks[i]->items;
        if (tasks[i]->limit_us < g->limit_us)
            g->limit_us = tasks[i]->limit_us;
    }
    for (size_t i = 0; i < job->input_count; i++)
        join_input(g, i);
    g->posting.job = *job;
    g->posting.job.inputs = g->posting.inputs;
    return g;
}

void ex_joint_destroy(const struct sl_alloc *alloc, struct ex_joint *g)
{
    sl_alloc_free(alloc, g);
}

bool ex_joint_is_unwanted(const struct ex_joint *g)
{
    for (size_t i = 0; i < g->count; i++) {
        if (!g->tasks[i]->is_cancelled)
            return false;
    }
    return true;
}

/* ---- inputs in a segment */

static uint64_t align_up(uint64_t n)
{
    return (n + EX_RECORD_ALIGN - 1) & ~(uint64_t)(EX_RECORD_ALIGN - 1);
}

uint64_t ex_joint_segment_bytes(const struct ex_joint *g)
{
    uint64_t end = 0;
    for (size_t i = 0; i < g->posting.job.input_count; i++)
        end += align_up(g->posting.inputs[i].bytes);
    return end;
}

void ex_joint_use_segment(struct ex_joint *g, struct ex_segment *segment, uint8_t *map)
{
    const struct sl_span *part = g->posting.bytes;
    uint64_t at = 0;
    for (size_t i = 0; i < g->posting.job.input_count; i++) {
        struct ex_record_tensor *in = &g->posting.inputs[i];
        in->offset = in->bytes > 0 ? at : 0;
        for (size_t k = 0; k < g->count; k++, part++) {
            if (part->len > 0)
                memcpy(map + at, part->data, part->len);
            at += part->len;
        }
        memset(map + at, 0, (size_t)(align_up(at) - at));
        at = align_up(at);
    }
    g->posting.segment = segment;
    g->posting.bytes = NULL;
}

/* ---- outputs */

bool ex_joint_cut(struct ex_joint *g, const struct ex_outcome *whole, struct sl_error *err)
{
    for (size_t i = 0; i < whole->output_count; i++) {
        if (i < g->output_count &&
            ex_batch_cut(&whole->outputs[i], g->items, g->count, g->cuts + i * g->count))
            continue;
        sl_error_set(err, SL_REASON_MODEL_ERROR,
                     "output '%s' of a run of %lld items has not one for each",
                     whole->outputs[i].name, (long long)g->item_count);
        return false;
    }
    return true;
}

void ex_joint_part(const struct ex_joint *g, const struct ex_outcome *whole, size_t i,
                   struct ex_output outputs[], int64_t dims[][SL_RANK_MAX])
{
    for (size_t k = 0; k < whole->output_count; k++) {
        const uint64_t *ends = g->cuts + k * g->count;
        const uint64_t begin = i == 0 ? 0 : ends[i - 1];
        outputs[k] = whole->outputs[k];
        memcpy(dims[k], outputs[k].dims, outputs[k].rank * sizeof(dims[k][0]));
        dims[k][0] = g->items[i];
        outputs[k].dims = dims[k];
        outputs[k].bytes =
            sl_span_of(whole->outputs[k].bytes.data + begin, (size_t)(ends[i] - begin));
    }
}
