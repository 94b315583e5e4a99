/* gw_deadline.h - a call's virtual deadline: by it, the calls of a tier start in order. Pure.
 *
 *   deadline = arrival + offset
 *   offset   = min(30 s x (0.25 + 0.75 x declared / 60 s) x (0.5 + used / limit), max_wait / 2)
 *
 * Fixed when the call is admitted. Nothing is promised for that instant; only the order of
 * deadlines counts, and of equal ones the order of arrivals (gw_order.h).
 *
 * What follows, of calls a and b (each a test)
 *   D1  alike but for the declared duration: the shorter is not later
 *   D2  alike but for what their visitors have used: the smaller part of the limit is not later
 *   D3  b starts before a, which came first, only if b came within a's offset less its own
 *   D4  no offset is longer than max_wait / 2: so nobody who comes that much later is first
 *
 * Units    Microseconds, integers throughout; the offset is rounded down, once.
 * Bounds   Every value has an answer: negative times count as 0, more than all that a visitor has
 *          counts as all, a limit of 0 as used up, and a deadline beyond the type's end is the
 *          type's end.
 */
#ifndef GW_DEADLINE_H
#define GW_DEADLINE_H

#include <stdint.h>

#include "sl_time.h"

#define GW_DEADLINE_BASE_US  (30 * SL_US_PER_S)
#define GW_DEADLINE_USUAL_US (60 * SL_US_PER_S) /* the declared duration that counts as 1 */

struct gw_deadline_ask {
    int64_t arrived_us;    /* of the monotonic clock */
    sl_gpu_us declared_us; /* how long the call may have its slice */
    sl_gpu_us used_us;     /* of the visitor's limit, spent and held, before this call */
    sl_gpu_us limit_us;
    int64_t max_wait_us; /* the operator's, one for all; see decision 024 */
};

int64_t gw_deadline_offset_us(const struct gw_deadline_ask *ask);
int64_t gw_deadline_us(const struct gw_deadline_ask *ask);

#endif
