/* fuzz_ex_record.c - records that a peer wrote: read or refused, and what was read can be written
 * again, to be read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ex_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ex_record_scratch scratch;
static struct ex_record_scratch scratch_again;
static _Alignas(64) uint8_t written[EX_RECORD_HEAD_MAX];

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Heads are equal but for their frames, which are the ring's. */
static void compare(struct sl_span record, size_t head_bytes)
{
    require(memcmp(written + 8, record.data + 8, head_bytes - 8) == 0);
}

static void try_job(struct sl_span record)
{
    struct ex_job job;
    struct ex_job again;
    if (ex_job_decode(record, &scratch, &job) != SL_OK)
        return;
    const size_t head = ex_job_head_bytes(&job);
    require(head > 0 && head <= record.len);
    require(ex_job_encode(&job, written) == SL_OK);
    compare(record, head);
    require(ex_job_decode(record, &scratch_again, &again) == SL_OK);
    require(again.seq == job.seq && again.param_count == job.param_count);
}

static void try_result(struct sl_span record)
{
    struct ex_result result;
    if (ex_result_decode(record, &scratch, &result) != SL_OK)
        return;
    const size_t head = ex_result_head_bytes(&result);
    require(head > 0 && head <= record.len);
    require(ex_result_encode(&result, written) == SL_OK);
    /* A reason that nobody knows is read as INTERNAL and written so. */
    memcpy(written + 32, record.data + 32, 32);
    compare(record, head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_job(sl_span_of(data, size));
    try_result(sl_span_of(data, size));
    return 0;
}
