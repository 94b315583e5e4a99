/* test_gw_account.c - who is in the table and who makes room: those without spending first, never what is open or
 * blocked, and a fifth for those who signed in. */
#include "gw_account.h"

#include <stdio.h>

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct sl_hash_seed seed = {1, 2};

static struct gw_account *take(struct gw_accounts *t, const char *name)
{
    struct gw_account *a = NULL;
    assert_ok(gw_accounts_take(t, sl_span_str(name), &a));
    return a;
}

/* An idle account with a window of its own, and so much spent in it. */
static void add(struct gw_accounts *t, const char *name, sl_gpu_us spent)
{
    struct gw_account *a = take(t, name);
    gw_account_open_window(t, a, 100);
    a->spent_us = spent;
    gw_accounts_release(t, a);
    assert_true(gw_accounts_are_whole(t));
}

static bool has(struct gw_accounts *t, const char *name)
{
    return gw_accounts_find(t, sl_span_str(name), 200) != NULL;
}

static void what_holds_nothing_leaves_at_once(void **state SL_UNUSED)
{
    struct gw_accounts t;
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 10, seed));
    struct gw_account *a = take(&t, "user:a");
    assert_ptr_equal(take(&t, "user:a"), a);
    gw_accounts_release(&t, a);
    assert_true(has(&t, "user:a"));
    gw_accounts_release(&t, a);
    assert_false(has(&t, "user:a"));
    assert_int_equal(t.count, 0);
    a = take(&t, "user:a");
    a->is_blocked = true;
    gw_accounts_release(&t, a);
    assert_true(has(&t, "user:a"));
    gw_accounts_finish(&t);
}

static void a_window_lasts_a_day_and_does_not_come_back(void **state SL_UNUSED)
{
    struct gw_accounts t;
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 10, seed));
    add(&t, "user:a", 5);
    struct gw_account *a = gw_accounts_find(&t, sl_span_str("user:a"), 100 + GW_WINDOW_US - 1);
    assert_int_equal(a->spent_us, 5);
    assert_int_equal(gw_account_window_ends_at(a), 100 + GW_WINDOW_US);
    a = take(&t, "user:a");
    gw_account_observe(&t, a, 100 + GW_WINDOW_US);
    assert_int_equal(a->window_opened_at, 0);
    assert_int_equal(a->spent_us, 0);
    gw_account_observe(&t, a, 200); /* the clock stepped back */
    assert_int_equal(a->window_opened_at, 0);
    gw_accounts_release(&t, a);
    assert_int_equal(t.count, 0);

    add(&t, "user:b", 5);
    assert_non_null(gw_accounts_find(&t, sl_span_str("user:b"), 100 - GW_WINDOW_AHEAD_MAX_US));
    assert_null(gw_accounts_find(&t, sl_span_str("user:b"), 99 - GW_WINDOW_AHEAD_MAX_US));
    gw_accounts_finish(&t);
}

static void who_spent_nothing_goes_first_and_the_oldest_of_them(void **state SL_UNUSED)
{
    struct gw_accounts t;
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 5, seed)); /* four for addresses */
    add(&t, "ip:1", 9);
    add(&t, "ip:2", 0);
    add(&t, "ip:3", 0);
    add(&t, "ip:4", 9);
    add(&t, "ip:5", 9);
    assert_false(has(&t, "ip:2"));
    add(&t, "ip:6", 9);
    assert_false(has(&t, "ip:3"));
    assert_int_equal(t.evicted_count, 0);
    add(&t, "ip:7", 9);
    assert_false(has(&t, "ip:1"));
    assert_int_equal(t.evicted_count, 1);
    gw_accounts_finish(&t);
}

