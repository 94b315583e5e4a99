/* test_sl_memfd.c - memory that processes share: what can change it, and what cannot. */
#include "sl_memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sl_test.h"

static void frozen_memory_cannot_change(void **state SL_UNUSED)
{
    int fd;
    void *map;
    assert_status(sl_memfd_create("x", 0, &fd, &map), SL_EINVAL);
    assert_ok(sl_memfd_create("x", 5000, &fd, &map));
    assert_ok(sl_memfd_check(fd, 5000, false));
    assert_status(sl_memfd_check(fd, 5000, true), SL_EPROTO);
    assert_status(sl_memfd_check(fd, 5001, false), SL_EPROTO);
    assert_int_equal(ftruncate(fd, 4000), -1);
    assert_int_equal(ftruncate(fd, 6000), -1);
    assert_ok(sl_memfd_freeze(fd, map, 5000));
    assert_ok(sl_memfd_check(fd, 5000, true));
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_status(sl_memfd_map(fd, 5000, true, &map), SL_ENOMEM);
    assert_ok(sl_memfd_map(fd, 5000, false, &map));
    munmap(map, 5000);
    close(fd);
}

static void guarded_memory_is_written_by_its_maker_alone(void **state SL_UNUSED)
{
    int fd;
    int read_only;
    void *map;
    void *other;
    assert_ok(sl_memfd_create("x", 4096, &fd, &map));
    assert_ok(sl_memfd_guard(fd));
    ((char *)map)[0] = 'x';
    assert_status(sl_memfd_map(fd, 4096, true, &other), SL_ENOMEM);
    assert_ok(sl_memfd_reopen_read_only(fd, &read_only));
    assert_ok(sl_memfd_map(read_only, 4096, false, &other));
    ((char *)map)[0] = 'y';
    assert_int_equal(((const char *)other)[0], 'y');
    assert_int_equal(mprotect(other, 4096, PROT_READ | PROT_WRITE), -1);
    munmap(other, 4096);
    munmap(map, 4096);
    close(read_only);
    close(fd);
}

static void what_is_no_memfd_is_refused(void **state SL_UNUSED)
{
    int pipe_fds[2];
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_status(sl_memfd_check(null, 0, false), SL_EPROTO);
    assert_status(sl_memfd_check(pipe_fds[0], 0, false), SL_EPROTO);
    assert_status(sl_memfd_check(-1, 0, false), SL_EPROTO);
    close(null);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_memory_cannot_change),
        cmocka_unit_test(guarded_memory_is_written_by_its_maker_alone),
        cmocka_unit_test(what_is_no_memfd_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
