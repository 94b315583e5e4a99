/* test_gw_quota_text.c - the sentences that visitors read when the ledger refuses, word by word. */
#include "gw_quota_text.h"

#include <stdio.h>

#include "sl_base.h"
#include "sl_test.h"

#define S  SL_US_PER_S
#define T0 (INT64_C(1789000000) * S)

static const struct gw_tiers tiers = {.tiers = {{.name = "anonymous"}, {.name = "pro"}},
                                      .tier_count = 2};

static struct gw_principal somebody(enum gw_principal_kind kind, const char *account)
{
    struct gw_principal p = {.kind = kind, .tier = kind == GW_PRINCIPAL_USER, .purse_count = 1};
    snprintf(p.purses[0].account, sizeof p.purses[0].account, "%s", account);
    return p;
}

static const char *text_of(const struct gw_hold_refusal *r, const struct gw_principal *who,
                           const char *url, enum sl_reason reason)
{
    static struct sl_error err;
    gw_quota_text(r, who, &tiers, url, T0, &err);
    assert_int_equal(err.reason, reason);
    return err.text;
}

static struct gw_hold_refusal little(sl_gpu_us asked, sl_gpu_us left, sl_wall_us wait)
{
    return (struct gw_hold_refusal){.kind = GW_HOLD_QUOTA,
                                    .quota = {.left_us = left, .resets_at = T0 + wait},
                                    .asked_us = asked,
                                    .factor_thousandths = 1000};
}

static void the_quota_sentence_is_the_contracts(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_USER, "user:a");
    struct gw_hold_refusal r = little(72 * S, 60 * S, 800 * S);
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20");
    assert_int_equal(gw_quota_retry_after_ms(&r, T0), 800000);
}

static void what_is_asked_rounds_up_and_what_is_left_down(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_USER, "user:a");
    struct gw_hold_refusal r = little(71 * S + 1, 61 * S - 1, 799 * S + 1);
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20");
    r = little(1, 0, 86400 * S);
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (1s requested vs. 0s left). "
                        "Try again in 24:00:00");
    assert_int_equal(gw_quota_retry_after_ms(&r, T0 + 86400 * S - 1), 1);
}

static void what_is_shared_says_so_and_where_to_sign_in(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_ADDRESS, "ip:203.0.113.7");
    struct gw_hold_refusal r = little(72 * S, 60 * S, 800 * S);
    r.quota.is_shared = true;
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20. All who come from 203.0.113.7 share it");
    assert_string_equal(text_of(&r, &p, "https://x.example/login", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20. All who come from 203.0.113.7 share it: sign in at "
                        "https://x.example/login for one of your own");
    struct gw_principal cookie = somebody(GW_PRINCIPAL_COOKIE, "cookie:x");
    r.quota.is_shared = false;
    assert_string_equal(text_of(&r, &cookie, "https://x.example/", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20. Or sign in at https://x.example/ for one of your "
                        "own");
    struct gw_principal known = somebody(GW_PRINCIPAL_USER, "user:a");
    assert_null(
        strstr(text_of(&r, &known, "https://x.example/", SL_REASON_QUOTA_EXCEEDED), "sign"));
}

static void what_is_held_may_come_back_sooner(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_USER, "user:a");
    struct gw_hold_refusal r = little(72 * S, 60 * S, 800 * S);
    r.quota.held_us = 30 * S;
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED),
                        "You have exceeded your GPU quota (72s requested vs. 60s left). "
                        "Try again in 0:13:20, or sooner: 30s are held by calls that have not "
                        "ended");
    r.quota.held_us = 11 * S; /* would not do */
    assert_null(strstr(text_of(&r, &p, "", SL_REASON_QUOTA_EXCEEDED), "sooner"));
}

static void what_never_fits_names_the_tier_and_the_longest(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_ADDRESS, "ip:1");
    struct gw_hold_refusal r = {.kind = GW_HOLD_TOO_LONG,
                                .quota = {.limit_us = 120 * S, .is_shared = true},
                                .asked_us = 300 * S,
                                .duration_us = 300 * S,
                                .longest_us = 120 * S,
                                .factor_thousandths = 1000};
    assert_string_equal(text_of(&r, &p, "", SL_REASON_DURATION_TOO_LONG),
                        "a duration of 300s is more than the 120s of GPU time that tier "
                        "'anonymous' has in a day: ask for at most 120s");
    r.factor_thousandths = 1500;
    r.asked_us = 450 * S;
    r.longest_us = 80 * S;
    assert_string_equal(text_of(&r, &p, "", SL_REASON_DURATION_TOO_LONG),
                        "a duration of 300s costs 450s of GPU time at this size, more than the "
                        "120s that tier 'anonymous' has in a day: ask for at most 80s");
    r.longest_us = 250999;
    assert_non_null(strstr(text_of(&r, &p, "", SL_REASON_DURATION_TOO_LONG), "at most 250ms"));
    assert_int_equal(gw_quota_retry_after_ms(&r, T0), -1);
}

static void the_others_name_their_limits_too(void **state SL_UNUSED)
{
    struct gw_principal p = somebody(GW_PRINCIPAL_USER, "user:a");
    struct gw_hold_refusal r = {.kind = GW_HOLD_IN_FLIGHT,
                                .quota = {.in_flight = 16, .in_flight_max = 16}};
    assert_string_equal(text_of(&r, &p, "", SL_REASON_QUEUE_FULL),
                        "you have 16 calls in flight, and tier 'pro' has 16 at once: wait for one "
                        "to end");
    assert_int_equal(gw_quota_retry_after_ms(&r, T0), 1000);
    r.kind = GW_HOLD_BLOCKED;
    assert_string_equal(text_of(&r, &p, "", SL_REASON_BLOCKED),
                        "'user:a' has been blocked by the operator");
    assert_int_equal(gw_quota_retry_after_ms(&r, T0), -1);
    r.kind = GW_HOLD_NO_ROOM;
    text_of(&r, &p, "", SL_REASON_NO_CAPACITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quota_sentence_is_the_contracts),
        cmocka_unit_test(what_is_asked_rounds_up_and_what_is_left_down),
        cmocka_unit_test(what_is_shared_says_so_and_where_to_sign_in),
        cmocka_unit_test(what_is_held_may_come_back_sooner),
        cmocka_unit_test(what_never_fits_names_the_tier_and_the_longest),
        cmocka_unit_test(the_others_name_their_limits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
