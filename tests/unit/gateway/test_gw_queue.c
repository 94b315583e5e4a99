/* test_gw_queue.c - calls in lines, by what they could start on and by class, in the order of their
 * keys; whatever comes, returns, leaves, and whatever nodes bring. */
#include "gw_queue.h"

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { NODES = 3, MODELS = 4, CLASSES = 3, ITEMS = 60 };

struct rig {
    struct gw_groups groups;
    struct gw_queue queue;
    struct gw_queue_model models[MODELS], background[MODELS];
    struct gw_queue_item items[ITEMS];
    struct gw_queue_ask asks[ITEMS]; /* of those that wait: arrival > 0 */
    unsigned home[ITEMS];            /* their models */
};

static void begin(struct rig *r, const struct sl_alloc *alloc)
{
    static const uint32_t weights[CLASSES] = {1, 4, 16};
    *r = (struct rig){0};
    assert_ok(gw_groups_init(&r->groups, alloc, NODES));
    gw_groups_set_classes(&r->groups, weights, CLASSES);
    assert_ok(gw_queue_init(&r->queue, alloc, &r->groups, ITEMS));
    for (size_t m = 0; m < MODELS; m++)
        r->models[m].model = r->background[m].model = m + 1;
}

static void finish(struct rig *r)
{
    gw_queue_finish(&r->queue);
    gw_groups_finish(&r->groups);
}

/* A node with the models of a bit set. */
static struct gw_group *join(struct rig *r, unsigned models)
{
    sl_slot_id ids[MODELS];
    size_t count = 0;
    struct gw_group *g;
    bool is_new;
    for (size_t m = MODELS; m-- > 0;)
        if (models >> m & 1)
            ids[count++] = m + 1;
    assert_ok(gw_groups_join(&r->groups, ids, count, 1, &g, &is_new));
    if (is_new)
        assert_ok(gw_queue_regroup(&r->queue));
    return g;
}

static struct gw_queue_model *model(struct rig *r, size_t i)
{
    bool is_background = r->asks[i].class_index == GW_QUEUE_BACKGROUND;
    return &(is_background ? r->background : r->models)[r->home[i]];
}

static void push(struct rig *r, size_t i, unsigned m, struct gw_queue_ask ask)
{
    r->asks[i] = ask;
    r->home[i] = m;
    assert_ok(gw_queue_push(&r->queue, model(r, i), &r->items[i], &ask));
}

static void leave(struct rig *r, size_t i)
{
    gw_queue_remove(&r->queue, &r->items[i]);
    assert_null(r->items[i].model);
    r->asks[i].arrival = 0;
}

/* The first of a class in what a group could start; -1: none. */
static int first_of(const struct rig *r, const struct gw_group *g, size_t c, size_t size)
{
    const struct gw_queue_item *best = NULL;
    for (const struct gw_pool *p = r->queue.pools; p != NULL; p = p->next) {
        const struct gw_queue_item *head = gw_queue_first(p, size, c);
        if (head != NULL && gw_groups_has(p->groups, g->index) &&
            (best == NULL || gw_queue_is_before(head, best)))
            best = head;
    }
    return best == NULL ? -1 : (int)(best - r->items);
}

static void the_least_key_is_first_then_the_oldest(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, &sl_alloc_malloc);
    struct gw_group *g = join(&r, 1);
    push(&r, 0, 0, (struct gw_queue_ask){.key_us = 9, .arrival = 1});
    push(&r, 1, 0, (struct gw_queue_ask){.key_us = 5, .arrival = 2});
    push(&r, 2, 0, (struct gw_queue_ask){.key_us = 5, .arrival = 3});
    push(&r, 3, 0, (struct gw_queue_ask){.key_us = 1, .arrival = 4, .class_index = 1});
    const int wanted[] = {1, 2, 0, -1};
    for (size_t i = 0; i < SL_ARRAY_LEN(wanted); i++) {
        assert_int_equal(first_of(&r, g, 0, 0), wanted[i]);
        if (wanted[i] >= 0)
            leave(&r, (size_t)wanted[i]);
    }
    assert_int_equal(first_of(&r, g, 1, 0), 3);
    assert_ok(gw_queue_check(&r.queue));
    leave(&r, 3);
    gw_queue_remove(&r.queue, &r.items[3]); /* not queued: nothing */
    assert_int_equal(r.queue.counts[0], 0);
    finish(&r);
}

