/* test_gw_flow_watch.c - GetCall, WatchCall, CancelCall: whose call it is, what is told of it and when, in every state. */
#include "fail_alloc.h"
#include "flow_rig.h"
#include "gw_learn.h"
#include "gw_receipt_code.h"
#include "gw_watch.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sluice/v1/visitor.pb-c.h"

typedef Sluice__V1__CallStatus pb_call;

#define RECEIVING  SLUICE__V1__CALL_STATUS__STATE__STATE_RECEIVING
#define QUEUED     SLUICE__V1__CALL_STATUS__STATE__STATE_QUEUED
#define DISPATCHED SLUICE__V1__CALL_STATUS__STATE__STATE_DISPATCHED
#define RUNNING    SLUICE__V1__CALL_STATUS__STATE__STATE_RUNNING
#define ENDED      SLUICE__V1__CALL_STATUS__STATE__STATE_ENDED

static const char first_id[] = "0190c2a4-0000-4000-8000-000000000001";
static const char second_id[] = "0190c2a4-0000-4000-8000-000000000002";

static const struct gw_principal alice = {.kind = GW_PRINCIPAL_USER,
                                          .is_signed_in = true,
                                          .purse_count = 1,
                                          .purses = {{"user:alice", GW_FACTOR_ONE}}};

static const struct gw_principal somebody = {
    .kind = GW_PRINCIPAL_ADDRESS, .purse_count = 1, .purses = {{"ip:192.0.2.7", GW_FACTOR_ONE}}};

static struct fake_exchange *call_as(struct fake_world *w, const char *id, const char *key,
                                     const char *on_disconnect)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.call_id = sl_span_str(id);
    if (key != NULL)
        e->x.req.idempotency_key = sl_span_str(key);
    if (on_disconnect != NULL)
        e->x.req.on_disconnect = sl_span_str(on_disconnect);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static struct fake_exchange *call(struct fake_world *w, const char *id)
{
    return call_as(w, id, NULL, NULL);
}

/* All three requests are alike on the wire. */
static struct fake_exchange *ask_with(struct fake_world *w, enum gw_method method, const char *id,
                                      const char *token)
{
    Sluice__V1__GetCallRequest m = SLUICE__V1__GET_CALL_REQUEST__INIT;
    uint8_t bytes[256];
    m.call_id = (char *)(uintptr_t)id;
    m.fetch_token = (char *)(uintptr_t)token;
    assert_true(sluice__v1__get_call_request__get_packed_size(&m) <= sizeof bytes);
    size_t len = sluice__v1__get_call_request__pack(&m, bytes);
    struct fake_exchange *e = flow_ask(w, method, sl_span_of(bytes, len));
    fake_turn(w);
    return e;
}

static struct fake_exchange *ask(struct fake_world *w, enum gw_method method, const char *id)
{
    return ask_with(w, method, id, "");
}

static pb_call *unpack(const uint8_t *data, size_t len)
{
    pb_call *m = sluice__v1__call_status__unpack(NULL, len, data);
    assert_non_null(m);
    return m;
}

/* What was answered, or was the last word to who watches. */
static pb_call *answer_of(const struct fake_exchange *e)
{
    flow_assert_replied(e, SL_REASON_OK, NULL);
    assert_int_equal(e->x.reply.piece_count, 1);
    return unpack(e->x.reply.pieces[0].data, e->x.reply.pieces[0].len);
}

static void expect_answer(const struct fake_exchange *e, int state, const char *reason)
{
    pb_call *m = answer_of(e);
    assert_int_equal(m->state, state);
    assert_string_equal(m->reason, reason);
    sluice__v1__call_status__free_unpacked(m, NULL);
}

/* So many messages came before the last, and the newest says this. */
static void expect_update(const struct fake_exchange *e, unsigned updates, int state)
{
    assert_int_equal(e->replies, 0);
    assert_int_equal(e->updates, updates);
    pb_call *m = unpack(e->update->data, e->update->len);
    assert_int_equal(m->state, state);
    sluice__v1__call_status__free_unpacked(m, NULL);
}

