#include "gw_sched.h"

#include <string.h>
#include <utlist.h>

#include "sl_base.h"

/* ---- classes */

struct classes {
    uint32_t weights[GW_SHARES_MAX];
    size_t count;
    uint8_t of_tier[GW_TIERS_MAX];
};

static void sort_by_weight(const struct gw_tiers *tiers, struct classes *out)
{
    *out = (struct classes){0};
    for (size_t t = 0; t < tiers->tier_count; t++) {
        size_t c = 0;
        while (c < out->count && out->weights[c] != tiers->tiers[t].weight)
            c++;
        if (c == out->count)
            out->weights[out->count++] = tiers->tiers[t].weight;
        out->of_tier[t] = (uint8_t)c;
    }
}

static void take_classes(struct gw_sched *s, const struct classes *c, size_t tier_count)
{
    memcpy(s->class_of_tier, c->of_tier, sizeof s->class_of_tier);
    s->tier_count = tier_count;
}

sl_status gw_sched_init(struct gw_sched *s, const struct sl_alloc *alloc,
                        const struct gw_tiers *tiers, const struct gw_sched_limits *limits,
                        size_t max_items, size_t max_nodes)
{
    struct classes c;
    *s = (struct gw_sched){.limits = *limits, .tiers = tiers};
    sl_status st = gw_groups_init(&s->groups, alloc, max_nodes);
    if (st == SL_OK)
        st = gw_queue_init(&s->queue, alloc, &s->groups, max_items);
    if (st != SL_OK)
        return st;
    sort_by_weight(tiers, &c);
    gw_groups_set_classes(&s->groups, c.weights, c.count);
    take_classes(s, &c, tiers->tier_count);
    return SL_OK;
}

void gw_sched_finish(struct gw_sched *s)
{
    gw_queue_finish(&s->queue);
    gw_groups_finish(&s->groups);
}

static bool are_same(const struct gw_sched *s, const struct classes *c)
{
    return c->count == s->groups.class_count &&
           memcmp(c->weights, s->groups.weights, c->count * sizeof c->weights[0]) == 0 &&
           memcmp(c->of_tier, s->class_of_tier, s->tier_count) == 0;
}

typedef void (*lease_fn)(struct gw_fleet_lease *lease, void *ctx);

static void each_lease(struct gw_fleet *fleet, lease_fn fn, void *ctx)
{
    size_t cursor = 0;
    struct gw_fleet_node *node;
    struct gw_fleet_lease *lease;
    while ((node = gw_fleet_next_node(fleet, &cursor)) != NULL)
        for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
            DL_FOREACH (node->slices[i].leases, lease)
                fn(lease, ctx);
}

static void forget_charge(struct gw_fleet_lease *lease, void *ctx)
{
    (void)ctx;
    lease->is_charged = false;
}

void gw_sched_set_tiers(struct gw_sched *s, struct gw_fleet *fleet)
{
    struct classes c;
    sort_by_weight(s->tiers, &c);
    bool is_other = !are_same(s, &c);
    take_classes(s, &c, s->tiers->tier_count);
    if (!is_other)
        return;
    each_lease(fleet, forget_charge, NULL);
    gw_groups_set_classes(&s->groups, c.weights, c.count);
    gw_queue_reclass(&s->queue, s->class_of_tier);
}

void gw_sched_set_limits(struct gw_sched *s, const struct gw_sched_limits *limits)
{
    struct gw_app_load *app = NULL;
    s->limits = *limits;
    while ((app = gw_app_loads_next(&s->queue.apps, app)) != NULL)
        gw_queue_bring_back(&s->queue, app);
}

/* ---- nodes */

static size_t models_of(const struct gw_fleet_node *node,
                        sl_slot_id out[GW_FLEET_MODELS_OF_NODE_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < node->offer_count; i++)
        if (node->offers[i].model != NULL)
            out[count++] = node->offers[i].model->id;
    return count;
}

sl_status gw_sched_join(struct gw_sched *s, struct gw_fleet_node *node)
{
    sl_slot_id models[GW_FLEET_MODELS_OF_NODE_MAX];
    size_t count = models_of(node, models);
    struct gw_group *g;
    bool is_new;
    sl_status st = gw_groups_join(&s->groups, models, count, node->slice_count, &g, &is_new);
    if (st != SL_OK)
        return st;
    if (is_new && gw_queue_regroup(&s->queue) != SL_OK) {
        gw_groups_leave(&s->groups, g, node->slice_count);
        gw_groups_forget(g);
        return SL_ENOMEM;
    }
    node->group = g;
    return SL_OK;
}

