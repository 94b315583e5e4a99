/* test_gw_flow_result.c - GetResult: who fetches what, when it is pending, kept, on disk, failed, gone or another's. */
#include "flow_rig.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sluice/v1/visitor.pb-c.h"

static const char name_of_call[] = "0190c2a4-0000-4000-8000-000000000001";
static const char unknown[] = "ip:192.0.2.1 has no call 0190c2a4-0000-4000-8000-000000000001";

static const struct gw_principal alice = {.kind = GW_PRINCIPAL_USER,
                                          .is_signed_in = true,
                                          .purse_count = 1,
                                          .purses = {{"user:alice", GW_FACTOR_ONE}}};

static struct gw_fleet_node *begin(struct fake_world *w, bool has_disk)
{
    flow_begin(w);
    w->has_disk = has_disk;
    w->conf.results.in_memory.one_bytes = has_disk ? 15 : 16;
    flow_start(w);
    gw_flow_set_wall(w->flow, 1800000000 * SL_US_PER_S);
    return fake_join(w, "n1", 1, "m");
}

/* A call that asks to be kept. */
static struct fake_exchange *call(struct fake_world *w)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.call_id = sl_span_str(name_of_call);
    e->x.req.on_disconnect = sl_span_str("keep");
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static struct fake_exchange *get(struct fake_world *w, const char *call_id, const char *token)
{
    Sluice__V1__GetResultRequest m = SLUICE__V1__GET_RESULT_REQUEST__INIT;
    uint8_t bytes[256];
    m.call_id = (char *)(uintptr_t)call_id;
    m.fetch_token = (char *)(uintptr_t)token;
    assert_true(sluice__v1__get_result_request__get_packed_size(&m) <= sizeof bytes);
    size_t len = sluice__v1__get_result_request__pack(&m, bytes);
    struct fake_exchange *e = flow_ask(w, GW_METHOD_GET_RESULT, sl_span_of(bytes, len));
    fake_turn(w);
    return e;
}

static Sluice__V1__GetResultResponse *answer_of(const struct fake_exchange *e)
{
    uint8_t all[512];
    size_t len = 0;
    flow_assert_replied(e, SL_REASON_OK, NULL);
    for (size_t i = 0; i < e->x.reply.piece_count; i++) {
        assert_true(len + e->x.reply.pieces[i].len <= sizeof all);
        memcpy(all + len, e->x.reply.pieces[i].data, e->x.reply.pieces[i].len);
        len += e->x.reply.pieces[i].len;
    }
    assert_int_equal(len, e->x.reply.message_bytes);
    Sluice__V1__GetResultResponse *m = sluice__v1__get_result_response__unpack(NULL, len, all);
    assert_non_null(m);
    return m;
}

static void assert_done(const struct fake_exchange *e)
{
    static const float wanted[4] = {1, 2, 3, 4};
    Sluice__V1__GetResultResponse *m = answer_of(e);
    assert_int_equal(m->state, SLUICE__V1__GET_RESULT_RESPONSE__STATE__STATE_DONE);
    assert_string_equal(m->result->model_name, "m");
    assert_string_equal(m->result->id, "req-1");
    assert_int_equal(m->result->raw_output_contents[0].len, sizeof wanted);
    assert_memory_equal(m->result->raw_output_contents[0].data, wanted, sizeof wanted);
    sluice__v1__get_result_response__free_unpacked(m, NULL);
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "12.345");
    assert_string_equal(flow_trailer(e, "sluice-node"), "n1");
    assert_non_null(flow_trailer(e, "sluice-call-id"));
}

static void copy_token(const struct fake_exchange *e, char out[33])
{
    const char *token = flow_trailer(e, "sluice-fetch-token");
    assert_non_null(token);
    assert_int_equal(strlen(token), 32);
    memcpy(out, token, 33);
}

static void a_result_is_fetched_by_who_has_its_token(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33], other[33];
    struct gw_fleet_node *n = begin(&w, false);
    struct fake_exchange *first = call(&w);
    fake_result(&w, n, w.sent[0].lease, true);
    copy_token(first, token);
    fake_leave(&w, first);
    struct fake_exchange *e = get(&w, name_of_call, token);
    assert_done(e);
    assert_done(get(&w, name_of_call, token)); /* as often as one likes */
    memcpy(other, token, sizeof other);
    other[31] = other[31] == '0' ? '1' : '0';
    flow_assert_replied(get(&w, name_of_call, other), SL_REASON_RESULT_GONE, unknown);
    flow_assert_replied(get(&w, name_of_call, ""), SL_REASON_RESULT_GONE, unknown);
    other[31] = 'g';
    flow_assert_replied(get(&w, name_of_call, other), SL_REASON_RESULT_GONE, unknown);
    flow_assert_replied(get(&w, "0190c2a4-0000-4000-8000-000000000002", token),
                        SL_REASON_RESULT_GONE,
                        "ip:192.0.2.1 has no call 0190c2a4-0000-4000-8000-000000000002");
    flow_assert_replied(get(&w, "me", token), SL_REASON_BAD_INPUT, NULL);
    fake_advance(&w, 601 * SL_NS_PER_S);
    flow_assert_replied(get(&w, name_of_call, token), SL_REASON_RESULT_GONE, unknown);
    assert_done(e); /* which has not left */
    flow_finish(&w);
}

