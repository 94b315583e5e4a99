/* ex_batch.c - comparing, adding up, dividing. */
#include "ex_batch.h"

#include <string.h>

/* ---- who may join */

int64_t ex_batch_items(const struct ex_job *job)
{
    if (job->input_count == 0 || job->inputs[0].rank == 0)
        return 0;
    const int64_t items = job->inputs[0].dims[0];
    for (size_t i = 1; i < job->input_count; i++) {
        if (job->inputs[i].rank == 0 || job->inputs[i].dims[0] != items)
            return 0;
    }
    return items;
}

uint64_t ex_batch_bytes(const struct ex_job *job)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < job->input_count; i++)
        sum += job->inputs[i].bytes;
    return sum;
}

static bool is_input_alike(const struct ex_record_tensor *a, const struct ex_record_tensor *b)
{
    return a->index == b->index && a->rank == b->rank && a->rank > 0 &&
           memcmp(a->dims + 1, b->dims + 1, (a->rank - 1U) * sizeof(a->dims[0])) == 0;
}

/* A NaN is like itself, too. */
static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

static bool is_param_alike(const struct ex_param *a, const struct ex_param *b)
{
    if (a->kind != b->kind || strcmp(a->name, b->name) != 0)
        return false;
    switch (a->kind) {
    case EX_PARAM_BOOL:
        return a->value.b == b->value.b;
    case EX_PARAM_INT:
        return a->value.i == b->value.i;
    case EX_PARAM_UINT:
        return a->value.u == b->value.u;
    case EX_PARAM_DOUBLE:
        return bits_of(a->value.d) == bits_of(b->value.d);
    case EX_PARAM_STRING:
        return strcmp(a->value.s, b->value.s) == 0;
    }
    return false;
}

bool ex_batch_is_alike(const struct ex_job *a, const struct ex_job *b)
{
    if (a->wanted != b->wanted || a->input_count != b->input_count ||
        a->param_count != b->param_count)
        return false;
    for (size_t i = 0; i < a->input_count; i++) {
        if (!is_input_alike(&a->inputs[i], &b->inputs[i]))
            return false;
    }
    for (size_t i = 0; i < a->param_count; i++) {
        if (!is_param_alike(&a->params[i], &b->params[i]))
            return false;
    }
    return true;
}

bool ex_batch_add(struct ex_batch *b, int64_t items_max, int64_t items, uint64_t bytes,
                  sl_gpu_us limit_us)
{
    struct ex_batch more = {.calls = 1,
                            .items = items,
                            .bytes = bytes,
                            .shortest_us = limit_us,
                            .longest_us = limit_us};
    if (b->calls > 0) {
        if (items > items_max - b->items || b->bytes > EX_BATCH_BYTES_MAX ||
            bytes > EX_BATCH_BYTES_MAX - b->bytes)
            return false;
        more.calls += b->calls;
        more.items += b->items;
        more.bytes += b->bytes;
        more.shortest_us = limit_us < b->shortest_us ? limit_us : b->shortest_us;
        more.longest_us = limit_us > b->longest_us ? limit_us : b->longest_us;
        if (more.longest_us > sl_sat_mul(more.shortest_us, EX_BATCH_LIMIT_RATIO))
            return false;
    }
    *b = more;
    return true;
}

/* ---- what is whose */

sl_gpu_us ex_batch_share(sl_gpu_us whole, int64_t items, int64_t all_items)
{
    /* whole * items / all_items, without a product that could be too large */
    return whole / all_items * items + whole % all_items * items / all_items;
}

/* The bytes of so many text elements, each behind its length, from `at` on; false: they end early. */
static bool skip_texts(struct sl_span bytes, uint64_t elements, uint64_t *at)
{
    for (uint64_t i = 0; i < elements; i++) {
        uint32_t length;
        if (bytes.len - *at < sizeof(length))
            return false;
        memcpy(&length, bytes.data + *at, sizeof(length));
        *at += sizeof(length);
        if (bytes.len - *at < length)
            return false;
        *at += length;
    }
    return true;
}

static bool cut_texts(const struct ex_output *output, uint64_t item_elements, const int64_t items[],
                      size_t count, uint64_t out_ends[])
{
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (!skip_texts(output->bytes, item_elements * (uint64_t)items[i], &at))
            return false;
        out_ends[i] = at;
    }
    return at == output->bytes.len;
}

static bool cut_evenly(const struct ex_output *output, int64_t all, const int64_t items[],
                       size_t count, uint64_t out_ends[])
{
    const uint64_t item_bytes = output->bytes.len / (uint64_t)all;
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++)
        out_ends[i] = at += item_bytes * (uint64_t)items[i];
    return at == output->bytes.len;
}

bool ex_batch_cut(const struct ex_output *output, const int64_t items[], size_t count,
                  uint64_t out_ends[])
{
    int64_t all = 0, elements;
    for (size_t i = 0; i < count; i++)
        all += items[i];
    if (output->rank == 0 || output->dims[0] != all || all <= 0 ||
        sl_shape_elements(output->dims, output->rank, &elements) != SL_OK)
        return false;
    if (output->dtype == SL_DTYPE_BYTES)
        return cut_texts(output, (uint64_t)(elements / all), items, count, out_ends);
    return cut_evenly(output, all, items, count, out_ends);
}
