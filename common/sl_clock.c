/* sl_clock.c - the real clocks. */
#include "sl_clock.h"

#include <stddef.h>
#include <time.h>

#include "sl_base.h"

static sl_mono_ns read_mono(void *ctx SL_UNUSED)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SL_NS_PER_S + t.tv_nsec;
}

static sl_wall_us read_wall(void *ctx SL_UNUSED)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * SL_US_PER_S + t.tv_nsec / SL_NS_PER_US;
}

const struct sl_clock sl_clock_real = {read_mono, read_wall, NULL};
