#include "gw_shares.h"

#include <assert.h>

#define AHEAD_MAX (INT64_C(1) << 62)

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum = sl_sat_add(a, b);
    if (sum > AHEAD_MAX)
        return AHEAD_MAX;
    return sum < -AHEAD_MAX ? -AHEAD_MAX : sum;
}

static int64_t at_least_zero(int64_t x)
{
    return x > 0 ? x : 0;
}

static int64_t between(int64_t x, int64_t least, int64_t most)
{
    if (x < least)
        return least;
    return x < most ? x : most;
}

void gw_shares_init(struct gw_shares *s, size_t class_count)
{
    assert(class_count <= GW_SHARES_MAX);
    *s = (struct gw_shares){.class_count = class_count};
    for (size_t i = 0; i < class_count; i++)
        s->classes[i].weight = 1;
}

void gw_shares_set_weight(struct gw_shares *s, size_t class_index, uint32_t weight)
{
    assert(class_index < s->class_count && weight > 0);
    s->classes[class_index].weight = weight;
}

/* ---- waiting */

/* Nobody wants a slice and nobody has one: what was used before is no one's loss. */
static void forgive_all(struct gw_shares *s)
{
    if (s->waiting != 0 || s->running_count > 0)
        return;
    for (size_t i = 0; i < s->class_count; i++)
        s->classes[i].ahead = s->classes[i].brought = 0;
}

void gw_shares_wait(struct gw_shares *s, size_t class_index)
{
    struct gw_share_class *c = &s->classes[class_index];
    if (c->is_waiting)
        return;
    c->is_waiting = true;
    s->waiting |= UINT32_C(1) << class_index;
    c->period++;
    c->brought = c->ahead;
    c->ahead = at_least_zero(c->ahead);
}

void gw_shares_rest(struct gw_shares *s, size_t class_index)
{
    s->classes[class_index].is_waiting = false;
    s->waiting &= ~(UINT32_C(1) << class_index);
    forgive_all(s);
}

static bool is_before(const struct gw_share_class *a, const struct gw_share_class *b)
{
    if (a->ahead != b->ahead)
        return a->ahead < b->ahead;
    if (a->started_in != b->started_in)
        return a->started_in < b->started_in;
    return a->weight > b->weight;
}

size_t gw_shares_next(const struct gw_shares *s, uint32_t among)
{
    size_t next = GW_SHARES_NONE;
    for (uint32_t left = s->waiting & among; left != 0; left &= left - 1) {
        size_t i = (size_t)__builtin_ctz(left);
        if (next == GW_SHARES_NONE || is_before(&s->classes[i], &s->classes[next]))
            next = i;
    }
    return next;
}

/* ---- charges */

static int64_t charge(const struct gw_share *share, int64_t time_us)
{
    return sl_sat_mul(time_us, share->factor_thousandths) / share->weight;
}

/* Virtual time goes on. Who waits is not left behind it, so that nobody gains by waiting for
 * another slice; who rests is, so that corrections of what he still runs find out what they have
 * to make up for. */
static void advance(struct gw_shares *s, int64_t step)
{
    for (size_t i = 0; i < s->class_count; i++) {
        struct gw_share_class *c = &s->classes[i];
        c->ahead = add(c->ahead, -step);
        if (c->is_waiting)
            c->ahead = at_least_zero(c->ahead);
    }
}

struct gw_share gw_shares_start(struct gw_shares *s, size_t class_index, int64_t expected_us,
                                uint32_t factor_thousandths)
{
    struct gw_share_class *c = &s->classes[class_index];
    assert(c->is_waiting);
    struct gw_share share = {
        .class_index = (uint32_t)class_index,
        .period = c->period,
        .weight = c->weight,
        .factor_thousandths = factor_thousandths,
        .expected_us = between(expected_us, 1, GW_SHARES_TIME_MAX_US),
    };
    advance(s, c->ahead);
    c->ahead = add(c->ahead, charge(&share, share.expected_us));
    c->started_in = ++s->start_count;
    c->running_count++;
    s->running_count++;
    return share;
}

/* A correction of what started before the class last began to wait changes only what it then
 * brought along: a debt can become smaller, and be none, but what is left over of an old payment
 * buys nothing now. */
static void correct_past(struct gw_share_class *c, int64_t more)
{
    int64_t debt = at_least_zero(c->brought);
    c->brought = add(c->brought, more);
    c->ahead = add(c->ahead, at_least_zero(c->brought) - debt);
}

/* A class that waits has been given back more than it was ahead. Virtual time does not go back, all
 * others who wait go ahead instead: so nobody who rests comes to owe anything by it. */
static void level(struct gw_shares *s, int64_t lag)
{
    for (size_t i = 0; i < s->class_count; i++)
        if (s->classes[i].is_waiting)
            s->classes[i].ahead = add(s->classes[i].ahead, lag);
}

void gw_shares_end(struct gw_shares *s, const struct gw_share *share, int64_t used_us)
{
    struct gw_share_class *c = &s->classes[share->class_index];
    assert(c->running_count > 0);
    c->running_count--;
    s->running_count--;
    int64_t used = charge(share, between(used_us, 0, GW_SHARES_TIME_MAX_US));
    int64_t more = used - charge(share, share->expected_us);
    if (share->period == c->period)
        c->ahead = add(c->ahead, more);
    else
        correct_past(c, more);
    if (c->is_waiting && c->ahead < 0)
        level(s, -c->ahead);
    forgive_all(s);
}

/* ---- invariants */

sl_status gw_shares_check(const struct gw_shares *s)
{
    size_t running_count = 0;
    uint32_t waiting = 0;
    bool is_idle = s->waiting == 0 && s->running_count == 0, holds = true;
    for (size_t i = 0; i < s->class_count; i++) {
        const struct gw_share_class *c = &s->classes[i];
        running_count += c->running_count;
        waiting |= (uint32_t)c->is_waiting << i;
        holds &= c->weight > 0;
        holds &= !c->is_waiting || c->ahead >= 0;
        holds &= !is_idle || (c->ahead == 0 && c->brought == 0);
    }
    holds &= running_count == s->running_count && waiting == s->waiting;
    return holds ? SL_OK : SL_EBROKEN;
}
