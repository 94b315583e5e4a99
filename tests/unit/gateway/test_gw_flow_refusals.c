/* test_gw_flow_refusals.c - calls that are refused: by their headers, by limits, by their
 * message. */
#include "flow_rig.h"

#include "infer_builder.h"
#include "sl_log.h"
#include "sl_test.h"

/* ---- refused when it opens */

static void assert_refused_at_open(struct gw_request *headers, enum sl_reason reason,
                                   const char *text)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    headers->method = e->x.req.method;
    headers->path = e->x.req.path;
    headers->deadline_at = e->x.req.deadline_at;
    e->x.req = *headers;
    fake_event(&w, e, GW_EV_OPEN);
    flow_assert_replied(e, reason, text);
    assert_non_null(flow_trailer(e, "sluice-call-id"));
    struct gw_body *body = flow_request();
    fake_message(&w, e, gw_body_share(body)); /* it was under way */
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
    fake_event(&w, e, GW_EV_GONE);
    fake_turn(&w);
    flow_assert_replied(e, reason, text);
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(gw_flow_ended(w.flow, reason), 1);
    flow_finish(&w);
}

static void headers_that_cannot_be_served_are_refused_at_once(void **state SL_UNUSED)
{
    assert_refused_at_open(&(struct gw_request){.call_id = sl_span_str("ABC")}, SL_REASON_BAD_INPUT,
                           "sluice-call-id 'ABC' is not a UUID in lower case (8-4-4-4-12)");
    assert_refused_at_open(&(struct gw_request){.duration = sl_span_str("soon")},
                           SL_REASON_BAD_INPUT, NULL);
    assert_refused_at_open(&(struct gw_request){.size = sl_span_str("huge")}, SL_REASON_BAD_INPUT,
                           "sluice-size 'huge' is none of large, xlarge");
    assert_refused_at_open(&(struct gw_request){.max_wait = sl_span_str("601")},
                           SL_REASON_BAD_INPUT, NULL);
    assert_refused_at_open(&(struct gw_request){.on_disconnect = sl_span_str("perhaps")},
                           SL_REASON_BAD_INPUT,
                           "sluice-on-disconnect 'perhaps' is neither cancel nor keep");
}

static void calls_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.max_calls = 2;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *first = fake_call(&w, flow_request());
    fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_QUEUE_FULL, "the gateway has 2 calls, which is its limit");
    assert_int_equal(gw_flow_ended(w.flow, SL_REASON_QUEUE_FULL), 1);
    fake_event(&w, first, GW_EV_GONE);
    fake_leave(&w, first); /* an ended call keeps its place until it was sent */
    fake_failure(&w, n, w.sent[0].lease, false, SL_REASON_CANCELLED, ""); /* and owes nothing */
    e = fake_call(&w, flow_request());
    assert_int_equal(e->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void the_queue_has_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.queue.max_queued = 2;
    flow_start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 3; i++) /* one runs, two wait */
        fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_QUEUE_FULL, "2 calls are waiting, which is the queue's limit");
    assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 2);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_tier_has_a_part_of_the_queue(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.queue.max_queued_of_tier = 1;
    flow_start(&w);
    fake_join(&w, "n1", 1, "m");
    for (int i = 0; i < 2; i++)
        fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_QUEUE_FULL,
                        "1 calls of tier 'all' are waiting, which is the limit of a tier");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* What calls of "m" take is known: 40 s. */