/* The group stays its node's until that is gone: leases end there. */
void gw_sched_leave(struct gw_sched *s, struct gw_fleet_node *node)
{
    if (node->group != NULL)
        gw_groups_leave(&s->groups, node->group, node->slice_count);
}

/* ---- calls */

sl_status gw_sched_room(const struct gw_sched *s, size_t tier, size_t *out_limit, bool *is_of_tier)
{
    *is_of_tier = s->queue.tier_counts[tier] >= s->limits.max_queued_of_tier;
    *out_limit = *is_of_tier ? s->limits.max_queued_of_tier : s->limits.max_queued;
    return *is_of_tier || s->queue.counts[0] >= s->limits.max_queued ? SL_EFULL : SL_OK;
}

bool gw_sched_has_background_room(const struct gw_sched *s)
{
    return s->queue.counts[1] < s->limits.max_queued;
}

static struct gw_queue_model *line_up(struct gw_fleet_model *m, bool is_background)
{
    return is_background ? &m->background : &m->waiting;
}

sl_status gw_sched_push(struct gw_sched *s, struct gw_fleet_model *m, struct gw_queue_item *item,
                        const struct gw_queue_ask *ask, bool is_background)
{
    struct gw_queue_ask full = *ask;
    full.class_index = is_background ? GW_QUEUE_BACKGROUND : s->class_of_tier[ask->tier];
    return gw_queue_push(&s->queue, line_up(m, is_background), item, &full);
}

/* The classes may have changed while it was away. */
sl_status gw_sched_return(struct gw_sched *s, struct gw_fleet_model *m, struct gw_queue_item *item)
{
    struct gw_queue_ask ask = item->ask;
    return gw_sched_push(s, m, item, &ask, gw_queue_is_background(item));
}

void gw_sched_remove(struct gw_sched *s, struct gw_queue_item *item)
{
    gw_queue_remove(&s->queue, item);
}

/* ---- whose turn it is in a group */

/* Who may be next there. */
struct turn {
    const struct gw_group *group;
    uint32_t classes; /* those that were not passed over yet */
    unsigned sizes;   /* likewise */
};

static bool may_run(const struct gw_sched *s, const struct gw_queue_item *item)
{
    return item->app == NULL || item->app->running_count < s->limits.max_app_running;
}

/* One of the two orders in which a line is kept. */
struct line_order {
    struct gw_queue_item *(*first)(const struct gw_pool *p, size_t size, size_t c);
    bool (*is_before)(const struct gw_queue_item *a, const struct gw_queue_item *b);
};

static bool is_older(const struct gw_queue_item *a, const struct gw_queue_item *b)
{
    return a->ask.arrival < b->ask.arrival;
}

static const struct line_order by_key = {gw_queue_first, gw_queue_is_before};
static const struct line_order by_age = {gw_queue_oldest, is_older};

/* The first of a line whose app may have one more; NULL. */
static struct gw_queue_item *first_of(struct gw_sched *s, const struct line_order *order,
                                      const struct gw_pool *p, size_t size, size_t c)
{
    struct gw_queue_item *first;
    while ((first = order->first(p, size, c)) != NULL && !may_run(s, first))
        gw_queue_put_aside(&s->queue, first);
    return first;
}

/* The first call of a class that could start there; NULL. */
static struct gw_queue_item *head_of(struct gw_sched *s, const struct line_order *order,
                                     const struct turn *t, size_t c)
{
    struct gw_queue_item *best = NULL;
    const struct gw_pool *p;
    DL_FOREACH (s->queue.pools, p) {
        if (p->sizes[c] == 0 || !gw_groups_has(p->groups, t->group->index))
            continue;
        for (unsigned left = p->sizes[c] & t->sizes; left != 0; left &= left - 1) {
            struct gw_queue_item *first = first_of(s, order, p, (size_t)__builtin_ctz(left), c);
            if (first != NULL && (best == NULL || order->is_before(first, best)))
                best = first;
        }
    }
    return best;
}

static int64_t credit_for(const struct gw_queue_item *item)
{
    int64_t us = gw_queue_work_us(&item->ask);
    return us < GW_SCHED_AGE_CREDIT_MAX_US ? us : GW_SCHED_AGE_CREDIT_MAX_US;
}

