/* test_gw_auth.c - who calls: tokens, apps and their visitors, cookies, addresses, and what a refused caller is
 * told and not told. */
#include <stdlib.h>
#include <unistd.h>

#include "fail_alloc.h"
#include "gw_auth.h"
#include "gw_digest.h"
#include "gw_token_make.h"
#include "sl_log.h"
#include "sl_test.h"

enum { NOW = 1000000000, LOG_MAX = 1 << 16, HEADER_MAX = 64 };

enum tier { ANONYMOUS, FREE, PRO };

/* What a verifier of the test answers to a token "GOOD...", and how often it was asked. */
struct issuer {
    enum gw_verdict verdict;
    struct gw_claims claims;
    struct gw_denial denial;
    unsigned asked;
};

struct rig {
    struct gw_auth_conf conf;
    struct gw_auth *auth;
    struct gw_digest *digest;
    struct issuer issuer;
    struct gw_credentials c;
    char header[HEADER_MAX]; /* of the last token that was made */
    struct gw_principal who;
    struct sl_error err;
    sl_wall_us now;
};

static char log_text[LOG_MAX];
static size_t log_len;

static void keep_line(void *ctx, const char *line, unsigned len)
{
    (void)ctx;
    if (log_len + len < sizeof log_text) {
        memcpy(log_text + log_len, line, len);
        log_len += len;
        log_text[log_len] = '\0';
    }
}

static enum gw_verdict verify(void *ctx, struct sl_span token, sl_wall_us now,
                              struct gw_claims *out, struct gw_denial *denial)
{
    struct issuer *i = ctx;
    (void)now;
    if (token.len < 4 || memcmp(token.data, "GOOD", 4) != 0)
        return GW_VERDICT_UNKNOWN;
    i->asked++;
    *out = i->claims;
    *denial = i->denial;
    return i->verdict;
}

static struct gw_address address(const char *text)
{
    struct gw_address a;
    assert_true(gw_address_parse(sl_span_str(text), &a));
    return a;
}

static void add_range(struct gw_networks *list, const char *text, uint16_t value)
{
    struct gw_network n;
    assert_ok(gw_network_parse(sl_span_str(text), &n));
    n.value = value;
    assert_ok(gw_networks_add(list, &n));
}

static const struct gw_tiers three_tiers = {
    .tiers = {{.name = "anonymous", .daily_us = 120, .weight = 1},
              {.name = "free", .daily_us = 210, .weight = 4},
              {.name = "pro", .daily_us = 1500, .weight = 16, .apps = 10}},
    .tier_count = 3,
};

static void set_conf(struct gw_auth_conf *c)
{
    *c = (struct gw_auth_conf){
        .tiers = &three_tiers,
        .serves_anonymous = true,
        .anonymous_tier = ANONYMOUS,
        .signed_in_tier = FREE,
        .visitor_tier = ANONYMOUS,
        .cookies_per_address = 10,
        .cookies = {.rotate_us = 30 * 86400 * SL_US_PER_S, .lifetime_us = 90 * 86400 * SL_US_PER_S},
        .state_dir = "",
        .tokens_max = 100,
        .apps_max = 100,
        .cache_max = 100,
        .cache_us = 60 * SL_US_PER_S,
    };
    add_range(&c->networks, "198.51.100.0/24", PRO);
    add_range(&c->trusted_proxies, "10.0.0.0/8", 0);
}

static void begin(struct rig *r)
{
    static const struct gw_auth_metrics nobody_counts;
    *r = (struct rig){.now = NOW * SL_US_PER_S};
    set_conf(&r->conf);
    assert_ok(gw_auth_create(&sl_alloc_malloc, &r->conf, &nobody_counts, &r->auth, &r->err));
    assert_ok(gw_digest_create(&r->digest));
    r->issuer = (struct issuer){
        .verdict = GW_VERDICT_GOOD,
        .claims = {.account = "user:idp#7",
                   .organisation = "Example Ltd.",
                   .tier = "pro",
                   .expires_at = INT64_MAX},
    };
    assert_ok(gw_auth_add_verifier(r->auth, &(struct gw_verifier){&r->issuer, verify}));
    r->c.origin = (struct gw_origin){.address = address("203.0.113.7"), .is_tls = true};
    log_len = 0;
    log_text[0] = '\0';
    sl_log_set_sink(keep_line, NULL);
}

static void finish(struct rig *r)
{
    sl_log_set_sink(NULL, NULL);
    gw_digest_destroy(r->digest);
    gw_auth_destroy(r->auth);
}

