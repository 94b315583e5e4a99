#include "gw_queue.h"

#include <string.h>
#include <utlist.h>

static size_t words_bytes(const struct gw_queue *q)
{
    return q->groups->words_count * sizeof *q->scratch;
}

sl_status gw_queue_init(struct gw_queue *q, const struct sl_alloc *alloc, struct gw_groups *groups,
                        size_t max_items)
{
    *q = (struct gw_queue){.alloc = alloc, .groups = groups, .epoch = 1};
    sl_status s = gw_order_pool_create(alloc, max_items, &q->places);
    if (s != SL_OK)
        return s;
    q->scratch = sl_alloc_zero(alloc, groups->words_count, sizeof *q->scratch);
    return q->scratch != NULL ? SL_OK : SL_ENOMEM;
}

void gw_queue_finish(struct gw_queue *q)
{
    struct gw_pool *p, *next;
    DL_FOREACH_SAFE (q->pools, p, next)
        sl_alloc_free(q->alloc, p);
    gw_order_pool_destroy(q->places);
    if (q->scratch != NULL)
        sl_alloc_free(q->alloc, q->scratch);
    *q = (struct gw_queue){0};
}

/* ---- pools */

static struct gw_pool *find_pool(const struct gw_queue *q, const uint64_t *groups)
{
    struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        if (memcmp(p->groups, groups, words_bytes(q)) == 0)
            return p;
    }
    return NULL;
}

static struct gw_pool *make_pool(struct gw_queue *q, const uint64_t *groups)
{
    struct gw_pool *p = sl_alloc_zero(q->alloc, 1, sizeof *p + words_bytes(q));
    if (p == NULL)
        return NULL;
    memcpy(p->groups, groups, words_bytes(q));
    for (size_t size = 0; size < GW_SIZES_MAX; size++)
        for (size_t c = 0; c < GW_QUEUE_CLASSES; c++)
            gw_order_init(&p->lines[size][c], q->places);
    DL_APPEND(q->pools, p);
    return p;
}

/* Where calls for a model wait. NULL: no memory. */
static struct gw_pool *pool_of(struct gw_queue *q, struct gw_queue_model *model)
{
    if (model->epoch == q->epoch)
        return model->pool;
    gw_groups_of_model(q->groups, model->model, q->scratch);
    struct gw_pool *p = find_pool(q, q->scratch);
    if (p == NULL)
        p = make_pool(q, q->scratch);
    if (p != NULL) {
        model->pool = p;
        model->epoch = q->epoch;
    }
    return p;
}

/* ---- lines */

int64_t gw_queue_work_us(const struct gw_queue_ask *ask)
{
    int64_t us = sl_sat_mul(ask->expected_us, ask->factor_thousandths) / GW_FACTOR_ONE;
    return us < GW_ORDER_WORK_MAX_US ? us : GW_ORDER_WORK_MAX_US;
}

static struct gw_order *line_of(const struct gw_queue_item *item)
{
    return &item->pool->lines[item->ask.size][item->ask.class_index];
}

/* Returns whether its line began by it. */
static sl_status enter_line(struct gw_queue_item *item, bool *began)
{
    const struct gw_order_item entry = {.key_us = item->ask.key_us,
                                        .arrival = item->ask.arrival,
                                        .work_us = gw_queue_work_us(&item->ask),
                                        .call = (uintptr_t)item};
    struct gw_order *line = line_of(item);
    *began = gw_order_first(line) == 0;
    sl_status s = gw_order_insert(line, &entry, &item->place);
    if (s != SL_OK)
        return s;
    item->pool->count++;
    item->pool->sizes[item->ask.class_index] |= (uint8_t)(1u << item->ask.size);
    return SL_OK;
}

/* Returns whether its line ended by that. */
static bool leave_line(struct gw_queue_item *item)
{
    struct gw_order *line = line_of(item);
    sl_status s = gw_order_remove(line, item->place);
    (void)s; /* who waits is in his line */
    item->pool->count--;
    if (gw_order_first(line) != 0)
        return false;
    item->pool->sizes[item->ask.class_index] &= (uint8_t) ~(1u << item->ask.size);
    return true;
}

static void tell_began(struct gw_queue *q, const struct gw_queue_item *item)
{
    if (!gw_queue_is_background(item))
        gw_groups_line_began(q->groups, item->pool->groups, item->ask.class_index);
}

static void tell_ended(struct gw_queue *q, const struct gw_queue_item *item)
{
    if (!gw_queue_is_background(item))
        gw_groups_line_ended(q->groups, item->pool->groups, item->ask.class_index);
}