/* Is it the turn of who has waited for longest? */
static struct gw_queue_item *aged_of(struct gw_sched *s, const struct turn *t, size_t c)
{
    if (t->group->age_credit_us[c] <= 0)
        return NULL;
    struct gw_queue_item *old = head_of(s, &by_age, t, c);
    bool is_due = old != NULL && s->now_us - old->ask.arrived_us >= s->limits.patience_us &&
                  t->group->age_credit_us[c] >= credit_for(old);
    return is_due ? old : NULL;
}

/* The call of a class that could start there; NULL. */
static struct gw_queue_item *next_of(struct gw_sched *s, const struct turn *t, size_t c)
{
    struct gw_queue_item *head = head_of(s, &by_key, t, c);
    struct gw_queue_item *aged = head == NULL ? NULL : aged_of(s, t, c);
    struct gw_queue_item *next = aged != NULL ? aged : head;
    if (next != NULL)
        next->is_by_age = next != head;
    return next;
}

static size_t heaviest(const struct turn *t)
{
    size_t best = GW_SHARES_NONE;
    const struct gw_share_class *classes = t->group->shares.classes;
    for (uint32_t left = t->classes; left != 0; left &= left - 1) {
        size_t c = (size_t)__builtin_ctz(left);
        if (best == GW_SHARES_NONE || classes[c].weight > classes[best].weight)
            best = c;
    }
    return best;
}

static struct gw_queue_item *oldest_head(struct gw_sched *s, const struct turn *t)
{
    struct gw_queue_item *best = NULL;
    for (uint32_t left = t->classes; left != 0; left &= left - 1) {
        struct gw_queue_item *head = next_of(s, t, (size_t)__builtin_ctz(left));
        if (head != NULL && (best == NULL || head->ask.arrival < best->ask.arrival))
            best = head;
    }
    return best;
}

/* Of all that may be next; NULL when nobody is left. */
static struct gw_queue_item *next_head(struct gw_sched *s, struct turn *t)
{
    if (s->limits.policy == GW_SCHED_FIFO)
        return oldest_head(s, t);
    while ((t->classes &= t->group->shares.waiting) != 0) {
        size_t c = s->limits.policy == GW_SCHED_STRICT
                       ? heaviest(t)
                       : gw_shares_next(&t->group->shares, t->classes);
        struct gw_queue_item *head = next_of(s, t, c);
        if (head != NULL)
            return head;
        t->classes &= ~(UINT32_C(1) << c);
    }
    return NULL;
}

/* ---- a slice for it */

enum { BACKFILL_LOOKS = 16 }; /* calls of a line */

struct start {
    struct gw_queue_item *item; /* NULL: none */
    struct gw_fleet_slice *slice;
    bool is_warm;
};

static struct gw_fleet_model *model_of(const struct gw_queue_item *item)
{
    return gw_queue_is_background(item)
               ? SL_CONTAINER_OF(item->model, struct gw_fleet_model, background)
               : SL_CONTAINER_OF(item->model, struct gw_fleet_model, waiting);
}

const struct gw_size *gw_sched_size(const struct gw_sched *s, const struct gw_queue_item *item)
{
    return &s->tiers->sizes[item->ask.size];
}

void gw_sched_new_round(struct gw_sched *s, struct gw_fleet *fleet, sl_mono_ns now)
{
    s->round++;
    s->now_us = now / SL_NS_PER_US;
    gw_fleet_new_round(fleet, now);
}

/* Those behind it may pass, but not on what it needs. Once in a round. */
static void keep_room(const struct gw_sched *s, struct gw_fleet *fleet, struct gw_queue_item *item)
{
    if (item->kept_in == s->round)
        return;
    item->kept_in = s->round;
    gw_fleet_keep(fleet, model_of(item), gw_sched_size(s, item));
}

/* Of the first calls of a line, one that is over before what is kept is wanted. */
static struct start gap_in(struct gw_sched *s, struct gw_fleet *fleet, const struct gw_group *g,
                           struct gw_queue_item *item)
{
    for (int i = 0; item != NULL && i < BACKFILL_LOOKS; item = gw_queue_next(item), i++) {
        struct gw_fleet_slice *slice =
            may_run(s, item) ? gw_fleet_backfill(fleet, model_of(item), gw_sched_size(s, item), g,
                                                 item->ask.limit_us)
                             : NULL;
        if (slice == NULL)
            continue;
        item->is_by_age = false;
        return (struct start){item, slice, slice->last_model == model_of(item)};
    }
    return (struct start){0};
}

