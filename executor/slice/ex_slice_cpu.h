/* ex_slice_cpu.h - slices of the machine's own processors: equal parts of devices "cpu0", "cpu1", ..., and a wide
 * slice for each device, which is all of it. */
#ifndef EX_SLICE_CPU_H
#define EX_SLICE_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "ex_slice.h"

/* How many processors this process may use; at least 1. */
uint32_t ex_slice_cpu_processors(void);

struct ex_slice_cpu_plan {
    size_t count; /* slices, without wide ones; 1 to EX_SLICES_MAX */
    size_t
        per_device; /* of them; with fewer slices, that many. The last device may have fewer to offer */
    uint32_t threads;      /* of each; 0: the processors shared out, at least 1 each */
    uint64_t memory_bytes; /* of each; 0: not limited */
};

/* Fills the slices, numbered from 0, the wide ones behind the others. Returns how many there are in all. */
size_t ex_slice_cpu_make(struct ex_slice slices[EX_ALL_SLICES_MAX],
                         const struct ex_slice_cpu_plan *plan);

#endif
