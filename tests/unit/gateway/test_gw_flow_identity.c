/* test_gw_flow_identity.c - calls whose caller is refused, or not known yet. */
#include "flow_rig.h"
#include "sl_test.h"

static void who_is_refused_is_no_call(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_REFUSED;
    sl_error_set(&w.identity_error, SL_REASON_UNAUTHENTICATED, "the token is not valid");
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_UNAUTHENTICATED, "the token is not valid");
    assert_non_null(flow_trailer(e, "sluice-call-id"));
    assert_int_equal(w.identity_count, 1);
    assert_int_equal(w.sent_count, 0);
    flow_finish(&w);
}

static void a_small_call_waits_for_keys_with_its_message(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_int_equal(e->replies, 0);
    assert_int_equal(w.sent_count, 0);
    gw_flow_on_identities(w.flow, w.now); /* news, but not of this one */
    assert_int_equal(w.identity_count, 2);
    w.identity = GW_IDENTITY_KNOWN;
    gw_flow_on_identities(w.flow, w.now);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    gw_flow_on_identities(w.flow, w.now); /* nobody waits any more */
    assert_int_equal(w.identity_count, 3);
    flow_finish(&w);
}

/* Who first, bytes later: the stream's window stays as it is until then. */
static void a_large_call_is_not_granted_before(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_LATER;
    struct gw_body *body = flow_request_of("m", LARGE);
    struct fake_exchange *e = flow_open_large(&w, body);
    fake_turn(&w);
    assert_int_equal(e->grants, 0);
    w.identity = GW_IDENTITY_KNOWN;
    gw_flow_on_identities(w.flow, w.now);
    assert_int_equal(e->grants, 1);
    fake_message(&w, e, body);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void keys_that_do_not_come(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_advance(&w, 6 * SL_NS_PER_S);
    gw_flow_on_identities(w.flow, w.now); /* does not make its time longer */
    fake_advance(&w, 4 * SL_NS_PER_S - 1);
    assert_int_equal(e->replies, 0);
    fake_advance(&w, 1);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY,
                        "the keys of this token's issuer were not there within 10s; try again "
                        "later");
    flow_finish(&w);
}

static void refused_after_all(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *small = fake_call(&w, flow_request());
    struct gw_body *body = flow_request_of("m", LARGE);
    struct fake_exchange *large = flow_open_large(&w, body);
    w.identity = GW_IDENTITY_REFUSED;
    sl_error_set(&w.identity_error, SL_REASON_UNAUTHENTICATED, "the token is not valid");
    gw_flow_on_identities(w.flow, w.now);
    flow_assert_replied(small, SL_REASON_UNAUTHENTICATED, NULL);
    flow_assert_replied(large, SL_REASON_UNAUTHENTICATED, NULL);
    assert_int_equal(large->grants, 0);
    gw_body_release(body);
    flow_finish(&w);
}

/* The caller leaves, its deadline passes, the gateway stops: the wait ends, nothing is left over. */
static void other_ends_of_the_wait(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin_with_node(&w);
    w.identity = GW_IDENTITY_LATER;
    struct fake_exchange *gone = fake_call(&w, flow_request());
    struct fake_exchange *late = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    late->x.req.deadline_at = w.now + SL_NS_PER_S;
    fake_event(&w, late, GW_EV_OPEN);
    struct fake_exchange *stopped = fake_call(&w, flow_request());
    fake_event(&w, gone, GW_EV_GONE);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    fake_advance(&w, SL_NS_PER_S);
    flow_assert_replied(late, SL_REASON_DEADLINE_EXCEEDED, NULL);
    fake_message(&w, late, flow_request()); /* it was under way */
    gw_flow_end_all(w.flow, w.now);
    flow_assert_replied(stopped, SL_REASON_DRAINING, NULL);
    gw_flow_on_identities(w.flow, w.now);
    assert_int_equal(w.identity_count, 3);
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_refused_is_no_call),
        cmocka_unit_test(a_small_call_waits_for_keys_with_its_message),
        cmocka_unit_test(a_large_call_is_not_granted_before),
        cmocka_unit_test(keys_that_do_not_come),
        cmocka_unit_test(refused_after_all),
        cmocka_unit_test(other_ends_of_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