/* Nobody can start otherwise: in the order of classes, who fits into what is kept. */
static struct start gap_of(struct gw_sched *s, struct gw_fleet *fleet, const struct gw_group *g)
{
    struct start start = {0};
    uint32_t classes = g->shares.waiting;
    while (start.item == NULL && classes != 0) {
        size_t c = gw_shares_next(&g->shares, classes);
        const struct gw_pool *p;
        classes &= ~(UINT32_C(1) << c);
        DL_FOREACH (s->queue.pools, p) {
            if (!gw_groups_has(p->groups, g->index))
                continue;
            for (unsigned left = p->sizes[c]; left != 0 && start.item == NULL; left &= left - 1)
                start = gap_in(s, fleet, g, gw_queue_first(p, (size_t)__builtin_ctz(left), c));
        }
    }
    return start;
}

/* What the group would start now. Who finds no slice is not passed by others of that size: all the
 * group's slices are alike to them. */
static struct start start_of(struct gw_sched *s, struct gw_fleet *fleet, const struct gw_group *g)
{
    struct turn t = {g, g->shares.waiting, (1u << GW_SIZES_MAX) - 1};
    struct gw_queue_item *head;
    while ((head = next_head(s, &t)) != NULL) {
        struct gw_fleet_model *m = model_of(head);
        struct gw_fleet_slice *slice = gw_fleet_pick(fleet, m, gw_sched_size(s, head), g);
        if (slice != NULL)
            return (struct start){head, slice, slice->last_model == m};
        keep_room(s, fleet, head);
        t.sizes &= ~(1u << head->ask.size);
    }
    return gw_fleet_has_kept(fleet) ? gap_of(s, fleet, g) : (struct start){0};
}

/* Of two that could both be: an idle slice before a busy one, a warm one before a cold one, then
 * the one that is idle longest. */
static bool is_better(const struct start *a, const struct start *b)
{
    bool is_idle = a->slice->lease_count == 0;
    if (b->item == NULL || is_idle != (b->slice->lease_count == 0))
        return b->item == NULL || is_idle;
    if (is_idle && a->is_warm != b->is_warm)
        return a->is_warm;
    return a->slice->last_used_at < b->slice->last_used_at;
}

bool gw_sched_next(struct gw_sched *s, struct gw_fleet *fleet, struct gw_queue_item **out_item,
                   struct gw_fleet_slice **out_slice)
{
    struct start best = {0};
    for (size_t i = 0; i < s->groups.used_end; i++) {
        const struct gw_group *g = &s->groups.groups[i];
        if (g->node_count == 0 || g->shares.waiting == 0)
            continue;
        struct start start = start_of(s, fleet, g);
        if (start.item != NULL && is_better(&start, &best))
            best = start;
    }
    *out_item = best.item;
    *out_slice = best.slice;
    return best.item != NULL;
}

static void look_for_idle(const struct gw_sched *s, struct gw_fleet *fleet,
                          struct gw_queue_item *head, struct start *best)
{
    if (head == NULL || (best->item != NULL && gw_queue_is_before(best->item, head)))
        return;
    struct gw_fleet_slice *slice =
        gw_fleet_pick_idle(fleet, model_of(head), gw_sched_size(s, head));
    if (slice != NULL)
        *best = (struct start){.item = head, .slice = slice};
}

bool gw_sched_next_idle(struct gw_sched *s, struct gw_fleet *fleet, struct gw_queue_item **out_item,
                        struct gw_fleet_slice **out_slice)
{
    struct start best = {0};
    const struct gw_pool *p;
    DL_FOREACH (s->queue.pools, p) {
        for (unsigned left = p->sizes[GW_QUEUE_BACKGROUND]; left != 0; left &= left - 1)
            look_for_idle(s, fleet,
                          first_of(s, &by_key, p, (size_t)__builtin_ctz(left), GW_QUEUE_BACKGROUND),
                          &best);
    }
    *out_item = best.item;
    *out_slice = best.slice;
    return best.item != NULL;
}

/* ---- it has one */

/* Time that was given by age must have been earned by the others'. */
static void earn(int64_t *credit_us, int64_t us, bool is_by_age)
{
    *credit_us = sl_sat_add(*credit_us, is_by_age ? -us : us / (GW_SCHED_AGE_PARTS - 1));
    if (*credit_us > GW_SCHED_AGE_CREDIT_MAX_US)
        *credit_us = GW_SCHED_AGE_CREDIT_MAX_US;
}

