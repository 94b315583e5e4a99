/* test_gw_identity.c - purses of addresses, cookies and accounts; the cookie's text; the cache of claims. */
#include "fail_alloc.h"
#include "gw_claims_cache.h"
#include "gw_cookie.h"
#include "gw_identity.h"
#include "sl_test.h"

static struct gw_address address(const char *text)
{
    struct gw_address a;
    assert_true(gw_address_parse(sl_span_str(text), &a));
    return a;
}

static void assert_purse(const struct gw_principal *p, size_t i, const char *account,
                         uint32_t thousandths)
{
    assert_true(i < p->purse_count);
    assert_string_equal(p->purses[i].account, account);
    assert_int_equal(p->purses[i].limit_thousandths, thousandths);
}

static void addresses(void **state SL_UNUSED)
{
    struct gw_principal p = {.app = "of who asked before", .organisation = "his"};
    struct gw_address a = address("203.0.113.7");
    gw_identity_of_address(&a, 3, &p);
    assert_int_equal(p.kind, GW_PRINCIPAL_ADDRESS);
    assert_int_equal(p.tier, 3);
    assert_false(p.is_admin || p.is_signed_in);
    assert_string_equal(p.app, "");
    assert_string_equal(p.organisation, "");
    assert_int_equal(p.purse_count, 1);
    assert_purse(&p, 0, "ip:203.0.113.7", 1000);
    a = address("2001:db8:1:2345:6:7:8:9");
    gw_identity_of_address(&a, 0, &p);
    assert_int_equal(p.purse_count, 3);
    assert_purse(&p, 0, "ip:2001:db8:1:2345::/64", 1000);
    assert_purse(&p, 1, "ip:2001:db8:1:2300::/56", 4000);
    assert_purse(&p, 2, "ip:2001:db8:1::/48", 16000);
    a = address("::ffff:203.0.113.7");
    gw_identity_of_address(&a, 0, &p);
    assert_purse(&p, 0, "ip:203.0.113.7", 1000);
    a = (struct gw_address){0};
    gw_identity_of_address(&a, 0, &p);
    assert_purse(&p, 0, "ip:?", 1000);
}

static void cookies_spend_in_their_address(void **state SL_UNUSED)
{
    struct gw_principal p;
    struct gw_address a = address("203.0.113.7");
    gw_identity_of_cookie("00ff", &a, 10, 1, &p);
    assert_int_equal(p.kind, GW_PRINCIPAL_COOKIE);
    assert_int_equal(p.purse_count, 2);
    assert_purse(&p, 0, "cookie:00ff", 1000);
    assert_purse(&p, 1, "ip:203.0.113.7", 10000);
    a = address("2001:db8:1:2345::9");
    gw_identity_of_cookie("00ff", &a, GW_COOKIES_PER_ADDRESS_MAX, 1, &p);
    assert_int_equal(p.purse_count, 3);
    assert_purse(&p, 1, "ip:2001:db8:1:2345::/64", 100000000);
    assert_purse(&p, 2, "ip:2001:db8:1::/48", 1600000000);
}

static void accounts(void **state SL_UNUSED)
{
    struct gw_principal p;
    gw_identity_of_account(sl_span_str("user:ana"), GW_PRINCIPAL_USER, 2, &p);
    assert_int_equal(p.purse_count, 1);
    assert_purse(&p, 0, "user:ana", 1000);
    /* A visitor whom an app knows by address is the same visitor as one who comes by himself. */
    gw_identity_of_account(sl_span_str("ip:203.0.113.7"), GW_PRINCIPAL_VISITOR, 0, &p);
    assert_purse(&p, 0, "ip:203.0.113.7", 1000);
    gw_identity_of_account(sl_span_str("ip:2001:db8:1:2345::/64"), GW_PRINCIPAL_VISITOR, 0, &p);
    assert_int_equal(p.purse_count, 3);
    assert_purse(&p, 0, "ip:2001:db8:1:2345::/64", 1000);
    assert_purse(&p, 2, "ip:2001:db8:1::/48", 16000);
    char text[400];
    memset(text, 'x', sizeof text);
    gw_identity_of_account(sl_span_of(text, sizeof text), GW_PRINCIPAL_USER, 2, &p);
    assert_int_equal(strlen(p.purses[0].account), GW_ACCOUNT_NAME_MAX);
}

