/* sl_clock.h - the two clocks behind one struct, so that tests and the simulator bring their own.
 *
 * Only composition roots read a clock, once per loop turn; everything else is given `now`.
 */
#ifndef SL_CLOCK_H
#define SL_CLOCK_H

#include "sl_time.h"

struct sl_clock {
    sl_mono_ns (*mono)(void *ctx);
    sl_wall_us (*wall)(void *ctx);
    void *ctx;
};

/* CLOCK_MONOTONIC and CLOCK_REALTIME. */
extern const struct sl_clock sl_clock_real;

static inline sl_mono_ns sl_clock_mono(const struct sl_clock *c)
{
    return c->mono(c->ctx);
}
static inline sl_wall_us sl_clock_wall(const struct sl_clock *c)
{
    return c->wall(c->ctx);
}

#endif
