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
    *q = (struct gw_queue){.alloc = alloc, .groups = groups, .max_items = max_items, .epoch = 1};
    sl_status s = gw_order_pool_create(alloc, 2 * max_items, &q->places);
    if (s != SL_OK)
        return s;
    gw_app_loads_init(&q->apps, alloc, q->places);
    q->scratch = sl_alloc_zero(alloc, groups->words_count, sizeof *q->scratch);
    return q->scratch != NULL ? SL_OK : SL_ENOMEM;
}

void gw_queue_finish(struct gw_queue *q)
{
    struct gw_pool *p, *next;
    DL_FOREACH_SAFE (q->pools, p, next)
        sl_alloc_free(q->alloc, p);
    gw_app_loads_finish(&q->apps);
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
    for (size_t size = 0; size < GW_SIZES_MAX; size++)
        for (size_t c = 0; c < GW_SHARES_MAX; c++)
            gw_order_init(&p->by_age[size][c], q->places);
    DL_APPEND(q->pools, p);
    return p;
}

struct gw_pool *gw_queue_pool_of(struct gw_queue *q, struct gw_queue_model *model)
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

/* NULL: of background calls, which go by age anyway. */
static struct gw_order *ages_of(const struct gw_queue_item *item)
{
    return item->ask.class_index == GW_QUEUE_BACKGROUND
               ? NULL
               : &item->pool->by_age[item->ask.size][item->ask.class_index];
}

static sl_status insert(struct gw_order *tree, struct gw_queue_item *item, int64_t key_us,
                        gw_order_id *out)
{
    const struct gw_order_item entry = {.key_us = key_us,
                                        .arrival = item->ask.arrival,
                                        .work_us = gw_queue_work_us(&item->ask),
                                        .call = (uintptr_t)item};
    return gw_order_insert(tree, &entry, out);
}

static void take_out(struct gw_order *tree, gw_order_id place)
{
    sl_status s = gw_order_remove(tree, place);
    (void)s; /* who waits has a place */
}

/* *began: its line was empty. */
static sl_status enter_line(struct gw_queue_item *item, bool *began)
{
    *began = gw_order_first(line_of(item)) == 0;
    sl_status s = insert(line_of(item), item, item->ask.key_us, &item->place);
    if (s == SL_OK && ages_of(item) != NULL)
        s = insert(ages_of(item), item, item->ask.arrived_us, &item->place_by_age);
    if (s == SL_OK)
        item->pool->sizes[item->ask.class_index] |= (uint8_t)(1u << item->ask.size);
    return s;
}

/* Returns whether its line ended by that. */
static bool leave_line(struct gw_queue_item *item)
{
    take_out(line_of(item), item->place);
    if (ages_of(item) != NULL)
        take_out(ages_of(item), item->place_by_age);
    if (gw_order_first(line_of(item)) != 0)
        return false;
    item->pool->sizes[item->ask.class_index] &= (uint8_t) ~(1u << item->ask.size);
    return true;
}

static void leave_aside(struct gw_queue_item *item)
{
    struct gw_aside *a = item->aside;
    take_out(&a->calls, item->place);
    if (gw_order_first(&a->calls) == 0)
        a->pool = NULL;
    item->aside = NULL;
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

/* One more, or (by -1) one less. */
static void count_guess(struct gw_queue *q, struct gw_queue_model *model,
                        const struct gw_queue_item *item, int by)
{
    model->guess_count += (size_t)by;
    if (gw_queue_is_background(item))
        return;
    q->guesses.count += (size_t)by;
    q->guesses.work_us += by * gw_queue_work_us(&item->ask);
}

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
    if (item->ask.is_guess)
        count_guess(q, model, item, 1);
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
    if (item->ask.is_guess)
        count_guess(q, model, item, -1);
    item->model = NULL;
}

static bool take_app(struct gw_queue *q, struct gw_queue_item *item)
{
    bool has_app = item->ask.app != NULL && item->ask.app[0] != '\0';
    item->app = has_app ? gw_app_loads_get(&q->apps, item->ask.app) : NULL;
    return item->app != NULL || !has_app;
}