static void tiers(void **state SL_UNUSED)
{
    const struct gw_tiers t = {
        .tiers = {{.name = "anonymous", .daily_us = 120, .weight = 1},
                  {.name = "pro", .daily_us = 1500, .weight = 16},
                  {.name = "enterprise", .daily_us = 2700, .weight = 16},
                  {.name = "twin", .daily_us = 1500, .weight = 16},
                  {.name = "slow", .daily_us = 9000, .weight = 4},
                  {.name = "team", .daily_us = 1500, .weight = 16, .apps = 50},
                  {.name = "wide", .daily_us = 1500, .weight = 16, .in_flight = 2}},
        .tier_count = 7};
    assert_int_equal(gw_tiers_index(&t, "pro"), 1);
    assert_int_equal(gw_tiers_index(&t, "gold"), -1);
    assert_int_equal(gw_tiers_lower(&t, 0, 1), 0);
    assert_int_equal(gw_tiers_lower(&t, 2, 1), 1);
    assert_int_equal(gw_tiers_lower(&t, 1, 1), 1);
    assert_int_equal(gw_tiers_lower(&t, 1, 3), 1); /* even: the first of the two */
    assert_int_equal(gw_tiers_lower(&t, 3, 1), 3);
    assert_int_equal(gw_tiers_higher(&t, 0, 1), 1);
    assert_int_equal(gw_tiers_higher(&t, 2, 1), 2);
    assert_int_equal(gw_tiers_higher(&t, 4, 1), 1); /* the weight before the time */
    assert_int_equal(gw_tiers_higher(&t, 1, 1), 1);
    assert_int_equal(gw_tiers_higher(&t, 1, 3), 1);
    assert_int_equal(gw_tiers_higher(&t, 3, 1), 3);
    assert_int_equal(gw_tiers_lower(&t, 5, 1), 1); /* pro and team differ by apps alone */
    assert_int_equal(gw_tiers_higher(&t, 1, 5), 5);
    assert_int_equal(gw_tiers_higher(&t, 5, 6), 6); /* calls in flight before apps */
}

/* ---- cookies' texts */

static size_t make_cookie(char out[GW_COOKIE_TEXT_MAX + 1])
{
    uint8_t id[GW_COOKIE_ID_BYTES], mac[GW_COOKIE_MAC_BYTES];
    for (unsigned i = 0; i < sizeof mac; i++)
        mac[i] = (uint8_t)(255 - i);
    for (unsigned i = 0; i < sizeof id; i++)
        id[i] = (uint8_t)(i * 17);
    return gw_cookie_add_mac(out, gw_cookie_write_signed(id, 1700000000, 3, out), mac);
}

static void cookies_are_read_as_written(void **state SL_UNUSED)
{
    char text[GW_COOKIE_TEXT_MAX + 1], header[300];
    size_t len = make_cookie(text);
    struct gw_cookie c;
    assert_int_equal(len, strlen(text));
    snprintf(header, sizeof header, "theme=dark; " GW_COOKIE_NAME "=%s;x=y", text);
    struct sl_span value = gw_cookie_find(sl_span_str(header));
    assert_span_text(value, text);
    assert_true(gw_cookie_parse(value, &c));
    assert_string_equal(c.id, "00112233445566778899aabbccddeeff");
    assert_int_equal(c.issued_s, 1700000000);
    assert_int_equal(c.key, 3);
    assert_int_equal(c.mac[1], 254);
    assert_span_text(c.signed_text, "00112233445566778899aabbccddeeff.1700000000.3");
}

static void headers_without_ours(void **state SL_UNUSED)
{
    static const char *const headers[] = {"",
                                          ";",
                                          ";;; ",
                                          "sluice-visitor",
                                          "sluice-visitors=1",
                                          "x-sluice-visitor=1",
                                          "a=sluice-visitor=1"};
    for (size_t i = 0; i < SL_ARRAY_LEN(headers); i++)
        assert_null(gw_cookie_find(sl_span_str(headers[i])).data);
    assert_span_text(gw_cookie_find(sl_span_str("sluice-visitor=")), "");
    assert_span_text(gw_cookie_find(sl_span_str("a=b;sluice-visitor=1; sluice-visitor=2")), "1");
}

