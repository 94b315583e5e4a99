/* test_gw_queue.c - pools in the order of arrival, whatever returns and leaves in between. */
#include "gw_queue.h"

#include <utlist.h>

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ITEMS = 60, POOLS = 4 };

static void assert_in_order(const struct gw_queue *q)
{
    size_t in_all = 0;
    const struct gw_pool *pool;
    DL_FOREACH (q->waiting, pool) {
        size_t count = 0;
        const struct gw_queue_item *item;
        assert_true(pool->count > 0);
        DL_FOREACH (pool->head, item) {
            assert_ptr_equal(item->pool, pool);
            if (item->next != NULL)
                assert_true(item->arrival < item->next->arrival);
            count++;
        }
        assert_int_equal(count, pool->count);
        in_all += count;
    }
    assert_int_equal(in_all, q->count);
}

static void first_come_first_served(void **state SL_UNUSED)
{
    struct gw_queue q;
    struct gw_pool pool = {0};
    struct gw_queue_item items[3] = {{0}};
    gw_queue_init(&q, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_ok(gw_queue_push(&q, &pool, &items[i], i + 1));
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(pool.head, &items[i]);
        gw_queue_remove(&q, &items[i]);
        assert_null(items[i].pool);
    }
    assert_null(q.waiting);
    assert_int_equal(q.count, 0);
    gw_queue_remove(&q, &items[0]); /* not queued: nothing */
    assert_int_equal(q.count, 0);
}

static void the_limit_is_for_new_ones_only(void **state SL_UNUSED)
{
    struct gw_queue q;
    struct gw_pool pool = {0};
    struct gw_queue_item a = {0}, b = {0}, c = {0};
    gw_queue_init(&q, 1);
    assert_ok(gw_queue_push(&q, &pool, &b, 2));
    assert_status(gw_queue_push(&q, &pool, &c, 3), SL_EFULL);
    assert_null(c.pool);
    gw_queue_return(&q, &pool, &a, 1);
    assert_int_equal(q.count, 2);
    assert_ptr_equal(pool.head, &a); /* before the one that came later */
    gw_queue_remove(&q, &a);
    assert_status(gw_queue_push(&q, &pool, &c, 3), SL_EFULL);
}

static void any_mix_of_push_return_and_remove_keeps_order(void **state SL_UNUSED)
{
    struct gw_queue q;
    struct gw_pool pools[POOLS] = {{0}};
    struct gw_queue_item items[ITEMS] = {{0}};
    struct {
        uint64_t arrival;
        size_t pool;
    } known[ITEMS] = {{0}};
    struct sl_rng rng;
    uint64_t next = 1;
    sl_rng_seed(&rng, 61);
    gw_queue_init(&q, ITEMS);
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)sl_rng_below(&rng, ITEMS);
        if (items[i].pool != NULL) {
            gw_queue_remove(&q, &items[i]);
        } else if (known[i].arrival != 0 && sl_rng_below(&rng, 2)) {
            gw_queue_return(&q, &pools[known[i].pool], &items[i], known[i].arrival);
        } else {
            known[i].arrival = next++;
            known[i].pool = (size_t)sl_rng_below(&rng, POOLS);
            assert_ok(gw_queue_push(&q, &pools[known[i].pool], &items[i], known[i].arrival));
        }
        assert_in_order(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(the_limit_is_for_new_ones_only),
        cmocka_unit_test(any_mix_of_push_return_and_remove_keeps_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
