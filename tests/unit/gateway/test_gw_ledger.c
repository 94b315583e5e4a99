/* test_gw_ledger.c - the rules of holds, windows and settlements one by one; 200 calls of a visitor whose quota
 * covers seven; and what a failing allocator leaves behind. */
#include "gw_ledger.h"

#include <stdio.h>

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

#define S   SL_US_PER_S
#define DAY (86400 * S)
#define T0  (INT64_C(1789000000) * S)

static struct gw_tiers tiers;
static struct gw_ledger *ledger;

static int begin(void **state SL_UNUSED)
{
    struct gw_ledger_conf conf = {.max_accounts = 100, .max_holds = 1000, .seed = {4, 5}};
    tiers =
        (struct gw_tiers){.tiers = {{.name = "anonymous", .daily_us = 120 * S, .in_flight = 1000},
                                    {.name = "pro", .daily_us = 1500 * S, .in_flight = 2}},
                          .tier_count = 2};
    return gw_ledger_create(&sl_alloc_malloc, &conf, &ledger) != SL_OK;
}

static int end(void **state SL_UNUSED)
{
    sl_status s = gw_ledger_check(ledger);
    gw_ledger_destroy(ledger);
    return s != SL_OK;
}

static struct gw_principal address(const char *name)
{
    struct gw_principal p = {.kind = GW_PRINCIPAL_ADDRESS, .purse_count = 1};
    snprintf(p.purses[0].account, sizeof p.purses[0].account, "%s", name);
    p.purses[0].limit_thousandths = 1000;
    return p;
}

static struct gw_principal user(const char *name)
{
    struct gw_principal p = address(name);
    p.kind = GW_PRINCIPAL_USER;
    p.tier = 1;
    p.is_signed_in = true;
    return p;
}

static void add_purse(struct gw_principal *p, const char *name, uint32_t thousandths)
{
    struct gw_purse *purse = &p->purses[p->purse_count++];
    snprintf(purse->account, sizeof purse->account, "%s", name);
    purse->limit_thousandths = thousandths;
}

static sl_status try_hold(const struct gw_principal *p, sl_gpu_us duration, sl_wall_us now,
                          gw_hold_id *out, struct gw_hold_refusal *why)
{
    struct gw_hold_ask ask = {
        .who = p, .tiers = &tiers, .duration_us = duration, .factor_thousandths = 1000};
    struct gw_hold h = {0};
    sl_status s = gw_ledger_hold(ledger, &ask, now, &h, why);
    *out = h.id;
    return s;
}

static gw_hold_id hold(const struct gw_principal *p, sl_gpu_us duration, sl_wall_us now)
{
    gw_hold_id id;
    struct gw_hold_refusal why;
    assert_ok(try_hold(p, duration, now, &id, &why));
    return id;
}

static struct gw_hold_refusal refused(const struct gw_principal *p, sl_gpu_us duration,
                                      sl_wall_us now)
{
    gw_hold_id id;
    struct gw_hold_refusal why;
    sl_status s = try_hold(p, duration, now, &id, &why);
    bool is_for_good = why.kind == GW_HOLD_TOO_LONG || why.kind == GW_HOLD_BLOCKED;
    assert_status(s, is_for_good ? SL_ENEVER : SL_EAGAIN);
    return why;
}

static struct gw_settlement settle(gw_hold_id id, enum sl_reason reason, sl_gpu_us used,
                                   sl_wall_us now)
{
    struct gw_usage u = {.reason = reason, .used_us = used};
    struct gw_settlement got;
    assert_ok(gw_ledger_settle(ledger, id, &u, now, &got));
    return got;
}

static struct gw_quota quota(const struct gw_principal *p, sl_wall_us now)
{
    struct gw_quota q;
    gw_ledger_quota(ledger, p, &tiers, now, &q);
    return q;
}

