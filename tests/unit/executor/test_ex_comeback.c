/* test_ex_comeback.c - pauses grow while a worker dies soon, and count from its start. */
#include "ex_comeback.h"
#include "sl_base.h"
#include "sl_test.h"

static void the_first_time_it_is_back_at_once(void **state SL_UNUSED)
{
    assert_int_equal(ex_comeback_at(0, 77), 77);
    assert_int_equal(ex_comeback_at(1, 77), 77);
}

static void then_starts_lie_further_and_further_apart(void **state SL_UNUSED)
{
    static const int64_t pauses_ms[] = {100, 200, 400, 800, 1600, 1600, 1600};
    for (unsigned i = 0; i < SL_ARRAY_LEN(pauses_ms); i++)
        assert_int_equal(ex_comeback_at(2 + i, 77), 77 + pauses_ms[i] * SL_NS_PER_MS);
    assert_int_equal(ex_comeback_at(UINT32_MAX, 77), 77 + 1600 * SL_NS_PER_MS);
}

static void the_end_of_time_is_not_passed(void **state SL_UNUSED)
{
    assert_true(ex_comeback_at(9, SL_MONO_NEVER) == SL_MONO_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_time_it_is_back_at_once),
        cmocka_unit_test(then_starts_lie_further_and_further_apart),
        cmocka_unit_test(the_end_of_time_is_not_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
