/* test_gw_visits.c - which cookie a visitor gets: by what he brought, by the keys, by the configuration; asked
 * on one thread while another changes all of it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_auth.h"
#include "sl_log.h"
#include "sl_test.h"

#define DAY (86400 * SL_US_PER_S)

static const sl_wall_us begin_at = 1700000000 * SL_US_PER_S;

struct rig {
    struct gw_tiers tiers;
    struct gw_auth_conf conf;
    struct gw_auth *auth;
    struct gw_visit visit;
    struct gw_visit_answer told;
    struct sl_error err;
    sl_wall_us now;
};

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

static void begin_in(struct rig *r, const char *state_dir)
{
    static const struct gw_auth_metrics nobody_counts;
    *r = (struct rig){
        .now = begin_at,
        .tiers = {.tiers = {{.name = "anonymous"}, {.name = "campus"}}, .tier_count = 2},
        .visit = {.peer = address("203.0.113.7")},
    };
    r->conf = (struct gw_auth_conf){
        .tiers = &r->tiers,
        .serves_anonymous = true,
        .cookies_per_address = 10,
        .cookies = {.rotate_us = 30 * DAY, .lifetime_us = 90 * DAY},
        .state_dir = state_dir,
        .tokens_max = 1,
        .apps_max = 1,
        .cache_max = 1,
    };
    add_range(&r->conf.networks, "198.51.100.0/24", 1);
    add_range(&r->conf.trusted_proxies, "10.0.0.0/8", 0);
    assert_ok(gw_auth_create(&sl_alloc_malloc, &r->conf, &nobody_counts, &r->auth, &r->err));
}

static void begin(struct rig *r)
{
    begin_in(r, "");
    gw_auth_tick(r->auth, r->now);
}

static void finish(struct rig *r)
{
    gw_auth_destroy(r->auth);
}

static sl_status visit(struct rig *r)
{
    return gw_visits_answer(gw_auth_visits(r->auth), &r->visit, r->now, &r->told, &r->err);
}

/* Brings text; what is told is in r->told. */
static void expect(struct rig *r, const char *text, enum gw_visit_cookie what)
{
    char brought[GW_COOKIE_TEXT_MAX + 1] = "";
    strncat(brought, text, GW_COOKIE_TEXT_MAX);
    r->visit.cookie = text[0] != '\0' ? sl_span_str(brought) : sl_span_of(NULL, 0);
    assert_ok(visit(r));
    assert_string_equal(gw_visit_cookie_name(r->told.what), gw_visit_cookie_name(what));
    assert_int_equal(r->told.cookie[0] == '\0', what == GW_VISIT_KEPT);
}

/* The account that the cookie is in a call. */
static void expect_account(struct rig *r, const char *cookie, const char *id)
{
    struct gw_principal who;
    char account[GW_ACCOUNT_NAME_MAX + 1];
    const struct gw_credentials c = {.origin = {.address = address("203.0.113.7")},
                                     .cookie = sl_span_str(cookie)};
    assert_int_equal(gw_auth_identify(r->auth, &c, r->now, &who, &r->err), GW_IDENTITY_KNOWN);
    snprintf(account, sizeof account, "cookie:%.32s", id);
    assert_string_equal(gw_principal_name(&who), account);
}

static void a_cookie_is_given_once(void **state SL_UNUSED)
{
    struct rig r;
    char first[GW_COOKIE_TEXT_MAX + 1];
    begin(&r);
    expect(&r, "", GW_VISIT_NEW);
    memcpy(first, r.told.cookie, sizeof first);
    assert_int_equal(r.told.lifetime_s, 90 * 86400);
    assert_int_equal(r.told.expires_at, begin_at + 90 * DAY);
    assert_string_equal(r.told.tier, "anonymous");
    expect_account(&r, first, first);
    expect(&r, "", GW_VISIT_NEW);
    assert_string_not_equal(r.told.cookie, first); /* somebody else's */
    r.now += 10 * DAY;
    expect(&r, first, GW_VISIT_KEPT);
    assert_int_equal(r.told.expires_at, begin_at + 90 * DAY);
    finish(&r);
}

