/* gw_learn.h - how long the calls of a model take, for calls whose duration is `auto`. Pure.
 *
 * Keeps the last GW_LEARN_SAMPLES durations, in the order in which they came and in that of their length,
 * so that a percentile is exact (the smallest sample that so many are not above) and costs nothing to ask.
 *
 * Cost     add: two moves of at most 1 KiB. Memory: 2 KiB, inside the struct.
 */
#ifndef GW_LEARN_H
#define GW_LEARN_H

#include <stdint.h>

#include "sl_time.h"

enum { GW_LEARN_SAMPLES = 128, GW_LEARN_SAMPLES_MIN = 5 };

/* Zeroed: nothing is known. */
struct gw_learn {
    sl_gpu_us newest_last[GW_LEARN_SAMPLES]; /* a ring, from `next` on the oldest once it is full */
    sl_gpu_us longest_last[GW_LEARN_SAMPLES];
    uint32_t count, next;
};

/* A call of the model had its slice so long, and ended well. */
void gw_learn_add(struct gw_learn *l, sl_gpu_us used_us);
/* percent from 1 to 100; 0 without a sample. */
sl_gpu_us gw_learn_percentile(const struct gw_learn *l, unsigned percent);

/* The duration that an `auto` call should ask for, when its visitor has left_us of a slice left: what is
 * declared while too little is known; else p95 and a quarter of it (at p95 one call in twenty would be
 * ended, however alike they are), at least a second, but no more than is left. When not even p50 is left it
 * is p50, which the ledger then refuses with both numbers. */
sl_gpu_us gw_learn_duration(const struct gw_learn *l, sl_gpu_us declared_us, sl_gpu_us left_us);

#endif
