#include "gw_learn.h"

#include <string.h>

/* Where v stands, or would stand before its equals, in the sorted samples. */
static uint32_t place_of(const struct gw_learn *l, sl_gpu_us v)
{
    uint32_t from = 0, to = l->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (l->longest_last[middle] < v)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void forget(struct gw_learn *l, sl_gpu_us v)
{
    uint32_t at = place_of(l, v);
    l->count--;
    memmove(&l->longest_last[at], &l->longest_last[at + 1],
            (l->count - at) * sizeof l->longest_last[0]);
}

void gw_learn_add(struct gw_learn *l, sl_gpu_us used_us)
{
    if (used_us < 1) /* no call asks for nothing */
        used_us = 1;
    if (l->count == GW_LEARN_SAMPLES)
        forget(l, l->newest_last[l->next]);
    l->newest_last[l->next] = used_us;
    l->next = (l->next + 1) % GW_LEARN_SAMPLES;
    uint32_t at = place_of(l, used_us);
    memmove(&l->longest_last[at + 1], &l->longest_last[at],
            (l->count - at) * sizeof l->longest_last[0]);
    l->longest_last[at] = used_us;
    l->count++;
}

sl_gpu_us gw_learn_percentile(const struct gw_learn *l, unsigned percent)
{
    if (l->count == 0)
        return 0;
    uint32_t rank = (l->count * percent + 99) / 100;
    return l->longest_last[rank - 1];
}

sl_gpu_us gw_learn_duration(const struct gw_learn *l, sl_gpu_us declared_us, sl_gpu_us left_us)
{
    if (l->count < GW_LEARN_SAMPLES_MIN)
        return declared_us;
    sl_gpu_us p50 = gw_learn_percentile(l, 50);
    if (left_us < p50)
        return p50;
    sl_gpu_us p95 = gw_learn_percentile(l, 95), wanted = sl_sat_add(p95, p95 / 4);
    if (wanted < SL_US_PER_S)
        wanted = SL_US_PER_S;
    return wanted < left_us ? wanted : left_us;
}
