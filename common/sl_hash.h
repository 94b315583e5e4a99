/* sl_hash.h - a hash of bytes under a secret seed: SipHash-2-4 (Aumasson, Bernstein 2012), for tables whose
 * keys strangers choose. Pure. */
#ifndef SL_HASH_H
#define SL_HASH_H

#include "sl_span.h"

struct sl_hash_seed {
    uint64_t low, high;
};

uint64_t sl_hash_bytes(struct sl_hash_seed seed, struct sl_span bytes);

#endif