static enum gw_identity_answer ask(struct rig *r)
{
    r->err = (struct sl_error){.reason = SL_REASON_OK};
    return gw_auth_identify(r->auth, &r->c, r->now, &r->who, &r->err);
}

static void assert_known(struct rig *r, const char *account, enum tier tier)
{
    if (ask(r) != GW_IDENTITY_KNOWN)
        fail_msg("refused: %s", r->err.text);
    assert_string_equal(gw_principal_name(&r->who), account);
    assert_int_equal(r->who.tier, tier);
}

static void assert_refused(struct rig *r, enum sl_reason reason, const char *text, const char *why)
{
    log_len = 0;
    r->now += SL_US_PER_S; /* another second of the log */
    assert_int_equal(ask(r), GW_IDENTITY_REFUSED);
    assert_int_equal(r->err.reason, reason);
    assert_string_equal(r->err.text, text);
    if (strstr(log_text, why) == NULL)
        fail_msg("'%s' is not in the log: %s", why, log_text);
}

static void bearer(struct rig *r, const char *text)
{
    r->c.authorization = sl_span_str(text);
}

/* A new token of what row says becomes the caller's; the gateway does not know it. */
static void make_token(struct rig *r, struct gw_token_row *row)
{
    memcpy(r->header, "Bearer ", 7);
    assert_ok(gw_token_make(r->digest, r->header + 7, row));
    bearer(r, r->header);
}

/* The same, and the gateway knows it. */
static void sign_in(struct rig *r, struct gw_token_row *row)
{
    make_token(r, row);
    assert_ok(gw_token_table_add(gw_auth_tokens(r->auth), row));
}

/* The caller is ana, or an app of hers. */
static struct gw_token_row sign_in_ana(struct rig *r, const char *app)
{
    struct gw_token_row row = {.user = "ana", .tier = "pro"};
    snprintf(row.app, sizeof row.app, "%s", app);
    sign_in(r, &row);
    return row;
}

static void make_app(struct rig *r, const char *name)
{
    struct gw_app_row row = {.owner = "user:ana"};
    snprintf(row.name, sizeof row.name, "%s", name);
    assert_ok(gw_apps_load(gw_auth_apps(r->auth), &row));
}

/* ---- without a token */

static void addresses(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    assert_known(&r, "ip:203.0.113.7", ANONYMOUS);
    assert_int_equal(r.who.kind, GW_PRINCIPAL_ADDRESS);
    r.c.origin.address = address("198.51.100.9");
    assert_known(&r, "ip:198.51.100.9", PRO); /* its network says so */
    r.c.origin.address = address("2001:db8:1:2:3::4");
    assert_known(&r, "ip:2001:db8:1:2::/64", ANONYMOUS);
    assert_int_equal(r.who.purse_count, 3);
    r.c.origin.address = (struct gw_address){0};
    assert_known(&r, "ip:?", ANONYMOUS);
    finish(&r);
}

static void proxies(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.c.forwarded = sl_span_str("9.9.9.9, 198.51.100.9");
    assert_known(&r, "ip:203.0.113.7", ANONYMOUS); /* not of a proxy that is trusted */
    r.c.origin.address = address("10.1.2.3");
    assert_known(&r, "ip:198.51.100.9", PRO);
    finish(&r);
}

static void anonymous_can_be_switched_off(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.conf.serves_anonymous = false;
    gw_auth_set_conf(r.auth, &r.conf);
    assert_refused(
        &r, SL_REASON_UNAUTHENTICATED,
        "callers without a token are not served here: send one as 'authorization: Bearer "
        "TOKEN'",
        "why=\"no token\"");
    snprintf(r.conf.sign_in_url, sizeof r.conf.sign_in_url, "https://sluice.test/in");
    gw_auth_set_conf(r.auth, &r.conf);
    assert_refused(
        &r, SL_REASON_UNAUTHENTICATED,
        "callers without a token are not served here: send one as 'authorization: Bearer "
        "TOKEN'; sign in at https://sluice.test/in",
        "from=203.0.113.7");
    finish(&r);
}

