/* test_gw_shared.c - the gateway's end of shared payloads: what is lent comes back or is never
 * used again, results stay readable for as long as a reply needs them, and guests that are none. */
#include "gw_shared.h"

#include <pthread.h>
#include <stdlib.h>

#include "shm_peer.h"

enum { LARGE = 256 << 10 };

static struct sl_shm_pool *pool;
static struct gw_shared *shared;
static int node, open_before;

static int begin(void **state SL_UNUSED)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "test",
                                          .bytes_max = 64 << 20,
                                          .count_max = 64,
                                          .idle_ns = 1};
    int fds[2];
    open_before = shm_peer_open_count();
    assert_ok(sl_shm_pool_create(&conf, &pool));
    shm_peer_pair(fds);
    node = fds[0];
    shared = gw_shared_create(&sl_alloc_malloc, pool, fds[1]);
    assert_non_null(shared);
    return 0;
}

static int end(void **state SL_UNUSED)
{
    gw_shared_destroy(shared);
    sl_shm_pool_destroy(pool);
    if (node >= 0)
        close(node);
    assert_int_equal(shm_peer_open_count(), open_before);
    return 0;
}

static struct gw_body *body(size_t len)
{
    struct gw_body *b = gw_body_create_large(&sl_alloc_malloc, pool, len);
    assert_non_null(b);
    memset(b->data, 3, len);
    return b;
}

/* ---- requests */

static void a_body_is_lent_until_the_node_is_done(void **state SL_UNUSED)
{
    struct sl_shm_ref ref;
    struct gw_body *b = body(LARGE);
    assert_true(gw_shared_lend(shared, b, 100, LARGE - 100, &ref));
    assert_true(ref.number == 1 && ref.generation == 1);
    assert_true(ref.offset_bytes == 100 && ref.length_bytes == LARGE - 100);
    close(shm_peer_take(node, 1));
    gw_body_release(b); /* its call is over, say cancelled: the node may still read it */
    struct gw_body *other = body(LARGE);
    assert_int_equal(other->block->number, 2);
    const struct sl_shm_ref stale = {1, 2, 0, 0}, unknown = {7, 1, 0, 0};
    assert_false(gw_shared_returned(shared, &stale));
    assert_false(gw_shared_returned(shared, &unknown));
    assert_true(gw_shared_returned(shared, &ref));
    assert_false(gw_shared_returned(shared, &ref));
    struct gw_body *again = body(LARGE);
    assert_true(gw_shared_lend(shared, again, 0, 1, &ref));
    assert_true(ref.number == 1 && ref.generation == 2);
    shm_peer_expect_silence(node); /* it knows the block */
    assert_true(gw_shared_returned(shared, &ref));
    gw_body_release(again);
    gw_body_release(other);
}

static void what_a_lost_node_may_read_is_never_used_again(void **state SL_UNUSED)
{
    struct sl_shm_ref ref;
    struct gw_body *b = body(LARGE);
    assert_true(gw_shared_lend(shared, b, 0, LARGE, &ref));
    gw_shared_destroy(shared);
    shared = NULL;
    assert_int_equal(b->data[LARGE - 1], 3); /* the call goes on, with another node */
    gw_body_release(b);
    assert_false(sl_shm_pool_has(pool, 1));
    assert_int_equal(sl_shm_pool_bytes(pool), 0);
}

static void small_bodies_and_those_without_room_go_another_way(void **state SL_UNUSED)
{
    struct sl_shm_ref ref;
    struct gw_body *small = body(GW_BODY_LARGE_BYTES - 1), *huge = body(65 << 20);
    assert_true(small->block == NULL && huge->block == NULL);
    assert_false(gw_shared_lend(shared, small, 0, 10, &ref));
    assert_false(gw_shared_lend(shared, huge, 0, 10, &ref));
    gw_body_release(small);
    gw_body_release(huge);
    struct gw_body *b = body(LARGE);
    close(node);
    node = -1;
    assert_false(gw_shared_lend(shared, b, 0, 10, &ref)); /* it is gone */
    gw_body_release(b);
    assert_true(sl_shm_pool_has(pool, 1));
}

/* ---- results */

static sl_status take(uint32_t number, uint64_t generation, uint64_t length, struct sl_span **bytes,
                      void **ctx)
{
    const struct sl_shm_ref ref = {number, generation, 0, length};
    return gw_shared_take(shared, &ref, bytes, ctx);
}

static void a_result_is_given_back_once_it_was_released(void **state SL_UNUSED)
{
    struct sl_span *bytes;
    struct sl_shm_ref done;
    void *ctx;
    shm_peer_show(node, 4, shm_peer_memory(8));
    assert_ok(take(4, 1, SHM_PEER_BYTES, &bytes, &ctx));
    assert_int_equal(bytes->len, SHM_PEER_BYTES);
    assert_int_equal(bytes->data[SHM_PEER_BYTES - 1], 8);
    assert_false(gw_shared_has_done(shared) || gw_shared_next_done(shared, &done));
    gw_shared_release(ctx);
    assert_true(gw_shared_has_done(shared) && gw_shared_next_done(shared, &done));
    assert_true(done.number == 4 && done.generation == 1);
    assert_false(gw_shared_next_done(shared, &done));
    assert_ok(take(4, 2, 1, &bytes, &ctx));
    gw_shared_release(ctx);
}

static void a_use_that_is_not_over_cannot_be_followed(void **state SL_UNUSED)
{
    struct sl_span *bytes;
    void *ctx, *other;
    shm_peer_show(node, 1, shm_peer_memory(8));
    assert_ok(take(1, 1, 10, &bytes, &ctx));
    assert_status(take(1, 2, 10, &bytes, &other), SL_EPROTO);
    assert_status(take(1, 1, 10, &bytes, &other), SL_EPROTO);
    assert_ok(sl_fdpass_send(node, 1, -1)); /* and it cannot be ended */
    assert_status(gw_shared_tick(shared), SL_EPROTO);
    assert_int_equal(bytes->data[9], 8);
    gw_shared_release(ctx);
}

