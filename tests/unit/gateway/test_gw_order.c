/* test_gw_order.c - trees that share a pool, against sorted arrays. */
#include "gw_order.h"

#include "fail_alloc.h"
#include "gw_order_int.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { TREES = 3, ROOM = 200, STEPS = 20000 };

/* ---- a model: sorted arrays */

struct entry {
    struct gw_order_item item;
    gw_order_id id;
};

struct model {
    struct entry entries[ROOM];
    size_t count;
};

static bool is_before(const struct gw_order_item *a, int64_t key_us, uint64_t arrival)
{
    return a->key_us != key_us ? a->key_us < key_us : a->arrival < arrival;
}

static size_t model_place(const struct model *m, int64_t key_us, uint64_t arrival)
{
    size_t i = 0;
    while (i < m->count && is_before(&m->entries[i].item, key_us, arrival))
        i++;
    return i;
}

static bool model_has(const struct model *m, size_t place, const struct gw_order_item *item)
{
    return place < m->count && m->entries[place].item.key_us == item->key_us &&
           m->entries[place].item.arrival == item->arrival;
}

static void model_insert(struct model *m, size_t place, const struct gw_order_item *item,
                         gw_order_id id)
{
    struct entry *at = &m->entries[place];
    memmove(at + 1, at, (m->count - place) * sizeof *at);
    *at = (struct entry){*item, id};
    m->count++;
}

static void model_remove(struct model *m, size_t place)
{
    struct entry *at = &m->entries[place];
    memmove(at, at + 1, (--m->count - place) * sizeof *at);
}

static int64_t model_work(const struct model *m, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += m->entries[i].item.work_us;
    return sum;
}

/* ---- both beside each other */

struct both {
    struct gw_order_pool *pool;
    struct gw_order trees[TREES];
    struct model models[TREES];
    gw_order_id gone; /* an id that was removed */
    struct sl_rng rng;
};

static size_t count_all(const struct both *b)
{
    size_t count = 0;
    for (size_t t = 0; t < TREES; t++)
        count += b->models[t].count;
    return count;
}

static void insert_some(struct both *b, size_t t)
{
    /* few keys and arrivals, so that equal ones come often */
    struct gw_order_item item = {.key_us = (int64_t)sl_rng_below(&b->rng, 40) - 20,
                                 .arrival = sl_rng_below(&b->rng, 20),
                                 .work_us = (int64_t)sl_rng_below(&b->rng, 1000),
                                 .call = sl_rng_u64(&b->rng)};
    struct model *m = &b->models[t];
    size_t place = model_place(m, item.key_us, item.arrival);
    gw_order_id id = 0;
    sl_status s = gw_order_insert(&b->trees[t], &item, &id);
    if (count_all(b) == ROOM) {
        assert_status(s, SL_EFULL);
    } else if (model_has(m, place, &item)) {
        assert_status(s, SL_EEXIST);
    } else {
        assert_ok(s);
        model_insert(m, place, &item, id);
    }
}

static void remove_some(struct both *b, size_t t)
{
    struct model *m = &b->models[t];
    if (m->count == 0)
        return;
    size_t place = sl_rng_below(&b->rng, m->count);
    gw_order_id id = m->entries[place].id;
    assert_status(gw_order_remove(&b->trees[(t + 1) % TREES], id), SL_ESTALE);
    assert_ok(gw_order_remove(&b->trees[t], id));
    assert_status(gw_order_remove(&b->trees[t], id), SL_ESTALE);
    model_remove(m, place);
    b->gone = id;
}

static void change_some(struct both *b, size_t t)
{
    struct model *m = &b->models[t];
    if (m->count == 0)
        return;
    struct entry *e = &m->entries[sl_rng_below(&b->rng, m->count)];
    e->item.work_us = (int64_t)sl_rng_below(&b->rng, 1000);
    assert_ok(gw_order_set_work(&b->trees[t], e->id, e->item.work_us));
}

static void step(struct both *b, uint64_t insert_percent)
{
    size_t t = sl_rng_below(&b->rng, TREES);
    uint64_t what = sl_rng_below(&b->rng, 100);
    if (what < insert_percent)
        insert_some(b, t);
    else if (what < 95)
        remove_some(b, t);
    else
        change_some(b, t);
}