sl_status gw_queue_push(struct gw_queue *q, struct gw_queue_model *model,
                        struct gw_queue_item *item, const struct gw_queue_ask *ask)
{
    bool began;
    if (q->counts[0] + q->counts[1] >= q->max_items)
        return SL_EFULL;
    item->ask = *ask;
    item->aside = NULL;
    item->pool = gw_queue_pool_of(q, model);
    if (item->pool == NULL || !take_app(q, item))
        return SL_ENOMEM;
    sl_status s = enter_line(item, &began);
    if (s != SL_OK) {
        gw_app_loads_release(&q->apps, item->app);
        return s;
    }
    if (began)
        tell_began(q, item);
    item->pool->count++;
    if (item->app != NULL)
        item->app->waiting_count++;
    list(q, model, item);
    return SL_OK;
}

void gw_queue_remove(struct gw_queue *q, struct gw_queue_item *item)
{
    if (item->model == NULL)
        return;
    if (item->aside != NULL)
        leave_aside(item);
    else if (leave_line(item))
        tell_ended(q, item);
    item->pool->count--;
    if (item->app != NULL)
        item->app->waiting_count--;
    gw_app_loads_release(&q->apps, item->app);
    unlist(q, item);
}

static void set_work(struct gw_order *tree, gw_order_id place, int64_t work_us)
{
    sl_status s = gw_order_set_work(tree, place, work_us);
    (void)s; /* who waits has a place, and the work is within its bounds */
}

void gw_queue_set_expected(struct gw_queue *q, struct gw_queue_item *item, int64_t expected_us)
{
    if (item->ask.is_guess)
        count_guess(q, item->model, item, -1);
    item->ask.is_guess = false;
    item->ask.expected_us = expected_us;
    int64_t work_us = gw_queue_work_us(&item->ask);
    set_work(item->aside != NULL ? &item->aside->calls : line_of(item), item->place, work_us);
    if (item->aside == NULL && ages_of(item) != NULL)
        set_work(ages_of(item), item->place_by_age, work_us);
}

static struct gw_queue_item *first_in(const struct gw_order *tree)
{
    const struct gw_order_item *entry = gw_order_get(tree, gw_order_first(tree));
    return entry == NULL ? NULL : (struct gw_queue_item *)(uintptr_t)entry->call;
}

struct gw_queue_item *gw_queue_first(const struct gw_pool *p, size_t size, size_t class_index)
{
    return first_in(&p->lines[size][class_index]);
}

struct gw_queue_item *gw_queue_next(const struct gw_queue_item *item)
{
    const struct gw_order *line = line_of(item);
    const struct gw_order_item *entry = gw_order_get(line, gw_order_next(line, item->place));
    return entry == NULL ? NULL : (struct gw_queue_item *)(uintptr_t)entry->call;
}

struct gw_queue_item *gw_queue_oldest(const struct gw_pool *p, size_t size, size_t class_index)
{
    return first_in(&p->by_age[size][class_index]);
}

bool gw_queue_is_before(const struct gw_queue_item *a, const struct gw_queue_item *b)
{
    if (a->ask.key_us != b->ask.key_us)
        return a->ask.key_us < b->ask.key_us;
    return a->ask.arrival < b->ask.arrival;
}

/* ---- aside */

void gw_queue_put_aside(struct gw_queue *q, struct gw_queue_item *item)
{
    struct gw_aside *a =
        gw_app_load_aside(item->app, item->pool, item->ask.size, item->ask.class_index);
    if (leave_line(item))
        tell_ended(q, item);
    item->aside = a;
    sl_status s = insert(&a->calls, item, item->ask.key_us, &item->place);
    (void)s; /* it had a place until now, and its key is its own */
}

static void come_back(struct gw_queue *q, struct gw_queue_item *item)
{
    bool began;
    leave_aside(item);
    sl_status s = enter_line(item, &began);
    (void)s; /* likewise */
    if (began)
        tell_began(q, item);
}

