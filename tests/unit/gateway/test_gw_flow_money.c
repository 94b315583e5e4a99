/* test_gw_flow_money.c - a call's GPU time from its admission to its end: held, started, settled, told. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "sl_log.h"
#include "sl_test.h"

#define S SL_US_PER_S

/* Calls of "m" declare 60 s; fake_result says 12,345 us, fake_failure 777. */
static const struct gw_tiers strict_tiers = {
    .tiers = {{"anonymous", 150 * S, 1, 3, 0, false}},
    .tier_count = 1,
    .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
    .size_count = 1,
};

static struct gw_fleet_node *begin(struct fake_world *w, size_t slices)
{
    flow_begin(w);
    w->conf.tiers = &strict_tiers;
    flow_start(w);
    gw_flow_set_wall(w->flow, 1800000000 * S);
    return fake_join(w, "n1", slices, "m");
}

static struct gw_quota quota(struct fake_world *w, sl_wall_us now)
{
    const struct gw_principal who = {.purse_count = 1, .purses = {{"ip:192.0.2.1", GW_FACTOR_ONE}}};
    struct gw_quota q;
    gw_ledger_quota(gw_flow_ledger(w->flow), &who, &strict_tiers, now, &q);
    return q;
}

static void assert_told(const struct fake_exchange *e, const char *charged, const char *left)
{
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), charged);
    assert_string_equal(flow_trailer(e, "sluice-left-ms"), left);
    assert_string_equal(flow_trailer(e, "sluice-visitor"), "ip:192.0.2.1; tier=anonymous");
    assert_non_null(flow_trailer(e, "sluice-resets-at"));
}

static void a_good_call_is_charged_what_it_used(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_true(quota(&w, 1800000000 * S).held_us == 60 * S);
    assert_true(quota(&w, 1800000000 * S).window_opened_at == 0); /* a hold opens nothing */
    fake_started(&w, n, w.sent[0].lease);
    assert_true(quota(&w, 1800000000 * S).window_opened_at == 1800000000 * S);
    gw_flow_set_wall(w.flow, 1800000000 * S + 12345);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    assert_told(e, "12.345", "149987.655");
    assert_string_equal(flow_trailer(e, "sluice-resets-at"), "2027-01-16T08:00:00Z");
    assert_true(quota(&w, 1800000001 * S).held_us == 0);
    assert_true(quota(&w, 1800000001 * S).spent_us == 12345);
    flow_finish(&w);
}

static void who_has_too_little_left_is_refused(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, 1);
    fake_call(&w, flow_request());
    fake_call(&w, flow_request());
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(
        e, SL_REASON_QUOTA_EXCEEDED,
        "You have exceeded your GPU quota (60s requested vs. 30s left). Try again in "
        "24:00:00, or sooner: 120s are held by calls that have not ended. All who "
        "come from 192.0.2.1 share it");
    assert_told(e, "0.000", "30000.000");
    assert_true(e->x.reply.retry_after_ms == INT64_C(24) * 3600 * 1000);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static struct fake_exchange *call_for(struct fake_world *w, const char *duration)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.duration = sl_span_str(duration);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static void calls_in_flight_have_a_limit(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, 1);
    for (int i = 0; i < 3; i++)
        call_for(&w, "1");
    flow_assert_replied(
        call_for(&w, "1"), SL_REASON_QUEUE_FULL,
        "you have 3 calls in flight, and tier 'anonymous' has 3 at once: wait for one "
        "to end. All who come from 192.0.2.1 share it");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void platform_failures_cost_nothing(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_DEVICE_FAULT, "the device");
    assert_told(e, "0.000", "150000.000");
    e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[1].lease);
    gw_flow_on_lost(w.flow, n, "its power is gone", w.now);
    flow_assert_replied(e, SL_REASON_EXECUTOR_LOST, NULL);
    assert_told(e, "0.000", "150000.000");
    flow_finish(&w);
}

static void a_models_failure_costs_what_it_used(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_MODEL_ERROR, "no");
    assert_told(e, "0.777", "149999.223");
    flow_finish(&w);
}

static void a_factor_weighs_what_is_held_and_what_is_paid(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_tiers weighed = strict_tiers;
    weighed.sizes[0].factor_thousandths = 1500;
    flow_begin(&w);
    w.conf.tiers = &weighed;
    flow_start(&w);
    gw_flow_set_wall(w.flow, 1800000000 * S);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&w, flow_request());
    assert_true(quota(&w, 1800000000 * S).held_us == 90 * S);
    assert_true(w.sent[0].limit_us == 60 * S);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_told(e, "18.518", "149981.482"); /* 12,345 us and a half of them, rounded up */
    assert_string_equal(flow_trailer(e, "sluice-exec-ms"), "12.345");
    flow_finish(&w);
}

/* As SIGHUP does it: the next call is held against the new numbers, and those in flight stay. */
static void a_tier_changes_under_its_calls(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_tiers changing = strict_tiers;
    flow_begin(&w);
    w.conf.tiers = &changing;
    flow_start(&w);
    gw_flow_set_wall(w.flow, 1800000000 * S);
    struct gw_fleet_node *n = fake_join(&w, "n1", 2, "m");
    struct fake_exchange *e = fake_call(&w, flow_request());
    changing.tiers[0].daily_us = 60 * S;
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_QUOTA_EXCEEDED, NULL);
    changing.tiers[0].daily_us = 120 * S;
    fake_call(&w, flow_request());
    assert_int_equal(w.sent_count, 2);
    fake_result(&w, n, w.sent[0].lease, false);
    assert_told(e, "12.345", "59987.655");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* Its caller is answered at once; what it costs is known when its slice is free. */
