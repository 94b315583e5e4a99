#include "sl_hash.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static void take_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    mix(s);
    s->v0 ^= word;
}

/* Little-endian wherever we run; count < 8 fills up with noughts. */
static uint64_t word_at(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;
    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t sl_hash_bytes(struct sl_hash_seed seed, struct sl_span bytes)
{
    struct sip s = {seed.low ^ 0x736f6d6570736575, seed.high ^ 0x646f72616e646f6d,
                    seed.low ^ 0x6c7967656e657261, seed.high ^ 0x7465646279746573};
    size_t whole = bytes.len & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8)
        take_word(&s, word_at(bytes.data + at, 8));
    uint64_t last = (uint64_t)bytes.len << 56;
    if (bytes.len > whole)
        last |= word_at(bytes.data + whole, bytes.len - whole);
    take_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
