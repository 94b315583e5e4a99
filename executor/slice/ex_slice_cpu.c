/* ex_slice_cpu.c - shares out the processors. */
#include "ex_slice_cpu.h"

#include <sched.h>
#include <stdio.h>

uint32_t ex_slice_cpu_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    const int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

void ex_slice_cpu_make(struct ex_slice *slices, size_t count, uint32_t threads,
                       uint64_t memory_bytes)
{
    const uint32_t share = ex_slice_cpu_processors() / (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        slices[i] = (struct ex_slice){.id = (uint32_t)i,
                                      .kind = EX_SLICE_CPU,
                                      .memory_bytes = memory_bytes,
                                      .share_thousandths = (uint32_t)(1000 / count),
                                      .cpu_threads = threads > 0 ? threads
                                                     : share > 0 ? share
                                                                 : 1};
        snprintf(slices[i].device, sizeof(slices[i].device), "cpu0");
    }
}