static void who_would_wait_in_vain_is_told_at_once(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct gw_fleet_model *m = gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"));
    m->samples = 100;
    m->mean_exec_us = 40 * SL_US_PER_S;
    for (int i = 0; i < 2; i++) /* one runs, and one waits for it for 40 s */
        assert_int_equal(fake_call(&w, flow_request())->replies, 0);
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_QUEUE_FULL,
                        "the call would wait for about 80s, and is to wait for 60s at most; say "
                        "sluice-max-wait to wait longer, or try again later");
    assert_int_equal(e->x.reply.retry_after_ms, 20000);
    e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.max_wait = sl_span_str("81s");
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, flow_request());
    assert_int_equal(e->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* A crowd that finds a model of which nothing is known: what its calls declare, 60 s each, is no reason to
 * send anybody away, neither before nor after the first ones have shown what they take. */
static void a_crowd_before_the_first_answers_is_let_in(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    for (int i = 0; i < 12; i++)
        assert_int_equal(fake_call(&w, flow_request())->replies, 0);
    for (size_t i = 0; i < GW_FLEET_SAMPLES_MIN; i++) {
        fake_result(&w, n, w.sent[i].lease, false);
        fake_turn(&w);
        assert_int_equal(fake_call(&w, flow_request())->replies, 0);
    }
    assert_true(gw_fleet_knows_time(gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))));
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void an_app_has_so_many_slices_and_no_more(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.queue.max_app_running = 1;
    w.who = &flow_member;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    for (int i = 0; i < 3; i++)
        fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    gw_flow_on_lost(w.flow, n, "test", w.now);
    fake_join(&w, "n1", 2, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- messages that are refused */

static void assert_message_refused(struct gw_body *give_body, enum sl_reason reason,
                                   const char *text)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct gw_body *body = gw_body_share(give_body);
    struct fake_exchange *e = fake_call(&w, give_body);
    flow_assert_replied(e, reason, text);
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(atomic_load(&body->references), 1);
    gw_body_release(body);
    flow_finish(&w);
}

static struct gw_body *request_with(void (*change)(struct infer_builder *b))
{
    struct infer_builder b;
    infer_begin(&b, "m");
    infer_input(&b, "IN", "FP32", 1, (const int64_t[]){3});
    infer_raw(&b, flow_tensor, sizeof flow_tensor);
    change(&b);
    struct gw_body *body = infer_body(&b);
    infer_end(&b);
    return body;
}

static void other_version(struct infer_builder *b)
{
    b->request.model_version = (char *)(uintptr_t) "9";
}

static void other_input(struct infer_builder *b)
{
    b->inputs[0]->name = (char *)(uintptr_t) "INPUT";
}

static void long_duration(struct infer_builder *b)
{
    infer_param_string(b, "sluice_duration", "121s");
}

static void strange_wait(struct infer_builder *b)
{
    infer_param_string(b, "sluice_max_wait", "x");
}

static void messages_that_cannot_be_served_are_refused(void **state SL_UNUSED)
{
    assert_message_refused(body_of(sl_span_of("\x0a\xff", 2)), SL_REASON_BAD_INPUT, NULL);
    assert_message_refused(body_of(sl_span_of("", 0)), SL_REASON_MODEL_NOT_FOUND,
                           "no model is named ''");
    assert_message_refused(flow_request_of("M", 0), SL_REASON_MODEL_NOT_FOUND,
                           "no model is named 'M'");
    assert_message_refused(request_with(other_version), SL_REASON_MODEL_NOT_FOUND,
                           "model 'm' has no version '9'; it has '1'");
    assert_message_refused(request_with(other_input), SL_REASON_BAD_INPUT,
                           "model 'm' has no input 'INPUT'");
    assert_message_refused(request_with(long_duration), SL_REASON_DURATION_TOO_LONG,
                           "a duration of 121s is too long: model 'm' may run for at most 2m");
    assert_message_refused(request_with(strange_wait), SL_REASON_BAD_INPUT, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_cannot_be_served_are_refused_at_once),
        cmocka_unit_test(calls_have_a_limit),
        cmocka_unit_test(the_queue_has_a_limit),
        cmocka_unit_test(a_tier_has_a_part_of_the_queue),
        cmocka_unit_test(who_would_wait_in_vain_is_told_at_once),
        cmocka_unit_test(a_crowd_before_the_first_answers_is_let_in),
        cmocka_unit_test(an_app_has_so_many_slices_and_no_more),
        cmocka_unit_test(messages_that_cannot_be_served_are_refused),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
