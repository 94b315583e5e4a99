/* test_sl_arena.c - alignment, the maximum, reuse, and failures that leave the arena usable. */
#include <stdalign.h>

#include "fail_alloc.h"
#include "sl_arena.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static void init_takes_nothing(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_arena a;
    fail_alloc_init(&f);
    sl_arena_init(&a, &f.alloc, 1000);
    assert_int_equal(f.calls, 0);
    sl_arena_finish(&a);
    sl_arena_reset(&a);
    assert_int_equal(f.calls, 0);
}

static void requests_are_aligned_and_apart(void **state SL_UNUSED)
{
    struct sl_arena a;
    sl_arena_init(&a, &sl_alloc_malloc, 1 << 20);
    unsigned char *blocks[200];
    for (size_t i = 0; i < SL_ARRAY_LEN(blocks); i++) {
        blocks[i] = sl_arena_get(&a, i % 37);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
        memset(blocks[i], (int)i, i % 37);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(blocks); i++) {
        for (size_t j = 0; j < i % 37; j++)
            assert_int_equal(blocks[i][j], (unsigned char)i);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    sl_arena_finish(&a);
}

static void max_bytes_is_reached_and_not_passed(void **state SL_UNUSED)
{
    struct sl_arena a;
    sl_arena_init(&a, &sl_alloc_malloc, 100);
    assert_null(sl_arena_get(&a, 101));
    assert_non_null(sl_arena_get(&a, 100));
    assert_null(sl_arena_get(&a, 1));
    assert_int_equal(a.total_bytes, 100);
    sl_arena_reset(&a);
    assert_non_null(sl_arena_get(&a, 100));
    sl_arena_finish(&a);
    assert_non_null(sl_arena_get(&a, 100));
    sl_arena_finish(&a);
}

static void large_requests_get_their_own_block(void **state SL_UNUSED)
{
    struct sl_arena a;
    sl_arena_init(&a, &sl_alloc_malloc, 10 << 20);
    assert_non_null(sl_arena_get(&a, 10));
    unsigned char *large = sl_arena_get(&a, 5 << 20);
    assert_non_null(large);
    memset(large, 1, 5 << 20);
    assert_null(sl_arena_get(&a, 6 << 20));
    assert_non_null(sl_arena_get(&a, 4 << 20));
    sl_arena_finish(&a);
    assert_int_equal(a.total_bytes, 0);
}

static void reset_keeps_the_first_block(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_arena a;
    fail_alloc_init(&f);
    sl_arena_init(&a, &f.alloc, 1 << 20);
    void *first = sl_arena_get(&a, 16);
    for (int i = 0; i < 100; i++)
        assert_non_null(sl_arena_get(&a, 1000));
    assert_true(f.live_blocks > 1);
    sl_arena_reset(&a);
    assert_int_equal(f.live_blocks, 1);
    size_t calls = f.calls;
    assert_ptr_equal(sl_arena_get(&a, 16), first);
    assert_int_equal(f.calls, calls);
    sl_arena_finish(&a);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

static void few_blocks_for_many_requests(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_arena a;
    fail_alloc_init(&f);
    sl_arena_init(&a, &f.alloc, 4 << 20);
    for (int i = 0; i < 10000; i++)
        assert_non_null(sl_arena_get(&a, 64));
    assert_in_range(f.calls, 2, 24);
    sl_arena_finish(&a);
}

static void zero_and_str(void **state SL_UNUSED)
{
    struct sl_arena a;
    sl_arena_init(&a, &sl_alloc_malloc, 1 << 20);
    memset(sl_arena_get(&a, 500), 0xff, 500);
    sl_arena_reset(&a);
    const unsigned char *z = sl_arena_zero(&a, 50, 10);
    for (int i = 0; i < 500; i++)
        assert_int_equal(z[i], 0);
    assert_string_equal(sl_arena_str(&a, sl_span_of("abcdef", 3)), "abc");
    assert_string_equal(sl_arena_str(&a, sl_span_of(NULL, 0)), "");
    assert_null(sl_arena_zero(&a, SIZE_MAX / 2 + 1, 2));
    assert_null(sl_arena_str(&a, sl_span_of("", SIZE_MAX)));
    assert_null(sl_arena_get(&a, SIZE_MAX));
    sl_arena_finish(&a);
}

static void no_memory_leaves_it_usable(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_arena a;
    fail_alloc_init(&f);
    sl_arena_init(&a, &f.alloc, 1 << 20);
    char *kept = sl_arena_str(&a, sl_span_str("kept"));
    f.fail_at = f.calls + 1;
    assert_null(sl_arena_get(&a, 100000));
    assert_string_equal(kept, "kept");
    assert_non_null(sl_arena_get(&a, 100000));
    sl_arena_finish(&a);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

/* Random requests: none overlaps another, the total never passes the maximum. */
static void random_requests(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 6);
    for (int round = 0; round < 200; round++) {
        struct sl_arena a;
        struct {
            unsigned char *p;
            size_t len;
        } got[64];
        size_t max_bytes = sl_rng_below(&rng, 20000);
        sl_arena_init(&a, &sl_alloc_malloc, max_bytes);
        size_t count = 0;
        size_t asked = 0;
        for (int i = 0; i < 64; i++) {
            size_t len = sl_rng_below(&rng, 700);
            unsigned char *p = sl_arena_get(&a, len);
            assert_true(a.total_bytes <= max_bytes);
            if (!p)
                continue;
            asked += len;
            memset(p, (int)count, len);
            got[count].p = p;
            got[count++].len = len;
        }
        assert_true(asked <= max_bytes);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < got[i].len; j++)
                assert_int_equal(got[i].p[j], (unsigned char)i);
        }
        sl_arena_finish(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_takes_nothing),
        cmocka_unit_test(requests_are_aligned_and_apart),
        cmocka_unit_test(max_bytes_is_reached_and_not_passed),
        cmocka_unit_test(large_requests_get_their_own_block),
        cmocka_unit_test(reset_keeps_the_first_block),
        cmocka_unit_test(few_blocks_for_many_requests),
        cmocka_unit_test(zero_and_str),
        cmocka_unit_test(no_memory_leaves_it_usable),
        cmocka_unit_test(random_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