static void what_is_held_and_not_used_comes_back(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 60 * S, T0);
    assert_int_equal(quota(&p, T0).left_us, 60 * S);
    assert_ok(gw_ledger_start(ledger, id, T0 + S));
    struct gw_settlement got = settle(id, SL_REASON_OK, 13 * S, T0 + 14 * S);
    assert_int_equal(got.held_us, 60 * S);
    assert_int_equal(got.charged_us, 13 * S);
    assert_int_equal(got.windows_opened_at[0], T0 + S);
    struct gw_quota q = quota(&p, T0 + 14 * S);
    assert_int_equal(q.left_us, 107 * S);
    assert_int_equal(q.spent_us, 13 * S);
    assert_int_equal(q.held_us, 0);
    assert_int_equal(q.resets_at, T0 + S + DAY);
}

static void a_refusal_has_all_numbers_and_makes_no_account(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 60 * S, T0);
    assert_ok(gw_ledger_start(ledger, id, T0));
    settle(id, SL_REASON_OK, 60 * S, T0 + 60 * S);
    struct gw_hold_refusal r = refused(&p, 72 * S, T0 + 100 * S);
    assert_int_equal(r.kind, GW_HOLD_QUOTA);
    assert_int_equal(r.asked_us, 72 * S);
    assert_int_equal(r.quota.left_us, 60 * S);
    assert_int_equal(r.quota.resets_at, T0 + DAY);
    assert_true(r.quota.is_shared);

    struct gw_principal stranger = address("ip:2");
    r = refused(&stranger, 121 * S, T0);
    assert_int_equal(r.kind, GW_HOLD_TOO_LONG);
    assert_int_equal(r.longest_us, 120 * S);
    assert_int_equal(gw_ledger_totals(ledger).accounts, 1);
}

static void factors_count_in_holds_and_in_the_longest_duration(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    struct gw_hold_ask ask = {
        .who = &p, .tiers = &tiers, .duration_us = 61 * S, .factor_thousandths = 2000};
    struct gw_hold h;
    struct gw_hold_refusal why;
    assert_status(gw_ledger_hold(ledger, &ask, T0, &h, &why), SL_ENEVER);
    assert_int_equal(why.kind, GW_HOLD_TOO_LONG);
    assert_int_equal(why.asked_us, 122 * S);
    assert_int_equal(why.longest_us, 60 * S);
    ask.duration_us = 60 * S;
    assert_ok(gw_ledger_hold(ledger, &ask, T0, &h, &why));
    assert_int_equal(h.held_us, 120 * S);
    assert_true(h.used_us == 0 && h.limit_us == 120 * S);
    assert_ok(gw_ledger_start(ledger, h.id, T0));
    assert_int_equal(settle(h.id, SL_REASON_OK, 10 * S, T0).charged_us, 20 * S);
    ask.duration_us = 1 * S;
    assert_ok(gw_ledger_hold(ledger, &ask, T0, &h, &why));
    assert_true(h.used_us == 20 * S && h.limit_us == 120 * S);
    assert_ok(gw_ledger_refund(ledger, h.id));
}

static void a_window_opens_at_the_first_start_and_lasts_a_day(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id a = hold(&p, 10 * S, T0), b = hold(&p, 10 * S, T0 + S);
    assert_int_equal(quota(&p, T0 + S).window_opened_at, 0);
    assert_ok(gw_ledger_start(ledger, b, T0 + 5 * S));
    assert_ok(gw_ledger_start(ledger, a, T0 + 6 * S));
    assert_int_equal(quota(&p, T0 + 6 * S).window_opened_at, T0 + 5 * S);
    assert_ok(gw_ledger_start(ledger, b, T0 + 7 * S)); /* said twice */
    settle(a, SL_REASON_OK, 10 * S, T0 + 16 * S);
    settle(b, SL_REASON_OK, 10 * S, T0 + 16 * S);
    assert_int_equal(quota(&p, T0 + 5 * S + DAY - 1).left_us, 100 * S);
    assert_int_equal(quota(&p, T0 + 5 * S + DAY).left_us, 120 * S);
    assert_int_equal(quota(&p, T0 + 5 * S + DAY - 1).left_us, 120 * S); /* not reopened */
}

