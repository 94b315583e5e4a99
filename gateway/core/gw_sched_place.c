/* gw_sched_place.c - where a call stands in the order that holds now; see gw_sched.h. */
#include <utlist.h>

#include "gw_fluid.h"
#include "gw_sched.h"

static bool do_meet(const struct gw_sched *s, const struct gw_pool *a, const struct gw_pool *b)
{
    for (size_t w = 0; w < s->groups.words_count; w++)
        if ((a->groups[w] & b->groups[w]) != 0)
            return true;
    return false;
}

static void add(struct gw_fluid_sum *sum, struct gw_order_sum more)
{
    sum->count += more.count;
    sum->work_us += more.work_us; /* cannot overflow: see GW_ORDER_WORK_MAX_US */
}

/* What waits in a class, in the lines whose calls could want the pool's slices; `before` is what
 * of that has an earlier key. */
struct waiting {
    struct gw_fluid_sum all, before;
};

static void add_lines(const struct gw_pool *p, size_t c, const struct gw_queue_ask *ask,
                      struct waiting *out)
{
    for (unsigned left = p->sizes[c]; left != 0; left &= left - 1) {
        const struct gw_order *line = &p->lines[__builtin_ctz(left)][c];
        add(&out->all, gw_order_total(line));
        add(&out->before, gw_order_before_key(line, ask->key_us, ask->arrival));
    }
}

static struct waiting waiting_of(const struct gw_sched *s, const struct gw_pool *pool, size_t c,
                                 const struct gw_queue_ask *ask)
{
    struct waiting w = {0};
    const struct gw_pool *p;
    DL_FOREACH (s->queue.pools, p) {
        if (p->sizes[c] != 0 && do_meet(s, p, pool))
            add_lines(p, c, ask, &w);
    }
    return w;
}

/* Of the pool's groups, the one where the class comes first; NULL: none has nodes. */
static const struct gw_group *group_of(const struct gw_sched *s, const struct gw_pool *pool,
                                       size_t c)
{
    const struct gw_group *best = NULL;
    for (size_t i = 0; i < s->groups.used_end; i++) {
        const struct gw_group *g = &s->groups.groups[i];
        if (gw_groups_has(pool->groups, i) && g->node_count > 0 &&
            (best == NULL || g->shares.classes[c].ahead < best->shares.classes[c].ahead))
            best = g;
    }
    return best;
}

static void take_own(struct gw_sched_place *out, const struct waiting *own)
{
    out->own_before = out->before = own->before.count;
    out->own_before_us = out->work_before_us = own->before.work_us;
    out->waiting = own->all.count;
}

static void take_before(struct gw_sched_place *out, struct gw_fluid_sum more)
{
    out->before += more.count;
    out->work_before_us += more.work_us;
}

static void place_fairly(const struct gw_sched *s, const struct gw_pool *pool,
                         const struct waiting *classes, size_t own, struct gw_sched_place *out)
{
    struct gw_fluid_class fluid[GW_SHARES_MAX];
    const struct gw_group *g = group_of(s, pool, own);
    for (size_t c = 0; c < s->groups.class_count; c++)
        fluid[c] = (struct gw_fluid_class){.weight = s->groups.weights[c],
                                           .ahead = g == NULL ? 0 : g->shares.classes[c].ahead,
                                           .count = classes[c].all.count,
                                           .work_us = classes[c].all.work_us};
    struct gw_fluid_sum sum =
        gw_fluid_before(fluid, s->groups.class_count, own, classes[own].before);
    out->before = sum.count;
    out->work_before_us = sum.work_us;
}

/* By another policy than fair. */
static void place_plainly(const struct gw_sched *s, const struct waiting *classes, size_t own,
                          struct gw_sched_place *out)
{
    const uint32_t *weights = s->groups.weights;
    for (size_t c = 0; c < s->groups.class_count; c++) {
        if (c == own)
            continue;
        if (s->limits.policy == GW_SCHED_FIFO)
            take_before(out, classes[c].before);
        else if (weights[c] > weights[own])
            take_before(out, classes[c].all);
    }
}

/* Behind all who pay. */
static void place_in_background(const struct waiting *classes, size_t class_count,
                                struct gw_sched_place *out)
{
    for (size_t c = 0; c < class_count; c++)
        take_before(out, classes[c].all);
}

static void place(const struct gw_sched *s, const struct gw_pool *pool,
                  const struct gw_queue_ask *ask, struct gw_sched_place *out)
{
    struct waiting classes[GW_SHARES_MAX];
    size_t own = ask->class_index;
    for (size_t c = 0; c < s->groups.class_count; c++)
        classes[c] = waiting_of(s, pool, c, ask);
    const struct waiting mine = waiting_of(s, pool, own, ask);
    take_own(out, &mine);
    if (own == GW_QUEUE_BACKGROUND)
        place_in_background(classes, s->groups.class_count, out);
    else if (s->limits.policy == GW_SCHED_FAIR)
        place_fairly(s, pool, classes, own, out);
    else
        place_plainly(s, classes, own, out);
    for (size_t c = 0; c < s->groups.class_count; c++)
        out->waiting += c == own ? 0 : classes[c].all.count;
}

void gw_sched_place(const struct gw_sched *s, const struct gw_queue_item *item,
                    struct gw_sched_place *out)
{
    place(s, item->pool, &item->ask, out);
    out->waiting += item->aside != NULL; /* it is in no line */
}

bool gw_sched_place_of(struct gw_sched *s, struct gw_fleet_model *m, const struct gw_queue_ask *ask,
                       struct gw_sched_place *out)
{
    struct gw_queue_ask full = *ask;
    const struct gw_pool *pool = gw_queue_pool_of(&s->queue, &m->waiting);
    if (pool == NULL)
        return false;
    full.class_index = s->class_of_tier[ask->tier];
    place(s, pool, &full, out);
    out->waiting++;
    return true;
}

size_t gw_sched_slice_count(struct gw_sched *s, struct gw_fleet_model *m)
{
    size_t count = 0;
    const struct gw_pool *pool = gw_queue_pool_of(&s->queue, &m->waiting);
    for (size_t i = 0; pool != NULL && i < s->groups.used_end; i++)
        if (gw_groups_has(pool->groups, i))
            count += s->groups.groups[i].slice_count;
    return count;
}
