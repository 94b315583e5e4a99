/* test_gw_flow_nodes.c - what nodes do to calls: give back, get lost, fail, say what is wrong,
 * are full or not there yet. */
#include "flow_rig.h"

#include <stdlib.h>

#include "sl_log.h"
#include "sl_test.h"

/* ---- what nodes do */

static void a_returned_call_takes_its_old_place(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *first = fake_call(&w, flow_request());
    fake_call(&w, flow_request());
    char id[40];
    snprintf(id, sizeof id, "%s", w.sent[0].call_id);
    for (size_t i = 0; i < 3; i++) {
        fake_returned(&w, n, w.sent[i].lease);
        assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 2);
        fake_turn(&w);
        assert_int_equal(w.sent_count, i + 2);
        assert_string_equal(w.sent[i + 1].call_id, id); /* before the one that came later */
    }
    assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->call_count, 0);
    fake_returned(&w, n, w.sent[3].lease);
    flow_assert_replied(first, SL_REASON_NO_CAPACITY,
                        "executors gave the call back more than 3 times");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_lost_node_costs_only_what_it_had_started(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 2, "m");
    struct fake_exchange *running = fake_call(&w, flow_request()),
                         *sent = fake_call(&w, flow_request());
    fake_started(&w, n1, w.sent[0].lease);
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 1, "m");
    gw_flow_on_lost(w.flow, n1, "test", w.now);
    flow_assert_replied(running, SL_REASON_EXECUTOR_LOST,
                        "the executor was lost while it ran the call");
    assert_int_equal(sent->replies, 0);
    assert_int_equal(w.cancel_count, 0); /* nobody is there to hear it */
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    assert_string_equal(w.sent[2].node, "n2");
    fake_result(&w, n2, w.sent[2].lease, false);
    flow_assert_good_reply(sent);
    assert_string_equal(flow_trailer(sent, "sluice-node"), "n2");
    flow_finish(&w);
}

static void a_node_that_starts_again_is_lost_first(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    n = fake_join(&w, "n1", 1, "m");
    assert_non_null(n);
    flow_assert_replied(e, SL_REASON_EXECUTOR_LOST, NULL);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).nodes, 1);
    flow_finish(&w);
}

static void a_failed_run_is_told_as_the_node_said_it(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_DURATION_EXCEEDED, "over 60s");
    flow_assert_replied(e, SL_REASON_DURATION_EXCEEDED, "over 60s");
    assert_string_equal(flow_trailer(e, "sluice-exec-ms"), "0.777");
    e = fake_call(&w, flow_request());
    fake_failure(&w, n, w.sent[1].lease, false, SL_REASON_DEVICE_FAULT, "ECC");
    flow_assert_replied(e, SL_REASON_DEVICE_FAULT, "ECC");
    assert_null(flow_trailer(e, "sluice-exec-ms"));
    assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->samples, 0);
    flow_finish(&w);
}

static void count_one(void *ctx)
{
    ++*(unsigned *)ctx;
}

/* A result that does not fit its model ends the call, and its payload is given back once. */
static void a_wrong_result_is_the_models_error(void **state SL_UNUSED)
{
    struct fake_world w;
    unsigned releases = 0;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    const struct sl_span piece = sl_span_of("12345678", 8);
    struct gw_result r = {.lease = w.sent[0].lease,
                          .was_started = true,
                          .payload = {&piece, 1, 8},
                          .release = count_one,
                          .release_ctx = &releases};
    gw_flow_on_result(w.flow, n, &r, w.now);
    flow_assert_replied(e, SL_REASON_MODEL_ERROR, "model 'm' did not give output 'OUT'");
    assert_int_equal(releases, 1);
    assert_null(e->x.reply.release);
    flow_finish(&w);
}

static void an_inline_result_that_has_no_room_is_said(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    uint8_t *huge = calloc(1, 2 * FAKE_ARENA_MAX);
    const struct sl_span piece = sl_span_of(huge, 2 * FAKE_ARENA_MAX);
    struct gw_result r = {
        .lease = w.sent[0].lease, .was_started = true, .payload = {&piece, 1, 2 * FAKE_ARENA_MAX}};
    gw_flow_on_result(w.flow, n, &r, w.now);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "no memory for a result of 2097152 bytes");
    free(huge);
    flow_finish(&w);
}

