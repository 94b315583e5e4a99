/* test_gw_room.c - the room for messages: sums, shares, and a failing allocator. */
#include "fail_alloc.h"
#include "gw_room.h"
#include "sl_rng.h"
#include "sl_test.h"

static void all_or_nothing(void **state SL_UNUSED)
{
    struct gw_room r;
    gw_room_init(&r, &sl_alloc_malloc, 100, 0);
    assert_ok(gw_room_take(&r, 1, 60));
    assert_status(gw_room_take(&r, 2, 41), SL_EFULL);
    assert_ok(gw_room_take(&r, 2, 40));
    assert_int_equal(r.used_bytes, 100);
    gw_room_give(&r, 1, 60);
    assert_ok(gw_room_take(&r, 3, 1));
    assert_int_equal(r.used_bytes, 41);
    gw_room_finish(&r);
}

static void one_connection_has_its_share(void **state SL_UNUSED)
{
    struct gw_room r;
    gw_room_init(&r, &sl_alloc_malloc, 100, 50);
    assert_ok(gw_room_take(&r, 1, 50));
    assert_status(gw_room_take(&r, 1, 1), SL_EAGAIN);
    assert_status(gw_room_take(&r, 2, 51), SL_EFULL);
    assert_ok(gw_room_take(&r, 2, 50));
    assert_status(gw_room_take(&r, 1, 1), SL_EFULL);
    gw_room_give(&r, 1, 50);
    assert_ok(gw_room_take(&r, 0, 50)); /* nobody's */
    gw_room_give(&r, 0, 50);
    assert_ok(gw_room_take(&r, 1, 50));
    gw_room_finish(&r);
}

static void room_may_shrink_below_what_is_taken(void **state SL_UNUSED)
{
    struct gw_room r;
    gw_room_init(&r, &sl_alloc_malloc, 100, 60);
    assert_ok(gw_room_take(&r, 1, 60));
    gw_room_resize(&r, 50, 20);
    assert_status(gw_room_take(&r, 2, 1), SL_EFULL);
    gw_room_resize(&r, 200, 20);
    assert_status(gw_room_take(&r, 1, 1), SL_EAGAIN);
    assert_ok(gw_room_take(&r, 2, 20));
    gw_room_give(&r, 1, 60);
    gw_room_give(&r, 2, 20);
    assert_int_equal(r.used_bytes, 0);
    assert_null(r.shares);
    gw_room_finish(&r);
}

/* Whatever is taken and given: the sum holds, and at the end nothing is left over. */
static void sums_hold(void **state SL_UNUSED)
{
    enum { CONNECTIONS = 20, STEPS = 20000 };
    uint64_t taken[CONNECTIONS + 1] = {0}, sum = 0;
    struct gw_room r;
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    gw_room_init(&r, &sl_alloc_malloc, 1000, 200);
    for (int i = 0; i < STEPS; i++) {
        uint64_t c = 1 + sl_rng_below(&rng, CONNECTIONS), bytes = sl_rng_below(&rng, 150);
        if (taken[c] > 0 && sl_rng_below(&rng, 2) == 0) {
            gw_room_give(&r, c, taken[c]);
            sum -= taken[c];
            taken[c] = 0;
        } else {
            sl_status s = gw_room_take(&r, c, bytes);
            sl_status wanted = sum + bytes > 1000       ? SL_EFULL
                               : taken[c] + bytes > 200 ? SL_EAGAIN
                                                        : SL_OK;
            assert_status(s, wanted);
            taken[c] += s == SL_OK ? bytes : 0;
            sum += s == SL_OK ? bytes : 0;
        }
        assert_int_equal(r.used_bytes, sum);
    }
    gw_room_finish(&r);
}

static void no_memory_is_an_answer(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct gw_room r;
    assert_true(fail_alloc_start(&f, 1));
    gw_room_init(&r, &f.alloc, 100, 50);
    assert_status(gw_room_take(&r, 1, 10), SL_ENOMEM);
    assert_int_equal(r.used_bytes, 0);
    assert_ok(gw_room_take(&r, 1, 10));
    gw_room_finish(&r);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing),
        cmocka_unit_test(one_connection_has_its_share),
        cmocka_unit_test(room_may_shrink_below_what_is_taken),
        cmocka_unit_test(sums_hold),
        cmocka_unit_test(no_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