static void hostile_references_are_refused(void **state SL_UNUSED)
{
    struct sl_span *bytes;
    void *ctx;
    shm_peer_show(node, 1, shm_peer_memory(8));
    assert_status(take(2, 1, 10, &bytes, &ctx), SL_EPROTO);
    assert_status(take(1, 0, 10, &bytes, &ctx), SL_EPROTO);
    assert_status(take(1, 1, SHM_PEER_BYTES + 1, &bytes, &ctx), SL_EPROTO);
    shm_peer_show(node, 3, shm_peer_unsealed());
    assert_status(take(3, 1, 10, &bytes, &ctx), SL_EPROTO);
}

/* The owner may write what it lent us at any time: that changes the bytes and nothing else. */
static void what_changes_after_the_check_harms_nobody(void **state SL_UNUSED)
{
    struct sl_span *bytes;
    void *ctx, *map;
    const int fd = shm_peer_memory(1);
    assert_ok(sl_memfd_map(fd, SHM_PEER_BYTES, true, &map));
    shm_peer_show(node, 1, fd);
    assert_ok(take(1, 1, SHM_PEER_BYTES, &bytes, &ctx));
    memset(map, 2, SHM_PEER_BYTES);
    assert_int_equal(bytes->len, SHM_PEER_BYTES);
    assert_int_equal(bytes->data[SHM_PEER_BYTES - 1], 2);
    munmap(map, SHM_PEER_BYTES);
    gw_shared_release(ctx);
}

static void *release_on_another_thread(void *ctx)
{
    gw_shared_release(ctx);
    return NULL;
}

static void a_reply_outlives_its_node_on_any_thread(void **state SL_UNUSED)
{
    struct sl_span *bytes;
    void *ctx;
    pthread_t thread;
    shm_peer_show(node, 1, shm_peer_memory(8));
    assert_ok(take(1, 1, SHM_PEER_BYTES, &bytes, &ctx));
    gw_shared_destroy(shared);
    shared = NULL;
    close(node);
    node = -1;
    assert_int_equal(bytes->data[SHM_PEER_BYTES - 1], 8);
    assert_int_equal(pthread_create(&thread, NULL, release_on_another_thread, ctx), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- the gate */

static void guests_say_their_session_or_leave(void **state SL_UNUSED)
{
    struct gw_shared_gate g;
    char dir[] = "/tmp/sluice-gate-XXXXXX", endpoint[80];
    int guests[GW_SHARED_GUESTS_MAX + 4], fd;
    uint64_t session;
    unsigned bad = 0;
    assert_non_null(mkdtemp(dir));
    snprintf(endpoint, sizeof endpoint, "ipc://%s/c", dir);
    const int before = shm_peer_open_count();
    gw_shared_gate_open(&g, endpoint);
    assert_true(g.listener >= 0);
    for (size_t i = 0; i < SL_ARRAY_LEN(guests); i++) {
        assert_ok(sl_fdpass_connect(g.path, &guests[i]));
        assert_false(gw_shared_gate_next(&g, &session, &fd, &bad));
    }
    assert_int_equal(bad, 4); /* the oldest made room */
    assert_ok(sl_fdpass_send(guests[11], 77, -1));
    assert_ok(sl_fdpass_send(guests[10], 78, guests[0])); /* with a descriptor */
    assert_int_equal(send(guests[9], "x", 1, 0), 1);
    assert_true(gw_shared_gate_next(&g, &session, &fd, &bad));
    assert_int_equal(session, 77);
    close(fd);
    assert_false(gw_shared_gate_next(&g, &session, &fd, &bad));
    assert_int_equal(bad, 6);
    for (size_t i = 0; i < SL_ARRAY_LEN(guests); i++)
        close(guests[i]);
    assert_false(gw_shared_gate_next(&g, &session, &fd, &bad));
    assert_int_equal(bad, 6); /* to leave is no offence */
    gw_shared_gate_close(&g);
    assert_int_equal(shm_peer_open_count(), before);
    assert_int_equal(rmdir(dir), 0);
}

static void only_an_ipc_path_has_a_gate(void **state SL_UNUSED)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:5571", "ipc://@abstract", "ipc://rel"};
    struct gw_shared_gate g;
    uint64_t session;
    unsigned bad = 0;
    int fd;
    for (size_t i = 0; i < SL_ARRAY_LEN(endpoints); i++) {
        gw_shared_gate_open(&g, endpoints[i]);
        assert_int_equal(g.listener, -1);
        assert_false(gw_shared_gate_next(&g, &session, &fd, &bad));
        gw_shared_gate_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_body_is_lent_until_the_node_is_done, begin, end),
        cmocka_unit_test_setup_teardown(what_a_lost_node_may_read_is_never_used_again, begin, end),
        cmocka_unit_test_setup_teardown(small_bodies_and_those_without_room_go_another_way, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_result_is_given_back_once_it_was_released, begin, end),
        cmocka_unit_test_setup_teardown(a_use_that_is_not_over_cannot_be_followed, begin, end),
        cmocka_unit_test_setup_teardown(hostile_references_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(what_changes_after_the_check_harms_nobody, begin, end),
        cmocka_unit_test_setup_teardown(a_reply_outlives_its_node_on_any_thread, begin, end),
        cmocka_unit_test(guests_say_their_session_or_leave),
        cmocka_unit_test(only_an_ipc_path_has_a_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
