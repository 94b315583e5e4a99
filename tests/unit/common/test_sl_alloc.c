/* test_sl_alloc.c - zeroed memory, copies, and counts that would overflow. */
#include "fail_alloc.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

static void malloc_gives_resizes_and_releases(void **state SL_UNUSED)
{
    const struct sl_alloc *a = &sl_alloc_malloc;
    char *p = sl_alloc_get(a, 4);
    assert_non_null(p);
    memcpy(p, "abc", 4);
    p = a->resize(a->ctx, p, 4096);
    assert_string_equal(p, "abc");
    sl_alloc_free(a, p);
    sl_alloc_free(a, NULL);
}

static void zero_is_zeroed(void **state SL_UNUSED)
{
    unsigned char *p = sl_alloc_zero(&sl_alloc_malloc, 100, 10);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    sl_alloc_free(&sl_alloc_malloc, p);
}

static void zero_refuses_what_overflows(void **state SL_UNUSED)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    assert_null(sl_alloc_zero(&f.alloc, SIZE_MAX / 2 + 1, 2));
    assert_null(sl_alloc_zero(&f.alloc, SIZE_MAX, SIZE_MAX));
    assert_int_equal(f.calls, 0);
}

static void zero_of_nothing_is_not_a_failure(void **state SL_UNUSED)
{
    void *p = sl_alloc_zero(&sl_alloc_malloc, 0, 10);
    assert_non_null(p);
    sl_alloc_free(&sl_alloc_malloc, p);
}

static void copy_ends_with_a_nul(void **state SL_UNUSED)
{
    char *p = sl_alloc_copy(&sl_alloc_malloc, "abcdef", 3);
    assert_string_equal(p, "abc");
    sl_alloc_free(&sl_alloc_malloc, p);
    p = sl_alloc_copy(&sl_alloc_malloc, NULL, 0);
    assert_string_equal(p, "");
    sl_alloc_free(&sl_alloc_malloc, p);
    assert_null(sl_alloc_copy(&sl_alloc_malloc, "", SIZE_MAX));
}

static void no_memory_is_null(void **state SL_UNUSED)
{
    struct fail_alloc f;
    fail_alloc_init(&f);
    f.fail_at = 1;
    f.keeps_failing = true;
    assert_null(sl_alloc_zero(&f.alloc, 1, 1));
    assert_null(sl_alloc_copy(&f.alloc, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_gives_resizes_and_releases),
        cmocka_unit_test(zero_is_zeroed),
        cmocka_unit_test(zero_refuses_what_overflows),
        cmocka_unit_test(zero_of_nothing_is_not_a_failure),
        cmocka_unit_test(copy_ends_with_a_nul),
        cmocka_unit_test(no_memory_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
