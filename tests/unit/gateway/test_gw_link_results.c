/* test_gw_link_results.c - results that travel by bulk: in any order, over a limit, wrong,
 * given up. */
#include "link_rig.h"

#include <stdlib.h>
#include <unistd.h>

#include "sl_log.h"
#include "sl_test.h"

enum order { RESULT_FIRST, RESULT_LAST, RESULT_BETWEEN, ORDER_COUNT };

/* One chunk of a payload, at any place. */
static void send_part(struct scene *s, const void *bytes, size_t len, uint64_t at, uint64_t total)
{
    const struct gw_bulk_header h = {
        .session = s->p.session, .lease = s->lease, .offset_bytes = at, .total_bytes = total};
    peer_send_chunk(&s->p, &h, bytes, len);
}

/* The node has nothing more of a payload whose call has ended. */
static void expect_nothing_gathered(struct scene *s)
{
    assert_int_equal(rig_nodes(&s->r), 1);
    assert_null(s->r.link->peers->gatherings); /* else it would stay as long as the node */
}

static void answer_in_order(struct scene *s, enum order order, const uint8_t *bytes, size_t total)
{
    if (order == RESULT_FIRST)
        peer_send_result(&s->p, s->lease, total, NULL, total);
    for (size_t at = 0; at < total; at += MIB) {
        send_part(s, bytes + at, total - at < MIB ? total - at : MIB, at, total);
        rig_turn(&s->r);
        if (order == RESULT_BETWEEN && at == MIB)
            peer_send_result(&s->p, s->lease, total, NULL, total);
    }
    if (order == RESULT_LAST)
        peer_send_result(&s->p, s->lease, total, NULL, total);
    rig_wait_for_reply(&s->r, s->e);
}

static void a_result_by_bulk_may_come_in_any_order(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB + 777 };
    struct scene s;
    uint8_t *bytes = rig_bytes(TOTAL);
    scene_begin(&s, MIB);
    for (int order = 0; order < ORDER_COUNT; order++) {
        scene_call(&s, 10);
        answer_in_order(&s, (enum order)order, bytes, TOTAL);
        rig_check_reply(s.e, TOTAL);
        fake_leave(&s.r.w, s.e); /* gives the chunks back */
    }
    free(bytes);
    scene_finish(&s);
}

static void what_was_taken_is_acknowledged(void **state SL_UNUSED)
{
    struct scene s;
    uint64_t told = 0;
    scene_begin(&s, MIB);
    scene_call(&s, 10);
    peer_send_payload(&s.p, s.lease, 50000, 20000, 50000);
    const struct gw_bulk_header no_lease = {7, 12345, 0, 100, {0}};
    peer_send_chunk(&s.p, &no_lease, "late", 4);
    while (told < 50004) { /* what is dropped has been taken, too */
        gateway_batch *news = peer_receive(&s.p);
        assert_true(news->bulk_taken_bytes > told);
        told = news->bulk_taken_bytes;
        batch_drop(news);
    }
    assert_int_equal(told, 50004);
    peer_send_result(&s.p, s.lease, 50000, NULL, 50000);
    rig_wait_for_reply(&s.r, s.e);
    rig_check_reply(s.e, 50000);
    scene_finish(&s);
}

/* Each of these breaks the order of a payload; the node is lost, and a call it had not started
 * waits for another. */
static void payloads_that_break_the_rules_lose_their_node(void **state SL_UNUSED)
{
    static const struct {
        uint64_t at, total;
    } wrong[] = {
        {5, 100}, /* does not begin at its beginning */
        {0, 0},   /* has no bytes */
        {0, 3},   /* more bytes than it says */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        struct scene s;
        scene_begin(&s, MIB);
        scene_call(&s, 10);
        send_part(&s, "12345", 5, wrong[i].at, wrong[i].total);
        rig_wait_for_nodes(&s.r, 0);
        assert_int_equal(sl_metric_value(s.r.w.metrics.nodes_lost), 1);
        assert_int_equal(s.e->replies, 0);
        scene_finish(&s);
    }
}

static void a_result_and_its_chunks_must_agree(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, MIB);
    scene_call(&s, 10);
    peer_send_payload(&s.p, s.lease, 5000, 1000, 2000);
    peer_send_result(&s.p, s.lease, 5001, NULL, 5001);
    rig_wait_for_nodes(&s.r, 0);
    scene_finish(&s);
}

static void crumbs_lose_their_node(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, MIB);
    scene_call(&s, 10);
    peer_send_payload(&s.p, s.lease, 5000, 1, 50);
    rig_wait_for_nodes(&s.r, 0);
    scene_finish(&s);
}

/* A result over the limit is its call's end, not its node's; the same before and after its
 * chunks. */
