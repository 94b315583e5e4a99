/* test_sl_spin.c - looking goes on while it pays, becomes rare while it does not, and never stops. */
#include "sl_spin.h"
#include "sl_test.h"

static void test_never_without_a_time(void **state)
{
    struct sl_spin s = {.for_ns = 0};
    (void)state;
    assert_false(sl_spin_may(&s));
}

static void test_always_while_it_pays(void **state)
{
    struct sl_spin s = {.for_ns = 1};
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(sl_spin_may(&s));
        sl_spin_tell(&s, true);
    }
}

static unsigned chances_until_next_look(struct sl_spin *s)
{
    unsigned n = 0;
    while (!sl_spin_may(s))
        n++;
    return n;
}

static void test_rarer_in_vain_down_to_a_bound(void **state)
{
    static const unsigned skipped[] = {0, 1, 3, 7, 15, 15, 15};
    struct sl_spin s = {.for_ns = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        assert_int_equal(chances_until_next_look(&s), skipped[i]);
        sl_spin_tell(&s, false);
    }
}

static void test_one_that_pays_brings_it_back(void **state)
{
    struct sl_spin s = {.for_ns = 1};
    (void)state;
    for (int i = 0; i < 20; i++)
        sl_spin_tell(&s, false);
    assert_int_equal(chances_until_next_look(&s), SL_SPIN_SKIP_MAX);
    sl_spin_tell(&s, true);
    assert_true(sl_spin_may(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_without_a_time),
        cmocka_unit_test(test_always_while_it_pays),
        cmocka_unit_test(test_rarer_in_vain_down_to_a_bound),
        cmocka_unit_test(test_one_that_pays_brings_it_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
