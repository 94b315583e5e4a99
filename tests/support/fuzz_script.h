/* fuzz_script.h - a fuzzer's input as a script: what comes next is read from it, and noughts when
 * it has ended. Nothing is copied. */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "sl_span.h"

struct fuzz_script {
    const uint8_t *at;
    size_t left;
};

/* What must hold whatever the input is. */
static inline void fuzz_require(bool holds)
{
    if (!holds)
        abort();
}

static inline uint8_t fuzz_byte(struct fuzz_script *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->at++;
}

/* Up to n of them. */
static inline struct sl_span fuzz_bytes(struct fuzz_script *s, size_t n)
{
    struct sl_span bytes = {s->at, n < s->left ? n : s->left};
    s->at += bytes.len;
    s->left -= bytes.len;
    return bytes;
}

/* Small numbers, multiples of step, and some that are not small. */
static inline uint64_t fuzz_size(struct fuzz_script *s, unsigned step)
{
    uint8_t code = fuzz_byte(s);
    if (code < 200)
        return code * step;
    return code < 250 ? (code - 199u) * UINT64_C(8192) : UINT64_MAX >> (code - 250) * 8;
}

#endif
