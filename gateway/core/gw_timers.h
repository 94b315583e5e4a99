/* gw_timers.h - a heap of instants, each tied to an object that knows its place in it. Pure.
 *
 * Cost     set, clear, pop: O(log n); next: O(1). Ties are popped in the order in which they were
 *          set.
 * Memory   A timer lies in its object; the heap is an array of pointers that grows, up to
 *          max_count.
 * Threads  One.
 */
#ifndef GW_TIMERS_H
#define GW_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"
#include "sl_time.h"

struct gw_timer {
    sl_mono_ns at;
    uint64_t order;
    size_t place; /* index + 1 in the heap; 0: not set */
};

struct gw_timers {
    const struct sl_alloc *alloc;
    struct gw_timer **heap;
    size_t count, room, max_count;
    uint64_t next_order;
};

void gw_timers_init(struct gw_timers *t, const struct sl_alloc *alloc, size_t max_count);
void gw_timers_finish(struct gw_timers *t);

/* Sets or moves; SL_MONO_NEVER clears. Errors: SL_EFULL, SL_ENOMEM (never when the timer was
 * set). */
SL_MUST_CHECK sl_status gw_timers_set(struct gw_timers *t, struct gw_timer *timer, sl_mono_ns at);
void gw_timers_clear(struct gw_timers *t, struct gw_timer *timer);
sl_mono_ns gw_timers_next(const struct gw_timers *t); /* SL_MONO_NEVER when there is none */
/* Takes out the earliest timer that is due at now; NULL when none is. */
struct gw_timer *gw_timers_pop(struct gw_timers *t, sl_mono_ns now);

#endif
