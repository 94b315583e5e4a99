/* test_gw_sched.c - first come, first served over all pools; a pool that must wait blocks
 * nobody. */
#include "gw_sched.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { MODELS = 3, ITEMS = 40 };

static const char *const names[MODELS] = {"a", "b", "c"};

static const struct gw_size large = {"large", 500, UINT64_C(74625056768), 1000};

struct rig {
    struct gw_fleet *fleet;
    struct gw_queue queue;
    struct gw_queue_item items[ITEMS];
};

static void join(struct rig *r, const char *node, unsigned models, size_t slices)
{
    struct gw_hello_slice list[4] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}};
    struct gw_model_spec specs[MODELS];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++)
        list[i].device = list[i].kind = "cpu";
    for (unsigned m = 0; m < MODELS; m++)
        if (models & 1u << m)
            specs[count++] = (struct gw_model_spec){.name = names[m],
                                                    .version = "1",
                                                    .engine = "fake",
                                                    .duration_us = SL_US_PER_S,
                                                    .max_duration_us = SL_US_PER_S,
                                                    .problem = ""};
    struct gw_hello hello = {.session = 1,
                             .name = node,
                             .version = "v",
                             .slices = list,
                             .slice_count = slices,
                             .models = specs,
                             .model_count = count};
    struct gw_fleet_node *out;
    struct sl_error err;
    assert_ok(gw_fleet_join(r->fleet, &hello, 1, &out, &err));
}

static void begin(struct rig *r)
{
    static const struct gw_fleet_conf conf = {.max_nodes = 4,
                                              .max_models = 8,
                                              .max_leases = 100,
                                              .feed_ahead_us = 0,
                                              .feed_ahead_max = 64};
    *r = (struct rig){0};
    assert_ok(gw_fleet_create(&sl_alloc_malloc, &conf, &r->fleet));
    gw_queue_init(&r->queue, ITEMS);
}

static struct gw_fleet_model *model(struct rig *r, size_t m)
{
    return gw_fleet_find(r->fleet, sl_span_str(names[m]));
}

static void push(struct rig *r, size_t item, size_t m)
{
    r->items[item].size = &large;
    assert_ok(gw_queue_push(&r->queue, &model(r, m)->pool, &r->items[item], item + 1));
}

/* Places the next call; -1: none can start. */
static int place(struct rig *r)
{
    struct gw_queue_item *item = NULL;
    struct gw_fleet_slice *slice = NULL;
    if (!gw_sched_next(&r->queue, r->fleet, &item, &slice))
        return -1;
    struct gw_fleet_lease *lease;
    struct gw_fleet_model *m = SL_CONTAINER_OF(item->pool, struct gw_fleet_model, pool);
    gw_queue_remove(&r->queue, item);
    assert_ok(gw_fleet_lease(r->fleet, slice, m, 1, 1, &lease));
    return (int)(item - r->items);
}

static void the_oldest_call_of_all_pools_is_next(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    join(&r, "n", 7, 4);
    push(&r, 0, 2);
    push(&r, 1, 0);
    push(&r, 2, 1);
    push(&r, 3, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(place(&r), i);
    assert_int_equal(place(&r), -1);
    gw_fleet_destroy(r.fleet);
}

static void a_pool_that_must_wait_blocks_nobody(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    join(&r, "n1", 1, 1);
    join(&r, "n2", 2, 2);
    push(&r, 0, 0);
    push(&r, 1, 0);
    push(&r, 2, 1);
    push(&r, 3, 0);
    push(&r, 4, 1);
    assert_int_equal(place(&r), 0);
    assert_int_equal(place(&r), 2); /* 1 waits for n1 */
    assert_int_equal(place(&r), 4);
    assert_int_equal(place(&r), -1);
    assert_int_equal(r.queue.count, 2);
    gw_fleet_destroy(r.fleet);
}

static void nothing_changes_by_asking(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    begin(&r);
    assert_false(gw_sched_next(&r.queue, r.fleet, &item, &slice));
    join(&r, "n", 7, 1);
    push(&r, 0, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(gw_sched_next(&r.queue, r.fleet, &item, &slice));
        assert_ptr_equal(item, &r.items[0]);
        assert_int_equal(r.queue.count, 1);
    }
    gw_fleet_destroy(r.fleet);
}

/* Whatever waits: the one placed is the oldest among the heads whose pool has a slice. */
static void against_a_plain_search(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 71);
    for (int round = 0; round < 300; round++) {
        struct rig r;
        begin(&r);
        join(&r, "n0", 7, 1); /* so that all are known */
        join(&r, "n1", (unsigned)sl_rng_below(&rng, 8), 1 + (size_t)sl_rng_below(&rng, 4));
        join(&r, "n2", (unsigned)sl_rng_below(&rng, 8), 1 + (size_t)sl_rng_below(&rng, 4));
        for (size_t i = 0; i < ITEMS; i++)
            push(&r, i, (size_t)sl_rng_below(&rng, MODELS));
        for (int got;; assert_true(got >= 0)) {
            int wanted = -1;
            for (size_t m = 0; m < MODELS; m++) {
                const struct gw_queue_item *head = model(&r, m)->pool.head;
                int i = head == NULL ? -1 : (int)(head - r.items);
                if (i >= 0 && gw_fleet_pick(r.fleet, model(&r, m), &large) &&
                    (wanted < 0 || i < wanted))
                    wanted = i;
            }
            got = place(&r);
            assert_int_equal(got, wanted);
            if (got < 0)
                break;
        }
        gw_fleet_destroy(r.fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_call_of_all_pools_is_next),
        cmocka_unit_test(a_pool_that_must_wait_blocks_nobody),
        cmocka_unit_test(nothing_changes_by_asking),
        cmocka_unit_test(against_a_plain_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
