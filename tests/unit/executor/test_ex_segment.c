/* test_ex_segment.c - inputs in memory that only we can write, for one job after the other. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ex_segment.h"
#include "sl_test.h"

enum { BYTES = 8192 };

static void test_an_input_is_read_only_for_others(void **state)
{
    struct ex_segment *s = ex_segment_create(&sl_alloc_malloc, BYTES);
    (void)state;
    assert_non_null(s);
    memset(s->map, 7, BYTES);
    uint8_t byte = 0;
    assert_int_equal(pread(s->fd, &byte, 1, BYTES - 1), 1);
    assert_int_equal(byte, 7);
    assert_int_equal(mmap(NULL, BYTES, PROT_WRITE, MAP_SHARED, s->fd, 0), MAP_FAILED);
    assert_int_equal(pwrite(s->fd, &byte, 1, 0), -1);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
    const int again = open(path, O_RDWR); /* allowed, but sealed */
    assert_int_equal(pwrite(again, &byte, 1, 0), -1);
    assert_int_not_equal(ftruncate(again, 1), 0);
    close(again);
    ex_segment_destroy(s);
}

static void test_the_next_job_finds_zeroes_behind_its_bytes(void **state)
{
    struct ex_segment *s = ex_segment_create(&sl_alloc_malloc, BYTES);
    (void)state;
    ex_segment_prepare(s, BYTES);
    memset(s->map, 7, BYTES);
    ex_segment_prepare(s, 100);
    const uint8_t *bytes = s->map;
    assert_int_equal(bytes[99], 7);
    for (size_t i = 100; i < s->bytes; i++)
        assert_int_equal(bytes[i], 0);
    ex_segment_destroy(s);
}

static void test_a_segment_suits_what_fills_half_of_it(void **state)
{
    struct ex_segment *s = ex_segment_create(&sl_alloc_malloc, (1 << 20) - 5);
    (void)state;
    assert_int_equal(s->bytes, 1 << 20);
    assert_true(ex_segment_suits(s, 1 << 20) && ex_segment_suits(s, 1 << 19));
    assert_false(ex_segment_suits(s, (1 << 20) + 1) || ex_segment_suits(s, (1 << 19) - 1));
    ex_segment_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_input_is_read_only_for_others),
        cmocka_unit_test(test_the_next_job_finds_zeroes_behind_its_bytes),
        cmocka_unit_test(test_a_segment_suits_what_fills_half_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