static void a_call_is_told_in_every_state(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w, first_id);
    pb_call *m = answer_of(ask(&w, GW_METHOD_GET_CALL, first_id));
    assert_int_equal(m->state, DISPATCHED);
    assert_string_equal(m->call_id, first_id);
    assert_string_equal(m->model, "m");
    assert_string_equal(m->node, "n1");
    sluice__v1__call_status__free_unpacked(m, NULL);
    fake_advance(&w, 5 * SL_NS_PER_MS);
    fake_started(&w, n, w.sent[0].lease);
    fake_advance(&w, 7 * SL_NS_PER_MS);
    m = answer_of(ask(&w, GW_METHOD_GET_CALL, first_id));
    assert_int_equal(m->state, RUNNING);
    assert_int_equal(m->queue_us, 5000);
    assert_int_equal(m->run_us, 7000);
    assert_true(m->limit_us > 0);
    sluice__v1__call_status__free_unpacked(m, NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    m = answer_of(ask(&w, GW_METHOD_GET_CALL, first_id)); /* its reply has not left */
    assert_int_equal(m->state, ENDED);
    assert_string_equal(m->reason, "OK");
    assert_int_equal(m->run_us, 12345);
    assert_int_equal(m->charged_us, 12345);
    sluice__v1__call_status__free_unpacked(m, NULL);
    fake_leave(&w, e);
    flow_assert_replied(ask(&w, GW_METHOD_GET_CALL, first_id), SL_REASON_NOT_FOUND,
                        "ip:192.0.2.1 has no call 0190c2a4-0000-4000-8000-000000000001");
    flow_finish(&w);
}

static void a_call_that_comes_is_told(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    e->x.req.call_id = sl_span_str(first_id);
    fake_event(&w, e, GW_EV_OPEN);
    expect_answer(ask(&w, GW_METHOD_GET_CALL, first_id), RECEIVING, "");
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(e, SL_REASON_CANCELLED, "the call was cancelled by CancelCall");
    flow_finish(&w);
}

static void a_watch_sees_it_through(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *before = call(&w, second_id), *e = call(&w, first_id);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    expect_update(watch, 1, QUEUED);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_advance(&w, SL_NS_PER_S);
    expect_update(watch, 2, DISPATCHED);
    fake_started(&w, n, w.sent[1].lease);
    fake_advance(&w, SL_NS_PER_S);
    expect_update(watch, 3, RUNNING);
    fake_result(&w, n, w.sent[1].lease, false);
    expect_answer(watch, ENDED, "OK");
    assert_int_equal(watch->updates, 3);
    flow_assert_good_reply(before);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

/* Nothing is told twice within the gap, and nothing is lost by it. */
static void quick_changes_are_told_at_once(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    struct fake_exchange *before = NULL;
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    before = call(&w, second_id);
    fake_started(&w, n, w.sent[0].lease);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, second_id);
    expect_update(watch, 1, RUNNING);
    fake_result(&w, n, w.sent[0].lease, false);
    expect_answer(watch, ENDED, "OK"); /* the end does not wait */
    struct fake_exchange *e = call(&w, first_id);
    watch = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    expect_update(watch, 1, DISPATCHED);
    fake_returned(&w, n, w.sent[1].lease);
    fake_turn(&w); /* sent again */
    fake_started(&w, n, w.sent[2].lease);
    fake_advance(&w, 249 * SL_NS_PER_MS);
    expect_update(watch, 1, DISPATCHED);
    assert_int_equal(gw_flow_next_at(w.flow), w.now + SL_NS_PER_MS);
    fake_advance(&w, SL_NS_PER_MS);
    expect_update(watch, 2, RUNNING);
    fake_result(&w, n, w.sent[2].lease, false);
    flow_assert_good_reply(before);
    flow_assert_good_reply(e);
    flow_finish(&w);
}

static void who_reads_slowly_gets_the_newest(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w, first_id);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    watch->reads_slowly = true;
    for (size_t i = 0; i < 3; i++) {
        fake_returned(&w, n, w.sent[i].lease);
        fake_advance(&w, SL_NS_PER_S);
    }
    fake_started(&w, n, w.sent[3].lease);
    fake_advance(&w, SL_NS_PER_S);
    fake_read(watch);
    expect_update(watch, 2, RUNNING);
    fake_result(&w, n, w.sent[3].lease, false);
    expect_answer(watch, ENDED, "OK");
    flow_assert_good_reply(e);
    flow_finish(&w);
}

