/* sl_rng.h - a small seeded generator (xoshiro256**, Blackman and Vigna 2018; seeded by
 * splitmix64). Not for secrets. The same seed gives the same numbers everywhere. */
#ifndef SL_RNG_H
#define SL_RNG_H

#include <stdint.h>

struct sl_rng {
    uint64_t s[4];
};

void sl_rng_seed(struct sl_rng *r, uint64_t seed);
uint64_t sl_rng_u64(struct sl_rng *r);
/* Uniform in [0, n), n > 0, without modulo bias. */
uint64_t sl_rng_below(struct sl_rng *r, uint64_t n);
/* Uniform in [0, 1). */
double sl_rng_unit(struct sl_rng *r);

#endif