static void late_and_false_messages_change_nothing(void **state SL_UNUSED)
{
    struct sl_metric_registry *metrics;
    struct fake_world w;
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &metrics));
    flow_begin(&w);
    struct sl_metric **refused = w.metrics.refused;
    refused[GW_REFUSAL_STALE] = sl_metric_counter(metrics, "stale_total", "", "Stale.");
    refused[GW_REFUSAL_FORGED] = sl_metric_counter(metrics, "forged_total", "", "Forged.");
    refused[GW_REFUSAL_REPLAYED] = sl_metric_counter(metrics, "replayed_total", "", "Replayed.");
    flow_start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 1, "m"), *n2 = fake_join(&w, "n2", 1, "m");
    struct fake_exchange *e = fake_call(&w, flow_request());
    sl_slot_id lease = w.sent[0].lease;
    struct gw_fleet_node *its = strcmp(w.sent[0].node, "n1") == 0 ? n1 : n2;
    struct gw_fleet_node *other = its == n1 ? n2 : n1;
    fake_result(&w, other, lease, true); /* of a node that has not got it */
    fake_started(&w, other, lease);
    fake_returned(&w, other, lease);
    fake_result(&w, its, lease + 1, true); /* of a lease that never was */
    fake_started(&w, its, 0);
    assert_int_equal(flow_in_state(&w, GW_CALL_DISPATCHED), 1);
    assert_int_equal(w.releases, 2);
    fake_started(&w, its, lease);
    fake_started(&w, its, lease); /* twice */
    assert_int_equal(flow_in_state(&w, GW_CALL_RUNNING), 1);
    fake_result(&w, its, lease, true);
    flow_assert_good_reply(e);
    fake_result(&w, its, lease, true); /* twice: the lease is over */
    fake_returned(&w, its, lease);
    fake_started(&w, its, lease);
    assert_int_equal(w.releases, 3);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_STALE]), 5);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_FORGED]), 3);
    assert_int_equal(sl_metric_value(refused[GW_REFUSAL_REPLAYED]), 1);
    assert_int_equal(gw_flow_ended(w.flow, SL_REASON_OK), 1);
    flow_finish(&w);
    sl_metric_registry_destroy(metrics);
}

/* ---- nodes that cannot take a call now, or at all */

static void a_full_node_blocks_nobody_else(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 2, "m"), *n2 = fake_join(&w, "n2", 1, "x");
    w.dispatch_answer = SL_EFULL;
    w.answering_node = "n1";
    fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request_of("x", 0));
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 1);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 1);
    fake_failure(&w, n2, w.sent[0].lease, false, SL_REASON_INTERNAL, "");
    assert_int_equal(e->replies, 1);
    w.dispatch_answer = SL_OK;
    gw_flow_on_heard(w.flow, n1, false, w.now); /* it has taken something in */
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_node_that_cannot_be_reached_is_lost(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 1, "m");
    w.dispatch_answer = SL_ENOENT;
    w.answering_node = "n1";
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).nodes, 1);
    fake_result(&w, n2, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

static void a_call_that_cannot_be_sent_ends(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.dispatch_answer = SL_ETOOBIG;
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_TOO_LARGE,
                        "the request's names and parameters are over 1 MiB");
    w.dispatch_answer = SL_ENOMEM;
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_NO_CAPACITY,
                        "no memory to send the call to its executor");
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 0);
    flow_finish(&w);
}

static void leases_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.fleet.max_leases = 1;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    fake_result(&w, n, w.sent[1].lease, false);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

/* ---- just started */

static void a_call_waits_for_a_model_that_may_still_come(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.started_at = w.now;
    w.conf.models_wait_ns = 3 * SL_NS_PER_S;
    flow_start(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    struct fake_exchange *e2 = fake_call(&w, flow_request());
    fake_join(&w, "n1", 1, "other");
    assert_int_equal(e->replies + e2->replies, 0);
    struct fake_exchange *left = fake_call(&w, flow_request());
    fake_event(&w, left, GW_EV_GONE);
    flow_assert_replied(left, SL_REASON_CANCELLED, NULL);
    struct gw_fleet_node *n = fake_join(&w, "n2", 1, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e); /* first come, first served */
    fake_turn(&w);
    fake_result(&w, n, w.sent[1].lease, false);
    flow_assert_good_reply(e2);
    flow_finish(&w);
}

static void a_model_that_does_not_come_in_time_is_not_found(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.started_at = w.now;
    w.conf.models_wait_ns = 3 * SL_NS_PER_S;
    flow_start(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_int_equal(gw_flow_next_at(w.flow), w.now + 3 * SL_NS_PER_S);
    fake_advance(&w, 3 * SL_NS_PER_S - 1);
    assert_int_equal(e->replies, 0);
    fake_advance(&w, 1);
    flow_assert_replied(e, SL_REASON_MODEL_NOT_FOUND, "no model is named 'm'");
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_MODEL_NOT_FOUND, NULL);
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_returned_call_takes_its_old_place),
        cmocka_unit_test(a_lost_node_costs_only_what_it_had_started),
        cmocka_unit_test(a_node_that_starts_again_is_lost_first),
        cmocka_unit_test(a_failed_run_is_told_as_the_node_said_it),
        cmocka_unit_test(a_wrong_result_is_the_models_error),
        cmocka_unit_test(an_inline_result_that_has_no_room_is_said),
        cmocka_unit_test(late_and_false_messages_change_nothing),
        cmocka_unit_test(a_full_node_blocks_nobody_else),
        cmocka_unit_test(a_node_that_cannot_be_reached_is_lost),
        cmocka_unit_test(a_call_that_cannot_be_sent_ends),
        cmocka_unit_test(leases_have_a_limit),
        cmocka_unit_test(a_call_waits_for_a_model_that_may_still_come),
        cmocka_unit_test(a_model_that_does_not_come_in_time_is_not_found),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