static void a_fifth_is_kept_for_those_who_signed_in(void **state SL_UNUSED)
{
    struct gw_accounts t;
    char name[32];
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 10, seed));
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%s%d", i % 2 ? "ip:" : "cookie:", i);
        add(&t, name, 1);
    }
    assert_int_equal(t.count, 8);
    add(&t, "user:a", 1);
    add(&t, "user:b", 1);
    assert_int_equal(t.count, 10);
    assert_true(has(&t, "ip:99"));
    add(&t, "app:x/c", 1); /* beyond its fifth: of the addresses, the one that is longest unused */
    assert_int_equal(t.anonymous_count, 7);
    for (int i = 100; i < 200; i++) {
        snprintf(name, sizeof name, "ip:%d", i);
        add(&t, name, 1);
    }
    assert_true(has(&t, "user:a") && has(&t, "user:b") && has(&t, "app:x/c"));
    gw_accounts_finish(&t);
}

static void what_is_open_or_blocked_stays(void **state SL_UNUSED)
{
    struct gw_accounts t;
    struct gw_account *a, *none = NULL;
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 2, seed));
    a = take(&t, "ip:1");
    struct gw_account *b = take(&t, "ip:2");
    assert_status(gw_accounts_take(&t, sl_span_str("ip:3"), &none), SL_EFULL);
    assert_status(gw_accounts_take(&t, sl_span_str("user:3"), &none), SL_EFULL);
    a->is_blocked = true;
    gw_accounts_release(&t, a);
    assert_status(gw_accounts_take(&t, sl_span_str("ip:3"), &none), SL_EFULL);
    gw_accounts_release(&t, b);
    assert_ok(gw_accounts_take(&t, sl_span_str("ip:3"), &none));
    assert_true(gw_accounts_are_whole(&t));
    gw_accounts_finish(&t);
}

static void names_have_a_length(void **state SL_UNUSED)
{
    struct gw_accounts t;
    struct gw_account *a;
    char name[GW_ACCOUNT_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, 2, seed));
    assert_ok(gw_accounts_take(&t, sl_span_of(name, GW_ACCOUNT_NAME_MAX), &a));
    assert_status(gw_accounts_take(&t, sl_span_of(name, sizeof name), &a), SL_EINVAL);
    assert_status(gw_accounts_take(&t, sl_span_of(name, 0), &a), SL_EINVAL);
    gw_accounts_finish(&t);
}

/* Whatever comes and goes, the index finds just what is there: gaps are closed behind what left. */
static void any_mix_of_names_is_found(void **state SL_UNUSED)
{
    enum { NAMES = 300 };
    struct gw_accounts t;
    struct gw_account *taken[NAMES] = {NULL};
    struct sl_rng rng;
    char name[32];
    sl_rng_seed(&rng, 3);
    assert_ok(gw_accounts_init(&t, &sl_alloc_malloc, NAMES, seed));
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)sl_rng_below(&rng, NAMES);
        snprintf(name, sizeof name, "user:%zu", i);
        if (taken[i] != NULL) {
            assert_ptr_equal(gw_accounts_find(&t, sl_span_str(name), 1), taken[i]);
            gw_accounts_release(&t, taken[i]);
            taken[i] = NULL;
        } else {
            taken[i] = take(&t, name);
        }
        assert_true((gw_accounts_find(&t, sl_span_str(name), 1) != NULL) == (taken[i] != NULL));
        if (round % 500 == 0)
            assert_true(gw_accounts_are_whole(&t));
    }
    gw_accounts_finish(&t);
}

static void no_memory_changes_nothing(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_accounts t;
        struct gw_account *a;
        if (gw_accounts_init(&t, &f.alloc, 3, seed) == SL_OK) {
            for (int k = 0; k < 3; k++) {
                char name[] = {'u', (char)('0' + k), '\0'};
                size_t before = t.count;
                if (gw_accounts_take(&t, sl_span_str(name), &a) != SL_OK)
                    assert_int_equal(t.count, before);
                assert_true(gw_accounts_are_whole(&t));
            }
        }
        gw_accounts_finish(&t);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_nothing_leaves_at_once),
        cmocka_unit_test(a_window_lasts_a_day_and_does_not_come_back),
        cmocka_unit_test(who_spent_nothing_goes_first_and_the_oldest_of_them),
        cmocka_unit_test(a_fifth_is_kept_for_those_who_signed_in),
        cmocka_unit_test(what_is_open_or_blocked_stays),
        cmocka_unit_test(names_have_a_length),
        cmocka_unit_test(any_mix_of_names_is_found),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
