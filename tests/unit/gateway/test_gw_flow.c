/* test_gw_flow.c - the story of a call in a faked world, as it should go, and with each
 * allocation failing. Every exchange gets one reply, every call one outcome, and nothing of it
 * stays behind. */
#include "flow_rig.h"

#include "fail_alloc.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sl_text.h"

/* ---- the good way */

static void a_call_goes_from_open_to_its_reply(void **state SL_UNUSED)
{
    for (int by_reference = 0; by_reference <= 1; by_reference++) {
        struct fake_world w;
        struct gw_fleet_node *n = flow_begin_with_node(&w);
        struct gw_body *body = flow_request();
        struct fake_exchange *e = fake_call(&w, gw_body_share(body));
        assert_int_equal(flow_in_state(&w, GW_CALL_DISPATCHED), 1);
        assert_int_equal(w.sent_count, 1);
        assert_int_equal(w.sent[0].limit_us, 60 * SL_US_PER_S);
        assert_int_equal(w.sent[0].payload_bytes, sizeof flow_tensor);
        assert_memory_equal(w.sent[0].payload, flow_tensor, sizeof flow_tensor);
        assert_true(sl_text_is_uuid(sl_span_str(w.sent[0].call_id)));
        fake_advance(&w, 2 * SL_NS_PER_MS);
        fake_started(&w, n, w.sent[0].lease);
        assert_int_equal(flow_in_state(&w, GW_CALL_RUNNING), 1);
        fake_advance(&w, 10 * SL_NS_PER_MS);
        assert_int_equal(e->replies, 0);
        fake_result(&w, n, w.sent[0].lease, by_reference);
        flow_assert_good_reply(e);
        assert_string_equal(flow_trailer(e, "sluice-call-id"), w.sent[0].call_id);
        assert_string_equal(flow_trailer(e, "sluice-queue-ms"), "2.000");
        assert_string_equal(flow_trailer(e, "sluice-exec-ms"), "12.345");
        assert_string_equal(flow_trailer(e, "sluice-node"), "n1");
        assert_int_equal(w.releases, 0); /* not before it was sent */
        assert_int_equal(gw_flow_ended(w.flow, SL_REASON_OK), 1);
        assert_int_equal(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->call_count, 1);
        assert_int_equal(atomic_load(&body->references), 1); /* the flow has let it go */
        gw_body_release(body);
        fake_leave(&w, e);
        assert_int_equal(w.releases, by_reference);
        assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).leases, 0);
        flow_finish(&w);
    }
}

static void a_result_may_come_without_started_before(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    assert_non_null(flow_trailer(e, "sluice-exec-ms"));
    flow_finish(&w);
}

static void what_a_call_asks_for_reaches_the_node(void **state SL_UNUSED)
{
    static const char id[] = "01234567-89ab-4def-8123-456789abcdef";
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.duration = sl_span_str("500ms");
    e->x.req.call_id = sl_span_str(id);
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, flow_request());
    fake_turn(&w);
    assert_int_equal(w.sent[0].limit_us, 500000);
    assert_string_equal(w.sent[0].call_id, id);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* Also one whose message comes in a later turn: that is no second one. */
static void a_call_is_open_from_its_headers_to_its_outcome(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    assert_int_equal(gw_flow_calls_ever(w.flow), 0);
    fake_event(&w, e, GW_EV_OPEN);
    fake_turn(&w);
    assert_int_equal(gw_flow_calls_ever(w.flow), 1);
    assert_int_equal(gw_flow_calls_open(w.flow), 1);
    fake_message(&w, e, flow_request());
    gw_flow_hint_cpu(w.flow, 7);
    fake_turn(&w);
    assert_int_equal(w.sent[0].cpu_hint, 7);
    assert_int_equal(gw_flow_calls_ever(w.flow), 1);
    assert_int_equal(gw_flow_calls_open(w.flow), 1);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_int_equal(gw_flow_calls_open(w.flow), 0);
    flow_assert_good_reply(e);
    gw_flow_hint_cpu(w.flow, 0);
    fake_call(&w, flow_request());
    assert_int_equal(w.sent[1].cpu_hint, 0);
    assert_int_equal(gw_flow_calls_ever(w.flow), 2);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void calls_are_placed_in_the_order_they_came(void **state SL_UNUSED)
{
    struct fake_world w;
    struct fake_exchange *e[4];
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 1);
    assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 3);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(w.sent_count, i + 1);
        fake_started(&w, n, w.sent[i].lease);
        fake_result(&w, n, w.sent[i].lease, false);
        flow_assert_good_reply(e[i]);
        fake_turn(&w);
    }
    flow_finish(&w);
}

