#include "sim_histogram.h"

#include <stddef.h>

enum { STEP_BITS = 5 };

static size_t bucket_of(int64_t us)
{
    uint64_t v = us < 0                      ? 0
                 : us > SIM_HISTOGRAM_MAX_US ? (uint64_t)SIM_HISTOGRAM_MAX_US
                                             : (uint64_t)us;
    if (v < SIM_HISTOGRAM_STEPS)
        return (size_t)v;
    unsigned shift = 63 - (unsigned)__builtin_clzll(v) - STEP_BITS;
    return (size_t)((shift + 1) * SIM_HISTOGRAM_STEPS + (v >> shift) - SIM_HISTOGRAM_STEPS);
}

static int64_t middle_of(size_t bucket)
{
    if (bucket < SIM_HISTOGRAM_STEPS)
        return (int64_t)bucket;
    size_t shift = bucket / SIM_HISTOGRAM_STEPS - 1;
    int64_t low = (int64_t)(bucket % SIM_HISTOGRAM_STEPS + SIM_HISTOGRAM_STEPS) << shift;
    return low + ((INT64_C(1) << shift) - 1) / 2;
}

void sim_histogram_add(struct sim_histogram *h, int64_t us)
{
    h->count++;
    h->total_us += us;
    h->most_us = us > h->most_us ? us : h->most_us;
    h->buckets[bucket_of(us)]++;
}

void sim_histogram_join(struct sim_histogram *into, const struct sim_histogram *h)
{
    into->count += h->count;
    into->total_us += h->total_us;
    into->most_us = h->most_us > into->most_us ? h->most_us : into->most_us;
    for (size_t i = 0; i < SIM_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += h->buckets[i];
}

double sim_histogram_mean_us(const struct sim_histogram *h)
{
    return h->count == 0 ? 0 : (double)h->total_us / (double)h->count;
}

int64_t sim_histogram_quantile_us(const struct sim_histogram *h, unsigned thousandths)
{
    uint64_t rank = (h->count * thousandths + 999) / 1000, seen = 0;
    rank = rank == 0 ? 1 : rank;
    for (size_t i = 0; i < SIM_HISTOGRAM_BUCKETS && h->count > 0; i++) {
        seen += h->buckets[i];
        if (seen >= rank)
            return middle_of(i) < h->most_us ? middle_of(i) : h->most_us;
    }
    return 0;
}
