/* gw_lines.c - each call is in one line, or in none. */
#include "gw_lines.h"

#include <utlist.h>

#include "gw_call.h"

static struct gw_line *line_of(struct gw_flow *f, const struct gw_call *c)
{
    return &f->lines[c->is_background ? GW_LINE_BACKGROUND : c->who.tier];
}

static bool is_placed(enum gw_call_state s)
{
    return s == GW_CALL_DISPATCHED || s == GW_CALL_RUNNING;
}

/* Who comes is mostly the youngest, and who comes back one of the oldest. */
static void wait(struct gw_line *line, struct gw_call *c)
{
    struct gw_call *after = line->waiting;
    if (after == NULL || after->line_prev->arrival < c->arrival) {
        DL_APPEND2(line->waiting, c, line_prev, line_next);
    } else {
        while (after->arrival < c->arrival)
            after = after->line_next;
        DL_PREPEND_ELEM2(line->waiting, after, c, line_prev, line_next);
    }
    line->waiting_count++;
}

void gw_lines_follow(struct gw_flow *f, struct gw_call *c, enum gw_call_state from)
{
    struct gw_line *line = line_of(f, c);
    if (from == GW_CALL_QUEUED) {
        DL_DELETE2(line->waiting, c, line_prev, line_next);
        line->waiting_count--;
    }
    if (c->state == GW_CALL_QUEUED)
        wait(line, c);
    line->placed_count += is_placed(c->state);
    line->placed_count -= is_placed(from);
}

/* Its calls wait, are of it, and lie in the order of arrival; so many they are. */
static bool is_right(const struct gw_flow *f, size_t index)
{
    const struct gw_line *line = &f->lines[index];
    const struct gw_call *c;
    uint64_t last = 0;
    size_t count = 0;
    DL_FOREACH2(line->waiting, c, line_next)
    {
        size_t of = c->is_background ? (size_t)GW_LINE_BACKGROUND : c->who.tier;
        if (c->state != GW_CALL_QUEUED || of != index || c->arrival <= last)
            return false;
        last = c->arrival;
        count++;
    }
    return count == line->waiting_count;
}

sl_status gw_flow_check_lines(const struct gw_flow *f)
{
    const uint64_t *in = f->counts.in;
    uint64_t waiting = 0, placed = 0;
    for (size_t i = 0; i < GW_LINES; i++) {
        if (!is_right(f, i))
            return SL_EBROKEN;
        waiting += f->lines[i].waiting_count;
        placed += f->lines[i].placed_count;
    }
    bool is_whole =
        waiting == in[GW_CALL_QUEUED] && placed == in[GW_CALL_DISPATCHED] + in[GW_CALL_RUNNING];
    return is_whole ? SL_OK : SL_EBROKEN;
}

int64_t gw_line_longest_us(const struct gw_line *line, sl_mono_ns now)
{
    const struct gw_call *oldest = line->waiting;
    return oldest == NULL || now < oldest->queued_at ? 0 : (now - oldest->queued_at) / SL_NS_PER_US;
}