/* ---- calls */

/* In its model's list, behind all that are older. New arrivals are the youngest, so the search
 * starts at the tail. */
static void list(struct gw_queue *q, struct gw_queue_model *model, struct gw_queue_item *item)
{
    size_t kind = gw_queue_is_background(item);
    struct gw_queue_item *before = model->head == NULL ? NULL : model->head->prev;
    while (before != NULL && before->ask.arrival > item->ask.arrival)
        before = before == model->head ? NULL : before->prev;
    if (before == NULL)
        DL_PREPEND(model->head, item);
    else
        DL_APPEND_ELEM(model->head, before, item);
    if (model->count++ == 0)
        DL_APPEND(q->models[kind], model);
    q->counts[kind]++;
    if (kind == 0)
        q->tier_counts[item->ask.tier]++;
    item->model = model;
}

static void unlist(struct gw_queue *q, struct gw_queue_item *item)
{
    size_t kind = gw_queue_is_background(item);
    struct gw_queue_model *model = item->model;
    DL_DELETE(model->head, item);
    if (--model->count == 0)
        DL_DELETE(q->models[kind], model);
    q->counts[kind]--;
    if (kind == 0)
        q->tier_counts[item->ask.tier]--;
    item->model = NULL;
}

sl_status gw_queue_push(struct gw_queue *q, struct gw_queue_model *model,
                        struct gw_queue_item *item, const struct gw_queue_ask *ask)
{
    bool began;
    item->ask = *ask;
    item->pool = pool_of(q, model);
    if (item->pool == NULL)
        return SL_ENOMEM;
    sl_status s = enter_line(item, &began);
    if (s != SL_OK)
        return s;
    if (began)
        tell_began(q, item);
    list(q, model, item);
    return SL_OK;
}

void gw_queue_remove(struct gw_queue *q, struct gw_queue_item *item)
{
    if (item->model == NULL)
        return;
    if (leave_line(item))
        tell_ended(q, item);
    unlist(q, item);
}

struct gw_queue_item *gw_queue_first(const struct gw_pool *p, size_t size, size_t class_index)
{
    const struct gw_order *line = &p->lines[size][class_index];
    const struct gw_order_item *entry = gw_order_get(line, gw_order_first(line));
    return entry == NULL ? NULL : (struct gw_queue_item *)(uintptr_t)entry->call;
}

bool gw_queue_is_before(const struct gw_queue_item *a, const struct gw_queue_item *b)
{
    if (a->ask.key_us != b->ask.key_us)
        return a->ask.key_us < b->ask.key_us;
    return a->ask.arrival < b->ask.arrival;
}

/* ---- other groups, other classes */

static void count_line(struct gw_queue *q, const struct gw_pool *p, size_t class_index)
{
    for (unsigned left = p->sizes[class_index]; left != 0; left &= left - 1)
        gw_groups_line_began(q->groups, p->groups, class_index);
}

static void count_lines(struct gw_queue *q)
{
    const struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        for (size_t c = 0; c < GW_SHARES_MAX; c++)
            count_line(q, p, c);
    }
    gw_groups_lines_counted(q->groups);
}

static void move(struct gw_queue_item *item, struct gw_pool *to, size_t class_index)
{
    bool began;
    leave_line(item);
    item->pool = to;
    item->ask.class_index = (uint8_t)class_index;
    sl_status s = enter_line(item, &began);
    (void)s; /* it had a place until now, and its key is its own */
}

static bool make_pools(struct gw_queue *q)
{
    struct gw_queue_model *m;
    for (size_t kind = 0; kind < 2; kind++)
        DL_FOREACH (q->models[kind], m) {
            if (pool_of(q, m) == NULL)
                return false;
        }
    return true;
}

static void drop_empty_pools(struct gw_queue *q)
{
    struct gw_pool *p, *next;
    DL_FOREACH_SAFE (q->pools, p, next) {
        if (p->count > 0)
            continue;
        DL_DELETE(q->pools, p);
        sl_alloc_free(q->alloc, p);
    }
}

static void move_all(struct gw_queue *q)
{
    struct gw_queue_model *m;
    struct gw_queue_item *item;
    for (size_t kind = 0; kind < 2; kind++)
        DL_FOREACH (q->models[kind], m)
            DL_FOREACH (m->head, item)
                move(item, m->pool, item->ask.class_index);
    drop_empty_pools(q);
}

