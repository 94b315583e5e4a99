/* test_gw_drains.c - the nodes that are drained. */
#include "gw_drains.h"

#include "fail_alloc.h"
#include "sl_test.h"

static sl_status add(struct gw_drains *d, const char *node, sl_wall_us at)
{
    struct gw_drain_row row = {.by = "user:admin", .at = at};
    snprintf(row.node, sizeof row.node, "%s", node);
    return gw_drains_add(d, &row);
}

static void rows_are_added_once_and_removed(void **state SL_UNUSED)
{
    struct gw_drains *d;
    assert_status(gw_drains_create(&sl_alloc_malloc, 0, &d), SL_EINVAL);
    assert_ok(gw_drains_create(&sl_alloc_malloc, 2, &d));
    assert_null(gw_drains_next(d, NULL));
    assert_ok(add(d, "a", 1));
    assert_ok(add(d, "b", 2));
    assert_status(add(d, "a", 3), SL_EEXIST);
    assert_status(add(d, "c", 3), SL_EFULL);
    assert_status(add(d, "", 3), SL_EINVAL);
    assert_int_equal(gw_drains_find(d, "a")->at, 1); /* who was first stays */
    const struct gw_drain_row *first = gw_drains_next(d, NULL);
    assert_string_equal(first->node, "a");
    assert_string_equal(gw_drains_next(d, first)->node, "b");
    assert_null(gw_drains_next(d, gw_drains_next(d, first)));
    gw_drains_remove(d, "a");
    gw_drains_remove(d, "a");
    assert_null(gw_drains_find(d, "a"));
    assert_int_equal(gw_drains_count(d), 1);
    assert_ok(add(d, "c", 3));
    gw_drains_destroy(d);
    gw_drains_destroy(NULL);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t at = 1; fail_alloc_start(&f, at); at++) {
        struct gw_drains *d;
        if (gw_drains_create(&f.alloc, 8, &d) == SL_OK) {
            bool has_a = add(d, "a", 1) == SL_OK, has_b = add(d, "b", 2) == SL_OK;
            assert_int_equal(has_a, gw_drains_find(d, "a") != NULL);
            assert_int_equal(gw_drains_count(d), (size_t)has_a + has_b);
            gw_drains_destroy(d);
        }
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_added_once_and_removed),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
