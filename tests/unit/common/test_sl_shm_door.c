/* test_sl_shm_door.c - memory shown once, found when it is named, ended by its owner; and peers that
 * show what they should not. */
#include "sl_shm_door.h"

#include "shm_peer.h"

static struct sl_shm_pool *pool;
static struct sl_shm_door door;
static struct sl_shm_peer theirs;
static int peer, open_before;

static int begin(void **state SL_UNUSED)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "test",
                                          .bytes_max = 1 << 30,
                                          .count_max = SL_SHM_PEER_MAX + 8,
                                          .idle_ns = 1};
    int fds[2];
    open_before = shm_peer_open_count();
    assert_ok(sl_shm_pool_create(&conf, &pool));
    shm_peer_pair(fds);
    peer = fds[0];
    sl_shm_door_init(&door, fds[1]);
    sl_shm_peer_init(&theirs, 4);
    return 0;
}

static int end(void **state SL_UNUSED)
{
    sl_shm_door_finish(&door);
    sl_shm_peer_finish(&theirs);
    sl_shm_pool_destroy(pool);
    if (peer >= 0)
        close(peer);
    assert_int_equal(shm_peer_open_count(), open_before);
    return 0;
}

static void a_block_is_shown_once_and_its_end_is_told(void **state SL_UNUSED)
{
    struct sl_shm_block *b = sl_shm_pool_take(pool, 1000);
    assert_ok(sl_shm_door_show(&door, pool, b));
    assert_ok(sl_shm_door_show(&door, pool, b));
    const int fd = shm_peer_take(peer, 1);
    assert_ok(sl_memfd_check(fd, b->bytes, false));
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    close(fd);
    shm_peer_expect_silence(peer);
    assert_ok(sl_shm_door_sweep(&door, pool));
    shm_peer_expect_silence(peer);
    sl_shm_pool_retire(pool, b);
    sl_shm_pool_put(pool, b);
    assert_ok(sl_shm_door_sweep(&door, pool));
    assert_int_equal(shm_peer_take(peer, 1), -1);
    assert_ok(sl_shm_door_sweep(&door, pool));
    shm_peer_expect_silence(peer);
}

static void no_more_is_shown_than_the_peer_takes(void **state SL_UNUSED)
{
    static struct sl_shm_block *blocks[SL_SHM_PEER_MAX + 1];
    for (int i = 0; i <= SL_SHM_PEER_MAX; i++)
        blocks[i] = sl_shm_pool_take(pool, 1);
    int shown = 0;
    for (int i = 0; i < SL_SHM_PEER_MAX; i++, shown++) {
        assert_ok(sl_shm_door_show(&door, pool, blocks[i]));
        close(shm_peer_take(peer, (uint64_t)i + 1));
    }
    assert_status(sl_shm_door_show(&door, pool, blocks[shown]), SL_EAGAIN);
    sl_shm_pool_retire(pool, blocks[3]);
    sl_shm_pool_put(pool, blocks[3]);
    assert_ok(
        sl_shm_door_show(&door, pool, blocks[shown])); /* in the place of the one that ended */
    assert_int_equal(shm_peer_take(peer, 4), -1);
    close(shm_peer_take(peer, (uint64_t)shown + 1));
    for (int i = 0; i <= SL_SHM_PEER_MAX; i++)
        if (i != 3)
            sl_shm_pool_put(pool, blocks[i]);
}

static void a_socket_that_is_full_is_not_now(void **state SL_UNUSED)
{
    struct sl_shm_block *b = sl_shm_pool_take(pool, 1);
    while (sl_fdpass_send(door.fd, 99, -1) == SL_OK)
        ;
    assert_status(sl_shm_door_show(&door, pool, b), SL_EAGAIN);
    close(peer);
    peer = -1;
    assert_status(sl_shm_door_show(&door, pool, b), SL_ENOENT);
    sl_shm_pool_put(pool, b);
}