static void cookies(void **state SL_UNUSED)
{
    struct rig r;
    char account[GW_ACCOUNT_NAME_MAX + 1];
    struct gw_visit_answer given;
    char *const text = given.cookie;
    begin(&r);
    gw_auth_tick(r.auth, r.now);
    assert_ok(
        gw_visits_answer(gw_auth_visits(r.auth), &(struct gw_visit){0}, r.now, &given, &r.err));
    r.c.cookie = sl_span_str(text);
    snprintf(account, sizeof account, "cookie:%.32s", text);
    assert_known(&r, account, ANONYMOUS);
    assert_int_equal(r.who.kind, GW_PRINCIPAL_COOKIE);
    assert_string_equal(r.who.purses[1].account, "ip:203.0.113.7");
    assert_int_equal(r.who.purses[1].limit_thousandths, 10000);
    r.c.origin.address = address("198.51.100.9");
    assert_known(&r, account, PRO);
    r.c.origin.address = address("203.0.113.7");
    for (size_t i = 0; i < strlen(text); i++) { /* another one is nobody's: the address counts */
        char was = text[i];
        text[i] = was == '1' ? '2' : '1';
        assert_known(&r, "ip:203.0.113.7", ANONYMOUS);
        text[i] = was;
    }
    r.now += 90 * 86400 * SL_US_PER_S + SL_US_PER_S;
    assert_known(&r, "ip:203.0.113.7", ANONYMOUS); /* too old */
    finish(&r);
}

/* ---- API tokens */

static void api_tokens(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    struct gw_token_row row = sign_in_ana(&r, "");
    assert_known(&r, "user:ana", PRO);
    assert_int_equal(r.who.kind, GW_PRINCIPAL_USER);
    assert_true(r.who.is_signed_in);
    assert_false(r.who.is_admin);
    memcpy(r.header, "bEaReR", 6); /* schemes have no case (RFC 9110, 11.1) */
    assert_known(&r, "user:ana", PRO);
    assert_int_equal(r.issuer.asked, 0);
    assert_ok(gw_token_table_revoke(gw_auth_tokens(r.auth), sl_span_str(row.prefix)));
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "was revoked");
    assert_non_null(strstr(log_text, row.prefix)); /* by which the operator knows it */
    assert_null(strstr(log_text, r.header + 7));
    finish(&r);
}

static void tokens_that_are_not_good(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_token_row row = {.user = "ana", .tier = "pro", .expires_at = NOW * SL_US_PER_S};
    begin(&r);
    sign_in(&r, &row);
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "has expired");
    row.expires_at = 0;
    make_token(&r, &row);
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "that nobody has");
    r.header[20] = r.header[20] == 'x' ? 'y' : 'x';
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "mistyped or cut");
    assert_null(strstr(log_text, r.header + 7));
    snprintf(row.tier, sizeof row.tier, "gold");
    sign_in(&r, &row);
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid",
                   "its tier is none of the configuration");
    finish(&r);
}

static void headers_that_are_no_bearer(void **state SL_UNUSED)
{
    static const char *const headers[] = {"",        "Bearer",  "Bearer ",    "Bearer    ",
                                          "Basic x", "Bearerx", "Bearer a b", "sl_x"};
    struct rig r;
    begin(&r);
    for (size_t i = 0; i < SL_ARRAY_LEN(headers); i++) {
        bearer(&r, headers[i]);
        assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid",
                       "is not 'Bearer TOKEN'");
    }
    char *large = malloc(GW_AUTH_TOKEN_MAX + 64);
    memset(large, 'a', GW_AUTH_TOKEN_MAX + 63);
    large[GW_AUTH_TOKEN_MAX + 63] = '\0';
    memcpy(large, "Bearer GOOD", 11);
    bearer(&r, large);
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "more than 8192 bytes");
    assert_int_equal(r.issuer.asked, 0);
    free(large);
    finish(&r);
}

static void tokens_want_tls(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    sign_in_ana(&r, "");
    r.c.origin.is_tls = false;
    log_len = 0;
    assert_int_equal(ask(&r), GW_IDENTITY_REFUSED);
    assert_int_equal(r.err.reason, SL_REASON_UNAUTHENTICATED);
    assert_non_null(strstr(r.err.text, "connect by TLS"));
    r.c.origin.is_local = true;
    assert_known(&r, "user:ana", PRO);
    r.c.origin.is_local = false;
    r.conf.allows_plaintext_tokens = true;
    gw_auth_set_conf(r.auth, &r.conf);
    assert_known(&r, "user:ana", PRO);
    /* Nobody is anonymous because his token was not looked at. */
    r.conf.allows_plaintext_tokens = false;
    gw_auth_set_conf(r.auth, &r.conf);
    bearer(&r, "");
    assert_int_equal(ask(&r), GW_IDENTITY_REFUSED);
    finish(&r);
}

/* ---- signed tokens */

