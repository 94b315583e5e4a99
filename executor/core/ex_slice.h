/* ex_slice.h - a slice: the part of a device that one worker at a time computes on. Pure data. */
#ifndef EX_SLICE_H
#define EX_SLICE_H

#include <stdint.h>

enum ex_slice_kind { EX_SLICE_CPU, EX_SLICE_WHOLE, EX_SLICE_MIG, EX_SLICE_MPS, EX_SLICE_SHARED };

struct ex_slice {
    uint32_t id;
    enum ex_slice_kind kind;
    char device[64];       /* "cpu0", a GPU or MIG UUID */
    uint64_t memory_bytes; /* 0: not limited */
    uint32_t share_thousandths;
    uint32_t cpu_threads; /* for engines that compute on the CPU; >= 1 */
};

#endif
