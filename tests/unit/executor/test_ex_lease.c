/* test_ex_lease.c - slices: what may follow what, time held, expiry, and random sequences against a
 * second, simpler account of the same. */
#include "ex_lease.h"
#include "sl_rng.h"
#include "sl_test.h"

static struct ex_lease_table *make(size_t count)
{
    struct ex_lease_table *t;
    assert_ok(ex_lease_create(&sl_alloc_malloc, count, &t));
    return t;
}

static void test_create_refuses_no_slices_and_too_many(void **state)
{
    struct ex_lease_table *t;
    (void)state;
    assert_status(ex_lease_create(&sl_alloc_malloc, 0, &t), SL_EINVAL);
    assert_status(ex_lease_create(&sl_alloc_malloc, EX_SLICES_MAX + 1, &t), SL_EINVAL);
    ex_lease_destroy(NULL);
}

static void test_a_whole_life(void **state)
{
    struct ex_lease_table *t = make(2);
    sl_gpu_us held = -1;
    (void)state;
    assert_ok(ex_lease_grant(t, 1, 77));
    assert_int_equal(ex_lease_look(t, 1).state, EX_LEASE_LEASED);
    assert_ok(ex_lease_start(t, 1, 77, 5000, 1000));
    assert_int_equal(ex_lease_look(t, 1).lease, 77);
    assert_int_equal(ex_lease_next_expiry(t), 1000 + 5000 * SL_NS_PER_US);
    assert_ok(ex_lease_end(t, 1, 77, 1000 + 3 * SL_NS_PER_MS, &held));
    assert_int_equal(held, 3000);
    assert_int_equal(ex_lease_look(t, 1).state, EX_LEASE_FREE);
    assert_int_equal(ex_lease_next_expiry(t), SL_MONO_NEVER);
    ex_lease_destroy(t);
}

static void test_not_now_and_never_are_different(void **state)
{
    struct ex_lease_table *t = make(1);
    (void)state;
    assert_status(ex_lease_grant(t, 1, 5), SL_ENEVER);
    assert_status(ex_lease_grant(t, 0, 0), SL_EINVAL);
    assert_ok(ex_lease_grant(t, 0, 5));
    assert_status(ex_lease_grant(t, 0, 6), SL_EAGAIN);
    ex_lease_destroy(t);
}

static void test_a_stale_lease_moves_nothing(void **state)
{
    struct ex_lease_table *t = make(1);
    sl_gpu_us held;
    (void)state;
    assert_status(ex_lease_end(t, 0, 5, 0, &held), SL_ESTALE);
    assert_ok(ex_lease_grant(t, 0, 5));
    assert_status(ex_lease_start(t, 0, 4, 1, 0), SL_ESTALE);
    assert_status(ex_lease_take_back(t, 0, 4), SL_ESTALE);
    assert_status(ex_lease_start(t, 9, 5, 1, 0), SL_ENEVER);
    assert_status(ex_lease_start(t, 0, 5, 0, 0), SL_EINVAL);
    assert_int_equal(ex_lease_look(t, 0).state, EX_LEASE_LEASED);
    assert_int_equal(ex_lease_look(t, 9).state, EX_LEASE_FREE);
    ex_lease_destroy(t);
}

static void test_taking_back_keeps_the_slice_until_the_end(void **state)
{
    struct ex_lease_table *t = make(1);
    sl_gpu_us held;
    (void)state;
    assert_ok(ex_lease_grant(t, 0, 5));
    assert_ok(ex_lease_start(t, 0, 5, 10, 0));
    assert_true(ex_lease_is_expired(t, 0, 10 * SL_NS_PER_US));
    assert_false(ex_lease_is_expired(t, 0, 10 * SL_NS_PER_US - 1));
    assert_false(ex_lease_is_expired(t, 1, SL_MONO_NEVER - 1));
    assert_ok(ex_lease_take_back(t, 0, 5));
    assert_status(ex_lease_take_back(t, 0, 5), SL_EINVAL);
    assert_false(ex_lease_is_expired(t, 0, SL_MONO_NEVER - 1));
    assert_status(ex_lease_grant(t, 0, 6), SL_EAGAIN);
    assert_ok(ex_lease_end(t, 0, 5, 30 * SL_NS_PER_US, &held));
    assert_int_equal(held, 30);
    ex_lease_destroy(t);
}

