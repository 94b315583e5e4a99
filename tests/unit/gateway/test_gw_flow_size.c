/* test_gw_flow_size.c - calls of size xlarge in the flow: which slice they have, what they are charged, for whom they
 * wait, and when they are refused. */
#include "flow_rig.h"
#include "gw_receipt_code.h"
#include "sl_test.h"
#include "sl_text.h"

enum { DECLARED_US = 2000000, HELD_US = 12345 /* by fake_result */ };

static void begin(struct fake_world *w, bool has_wide)
{
    flow_begin(w);
    w->has_wide = has_wide;
    w->has_store = true;
}

static struct fake_exchange *call_for(struct fake_world *w, const char *size, const char *duration)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.duration = sl_span_str(duration);
    if (size != NULL)
        e->x.req.size = sl_span_str(size);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static struct fake_exchange *call_of(struct fake_world *w, const char *size)
{
    return call_for(w, size, "2");
}

static void serve(struct fake_world *w, struct gw_fleet_node *n, size_t sent)
{
    fake_started(w, n, w->sent[sent].lease);
    fake_result(w, n, w->sent[sent].lease, false);
    fake_turn(w);
}

static void finish(struct fake_world *w)
{
    gw_flow_end_all(w->flow, w->now);
    fake_turn(w);
    fake_stored(w, FAKE_SENT_MAX, SL_OK);
    flow_finish(w);
}

static void it_has_the_wide_slice_and_costs_twice_the_time(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_receipt r;
    begin(&w, true);
    flow_start(&w);
    gw_flow_set_wall(w.flow, 1800000000 * SL_US_PER_S);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    struct fake_exchange *e = call_of(&w, "xlarge");
    assert_int_equal(w.sent_count, 1);
    assert_int_equal(w.sent[0].slice, FAKE_WIDE);
    assert_int_equal(w.sent[0].limit_us, DECLARED_US);
    serve(&w, n, 0);
    fake_stored(&w, 10, SL_OK);
    flow_assert_good_reply(e);
    assert_string_equal(flow_trailer(e, "sluice-exec-ms"), "12.345");
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "24.690");
    const struct fake_entry *last = &w.entries[w.entry_count - 1];
    assert_ok(gw_receipt_decode(sl_span_of(last->bytes, last->len), &r));
    assert_true(sl_span_eq_str(r.size, "xlarge"));
    assert_true(r.declared_us == DECLARED_US && r.held_us == 2 * DECLARED_US);
    assert_true(r.used_us == HELD_US && r.charged_us == 2 * HELD_US);
    finish(&w);
}

static void both_halves_are_waited_for_and_kept(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, true);
    w.conf.fleet.feed_ahead_us = 0;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    call_of(&w, "large");
    call_of(&w, "large");
    call_of(&w, "xlarge");
    call_of(&w, "large"); /* behind it */
    assert_int_equal(w.sent_count, 2);
    serve(&w, n, 0);
    assert_int_equal(w.sent_count, 2); /* one half is free, and kept */
    serve(&w, n, 1);
    assert_int_equal(w.sent_count, 3);
    assert_int_equal(w.sent[2].slice, FAKE_WIDE);
    serve(&w, n, 2);
    assert_int_equal(w.sent_count, 4);
    finish(&w);
}

static void what_no_device_gives_is_refused_at_once(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, false);
    flow_start(&w);
    assert_non_null(fake_join(&w, "n1", 2, "m"));
    struct fake_exchange *e = call_of(&w, "xlarge");
    flow_assert_replied(e, SL_REASON_SIZE_UNAVAILABLE,
                        "size 'xlarge' is 100.0 % of a device and 2B: no device that has model 'm' "
                        "gives that; there is large");
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(w.entry_count, 0); /* it cost nothing */
    finish(&w);
}