/* By a gateway of its own, so that nothing is remembered of another. */
static void assert_member(const char *own, const char *organisation, enum tier expected)
{
    struct rig r;
    begin(&r);
    snprintf(r.issuer.claims.tier, sizeof r.issuer.claims.tier, "%s", own);
    snprintf(r.issuer.claims.organisation_tier, sizeof r.issuer.claims.organisation_tier, "%s",
             organisation);
    bearer(&r, "Bearer GOOD1");
    assert_known(&r, "user:idp#7", expected);
    assert_known(&r, "user:idp#7", expected); /* remembered */
    assert_int_equal(r.issuer.asked, 1);
    finish(&r);
}

static void members_have_the_higher_tier(void **state SL_UNUSED)
{
    struct rig r;
    assert_member("free", "pro", PRO);
    assert_member("pro", "free", PRO);
    assert_member("", "pro", PRO);
    assert_member("", "anonymous", FREE);
    assert_member("free", "", FREE);
    assert_member("pro", "pro", PRO);
    begin(&r);
    snprintf(r.issuer.claims.organisation_tier, sizeof r.issuer.claims.organisation_tier, "gold");
    bearer(&r, "Bearer GOOD1");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "its tier is none of");
    finish(&r);
}

static void signed_tokens(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    bearer(&r, "Bearer GOOD1");
    assert_known(&r, "user:idp#7", PRO);
    assert_true(r.who.is_signed_in);
    assert_string_equal(r.who.organisation, "Example Ltd.");
    r.who.organisation[0] = '\0';
    assert_known(&r, "user:idp#7", PRO);
    assert_int_equal(r.issuer.asked, 1); /* remembered */
    assert_string_equal(r.who.organisation, "Example Ltd.");
    gw_auth_forget(r.auth);
    assert_known(&r, "user:idp#7", PRO);
    assert_int_equal(r.issuer.asked, 2);
    r.now += r.conf.cache_us + 1;
    assert_known(&r, "user:idp#7", PRO);
    assert_int_equal(r.issuer.asked, 3);
    r.issuer.claims.tier[0] = '\0';
    bearer(&r, "Bearer GOOD2");
    assert_known(&r, "user:idp#7", FREE);
    snprintf(r.issuer.claims.tier, sizeof r.issuer.claims.tier, "gold");
    bearer(&r, "Bearer GOOD3");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "its tier is none of");
    bearer(&r, "Bearer eyJ.x.y");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "of no issuer");
    finish(&r);
}

static void verdicts(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    bearer(&r, "Bearer GOOD");
    r.issuer.denial = (struct gw_denial){"the signature does not match", "expired 3 min ago"};
    r.issuer.verdict = GW_VERDICT_REFUSED;
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid",
                   "the signature does not match");
    r.issuer.verdict = GW_VERDICT_UNAVAILABLE;
    assert_refused(&r, SL_REASON_NO_CAPACITY,
                   "the keys of this token's issuer cannot be had now; try again later",
                   "the signature");
    r.issuer.verdict = GW_VERDICT_LATER;
    assert_int_equal(ask(&r), GW_IDENTITY_LATER);
    r.issuer.verdict = GW_VERDICT_GOOD; /* none of these was remembered */
    assert_known(&r, "user:idp#7", PRO);
    finish(&r);
}

/* ---- apps */

static void visitors_pay(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    make_app(&r, "demo");
    sign_in_ana(&r, "demo");
    assert_known(&r, "user:ana", PRO); /* the app for itself: its owner pays */
    assert_string_equal(r.who.app, "demo");
    assert_string_equal(r.who.organisation, "");
    r.c.x_ip_token = sl_span_str("GOOD-visitor");
    assert_known(&r, "user:idp#7", PRO); /* an issuer's user has his own tier */
    assert_int_equal(r.who.kind, GW_PRINCIPAL_VISITOR);
    assert_true(r.who.is_signed_in);
    assert_string_equal(r.who.app, "demo");
    assert_string_equal(r.who.organisation, "Example Ltd."); /* of who pays */
    r.issuer.claims = (struct gw_claims){
        .account = "app:demo/42", .tier = "pro", .app = "demo", .expires_at = INT64_MAX};
    r.c.x_ip_token = sl_span_str("GOOD-issued");
    assert_known(&r, "app:demo/42", ANONYMOUS); /* never above what the configuration says */
    assert_string_equal(r.who.organisation, "");
    assert_false(r.who.is_signed_in);
    r.conf.app_tiers[r.conf.app_tier_count++] = (struct gw_auth_app_tier){"demo", FREE};
    gw_auth_set_conf(r.auth, &r.conf);
    assert_known(&r, "app:demo/42", FREE);
    finish(&r);
}