static void a_watch_ends_by_itself(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w, first_id);
    struct fake_exchange *gone = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    struct fake_exchange *late = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    fake_event(&w, gone, GW_EV_GONE);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    assert_int_equal(late->replies, 0);
    fake_leave(&w, gone);
    struct fake_exchange *timed = fake_exchange(&w, GW_METHOD_WATCH_CALL);
    timed->x.req.deadline_at = w.now + SL_NS_PER_S;
    uint8_t message[2 + sizeof first_id - 1] = {0x0a, sizeof first_id - 1};
    memcpy(message + 2, first_id, sizeof first_id - 1);
    struct gw_body *b = gw_body_create(&sl_alloc_malloc, sizeof message);
    memcpy(b->data, message, sizeof message);
    fake_event(&w, timed, GW_EV_OPEN);
    fake_message(&w, timed, b);
    fake_advance(&w, SL_NS_PER_S);
    flow_assert_replied(timed, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
    assert_int_equal(e->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    flow_assert_replied(e, SL_REASON_DRAINING, NULL);
    expect_answer(late, ENDED, "DRAINING");
    flow_finish(&w);
}

static void so_many_may_watch(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    (void)call(&w, first_id);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(&w, GW_METHOD_WATCH_CALL, first_id)->updates, 1);
    flow_assert_replied(ask(&w, GW_METHOD_WATCH_CALL, first_id), SL_REASON_QUEUE_FULL,
                        "ip:192.0.2.1 watches 4 calls, which is the limit");
    w.who = &flow_admin;
    for (int i = 0; i < 4; i++)
        assert_int_equal(ask(&w, GW_METHOD_WATCH_CALL, first_id)->updates, 1);
    w.who = &alice;
    (void)call(&w, second_id);
    flow_assert_replied(ask(&w, GW_METHOD_WATCH_CALL, second_id), SL_REASON_NO_CAPACITY,
                        "8 calls are watched now, which is the limit; GetCall asks once");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void anothers_call_is_as_none(void **state SL_UNUSED)
{
    static const enum gw_method methods[] = {GW_METHOD_GET_CALL, GW_METHOD_WATCH_CALL,
                                             GW_METHOD_CANCEL_CALL};
    struct fake_world w;
    flow_begin_with_node(&w);
    w.who = &alice;
    struct fake_exchange *e = call(&w, first_id);
    w.who = &flow_member;
    for (size_t i = 0; i < SL_ARRAY_LEN(methods); i++)
        flow_assert_replied(ask(&w, methods[i], first_id), SL_REASON_NOT_FOUND,
                            "user:idp#7 has no call 0190c2a4-0000-4000-8000-000000000001");
    struct fake_exchange *namesake = call(&w, first_id); /* nobody is kept from that */
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(namesake, SL_REASON_CANCELLED, NULL);
    assert_int_equal(e->replies, 0);
    w.who = &alice;
    expect_answer(ask(&w, GW_METHOD_GET_CALL, first_id), DISPATCHED, "");
    w.who = &flow_admin;
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    flow_finish(&w);
}

static void an_address_has_its_calls(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.who = &somebody;
    struct fake_exchange *e = call(&w, first_id);
    expect_answer(ask(&w, GW_METHOD_GET_CALL, first_id), DISPATCHED, "");
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    flow_finish(&w);
}

static void of_two_of_one_name_the_newest_is_meant(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    struct fake_exchange *old = call(&w, first_id), *new = call(&w, first_id);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    assert_int_equal(new->replies, 1);
    assert_int_equal(old->replies, 0);
    fake_leave(&w, new);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    assert_int_equal(old->replies, 1);
    flow_finish(&w);
}

static void a_running_call_loses_its_slice(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w, first_id);
    fake_started(&w, n, w.sent[0].lease);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(e, SL_REASON_CANCELLED, "the call was cancelled by CancelCall");
    assert_int_equal(w.cancel_count, 1);
    assert_int_equal(w.cancels[0], w.sent[0].lease);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED"); /* nothing more */
    assert_int_equal(w.cancel_count, 1);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    flow_finish(&w);
}