static sl_status find(uint32_t number, uint64_t generation, uint64_t offset, uint64_t length,
                      struct sl_span *out)
{
    const struct sl_shm_ref ref = {number, generation, offset, length};
    return sl_shm_door_find(&door, &theirs, &ref, out);
}

static void what_was_shown_is_found_when_it_is_named(void **state SL_UNUSED)
{
    struct sl_span bytes;
    shm_peer_show(peer, 9, shm_peer_memory(9));
    shm_peer_show(peer, 5, shm_peer_memory(5));
    assert_ok(find(5, 1, 10, SHM_PEER_BYTES - 10, &bytes));
    assert_int_equal(bytes.data[0], 5);
    assert_ok(find(9, 7, 0, 1, &bytes));
    assert_int_equal(bytes.data[0], 9);
    assert_ok(sl_fdpass_send(peer, 9, -1));
    assert_ok(sl_shm_door_take_in(&door, &theirs));
    assert_status(find(9, 8, 0, 1, &bytes), SL_EPROTO);
    shm_peer_show(peer, 10, shm_peer_memory(1));
    close(peer); /* what it showed before it left counts */
    peer = -1;
    assert_ok(find(10, 1, 0, 1, &bytes));
    assert_status(find(11, 1, 0, 1, &bytes), SL_EPROTO);
    assert_status(sl_shm_door_take_in(&door, &theirs), SL_ENOENT);
    sl_shm_door_finish(&door);
    assert_status(find(11, 1, 0, 1, &bytes), SL_EPROTO);
}

static void references_are_checked(void **state SL_UNUSED)
{
    struct sl_span bytes;
    shm_peer_show(peer, 1, shm_peer_memory(1));
    assert_status(find(1, 0, 0, 1, &bytes), SL_EPROTO); /* no generation */
    assert_status(find(1, 1, 0, 0, &bytes), SL_EPROTO); /* nothing */
    assert_status(find(0, 1, 0, 1, &bytes), SL_EPROTO);
    assert_status(find(1, 1, 1, SHM_PEER_BYTES, &bytes), SL_EPROTO);
    assert_status(find(1, 1, UINT64_MAX - 1, 4, &bytes), SL_EPROTO);
    assert_ok(find(1, 2, 0, SHM_PEER_BYTES, &bytes));
    assert_status(find(1, 2, 0, 1, &bytes), SL_EPROTO); /* the same use */
    assert_status(find(1, 1, 0, 1, &bytes), SL_EPROTO); /* an older one */
}

static void refuse(uint64_t number, int take_fd)
{
    if (take_fd >= 0)
        shm_peer_show(peer, number, take_fd);
    else
        assert_ok(sl_fdpass_send(peer, number, -1));
    assert_status(sl_shm_door_take_in(&door, &theirs), SL_EPROTO);
}

static void what_is_no_memory_to_share_is_refused(void **state SL_UNUSED)
{
    refuse(1, shm_peer_unsealed());
    refuse(1, dup(peer)); /* a socket */
    refuse(0, shm_peer_memory(1));
    refuse(UINT64_C(1) << 32, shm_peer_memory(1));
    refuse(UINT64_C(1) << 32, -1);
    for (uint64_t n = 1; n <= 4; n++)
        shm_peer_show(peer, n, shm_peer_memory(1));
    refuse(5, shm_peer_memory(1)); /* one too many */
    refuse(4, shm_peer_memory(1)); /* known */
    sl_shm_peer_hold(&theirs, 2);
    refuse(2, -1); /* ended while it is read */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_block_is_shown_once_and_its_end_is_told, begin, end),
        cmocka_unit_test_setup_teardown(no_more_is_shown_than_the_peer_takes, begin, end),
        cmocka_unit_test_setup_teardown(a_socket_that_is_full_is_not_now, begin, end),
        cmocka_unit_test_setup_teardown(what_was_shown_is_found_when_it_is_named, begin, end),
        cmocka_unit_test_setup_teardown(references_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_memory_to_share_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
