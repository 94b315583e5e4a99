/* test_sl_shm_peer.c - what a hostile peer may show, and what it gets for it. */
#include "sl_shm_peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_memfd.h"
#include "sl_test.h"

enum { BYTES = 8192 };

static struct sl_shm_peer table;

static int begin(void **state)
{
    (void)state;
    sl_shm_peer_init(&table, 4);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sl_shm_peer_finish(&table);
    return 0;
}

static int segment_of(uint8_t fill)
{
    int fd;
    void *map;
    assert_ok(sl_memfd_create("test", BYTES, &fd, &map));
    memset(map, fill, BYTES);
    munmap(map, BYTES);
    return fd;
}

static sl_status get(uint32_t number, uint64_t generation, uint64_t offset, uint64_t length,
                     struct sl_span *out)
{
    const struct sl_shm_ref ref = {number, generation, offset, length};
    return sl_shm_peer_get(&table, &ref, out);
}

static void ranges_are_checked_against_the_real_size(void **state)
{
    struct sl_span s;
    (void)state;
    assert_ok(sl_shm_peer_add(&table, 5, segment_of(9)));
    assert_ok(get(5, 0, 64, BYTES - 64, &s));
    assert_int_equal(s.len, BYTES - 64);
    assert_int_equal(s.data[BYTES - 65], 9);
    assert_ok(get(5, 0, BYTES, 0, &s));
    assert_status(get(4, 0, 0, 1, &s), SL_ENOENT);
    assert_status(get(0, 0, 0, 1, &s), SL_ENOENT);
    assert_status(get(5, 0, 0, BYTES + 1, &s), SL_EPROTO);
    assert_status(get(5, 0, BYTES + 1, 0, &s), SL_EPROTO);
    assert_status(get(5, 0, UINT64_MAX, 2, &s), SL_EPROTO);
    assert_status(get(5, 0, 2, UINT64_MAX, &s), SL_EPROTO);
}

static void a_use_is_named_once(void **state)
{
    struct sl_span s;
    (void)state;
    assert_ok(sl_shm_peer_add(&table, 1, segment_of(1)));
    assert_ok(get(1, 3, 0, 1, &s));
    assert_status(get(1, 3, 0, 1, &s), SL_EPROTO);
    assert_status(get(1, 2, 0, 1, &s), SL_EPROTO);
    assert_status(get(1, 4, 0, BYTES + 1, &s), SL_EPROTO); /* was not used by that */
    assert_ok(get(1, 4, 0, BYTES, &s));
}

static int unsealed(void)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    return fd;
}

static int half_sealed(int seals)
{
    const int fd = unsealed();
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int empty(void)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    return fd;
}

static int plain_file(void)
{
    char path[] = "/tmp/sluice-test-XXXXXX";
    const int fd = mkstemp(path);
    unlink(path);
    assert_int_equal(ftruncate(fd, BYTES), 0);
    return fd;
}

static void refuse(int fd)
{
    assert_status(sl_shm_peer_add(&table, 1, fd), SL_EPROTO);
}

static void what_could_make_us_fault_is_refused(void **state)
{
    int pair[2];
    (void)state;
    refuse(unsealed());
    refuse(half_sealed(F_SEAL_SHRINK));
    refuse(half_sealed(F_SEAL_GROW));
    refuse(empty());
    refuse(plain_file());
    refuse(open("/dev/zero", O_RDWR | O_CLOEXEC));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    refuse(pair[0]);
    refuse(pair[1]);
    refuse(-1);
    assert_status(sl_shm_peer_add(&table, 0, segment_of(1)), SL_EPROTO);
}

static int descriptor_next(void)
{
    const int fd = dup(0);
    close(fd);
    return fd;
}

static void there_are_only_so_many_and_none_leaks(void **state)
{
    (void)state;
    const int before = descriptor_next();
    for (uint32_t i = 1; i <= 4; i++)
        assert_ok(sl_shm_peer_add(&table, i, segment_of(1)));
    assert_status(sl_shm_peer_add(&table, 4, segment_of(1)), SL_EPROTO); /* known */
    assert_status(sl_shm_peer_add(&table, 5, segment_of(1)), SL_EFULL);
    assert_ok(sl_shm_peer_forget(&table, 2));
    assert_ok(sl_shm_peer_forget(&table, 77));
    assert_ok(sl_shm_peer_forget(&table, 0));
    assert_ok(sl_shm_peer_add(&table, 5, segment_of(1)));
    assert_int_equal(descriptor_next(), before);
}

static void what_is_held_stays(void **state)
{
    struct sl_span s;
    (void)state;
    assert_ok(sl_shm_peer_add(&table, 1, segment_of(6)));
    assert_ok(get(1, 1, 0, BYTES, &s));
    sl_shm_peer_hold(&table, 1);
    assert_status(sl_shm_peer_forget(&table, 1), SL_EPROTO);
    assert_int_equal(s.data[BYTES - 1], 6);
    sl_shm_peer_unhold(&table, 1);
    sl_shm_peer_unhold(&table, 1);
    assert_ok(sl_shm_peer_forget(&table, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranges_are_checked_against_the_real_size, begin, end),
        cmocka_unit_test_setup_teardown(a_use_is_named_once, begin, end),
        cmocka_unit_test_setup_teardown(what_could_make_us_fault_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(there_are_only_so_many_and_none_leaks, begin, end),
        cmocka_unit_test_setup_teardown(what_is_held_stays, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