static void a_cookie_that_is_not_good_is_replaced(void **state SL_UNUSED)
{
    struct rig r;
    char first[GW_COOKIE_TEXT_MAX + 1], bad[GW_COOKIE_TEXT_MAX + 1];
    begin(&r);
    expect(&r, "", GW_VISIT_NEW);
    memcpy(first, r.told.cookie, sizeof first);
    for (size_t i = 0; i < strlen(first); i++) {
        memcpy(bad, first, sizeof bad);
        bad[i] = bad[i] == '1' ? '2' : '1';
        expect(&r, bad, GW_VISIT_NEW);
        assert_memory_not_equal(r.told.cookie, bad, GW_COOKIE_ID_LEN);
    }
    expect(&r, "x", GW_VISIT_NEW);
    r.now += 90 * DAY + SL_US_PER_S;
    expect(&r, first, GW_VISIT_NEW); /* too old */
    finish(&r);
}

/* Signed anew past half its life or by a newer key; its id, and so its purse, stays. */
static void a_cookie_is_renewed(void **state SL_UNUSED)
{
    struct rig r;
    char first[GW_COOKIE_TEXT_MAX + 1], second[GW_COOKIE_TEXT_MAX + 1];
    begin(&r);
    r.conf.cookies.rotate_us = 300 * DAY;
    gw_auth_set_conf(r.auth, &r.conf);
    expect(&r, "", GW_VISIT_NEW);
    memcpy(first, r.told.cookie, sizeof first);
    r.now += 45 * DAY;
    expect(&r, first, GW_VISIT_KEPT);
    r.now += SL_US_PER_S;
    expect(&r, first, GW_VISIT_RENEWED);
    memcpy(second, r.told.cookie, sizeof second);
    assert_memory_equal(first, second, GW_COOKIE_ID_LEN);
    assert_int_equal(r.told.expires_at, r.now + 90 * DAY);
    expect_account(&r, second, first);
    expect(&r, second, GW_VISIT_KEPT);
    r.conf.cookies.rotate_us = 30 * DAY; /* now a new key is due */
    gw_auth_set_conf(r.auth, &r.conf);
    expect(&r, second, GW_VISIT_KEPT);
    gw_auth_tick(r.auth, r.now);
    expect(&r, second, GW_VISIT_RENEWED);
    assert_memory_equal(first, r.told.cookie, GW_COOKIE_ID_LEN);
    expect_account(&r, r.told.cookie, first);
    expect_account(&r, second, first); /* good still */
    finish(&r);
}

static void the_tier_is_that_of_the_address(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.visit.forwarded = sl_span_str("198.51.100.9");
    expect(&r, "", GW_VISIT_NEW);
    assert_string_equal(r.told.tier, "anonymous"); /* not from a proxy */
    r.visit.peer = address("10.1.2.3");
    expect(&r, "", GW_VISIT_NEW);
    assert_string_equal(r.told.tier, "campus");
    snprintf(r.tiers.tiers[1].name, sizeof r.tiers.tiers[1].name, "renamed");
    expect(&r, "", GW_VISIT_NEW);
    assert_string_equal(r.told.tier, "campus"); /* until the reload that changed it */
    gw_auth_set_conf(r.auth, &r.conf);
    expect(&r, "", GW_VISIT_NEW);
    assert_string_equal(r.told.tier, "renamed");
    finish(&r);
}

static void tls_is_what_a_proxy_says(void **state SL_UNUSED)
{
    static const struct {
        const char *peer, *proto;
        bool is_secure;
    } cases[] = {{"203.0.113.7", "https", false},    {"10.1.2.3", "https", true},
                 {"10.1.2.3", "HTTPS, http", true},  {"10.1.2.3", "http", false},
                 {"10.1.2.3", "http, https", false}, {"10.1.2.3", "httpsx", false},
                 {"10.1.2.3", "http", false},        {"10.1.2.3", "", false}};
    struct rig r;
    begin(&r);
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        r.visit.peer = address(cases[i].peer);
        r.visit.forwarded_proto = sl_span_str(cases[i].proto);
        expect(&r, "", GW_VISIT_NEW);
        assert_int_equal(r.told.is_secure, cases[i].is_secure);
    }
    finish(&r);
}

