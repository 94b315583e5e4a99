/* test_gw_conf.c - the gateway's configuration: defaults, checks across keys, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gw_conf.h"
#include "gw_jwt.h"
#include "sl_time.h"

struct loaded {
    struct gw_conf conf;
    struct sl_conf *owner;
    struct sl_buf errors;
    sl_status status;
};

static void load_text(struct loaded *l, const char *text)
{
    char path[] = "/tmp/test_gw_conf.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    memset(l, 0, sizeof *l);
    sl_buf_init(&l->errors, &sl_alloc_malloc, 65536);
    l->status = gw_conf_load(path, &l->conf, &l->errors, &l->owner);
    unlink(path);
    assert_int_equal(sl_buf_append(&l->errors, "", 1), SL_OK);
}

static void unload(struct loaded *l)
{
    if (l->status == SL_OK)
        sl_conf_destroy(l->owner);
    sl_buf_finish(&l->errors);
}

static void assert_refused(const char *text, const char *sentence)
{
    struct loaded l;
    load_text(&l, text);
    assert_int_equal(l.status, SL_EINVAL);
    if (strstr((char *)l.errors.data, sentence) == NULL)
        fail_msg("'%s' is not in: %s", sentence, (char *)l.errors.data);
    unload(&l);
}

static void test_defaults(void **state)
{
    struct gw_conf c;
    struct sl_conf *owner;
    struct sl_buf errors;
    (void)state;
    sl_buf_init(&errors, &sl_alloc_malloc, 65536);
    assert_int_equal(gw_conf_load(NULL, &c, &errors, &owner), SL_OK);
    assert_string_equal(c.listen_grpc, "127.0.0.1:8001");
    assert_int_equal(c.limits.message_bytes, 64u << 20);
    assert_int_equal(c.calls.max_wait_ns, 60 * SL_NS_PER_S);
    assert_int_equal(c.link.security, SL_LINK_NONE);
    assert_int_equal(c.link.bulk_security, SL_LINK_NONE);
    sl_conf_destroy(owner);
    sl_buf_finish(&errors);
}

static void test_cross_checks(void **state)
{
    (void)state;
    assert_refused("listen: {grpc: localhost}\n", "listen.grpc: 'localhost' is not HOST:PORT");
    assert_refused("listen: {grpc: 'localhost:1'}\n", "has no IPv4 or IPv6 address");
    assert_refused("listen: {http: '127.0.0.1:70000'}\n", "listen.http");
    assert_refused("anonymous: {cookie_rotate: 1d}\n",
                   ": anonymous.cookie_lifetime: '90d' is more than 14 times");
    assert_refused("link: {control: 'tcp://0.0.0.0:5571'}\n", "is off this machine");
    assert_refused("link: {bulk: 'udp://127.0.0.1:1'}\n",
                   "is neither ipc://PATH nor tcp://HOST:PORT");
    assert_refused("link: {heartbeat: 2s, lost_after: 3s}\n", "is less than two heartbeats");
    assert_refused("calls: {max_wait: 60s, max_wait_limit: 10s}\n", "is less than calls.max_wait");
}

static void test_errors_name_their_line(void **state)
{
    struct loaded l;
    (void)state;
    load_text(&l, "net_threads: 0\nlink:\n  control: 'tcp://10.0.0.1:5571'\n");
    assert_int_equal(l.status, SL_EINVAL);
    assert_non_null(strstr((char *)l.errors.data, ":3: link.control"));
    unload(&l);
}

static void test_tls_keys_belong_together(void **state)
{
    struct loaded l;
    (void)state;
    assert_refused("tls: {certificate: a.pem}\n", "'a.pem' stands without tls.key");
    assert_refused("tls: {key: a.key}\n", "'a.key' stands without tls.certificate");
    assert_refused("tls: {client_ca: ca.pem, client_auth: optional}\n",
                   "'ca.pem' stands without tls.certificate and tls.key");
    assert_refused("tls: {certificate: a, key: b, client_ca: c}\n", "say optional or required");
    assert_refused("tls: {certificate: a, key: b, client_auth: required}\n",
                   "'required' needs tls.client_ca");
    assert_refused("tls: {min_version: 1.1}\n", "tls.min_version");
    load_text(&l, "tls: {certificate: a, key: b, client_ca: c, client_auth: required, "
                  "min_version: 1.3}\n");
    assert_int_equal(l.status, SL_OK);
    assert_int_equal(l.conf.tls.client_auth, GW_TLS_CLIENT_REQUIRED);
    assert_int_equal(l.conf.tls.min_version, GW_TLS_1_3);
    unload(&l);
}

static void expect_security(const char *text, int control, int bulk)
{
    struct loaded l;
    load_text(&l, text);
    assert_int_equal(l.status, SL_OK);
    assert_int_equal(l.conf.link.security, control);
    assert_int_equal(l.conf.link.bulk_security, bulk);
    unload(&l);
}

static void test_the_link_is_encrypted_off_this_machine(void **state)
{
    (void)state;
    expect_security("link: {control: 'tcp://0.0.0.0:5571', secret_key: k}\n", SL_LINK_CURVE,
                    SL_LINK_CURVE);
    expect_security("link: {bulk: 'tcp://[fd00::1]:5572', secret_key: k, bulk_security: none}\n",
                    SL_LINK_CURVE, SL_LINK_NONE);
    expect_security("link: {control: 'tcp://0.0.0.0:5571', security: none}\n", SL_LINK_NONE,
                    SL_LINK_NONE);
    expect_security("link: {security: curve, secret_key: k}\n", SL_LINK_CURVE, SL_LINK_CURVE);
    expect_security("link: {control: 'ipc:///c', bulk: 'ipc:///b'}\n", SL_LINK_NONE, SL_LINK_NONE);
    assert_refused("link: {control: 'tcp://0.0.0.0:5571'}\n",
                   "link.control: 'tcp://0.0.0.0:5571' is off this machine, where the link is "
                   "encrypted: it needs link.secret_key");
    assert_refused("link: {bulk: 'tcp://gw:5572'}\n", "link.bulk: 'tcp://gw:5572' is off this");
    assert_refused("link: {security: curve}\n", "'curve' needs link.secret_key");
    assert_refused("link: {bulk_security: curve}\n", "'curve' needs link.security: curve");
    assert_refused("link: {bulk: 'udp://1.2.3.4:5'}\n", "is neither ipc://PATH nor");
}

static void test_allowed_nodes_are_read_in_their_order(void **state)
{
    struct loaded l;
    (void)state;
    load_text(&l, "link: {allow: {gpu1: keys/gpu1.public, gpu2: 'x'}}\n");
    assert_int_equal(l.status, SL_OK);
    assert_int_equal(l.conf.link.allow.count, 2);
    const struct gw_conf_allow *allow = l.conf.link.allow.items;
    assert_string_equal(allow[0].node, "gpu1");
    assert_string_equal(allow[0].key, "keys/gpu1.public");
    assert_string_equal(allow[1].node, "gpu2");
    unload(&l);
}

static void test_split_address(void **state)
{
    char host[16];
    uint16_t port;
    (void)state;
    assert_true(gw_conf_split_address("127.0.0.1:80", host, sizeof host, &port));
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 80);
    assert_true(gw_conf_split_address("[::1]:0", host, sizeof host, &port));
    assert_string_equal(host, "::1");
    static const char *const bad[] = {
        "", ":1", "a", "a:", "a:x", "a:65536", "a:-1", "a-name-that-is-too-long:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(gw_conf_split_address(bad[i], host, sizeof host, &port));
}

static void test_issuers(void **state)
{
    static const char good[] = "issuers:\n"
                               "  corp:\n"
                               "    issuer: https://login.example.org\n"
                               "    audience: [sluice, other]\n"
                               "    jwks_url: https://login.example.org/keys\n"
                               "    algorithms: [ES256, EdDSA]\n"
                               "    claims: {organisation: org, tier: /plan/names}\n"
                               "    tiers: {gold: enterprise, silver: pro}\n"
                               "    organisations: {Example Ltd.: team}\n"
                               "  app: {issuer: app, audience: [a], jwks_file: f, "
                               "algorithms: [HS256]}\n";
    struct loaded l;
    (void)state;
    load_text(&l, good);
    if (l.status != SL_OK)
        fail_msg("%s", (char *)l.errors.data);
    const struct gw_issuer_conf *i = l.conf.issuers.items;
    assert_int_equal(l.conf.issuers.count, 2);
    assert_string_equal(i[0].name, "corp");
    assert_string_equal(i[0].user_claim, "sub");
    assert_string_equal(i[0].tier, "free");
    assert_string_equal(((const char *const *)i[0].audience.items)[1], "other");
    assert_int_equal(((const int *)i[0].algorithms.items)[1], GW_ALG_EDDSA);
    assert_string_equal(((const struct gw_issuer_tier *)i[0].tiers.items)[1].value, "silver");
    assert_int_equal(i[0].organisations.count, 1);
    const struct gw_issuer_tier *organisation = i[0].organisations.items;
    assert_string_equal(organisation->value, "Example Ltd.");
    assert_string_equal(organisation->tier, "team");
    assert_int_equal(i[1].organisations.count, 0);
    assert_int_equal(i[1].algorithms.count, 1);
    assert_int_equal(i[1].leeway_ns, 30 * SL_NS_PER_S);
    assert_int_equal(l.conf.jwks.keep_ns, 86400 * SL_NS_PER_S);
    unload(&l);
}

/* Of several the first that fits counts. */
static void test_organisations_are_put_in_order(void **state)
{
    static const char text[] =
        "issuers: {corp: {issuer: me, audience: [a], jwks_file: f, claims: {organisation: o}, "
        "organisations: {school: free, b: pro, union: enterprise, a: pro, lab: team}}}\n";
    static const char *const wanted[] = {"union", "lab", "b", "a", "school"};
    struct loaded l;
    (void)state;
    load_text(&l, text);
    if (l.status != SL_OK)
        fail_msg("%s", (char *)l.errors.data);
    const struct gw_issuer_conf *i = l.conf.issuers.items;
    const struct gw_issuer_tier *rows = i->organisations.items;
    assert_int_equal(i->organisations.count, SL_ARRAY_LEN(wanted));
    for (size_t k = 0; k < SL_ARRAY_LEN(wanted); k++)
        assert_string_equal(rows[k].value, wanted[k]);
    unload(&l);
}