/* Models that the same nodes have wait in one line, until a node has only one of them. */
static void a_node_with_other_models_divides_a_line(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, &sl_alloc_malloc);
    struct gw_group *both = join(&r, 3);
    push(&r, 0, 0, (struct gw_queue_ask){.key_us = 1, .arrival = 1});
    push(&r, 1, 1, (struct gw_queue_ask){.key_us = 2, .arrival = 2});
    assert_ptr_equal(r.items[0].pool, r.items[1].pool);
    assert_int_equal(both->line_counts[0], 1);
    struct gw_group *one = join(&r, 2);
    assert_ptr_not_equal(r.items[0].pool, r.items[1].pool);
    assert_int_equal(first_of(&r, both, 0, 0), 0);
    assert_int_equal(first_of(&r, one, 0, 0), 1);
    assert_int_equal(both->line_counts[0], 2);
    assert_int_equal(one->line_counts[0], 1);
    assert_ok(gw_queue_check(&r.queue));
    assert_ptr_equal(join(&r, 2), one); /* the same again: nothing new */
    finish(&r);
}

static void a_group_is_kept_until_its_place_is_wanted(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, &sl_alloc_malloc);
    struct gw_group *g = join(&r, 1);
    push(&r, 0, 0, (struct gw_queue_ask){.key_us = 1, .arrival = 1});
    struct gw_share s = gw_shares_start(&g->shares, 0, 1000, 1000);
    gw_groups_leave(&r.groups, g, 1);
    assert_ptr_equal(join(&r, 1), g);
    assert_true(g->shares.classes[0].ahead > 0); /* with its tags */
    gw_shares_end(&g->shares, &s, 0);
    gw_groups_leave(&r.groups, g, 1);
    for (unsigned models = 2; models < 1u << MODELS; models++) /* more sets than there are places */
        gw_groups_leave(&r.groups, join(&r, models), 1);
    assert_ok(gw_groups_check(&r.groups));
    assert_ok(gw_queue_check(&r.queue));
    finish(&r);
}

static void other_classes_keep_everybodys_place(void **state SL_UNUSED)
{
    static const uint8_t all_one[GW_TIERS_MAX] = {0};
    static const uint32_t weight = 7;
    struct rig r;
    begin(&r, &sl_alloc_malloc);
    struct gw_group *g = join(&r, 1);
    for (size_t i = 0; i < 6; i++)
        push(&r, i, 0,
             (struct gw_queue_ask){.key_us = (int64_t)(10 - i),
                                   .arrival = i + 1,
                                   .tier = (uint16_t)(i % 3),
                                   .class_index = (uint8_t)(i % 3)});
    gw_groups_set_classes(&r.groups, &weight, 1);
    gw_queue_reclass(&r.queue, all_one);
    assert_ok(gw_queue_check(&r.queue));
    for (int i = 6; i-- > 0; leave(&r, (size_t)i))
        assert_int_equal(first_of(&r, g, 0, 0), i);
    finish(&r);
}

/* ---- against a plain list */

static bool is_before(const struct gw_queue_ask *a, const struct gw_queue_ask *b)
{
    return a->key_us < b->key_us || (a->key_us == b->key_us && a->arrival < b->arrival);
}

static int plain_first(const struct rig *r, unsigned models, size_t c, size_t size)
{
    int best = -1;
    for (size_t i = 0; i < ITEMS; i++) {
        const struct gw_queue_ask *a = &r->asks[i];
        if (a->arrival > 0 && a->class_index == c && a->size == size && models >> r->home[i] & 1 &&
            (best < 0 || is_before(a, &r->asks[best])))
            best = (int)i;
    }
    return best;
}

static void compare(const struct rig *r, struct gw_group *const groups[NODES],
                    const unsigned models[NODES])
{
    static const size_t classes[] = {0, 1, 2, GW_QUEUE_BACKGROUND};
    assert_ok(gw_queue_check(&r->queue));
    assert_ok(gw_groups_check(&r->groups));
    for (size_t n = 0; n < NODES; n++)
        for (size_t c = 0; groups[n] != NULL && c < SL_ARRAY_LEN(classes); c++)
            for (size_t size = 0; size < 2; size++)
                assert_int_equal(first_of(r, groups[n], classes[c], size),
                                 plain_first(r, models[n], classes[c], size));
}