static void a_call_belongs_to_the_window_it_was_held_in(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id first = hold(&p, 10 * S, T0);
    assert_ok(gw_ledger_start(ledger, first, T0));
    settle(first, SL_REASON_OK, 10 * S, T0 + 10 * S);
    gw_hold_id late = hold(&p, 60 * S, T0 + DAY - S);
    gw_hold_id running = hold(&p, 50 * S, T0 + DAY - S);
    assert_ok(gw_ledger_start(ledger, running, T0 + DAY - S));
    assert_int_equal(quota(&p, T0 + DAY + S).left_us, 120 * S); /* a new day owes nothing */
    assert_ok(gw_ledger_start(ledger, late, T0 + DAY + 2 * S)); /* and is not opened by it */
    assert_int_equal(quota(&p, T0 + DAY + 2 * S).window_opened_at, 0);
    gw_hold_id next = hold(&p, 120 * S, T0 + DAY + 3 * S);
    assert_ok(gw_ledger_start(ledger, next, T0 + DAY + 4 * S));
    struct gw_settlement got = settle(late, SL_REASON_OK, 60 * S, T0 + DAY + 62 * S);
    assert_int_equal(got.charged_us, 60 * S);
    assert_int_equal(got.windows_opened_at[0], T0);
    settle(running, SL_REASON_OK, 50 * S, T0 + DAY + 62 * S);
    got = settle(next, SL_REASON_OK, 20 * S, T0 + DAY + 62 * S);
    assert_int_equal(got.windows_opened_at[0], T0 + DAY + 4 * S);
    assert_int_equal(quota(&p, T0 + DAY + 70 * S).left_us, 100 * S);
}

/* Held before any window, it waits while another opens one and that one ends: its receipt names it still. */
static void a_window_that_was_opened_meanwhile_is_ones_own(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id waits = hold(&p, 10 * S, T0), starts = hold(&p, 10 * S, T0);
    assert_ok(gw_ledger_start(ledger, starts, T0 + S));
    settle(starts, SL_REASON_OK, 10 * S, T0 + 11 * S);
    assert_int_equal(quota(&p, T0 + 3 * DAY).left_us, 120 * S);
    struct gw_settlement got = settle(waits, SL_REASON_OK, 0, T0 + 3 * DAY);
    assert_int_equal(got.windows_opened_at[0], T0 + S);
}

static void steps_of_a_day_open_nothing_twice(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 120 * S, T0);
    assert_ok(gw_ledger_start(ledger, id, T0));
    settle(id, SL_REASON_OK, 120 * S, T0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(refused(&p, S, T0 - DAY).quota.left_us, 0);
        assert_int_equal(refused(&p, S, T0).quota.left_us, 0);
    }
    id = hold(&p, 120 * S, T0 + DAY); /* once over, it is over */
    assert_ok(gw_ledger_start(ledger, id, T0 + DAY));
    settle(id, SL_REASON_OK, 120 * S, T0 + DAY);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(refused(&p, S, T0).quota.left_us, 0);
        assert_int_equal(refused(&p, S, T0 + DAY).quota.left_us, 0);
    }
    struct gw_account_row row;
    assert_true(gw_ledger_next_opened(ledger, &row));
    assert_int_equal(row.window_opened_at, T0 + DAY);
    assert_false(gw_ledger_next_opened(ledger, &row));
}

static void a_result_without_a_start_tells_it(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 10 * S, T0);
    struct gw_usage u = {.reason = SL_REASON_OK, .was_started = true, .used_us = 2 * S};
    struct gw_settlement got;
    assert_ok(gw_ledger_settle(ledger, id, &u, T0 + 5 * S, &got));
    assert_int_equal(got.charged_us, 2 * S);
    assert_int_equal(got.windows_opened_at[0], T0 + 3 * S);
}

static void what_did_not_start_costs_nothing(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 10 * S, T0);
    struct gw_settlement got = settle(id, SL_REASON_CANCELLED, 5 * S, T0);
    assert_int_equal(got.charged_us, 0);
    assert_int_equal(got.windows_opened_at[0], 0);
    assert_int_equal(gw_ledger_totals(ledger).accounts, 0);
}