static void assert_sum(struct gw_order_sum got, size_t count, int64_t work_us)
{
    assert_int_equal(got.count, count);
    assert_int_equal(got.work_us, work_us);
}

static void assert_entry(const struct gw_order *o, const struct model *m, size_t place)
{
    const struct entry *e = &m->entries[place];
    const struct gw_order_item *got = gw_order_get(o, e->id);
    struct gw_order_sum before;
    assert_non_null(got);
    assert_memory_equal(got, &e->item, sizeof *got);
    assert_true(gw_order_nth(o, place) == e->id);
    assert_ok(gw_order_before(o, e->id, &before));
    assert_sum(before, place, model_work(m, place));
    gw_order_id next = place + 1 < m->count ? m->entries[place + 1].id : 0;
    assert_true(gw_order_next(o, e->id) == next);
}

static void assert_same(struct both *b, size_t t)
{
    const struct gw_order *o = &b->trees[t];
    const struct model *m = &b->models[t];
    int64_t key_us = (int64_t)sl_rng_below(&b->rng, 44) - 22;
    uint64_t arrival = sl_rng_below(&b->rng, 20);
    size_t place = model_place(m, key_us, arrival);
    assert_ok(gw_order_check(o));
    assert_sum(gw_order_total(o), m->count, model_work(m, m->count));
    assert_true(gw_order_first(o) == (m->count > 0 ? m->entries[0].id : 0));
    assert_true(gw_order_nth(o, m->count) == 0);
    assert_sum(gw_order_before_key(o, key_us, arrival), place, model_work(m, place));
    if (m->count > 0)
        assert_entry(o, m, sl_rng_below(&b->rng, m->count));
    if (b->gone != 0) {
        assert_null(gw_order_get(o, b->gone));
        assert_true(gw_order_next(o, b->gone) == 0);
        assert_status(gw_order_set_work(&b->trees[t], b->gone, 1), SL_ESTALE);
    }
}

static void random_programs_do_what_sorted_arrays_do(void **state SL_UNUSED)
{
    static struct both b;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        b = (struct both){0};
        sl_rng_seed(&b.rng, seed);
        assert_ok(gw_order_pool_create(&sl_alloc_malloc, ROOM, &b.pool));
        for (size_t t = 0; t < TREES; t++)
            gw_order_init(&b.trees[t], b.pool);
        for (size_t i = 0; i < STEPS; i++) {
            step(&b, i / 1000 % 2 == 0 ? 65 : 30); /* fills up, and empties again */
            assert_same(&b, sl_rng_below(&b.rng, TREES));
            assert_int_equal(gw_order_pool_count(b.pool), count_all(&b));
        }
        gw_order_pool_destroy(b.pool);
    }
}

/* ---- orders that unbalance a tree */

enum { MANY = 4000 };

static int64_t rising(size_t i)
{
    return (int64_t)i;
}
static int64_t falling(size_t i)
{
    return -(int64_t)i;
}
static int64_t inwards(size_t i)
{
    return i % 2 == 0 ? (int64_t)i : -(int64_t)i + 2 * MANY;
}
static int64_t all_alike(size_t i SL_UNUSED)
{
    return 7;
}

static void fill_and_drain(struct gw_order *o, int64_t (*key)(size_t i), bool from_front)
{
    gw_order_id id;
    for (size_t i = 0; i < MANY; i++) {
        struct gw_order_item item = {.key_us = key(i), .arrival = i, .work_us = 3};
        assert_ok(gw_order_insert(o, &item, &id));
        if (i % 256 == 0)
            assert_ok(gw_order_check(o));
    }
    assert_ok(gw_order_check(o));
    for (size_t left = MANY; left > 0; left--) {
        assert_sum(gw_order_total(o), left, 3 * (int64_t)left);
        assert_ok(gw_order_remove(o, from_front ? gw_order_first(o) : gw_order_nth(o, left / 2)));
        if (left % 256 == 0)
            assert_ok(gw_order_check(o));
    }
    assert_true(gw_order_first(o) == 0);
}

