/* test_ex_starts.c - a start is told when its moment is over, and not at all when its result came. */
#include "ex_starts.h"
#include "sl_test.h"

static struct ex_starts empty(void)
{
    struct ex_starts s;
    ex_starts_init(&s);
    return s;
}

static void test_a_start_waits_from_the_turn_that_asks(void **state)
{
    struct ex_starts s = empty();
    (void)state;
    assert_false(ex_starts_are_due(&s, 100, 10));
    assert_int_equal(s.due_at, SL_MONO_NEVER);
    assert_true(ex_starts_add(&s, 7));
    assert_false(ex_starts_are_due(&s, 100, 10));
    assert_int_equal(s.due_at, 110);
    assert_false(ex_starts_are_due(&s, 109, 10));
    assert_true(ex_starts_are_due(&s, 110, 10));
    assert_int_equal(s.leases[0], 7);
}

static void test_a_later_start_does_not_put_off_the_first(void **state)
{
    struct ex_starts s = empty();
    (void)state;
    assert_true(ex_starts_add(&s, 7));
    assert_false(ex_starts_are_due(&s, 100, 10));
    assert_true(ex_starts_add(&s, 8));
    assert_false(ex_starts_are_due(&s, 105, 10));
    assert_true(ex_starts_are_due(&s, 110, 10));
    assert_int_equal(s.count, 2);
}

static void test_a_result_takes_its_start_along(void **state)
{
    struct ex_starts s = empty();
    (void)state;
    assert_true(ex_starts_add(&s, 7));
    assert_true(ex_starts_add(&s, 8));
    assert_false(ex_starts_are_due(&s, 100, 10));
    ex_starts_drop(&s, 9);
    assert_int_equal(s.count, 2);
    ex_starts_drop(&s, 7);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.leases[0], 8);
    ex_starts_drop(&s, 8);
    assert_int_equal(s.due_at, SL_MONO_NEVER);
    assert_false(ex_starts_are_due(&s, 1000, 10));
}

static void test_there_is_room_for_all_slices_and_no_more(void **state)
{
    struct ex_starts s = empty();
    (void)state;
    for (uint64_t i = 1; i <= EX_SLICES_MAX; i++)
        assert_true(ex_starts_add(&s, i));
    assert_false(ex_starts_add(&s, EX_SLICES_MAX + 1));
    assert_int_equal(s.count, EX_SLICES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_start_waits_from_the_turn_that_asks),
        cmocka_unit_test(test_a_later_start_does_not_put_off_the_first),
        cmocka_unit_test(test_a_result_takes_its_start_along),
        cmocka_unit_test(test_there_is_room_for_all_slices_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