static void end_over_the_limit(bool chunks_first)
{
    enum { TOTAL = 9 * MIB };
    struct scene s;
    uint8_t *bytes = rig_bytes(MIB);
    scene_begin(&s, MIB);
    struct fake_exchange *big = rig_call(&s.r, 10);
    scene_call(&s, 10);
    assert_int_equal(s.batch->n_dispatches, 2);
    if (!chunks_first)
        peer_send_result(&s.p, s.lease, TOTAL, NULL, TOTAL);
    for (uint64_t at = 0; at < TOTAL; at += MIB) {
        send_part(&s, bytes, MIB, at, TOTAL);
        rig_turn(&s.r);
    }
    if (chunks_first)
        peer_send_result(&s.p, s.lease, TOTAL, NULL, TOTAL);
    rig_wait_for_reply(&s.r, big);
    assert_int_equal(big->x.reply.error.reason, SL_REASON_TOO_LARGE);
    assert_string_equal(big->x.reply.error.text,
                        "the result has 9437184 bytes, over the limit of 8388608");
    peer_send_result(&s.p, s.batch->dispatches[1]->lease, 10, bytes, 0);
    rig_wait_for_reply(&s.r, s.e);
    rig_check_reply(s.e, 10);
    assert_int_equal(rig_nodes(&s.r), 1);
    free(bytes);
    scene_finish(&s);
}

static void a_result_over_the_limit_ends_its_call_alone(void **state SL_UNUSED)
{
    end_over_the_limit(false);
    end_over_the_limit(true);
}

/* No room for results: told before the chunks are kept, and room again once one was read. */
static void a_result_beyond_the_room_ends_its_call_alone(void **state SL_UNUSED)
{
    enum { TOTAL = 2 * MIB };
    struct scene s = {.batch = NULL};
    rig_begin(&s.r);
    s.r.w.conf.max_result_bytes = 3 * MIB;
    rig_start(&s.r);
    peer_join(&s.r, &s.p, "n1", 7, MIB);
    struct fake_exchange *first = rig_call(&s.r, 10);
    scene_call(&s, 10); /* sent ahead, when there was room */
    peer_send_payload(&s.p, s.lease, TOTAL, MIB, TOTAL);
    peer_send_result(&s.p, s.lease, TOTAL, NULL, TOTAL);
    rig_wait_for_reply(&s.r, first);
    rig_check_reply(first, TOTAL);
    s.lease = s.batch->dispatches[1]->lease;
    scene_answer(&s, TOTAL);
    assert_int_equal(s.e->x.reply.error.reason, SL_REASON_NO_CAPACITY);
    assert_non_null(strstr(s.e->x.reply.error.text, "may have 3145728, and have 2097152"));
    fake_leave(&s.r.w, first);
    scene_call(&s, 10);
    scene_answer(&s, TOTAL);
    rig_check_reply(s.e, TOTAL);
    assert_int_equal(rig_nodes(&s.r), 1);
    scene_finish(&s);
}

static void send_failure(struct scene *s, const char *reason, const char *text)
{
    Sluice__Node__V1__NodeBatch m = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Result result = SLUICE__NODE__V1__RESULT__INIT, *list = &result;
    result.lease = s->lease;
    result.reason = TEXT(reason);
    result.text = TEXT(text);
    result.started = true;
    m.n_results = 1;
    m.results = &list;
    peer_send(&s->p, &m);
}

static void a_payload_that_is_given_up_leaves_nothing(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, MIB);
    for (int i = 0; i < 2; i++) {
        scene_call(&s, 10);
        peer_send_payload(&s.p, s.lease, 5000, 1000, 2000);
        send_failure(&s, "MODEL_ERROR", "it broke while it was sending");
        rig_wait_for_reply(&s.r, s.e);
        assert_int_equal(s.e->x.reply.error.reason, SL_REASON_MODEL_ERROR);
    }
    expect_nothing_gathered(&s);
    scene_finish(&s);
}

static void a_result_nobody_waits_for_is_not_kept(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, MIB);
    scene_call(&s, 10);
    fake_event(&s.r.w, s.e, GW_EV_GONE);
    peer_send_payload(&s.p, s.lease, 3 * MIB, MIB, 3 * MIB);
    peer_send_result(&s.p, s.lease, 3 * MIB, NULL, 3 * MIB);
    const struct gw_fleet *fleet = gw_flow_fleet(s.r.w.flow);
    for (int i = 0; i < ROUNDS_MAX && gw_fleet_totals(fleet).leases > 0; i++) {
        rig_turn(&s.r);
        usleep(1000);
    }
    assert_int_equal(gw_fleet_totals(fleet).leases, 0);
    expect_nothing_gathered(&s);
    scene_finish(&s);
}

/* The visitor still reads the payload when node and link are gone. */
static void a_reply_outlives_its_node(void **state SL_UNUSED)
{
    struct scene s;
    scene_begin(&s, MIB);
    scene_call(&s, 10);
    scene_answer(&s, MIB);
    rig_listen_for(&s.r, s.r.conf.lost_after_ns + 1);
    assert_int_equal(rig_nodes(&s.r), 0);
    rig_check_reply(s.e, MIB);
    scene_finish(&s);
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
