/* test_gw_past.c - what the store tells at the start reaches who goes on with it, before the first call and before any
 * node: spending and blocks the ledger, accounted leases the flow, tokens and apps who asks for names. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "gw_past.h"
#include "sl_log.h"
#include "sl_test.h"

#define S SL_US_PER_S

enum { JOURNAL = 99, RECORD = 7 << 16 };
static const sl_wall_us now = 1800000000 * S;

static const struct gw_tiers tiers = {
    .tiers = {{"anonymous", 150 * S, 1, 3, 0, false}},
    .tier_count = 1,
    .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
    .size_count = 1,
};

struct rig {
    struct fake_world w;
    struct gw_auth *auth;
    struct gw_past past;
    struct gw_store_loader loader;
};

static unsigned warnings;

static void hear(void *ctx, const char *text, unsigned len)
{
    char line[SL_LOG_LINE_MAX + 1];
    (void)ctx;
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    warnings += strstr(line, "what was stored could not be taken up") != NULL;
}

static void begin(struct rig *r)
{
    static const struct gw_auth_metrics nobody_counts;
    const struct gw_auth_conf conf = {
        .tiers = &tiers, .state_dir = "", .tokens_max = 10, .apps_max = 10, .cache_max = 10};
    struct sl_error err;
    *r = (struct rig){.auth = NULL};
    flow_begin(&r->w);
    r->w.conf.tiers = &tiers;
    r->w.has_store = true;
    r->w.journal = JOURNAL;
    flow_start(&r->w);
    gw_flow_set_wall(r->w.flow, now);
    assert_ok(gw_auth_create(&sl_alloc_malloc, &conf, &nobody_counts, &r->auth, &err));
    r->past = (struct gw_past){.flow = r->w.flow, .auth = r->auth, .now = now};
    r->loader = gw_past_loader(&r->past);
    warnings = 0;
    sl_log_set_sink(hear, NULL);
}

static void end(struct rig *r)
{
    sl_log_set_sink(NULL, NULL);
    gw_auth_destroy(r->auth);
    flow_finish(&r->w);
}

static void what_was_spent_is_not_there_to_be_held(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.loader.on_account(&r.past, &(struct gw_record_account){.account = sl_span_str("ip:192.0.2.1"),
                                                             .window_opened_at = now - S,
                                                             .spent_us = 100 * S,
                                                             .granted_us = 5 * S});
    fake_join(&r.w, "n1", 1, "m");
    struct fake_exchange *e = fake_call(&r.w, flow_request());
    flow_assert_replied(e, SL_REASON_QUOTA_EXCEEDED, NULL);
    assert_string_equal(flow_trailer(e, "sluice-left-ms"), "55000.000");
    assert_int_equal(r.past.told, 1);
    assert_int_equal(r.past.refused + warnings, 0);
    end(&r);
}

static void who_was_blocked_still_is(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.loader.on_block(&r.past, &(struct gw_record_block){.account = sl_span_str("ip:192.0.2.1"),
                                                         .is_blocked = true});
    fake_join(&r.w, "n1", 1, "m");
    flow_assert_replied(fake_call(&r.w, flow_request()), SL_REASON_BLOCKED, NULL);
    end(&r);
}

/* Its node was killed before it heard that the lease was accounted for, and so was the gateway. */
static void a_lease_with_a_receipt_gets_no_second_one(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.loader.on_lease(&r.past, JOURNAL, RECORD);
    struct gw_fleet_node *n = fake_join(&r.w, "n1", 1, "m");
    gw_flow_on_ended(r.w.flow, n, &(struct gw_ended){.record = RECORD, .held_us = 55});
    assert_int_equal(r.w.entry_count, 0);
    assert_int_equal(r.w.ack_count, 1);
    gw_flow_on_ended(r.w.flow, n, &(struct gw_ended){.record = RECORD + (1 << 16), .held_us = 55});
    assert_int_equal(r.w.entry_count, 1); /* and one that has none gets one */
    fake_stored(&r.w, 1, SL_OK);
    assert_int_equal(r.w.ack_count, 2);
    end(&r);
}

/* More journals than there can be nodes: the newest are kept. */
static void journals_of_long_ago_make_room(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    for (uint64_t journal = 1; journal <= 100; journal++)
        r.loader.on_lease(&r.past, journal, RECORD);
    assert_int_equal(r.past.refused, 0);
    r.w.journal = 100;
    struct gw_fleet_node *n = fake_join(&r.w, "n1", 1, "m");
    gw_flow_on_ended(r.w.flow, n, &(struct gw_ended){.record = RECORD, .held_us = 55});
    assert_int_equal(r.w.entry_count, 0);
    end(&r);
}

static void tokens_and_apps_are_known(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.loader.on_token(&r.past, &(struct gw_record_token){.prefix = sl_span_str("sl_abc"),
                                                         .user = sl_span_str("alice"),
                                                         .tier = sl_span_str("anonymous"),
                                                         .created_at = now});
    const struct gw_record_app app = {.name = sl_span_str("demo"),
                                      .owner = sl_span_str("user:alice"),
                                      .state = GW_APP_PAUSED,
                                      .at = now};
    r.loader.on_app(&r.past, &app);
    assert_int_equal(r.past.refused + warnings, 0);
    const struct gw_app_row *row = gw_apps_find(gw_auth_apps(r.auth), sl_span_str("demo"));
    assert_non_null(row);
    assert_true(row->is_paused);
    r.loader.on_app(&r.past, &(struct gw_record_app){.name = sl_span_str("old"),
                                                     .owner = sl_span_str("user:alice"),
                                                     .state = GW_APP_REMOVED});
    assert_null(gw_apps_find(gw_auth_apps(r.auth), sl_span_str("old")));
    end(&r);
}

static void what_does_not_fit_is_said_and_passed_over(void **state SL_UNUSED)
{
    static const char name[300] = "user:";
    struct rig r;
    begin(&r);
    r.loader.on_account(&r.past,
                        &(struct gw_record_account){.account = sl_span_of(name, sizeof name),
                                                    .window_opened_at = now - S,
                                                    .spent_us = S});
    r.loader.on_token(&r.past, &(struct gw_record_token){.prefix = sl_span_str("sl_abc"),
                                                         .user = sl_span_of(name, sizeof name)});
    assert_int_equal(r.past.told, 2);
    assert_int_equal(r.past.refused, 2);
    assert_int_equal(warnings, 2);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_spent_is_not_there_to_be_held),
        cmocka_unit_test(who_was_blocked_still_is),
        cmocka_unit_test(a_lease_with_a_receipt_gets_no_second_one),
        cmocka_unit_test(journals_of_long_ago_make_room),
        cmocka_unit_test(tokens_and_apps_are_known),
        cmocka_unit_test(what_does_not_fit_is_said_and_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