static void who_joined_ends_with_the_first(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    w.who = &alice;
    struct fake_exchange *first = call_as(&w, first_id, "k", NULL);
    struct fake_exchange *second = call_as(&w, second_id, "k", NULL);
    struct fake_exchange *third = call_as(&w, "0190c2a4-0000-4000-8000-000000000003", "k", NULL);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, second_id);
    expect_update(watch, 1, RECEIVING);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, "0190c2a4-0000-4000-8000-000000000003"), ENDED,
                  "CANCELLED");
    flow_assert_replied(third, SL_REASON_CANCELLED, NULL);
    assert_int_equal(first->replies + second->replies, 0);
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    flow_assert_replied(first, SL_REASON_CANCELLED, NULL);
    assert_int_equal(second->replies, 0); /* what it cost is not known yet */
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    flow_assert_replied(second, SL_REASON_CANCELLED, NULL);
    expect_answer(watch, ENDED, "CANCELLED");
    flow_finish(&w);
}

static void a_token_is_asked_for_where_there_is_one(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33];
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    w.who = &somebody;
    struct fake_exchange *e = call_as(&w, first_id, NULL, "keep");
    flow_assert_replied(ask(&w, GW_METHOD_GET_CALL, first_id), SL_REASON_NOT_FOUND, NULL);
    flow_assert_replied(ask_with(&w, GW_METHOD_CANCEL_CALL, first_id, "00"), SL_REASON_NOT_FOUND,
                        NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    memcpy(token, flow_trailer(e, "sluice-fetch-token"), sizeof token);
    expect_answer(ask_with(&w, GW_METHOD_GET_CALL, first_id, token), ENDED, "OK");
    fake_leave(&w, e);
    w.who = &alice; /* from anywhere */
    expect_answer(ask_with(&w, GW_METHOD_GET_CALL, first_id, token), ENDED, "OK");
    expect_answer(ask_with(&w, GW_METHOD_CANCEL_CALL, first_id, token), ENDED, "OK");
    token[0] = token[0] == '0' ? '1' : '0';
    flow_assert_replied(ask_with(&w, GW_METHOD_GET_CALL, first_id, token), SL_REASON_NOT_FOUND,
                        NULL);
    flow_finish(&w);
}

/* ---- places */

static const char third_id[] = "0190c2a4-0000-4000-8000-000000000003";

static void expect_place(struct fake_world *w, const char *id, int64_t position, int64_t waiting,
                         const char *delayed_by)
{
    pb_call *m = answer_of(ask(w, GW_METHOD_GET_CALL, id));
    assert_int_equal(m->position, position);
    assert_int_equal(m->waiting, waiting);
    assert_string_equal(m->delayed_by, delayed_by);
    sluice__v1__call_status__free_unpacked(m, NULL);
}

static struct gw_eta eta_of(struct fake_world *w, const char *id)
{
    pb_call *m = answer_of(ask(w, GW_METHOD_GET_CALL, id));
    struct gw_eta eta = {m->eta_p50_us, m->eta_p90_us};
    sluice__v1__call_status__free_unpacked(m, NULL);
    return eta;
}

/* So that it is known how long they take: 12.345 ms. */
static size_t teach(struct fake_world *w, struct gw_fleet_node *n)
{
    size_t sent = 0;
    for (; sent < GW_LEARN_SAMPLES_MIN; sent++) {
        (void)call(w, "0190c2a4-0000-4000-8000-00000000000f");
        fake_started(w, n, w->sent[sent].lease);
        fake_result(w, n, w->sent[sent].lease, false);
    }
    return sent;
}