static void calls_wait_for_their_node(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    gw_flow_on_lost(w.flow, n, "test", w.now);
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 0);
    n = fake_join(&w, "n1", 1, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

/* They were checked against what no node has any more. */
static void calls_that_wait_for_a_changed_model_end(void **state SL_UNUSED)
{
    for (int is_removed = 0; is_removed <= 1; is_removed++) {
        struct fake_world w;
        struct fake_exchange *e[3];
        struct gw_fleet_node *n = flow_begin_with_node(&w);
        for (int i = 0; i < 3; i++) /* one was sent, but not started */
            e[i] = fake_call(&w, flow_request());
        gw_flow_on_lost(w.flow, n, "test", w.now);
        fake_turn(&w);
        assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 3);
        w.version = "2";
        n = fake_join(&w, "n1", 1, is_removed ? "other" : "m");
        for (int i = 0; i < 3; i++)
            flow_assert_replied(
                e[i], SL_REASON_NO_CAPACITY,
                "model 'm' was changed or removed while the call waited for it; send it "
                "again");
        struct fake_exchange *after = fake_call(&w, flow_request());
        if (is_removed) {
            flow_assert_replied(after, SL_REASON_MODEL_NOT_FOUND, NULL);
        } else {
            fake_result(&w, n, w.sent[w.sent_count - 1].lease, false);
            flow_assert_good_reply(after);
        }
        flow_finish(&w);
    }
}

/* ---- what is counted */

static const char *metrics_text(struct sl_metric_registry *reg)
{
    static char text[8192];
    struct sl_buf b;
    sl_buf_init(&b, &sl_alloc_malloc, sizeof text - 1);
    assert_ok(sl_metric_render(reg, &b));
    memcpy(text, b.data, b.len);
    text[b.len] = '\0';
    sl_buf_finish(&b);
    return text;
}

/* A call that its caller has left, and one that used up its time. */
static void how_long_a_slice_is_taken_for_nobody_is_measured(void **state SL_UNUSED)
{
    struct sl_metric_registry *reg;
    struct fake_world w;
    static const double bounds[] = {1};
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &reg));
    flow_begin(&w);
    w.metrics.freed_after_cancel = sl_metric_histogram_seconds(reg, "left", "", "x", bounds, 1);
    w.metrics.freed_after_limit = sl_metric_histogram_seconds(reg, "over", "", "x", bounds, 1);
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    w.now += 5 * SL_NS_PER_S;
    fake_event(&w, e, GW_EV_GONE);
    fake_advance(&w, 250 * SL_NS_PER_MS);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "x");
    fake_call(&w, flow_request());
    const struct gw_result over = {.lease = w.sent[1].lease,
                                   .reason = SL_REASON_DURATION_EXCEEDED,
                                   .was_started = true,
                                   .held_us = 60 * SL_US_PER_S + 4000};
    gw_flow_on_result(w.flow, n, &over, w.now);
    const char *text = metrics_text(reg);
    assert_non_null(strstr(text, "left_sum 0.25\n"));
    assert_non_null(strstr(text, "left_count 1\n"));
    assert_non_null(strstr(text, "over_sum 0.004\n"));
    flow_finish(&w);
    sl_metric_registry_destroy(reg);
}