void gw_queue_bring_back(struct gw_queue *q, struct gw_app_load *app)
{
    for (size_t i = 0; i < GW_ASIDES_MAX; i++)
        if (app->asides[i].pool != NULL)
            come_back(q, first_in(&app->asides[i].calls));
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

/* To its place in another line; also who stands aside, until it is the first there. */
static void move(struct gw_queue_item *item, struct gw_pool *to, size_t class_index)
{
    bool began;
    if (item->aside != NULL)
        leave_aside(item);
    else
        leave_line(item);
    item->pool->count--;
    to->count++;
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
            if (gw_queue_pool_of(q, m) == NULL)
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
    size_t items[2], tiers[GW_TIERS_MAX], of_apps;
    struct gw_order_sum guesses;
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
    const struct gw_order *tree = item->aside != NULL ? &item->aside->calls : line_of(item);
    const struct gw_order_item *entry = gw_order_get(tree, item->place);
    return item->model == m && (item->aside == NULL || item->app != NULL) && entry != NULL &&
           entry->call == (uintptr_t)item && entry->key_us == item->ask.key_us &&
           entry->arrival == item->ask.arrival &&
           (item->next == NULL || item->ask.arrival < item->next->ask.arrival) &&
           item->pool == m->head->pool;
}

static bool model_holds(const struct gw_queue *q, const struct gw_queue_model *m,
                        struct counted *counted)
{
    size_t count = 0, guesses = 0;
    const struct gw_queue_item *item;
    DL_FOREACH (m->head, item) {
        if (!item_holds(m, item))
            return false;
        count++;
        guesses += item->ask.is_guess;
        counted->items[gw_queue_is_background(item)]++;
        counted->tiers[item->ask.tier] += !gw_queue_is_background(item);
        if (item->ask.is_guess && !gw_queue_is_background(item)) {
            counted->guesses.count++;
            counted->guesses.work_us += gw_queue_work_us(&item->ask);
        }
        counted->of_apps += item->app != NULL;
    }
    gw_groups_of_model(q->groups, m->model, q->scratch);
    return count == m->count && count > 0 && guesses == m->guess_count &&
           is_pool_of(q, m->head->pool, q->scratch);
}

/* What a pool's lines have. */
struct lines {
    size_t counts[GW_QUEUE_CLASSES]; /* lines with calls */
    size_t calls, places;
};

static bool tree_holds(const struct gw_order *tree)
{
    return gw_order_first(tree) == 0 || gw_order_check(tree) == SL_OK;
}

static bool line_holds(const struct gw_pool *p, size_t size, size_t c, struct lines *out)
{
    size_t n = gw_order_total(&p->lines[size][c]).count;
    bool has_ages = c != GW_QUEUE_BACKGROUND;
    out->counts[c] += n > 0;
    out->calls += n;
    out->places += has_ages ? 2 * n : n;
    return (n > 0) == ((p->sizes[c] >> size & 1) != 0) && tree_holds(&p->lines[size][c]) &&
           (!has_ages ||
            (gw_order_total(&p->by_age[size][c]).count == n && tree_holds(&p->by_age[size][c])));
}

/* Adds what it has. */
static bool pool_holds(const struct gw_pool *p, struct lines *out)
{
    size_t before = out->calls;
    bool holds = true;
    for (size_t size = 0; size < GW_SIZES_MAX; size++)
        for (size_t c = 0; c < GW_QUEUE_CLASSES; c++)
            holds &= line_holds(p, size, c, out);
    return holds && out->calls - before <= p->count;
}

/* The lines that a group's classes have there are those of all pools with it. */
static bool group_holds(const struct gw_queue *q, const struct gw_group *g)
{
    struct lines lines = {0};
    bool holds = true;
    const struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        if (gw_groups_has(p->groups, g->index))
            holds &= pool_holds(p, &lines);
    }
    return holds && memcmp(lines.counts, g->line_counts, sizeof g->line_counts) == 0;
}

/* Who stands aside has a place there, and none by age. */
static bool pools_hold(const struct gw_queue *q)
{
    struct lines lines = {0};
    size_t count = 0;
    bool holds = true;
    const struct gw_pool *p;
    DL_FOREACH (q->pools, p) {
        holds &= pool_holds(p, &lines);
        count += p->count;
    }
    for (size_t i = 0; i < q->groups->used_end; i++)
        holds &= !q->groups->groups[i].is_used || group_holds(q, &q->groups->groups[i]);
    return holds && count == q->counts[0] + q->counts[1] &&
           gw_order_pool_count(q->places) == lines.places + (count - lines.calls);
}

static size_t waiting_of_apps(const struct gw_queue *q)
{
    size_t count = 0;
    const struct gw_app_load *l = NULL;
    while ((l = gw_app_loads_next(&q->apps, l)) != NULL)
        count += l->waiting_count;
    return count;
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
                 memcmp(counted.tiers, q->tier_counts, sizeof q->tier_counts) == 0 &&
                 counted.guesses.count == q->guesses.count &&
                 counted.guesses.work_us == q->guesses.work_us &&
                 counted.of_apps == waiting_of_apps(q) && pools_hold(q);
    return holds ? SL_OK : SL_EBROKEN;
}
