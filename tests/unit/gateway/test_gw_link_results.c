/* test_gw_link_results.c - results that travel by bulk: in any order, over a limit, wrong,
 * given up. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>

#include "sl_log.h"
#include "sl_test.h"

enum order { RESULT_FIRST, RESULT_LAST, RESULT_BETWEEN, ORDER_COUNT };

static void a_result_by_bulk_may_come_in_any_order(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB + 777 };
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    for (int order = 0; order < ORDER_COUNT; order++) {
        struct fake_exchange *e = rig_call(&r, 10);
        gateway_batch *b = peer_receive_dispatch(&p);
        uint64_t lease = b->dispatches[0]->lease;
        uint8_t *bytes = rig_bytes(TOTAL);
        if (order == RESULT_FIRST)
            peer_send_result(&p, lease, TOTAL, NULL, TOTAL);
        for (size_t at = 0; at < TOTAL; at += MIB) {
            size_t len = TOTAL - at < MIB ? TOTAL - at : MIB;
            peer_send_chunk(&p, &(struct gw_bulk_header){7, lease, at, TOTAL, {0}}, bytes + at,
                            len);
            rig_turn(&r);
            if (order == RESULT_BETWEEN && at == MIB)
                peer_send_result(&p, lease, TOTAL, NULL, TOTAL);
        }
        if (order == RESULT_LAST)
            peer_send_result(&p, lease, TOTAL, NULL, TOTAL);
        rig_wait_for_reply(&r, e);
        rig_check_reply(e, TOTAL);
        fake_leave(&r.w, e); /* gives the chunks back */
        free(bytes);
        batch_drop(b);
    }
    rig_finish_with(&r, &p);
}

static void what_was_taken_is_acknowledged(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    peer_send_payload(&p, b->dispatches[0]->lease, 50000, 20000, 50000);
    const struct gw_bulk_header no_lease = {7, 12345, 0, 100, {0}};
    peer_send_chunk(&p, &no_lease, "late", 4);
    uint64_t told = 0;
    while (told < 50004) { /* what is dropped has been taken, too */
        gateway_batch *news = peer_receive(&p);
        assert_true(news->bulk_taken_bytes > told);
        told = news->bulk_taken_bytes;
        batch_drop(news);
    }
    assert_int_equal(told, 50004);
    peer_send_result(&p, b->dispatches[0]->lease, 50000, NULL, 50000);
    rig_wait_for_reply(&r, e);
    rig_check_reply(e, 50000);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

/* Each of these breaks the order of a payload; the node is lost, and a call it had not started
 * waits for another. */
static void payloads_that_break_the_rules_lose_their_node(void **state SL_UNUSED)
{
    const struct gw_bulk_header wrong[] = {
        {7, 0, 5, 100, {0}}, /* does not begin at its beginning */
        {7, 0, 0, 0, {0}},   /* has no bytes */
        {7, 0, 0, 3, {0}},   /* more bytes than it says */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        struct rig r;
        struct peer p;
        rig_begin_with(&r, &p, MIB);
        struct fake_exchange *e = rig_call(&r, 10);
        gateway_batch *b = peer_receive_dispatch(&p);
        struct gw_bulk_header h = wrong[i];
        h.lease = b->dispatches[0]->lease;
        peer_send_chunk(&p, &h, "12345", 5);
        rig_wait_for_nodes(&r, 0);
        assert_int_equal(sl_metric_value(r.w.metrics.nodes_lost), 1);
        assert_int_equal(e->replies, 0);
        batch_drop(b);
        gw_flow_end_all(r.w.flow, r.w.now);
        rig_finish_with(&r, &p);
    }
}

static void a_result_and_its_chunks_must_agree(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    peer_send_payload(&p, b->dispatches[0]->lease, 5000, 1000, 2000);
    peer_send_result(&p, b->dispatches[0]->lease, 5001, NULL, 5001);
    rig_wait_for_nodes(&r, 0);
    batch_drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    rig_finish_with(&r, &p);
}

static void crumbs_lose_their_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    peer_send_payload(&p, b->dispatches[0]->lease, 5000, 1, 50);
    rig_wait_for_nodes(&r, 0);
    batch_drop(b);
    gw_flow_end_all(r.w.flow, r.w.now);
    rig_finish_with(&r, &p);
}

/* A result over the limit is its call's end, not its node's; the same before and after its
 * chunks. */
static void a_result_over_the_limit_ends_its_call_alone(void **state SL_UNUSED)
{
    for (int chunks_first = 0; chunks_first <= 1; chunks_first++) {
        enum { TOTAL = 9 * MIB };
        struct rig r;
        struct peer p;
        rig_begin_with(&r, &p, MIB);
        struct fake_exchange *big = rig_call(&r, 10), *small = rig_call(&r, 10);
        gateway_batch *b = peer_receive_dispatch(&p);
        assert_int_equal(b->n_dispatches, 2);
        uint64_t lease = b->dispatches[0]->lease;
        if (!chunks_first)
            peer_send_result(&p, lease, TOTAL, NULL, TOTAL);
        for (int i = 0; i < 9; i++) {
            peer_send_payload(&p, lease, TOTAL, MIB, 0);
            uint8_t *bytes = rig_bytes(MIB);
            peer_send_chunk(&p, &(struct gw_bulk_header){7, lease, (uint64_t)i * MIB, TOTAL, {0}},
                            bytes, MIB);
            free(bytes);
            rig_turn(&r);
        }
        if (chunks_first)
            peer_send_result(&p, lease, TOTAL, NULL, TOTAL);
        rig_wait_for_reply(&r, big);
        assert_int_equal(big->x.reply.error.reason, SL_REASON_TOO_LARGE);
        assert_string_equal(big->x.reply.error.text,
                            "the result has 9437184 bytes, over the limit of 8388608");
        uint8_t *bytes = rig_bytes(10);
        peer_send_result(&p, b->dispatches[1]->lease, 10, bytes, 0);
        rig_wait_for_reply(&r, small);
        rig_check_reply(small, 10);
        assert_int_equal(rig_nodes(&r), 1);
        free(bytes);
        batch_drop(b);
        rig_finish_with(&r, &p);
    }
}