/* Every model looks for its pool again, before and after: empty ones go. */
sl_status gw_queue_regroup(struct gw_queue *q)
{
    q->epoch++;
    bool has_pools = make_pools(q);
    gw_groups_forget_lines(q->groups);
    if (has_pools)
        move_all(q);
    count_lines(q);
    q->epoch++;
    return has_pools ? SL_OK : SL_ENOMEM;
}

void gw_queue_reclass(struct gw_queue *q, const uint8_t class_of_tier[GW_TIERS_MAX])
{
    struct gw_queue_model *m;
    struct gw_queue_item *item;
    gw_groups_forget_lines(q->groups);
    DL_FOREACH (q->models[0], m)
        DL_FOREACH (m->head, item)
            move(item, item->pool, class_of_tier[item->ask.tier]);
    count_lines(q);
}

/* ---- invariants */

struct counted {
    size_t items[2], tiers[GW_TIERS_MAX];
};

/* What the set is to be, as far as groups are in use. */
static bool is_pool_of(const struct gw_queue *q, const struct gw_pool *p, const uint64_t *groups)
{
    bool holds = true;
    for (size_t i = 0; i < q->groups->used_end; i++)
        holds &= !q->groups->groups[i].is_used ||
                 gw_groups_has(p->groups, i) == gw_groups_has(groups, i);
    return holds;
}

static bool item_holds(const struct gw_queue_model *m, const struct gw_queue_item *item)
{
    const struct gw_order_item *entry = gw_order_get(line_of(item), item->place);
    return item->model == m && entry != NULL && entry->call == (uintptr_t)item &&
           entry->key_us == item->ask.key_us && entry->arrival == item->ask.arrival &&
           (item->next == NULL || item->ask.arrival < item->next->ask.arrival) &&
           item->pool == m->head->pool;
}

static bool model_holds(const struct gw_queue *q, const struct gw_queue_model *m,
                        struct counted *counted)
{
    size_t count = 0;
    const struct gw_queue_item *item;
    DL_FOREACH (m->head, item) {
        if (!item_holds(m, item))
            return false;
        count++;
        counted->items[gw_queue_is_background(item)]++;
        counted->tiers[item->ask.tier] += !gw_queue_is_background(item);
    }
    gw_groups_of_model(q->groups, m->model, q->scratch);
    return count == m->count && count > 0 && is_pool_of(q, m->head->pool, q->scratch);
}

/* Adds its lines that have calls, by class. */
static bool pool_holds(const struct gw_pool *p, size_t lines[GW_QUEUE_CLASSES])
{
    size_t count = 0;
    bool holds = true;
    for (size_t size = 0; size < GW_SIZES_MAX; size++)
        for (size_t c = 0; c < GW_QUEUE_CLASSES; c++) {
            size_t n = gw_order_total(&p->lines[size][c]).count;
            holds &= (n > 0) == ((p->sizes[c] >> size & 1) != 0);
            holds &= n == 0 || gw_order_check(&p->lines[size][c]) == SL_OK;
            lines[c] += n > 0;
            count += n;
        }
    return holds && count == p->count;
}

/* The lines that a group's classes have there are those of all pools with it. */
static bool group_holds(const struct gw_queue *q, const struct gw_group *g)
{
    size_t lines[GW_QUEUE_CLASSES] = {0};
    bool holds = true;
    const struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        if (gw_groups_has(p->groups, g->index))
            holds &= pool_holds(p, lines);
    }
    return holds && memcmp(lines, g->line_counts, sizeof g->line_counts) == 0;
}

static bool pools_hold(const struct gw_queue *q)
{
    size_t lines[GW_QUEUE_CLASSES] = {0}, count = 0;
    bool holds = true;
    const struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        holds &= pool_holds(p, lines);
        count += p->count;
    }
    for (size_t i = 0; i < q->groups->used_end; i++)
        holds &= !q->groups->groups[i].is_used || group_holds(q, &q->groups->groups[i]);
    return holds && count == q->counts[0] + q->counts[1] && gw_order_pool_count(q->places) == count;
}

sl_status gw_queue_check(const struct gw_queue *q)
{
    struct counted counted = {0};
    const struct gw_queue_model *m;
    for (size_t kind = 0; kind < 2; kind++)
        DL_FOREACH (q->models[kind], m) {
            if (!model_holds(q, m, &counted))
                return SL_EBROKEN;
        }
    bool holds = memcmp(counted.items, q->counts, sizeof q->counts) == 0 &&
                 memcmp(counted.tiers, q->tier_counts, sizeof q->tier_counts) == 0 && pools_hold(q);
    return holds ? SL_OK : SL_EBROKEN;
}
