/* gw_charge.h - what a call costs: how it ended x how long it had the slice x what it held x the size's factor.
 * Pure, and the only place that knows.
 *
 * Platform failures cost nothing; the model's own failure, a cancel after the start and an overrun cost the
 * time used; never more than was held. Thousandths round up, for holds and for charges alike, so that a call
 * which uses exactly what it declared is charged exactly what it held.
 */
#ifndef GW_CHARGE_H
#define GW_CHARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_reason.h"
#include "sl_time.h"

/* Time of a slice in GPU time: us x factor, rounded up; at most INT64_MAX. us >= 0. */
sl_gpu_us gw_charge_of_time(sl_gpu_us us, uint32_t factor_thousandths);
/* The most time of a slice whose GPU time is at most us >= 0: the reverse, rounded down. factor > 0. */
sl_gpu_us gw_charge_time_within(sl_gpu_us us, uint32_t factor_thousandths);

/* Does a call that was started and ended so pay for the time it had? */
bool gw_charge_is_for(enum sl_reason reason);
/* used_us < 0 counts as 0. */
sl_gpu_us gw_charge(enum sl_reason reason, bool was_started, sl_gpu_us used_us, sl_gpu_us held_us,
                    uint32_t factor_thousandths);

/* The part of call `index` of a batch of `count` in the time of all; the remainder is the first one's. */
sl_gpu_us gw_charge_share(sl_gpu_us used_us, size_t count, size_t index);

#endif