static void an_id_is_good_once(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 10 * S, T0);
    struct gw_usage u = {.reason = SL_REASON_OK, .was_started = true, .used_us = 2 * S};
    struct gw_settlement got;
    settle(id, SL_REASON_OK, 0, T0);
    assert_status(gw_ledger_settle(ledger, id, &u, T0, &got), SL_ESTALE);
    assert_status(gw_ledger_start(ledger, id, T0), SL_ESTALE);
    assert_status(gw_ledger_refund(ledger, id), SL_ESTALE);
    assert_status(gw_ledger_refund(ledger, 0), SL_ESTALE);
}

static void spending_nests(void **state SL_UNUSED)
{
    struct gw_principal p[8];
    gw_hold_id ids[8];
    char name[32];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "ip:%d::/64", i);
        p[i] = address(name);
        add_purse(&p[i], "ip:0::/56", 4000);
        add_purse(&p[i], "ip:0::/48", 16000);
    }
    for (int i = 0; i < 4; i++)
        ids[i] = hold(&p[i], 120 * S, T0);
    struct gw_hold_refusal r = refused(&p[4], 1, T0); /* its own is untouched, the /56 is empty */
    assert_int_equal(r.kind, GW_HOLD_QUOTA);
    assert_int_equal(r.quota.purse, 1);
    assert_true(r.quota.is_shared);
    assert_int_equal(r.quota.limit_us, 480 * S);
    assert_ok(gw_ledger_start(ledger, ids[2], T0 + 9));
    struct gw_settlement got = settle(ids[2], SL_REASON_OK, 20 * S, T0 + 20 * S);
    for (int i = 0; i < 3; i++)
        assert_int_equal(got.windows_opened_at[i], T0 + 9);
    struct gw_quota q = quota(&p[4], T0 + 20 * S);
    assert_int_equal(q.purse, 1);
    assert_int_equal(q.left_us, 100 * S);
    gw_ledger_purse(ledger, &p[4], &tiers, 2, T0 + 20 * S, &q);
    assert_int_equal(q.limit_us, 1920 * S);
    assert_int_equal(q.spent_us, 20 * S);
    assert_int_equal(q.held_us, 360 * S);
    hold(&p[4], 100 * S, T0 + 20 * S);
}

static void calls_in_flight_are_the_visitors_own(void **state SL_UNUSED)
{
    struct gw_principal p = user("user:a"), other = user("user:b");
    gw_hold_id id = hold(&p, S, T0);
    hold(&p, S, T0);
    struct gw_hold_refusal r = refused(&p, S, T0);
    assert_int_equal(r.kind, GW_HOLD_IN_FLIGHT);
    assert_int_equal(r.quota.in_flight_max, 2);
    hold(&other, S, T0);
    settle(id, SL_REASON_OK, 0, T0);
    hold(&p, S, T0);
}

static void grants_last_as_long_as_their_window(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    sl_wall_us window = -1;
    assert_ok(gw_ledger_grant(ledger, sl_span_str("ip:1"), 80 * S, T0, &window));
    assert_int_equal(window, 0);
    gw_hold_id id = hold(&p, 200 * S, T0); /* more than a day gives */
    assert_ok(gw_ledger_start(ledger, id, T0 + S));
    assert_ok(gw_ledger_grant(ledger, sl_span_str("ip:1"), -30 * S, T0 + 2 * S, &window));
    assert_int_equal(window, T0 + S);
    assert_int_equal(quota(&p, T0 + 3 * S).left_us, 0);
    settle(id, SL_REASON_OK, 100 * S, T0 + 101 * S);
    assert_int_equal(quota(&p, T0 + 102 * S).left_us, 70 * S);
    assert_int_equal(quota(&p, T0 + S + DAY).left_us, 120 * S);
    assert_int_equal(refused(&p, 121 * S, T0 + S + DAY).kind, GW_HOLD_TOO_LONG);
    assert_ok(gw_ledger_grant(ledger, sl_span_str("ip:1"), -200 * S, T0 + 2 * DAY, &window));
    assert_int_equal(quota(&p, T0 + 2 * DAY).left_us, 0);
    assert_int_equal(refused(&p, 120 * S, T0 + 2 * DAY).kind, GW_HOLD_QUOTA);
}

