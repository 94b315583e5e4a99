/* gw_pace.h - does a peer move what it should? Pure.
 *
 * Progress is judged once per interval: a transfer that has not moved at all for one stands still, one that
 * has moved less than the least in one is slow. Neither is for transfers that wait for us.
 */
#ifndef GW_PACE_H
#define GW_PACE_H

#include <stdint.h>

#include "sl_time.h"

struct gw_pace_rule {
    int64_t interval_ns;
    uint64_t least_bytes; /* of each interval; 0: any byte will do */
};

struct gw_pace {
    sl_mono_ns began_at; /* of the interval under way */
    sl_mono_ns moved_at; /* the last time that anything moved */
    uint64_t moved_bytes;
};

enum gw_pace_verdict { GW_PACE_FINE, GW_PACE_STILL, GW_PACE_SLOW };

static inline void gw_pace_begin(struct gw_pace *p, sl_mono_ns now)
{
    *p = (struct gw_pace){.began_at = now, .moved_at = now};
}

static inline void gw_pace_move(struct gw_pace *p, uint64_t bytes, sl_mono_ns now)
{
    p->moved_at = now;
    p->moved_bytes += bytes;
}

/* Also begins the next interval when one is over. */
static inline enum gw_pace_verdict gw_pace_judge(struct gw_pace *p, const struct gw_pace_rule *rule,
                                                 sl_mono_ns now)
{
    if (now - p->moved_at > rule->interval_ns)
        return GW_PACE_STILL;
    if (now - p->began_at <= rule->interval_ns)
        return GW_PACE_FINE;
    uint64_t moved_bytes = p->moved_bytes;
    p->began_at = now;
    p->moved_bytes = 0;
    return moved_bytes < rule->least_bytes ? GW_PACE_SLOW : GW_PACE_FINE;
}

#endif