/* No room for results: told before the chunks are kept, and room again once one was read. */
static void a_result_beyond_the_room_ends_its_call_alone(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB };
    struct rig r;
    struct peer p;
    rig_begin(&r);
    r.w.conf.max_result_bytes = 3 * MIB;
    rig_start(&r);
    peer_join(&r, &p, "n1", 7, MIB);
    struct fake_exchange *e[2] = {rig_call(&r, 10), rig_call(&r, 10)};
    gateway_batch *b = peer_receive_dispatch(&p);
    for (int i = 0; i < 2; i++) {
        peer_send_payload(&p, b->dispatches[i]->lease, TOTAL, MIB, TOTAL);
        peer_send_result(&p, b->dispatches[i]->lease, TOTAL, NULL, TOTAL);
        rig_wait_for_reply(&r, e[i]);
    }
    rig_check_reply(e[0], TOTAL);
    assert_int_equal(e[1]->x.reply.error.reason, SL_REASON_NO_CAPACITY);
    assert_non_null(strstr(e[1]->x.reply.error.text, "may have 3145728, and have 2097152"));
    batch_drop(b);
    fake_leave(&r.w, e[0]);
    struct fake_exchange *later = rig_call(&r, 10);
    b = peer_receive_dispatch(&p);
    peer_send_payload(&p, b->dispatches[0]->lease, TOTAL, MIB, TOTAL);
    peer_send_result(&p, b->dispatches[0]->lease, TOTAL, NULL, TOTAL);
    rig_wait_for_reply(&r, later);
    rig_check_reply(later, TOTAL);
    assert_int_equal(rig_nodes(&r), 1);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

static void a_payload_that_is_given_up_leaves_nothing(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    for (int i = 0; i < 2; i++) {
        struct fake_exchange *e = rig_call(&r, 10);
        gateway_batch *b = peer_receive_dispatch(&p);
        uint64_t lease = b->dispatches[0]->lease;
        peer_send_payload(&p, lease, 5000, 1000, 2000);
        Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
        Sluice__Node__V1__Result result = SLUICE__NODE__V1__RESULT__INIT, *list = &result;
        result.lease = lease;
        result.reason = TEXT("MODEL_ERROR");
        result.text = TEXT("it broke while it was sending");
        result.started = true;
        m.n_results = 1;
        m.results = &list;
        peer_send(&p, &m);
        rig_wait_for_reply(&r, e);
        assert_int_equal(e->x.reply.error.reason, SL_REASON_MODEL_ERROR);
        batch_drop(b);
    }
    assert_int_equal(rig_nodes(&r), 1);
    assert_null(r.link->peers->gatherings); /* else it would stay as long as the node */
    rig_finish_with(&r, &p);
}

static void a_result_nobody_waits_for_is_not_kept(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    fake_event(&r.w, e, GW_EV_GONE);
    peer_send_payload(&p, b->dispatches[0]->lease, 3 * MIB, MIB, 3 * MIB);
    peer_send_result(&p, b->dispatches[0]->lease, 3 * MIB, NULL, 3 * MIB);
    for (int i = 0; i < ROUNDS_MAX && gw_fleet_totals(gw_flow_fleet(r.w.flow)).leases > 0; i++) {
        rig_turn(&r);
        usleep(1000);
    }
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(r.w.flow)).leases, 0);
    assert_null(r.link->peers->gatherings);
    assert_int_equal(rig_nodes(&r), 1);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

/* The visitor still reads the payload when node and link are gone. */
static void a_reply_outlives_its_node(void **state SL_UNUSED)
{
    struct rig r;
    struct peer p;
    rig_begin_with(&r, &p, MIB);
    struct fake_exchange *e = rig_call(&r, 10);
    gateway_batch *b = peer_receive_dispatch(&p);
    peer_send_payload(&p, b->dispatches[0]->lease, MIB, MIB, MIB);
    peer_send_result(&p, b->dispatches[0]->lease, MIB, NULL, MIB);
    rig_wait_for_reply(&r, e);
    rig_listen_for(&r, r.conf.lost_after_ns + 1);
    assert_int_equal(rig_nodes(&r), 0);
    rig_check_reply(e, MIB);
    batch_drop(b);
    rig_finish_with(&r, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_by_bulk_may_come_in_any_order),
        cmocka_unit_test(what_was_taken_is_acknowledged),
        cmocka_unit_test(payloads_that_break_the_rules_lose_their_node),
        cmocka_unit_test(a_result_and_its_chunks_must_agree),
        cmocka_unit_test(crumbs_lose_their_node),
        cmocka_unit_test(a_result_over_the_limit_ends_its_call_alone),
        cmocka_unit_test(a_result_beyond_the_room_ends_its_call_alone),
        cmocka_unit_test(a_payload_that_is_given_up_leaves_nothing),
        cmocka_unit_test(a_result_nobody_waits_for_is_not_kept),
        cmocka_unit_test(a_reply_outlives_its_node),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