static void a_failure_is_told_as_it_was(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33];
    struct gw_fleet_node *n = begin(&w, false);
    struct fake_exchange *first = call(&w);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_MODEL_ERROR, "no");
    copy_token(first, token);
    struct fake_exchange *e = get(&w, name_of_call, token);
    flow_assert_replied(e, SL_REASON_MODEL_ERROR, "no");
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "0.777");
    flow_finish(&w);
}

static void what_is_gone_is_told(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33];
    struct gw_fleet_node *n = begin(&w, false);
    struct fake_exchange *first = call(&w);
    fake_result(&w, n, w.sent[0].lease, true);
    copy_token(first, token);
    w.conf.results.in_memory.total_bytes = 15;
    gw_flow_set_limits(w.flow, &w.conf);
    struct fake_exchange *e = get(&w, name_of_call, token);
    flow_assert_replied(e, SL_REASON_RESULT_GONE,
                        "call 0190c2a4-0000-4000-8000-000000000001 has run: it ended with OK at "
                        "2027-01-15T08:00:00Z and was charged 12.345 ms; its result is not kept "
                        "any more");
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "12.345");
    flow_finish(&w);
}

/* Who lost his connection knows no token; who comes by a name of his own needs none. */
static void it_may_be_pending(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, false);
    w.who = &alice;
    struct fake_exchange *first = call(&w);
    first->x.is_disconnect = true;
    fake_event(&w, first, GW_EV_GONE);
    Sluice__V1__GetResultResponse *m = answer_of(get(&w, name_of_call, ""));
    assert_int_equal(m->state, SLUICE__V1__GET_RESULT_RESPONSE__STATE__STATE_PENDING);
    assert_null(m->result);
    sluice__v1__get_result_response__free_unpacked(m, NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_null(flow_trailer(first, "sluice-fetch-token"));
    fake_leave(&w, first);
    assert_done(get(&w, name_of_call, ""));
    w.who = NULL;
    flow_assert_replied(get(&w, name_of_call, ""), SL_REASON_RESULT_GONE, unknown);
    flow_finish(&w);
}

static void it_may_be_on_disk(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33];
    struct gw_fleet_node *n = begin(&w, true);
    struct fake_exchange *first = call(&w);
    fake_result(&w, n, w.sent[0].lease, true);
    copy_token(first, token);
    assert_done(get(&w, name_of_call, token)); /* while it is written */
    fake_errands(&w);
    fake_leave(&w, first);
    while (w.open != NULL)
        fake_leave(&w, w.open);
    assert_int_equal(w.releases, 1);
    struct fake_exchange *e = get(&w, name_of_call, token);
    struct fake_exchange *gone = get(&w, name_of_call, token);
    fake_event(&w, gone, GW_EV_GONE);
    assert_int_equal(e->replies, 0);
    fake_errands(&w);
    assert_done(e);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    e = get(&w, name_of_call, token);
    w.disk_answer = SL_EIO;
    fake_errands(&w);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "the result that was kept cannot be read now");
    w.disk_answer = SL_OK;
    e = get(&w, name_of_call, token);
    fake_advance(&w, 30 * SL_NS_PER_S);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "the result was not read from disk in time");
    flow_finish(&w);
}

static void results_in_memory_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    char token[33];
    struct gw_fleet_node *n = begin(&w, true);
    struct fake_exchange *first = call(&w);
    fake_result(&w, n, w.sent[0].lease, true);
    copy_token(first, token);
    fake_leave(&w, first);
    fake_errands(&w);
    w.conf.max_result_bytes = 60; /* the message has 47 */
    gw_flow_set_limits(w.flow, &w.conf);
    struct fake_exchange *e = get(&w, name_of_call, token);
    flow_assert_replied(get(&w, name_of_call, token), SL_REASON_NO_CAPACITY,
                        "no room for a result of 47 bytes: all results that their callers have "
                        "not read yet may have 60, and have 47");
    fake_errands(&w);
    assert_done(e);
    fake_leave(&w, e);
    e = get(&w, name_of_call, token);
    fake_errands(&w);
    assert_done(e);
    flow_finish(&w);
}

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_fetched_by_who_has_its_token),
        cmocka_unit_test(a_failure_is_told_as_it_was),
        cmocka_unit_test(what_is_gone_is_told),
        cmocka_unit_test(it_may_be_pending),
        cmocka_unit_test(it_may_be_on_disk),
        cmocka_unit_test(results_in_memory_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
