/* test_ex_link_shared.c - the executor's end of shared payloads: results that can be lent, and those
 * that cannot; a gateway that is lost with one; references that are wrong. */
#include "ex_link_shared.h"

#include "ex_result_blob.h"
#include "shm_peer.h"

enum { LARGE = 512 << 10 };

static struct sl_shm_pool *pool;
static struct ex_link_shared shared;
static int gateway, open_before;

static int begin(void **state SL_UNUSED)
{
    const struct sl_shm_pool_conf conf = {.alloc = &sl_alloc_malloc,
                                          .label = "test",
                                          .bytes_max = 1 << 20,
                                          .count_max = 8,
                                          .idle_ns = 1};
    int fds[2];
    open_before = shm_peer_open_count();
    assert_ok(sl_shm_pool_create(&conf, &pool));
    shm_peer_pair(fds);
    gateway = fds[0];
    ex_link_shared_init(&shared, &sl_alloc_malloc, pool);
    sl_shm_door_init(&shared.door, fds[1]);
    return 0;
}

static int end(void **state SL_UNUSED)
{
    ex_link_shared_close(&shared);
    sl_shm_pool_destroy(pool);
    if (gateway >= 0)
        close(gateway);
    assert_int_equal(shm_peer_open_count(), open_before);
    return 0;
}

/* Two outputs, one behind the other. */
static struct ex_blob *make(size_t bytes, struct ex_output outputs[2])
{
    uint8_t *data;
    struct ex_blob *blob = ex_result_blob_create(&sl_alloc_malloc, pool, bytes, &data);
    assert_non_null(blob);
    outputs[0] = (struct ex_output){.bytes = sl_span_of(data, 100), .blob = blob};
    outputs[1] = (struct ex_output){.bytes = sl_span_of(data + 100, bytes - 100), .blob = blob};
    return blob;
}

static void a_result_is_lent_until_the_gateway_is_done(void **state SL_UNUSED)
{
    struct ex_output outputs[2];
    struct sl_shm_ref ref;
    const struct ex_outcome outcome = {.outputs = outputs, .output_count = 2};
    struct ex_blob *blob = make(LARGE, outputs);
    assert_true(ex_link_shared_give(&shared, &outcome, &ref));
    assert_true(ref.number == 1 && ref.generation == 1);
    assert_true(ref.offset_bytes == 0 && ref.length_bytes == LARGE);
    close(shm_peer_take(gateway, 1));
    ex_blob_release(blob);
    assert_ptr_not_equal(make(LARGE, outputs)->block, NULL); /* another block */
    assert_int_equal(outputs[0].blob->block->number, 2);
    ex_blob_release(outputs[0].blob);
    const struct sl_shm_ref stale = {1, 2, 0, 0};
    assert_false(ex_link_shared_done(&shared, &stale));
    assert_true(ex_link_shared_done(&shared, &ref));
    assert_false(ex_link_shared_done(&shared, &ref));
}

static void what_a_lost_gateway_may_read_is_never_used_again(void **state SL_UNUSED)
{
    struct ex_output outputs[2];
    struct sl_shm_ref ref;
    const struct ex_outcome outcome = {.outputs = outputs, .output_count = 2};
    struct ex_blob *blob = make(LARGE, outputs);
    assert_true(ex_link_shared_give(&shared, &outcome, &ref));
    ex_blob_release(blob);
    ex_link_shared_close(&shared);
    assert_int_equal(sl_shm_pool_bytes(pool), 0);
    assert_false(ex_link_shared_done(&shared, &ref));
}

static void what_does_not_lie_in_one_block_goes_another_way(void **state SL_UNUSED)
{
    struct ex_output outputs[2], heap[2];
    struct sl_shm_ref ref;
    struct ex_outcome outcome = {.outputs = outputs, .output_count = 0};
    struct ex_blob *blob = make(LARGE, outputs), *owned = make(2 << 20, heap);
    assert_null(owned->block); /* over the pool's bytes */
    assert_false(ex_link_shared_give(&shared, &outcome, &ref));
    outcome.output_count = 2;
    outputs[1].bytes.data++; /* not behind the other */
    assert_false(ex_link_shared_give(&shared, &outcome, &ref));
    outputs[1].bytes.data--;
    outputs[1].blob = NULL;
    assert_false(ex_link_shared_give(&shared, &outcome, &ref));
    outcome.outputs = heap;
    assert_false(ex_link_shared_give(&shared, &outcome, &ref));
    shm_peer_expect_silence(gateway);
    outputs[1].blob = blob;
    outcome.outputs = outputs;
    close(gateway);
    gateway = -1;
    assert_false(ex_link_shared_give(&shared, &outcome, &ref)); /* it is gone */
    ex_blob_release(blob);
    ex_blob_release(owned);
}

