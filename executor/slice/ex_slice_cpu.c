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

static uint32_t threads_of_each(const struct ex_slice_cpu_plan *plan)
{
    const uint32_t share = ex_slice_cpu_processors() / (uint32_t)plan->count;
    if (plan->threads > 0)
        return plan->threads;
    return share > 0 ? share : 1;
}

/* All of the device that has these slices. */
static struct ex_slice widen(const struct ex_slice *first, size_t count, uint32_t id)
{
    struct ex_slice wide = *first;
    wide.id = id;
    wide.share_thousandths = 1000;
    const uint32_t threads = first->cpu_threads * (uint32_t)count;
    wide.cpu_threads = threads < EX_THREADS_MAX ? threads : EX_THREADS_MAX;
    wide.memory_bytes = first->memory_bytes * count;
    for (size_t i = 0; i < count; i++)
        wide.parts |= UINT64_C(1) << (first->id + i);
    return wide;
}

size_t ex_slice_cpu_make(struct ex_slice slices[EX_ALL_SLICES_MAX],
                         const struct ex_slice_cpu_plan *plan)
{
    const uint32_t threads = threads_of_each(plan);
    const size_t per_device = plan->per_device < plan->count ? plan->per_device : plan->count;
    size_t all = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        slices[i] = (struct ex_slice){.id = (uint32_t)i,
                                      .kind = EX_SLICE_CPU,
                                      .memory_bytes = plan->memory_bytes,
                                      .share_thousandths = (uint32_t)(1000 / per_device),
                                      .cpu_threads = threads};
        snprintf(slices[i].device, sizeof(slices[i].device), "cpu%zu", i / per_device);
    }
    for (size_t i = 0; per_device > 1 && i + per_device <= plan->count; i += per_device, all++)
        slices[all] = widen(&slices[i], per_device, (uint32_t)all);
    return all;
}
