/* test_ex_lease.c - slices: what may follow what, time held, expiry, and random sequences against a
 * second, simpler account of the same. */
#include "ex_lease.h"
#include "sl_rng.h"
#include "sl_test.h"

static const uint64_t no_parts[EX_ALL_SLICES_MAX + 1];

static struct ex_lease_table *make(size_t count)
{
    struct ex_lease_table *t;
    assert_ok(ex_lease_create(&sl_alloc_malloc, no_parts, count, &t));
    return t;
}

static void test_create_refuses_no_slices_and_too_many(void **state)
{
    struct ex_lease_table *t;
    (void)state;
    assert_status(ex_lease_create(&sl_alloc_malloc, no_parts, 0, &t), SL_EINVAL);
    assert_status(ex_lease_create(&sl_alloc_malloc, no_parts, EX_SLICES_MAX + 1, &t), SL_EINVAL);
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

/* ---- wide slices */

static void test_a_wide_slice_and_its_parts_exclude_each_other(void **state)
{
    static const uint64_t parts[] = {0, 0, 0, 3};
    struct ex_lease_table *t;
    sl_gpu_us held;
    (void)state;
    assert_ok(ex_lease_create(&sl_alloc_malloc, parts, 4, &t));
    assert_ok(ex_lease_grant(t, 1, 5));
    assert_false(ex_lease_may_grant(t, 3));
    assert_status(ex_lease_grant(t, 3, 6), SL_EAGAIN);
    assert_ok(ex_lease_end(t, 1, 5, 0, &held));
    assert_ok(ex_lease_grant(t, 3, 6));
    assert_int_equal(ex_lease_look(t, 0).state, EX_LEASE_FREE); /* but it cannot be had */
    assert_status(ex_lease_grant(t, 0, 7), SL_EAGAIN);
    assert_status(ex_lease_grant(t, 1, 7), SL_EAGAIN);
    assert_status(ex_lease_end(t, 0, 6, 0, &held), SL_ESTALE);
    assert_ok(ex_lease_grant(t, 2, 8));
    assert_ok(ex_lease_start(t, 3, 6, 10, 0));
    assert_ok(ex_lease_take_back(t, 3, 6));
    assert_status(ex_lease_grant(t, 0, 7), SL_EAGAIN); /* its process is still being ended */
    assert_ok(ex_lease_end(t, 3, 6, 20000, &held));
    assert_int_equal(held, 20);
    assert_ok(ex_lease_grant(t, 0, 7));
    ex_lease_destroy(t);
}

static void test_parts_that_are_none_are_refused(void **state)
{
    static const uint64_t of_itself[] = {0, 0, 7}, first[] = {3, 0, 0}, between[] = {0, 1, 0};
    struct ex_lease_table *t;
    (void)state;
    assert_status(ex_lease_create(&sl_alloc_malloc, of_itself, 3, &t), SL_EINVAL);
    assert_status(ex_lease_create(&sl_alloc_malloc, first, 3, &t), SL_EINVAL);
    assert_status(ex_lease_create(&sl_alloc_malloc, between, 3, &t), SL_EINVAL);
}

/* Whatever is asked for, nobody's parts are anybody else's. */
static void test_random_grants_never_overlap(void **state)
{
    enum { PLAIN = 6, ALL = 10 };
    static const uint64_t parts[ALL] = {0, 0, 0, 0, 0, 0, 3, 0xc, 0x30, 0x3f};
    struct ex_lease_table *t;
    struct sl_rng rng;
    size_t granted = 0, refused = 0;
    (void)state;
    sl_rng_seed(&rng, 7);
    assert_ok(ex_lease_create(&sl_alloc_malloc, parts, ALL, &t));
    for (uint64_t lease = 1; lease < 20000; lease++) {
        const uint32_t i = (uint32_t)sl_rng_below(&rng, ALL);
        const struct ex_lease_view view = ex_lease_look(t, i);
        sl_gpu_us held;
        uint64_t taken = 0;
        if (view.state != EX_LEASE_FREE)
            assert_ok(ex_lease_end(t, i, view.lease, 0, &held));
        else if (ex_lease_grant(t, i, lease) == SL_OK)
            granted++;
        else
            refused++;
        for (uint32_t k = 0; k < ALL; k++) {
            const uint64_t own = parts[k] != 0 ? parts[k] : UINT64_C(1) << k;
            if (ex_lease_look(t, k).state == EX_LEASE_FREE)
                continue;
            assert_true((taken & own) == 0);
            taken |= own;
        }
        for (uint32_t k = 0; k < ALL; k++) {
            const uint64_t own = parts[k] != 0 ? parts[k] : UINT64_C(1) << k;
            assert_int_equal(ex_lease_may_grant(t, k), (taken & own) == 0);
        }
    }
    assert_true(granted > 1000 && refused > 1000);
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
        cmocka_unit_test(test_a_wide_slice_and_its_parts_exclude_each_other),
        cmocka_unit_test(test_parts_that_are_none_are_refused),
        cmocka_unit_test(test_random_grants_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
