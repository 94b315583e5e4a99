/* ex_slice_cpu.h - slices of the machine's own processors: equal parts of one device, "cpu0". */
#ifndef EX_SLICE_CPU_H
#define EX_SLICE_CPU_H

#include <stddef.h>
#include <stdint.h>

#include "ex_slice.h"

/* How many processors this process may use; at least 1. */
uint32_t ex_slice_cpu_processors(void);

/* Fills count slices, numbered from 0. threads 0: the processors shared out, at least 1 each.
 * memory_bytes of each; 0: not limited. */
void ex_slice_cpu_make(struct ex_slice *slices, size_t count, uint32_t threads,
                       uint64_t memory_bytes);

#endif
