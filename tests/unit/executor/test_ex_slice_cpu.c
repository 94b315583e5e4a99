/* test_ex_slice_cpu.c - how the processors are divided: halves, devices, and what is all of a device. */
#include "ex_slice_cpu.h"
#include "sl_base.h"
#include "sl_test.h"

static struct ex_slice slices[EX_ALL_SLICES_MAX];

static size_t make(size_t count, size_t per_device)
{
    const struct ex_slice_cpu_plan plan = {
        .count = count, .per_device = per_device, .threads = 3, .memory_bytes = 100};
    return ex_slice_cpu_make(slices, &plan);
}

static void two_halves_are_a_device(void **state SL_UNUSED)
{
    assert_int_equal(make(4, 2), 6);
    assert_string_equal(slices[1].device, "cpu0");
    assert_string_equal(slices[2].device, "cpu1");
    assert_true(slices[3].share_thousandths == 500 && slices[3].parts == 0);
    assert_true(slices[4].id == 4 && slices[4].parts == 3 && slices[5].parts == 12);
    assert_string_equal(slices[5].device, "cpu1");
    assert_true(slices[5].share_thousandths == 1000 && slices[5].cpu_threads == 6);
    assert_int_equal(slices[5].memory_bytes, 200);
}

static void threads_have_a_limit(void **state SL_UNUSED)
{
    const struct ex_slice_cpu_plan plan = {.count = 2, .per_device = 2, .threads = EX_THREADS_MAX};
    assert_int_equal(ex_slice_cpu_make(slices, &plan), 3);
    assert_int_equal(slices[2].cpu_threads, EX_THREADS_MAX);
}

static void one_slice_is_a_whole_device(void **state SL_UNUSED)
{
    assert_int_equal(make(1, 2), 1);
    assert_int_equal(slices[0].share_thousandths, 1000);
    assert_int_equal(make(3, 1), 3);
    assert_int_equal(slices[2].share_thousandths, 1000);
    assert_string_equal(slices[2].device, "cpu2");
}

static void half_a_device_may_be_left(void **state SL_UNUSED)
{
    assert_int_equal(make(3, 2), 4);
    assert_true(slices[2].share_thousandths == 500 && slices[3].parts == 3);
    assert_string_equal(slices[2].device, "cpu1");
}

static void there_may_be_as_many_as_fit(void **state SL_UNUSED)
{
    assert_int_equal(make(EX_SLICES_MAX, 2), EX_ALL_SLICES_MAX);
    assert_true(slices[EX_ALL_SLICES_MAX - 1].parts == UINT64_C(3) << 62);
    assert_int_equal(make(EX_SLICES_MAX, EX_SLICES_MAX), EX_SLICES_MAX + 1);
    assert_true(slices[EX_SLICES_MAX].parts == UINT64_MAX);
}

static void threads_are_shared_out(void **state SL_UNUSED)
{
    const struct ex_slice_cpu_plan plan = {.count = EX_SLICES_MAX, .per_device = 2};
    ex_slice_cpu_make(slices, &plan);
    assert_true(slices[0].cpu_threads >= 1);
    assert_int_equal(slices[EX_SLICES_MAX].cpu_threads, 2 * slices[0].cpu_threads);
    assert_int_equal(slices[EX_SLICES_MAX].memory_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_halves_are_a_device),     cmocka_unit_test(threads_have_a_limit),
        cmocka_unit_test(one_slice_is_a_whole_device), cmocka_unit_test(half_a_device_may_be_left),
        cmocka_unit_test(there_may_be_as_many_as_fit), cmocka_unit_test(threads_are_shared_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
