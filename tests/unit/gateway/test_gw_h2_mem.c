/* test_gw_h2_mem.c - nghttp2's memory: small blocks come back, up to a bound; all is given back at the end. */
#include <string.h>

#include "fail_alloc.h"
#include "gw_h2_mem.h"
#include "sl_rng.h"
#include "sl_test.h"

struct rig {
    struct fail_alloc alloc;
    struct gw_h2_mem mem;
    nghttp2_mem f;
};

static void begin(struct rig *r)
{
    fail_alloc_init(&r->alloc);
    gw_h2_mem_init(&r->mem, &r->alloc.alloc);
    r->f = gw_h2_mem_functions(&r->mem);
}

static void end(struct rig *r)
{
    gw_h2_mem_finish(&r->mem);
    assert_int_equal(fail_alloc_finish(&r->alloc), 0);
}

static void *get(struct rig *r, size_t bytes)
{
    void *p = r->f.malloc(bytes, r->f.mem_user_data);
    assert_non_null(p);
    memset(p, 0xa5, bytes);
    return p;
}

static void give(struct rig *r, void *p)
{
    r->f.free(p, r->f.mem_user_data);
}

static void test_a_small_block_is_used_again(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    void *first = get(&r, 200);
    give(&r, first);
    assert_ptr_equal(get(&r, 230), first); /* of as many steps */
    assert_ptr_not_equal(get(&r, 230), first);
    assert_int_equal(r.alloc.calls, 2);
    give(&r, first);
    const uint8_t *zeroed = r.f.calloc(2, 100, r.f.mem_user_data);
    assert_ptr_equal(zeroed, first);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(zeroed[i], 0);
    end(&r);
}

static void test_a_large_block_goes_back_at_once(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    give(&r, get(&r, GW_H2_KEPT_SIZES * GW_H2_KEPT_STEP_BYTES + 1));
    assert_int_equal(r.alloc.live_blocks, 0);
    give(&r, NULL);
    end(&r);
}

static void test_what_is_kept_has_a_bound(void **state SL_UNUSED)
{
    enum { BYTES = 512, COUNT = 2 * GW_H2_KEPT_BYTES_MAX / BYTES };
    struct rig r;
    void *blocks[COUNT];
    begin(&r);
    for (size_t i = 0; i < COUNT; i++)
        blocks[i] = get(&r, BYTES);
    for (size_t i = 0; i < COUNT; i++)
        give(&r, blocks[i]);
    assert_int_equal(r.alloc.live_blocks, COUNT / 2);
    assert_int_equal(r.mem.kept_bytes, GW_H2_KEPT_BYTES_MAX);
    end(&r);
}

/* Against a plain account of what each block should hold. */
static void test_blocks_keep_their_bytes_through_random_use(void **state SL_UNUSED)
{
    enum { SLOTS = 40, STEPS = 20000, BYTES_MAX = 1500 };
    struct rig r;
    struct sl_rng rng;
    struct {
        uint8_t *p;
        size_t bytes;
        uint8_t mark;
    } slots[SLOTS] = {{0}};
    begin(&r);
    sl_rng_seed(&rng, 7);
    for (unsigned step = 0; step < STEPS; step++) {
        size_t i = (size_t)(sl_rng_u64(&rng) % SLOTS),
               bytes = (size_t)(sl_rng_u64(&rng) % BYTES_MAX);
        size_t held = bytes < slots[i].bytes ? bytes : slots[i].bytes;
        if (slots[i].p != NULL && sl_rng_u64(&rng) % 2 == 0) {
            give(&r, slots[i].p);
            slots[i].p = NULL;
            slots[i].bytes = 0;
            continue;
        }
        slots[i].p = r.f.realloc(slots[i].p, bytes, r.f.mem_user_data);
        assert_non_null(slots[i].p);
        for (size_t k = 0; k < held; k++)
            assert_int_equal(slots[i].p[k], slots[i].mark);
        slots[i].bytes = bytes;
        slots[i].mark = (uint8_t)step;
        memset(slots[i].p, slots[i].mark, bytes);
    }
    end(&r);
}

static void test_after_a_failure_nothing_is_given_back_before_the_end(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    void *small = get(&r, 100);
    void *large = get(&r, 1000);
    r.alloc.fail_at = r.alloc.calls + 1;
    assert_null(r.f.realloc(small, 300, r.f.mem_user_data));
    assert_true(r.mem.is_starved);
    assert_memory_equal(small, "\xa5\xa5", 2);
    give(&r, small);
    give(&r, large);
    assert_int_equal(r.alloc.live_blocks, 2);
    assert_int_equal(r.mem.kept_bytes, 0);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_block_is_used_again),
        cmocka_unit_test(test_a_large_block_goes_back_at_once),
        cmocka_unit_test(test_what_is_kept_has_a_bound),
        cmocka_unit_test(test_blocks_keep_their_bytes_through_random_use),
        cmocka_unit_test(test_after_a_failure_nothing_is_given_back_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
