/* sl_shm_ref.h - how a message names bytes in a peer's shared memory. Plain data. */
#ifndef SL_SHM_REF_H
#define SL_SHM_REF_H

#include <stdint.h>

struct sl_shm_ref {
    uint32_t number;     /* of a segment, from 1; 0: no reference */
    uint64_t generation; /* which use of it, from 1; 0: uses are not counted */
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

#endif