static void metrics_follow_a_call(void **state SL_UNUSED)
{
    struct sl_metric_registry *reg;
    struct fake_world w;
    static const double bounds[] = {1};
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &reg));
    flow_begin(&w);
    w.conf.max_calls = 2;
    struct gw_flow_metrics *m = &w.metrics;
    m->calls[SL_REASON_OK] = sl_metric_counter(reg, "ok_total", "", "Ok.");
    m->calls[SL_REASON_QUEUE_FULL] = sl_metric_counter(reg, "full_total", "", "Full.");
    m->in_state[GW_CALL_RUNNING] = sl_metric_gauge(reg, "running", "", "Running.");
    m->nodes = sl_metric_gauge(reg, "nodes", "", "Nodes.");
    m->slices = sl_metric_gauge(reg, "slices", "", "Slices.");
    m->slices_busy = sl_metric_gauge(reg, "busy", "", "Busy.");
    m->body_bytes = sl_metric_gauge(reg, "bodies", "", "Bodies.");
    m->requeued = sl_metric_counter(reg, "requeued_total", "", "Requeued.");
    m->queue_seconds = sl_metric_histogram_seconds(reg, "queue", "", "Queue.", bounds, 1);
    m->exec_seconds = sl_metric_histogram_seconds(reg, "exec", "", "Exec.", bounds, 1);
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    struct gw_body *body = flow_request();
    fake_call(&w, gw_body_share(body));
    fake_call(&w, gw_body_share(body));
    fake_call(&w, gw_body_share(body)); /* one too many */
    assert_int_equal(sl_metric_value(m->body_bytes), 2 * (int64_t)body->len);
    fake_returned(&w, n, w.sent[1].lease);
    fake_started(&w, n, w.sent[0].lease);
    fake_turn(&w);
    assert_int_equal(sl_metric_value(m->in_state[GW_CALL_RUNNING]), 1);
    assert_int_equal(sl_metric_value(m->nodes), 1);
    assert_int_equal(sl_metric_value(m->slices), 2);
    assert_int_equal(sl_metric_value(m->slices_busy), 2);
    assert_int_equal(sl_metric_value(m->requeued), 1);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_result(&w, n, w.sent[2].lease, false);
    fake_turn(&w);
    assert_int_equal(sl_metric_value(m->calls[SL_REASON_OK]), 2);
    assert_int_equal(sl_metric_value(m->calls[SL_REASON_QUEUE_FULL]), 1);
    assert_int_equal(sl_metric_value(m->in_state[GW_CALL_RUNNING]), 0);
    assert_int_equal(sl_metric_value(m->slices_busy), 0);
    assert_int_equal(sl_metric_value(m->body_bytes), 0);
    assert_int_equal(sl_metric_value(m->queue_seconds), 2);
    assert_int_equal(sl_metric_value(m->exec_seconds), 2);
    gw_body_release(body);
    flow_finish(&w);
    sl_metric_registry_destroy(reg);
}

/* A node may say that a running call is returned only by mistake: it was started, so it cannot
 * start again. */
static void a_running_call_is_not_started_twice(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n;
    struct fake_exchange *e = flow_bring_to(&w, GW_CALL_RUNNING, SL_MONO_NEVER, &n);
    fake_returned(&w, n, w.sent[0].lease);
    assert_int_equal(e->replies, 1);
    assert_int_not_equal(e->x.reply.error.reason, SL_REASON_OK);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    flow_finish(&w);
}

/* ---- without memory */

/* One call with all that can happen to it; any step may meet a failed allocation. */
static void whole_story(const struct sl_alloc *alloc)
{
    struct fake_world w;
    fake_world_init(&w, alloc);
    if (fake_world_start(&w) != SL_OK)
        return;
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *small = fake_call(&w, flow_request());
    struct gw_body *body = flow_request_of("m", LARGE);
    struct fake_exchange *large = flow_open_large(&w, body);
    if (large->grants > 0)
        fake_message(&w, large, gw_body_share(body));
    gw_body_release(body);
    fake_turn(&w);
    for (size_t i = 0; n != NULL && i < w.sent_count; i++) {
        fake_started(&w, n, w.sent[i].lease);
        fake_result(&w, n, w.sent[i].lease, i > 0);
        fake_turn(&w);
    }
    flow_ask(&w, GW_METHOD_LIST_MODELS, sl_span_of("", 0));
    gw_flow_end_all(w.flow, w.now);
    assert_int_equal(small->replies, 1);
    assert_int_equal(large->replies, 1);
    flow_finish(&w);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    size_t at = 1;
    for (; fail_alloc_start(&f, at); at++) {
        whole_story(&f.alloc);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    assert_true(at > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_from_open_to_its_reply),
        cmocka_unit_test(a_result_may_come_without_started_before),
        cmocka_unit_test(what_a_call_asks_for_reaches_the_node),
        cmocka_unit_test(a_call_is_open_from_its_headers_to_its_outcome),
        cmocka_unit_test(calls_are_placed_in_the_order_they_came),
        cmocka_unit_test(calls_wait_for_their_node),
        cmocka_unit_test(calls_that_wait_for_a_changed_model_end),
        cmocka_unit_test(how_long_a_slice_is_taken_for_nobody_is_measured),
        cmocka_unit_test(metrics_follow_a_call),
        cmocka_unit_test(a_running_call_is_not_started_twice),
        cmocka_unit_test(each_allocation_may_fail),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
