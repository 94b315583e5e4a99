/* gw_place.h - are short calls that come one by one better served on one processor? Finds out, and says
 * so for each call.
 *
 * Such a call is a chain of threads of which each wakes the next. Spread over processors that sleep, the
 * wake-ups are most of its time; on one processor they are not, but nothing runs beside anything else.
 * Which is better depends on the machine and on who else is there, so it is tried: blocks of calls held
 * and not held in turn, the better way is kept, and tried again now and then.
 *
 *   FREE --enough lone short calls in a row, and not tried lately--> TRYING --it pays--> HELD
 *    ^ ^                                                             |   ^               |
 *    | `------------------------- it does not pay ------------------'   `--- each while --'
 *    `-- at once: calls overlap, one is long, too many are slow; or nothing comes for GW_PLACE_IDLE_NS
 *
 * Judged by the time from a call's arrival to the next one's, of which up to GW_PLACE_GAP_NS after the
 * reply count: so how fast the visitor was reached counts too, where he calls again at once.
 *
 * Bounds   No two calls are ever open while it says held, but for the turn in which the second comes.
 *          Each time the calls overlap before held has lasted, twice as many lone ones are wanted, up to
 *          GW_PLACE_NEED_MAX; each time it does not pay, twice as many pass untried, up to
 *          GW_PLACE_REST_MAX. A trial has 144 calls, half of them run the worse way: 3 % of all at most.
 * Purity   No clock, no I/O, no threads: `now` is an argument.
 */
#ifndef GW_PLACE_H
#define GW_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_time.h"

/* All but the last count calls. */
enum {
    GW_PLACE_BLOCK = 32, /* whose times are compared */
    GW_PLACE_SETTLE = 4, /* before them, not looked at */
    GW_PLACE_BLOCKS = 4, /* of a trial: free, held, free, held */
    GW_PLACE_NEED_MIN = 32,
    GW_PLACE_NEED_MAX = 4096,
    GW_PLACE_REST_MIN = 2048,
    GW_PLACE_REST_MAX = 65536,
    GW_PLACE_BETTER_PERCENT = 5, /* held must be better by so much */
};
#define GW_PLACE_SHORT_NS (SL_NS_PER_MS / 2)  /* a call that takes longer is slow */
#define GW_PLACE_LONG_NS  (10 * SL_NS_PER_MS) /* it needs its processor for itself */
#define GW_PLACE_GAP_NS   (300 * SL_NS_PER_US)
#define GW_PLACE_IDLE_NS  SL_NS_PER_S

enum gw_place_phase { GW_PLACE_FREE, GW_PLACE_TRYING, GW_PLACE_HELD };

/* Zeroed, then gw_place_init. */
struct gw_place {
    enum gw_place_phase phase;
    bool is_held; /* the answer */
    bool has_last;
    uint64_t arrived_count, open_count; /* as seen last */
    sl_mono_ns arrived_at, replied_at;  /* of the last call */
    uint32_t run_count, need_count;     /* FREE: lone calls in a row; how many are wanted */
    uint32_t rest_count,
        next_rest_count; /* calls to the next trial; to the one after it, if in vain */
    uint32_t slow_level;
    uint32_t block, settling, score_count; /* TRYING */
    uint32_t scores[GW_PLACE_BLOCK];       /* ns */
    uint64_t sums[2];                      /* of medians: free, held */
};

void gw_place_init(struct gw_place *p);

/* Once in each turn, before anything is sent to nodes: how many calls have come since the start, and how
 * many have no result yet. Returns is_held. */
bool gw_place_see(struct gw_place *p, uint64_t arrived_count, uint64_t open_count, sl_mono_ns now);

/* Held, and the last call is answered: is the next one likely to come at once? */
bool gw_place_is_between(const struct gw_place *p);

#endif
