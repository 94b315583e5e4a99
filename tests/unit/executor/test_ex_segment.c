/* test_ex_segment.c - memory that processes share: inputs that only we can write, outputs that nobody
 * can write any more before we look at them. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ex_memfd.h"
#include "ex_segment.h"
#include "sl_test.h"

enum { BYTES = 8192 };

static int output_of(uint8_t fill, bool is_frozen)
{
    int fd;
    void *map;
    assert_ok(ex_memfd_create("test", BYTES, &fd, &map));
    memset(map, fill, BYTES);
    if (is_frozen)
        assert_ok(ex_memfd_freeze(fd, map, BYTES));
    else
        munmap(map, BYTES);
    return fd;
}

static void test_an_input_is_read_only_for_others(void **state)
{
    struct ex_segment *s = ex_segment_create(BYTES);
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

static void test_an_output_becomes_a_blob(void **state)
{
    static struct ex_arrivals a;
    struct ex_blob *blob;
    (void)state;
    assert_ok(ex_arrivals_add(&a, 5, output_of(9, true), BYTES));
    assert_status(ex_arrivals_take(&a, 4, 0, 1, &blob), SL_ENOENT);
    assert_status(ex_arrivals_take(&a, 0, 0, 1, &blob), SL_ENOENT);
    assert_status(ex_arrivals_take(&a, 5, 0, BYTES + 1, &blob), SL_EPROTO);
    assert_status(ex_arrivals_take(&a, 5, UINT64_MAX, 2, &blob), SL_EPROTO);
    assert_ok(ex_arrivals_take(&a, 5, 64, BYTES - 64, &blob));
    assert_int_equal(blob->bytes.len, BYTES - 64);
    assert_int_equal(blob->bytes.data[BYTES - 65], 9);
    assert_status(ex_arrivals_take(&a, 5, 0, 1, &blob), SL_ENOENT);
    ex_blob_hold(blob);
    ex_blob_release(blob);
    assert_int_equal(blob->bytes.data[0], 9);
    ex_blob_release(blob);
    ex_blob_release(NULL);
}

static void test_what_can_still_change_is_refused(void **state)
{
    static struct ex_arrivals a;
    (void)state;
    assert_status(ex_arrivals_add(&a, 1, output_of(1, false), BYTES), SL_EPROTO);
    assert_status(ex_arrivals_add(&a, 1, open("/dev/zero", O_RDONLY), BYTES), SL_EPROTO);
    assert_status(ex_arrivals_add(&a, 1, output_of(1, true), BYTES + 4096), SL_EPROTO);
    assert_status(ex_arrivals_add(&a, 0, output_of(1, true), BYTES), SL_EPROTO);
    assert_status(ex_arrivals_add(&a, 1, output_of(1, true), 0), SL_EPROTO);
    assert_ok(ex_arrivals_add(&a, 1, output_of(1, true), BYTES));
    assert_status(ex_arrivals_add(&a, 1, output_of(1, true), BYTES), SL_EPROTO);
    ex_arrivals_clear(&a);
}

static void test_arrivals_have_an_end_and_leak_nothing(void **state)
{
    static struct ex_arrivals a;
    const int before = dup(0);
    (void)state;
    close(before);
    for (uint32_t i = 1; i <= EX_SEGMENTS_MAX; i++)
        assert_ok(ex_arrivals_add(&a, i, output_of(1, true), BYTES));
    assert_status(ex_arrivals_add(&a, 999, output_of(1, true), BYTES), SL_EFULL);
    ex_arrivals_clear(&a);
    const int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_input_is_read_only_for_others),
        cmocka_unit_test(test_an_output_becomes_a_blob),
        cmocka_unit_test(test_what_can_still_change_is_refused),
        cmocka_unit_test(test_arrivals_have_an_end_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