static void places_and_times_are_told(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    size_t sent = teach(&w, n);
    (void)call(&w, first_id);
    fake_started(&w, n, w.sent[sent].lease);
    fake_advance(&w, 2 * SL_NS_PER_MS);
    (void)call(&w, second_id);
    (void)call(&w, third_id);
    expect_place(&w, first_id, 0, 0, "");
    expect_place(&w, second_id, 1, 2, "");
    expect_place(&w, third_id, 2, 2, "");
    assert_int_equal(eta_of(&w, second_id).p50_us, 10345); /* what the first one still takes */
    assert_int_equal(eta_of(&w, third_id).p50_us, 10345 + 12345);
    assert_true(eta_of(&w, third_id).p90_us > 10345 + 12345);
    gw_flow_on_lost(w.flow, n, "test", w.now);
    fake_turn(&w);
    expect_place(&w, second_id, 1, 2, "slices were lost");
    expect_place(&w, second_id, 1, 2, "slices were lost"); /* they are still not there */
    assert_int_equal(eta_of(&w, second_id).p50_us, -1);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_place_gets_worse_for_a_reason(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    (void)call(&w, first_id);
    (void)call(&w, second_id);
    expect_place(&w, second_id, 1, 1, "");
    w.dispatch_answer = SL_EFULL;
    fake_returned(&w, n, w.sent[0].lease);
    fake_turn(&w);
    const char *why = "calls came back from an executor that was lost or could not take them";
    expect_place(&w, second_id, 2, 2, why);
    expect_place(&w, second_id, 2, 2, why); /* it is still not as near as it was */
    expect_answer(ask(&w, GW_METHOD_CANCEL_CALL, first_id), ENDED, "CANCELLED");
    expect_place(&w, second_id, 1, 1, "");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* A place changes without a word: it is looked at. */
static void a_watch_tells_the_place(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    size_t sent = teach(&w, n);
    (void)call(&w, first_id);
    fake_started(&w, n, w.sent[sent].lease);
    (void)call(&w, second_id);
    (void)call(&w, third_id);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, third_id);
    expect_update(watch, 1, QUEUED);
    fake_advance(&w, GW_WATCH_LOOK_NS);
    assert_int_equal(watch->updates, 1); /* no news */
    fake_result(&w, n, w.sent[sent].lease, false);
    fake_turn(&w);
    assert_int_equal(watch->updates, 1);
    fake_advance(&w, GW_WATCH_LOOK_NS);
    expect_update(watch, 2, QUEUED);
    pb_call *m = unpack(watch->update->data, watch->update->len);
    assert_int_equal(m->position, 1);
    assert_int_equal(m->waiting, 1);
    sluice__v1__call_status__free_unpacked(m, NULL);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static struct fake_exchange *call_watched(struct fake_world *w, const char *id, const char *watch)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.call_id = sl_span_str(id);
    e->x.req.watch = sl_span_str(watch);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static const char *head_field(const struct fake_exchange *e, const char *name)
{
    for (size_t i = 0; i < e->x.head_field_count; i++)
        if (strcmp(e->x.head_fields[i].name, name) == 0)
            return e->x.head_fields[i].value;
    return NULL;
}

static void headers_leave_early_for_who_asks(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    size_t sent = teach(&w, n);
    struct fake_exchange *plain = call_watched(&w, first_id, "0");
    fake_started(&w, n, w.sent[sent].lease);
    fake_turn(&w);
    struct fake_exchange *e = call_watched(&w, second_id, "1");
    assert_int_equal(plain->heads, 0);
    assert_int_equal(e->heads, 1);
    assert_int_equal(e->replies, 0);
    assert_string_equal(head_field(e, "sluice-call-id"), second_id);
    assert_string_equal(head_field(e, "sluice-position"), "1");
    assert_string_equal(head_field(e, "sluice-waiting"), "1");
    assert_string_equal(head_field(e, "sluice-eta-ms"), "12.345");
    assert_non_null(head_field(e, "sluice-eta-p90-ms"));
    assert_null(head_field(e, "sluice-fetch-token"));
    flow_assert_replied(call_watched(&w, third_id, "yes"), SL_REASON_BAD_INPUT,
                        "sluice-watch 'yes' is neither 1 nor 0");
    gw_flow_end_all(w.flow, w.now);
    assert_int_equal(e->heads, 1);
    flow_finish(&w);
}

/* ---- receipts */

static void tell_receipt(struct fake_world *w, const char *account)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    size_t len;
    struct gw_receipt r = {.account_count = 1,
                           .model = sl_span_str("m"),
                           .node = sl_span_str("n1"),
                           .used_us = 7,
                           .charged_us = 8,
                           .queue_us = 9,
                           .reason = SL_REASON_MODEL_ERROR};
    r.accounts[0] = sl_span_str(account);
    assert_ok(gw_receipt_encode(&r, bytes, sizeof bytes, &len));
    struct gw_store_row row = {.receipt = sl_span_of(bytes, len)};
    fake_answer(w, &(struct gw_store_answer){.status = SL_OK, .rows = &row, .row_count = 1});
}

static void what_has_ended_is_in_its_receipt(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.has_store = true;
    flow_start(&w);
    w.who = &alice;
    struct fake_exchange *e = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    assert_int_equal(w.question.kind, GW_STORE_RECEIPT);
    tell_receipt(&w, "user:alice");
    pb_call *m = answer_of(e);
    assert_int_equal(m->state, ENDED);
    assert_string_equal(m->reason, "MODEL_ERROR");
    assert_int_equal(m->run_us, 7);
    assert_int_equal(m->charged_us, 8);
    assert_int_equal(m->queue_us, 9);
    sluice__v1__call_status__free_unpacked(m, NULL);
    e = ask(&w, GW_METHOD_GET_CALL, first_id);
    tell_receipt(&w, "user:bob");
    flow_assert_replied(e, SL_REASON_NOT_FOUND, NULL);
    w.who = &flow_admin;
    e = ask(&w, GW_METHOD_GET_CALL, first_id);
    tell_receipt(&w, "user:bob");
    expect_answer(e, ENDED, "MODEL_ERROR");
    e = ask(&w, GW_METHOD_CANCEL_CALL, first_id);
    fake_answer(&w, &(struct gw_store_answer){.status = SL_OK});
    flow_assert_replied(e, SL_REASON_NOT_FOUND, NULL);
    flow_finish(&w);
}

/* Who watches is told that a call has ended when its caller is: the receipt is stored. */
static void a_watch_waits_for_the_receipt(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.has_store = true;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = call(&w, first_id);
    struct fake_exchange *watch = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_advance(&w, SL_NS_PER_S);
    assert_int_equal(e->replies + watch->replies, 0);
    expect_update(watch, 1, DISPATCHED);
    struct fake_exchange *other = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    fake_stored(&w, w.entry_count, SL_OK);
    flow_assert_good_reply(e);
    expect_answer(watch, ENDED, "OK");
    pb_call *m = answer_of(other);
    assert_string_equal(m->model, "m");
    sluice__v1__call_status__free_unpacked(m, NULL);
    expect_answer(ask(&w, GW_METHOD_WATCH_CALL, first_id), ENDED, "OK"); /* it ends at once */
    flow_finish(&w);
}

/* ---- memory */

static void whole_story(const struct sl_alloc *alloc)
{
    struct fake_world w;
    struct fake_exchange *e[6];
    fake_world_init(&w, alloc);
    if (fake_world_start(&w) != SL_OK)
        return;
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    e[0] = call_watched(&w, first_id, "1");
    e[1] = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    if (w.sent_count > 0)
        fake_started(&w, n, w.sent[0].lease);
    fake_advance(&w, SL_NS_PER_S);
    e[2] = ask(&w, GW_METHOD_GET_CALL, first_id);
    e[3] = ask(&w, GW_METHOD_WATCH_CALL, first_id);
    e[4] = ask(&w, GW_METHOD_CANCEL_CALL, first_id);
    e[5] = ask(&w, GW_METHOD_GET_CALL, second_id);
    gw_flow_end_all(w.flow, w.now);
    for (size_t i = 0; i < SL_ARRAY_LEN(e); i++)
        assert_int_equal(e[i]->replies, 1);
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
    assert_true(at > 40);
}

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_told_in_every_state),
        cmocka_unit_test(a_call_that_comes_is_told),
        cmocka_unit_test(a_watch_sees_it_through),
        cmocka_unit_test(quick_changes_are_told_at_once),
        cmocka_unit_test(who_reads_slowly_gets_the_newest),
        cmocka_unit_test(a_watch_ends_by_itself),
        cmocka_unit_test(so_many_may_watch),
        cmocka_unit_test(an_address_has_its_calls),
        cmocka_unit_test(anothers_call_is_as_none),
        cmocka_unit_test(of_two_of_one_name_the_newest_is_meant),
        cmocka_unit_test(a_running_call_loses_its_slice),
        cmocka_unit_test(who_joined_ends_with_the_first),
        cmocka_unit_test(a_token_is_asked_for_where_there_is_one),
        cmocka_unit_test(places_and_times_are_told),
        cmocka_unit_test(a_place_gets_worse_for_a_reason),
        cmocka_unit_test(a_watch_tells_the_place),
        cmocka_unit_test(headers_leave_early_for_who_asks),
        cmocka_unit_test(what_has_ended_is_in_its_receipt),
        cmocka_unit_test(a_watch_waits_for_the_receipt),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
