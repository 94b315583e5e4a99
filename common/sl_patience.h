/* sl_patience.h - is a peer silent, or could nobody hear it?
 *
 * Who waits for a peer wakes at least once in each third of lost_after. When more time than that lies between two
 * of its turns, it stood still itself: a starved processor, a stopped process. What the peer said meanwhile lies
 * unread, so of the time between two turns at most a third counts, and a peer is lost only when it was listened
 * to for lost_after.
 *
 *   each turn   sl_patience_turn, before anything is read; then for whoever is heard: heard = waited_ns
 *   then        sl_patience_is_over(p, heard)? wait until sl_patience_next_at at the latest
 *
 * Purity   No clock, no memory of its own. Time that goes backwards counts as none.
 */
#ifndef SL_PATIENCE_H
#define SL_PATIENCE_H

#include <stdbool.h>

#include "sl_time.h"

enum { SL_PATIENCE_STEPS = 3 };

struct sl_patience {
    int64_t lost_after_ns;
    sl_mono_ns turn_at;
    int64_t waited_ns; /* that was listened, since the beginning */
};

static inline void sl_patience_init(struct sl_patience *p, int64_t lost_after_ns, sl_mono_ns now)
{
    *p = (struct sl_patience){.lost_after_ns = lost_after_ns, .turn_at = now};
}

static inline int64_t sl_patience_step_ns(const struct sl_patience *p)
{
    return p->lost_after_ns / SL_PATIENCE_STEPS + 1;
}

static inline void sl_patience_turn(struct sl_patience *p, sl_mono_ns now)
{
    const int64_t gap = now - p->turn_at, step = sl_patience_step_ns(p);
    if (gap <= 0)
        return;
    p->turn_at = now;
    p->waited_ns += gap < step ? gap : step;
}

static inline int64_t sl_patience_silence_ns(const struct sl_patience *p, int64_t heard_ns)
{
    return p->waited_ns - heard_ns;
}

static inline bool sl_patience_is_over(const struct sl_patience *p, int64_t heard_ns)
{
    return sl_patience_silence_ns(p, heard_ns) > p->lost_after_ns;
}

/* When to look again at a peer that was heard then. */
static inline sl_mono_ns sl_patience_next_at(const struct sl_patience *p, int64_t heard_ns)
{
    const int64_t silence = sl_patience_silence_ns(p, heard_ns);
    const int64_t rest = sl_sat_add(p->lost_after_ns - silence, 1);
    const int64_t step = sl_patience_step_ns(p);
    return sl_sat_add(p->turn_at, rest < step ? rest : step);
}

#endif