static void who_is_blocked_is_refused_from_the_next_call_on(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 10 * S, T0);
    assert_ok(gw_ledger_set_blocked(ledger, sl_span_str("ip:1"), true, T0));
    assert_int_equal(refused(&p, S, T0).kind, GW_HOLD_BLOCKED);
    assert_ok(gw_ledger_start(ledger, id, T0));
    assert_int_equal(settle(id, SL_REASON_OK, S, T0 + S).charged_us, S);
    struct gw_principal cookie = address("cookie:x");
    add_purse(&cookie, "ip:1", 1000);
    assert_int_equal(refused(&cookie, S, T0 + 3 * DAY).kind, GW_HOLD_BLOCKED);
    assert_ok(gw_ledger_set_blocked(ledger, sl_span_str("ip:1"), false, T0));
    hold(&cookie, S, T0);
}

static void background_calls_pay_nothing(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    struct gw_hold_ask ask = {.who = &p,
                              .tiers = &tiers,
                              .duration_us = 300 * S,
                              .factor_thousandths = 1000,
                              .is_background = true};
    struct gw_hold h;
    struct gw_hold_refusal why;
    hold(&p, 120 * S, T0);
    assert_ok(gw_ledger_hold(ledger, &ask, T0, &h, &why));
    assert_int_equal(h.held_us, 0);
    assert_ok(gw_ledger_start(ledger, h.id, T0));
    struct gw_settlement got = settle(h.id, SL_REASON_OK, 200 * S, T0 + 200 * S);
    assert_int_equal(got.charged_us, 0);
    assert_int_equal(got.windows_opened_at[0], 0);
}

static void other_tiers_count_from_the_next_call_on(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id = hold(&p, 100 * S, T0);
    assert_ok(gw_ledger_start(ledger, id, T0));
    tiers.tiers[0].daily_us = 50 * S;
    struct gw_quota q = quota(&p, T0);
    assert_int_equal(q.left_us, 0);
    assert_int_equal(q.held_us, 100 * S);
    settle(id, SL_REASON_OK, 100 * S, T0 + 100 * S); /* held is held */
    assert_ok(gw_ledger_check(ledger));
    tiers.tiers[0].daily_us = 150 * S;
    assert_int_equal(quota(&p, T0).left_us, 50 * S);
}