#define ISSUER(keys) "issuers: {corp: {issuer: me, " keys "}}\n"
#define PLACE        "audience: [a], jwks_file: f"
#define NAME_OF_64   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_issuers_that_cannot_be(void **state)
{
    (void)state;
    assert_refused("issuers: {corp: {}}\n", "issuers.corp.issuer");
    assert_refused(ISSUER("audience: [a]"), ":1: issuers.corp: 'corp' has neither jwks_url nor");
    assert_refused(ISSUER(PLACE ", jwks_url: 'https://a/'"), "give one of");
    assert_refused(ISSUER("jwks_file: f"), "tokens for other services would be taken");
    assert_refused(ISSUER("audience: [a], jwks_url: 'http://a.example/'"), "is not https");
    assert_refused(ISSUER("audience: [a], jwks_url: 'https://u:p@a/'"), "has a user name");
    assert_refused(ISSUER("audience: [a], jwks_url: 'https://a/', algorithms: [HS256]"),
                   "needs jwks_file");
    assert_refused(ISSUER(PLACE ", algorithms: []"), "no token could be taken");
    assert_refused(ISSUER(PLACE ", algorithms: [none]"), "issuers.corp.algorithms[0]");
    assert_refused(ISSUER(PLACE ", ca: f"), "stands without jwks_url");
    assert_refused(ISSUER(PLACE ", tiers: {a: pro}"), "is of no use without claims.tier");
    assert_refused(ISSUER(PLACE ", claims: {tier: t}, tiers: {a: profi}"),
                   "issuers.corp.tiers: 'profi' is no tier");
    assert_refused(ISSUER(PLACE ", tier: gratis"), "issuers.corp.tier: 'gratis' is no tier");
    assert_refused(ISSUER(PLACE ", organisations: {a: pro}"),
                   "is of no use without claims.organisation");
    assert_refused(ISSUER(PLACE ", claims: {organisation: o}, organisations: {a: profi}"),
                   ":1: issuers.corp.organisations: 'profi' is no tier");
    assert_refused(
        ISSUER(PLACE ", claims: {organisation: o}, organisations: {" NAME_OF_64 ": pro}"),
        "is too long for an organisation: 63 bytes");
    assert_refused(ISSUER(PLACE ", claims: {user: ''}"), "nobody would be known");
    assert_refused("issuers: {'a#b': {issuer: i, " PLACE "}}\n", "is no name of");
    assert_refused("issuers: {a: {issuer: i, " PLACE "}, b: {issuer: i, " PLACE "}}\n",
                   "issuers.b.issuer: 'i' is another issuer's too");
    assert_refused("issuers: {a: {issuer: sluice, " PLACE "}}\n", "own tokens say");
    assert_refused("auth: {jwks: {max_age: 1s}}\n", "is less than auth.jwks.interval");
    assert_refused("auth: {jwks: {keep: 60s}}\n", "is less than auth.jwks.max_age");
    assert_refused("auth: {issued: {rotate: 60s}}\n", "is less than auth.issued.lifetime");
    assert_refused("auth: {issued: {issuer: ''}}\n", "auth.issued.issuer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_organisations_are_put_in_order),
        cmocka_unit_test(test_issuers_that_cannot_be),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_cross_checks),
        cmocka_unit_test(test_errors_name_their_line),
        cmocka_unit_test(test_tls_keys_belong_together),
        cmocka_unit_test(test_the_link_is_encrypted_off_this_machine),
        cmocka_unit_test(test_allowed_nodes_are_read_in_their_order),
        cmocka_unit_test(test_split_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
