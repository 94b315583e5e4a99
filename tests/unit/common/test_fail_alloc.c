/* test_fail_alloc.c - the failing allocator fails where it is told to, and counts right. */
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

static void fails_the_named_allocation_only(void **state SL_UNUSED)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    f.fail_at = 2;
    void *first = sl_alloc_get(&f.alloc, 8);
    assert_non_null(first);
    assert_null(sl_alloc_get(&f.alloc, 8));
    void *third = sl_alloc_get(&f.alloc, 8);
    assert_non_null(third);
    assert_int_equal(f.failures, 1);
    assert_int_equal(fail_alloc_finish(&f), 2);
    sl_alloc_free(&f.alloc, first);
    sl_alloc_free(&f.alloc, third);
    assert_int_equal(fail_alloc_finish(&f), 0);
    assert_int_equal(f.live_bytes, 0);
}

static void may_keep_failing(void **state SL_UNUSED)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    f.fail_at = 1;
    f.keeps_failing = true;
    assert_null(sl_alloc_get(&f.alloc, 8));
    assert_null(f.alloc.resize(f.alloc.ctx, NULL, 8));
    assert_int_equal(f.failures, 2);
}

static void resize_counts_and_keeps_the_content(void **state SL_UNUSED)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    char *p = f.alloc.resize(f.alloc.ctx, NULL, 4);
    memcpy(p, "abc", 4);
    p = f.alloc.resize(f.alloc.ctx, p, 1000);
    assert_string_equal(p, "abc");
    assert_int_equal(f.live_blocks, 1);
    assert_int_equal(f.live_bytes, 1000);
    f.fail_at = 3;
    assert_null(f.alloc.resize(f.alloc.ctx, p, 2000));
    assert_string_equal(p, "abc");
    sl_alloc_free(&f.alloc, p);
    sl_alloc_free(&f.alloc, NULL);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

static void sweep_ends_after_the_last_allocation(void **state SL_UNUSED)
{
    struct fail_alloc f;
    size_t runs = 0;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        for (int n = 0; n < 3; n++)
            sl_alloc_free(&f.alloc, sl_alloc_get(&f.alloc, 1));
        runs++;
    }
    assert_int_equal(runs, 4); /* three that fail, one that does not */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_the_named_allocation_only),
        cmocka_unit_test(may_keep_failing),
        cmocka_unit_test(resize_counts_and_keeps_the_content),
        cmocka_unit_test(sweep_ends_after_the_last_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