static void a_cancelled_call_owes_until_its_slice_is_free(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    gw_flow_set_wall(w.flow, 1800000000 * S + 500);
    fake_event(&w, e, GW_EV_GONE);
    assert_told(e, "0.500", "90000.000");
    fake_leave(&w, e);
    assert_true(quota(&w, 1800000001 * S).held_us == 60 * S);
    assert_int_equal(quota(&w, 1800000001 * S).in_flight, 1);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    assert_true(quota(&w, 1800000001 * S).held_us == 0);
    assert_true(quota(&w, 1800000001 * S).spent_us == 777);
    flow_finish(&w);
}

static void a_call_that_was_cancelled_before_it_began_costs_nothing(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_event(&w, e, GW_EV_GONE);
    fake_leave(&w, e);
    fake_returned(&w, n, w.sent[0].lease);
    assert_true(quota(&w, 1800000001 * S).left_us == 150 * S);
    assert_true(quota(&w, 1800000001 * S).window_opened_at == 0);
    flow_finish(&w);
}

static void an_executor_that_is_lost_with_it_ends_what_is_owed(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    fake_event(&w, e, GW_EV_GONE);
    gw_flow_on_lost(w.flow, n, "its power is gone", w.now);
    assert_true(quota(&w, 1800000001 * S).left_us == 150 * S);
    fake_leave(&w, e);
    flow_finish(&w);
}

static void auto_asks_for_what_calls_took(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    call_for(&w, "auto");
    assert_true(w.sent[0].limit_us == 60 * S); /* nothing is known yet */
    for (size_t i = 0; i < 5; i++) {
        fake_started(&w, n, w.sent[i].lease);
        fake_result(&w, n, w.sent[i].lease, false);
        call_for(&w, i < 4 ? "60" : "auto");
    }
    assert_true(w.sent[5].limit_us == S); /* p95 is 12 ms; a second is the least */
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- one line of the log */

static char heard[SL_LOG_LINE_MAX + 1];
static unsigned heard_count;

static void hear(void *ctx, const char *text, unsigned len)
{
    char line[SL_LOG_LINE_MAX + 1];
    (void)ctx;
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    if (strstr(line, " call ended ") == NULL)
        return;
    memcpy(heard, line, sizeof heard);
    heard_count++;
}

static void run_with_log(bool logs_calls, const struct gw_principal *who)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.tiers = &strict_tiers;
    w.conf.logs_calls = logs_calls;
    w.who = who;
    w.journal = 99;
    w.record = 7 << 16;
    flow_start(&w);
    gw_flow_set_wall(w.flow, 1800000000 * S);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    heard_count = 0;
    sl_log_set_sink(hear, NULL);
    struct fake_exchange *e = fake_call(&w, flow_request());
    w.now += 3 * SL_NS_PER_MS;
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    for (int i = 0; i < 3; i++) /* two wait, and the third is refused: nothing was held for it */
        fake_call(&w, flow_request());
    sl_log_set_sink(NULL, NULL);
    if (logs_calls)
        assert_non_null(strstr(heard, flow_trailer(e, "sluice-call-id")));
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void one_line_tells_a_calls_money(void **state SL_UNUSED)
{
    run_with_log(false, NULL);
    assert_int_equal(heard_count, 0);
    run_with_log(true, NULL);
    assert_int_equal(heard_count, 1);
    assert_non_null(strstr(
        heard, " visitor=ip:192.0.2.1 tier=anonymous organisation=- app=- model=m size=large "
               "declared_us=60000000 "
               "held_us=60000000 used_us=12345 charged_us=12345 left_us=149987655 queue_us=3000 "
               "exec_us=12345 cause=OK node=n1 journal=99 record=458752\n"));
}

static void the_line_names_app_and_organisation(void **state SL_UNUSED)
{
    run_with_log(true, &flow_member);
    assert_non_null(strstr(heard, " visitor=user:idp#7 tier=anonymous "
                                  "organisation=\"Example Ltd.\" app=demo model=m "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_call_is_charged_what_it_used),
        cmocka_unit_test(who_has_too_little_left_is_refused),
        cmocka_unit_test(calls_in_flight_have_a_limit),
        cmocka_unit_test(platform_failures_cost_nothing),
        cmocka_unit_test(a_models_failure_costs_what_it_used),
        cmocka_unit_test(a_factor_weighs_what_is_held_and_what_is_paid),
        cmocka_unit_test(a_tier_changes_under_its_calls),
        cmocka_unit_test(a_cancelled_call_owes_until_its_slice_is_free),
        cmocka_unit_test(a_call_that_was_cancelled_before_it_began_costs_nothing),
        cmocka_unit_test(an_executor_that_is_lost_with_it_ends_what_is_owed),
        cmocka_unit_test(auto_asks_for_what_calls_took),
        cmocka_unit_test(one_line_tells_a_calls_money),
        cmocka_unit_test(the_line_names_app_and_organisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
