/* test_gw_timers.c - the heap gives what a plain list gives, ties in the order of setting, and
 * keeps its limit. */
#include "gw_timers.h"

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { COUNT = 200 };

/* What a list without any cleverness would hold. */
struct naive {
    bool is_set;
    sl_mono_ns at;
    uint64_t order;
};

static int naive_first(const struct naive *list)
{
    int first = -1;
    for (int i = 0; i < COUNT; i++)
        if (list[i].is_set && (first < 0 || list[i].at < list[first].at ||
                               (list[i].at == list[first].at && list[i].order < list[first].order)))
            first = i;
    return first;
}

static void the_heap_is_a_sorted_list(void **state SL_UNUSED)
{
    struct gw_timers t;
    struct gw_timer timers[COUNT] = {{0}};
    struct naive list[COUNT] = {{0}};
    struct sl_rng rng;
    uint64_t order = 0;
    sl_rng_seed(&rng, 51);
    gw_timers_init(&t, &sl_alloc_malloc, COUNT);
    for (int round = 0; round < 50000; round++) {
        size_t i = (size_t)sl_rng_below(&rng, COUNT);
        uint64_t what = sl_rng_below(&rng, 10);
        if (what < 5) {
            sl_mono_ns at = (sl_mono_ns)sl_rng_below(&rng, 50) - 10;
            assert_ok(gw_timers_set(&t, &timers[i], at));
            list[i] = (struct naive){true, at, order++};
        } else if (what < 7) {
            if (sl_rng_below(&rng, 2))
                gw_timers_clear(&t, &timers[i]);
            else
                assert_ok(gw_timers_set(&t, &timers[i], SL_MONO_NEVER));
            list[i].is_set = false;
        } else {
            sl_mono_ns now = (sl_mono_ns)sl_rng_below(&rng, 60) - 10;
            int first = naive_first(list);
            struct gw_timer *got = gw_timers_pop(&t, now);
            assert_ptr_equal(got, first >= 0 && list[first].at <= now ? &timers[first] : NULL);
            if (got != NULL) {
                assert_int_equal(got->place, 0);
                list[first].is_set = false;
            }
        }
        int first = naive_first(list);
        assert_int_equal(gw_timers_next(&t), first < 0 ? SL_MONO_NEVER : list[first].at);
    }
    gw_timers_finish(&t);
}

static void ties_come_in_the_order_of_setting(void **state SL_UNUSED)
{
    struct gw_timers t;
    struct gw_timer timers[COUNT] = {{0}};
    gw_timers_init(&t, &sl_alloc_malloc, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ok(gw_timers_set(&t, &timers[i], 7));
    assert_ok(gw_timers_set(&t, &timers[0], 7)); /* set again: the last now */
    for (size_t i = 1; i < COUNT; i++)
        assert_ptr_equal(gw_timers_pop(&t, 7), &timers[i]);
    assert_ptr_equal(gw_timers_pop(&t, 7), &timers[0]);
    assert_null(gw_timers_pop(&t, 7));
    gw_timers_finish(&t);
}

static void the_limit_holds_and_set_timers_can_still_move(void **state SL_UNUSED)
{
    struct gw_timers t;
    struct gw_timer timers[4] = {{0}};
    gw_timers_init(&t, &sl_alloc_malloc, 3);
    for (size_t i = 0; i < 3; i++)
        assert_ok(gw_timers_set(&t, &timers[i], 5));
    assert_status(gw_timers_set(&t, &timers[3], 1), SL_EFULL);
    assert_int_equal(timers[3].place, 0);
    assert_int_equal(gw_timers_next(&t), 5);
    assert_ok(gw_timers_set(&t, &timers[1], 2));
    assert_int_equal(gw_timers_next(&t), 2);
    gw_timers_clear(&t, &timers[3]); /* not set: nothing */
    gw_timers_clear(&t, &timers[2]);
    assert_ok(gw_timers_set(&t, &timers[3], 1));
    gw_timers_finish(&t);
}

static void no_memory_leaves_all_as_it_was(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t at = 1; fail_alloc_start(&f, at); at++) {
        struct gw_timers t;
        struct gw_timer timers[COUNT] = {{0}};
        size_t set = 0;
        gw_timers_init(&t, &f.alloc, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            sl_status s = gw_timers_set(&t, &timers[i], (sl_mono_ns)(COUNT - i));
            assert_true(s == SL_OK || s == SL_ENOMEM);
            set += s == SL_OK;
            assert_int_equal(t.count, set);
            assert_int_equal(timers[i].place > 0, s == SL_OK);
        }
        assert_true(set >= COUNT - f.failures);
        while (gw_timers_pop(&t, SL_MONO_NEVER - 1) != NULL)
            set--;
        assert_int_equal(set, 0);
        gw_timers_finish(&t);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heap_is_a_sorted_list),
        cmocka_unit_test(ties_come_in_the_order_of_setting),
        cmocka_unit_test(the_limit_holds_and_set_timers_can_still_move),
        cmocka_unit_test(no_memory_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