static void the_busiest_are_those_with_calls(void **state SL_UNUSED)
{
    struct gw_account_view rows[3];
    gw_hold_id ids[5];
    for (size_t i = 0; i < 5; i++) { /* who comes later has used more */
        char name[16];
        snprintf(name, sizeof name, "ip:10.0.0.%zu", i);
        struct gw_principal p = address(name);
        add_purse(&p, "ip:10.0.0.0/24", 4000);
        gw_hold_id used = hold(&p, 60 * S, T0);
        assert_ok(gw_ledger_start(ledger, used, T0));
        settle(used, SL_REASON_OK, (sl_gpu_us)i * S, T0);
        ids[i] = hold(&p, S, T0);
    }
    assert_int_equal(gw_ledger_totals(ledger).visiting, 5); /* the network makes no calls */
    assert_int_equal(gw_ledger_busiest(ledger, T0, rows, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rows[i].row.spent_us, (int64_t)(4 - i) * S);
    settle(ids[4], SL_REASON_OK, 0, T0);
    assert_int_equal(gw_ledger_busiest(ledger, T0, rows, 3), 3);
    assert_int_equal(rows[0].row.spent_us, 3 * S);
    assert_int_equal(gw_ledger_busiest(ledger, T0 + 2 * DAY, rows, 1), 1); /* another window */
    assert_int_equal(rows[0].row.spent_us, 0);
    assert_int_equal(gw_ledger_busiest(ledger, T0, rows, 0), 0);
    for (size_t i = 0; i < 4; i++)
        settle(ids[i], SL_REASON_OK, 0, T0);
    assert_int_equal(gw_ledger_totals(ledger).visiting, 0);
}

static void unsound_asks_are_errors(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1");
    gw_hold_id id;
    struct gw_hold_refusal why;
    assert_status(try_hold(&p, 0, T0, &id, &why), SL_EINVAL);
    p.tier = 2;
    assert_status(try_hold(&p, S, T0, &id, &why), SL_EINVAL);
    p.tier = 0;
    add_purse(&p, "ip:1", 1000);
    assert_status(try_hold(&p, S, T0, &id, &why), SL_EINVAL);
    p.purse_count = 0;
    assert_status(try_hold(&p, S, T0, &id, &why), SL_EINVAL);
}

static void what_was_kept_comes_back(void **state SL_UNUSED)
{
    struct gw_principal p = address("ip:1"), q = user("user:a");
    struct gw_account_row row = {sl_span_str("ip:1"), T0, 100 * S, 5 * S};
    assert_ok(gw_ledger_restore(ledger, &row, T0 + S));
    assert_status(gw_ledger_restore(ledger, &row, T0 + S), SL_EEXIST);
    assert_int_equal(quota(&p, T0 + S).left_us, 25 * S);
    row.name = sl_span_str("user:b");
    assert_ok(gw_ledger_restore(ledger, &row, T0 + DAY)); /* over: passed over */
    assert_int_equal(gw_ledger_totals(ledger).accounts, 1);
    row.spent_us = -1;
    assert_status(gw_ledger_restore(ledger, &row, T0), SL_EINVAL);

    /* receipts behind the rows: of the open window, of one before it, and of a newer one */
    assert_ok(gw_ledger_replay(ledger, sl_span_str("ip:1"), T0, 7 * S, T0 + S));
    assert_ok(gw_ledger_replay(ledger, sl_span_str("ip:1"), T0 - DAY, 50 * S, T0 + S));
    assert_int_equal(quota(&p, T0 + S).left_us, 18 * S);
    assert_ok(gw_ledger_replay(ledger, sl_span_str("user:a"), T0, 3 * S, T0 + S));
    assert_ok(gw_ledger_replay(ledger, sl_span_str("user:a"), T0 + DAY, 4 * S, T0 + DAY + S));
    assert_int_equal(quota(&q, T0 + DAY + S).left_us, 1496 * S);
    struct gw_account_row opened;
    assert_false(gw_ledger_next_opened(ledger, &opened)); /* all of it is kept already */
}

/* Seven of 200 calls fit, whatever their order of starting and ending. */
static void exactly_seven_of_200_calls_run(void **state SL_UNUSED)
{
    enum { CALLS = 200, FIT = 7, ROUNDS = 50 };
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    tiers.tiers[0].daily_us = FIT * 17 * S + 17 * S - 1; /* never one microsecond over */
    for (int round = 0; round < ROUNDS; round++) {
        char name[32];
        gw_hold_id open[CALLS];
        size_t count = 0;
        snprintf(name, sizeof name, "ip:%d", round);
        struct gw_principal p = address(name);
        for (int i = 0; i < CALLS; i++) {
            struct gw_hold_refusal why = {0};
            sl_status s = try_hold(&p, 17 * S, T0, &open[count], &why);
            if (s == SL_OK) {
                count++;
                continue;
            }
            assert_int_equal(why.quota.left_us, 17 * S - 1);
            assert_int_equal(why.asked_us, 17 * S);
        }
        assert_int_equal(count, FIT);
        while (count > 0) {
            size_t i = (size_t)sl_rng_below(&rng, count);
            assert_ok(gw_ledger_start(ledger, open[i], T0 + round));
            settle(open[i], SL_REASON_OK, 17 * S + (sl_gpu_us)sl_rng_below(&rng, S), T0 + S);
            open[i] = open[--count];
        }
        struct gw_quota q = quota(&p, T0 + S);
        assert_int_equal(q.spent_us, FIT * 17 * S);
        assert_int_equal(q.left_us, 17 * S - 1);
        assert_ok(gw_ledger_check(ledger));
    }
}

/* A whole call of a cookie in an address, a grant and a block. */
static void run_scenario(struct gw_ledger *l)
{
    struct gw_principal p = address("cookie:x");
    struct gw_hold_ask ask = {
        .who = &p, .tiers = &tiers, .duration_us = S, .factor_thousandths = 1000};
    struct gw_hold h[2];
    struct gw_hold_refusal why;
    struct gw_usage u = {.reason = SL_REASON_OK, .was_started = true, .used_us = S};
    struct gw_settlement got;
    sl_wall_us window;
    add_purse(&p, "ip:1", 2000);
    for (int i = 0; i < 2; i++) {
        size_t before = gw_ledger_totals(l).accounts, holds = gw_ledger_totals(l).holds;
        sl_status s = gw_ledger_hold(l, &ask, T0, &h[i], &why);
        if (s == SL_OK)
            continue;
        assert_status(s, SL_EAGAIN);
        assert_int_equal(why.kind, GW_HOLD_NO_ROOM);
        assert_int_equal(gw_ledger_totals(l).accounts, before);
        assert_int_equal(gw_ledger_totals(l).holds, holds);
        h[i].id = 0;
    }
    for (int i = 0; i < 2; i++)
        if (h[i].id != 0)
            assert_ok(gw_ledger_settle(l, h[i].id, &u, T0, &got));
    sl_status granted = gw_ledger_grant(l, sl_span_str("user:g"), S, T0, &window);
    assert_true(granted == SL_OK || granted == SL_ENOMEM);
    sl_status blocked = gw_ledger_set_blocked(l, sl_span_str("user:b"), true, T0);
    assert_true(blocked == SL_OK || blocked == SL_ENOMEM);
    assert_ok(gw_ledger_check(l));
}

static void every_failed_allocation_is_survived(void **state SL_UNUSED)
{
    struct gw_ledger_conf conf = {.max_accounts = 10, .max_holds = 10};
    struct fail_alloc f;
    size_t runs = 0;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_ledger *l = NULL;
        if (gw_ledger_create(&f.alloc, &conf, &l) == SL_OK)
            run_scenario(l);
        gw_ledger_destroy(l);
        assert_int_equal(fail_alloc_finish(&f), 0);
        runs++;
    }
    assert_true(runs > 8);
}

