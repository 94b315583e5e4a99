/* gw_lines.h - how many calls of each tier wait, and since when; how many are at their slices. Insides of the flow.
 *
 * Counts and lists move with the state of a call (gw_call_set_state). This is what operators see, not the order in which
 * calls start: that is the scheduler's.
 *
 * Cost     O(1); a call that is given back by its node looks for its place among those that wait.
 */
#ifndef GW_LINES_H
#define GW_LINES_H

#include "gw_call_state.h"
#include "gw_tier.h"

struct gw_call;
struct gw_flow;

enum { GW_LINE_BACKGROUND = GW_TIERS_MAX, GW_LINES };

/* One for each tier, by its index, and one for those who pay nothing. */
struct gw_line {
    struct gw_call *waiting; /* QUEUED, in the order of arrival: gw_call.line_next */
    size_t waiting_count;
    size_t placed_count; /* DISPATCHED and RUNNING */
};

/* The call was in that state, and is now in its own. */
void gw_lines_follow(struct gw_flow *f, struct gw_call *c, enum gw_call_state from);
/* How long the oldest call of the line has waited; 0: none waits. */
int64_t gw_line_longest_us(const struct gw_line *line, sl_mono_ns now);

#endif
