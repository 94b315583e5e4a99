/* ex_slice.h - a slice: the part of a device that one worker at a time computes on. Pure data.
 *
 * A wide slice is made of others, its parts, which are all of one device: who has it has all of them, and nobody
 * has any of them meanwhile. A node's wide slices are numbered behind all others.
 */
#ifndef EX_SLICE_H
#define EX_SLICE_H

#include <stdint.h>

enum { EX_SLICES_MAX = 64, EX_WIDE_SLICES_MAX = EX_SLICES_MAX / 2 };
enum { EX_ALL_SLICES_MAX = EX_SLICES_MAX + EX_WIDE_SLICES_MAX };
enum { EX_THREADS_MAX = 1024 };

enum ex_slice_kind { EX_SLICE_CPU, EX_SLICE_WHOLE, EX_SLICE_MIG, EX_SLICE_MPS, EX_SLICE_SHARED };

struct ex_slice {
    uint32_t id;
    enum ex_slice_kind kind;
    char device[64];       /* "cpu0", a GPU or MIG UUID */
    uint64_t memory_bytes; /* 0: not limited */
    uint32_t share_thousandths;
    uint32_t cpu_threads; /* for engines that compute on the CPU; 1 to EX_THREADS_MAX */
    uint64_t parts;       /* of a wide slice: bit i is slice i; 0: it is not one */
};

#endif
