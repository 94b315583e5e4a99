/* ex_worker_sink.c - an engine's outputs into the up ring or into segments. */
#include "ex_worker_sink.h"

#include <string.h>

#include "sl_base.h"

/* What a run may write into segments on a slice without a limit of its own. */
#define UNLIMITED_OUTPUT_BYTES (UINT64_C(4) << 30)

/* Where an empty output lies. */
static _Alignas(EX_RECORD_ALIGN) uint8_t nothing[EX_RECORD_ALIGN];

/* ---- taking */

static void *take_segment(struct ex_worker_sink *s, size_t i, uint64_t bytes)
{
    if (bytes > s->output_max_bytes - s->segments_bytes)
        return NULL;
    void *memory = ex_worker_outputs_take(&s->segments, bytes, &s->outputs[i].segment);
    if (memory != NULL)
        s->segments_bytes += bytes;
    return memory;
}

static void *take(struct ex_sink *base, size_t index, enum sl_dtype dtype, const int64_t *dims,
                  size_t rank, size_t bytes)
{
    struct ex_worker_sink *s = SL_CONTAINER_OF(base, struct ex_worker_sink, base);
    const size_t i = s->count;
    void *memory = nothing;
    (void)dtype; /* stands in the model's spec */
    if (i == EX_TENSORS_MAX || rank > SL_RANK_MAX)
        return NULL;
    if (rank > 0)
        memcpy(s->dims[i], dims, rank * sizeof(dims[0]));
    s->outputs[i] = (struct ex_record_tensor){
        .bytes = bytes, .index = (uint16_t)index, .rank = (uint16_t)rank, .dims = s->dims[i]};
    if (ex_record_place(&s->outputs[i], &s->end, ex_ring_record_max(s->ring)) != SL_OK)
        memory = take_segment(s, i, bytes);
    else if (bytes > 0)
        memory = s->record + s->outputs[i].offset;
    if (memory != NULL)
        s->count++;
    return memory;
}

/* ---- sending */

/* No successful result's head is longer: all outputs, all of the highest rank. */
static uint64_t head_max(size_t output_count)
{
    static const int64_t dims[SL_RANK_MAX];
    struct ex_record_tensor outputs[EX_TENSORS_MAX];
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = (struct ex_record_tensor){.rank = SL_RANK_MAX, .dims = dims};
    const struct ex_result widest = {.text = "", .outputs = outputs, .output_count = output_count};
    return ex_result_head_bytes(&widest);
}

void ex_worker_sink_init(struct ex_worker_sink *s, struct ex_ring *ring, int control,
                         size_t output_count, uint64_t memory_bytes)
{
    memset(s, 0, sizeof(*s));
    s->base.take = take;
    s->ring = ring;
    ex_worker_outputs_init(&s->segments, ring, control);
    s->head_max_bytes = head_max(output_count);
    s->output_count = output_count;
    s->output_max_bytes = memory_bytes == 0 ? UNLIMITED_OUTPUT_BYTES : memory_bytes;
}

void ex_worker_sink_finish(struct ex_worker_sink *s)
{
    ex_worker_outputs_finish(&s->segments);
}

sl_status ex_worker_sink_open(struct ex_worker_sink *s)
{
    const sl_status status = ex_worker_outputs_check(&s->segments, s->output_count);
    if (status != SL_OK)
        return status;
    s->count = 0;
    s->segments_bytes = 0;
    s->end = s->head_max_bytes;
    return ex_ring_reserve(s->ring, (size_t)ex_ring_record_max(s->ring), &s->record);
}

static void drop_outputs(struct ex_worker_sink *s)
{
    ex_worker_outputs_drop(&s->segments);
    s->count = 0;
}

sl_status ex_worker_sink_send(struct ex_worker_sink *s, uint64_t seq, uint64_t run_us,
                              const struct sl_error *outcome)
{
    const bool is_ok = outcome->reason == SL_REASON_OK;
    if (!is_ok)
        drop_outputs(s);
    const struct ex_result result = {
        .seq = seq,
        .run_us = run_us,
        .reason = outcome->reason,
        .text = is_ok ? "" : outcome->text,
        .outputs = s->outputs,
        .output_count = s->count,
    };
    const sl_status status = ex_result_encode(&result, s->record);
    if (status != SL_OK) {
        drop_outputs(s);
        return status;
    }
    const size_t bytes = is_ok ? (size_t)s->end : ex_result_head_bytes(&result);
    ex_ring_commit(s->ring, bytes, EX_RECORD_RESULT);
    ex_worker_outputs_send(&s->segments);
    s->count = 0;
    return SL_OK;
}
