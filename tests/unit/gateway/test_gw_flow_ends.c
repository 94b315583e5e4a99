/* test_gw_flow_ends.c - how a call ends in each state: by its deadline, its caller, a lost
 * connection, the longest wait, or the end of the gateway. */
#include "flow_rig.h"

#include "sl_log.h"
#include "sl_test.h"

/* ---- calls whose connection is lost */

static void kept_calls_go_on_without_their_connection(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e[3];
    for (int i = 0; i < 3; i++) {
        e[i] = fake_exchange(&w, GW_METHOD_MODEL_INFER);
        e[i]->x.req.on_disconnect = sl_span_str("keep");
        fake_event(&w, e[i], GW_EV_OPEN);
        if (i < 2)
            fake_message(&w, e[i], flow_request());
        fake_turn(&w);
        e[i]->x.is_disconnect = true;
        fake_event(&w, e[i], GW_EV_GONE);
    }
    assert_true(e[0]->replies == 0 && e[1]->replies == 0); /* one is sent, one is queued */
    flow_assert_replied(e[2], SL_REASON_CANCELLED, NULL);  /* nothing to run it with */
    fake_result(&w, n, w.sent[0].lease, true);
    flow_assert_good_reply(e[0]); /* that it can be asked for, though nobody reads this one */
    fake_turn(&w);
    fake_failure(&w, n, w.sent[1].lease, true, SL_REASON_MODEL_ERROR, "no");
    flow_assert_replied(e[1], SL_REASON_MODEL_ERROR, "no");
    flow_finish(&w);
}

static void a_reset_ends_a_kept_call(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.on_disconnect = sl_span_str("keep");
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, flow_request());
    fake_event(&w, e, GW_EV_GONE);
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    flow_finish(&w);
}

/* Of what is known: 3 calls that are said to take 5 s each, on one slice. */
static void a_full_queue_tells_when_to_come_again(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.queue.max_queued = 3;
    flow_start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 4; i++)
        fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_QUEUE_FULL, NULL);
    struct gw_fleet_model *m = gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"));
    assert_int_equal(gw_fleet_backlog_us(m), 3 * m->spec.duration_us);
    int64_t ms = 3 * m->spec.duration_us / 2000;
    assert_int_equal(e->x.reply.retry_after_ms, ms < 60000 ? ms : 60000);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- an end in each state: by the deadline, by the caller, by the gateway */

/* The call has ended; its lease is open until the node has said that it is over. */
static void check_lease_of_ended(struct fake_world *w, struct gw_fleet_node *n,
                                 enum gw_call_state was)
{
    struct gw_fleet *fleet = gw_flow_fleet(w->flow);
    bool was_out = was == GW_CALL_DISPATCHED || was == GW_CALL_RUNNING;
    assert_int_equal(w->cancel_count, was_out);
    assert_int_equal(gw_fleet_totals(fleet).leases, was_out);
    if (!was_out)
        return;
    assert_int_equal(w->cancels[0], w->sent[0].lease);
    fake_call(w, flow_request()); /* the slice is not free yet */
    assert_int_equal(w->sent_count, 1);
    if (was == GW_CALL_DISPATCHED)
        fake_failure(w, n, w->sent[0].lease, false, SL_REASON_CANCELLED, "");
    else
        fake_result(w, n, w->sent[0].lease, true);
    assert_int_equal(w->releases, was == GW_CALL_RUNNING); /* nobody wants it any more */
    fake_turn(w);
    assert_int_equal(w->sent_count, 2);
    gw_flow_end_all(w->flow, w->now);
}

static const enum gw_call_state open_states[] = {GW_CALL_RECEIVING, GW_CALL_QUEUED,
                                                 GW_CALL_DISPATCHED, GW_CALL_RUNNING};

static void a_deadline_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        sl_mono_ns at = 1003 * SL_NS_PER_S;
        struct fake_exchange *e = flow_bring_to(&w, open_states[i], at, &n);
        assert_int_equal(gw_flow_next_at(w.flow), at);
        fake_advance(&w, at - w.now - 1);
        assert_int_equal(e->replies, 0);
        fake_advance(&w, 1);
        flow_assert_replied(e, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
        check_lease_of_ended(&w, n, open_states[i]);
        flow_finish(&w);
    }
}

static void a_caller_who_leaves_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        struct fake_exchange *e = flow_bring_to(&w, open_states[i], SL_MONO_NEVER, &n);
        fake_event(&w, e, GW_EV_GONE);
        flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
        fake_event(&w, e, GW_EV_GONE); /* once more changes nothing */
        flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
        check_lease_of_ended(&w, n, open_states[i]);
        flow_finish(&w);
    }
}