void gw_sched_start(struct gw_sched *s, struct gw_queue_item *item, struct gw_fleet_lease *lease)
{
    struct gw_group *g = lease->slice->node->group;
    size_t c = item->ask.class_index;
    lease->is_charged = !gw_queue_is_background(item);
    lease->is_by_age = item->is_by_age;
    lease->limit_us = item->ask.limit_us;
    if (lease->is_charged) {
        earn(&g->age_credit_us[c], gw_queue_work_us(&item->ask), item->is_by_age);
        lease->share =
            gw_shares_start(&g->shares, c, item->ask.expected_us, item->ask.factor_thousandths);
    }
    lease->app = item->app;
    if (item->app != NULL)
        item->app->running_count++;
    gw_queue_remove(&s->queue, item);
}

/* It was not what was expected. A class that has rested since has begun anew. */
static void correct(struct gw_group *g, const struct gw_fleet_lease *lease, int64_t used_us)
{
    const struct gw_share *share = &lease->share;
    const struct gw_share_class *c = &g->shares.classes[share->class_index];
    if (c->is_waiting && c->period == share->period)
        earn(&g->age_credit_us[share->class_index],
             sl_sat_mul(used_us - share->expected_us, share->factor_thousandths) / GW_FACTOR_ONE,
             lease->is_by_age);
    gw_shares_end(&g->shares, share, used_us);
}

/* One more of the app's calls may run. */
static void leave_app(struct gw_sched *s, struct gw_app_load *app)
{
    app->running_count--;
    gw_queue_bring_back(&s->queue, app);
    gw_app_loads_release(&s->queue.apps, app);
}

void gw_sched_end(struct gw_sched *s, struct gw_fleet_lease *lease, int64_t used_us)
{
    if (lease->app != NULL)
        leave_app(s, lease->app);
    lease->app = NULL;
    if (lease->is_charged)
        correct(lease->slice->node->group, lease, used_us);
    lease->is_charged = false;
}

/* ---- invariants */

struct charged {
    const struct gw_group *group;
    size_t counts[GW_SHARES_MAX];
};

static void count_charge(struct gw_fleet_lease *lease, void *ctx)
{
    struct charged *c = ctx;
    if (lease->is_charged && lease->slice->node->group == c->group)
        c->counts[lease->share.class_index]++;
}

static bool group_holds(const struct gw_sched *s, struct gw_fleet *fleet, const struct gw_group *g)
{
    struct charged c = {.group = g};
    each_lease(fleet, count_charge, &c);
    for (size_t i = 0; i < s->groups.class_count; i++)
        if (c.counts[i] != g->shares.classes[i].running_count)
            return false;
    return true;
}

struct of_app {
    const struct gw_app_load *app;
    size_t count;
};

static void count_of_app(struct gw_fleet_lease *lease, void *ctx)
{
    struct of_app *o = ctx;
    o->count += lease->app == o->app;
}

static bool apps_hold(const struct gw_sched *s, struct gw_fleet *fleet)
{
    const struct gw_app_load *app = NULL;
    while ((app = gw_app_loads_next(&s->queue.apps, app)) != NULL) {
        struct of_app o = {.app = app};
        each_lease(fleet, count_of_app, &o);
        if (o.count != app->running_count)
            return false;
    }
    return true;
}

static bool nodes_hold(const struct gw_group *g, struct gw_fleet *fleet)
{
    size_t cursor = 0, nodes = 0, slices = 0;
    const struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(fleet, &cursor)) != NULL) {
        sl_slot_id models[GW_FLEET_MODELS_OF_NODE_MAX];
        if (node->group != g)
            continue;
        nodes++;
        slices += node->slice_count;
        if (models_of(node, models) != g->model_count)
            return false;
    }
    return nodes == g->node_count && slices == g->slice_count;
}

sl_status gw_sched_check(const struct gw_sched *s, struct gw_fleet *fleet)
{
    for (size_t i = 0; i < s->groups.used_end; i++) {
        const struct gw_group *g = &s->groups.groups[i];
        if (g->is_used && !(group_holds(s, fleet, g) && nodes_hold(g, fleet)))
            return SL_EBROKEN;
    }
    if (!apps_hold(s, fleet))
        return SL_EBROKEN;
    sl_status st = gw_groups_check(&s->groups);
    return st == SL_OK ? gw_queue_check(&s->queue) : st;
}
