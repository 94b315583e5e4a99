/* test_gw_link_bulk.c - requests that travel by bulk: windows, cancels, bodies that outlive
 * their node. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "sl_log.h"
#include "sl_test.h"

/* The next chunk within so many turns; its bytes are checked and counted. */
static bool receive_chunk_within(int turns, struct peer *p, uint64_t lease, uint64_t *at,
                                 size_t *len)
{
    for (int i = 0; i < turns; i++) {
        rig_turn(p->r);
        zmq_msg_t header, chunk;
        zmq_msg_init(&header);
        zmq_msg_init(&chunk);
        if (zmq_msg_recv(&header, p->bulk, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&header);
            usleep(1000);
            continue;
        }
        struct gw_bulk_header h;
        assert_true(zmq_msg_recv(&chunk, p->bulk, 0) >= 0);
        assert_true(
            gw_link_read_bulk(sl_span_of(zmq_msg_data(&header), zmq_msg_size(&header)), &h));
        *len = zmq_msg_size(&chunk);
        const uint8_t *bytes = zmq_msg_data(&chunk);
        assert_true(h.session == p->session && h.lease == lease && h.offset_bytes == *at);
        assert_true(*len > 0 && *len <= MIB);
        for (size_t k = 0; k < *len; k++)
            assert_int_equal(bytes[k], rig_byte_at((size_t)*at + k));
        *at += *len;
        p->taken_bytes += *len;
        zmq_msg_close(&header);
        zmq_msg_close(&chunk);
        return true;
    }
    return false;
}

static bool receive_chunk(struct peer *p, uint64_t lease, uint64_t *at, size_t *len)
{
    return receive_chunk_within(ROUNDS_MAX, p, lease, at, len);
}

static bool nothing_comes(struct peer *p, uint64_t lease, uint64_t *at, size_t *len)
{
    return !receive_chunk_within(50, p, lease, at, len);
}

static void acknowledge(struct peer *p)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    m.bulk_taken_bytes = p->taken_bytes;
    peer_send(p, &m);
}

static void large_payloads_keep_to_the_window(void **state SL_UNUSED)
{
    enum { TOTAL = 3 * MIB + 12345, WINDOW = MIB + MIB / 2 };
    struct scene s;
    size_t len;
    uint64_t at = 0;
    scene_begin(&s, WINDOW);
    scene_call(&s, TOTAL);
    const Sluice__Node__V1__Dispatch *d = s.batch->dispatches[0];
    assert_true(d->payload.len == 0 && d->payload_bytes == TOTAL);
    while (at < TOTAL) {
        uint64_t end = at + WINDOW < TOTAL ? at + WINDOW : TOTAL;
        while (at < end)
            assert_true(receive_chunk(&s.p, s.lease, &at, &len));
        assert_int_equal(at, end);
        assert_true(nothing_comes(&s.p, s.lease, &at, &len));
        acknowledge(&s.p);
    }
    assert_int_equal(sl_metric_value(s.r.counts.sent_bulk_bytes), TOTAL);
    uint8_t *bytes = rig_bytes(10);
    peer_send_result(&s.p, s.lease, 10, bytes, 0);
    rig_wait_for_reply(&s.r, s.e);
    rig_check_reply(s.e, 10);
    free(bytes);
    scene_finish(&s);
}

static void converted_contents_go_by_bulk_too(void **state SL_UNUSED)
{
    struct scene s;
    size_t len;
    uint64_t at = 0;
    scene_begin(&s, MIB);
    rig_typed_call(&s.r, 5000);
    scene_receive(&s);
    assert_int_equal(s.batch->dispatches[0]->payload_bytes, 5000);
    assert_true(receive_chunk(&s.p, s.lease, &at, &len));
    assert_int_equal(at, 5000);
    scene_finish(&s);
}

static void an_acknowledgement_of_too_much_opens_nothing(void **state SL_UNUSED)
{
    struct scene s;
    size_t len;
    uint64_t at = 0;
    scene_begin(&s, 1000);
    scene_call(&s, 5000);
    assert_true(receive_chunk(&s.p, s.lease, &at, &len) && len == 1000);
    s.p.taken_bytes = UINT64_MAX;
    acknowledge(&s.p);
    assert_true(nothing_comes(&s.p, s.lease, &at, &len));
    scene_finish(&s);
}

static void a_cancelled_call_sends_no_more(void **state SL_UNUSED)
{
    struct scene s;
    size_t len;
    uint64_t at = 0;
    scene_begin(&s, 1000);
    struct fake_exchange *first = rig_call(&s.r, 5000);
    scene_call(&s, 3000);
    assert_int_equal(s.batch->n_dispatches, 2);
    assert_true(receive_chunk(&s.p, s.lease, &at, &len));
    fake_event(&s.r.w, first, GW_EV_GONE);
    acknowledge(&s.p);
    at = 0; /* the other call's first bytes are next */
    assert_true(receive_chunk(&s.p, s.batch->dispatches[1]->lease, &at, &len));
    scene_finish(&s);
}

static void a_node_takes_no_more_than_may_wait_for_it(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, 1000);
    rig_call(&s.r, MIB);
    rig_call(&s.r, MIB);
    scene_call(&s, MIB); /* at most 2 MiB may wait */
    assert_int_equal(s.batch->n_dispatches, 2);
    assert_int_equal(gw_flow_counts(s.r.w.flow)->in[GW_CALL_QUEUED], 1);
    scene_finish(&s);
}

static void bodies_in_flight_outlive_their_call_and_their_node(void **state SL_UNUSED)
{
    struct scene s;
    size_t len;
    uint64_t at = 0;
    scene_begin(&s, 3 * MIB);
    scene_call(&s, 2 * MIB);
    rig_turn(&s.r); /* chunks lie in ZeroMQ now, by reference */
    rig_listen_for(&s.r, s.r.conf.lost_after_ns + 1);
    assert_int_equal(rig_nodes(&s.r), 0);
    gw_flow_end_all(s.r.w.flow, s.r.w.now);
    assert_true(receive_chunk(&s.p, s.lease, &at, &len));
    scene_finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_payloads_keep_to_the_window),
        cmocka_unit_test(converted_contents_go_by_bulk_too),
        cmocka_unit_test(an_acknowledgement_of_too_much_opens_nothing),
        cmocka_unit_test(a_cancelled_call_sends_no_more),
        cmocka_unit_test(a_node_takes_no_more_than_may_wait_for_it),
        cmocka_unit_test(bodies_in_flight_outlive_their_call_and_their_node),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