static void the_gateways_end_ends_a_call_in_any_state(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(open_states); i++) {
        struct fake_world w;
        struct gw_fleet_node *n;
        struct fake_exchange *e = flow_bring_to(&w, open_states[i], SL_MONO_NEVER, &n);
        gw_flow_end_all(w.flow, w.now);
        flow_assert_replied(e, SL_REASON_DRAINING, "the gateway stopped before the call was over");
        check_lease_of_ended(&w, n, open_states[i]);
        flow_finish(&w);
    }
}

static void an_event_of_every_kind_at_once_is_survived(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.body = flow_request();
    e->x.message_bytes = e->x.body->len;
    fake_event(&w, e, GW_EV_OPEN | GW_EV_LENGTH | GW_EV_MESSAGE | GW_EV_GONE);
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 0);
    flow_finish(&w);
}

/* ---- waiting for a slice */

static void a_call_waits_as_long_as_it_asked(void **state SL_UNUSED)
{
    static const struct {
        const char *asked;
        int64_t s;
        const char *text;
    } cases[] = {{NULL, 60, "GPU allocation timed out after 60s"},
                 {"7", 7, "GPU allocation timed out after 7s"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++)
        for (int is_dispatched = 0; is_dispatched <= 1; is_dispatched++) {
            struct fake_world w;
            struct gw_fleet_node *n = flow_begin_with_node(&w);
            n->is_draining = !is_dispatched;
            struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
            if (cases[i].asked != NULL)
                e->x.req.max_wait = sl_span_str(cases[i].asked);
            fake_event(&w, e, GW_EV_OPEN);
            w.now += SL_NS_PER_S; /* receiving is not waiting */
            fake_message(&w, e, flow_request());
            fake_turn(&w);
            fake_advance(&w, cases[i].s * SL_NS_PER_S - 1);
            assert_int_equal(e->replies, 0);
            fake_advance(&w, 1);
            flow_assert_replied(e, SL_REASON_ALLOCATION_TIMEOUT, cases[i].text);
            assert_int_equal(w.cancel_count, is_dispatched);
            flow_finish(&w);
        }
}

static void a_running_call_waits_no_more(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n;
    struct fake_exchange *e = flow_bring_to(&w, GW_CALL_RUNNING, SL_MONO_NEVER, &n);
    assert_int_equal(gw_flow_next_at(w.flow), SL_MONO_NEVER);
    fake_advance(&w, 1000 * SL_NS_PER_S);
    assert_int_equal(e->replies, 0);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

/* ---- draining */

static void a_draining_gateway_finishes_what_it_has(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_true(gw_flow_is_ready(w.flow));
    gw_flow_drain(w.flow);
    assert_false(gw_flow_is_ready(w.flow));
    struct fake_exchange *late = fake_call(&w, flow_request()); /* sent before its caller knew */
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    fake_turn(&w);
    fake_result(&w, n, w.sent[1].lease, false);
    flow_assert_good_reply(late);
    assert_false(gw_flow_is_empty(w.flow));
    flow_finish(&w);
}

static void a_stopping_gateway_ends_what_it_has_and_refuses_more(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    gw_flow_refuse(w.flow);
    gw_flow_end_all(w.flow, w.now);
    flow_assert_replied(e, SL_REASON_DRAINING, "the gateway stopped before the call was over");
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_DRAINING,
                        "the gateway is stopping and takes no new calls");
    flow_finish(&w);
}

static void a_flow_that_goes_with_open_calls_lets_their_messages_go(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_body *body = flow_request();
    flow_begin_with_node(&w);
    fake_call(&w, gw_body_share(body));
    assert_string_equal(fake_world_finish(&w), "an exchange was not replied to");
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_calls_go_on_without_their_connection),
        cmocka_unit_test(a_reset_ends_a_kept_call),
        cmocka_unit_test(a_full_queue_tells_when_to_come_again),
        cmocka_unit_test(a_deadline_ends_a_call_in_any_state),
        cmocka_unit_test(a_caller_who_leaves_ends_a_call_in_any_state),
        cmocka_unit_test(the_gateways_end_ends_a_call_in_any_state),
        cmocka_unit_test(an_event_of_every_kind_at_once_is_survived),
        cmocka_unit_test(a_call_waits_as_long_as_it_asked),
        cmocka_unit_test(a_running_call_waits_no_more),
        cmocka_unit_test(a_draining_gateway_finishes_what_it_has),
        cmocka_unit_test(a_stopping_gateway_ends_what_it_has_and_refuses_more),
        cmocka_unit_test(a_flow_that_goes_with_open_calls_lets_their_messages_go),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
