/* gw_idle.h - when memory that connections have left behind is worth giving back.
 *
 * What a connection used stays with the heap when it closes, and the next one takes it again.
 * Thousands that came at once leave more than anyone will need: it goes back when many have closed
 * since the last time and nobody is being served, because those who allocate meanwhile must wait.
 *
 * Purity   No clock, no I/O, no threads.
 * Errors   None.
 */
#ifndef GW_IDLE_H
#define GW_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_time.h"

enum { GW_IDLE_CLOSED_COUNT = 256 }; /* connections that must have closed since the last time */
#define GW_IDLE_QUIET_NS (2 * SL_NS_PER_S)  /* without a request */
#define GW_IDLE_EVERY_NS (60 * SL_NS_PER_S) /* at most so often */

/* What the gateway has counted since it started. */
struct gw_idle_counts {
    int64_t closed;      /* connections */
    int64_t requests;    /* of all kinds */
    uint64_t open_calls; /* now */
};

/* Zeroed at the start. */
struct gw_idle {
    int64_t requests_before, closed_before;
    sl_mono_ns quiet_since, next_at;
};

/* Looked at now and then, about each second. true: give back now; it counts as done. */
bool gw_idle_is_due(struct gw_idle *i, const struct gw_idle_counts *c, sl_mono_ns now);

#endif