static void test_a_lease_that_never_ran_held_nothing(void **state)
{
    struct ex_lease_table *t = make(1);
    sl_gpu_us held = -1;
    (void)state;
    assert_ok(ex_lease_grant(t, 0, 5));
    assert_ok(ex_lease_end(t, 0, 5, 1000000, &held));
    assert_int_equal(held, 0);
    ex_lease_destroy(t);
}

static void test_time_that_runs_backwards_or_far(void **state)
{
    struct ex_lease_table *t = make(1);
    sl_gpu_us held;
    (void)state;
    assert_ok(ex_lease_grant(t, 0, 5));
    assert_ok(ex_lease_start(t, 0, 5, INT64_MAX, 1000));
    assert_int_equal(ex_lease_next_expiry(t), SL_MONO_NEVER);
    assert_ok(ex_lease_end(t, 0, 5, 999, &held));
    assert_int_equal(held, 0);
    ex_lease_destroy(t);
}

/* A second account: only who holds what since when. */
struct model {
    uint64_t lease;
    bool runs, resets;
    sl_mono_ns since;
};

static void step(struct ex_lease_table *t, struct model *m, uint32_t slice, uint64_t action,
                 sl_mono_ns now)
{
    const uint64_t lease = 1 + action / 4 % 3;
    const bool is_held = m->lease == lease;
    sl_gpu_us held;
    switch (action % 4) {
    case 0:
        assert_status(ex_lease_grant(t, slice, lease), m->lease ? SL_EAGAIN : SL_OK);
        if (!m->lease)
            *m = (struct model){.lease = lease};
        return;
    case 1:
        assert_status(ex_lease_start(t, slice, lease, 50, now), !is_held               ? SL_ESTALE
                                                                : m->runs || m->resets ? SL_EINVAL
                                                                                       : SL_OK);
        if (is_held && !m->runs && !m->resets)
            *m = (struct model){.lease = lease, .runs = true, .since = now};
        return;
    case 2:
        assert_status(ex_lease_take_back(t, slice, lease), !is_held    ? SL_ESTALE
                                                           : m->resets ? SL_EINVAL
                                                                       : SL_OK);
        m->resets = m->resets || is_held;
        return;
    default:
        assert_status(ex_lease_end(t, slice, lease, now, &held), is_held ? SL_OK : SL_ESTALE);
        if (is_held) {
            assert_int_equal(held, m->runs ? (now - m->since) / 1000 : 0);
            *m = (struct model){0};
        }
    }
}

static void test_random_moves_against_the_model(void **state)
{
    enum { SLICES = 3 };
    struct ex_lease_table *t = make(SLICES);
    struct model models[SLICES] = {{0}};
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 42);
    for (sl_mono_ns now = 0; now < 200000; now += 10) {
        const uint32_t slice = (uint32_t)sl_rng_below(&rng, SLICES);
        step(t, &models[slice], slice, sl_rng_u64(&rng) >> 8, now);
        size_t running = 0;
        for (size_t i = 0; i < SLICES; i++) {
            assert_int_equal(ex_lease_look(t, (uint32_t)i).lease, models[i].lease);
            running += models[i].runs && !models[i].resets;
        }
        assert_int_equal(ex_lease_count(t, EX_LEASE_RUNNING), running);
    }
    ex_lease_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_refuses_no_slices_and_too_many),
        cmocka_unit_test(test_a_whole_life),
        cmocka_unit_test(test_not_now_and_never_are_different),
        cmocka_unit_test(test_a_stale_lease_moves_nothing),
        cmocka_unit_test(test_taking_back_keeps_the_slice_until_the_end),
        cmocka_unit_test(test_a_lease_that_never_ran_held_nothing),
        cmocka_unit_test(test_time_that_runs_backwards_or_far),
        cmocka_unit_test(test_random_moves_against_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