static void every_order_leaves_the_tree_balanced(void **state SL_UNUSED)
{
    int64_t (*keys[])(size_t) = {rising, falling, inwards, all_alike};
    struct gw_order_pool *pool;
    struct gw_order o;
    assert_ok(gw_order_pool_create(&sl_alloc_malloc, MANY, &pool));
    gw_order_init(&o, pool);
    for (size_t i = 0; i < SL_ARRAY_LEN(keys); i++) {
        fill_and_drain(&o, keys[i], true);
        fill_and_drain(&o, keys[i], false);
    }
    gw_order_pool_destroy(pool);
}

/* ---- limits, and what the check finds */

static void limits_are_refused(void **state SL_UNUSED)
{
    struct gw_order_pool *pool = NULL;
    struct gw_order o;
    struct gw_order_item item = {.work_us = GW_ORDER_WORK_MAX_US + 1};
    gw_order_id id = 0;
    assert_status(gw_order_pool_create(&sl_alloc_malloc, 0, &pool), SL_EINVAL);
    assert_status(gw_order_pool_create(&sl_alloc_malloc, GW_ORDER_COUNT_MAX + 1, &pool), SL_EINVAL);
    assert_ok(gw_order_pool_create(&sl_alloc_malloc, 2, &pool));
    gw_order_init(&o, pool);
    assert_status(gw_order_insert(&o, &item, &id), SL_EINVAL);
    item.work_us = -1;
    assert_status(gw_order_insert(&o, &item, &id), SL_EINVAL);
    item.work_us = GW_ORDER_WORK_MAX_US;
    assert_ok(gw_order_insert(&o, &item, &id));
    assert_status(gw_order_set_work(&o, id, -1), SL_EINVAL);
    assert_true(gw_order_get(&o, 0) == NULL && gw_order_get(&o, 3) == NULL);
    assert_ok(gw_order_check(&o));
    gw_order_pool_destroy(pool);
    gw_order_pool_destroy(NULL);
}

static void no_memory_is_an_answer(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_order_pool *pool = NULL;
        sl_status s = gw_order_pool_create(&f.alloc, 10, &pool);
        assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
        gw_order_pool_destroy(pool);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

struct damage {
    uint32_t *place;
    uint32_t wrong;
};

static void the_check_finds_what_is_wrong(void **state SL_UNUSED)
{
    struct gw_order_pool *pool;
    struct gw_order o;
    gw_order_id ids[8];
    assert_ok(gw_order_pool_create(&sl_alloc_malloc, 8, &pool));
    gw_order_init(&o, pool);
    for (size_t i = 0; i < SL_ARRAY_LEN(ids); i++) {
        struct gw_order_item item = {.key_us = (int64_t)i, .work_us = 1};
        assert_ok(gw_order_insert(&o, &item, &ids[i]));
    }
    assert_ok(gw_order_remove(&o, ids[5]));
    struct gw_order_node *root = &pool->nodes[o.root], *first = &pool->nodes[o.first];
    struct damage damages[] = {{&root->count, 6},
                               {&root->left, root->right},
                               {&root->left, GW_ORDER_NONE},
                               {&pool->nodes[root->right].parent, GW_ORDER_NONE},
                               {&first->tree, o.number + 1},
                               {&first->left, o.root},
                               {&o.first, o.root},
                               {&pool->free_slot, GW_ORDER_NONE},
                               {&pool->used, 7}};
    for (size_t i = 0; i < SL_ARRAY_LEN(damages); i++) {
        uint32_t right = *damages[i].place;
        *damages[i].place = damages[i].wrong;
        assert_status(gw_order_check(&o), SL_EBROKEN);
        *damages[i].place = right;
        assert_ok(gw_order_check(&o));
    }
    root->work_us++;
    assert_status(gw_order_check(&o), SL_EBROKEN);
    root->work_us--;
    first->item.key_us = 100;
    assert_status(gw_order_check(&o), SL_EBROKEN);
    gw_order_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_do_what_sorted_arrays_do),
        cmocka_unit_test(every_order_leaves_the_tree_balanced),
        cmocka_unit_test(limits_are_refused),
        cmocka_unit_test(no_memory_is_an_answer),
        cmocka_unit_test(the_check_finds_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