static void visitors_tokens_are_never_passed_over(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    make_app(&r, "demo");
    sign_in_ana(&r, "demo");
    r.c.x_ip_token = sl_span_str("GOOD");
    r.issuer.verdict = GW_VERDICT_REFUSED;
    r.issuer.denial = (struct gw_denial){"it has expired", "expired 3 min ago"};
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "x-ip-token: expired 3 min ago",
                   "it has expired");
    assert_non_null(strstr(log_text, "app=demo"));
    r.issuer.denial.told[0] = '\0';
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "x-ip-token: not valid", "it has expired");
    r.c.x_ip_token = sl_span_str("");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "x-ip-token: not valid", "of no issuer");
    r.issuer.verdict = GW_VERDICT_GOOD;
    snprintf(r.issuer.claims.app, sizeof r.issuer.claims.app, "other");
    r.c.x_ip_token = sl_span_str("GOOD-other");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "x-ip-token: not valid", "issued to another app");
    r.issuer.verdict = GW_VERDICT_LATER;
    r.c.x_ip_token = sl_span_str("GOOD-later");
    assert_int_equal(ask(&r), GW_IDENTITY_LATER);
    finish(&r);
}

static void only_apps_bring_visitors(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.c.x_ip_token = sl_span_str("GOOD");
    assert_refused(
        &r, SL_REASON_NOT_TRUSTED,
        "x-ip-token is for registered apps alone, which call with a token of their own as "
        "authorization",
        "x-ip-token");
    sign_in_ana(&r, "");
    assert_refused(&r, SL_REASON_NOT_TRUSTED,
                   "x-ip-token is for registered apps alone; this caller's token is not an app's",
                   "x-ip-token");
    assert_int_equal(r.issuer.asked, 0);
    /* A visitor's token alone is nobody's. */
    snprintf(r.issuer.claims.app, sizeof r.issuer.claims.app, "demo");
    r.c.x_ip_token = sl_span_of(NULL, 0);
    bearer(&r, "Bearer GOOD-issued");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid",
                   "which only its app may hand on");
    finish(&r);
}

static void apps_come_and_go(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    sign_in_ana(&r, "demo");
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid",
                   "its app is not registered");
    make_app(&r, "demo");
    assert_known(&r, "user:ana", PRO);
    assert_ok(gw_apps_set_paused(gw_auth_apps(r.auth), sl_span_str("demo"), true));
    assert_refused(&r, SL_REASON_NOT_TRUSTED, "this app was paused by the operator", "paused");
    finish(&r);
}

/* ---- the rest */

static void the_log_is_not_flooded(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    bearer(&r, "Basic x");
    for (int i = 0; i < 1000; i++)
        ask(&r);
    size_t lines = 0;
    for (const char *p = log_text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    assert_int_equal(lines, GW_AUTH_LINES_PER_S);
    assert_refused(&r, SL_REASON_UNAUTHENTICATED, "the token is not valid", "left_out=990");
    finish(&r);
}

/* Each byte of a header that is good to each value: never another's identity. */
static void every_byte_of_a_token_changed(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    sign_in_ana(&r, "");
    size_t len = strlen(r.header), known = 0;
    for (size_t at = 0; at < len; at++) {
        char was = r.header[at];
        for (unsigned value = 1; value < 256; value++) {
            r.header[at] = (char)value;
            known += ask(&r) == GW_IDENTITY_KNOWN;
        }
        r.header[at] = was;
    }
    /* Every byte as it was, and the letters of "Bearer" in the other case. */
    assert_int_equal(known, len + 6);
    finish(&r);
}

static void no_memory(void **state SL_UNUSED)
{
    static const struct gw_auth_metrics nobody_counts;
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_auth_conf conf;
        struct gw_auth *a;
        struct sl_error err;
        set_conf(&conf);
        if (gw_auth_create(&f.alloc, &conf, &nobody_counts, &a, &err) == SL_OK)
            gw_auth_destroy(a);
        else
            assert_string_equal(err.text, "no memory for who may call");
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(proxies),
        cmocka_unit_test(anonymous_can_be_switched_off),
        cmocka_unit_test(cookies),
        cmocka_unit_test(api_tokens),
        cmocka_unit_test(tokens_that_are_not_good),
        cmocka_unit_test(headers_that_are_no_bearer),
        cmocka_unit_test(tokens_want_tls),
        cmocka_unit_test(signed_tokens),
        cmocka_unit_test(members_have_the_higher_tier),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(visitors_pay),
        cmocka_unit_test(visitors_tokens_are_never_passed_over),
        cmocka_unit_test(only_apps_bring_visitors),
        cmocka_unit_test(apps_come_and_go),
        cmocka_unit_test(the_log_is_not_flooded),
        cmocka_unit_test(every_byte_of_a_token_changed),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
