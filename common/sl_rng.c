/* sl_rng.c - xoshiro256**, seeded by splitmix64 (Blackman and Vigna, 2018). */
#include "sl_rng.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void sl_rng_seed(struct sl_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix64(&seed);
}

uint64_t sl_rng_u64(struct sl_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t sl_rng_below(struct sl_rng *r, uint64_t n)
{
    /* 2^64 mod n: numbers below it are dropped, so that each remainder is equally frequent. */
    uint64_t excess = (UINT64_MAX - n + 1) % n;
    uint64_t x;
    do
        x = sl_rng_u64(r);
    while (x < excess);
    return x % n;
}

double sl_rng_unit(struct sl_rng *r)
{
    return (double)(sl_rng_u64(r) >> 11) * 0x1p-53;
}
