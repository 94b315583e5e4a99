/* fuzz_ex_batch.c - an output of a run of several calls, as a worker may have written it: cut into parts that lie one
 * behind the other and are all of it, or refused.
 *
 * Input: how many calls (1 byte), elements of an item (1 byte), whether they are texts (1 byte), a byte for each call's
 * items, the output's bytes. */
#include <stdlib.h>

#include "ex_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_BYTES = 3, CALLS_MAX = 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_parts(const struct ex_output *o, const uint64_t ends[], size_t count)
{
    for (size_t i = 1; i < count; i++)
        require(ends[i] >= ends[i - 1]);
    require(ends[count - 1] == o->bytes.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t items[CALLS_MAX], dims[2] = {0, 0};
    uint64_t ends[CALLS_MAX];
    if (size < HEAD_BYTES)
        return 0;
    const size_t count = 1 + data[0] % CALLS_MAX;
    if (size < HEAD_BYTES + count)
        return 0;
    dims[1] = data[1];
    for (size_t i = 0; i < count; i++)
        dims[0] += items[i] = 1 + data[HEAD_BYTES + i];
    const struct ex_output output = {
        .dtype = data[2] % 2 ? SL_DTYPE_BYTES : SL_DTYPE_FP32,
        .dims = dims,
        .rank = 2,
        .bytes = sl_span_of(data + HEAD_BYTES + count, size - HEAD_BYTES - count)};
    if (ex_batch_cut(&output, items, count, ends))
        check_parts(&output, ends, count);
    return 0;
}
