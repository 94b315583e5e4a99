/* test_gw_flow_leases.c - each lease is accounted for once, its call's or an orphan, and acknowledged
 * every time. */
#include "flow_rig.h"
#include "sl_log.h"
#include "sl_test.h"

enum { JOURNAL = 99 };

static uint64_t record(uint64_t serial)
{
    return serial << 16 | (serial & 3);
}

/* A world whose counters count, and a node with a journal. */
struct rig {
    struct fake_world w;
    struct sl_metric_registry *registry;
    struct gw_fleet_node *n;
};

static void begin(struct rig *r)
{
    struct gw_flow_metrics *m = &r->w.metrics;
    flow_begin(&r->w);
    sl_log_set_level(SL_LOG_ERROR);
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &r->registry));
    m->leases = sl_metric_counter(r->registry, "leases", "", "x");
    m->lease_us = sl_metric_counter(r->registry, "lease_us", "", "x");
    m->orphan_leases = sl_metric_counter(r->registry, "orphans", "", "x");
    m->orphan_lease_us = sl_metric_counter(r->registry, "orphan_us", "", "x");
    m->repeated_leases = sl_metric_counter(r->registry, "repeated", "", "x");
    r->w.journal = JOURNAL;
    flow_start(&r->w);
    r->n = fake_join(&r->w, "n1", 2, "m");
    assert_non_null(r->n);
}

static void finish(struct rig *r)
{
    flow_finish(&r->w);
    sl_metric_registry_destroy(r->registry);
}

static void expect(const struct rig *r, int64_t leases, int64_t orphans, int64_t repeated)
{
    const struct gw_flow_metrics *m = &r->w.metrics;
    assert_int_equal(sl_metric_value(m->leases), leases);
    assert_int_equal(sl_metric_value(m->orphan_leases), orphans);
    assert_int_equal(sl_metric_value(m->repeated_leases), repeated);
}

static void tell_ended(struct rig *r, uint64_t serial, int64_t held_us)
{
    const struct gw_ended ended = {.record = record(serial),
                                   .gateway_run = 5,
                                   .lease = 1,
                                   .model = sl_span_str("m"),
                                   .held_us = held_us,
                                   .reason = SL_REASON_EXECUTOR_LOST};
    gw_flow_on_ended(r->w.flow, r->n, &ended);
}

static void an_answered_call_owns_its_lease(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    struct fake_exchange *e = fake_call(&r.w, flow_request());
    fake_started(&r.w, r.n, r.w.sent[0].lease);
    assert_int_equal(r.w.ack_count, 0);
    r.w.record = record(1);
    fake_result(&r.w, r.n, r.w.sent[0].lease, false);
    flow_assert_good_reply(e);
    expect(&r, 1, 0, 0);
    assert_int_equal(sl_metric_value(r.w.metrics.lease_us), 12345);
    assert_int_equal(r.w.ack_count, 1);
    assert_int_equal(r.w.acks[0], record(1));
    tell_ended(&r, 1, 12345); /* its acknowledgement was lost */
    expect(&r, 1, 0, 1);
    assert_int_equal(r.w.ack_count, 2);
    finish(&r);
}

static void a_call_that_left_before_owns_its_lease_too(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    struct fake_exchange *e = fake_call(&r.w, flow_request());
    fake_started(&r.w, r.n, r.w.sent[0].lease);
    fake_event(&r.w, e, GW_EV_GONE);
    assert_int_equal(r.w.cancel_count, 1);
    r.w.record = record(1);
    fake_failure(&r.w, r.n, r.w.sent[0].lease, true, SL_REASON_CANCELLED, "cancelled");
    expect(&r, 1, 0, 0);
    assert_int_equal(r.w.ack_count, 1);
    finish(&r);
}

static void what_never_began_is_no_lease_to_account_for(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    fake_call(&r.w, flow_request());
    fake_failure(&r.w, r.n, r.w.sent[0].lease, false, SL_REASON_CANCELLED, "cancelled");
    expect(&r, 0, 0, 0);
    assert_int_equal(r.w.ack_count, 0);
    finish(&r);
}

static void a_lease_of_a_lost_session_is_an_orphan_once(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    struct fake_exchange *e = fake_call(&r.w, flow_request());
    fake_started(&r.w, r.n, r.w.sent[0].lease);
    gw_flow_on_lost(r.w.flow, r.n, "test", r.w.now);
    flow_assert_replied(e, SL_REASON_EXECUTOR_LOST, NULL);
    r.n = fake_join(&r.w, "n1", 2, "m"); /* the same journal */
    assert_non_null(r.n);
    for (int i = 0; i < 3; i++)
        tell_ended(&r, 7, 500);
    expect(&r, 0, 1, 2);
    assert_int_equal(sl_metric_value(r.w.metrics.orphan_lease_us), 500);
    assert_int_equal(r.w.ack_count, 3);
    assert_int_equal(r.w.acks[2], record(7));
    finish(&r);
}

static void a_result_of_no_open_lease_is_an_orphan(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    r.w.record = record(4);
    fake_failure(&r.w, r.n, 12345, true, SL_REASON_MODEL_ERROR, "late");
    expect(&r, 0, 1, 0);
    assert_int_equal(r.w.ack_count, 1);
    finish(&r);
}

static void without_a_journal_results_are_believed(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    r.w.journal = 0;
    struct gw_fleet_node *old = fake_join(&r.w, "old", 1, "m2");
    fake_call(&r.w, flow_request_of("m2", 0));
    fake_result(&r.w, old, r.w.sent[0].lease, false);
    expect(&r, 1, 0, 0);
    assert_int_equal(r.w.ack_count, 0);
    finish(&r);
}

static void a_journal_is_of_one_node(void **state SL_UNUSED)
{
    struct rig r = {.registry = NULL};
    begin(&r);
    assert_null(fake_join(&r.w, "copy", 1, "m"));
    gw_flow_on_lost(r.w.flow, r.n, "test", r.w.now);
    assert_non_null(fake_join(&r.w, "copy", 1, "m"));
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answered_call_owns_its_lease),
        cmocka_unit_test(a_call_that_left_before_owns_its_lease_too),
        cmocka_unit_test(what_never_began_is_no_lease_to_account_for),
        cmocka_unit_test(a_lease_of_a_lost_session_is_an_orphan_once),
        cmocka_unit_test(a_result_of_no_open_lease_is_an_orphan),
        cmocka_unit_test(without_a_journal_results_are_believed),
        cmocka_unit_test(a_journal_is_of_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
