#include "gw_place.h"

#include <stdlib.h>

/* One slow call now and then is no sign; three among a few dozen are. */
enum { SLOW_WEIGHT = 16, SLOW_MAX = 40 };

void gw_place_init(struct gw_place *p)
{
    *p = (struct gw_place){.need_count = GW_PLACE_NEED_MIN, .next_rest_count = GW_PLACE_REST_MIN};
}

static uint32_t doubled(uint32_t n, uint32_t max)
{
    return n > max / 2 ? max : 2 * n;
}

/* ---- the phases */

static void let_go(struct gw_place *p)
{
    if (p->phase != GW_PLACE_FREE)
        p->rest_count = 0;
    p->phase = GW_PLACE_FREE;
    p->is_held = false;
    p->run_count = 0;
    p->slow_level = 0;
}

/* These are not lone short calls. */
static void break_off(struct gw_place *p)
{
    if (p->phase != GW_PLACE_FREE)
        p->need_count = doubled(p->need_count, GW_PLACE_NEED_MAX);
    let_go(p);
    p->has_last = false;
}

static void begin_block(struct gw_place *p)
{
    p->is_held = p->block % 2 == 1;
    p->settling = GW_PLACE_SETTLE;
    p->score_count = 0;
}

static void begin_trial(struct gw_place *p)
{
    p->phase = GW_PLACE_TRYING;
    p->block = 0;
    p->sums[0] = p->sums[1] = 0;
    begin_block(p);
}

static void end_trial(struct gw_place *p)
{
    if (p->sums[1] * 100 < p->sums[0] * (100 - GW_PLACE_BETTER_PERCENT)) {
        p->phase = GW_PLACE_HELD;
        p->is_held = true;
        p->rest_count = p->next_rest_count = GW_PLACE_REST_MIN;
        return;
    }
    let_go(p);
    p->rest_count = p->next_rest_count;
    p->next_rest_count = doubled(p->next_rest_count, GW_PLACE_REST_MAX);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void end_block(struct gw_place *p)
{
    qsort(p->scores, GW_PLACE_BLOCK, sizeof p->scores[0], compare);
    p->sums[p->is_held] += p->scores[GW_PLACE_BLOCK / 2];
    if (++p->block == GW_PLACE_BLOCKS)
        end_trial(p);
    else
        begin_block(p);
}

/* ---- one call after the other */

static void count_score(struct gw_place *p, int64_t ns)
{
    if (p->settling > 0) {
        p->settling--;
        return;
    }
    p->scores[p->score_count++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    if (p->score_count == GW_PLACE_BLOCK)
        end_block(p);
}

static void count_lone(struct gw_place *p, int64_t score_ns)
{
    p->rest_count -= p->rest_count > 0;
    switch (p->phase) {
    case GW_PLACE_FREE:
        p->run_count += p->run_count < p->need_count;
        if (p->run_count == p->need_count && p->rest_count == 0)
            begin_trial(p);
        return;
    case GW_PLACE_TRYING:
        count_score(p, score_ns);
        return;
    case GW_PLACE_HELD:
        if (p->rest_count == 0) {
            p->need_count = GW_PLACE_NEED_MIN; /* it has lasted */
            begin_trial(p);
        }
        return;
    }
}

/* A single call has come, and none is open beside it: the one before it is whole now. */
static void on_lone(struct gw_place *p, sl_mono_ns now)
{
    if (p->has_last) {
        int64_t took = p->replied_at - p->arrived_at, gap = now - p->replied_at;
        count_lone(p, took + (gap < GW_PLACE_GAP_NS ? gap : GW_PLACE_GAP_NS));
    }
    p->arrived_at = now;
    p->has_last = false;
}

static void on_reply(struct gw_place *p, sl_mono_ns now)
{
    bool is_slow = now - p->arrived_at > GW_PLACE_SHORT_NS;
    p->replied_at = now;
    p->has_last = true;
    if (is_slow)
        p->slow_level += SLOW_WEIGHT;
    else
        p->slow_level -= p->slow_level > 0;
    if (is_slow && (p->phase == GW_PLACE_FREE || p->slow_level > SLOW_MAX))
        break_off(p);
}

bool gw_place_see(struct gw_place *p, uint64_t arrived_count, uint64_t open_count, sl_mono_ns now)
{
    uint64_t came = arrived_count - p->arrived_count, was_open = p->open_count;
    p->arrived_count = arrived_count;
    p->open_count = open_count;
    if (open_count > 1 || came > 1 || (came == 1 && was_open > 0))
        break_off(p);
    else if (came == 1 && open_count == 1)
        on_lone(p, now);
    else if (was_open == 1 && open_count == 0)
        on_reply(p, now);
    else if (open_count == 1 && now - p->arrived_at > GW_PLACE_LONG_NS)
        break_off(p);
    else if (open_count == 0 && now - p->replied_at > GW_PLACE_IDLE_NS)
        let_go(p);
    return p->is_held;
}

bool gw_place_is_between(const struct gw_place *p)
{
    return p->is_held && p->open_count == 0 && p->has_last;
}
