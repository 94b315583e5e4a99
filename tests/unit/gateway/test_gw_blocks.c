/* test_gw_blocks.c - the list of those who are blocked. */
#include "gw_blocks.h"

#include "fail_alloc.h"
#include "sl_test.h"

static struct gw_block_row row_of(const char *account, const char *reason)
{
    struct gw_block_row row = {.at = 7, .by = "user:admin"};
    snprintf(row.account, sizeof row.account, "%s", account);
    snprintf(row.reason, sizeof row.reason, "%s", reason);
    return row;
}

static sl_status set(struct gw_blocks *b, const char *account, const char *reason)
{
    const struct gw_block_row row = row_of(account, reason);
    return gw_blocks_set(b, &row);
}

static void rows_are_set_replaced_removed(void **state SL_UNUSED)
{
    struct gw_blocks *b;
    assert_status(gw_blocks_create(&sl_alloc_malloc, 0, &b), SL_EINVAL);
    assert_ok(gw_blocks_create(&sl_alloc_malloc, 2, &b));
    assert_null(gw_blocks_next(b, NULL));
    assert_ok(set(b, "user:a", "one"));
    assert_ok(set(b, "user:b", "two"));
    assert_status(set(b, "user:c", "three"), SL_EFULL);
    assert_ok(set(b, "user:a", "again")); /* it has its place */
    assert_status(set(b, "", "nobody"), SL_EINVAL);
    assert_string_equal(gw_blocks_find(b, sl_span_str("user:a"))->reason, "again");
    const struct gw_block_row *first = gw_blocks_next(b, NULL);
    assert_string_equal(first->account, "user:a");
    assert_string_equal(gw_blocks_next(b, first)->account, "user:b");
    assert_null(gw_blocks_next(b, gw_blocks_next(b, first)));
    gw_blocks_remove(b, sl_span_str("user:a"));
    gw_blocks_remove(b, sl_span_str("user:a"));
    assert_null(gw_blocks_find(b, sl_span_str("user:a")));
    assert_ok(set(b, "user:c", "three"));
    gw_blocks_destroy(b);
    gw_blocks_destroy(NULL);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t at = 1; fail_alloc_start(&f, at); at++) {
        struct gw_blocks *b;
        if (gw_blocks_create(&f.alloc, 8, &b) == SL_OK) {
            bool has_a = set(b, "user:a", "r") == SL_OK, has_b = set(b, "user:b", "r") == SL_OK;
            assert_int_equal(has_a, gw_blocks_find(b, sl_span_str("user:a")) != NULL);
            assert_int_equal(has_b, gw_blocks_find(b, sl_span_str("user:b")) != NULL);
            gw_blocks_destroy(b);
        }
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_set_replaced_removed),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