static struct gw_queue_ask random_ask(struct sl_rng *rng, uint64_t arrival)
{
    uint8_t c = (uint8_t)sl_rng_below(rng, 4);
    return (struct gw_queue_ask){.key_us = (int64_t)sl_rng_below(rng, 20),
                                 .arrival = arrival,
                                 .expected_us = (int64_t)sl_rng_below(rng, 1000),
                                 .factor_thousandths = 1000,
                                 .tier = (uint16_t)sl_rng_below(rng, 5),
                                 .class_index = c == 3 ? GW_QUEUE_BACKGROUND : c,
                                 .size = (uint8_t)sl_rng_below(rng, 2)};
}

static void whatever_happens_lines_are_as_in_a_plain_list(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_group *groups[NODES] = {NULL};
    unsigned models[NODES] = {0};
    struct sl_rng rng;
    uint64_t next = 1;
    sl_rng_seed(&rng, 61);
    begin(&r, &sl_alloc_malloc);
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)sl_rng_below(&rng, ITEMS), n = (size_t)sl_rng_below(&rng, NODES);
        if (sl_rng_below(&rng, 20) == 0) {
            if (groups[n] != NULL)
                gw_groups_leave(&r.groups, groups[n], 1);
            models[n] = (unsigned)sl_rng_below(&rng, 1u << MODELS);
            groups[n] = join(&r, models[n]);
        } else if (r.asks[i].arrival > 0) {
            leave(&r, i);
        } else if (r.items[i].ask.arrival > 0 && sl_rng_below(&rng, 2)) {
            push(&r, i, r.home[i], r.items[i].ask); /* it returns */
        } else {
            push(&r, i, (unsigned)sl_rng_below(&rng, MODELS), random_ask(&rng, next++));
        }
        compare(&r, groups, models);
    }
    finish(&r);
}

/* A node that joins without memory for that. Returns whether memory was what it lacked. */
static bool join_poor(struct rig *r, struct fail_alloc *f, size_t fail_at)
{
    struct gw_group *g;
    bool is_new;
    sl_slot_id ids[] = {2};
    size_t failures = f->failures;
    f->fail_at = f->calls + fail_at;
    sl_status s = gw_groups_join(&r->groups, ids, 1, 1, &g, &is_new);
    if (s == SL_OK && gw_queue_regroup(&r->queue) != SL_OK) {
        gw_groups_leave(&r->groups, g, 1);
        gw_groups_forget(g);
        s = SL_ENOMEM;
    }
    f->fail_at = 0;
    assert_true((s == SL_ENOMEM) == (f->failures > failures));
    return s == SL_ENOMEM;
}

static void without_memory_for_another_pool_all_wait_where_they_did(void **state SL_UNUSED)
{
    bool was_poor = true;
    for (size_t at = 1; was_poor; at++) {
        struct rig r;
        struct fail_alloc f;
        fail_alloc_init(&f);
        begin(&r, &f.alloc);
        struct gw_group *first = join(&r, 3);
        push(&r, 0, 0, (struct gw_queue_ask){.key_us = 1, .arrival = 1});
        push(&r, 1, 1, (struct gw_queue_ask){.key_us = 2, .arrival = 2});
        was_poor = join_poor(&r, &f, at);
        assert_true(was_poor || at > 2);
        assert_ok(gw_queue_check(&r.queue));
        assert_int_equal(first_of(&r, first, 0, 0), 0);
        assert_int_equal(first_of(&r, join(&r, 2), 0, 0), 1); /* next time */
        assert_ok(gw_queue_check(&r.queue));
        finish(&r);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_key_is_first_then_the_oldest),
        cmocka_unit_test(a_node_with_other_models_divides_a_line),
        cmocka_unit_test(a_group_is_kept_until_its_place_is_wanted),
        cmocka_unit_test(other_classes_keep_everybodys_place),
        cmocka_unit_test(whatever_happens_lines_are_as_in_a_plain_list),
        cmocka_unit_test(without_memory_for_another_pool_all_wait_where_they_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
