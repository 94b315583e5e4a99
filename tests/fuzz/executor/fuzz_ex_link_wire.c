/* fuzz_ex_link_wire.c - what a gateway may send: batches, whose calls are then checked and copied as
 * jobs are, and bulk headers. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "ex_link_wire.h"
#include "ex_task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ex_tensor_spec tensors[] = {
    {.name = "X", .dtype = SL_DTYPE_FP32, .dims = {-1, 4}, .rank = 2},
    {.name = "Y", .dtype = SL_DTYPE_BYTES, .dims = {-1}, .rank = 1}};
static const struct ex_model_spec specs[] = {{.name = "m",
                                              .version = "1",
                                              .inputs = tensors,
                                              .input_count = 1,
                                              .outputs = tensors,
                                              .output_count = 2},
                                             {.name = "n",
                                              .version = "1",
                                              .inputs = tensors,
                                              .input_count = 2,
                                              .outputs = tensors,
                                              .output_count = 1}};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The inputs must lie inside of what the call says it brings. */
static void read_all_bytes(const struct ex_task *t)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; t->posting.bytes && i < t->posting.job.input_count; i++) {
        for (size_t k = 0; k < t->posting.bytes[i].len; k++)
            sum = (uint8_t)(sum + t->posting.bytes[i].data[k]);
    }
}

static void receive(struct ex_task *t, struct sl_span bytes)
{
    /* ex_jobs refuses a payload that is too large; here it would only be read for a long time. */
    enum { PAYLOAD_MAX = 64 << 10 };
    const uint64_t room = ex_task_segment_bytes(t);
    uint8_t *map = t->payload_bytes <= PAYLOAD_MAX ? malloc((size_t)room) : NULL;
    if (!map)
        return;
    ex_task_use_segment(t, (struct ex_segment *)(void *)map, map);
    while (ex_task_receive(t, t->received_bytes, bytes) == SL_OK)
        require(t->received_bytes <= t->payload_bytes);
    free(map);
}

static void try_call(const struct ex_call *call, const struct ex_model_spec *spec,
                     struct sl_span bytes)
{
    struct ex_task *t;
    struct sl_error err = {.reason = SL_REASON_OK};
    if (!ex_task_create(&sl_alloc_malloc, call, 0, spec, &t, &err)) {
        require(sl_error_is_set(&err) && err.text[0] != '\0');
        return;
    }
    require(ex_job_head_bytes(&t->posting.job) > 0);
    read_all_bytes(t);
    if (t->payload_bytes > 0)
        receive(t, bytes);
    ex_task_destroy(&sl_alloc_malloc, t);
}

/* Whatever is acknowledged, one record at most was waiting. */
static void try_acknowledged(const struct ex_gateway_batch *batch)
{
    const struct ex_journal_conf conf = {.max = 1, .fresh_id = 1, .boot = 1};
    struct ex_journal *j = NULL;
    unsigned taken = 0;
    void *map = calloc(1, ex_journal_bytes(1));
    require(map &&
            ex_journal_create(&sl_alloc_malloc, map, ex_journal_bytes(1), &conf, &j) == SL_OK);
    ex_journal_began(j, &(struct ex_journal_start){.lease = 1, .call_id = "", .model = "m"});
    require(ex_journal_ended(j, 0, 5, SL_REASON_OK) != 0);
    for (size_t i = 0; i < batch->acknowledged_count; i++)
        taken += ex_journal_acknowledge(j, batch->acknowledged[i]);
    require(taken <= 1 && ex_journal_check(j) == SL_OK);
    ex_journal_destroy(j);
    free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_arena arena;
    struct ex_gateway_batch batch;
    struct ex_bulk_header header, again;
    uint8_t bytes[EX_BULK_HEADER_MAX];
    sl_arena_init(&arena, &sl_alloc_malloc, 16 << 20);
    if (ex_link_read_batch(sl_span_of(data, size), &arena, &batch) == SL_OK) {
        if (batch.acknowledged_count > 0)
            try_acknowledged(&batch);
        for (size_t i = 0; i < batch.call_count; i++) {
            try_call(&batch.calls[i], &specs[0], sl_span_of(data, size));
            try_call(&batch.calls[i], &specs[1], sl_span_of(data, size));
        }
    }
    if (ex_link_read_bulk(sl_span_of(data, size), &arena, &header) == SL_OK) {
        const size_t len = ex_link_write_bulk(&header, bytes);
        require(ex_link_read_bulk(sl_span_of(bytes, len), &arena, &again) == SL_OK);
        require(again.session == header.session && again.lease == header.lease &&
                again.offset_bytes == header.offset_bytes &&
                again.total_bytes == header.total_bytes);
    }
    sl_arena_finish(&arena);
    return 0;
}