static void who_is_not_served_gets_none(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    r.conf.serves_anonymous = false;
    gw_auth_set_conf(r.auth, &r.conf);
    assert_status(visit(&r), SL_EINVAL);
    assert_int_equal(r.err.reason, SL_REASON_NOT_TRUSTED);
    assert_string_equal(r.err.text, "Callers without a token are not served here.");
    snprintf(r.conf.sign_in_url, sizeof r.conf.sign_in_url, "https://in.test/");
    gw_auth_set_conf(r.auth, &r.conf);
    assert_status(visit(&r), SL_EINVAL);
    assert_string_equal(
        r.err.text, "Callers without a token are not served here: sign in at https://in.test/.");
    finish(&r);
}

/* The directory comes back: a minute after the last attempt there is a key. */
static void without_a_key_there_is_none(void **state SL_UNUSED)
{
    char dir[] = "/tmp/visits.XXXXXX", file[64];
    struct rig r;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(rmdir(dir), 0);
    begin_in(&r, dir);
    assert_status(visit(&r), SL_ENOENT);
    gw_auth_tick(r.auth, r.now);
    assert_status(visit(&r), SL_ENOENT);
    assert_int_equal(r.err.reason, SL_REASON_NO_CAPACITY);
    assert_int_equal(mkdir(dir, 0700), 0);
    r.now += 59 * SL_US_PER_S;
    gw_auth_tick(r.auth, r.now);
    assert_status(visit(&r), SL_ENOENT);
    r.now += SL_US_PER_S;
    gw_auth_tick(r.auth, r.now);
    expect(&r, "", GW_VISIT_NEW);
    snprintf(file, sizeof file, "%s/cookie.keys", dir);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(dir), 0);
    finish(&r);
}

/* ---- two threads */

struct asker {
    struct gw_visits *visits;
    sl_wall_us now;
    atomic_bool is_over;
    atomic_uint answers;
    unsigned faults;
};

/* Each cookie is taken back to where it came from. */
static void *ask_on(void *ctx)
{
    struct asker *a = ctx;
    struct gw_visit_answer told;
    struct sl_error err;
    char brought[GW_COOKIE_TEXT_MAX + 1] = "";
    while (!atomic_load(&a->is_over)) {
        const struct gw_visit v = {.peer = {.family = 4}, .cookie = sl_span_str(brought)};
        sl_status s = gw_visits_answer(a->visits, &v, a->now, &told, &err);
        a->faults += s != SL_OK && s != SL_EINVAL;
        a->faults += s == SL_OK && brought[0] != '\0' && told.what == GW_VISIT_NEW;
        atomic_fetch_add(&a->answers, 1);
        if (s == SL_OK && told.what != GW_VISIT_KEPT)
            memcpy(brought, told.cookie, sizeof brought);
    }
    return NULL;
}

static void all_changes_while_it_answers(void **state SL_UNUSED)
{
    enum { CHANGES = 2000, ANSWERS = 200 };
    struct rig r;
    pthread_t thread;
    begin(&r);
    struct asker a = {.visits = gw_auth_visits(r.auth), .now = begin_at};
    assert_int_equal(pthread_create(&thread, NULL, ask_on, &a), 0);
    for (int i = 0; i < CHANGES || atomic_load(&a.answers) < ANSWERS; i++) {
        r.conf.serves_anonymous = i % 8 != 0;
        snprintf(r.tiers.tiers[0].name, sizeof r.tiers.tiers[0].name, "tier%d", i);
        gw_auth_set_conf(r.auth, &r.conf);
        if (i % 200 == 0 && i < CHANGES) { /* at most as many keys as a ring has */
            r.now += 30 * DAY + SL_US_PER_S;
            r.conf.cookies.lifetime_us = 1000 * DAY;
        }
        gw_auth_tick(r.auth, r.now);
    }
    atomic_store(&a.is_over, true);
    pthread_join(thread, NULL);
    assert_int_equal(a.faults, 0);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cookie_is_given_once),
        cmocka_unit_test(a_cookie_that_is_not_good_is_replaced),
        cmocka_unit_test(a_cookie_is_renewed),
        cmocka_unit_test(the_tier_is_that_of_the_address),
        cmocka_unit_test(tls_is_what_a_proxy_says),
        cmocka_unit_test(who_is_not_served_gets_none),
        cmocka_unit_test(without_a_key_there_is_none),
        cmocka_unit_test(all_changes_while_it_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