/* Each byte to each value: another cookie, or none; never the same one by another text. */
static void every_byte_of_a_cookie_changed(void **state SL_UNUSED)
{
    char good[GW_COOKIE_TEXT_MAX + 1], text[GW_COOKIE_TEXT_MAX + 1];
    size_t len = make_cookie(good);
    struct gw_cookie was, now;
    assert_true(gw_cookie_parse(sl_span_of(good, len), &was));
    for (size_t at = 0; at < len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            memcpy(text, good, sizeof text);
            text[at] = (char)value;
            if (text[at] == good[at] || !gw_cookie_parse(sl_span_of(text, len), &now))
                continue;
            assert_false(strcmp(was.id, now.id) == 0 && was.issued_s == now.issued_s &&
                         was.key == now.key && memcmp(was.mac, now.mac, sizeof was.mac) == 0);
        }
        assert_false(gw_cookie_parse(sl_span_of(good, at), &now));
    }
    static const char *const bad[] = {"..", "...", "a.b.c.d", ".1700000000.3."};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_false(gw_cookie_parse(sl_span_str(bad[i]), &now));
}

/* ---- claims that were verified */

static const struct gw_claims *find(struct gw_claims_cache *c, unsigned number, sl_wall_us now)
{
    uint8_t digest[GW_CLAIMS_DIGEST_BYTES] = {0};
    memcpy(digest, &number, sizeof number);
    return gw_claims_cache_find(c, digest, now);
}

static void put(struct gw_claims_cache *c, unsigned number, sl_wall_us expires_at, sl_wall_us now)
{
    uint8_t digest[GW_CLAIMS_DIGEST_BYTES] = {0};
    struct gw_claims claims = {.expires_at = expires_at};
    snprintf(claims.account, sizeof claims.account, "user:%u", number);
    memcpy(digest, &number, sizeof number);
    gw_claims_cache_put(c, digest, &claims, now);
}

static void claims_are_kept_a_while(void **state SL_UNUSED)
{
    struct gw_claims_cache *c;
    assert_ok(gw_claims_cache_create(&sl_alloc_malloc, 4, 60, &c));
    put(c, 1, 1000, 100);
    assert_string_equal(find(c, 1, 160)->account, "user:1");
    assert_null(find(c, 1, 161)); /* kept for 60 */
    put(c, 1, 120, 100);
    assert_non_null(find(c, 1, 119));
    assert_null(find(c, 1, 120)); /* its own end */
    put(c, 1, 1000, 100);
    assert_null(find(c, 1, 99)); /* of the clock's future */
    assert_int_equal(gw_claims_cache_count(c), 0);
    gw_claims_cache_destroy(c);
}

static void the_longest_unseen_leaves_first(void **state SL_UNUSED)
{
    struct gw_claims_cache *c;
    assert_ok(gw_claims_cache_create(&sl_alloc_malloc, 4, 1000, &c));
    for (unsigned i = 0; i < 4; i++)
        put(c, i, 1000, 1);
    assert_non_null(find(c, 0, 1));
    put(c, 2, 1000, 1);
    put(c, 4, 1000, 1);
    assert_null(find(c, 1, 1));
    assert_non_null(find(c, 0, 1));
    assert_non_null(find(c, 2, 1));
    assert_non_null(find(c, 3, 1));
    assert_non_null(find(c, 4, 1));
    gw_claims_cache_clear(c);
    assert_null(find(c, 0, 1));
    assert_int_equal(gw_claims_cache_count(c), 0);
    gw_claims_cache_destroy(c);
}

static void a_cache_without_memory(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_claims_cache *c;
        if (gw_claims_cache_create(&f.alloc, 20, 1000, &c) == SL_OK) {
            for (unsigned n = 0; n < 40; n++)
                put(c, n, 1000, 1);
            assert_true(gw_claims_cache_count(c) <= 20);
            gw_claims_cache_destroy(c);
        }
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(cookies_spend_in_their_address),
        cmocka_unit_test(accounts),
        cmocka_unit_test(tiers),
        cmocka_unit_test(cookies_are_read_as_written),
        cmocka_unit_test(headers_without_ours),
        cmocka_unit_test(every_byte_of_a_cookie_changed),
        cmocka_unit_test(claims_are_kept_a_while),
        cmocka_unit_test(the_longest_unseen_leaves_first),
        cmocka_unit_test(a_cache_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