static void maxima_of_nothing_are_errors(void **state SL_UNUSED)
{
    struct gw_ledger *l = NULL;
    struct gw_ledger_conf conf = {.max_accounts = 0, .max_holds = 10};
    assert_status(gw_ledger_create(&sl_alloc_malloc, &conf, &l), SL_EINVAL);
    conf = (struct gw_ledger_conf){.max_accounts = 10, .max_holds = 0};
    assert_status(gw_ledger_create(&sl_alloc_malloc, &conf, &l), SL_EINVAL);
    assert_null(l);
}

#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LEDGER(what_is_held_and_not_used_comes_back),
        WITH_LEDGER(a_refusal_has_all_numbers_and_makes_no_account),
        WITH_LEDGER(factors_count_in_holds_and_in_the_longest_duration),
        WITH_LEDGER(a_window_opens_at_the_first_start_and_lasts_a_day),
        WITH_LEDGER(a_call_belongs_to_the_window_it_was_held_in),
        WITH_LEDGER(a_window_that_was_opened_meanwhile_is_ones_own),
        WITH_LEDGER(steps_of_a_day_open_nothing_twice),
        WITH_LEDGER(a_result_without_a_start_tells_it),
        WITH_LEDGER(what_did_not_start_costs_nothing),
        WITH_LEDGER(an_id_is_good_once),
        WITH_LEDGER(spending_nests),
        WITH_LEDGER(calls_in_flight_are_the_visitors_own),
        WITH_LEDGER(grants_last_as_long_as_their_window),
        WITH_LEDGER(who_is_blocked_is_refused_from_the_next_call_on),
        WITH_LEDGER(background_calls_pay_nothing),
        WITH_LEDGER(other_tiers_count_from_the_next_call_on),
        WITH_LEDGER(the_busiest_are_those_with_calls),
        WITH_LEDGER(unsound_asks_are_errors),
        WITH_LEDGER(what_was_kept_comes_back),
        WITH_LEDGER(exactly_seven_of_200_calls_run),
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(maxima_of_nothing_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