static void a_node_that_gave_it_may_come_back(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, false);
    flow_start(&w);
    assert_non_null(fake_join(&w, "n1", 2, "m"));
    w.has_wide = true;
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 2, "m");
    gw_flow_on_lost(w.flow, n2, "a test", w.now);
    struct fake_exchange *e = call_of(&w, "xlarge");
    assert_int_equal(e->replies, 0);
    n2 = fake_join(&w, "n2", 2, "m");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    gw_flow_on_lost(w.flow, n2, "a test", w.now);
    w.has_wide = false;
    assert_non_null(fake_join(&w, "n2", 2, "m")); /* and now it does not give it */
    e = call_of(&w, "xlarge");
    flow_assert_replied(e, SL_REASON_SIZE_UNAVAILABLE, NULL);
    finish(&w);
}

static void young(struct fake_world *w)
{
    begin(w, false);
    w->conf.started_at = w->now;
    w->conf.models_wait_ns = 3 * SL_NS_PER_S;
    flow_start(w);
    assert_non_null(fake_join(w, "n1", 2, "m"));
}

static void a_young_gateway_waits_for_nodes_that_give_it(void **state SL_UNUSED)
{
    struct fake_world w;
    young(&w);
    struct fake_exchange *e = call_of(&w, "xlarge");
    assert_int_equal(e->replies, 0);
    w.has_wide = true;
    assert_non_null(fake_join(&w, "n2", 2, "m"));
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    assert_string_equal(w.sent[0].node, "n2");
    finish(&w);
    young(&w);
    e = call_of(&w, "xlarge");
    fake_advance(&w, 3 * SL_NS_PER_S);
    flow_assert_replied(e, SL_REASON_SIZE_UNAVAILABLE, NULL);
    finish(&w);
}

static void a_model_may_say_the_size_and_a_call_another(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, true);
    w.size = "xlarge";
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    call_of(&w, NULL);
    assert_int_equal(w.sent[0].slice, FAKE_WIDE);
    serve(&w, n, 0);
    call_of(&w, "large");
    assert_int_equal(w.sent_count, 2);
    assert_int_equal(w.sent[1].slice, 0);
    finish(&w);
}

/* Both halves run calls over quota: one after the other gives way, and what is free is kept. */
static void two_halves_give_way_to_who_wants_both(void **state SL_UNUSED)
{
    static const struct gw_tiers tiers = {
        .tiers = {{"idle", 10 * SL_US_PER_S, 1, 12, 0, true}},
        .tier_count = 1,
        .sizes = {{"large", 500, 1, GW_FACTOR_ONE}, {"xlarge", 1000, 2, 2 * GW_FACTOR_ONE}},
        .size_count = 2,
    };
    struct fake_world w;
    begin(&w, true);
    w.conf.tiers = &tiers;
    w.conf.background_grace_ns = 2 * SL_NS_PER_S;
    flow_start(&w);
    gw_flow_set_wall(w.flow, 1800000000 * SL_US_PER_S);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    for (int i = 0; i < 4; i++)
        call_for(&w, "large", "11"); /* more than a day has */
    assert_int_equal(w.sent_count, 2);
    call_for(&w, "xlarge", "2");
    fake_advance(&w, 2 * SL_NS_PER_S);
    assert_int_equal(w.cancel_count, 1);
    fake_failure(&w, n, w.cancels[0], true, SL_REASON_CANCELLED, "");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2); /* nobody has the half that is free */
    assert_int_equal(w.cancel_count, 2);
    fake_failure(&w, n, w.cancels[1], true, SL_REASON_CANCELLED, "");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    assert_int_equal(w.sent[2].slice, FAKE_WIDE);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_the_wide_slice_and_costs_twice_the_time),
        cmocka_unit_test(both_halves_are_waited_for_and_kept),
        cmocka_unit_test(what_no_device_gives_is_refused_at_once),
        cmocka_unit_test(a_node_that_gave_it_may_come_back),
        cmocka_unit_test(a_young_gateway_waits_for_nodes_that_give_it),
        cmocka_unit_test(a_model_may_say_the_size_and_a_call_another),
        cmocka_unit_test(two_halves_give_way_to_who_wants_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