static sl_status find(uint32_t number, uint64_t generation, uint64_t offset, uint64_t length)
{
    const struct sl_shm_ref ref = {number, generation, offset, length};
    const sl_status st = ex_link_shared_begin(&shared, 7, &ref);
    if (st == SL_OK)
        ex_link_shared_end(&shared, shared.requests);
    return st;
}

static void references_of_the_gateway_are_checked(void **state SL_UNUSED)
{
    shm_peer_show(gateway, 1, shm_peer_memory(1));
    assert_ok(find(1, 1, 0, SHM_PEER_BYTES));
    assert_status(find(1, 1, 0, 1), SL_EPROTO);
    assert_status(find(1, 2, 1, SHM_PEER_BYTES), SL_EPROTO);
    assert_status(find(2, 1, 0, 1), SL_EPROTO);
    shm_peer_show(gateway, 3, shm_peer_unsealed());
    assert_status(find(3, 1, 0, 1), SL_EPROTO);
    shm_peer_show(gateway, 4, shm_peer_unsealed());
    ex_link_shared_tick(&shared); /* closes the door; what is known stays */
    assert_false(sl_shm_door_is_open(&shared.door));
    assert_ok(find(1, 3, 0, 1));
}

static void a_request_is_read_in_pieces_one_after_the_other(void **state SL_UNUSED)
{
    const struct sl_shm_ref a = {1, 1, 5, 100}, b = {2, 1, 0, 70};
    shm_peer_show(gateway, 1, shm_peer_memory(1));
    shm_peer_show(gateway, 2, shm_peer_memory(2));
    assert_ok(ex_link_shared_begin(&shared, 7, &a));
    assert_ok(ex_link_shared_begin(&shared, 8, &b));
    struct ex_link_request *r = shared.requests;
    assert_int_equal(r->lease, 7);
    struct sl_span piece = ex_link_shared_step(r, 60);
    assert_int_equal(piece.len, 60);
    const uint8_t *first = piece.data;
    ex_link_shared_to_end(&shared, r);
    assert_int_equal(shared.requests->lease, 8);
    piece = ex_link_shared_step(r, 60);
    assert_int_equal(piece.len, 40);
    assert_ptr_equal(piece.data, first + 60);
    assert_int_equal(piece.data[39], 1);
    assert_int_equal(r->done_bytes, 100);
}

static void what_is_half_read_stays_until_the_session_ends(void **state SL_UNUSED)
{
    const struct sl_shm_ref ref = {1, 1, 0, 100};
    shm_peer_show(gateway, 1, shm_peer_memory(3));
    assert_ok(ex_link_shared_begin(&shared, 7, &ref));
    assert_ok(sl_fdpass_send(gateway, 1, -1)); /* it takes back what is still read */
    ex_link_shared_tick(&shared);
    assert_false(sl_shm_door_is_open(&shared.door));
    assert_int_equal(ex_link_shared_step(shared.requests, 100).data[99], 3);
    ex_link_shared_close(&shared);
    assert_null(shared.requests);
}

static void nothing_is_opened_where_nothing_is_offered(void **state SL_UNUSED)
{
    ex_link_shared_open(&shared, "", 1);
    assert_false(sl_shm_door_is_open(&shared.door));
    ex_link_shared_open(&shared, "/nonexistent/socket", 1);
    assert_false(sl_shm_door_is_open(&shared.door));
    ex_link_shared_tick(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_result_is_lent_until_the_gateway_is_done, begin, end),
        cmocka_unit_test_setup_teardown(what_a_lost_gateway_may_read_is_never_used_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_does_not_lie_in_one_block_goes_another_way, begin,
                                        end),
        cmocka_unit_test_setup_teardown(references_of_the_gateway_are_checked, begin, end),
        cmocka_unit_test_setup_teardown(a_request_is_read_in_pieces_one_after_the_other, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_is_half_read_stays_until_the_session_ends, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_opened_where_nothing_is_offered, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
