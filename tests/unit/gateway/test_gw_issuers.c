/* test_gw_issuers.c - tokens of configured issuers: every rule that can refuse one, every changed byte, what
 * claims become, and the keys: fetched once, kept through an outage, not fetched for an attacker. */
#include <stdlib.h>
#include <unistd.h>

#include "gw_issuers.h"
#include "jwt_maker.h"
#include "sl_log.h"
#include "sl_test.h"

#define NOW         (INT64_C(1800000000) * SL_US_PER_S)
#define S           SL_NS_PER_S
#define GOOD        "\"iss\":\"https://issuer\",\"aud\":\"sluice\",\"sub\":\"alice\",\"exp\":1800000060"
#define CLAIM(more) "{" GOOD "," more "}"

/* ---- a rig: one issuer by URL with a key of each kind, and a port that a test answers for ---- */

struct rig {
    struct gw_issuers *issuers;
    struct jwt_key **keys;                      /* [GW_ALG_COUNT] */
    char set[(GW_ALG_COUNT + 1) * JWT_JWK_MAX]; /* without the secret */
    struct sl_error error;
    sl_mono_ns now;
    unsigned fetch_count;
    uint64_t last_id;
    bool is_full;
};

static const char *const audiences[] = {"other", "sluice"};
static const int all_algorithms[] = {GW_ALG_HS256, GW_ALG_RS256, GW_ALG_PS256, GW_ALG_ES256,
                                     GW_ALG_EDDSA};
static const struct gw_issuer_tier tiers[] = {{"gold", "enterprise"}, {"silver", "pro"}};
static const struct gw_issuer_tier organisations[] = {{"Example Ltd.", "team"}, {"lab", "pro"}};
static const struct gw_jwks_conf ages = {
    .interval_ns = 30 * S, .max_age_ns = 3600 * S, .keep_ns = 86400 * S, .timeout_ns = 5 * S};

static struct gw_issuer_conf issuer_conf(void)
{
    return (struct gw_issuer_conf){
        .name = "corp",
        .issuer = "https://issuer",
        .audience = {(void *)(uintptr_t)audiences, SL_ARRAY_LEN(audiences)},
        .jwks_url = "https://issuer/keys",
        .jwks_file = "",
        .ca = "",
        .algorithms = {(void *)(uintptr_t)all_algorithms, SL_ARRAY_LEN(all_algorithms)},
        .user_claim = "sub",
        .organisation_claim = "org",
        .tier_claim = "/plan/names",
        .tiers = {(void *)(uintptr_t)tiers, SL_ARRAY_LEN(tiers)},
        .tier = "free",
        .organisations = {(void *)(uintptr_t)organisations, SL_ARRAY_LEN(organisations)},
        .leeway_ns = 30 * S,
    };
}

static sl_status on_start(void *ctx, uint64_t id, const char *url, const char *ca,
                          int64_t timeout_ns)
{
    struct rig *r = ctx;
    assert_string_equal(url, "https://issuer/keys");
    assert_string_equal(ca, "");
    assert_int_equal(timeout_ns, 5 * S);
    r->fetch_count++;
    r->last_id = id;
    return r->is_full ? SL_EFULL : SL_OK;
}

static void load(struct rig *r, const struct gw_issuer_conf *c)
{
    struct gw_issuers_conf conf = {c, 1, ages};
    assert_ok(gw_issuers_load(r->issuers, &conf, r->now, &r->error));
}

/* Made once: RSA keys take their time. */
static struct jwt_key *all_keys[GW_ALG_COUNT];

static int make_keys(void **state SL_UNUSED)
{
    for (enum gw_alg a = 0; a < GW_ALG_COUNT; a++)
        all_keys[a] = jwt_key_create(a, gw_alg_names[a]);
    return 0;
}

static int destroy_keys(void **state SL_UNUSED)
{
    for (enum gw_alg a = 0; a < GW_ALG_COUNT; a++)
        jwt_key_destroy(all_keys[a]);
    return 0;
}

static int setup(void **state)
{
    static struct rig r;
    struct gw_fetch_port port = {&r, on_start};
    r = (struct rig){.now = 1000 * S, .keys = all_keys};
    snprintf(r.set, sizeof r.set, "{\"keys\":[%s,%s,%s,%s]}", jwt_key_jwk(r.keys[GW_ALG_RS256]),
             jwt_key_jwk(r.keys[GW_ALG_PS256]), jwt_key_jwk(r.keys[GW_ALG_ES256]),
             jwt_key_jwk(r.keys[GW_ALG_EDDSA]));
    assert_ok(gw_issuers_create(&port, &r.issuers));
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    gw_issuers_destroy(r->issuers);
    return 0;
}

/* The fetch under way brings this set; NULL: it fails. */
static void answer(struct rig *r, const char *set, int64_t max_age_ns)
{
    struct gw_fetched f = {.id = r->last_id, .max_age_ns = max_age_ns, .why = "no answer"};
    if (set != NULL) {
        f.why[0] = '\0';
        assert_ok(gw_jwks_parse(sl_span_str(set), false, &f.keys, &r->error));
    }
    gw_issuers_on_fetched(r->issuers, &f, r->now);
}

static void pass(struct rig *r, int64_t seconds)
{
    r->now += seconds * S;
    gw_issuers_tick(r->issuers, r->now);
}

static void load_with_keys(struct rig *r)
{
    struct gw_issuer_conf c = issuer_conf();
    load(r, &c);
    answer(r, r->set, -1);
}

static enum gw_verdict verify(struct rig *r, const char *token, struct gw_claims *out,
                              struct gw_denial *denial)
{
    return gw_issuers_verify(r->issuers, sl_span_str(token), NOW, out, denial);
}

static enum gw_verdict verdict(struct rig *r, const char *token)
{
    struct gw_claims claims;
    struct gw_denial denial;
    return verify(r, token, &claims, &denial);
}

static enum gw_verdict verdict_of_claims(struct rig *r, const char *claims, struct gw_claims *out,
                                         struct gw_denial *denial)
{
    char token[JWT_TEXT_MAX];
    jwt_make(r->keys[GW_ALG_ES256], claims, token);
    return verify(r, token, out, denial);
}

static void expect_good(struct rig *r, const char *claims, struct gw_claims *out)
{
    struct gw_denial denial;
    if (verdict_of_claims(r, claims, out, &denial) != GW_VERDICT_GOOD)
        fail_msg("%s: %s", claims, denial.why);
}

static void expect_refused(struct rig *r, const char *claims, const char *why)
{
    struct gw_claims out;
    struct gw_denial denial;
    if (verdict_of_claims(r, claims, &out, &denial) != GW_VERDICT_REFUSED)
        fail_msg("not refused: %s", claims);
    if (strstr(denial.why, why) == NULL)
        fail_msg("%s: got '%s', wanted '%s'", claims, denial.why, why);
}

/* ---- tokens ---- */

static void each_algorithm_is_verified(void **state)
{
    struct rig *r = *state;
    char token[JWT_TEXT_MAX];
    load_with_keys(r);
    for (enum gw_alg a = GW_ALG_RS256; a < GW_ALG_COUNT; a++) {
        jwt_make(r->keys[a], "{" GOOD "}", token);
        if (verdict(r, token) != GW_VERDICT_GOOD)
            fail_msg("%s", gw_alg_names[a]);
    }
}

static void secrets_come_from_a_file(void **state)
{
    struct rig *r = *state;
    struct gw_issuer_conf c = issuer_conf();
    char path[] = "/tmp/test_gw_issuers.XXXXXX", token[JWT_TEXT_MAX];
    int fd = mkstemp(path); /* 0600 */
    assert_true(fd >= 0);
    dprintf(fd, "{\"keys\":[%s]}", jwt_key_jwk(r->keys[GW_ALG_HS256]));
    close(fd);
    c.jwks_url = "";
    c.jwks_file = path;
    load(r, &c);
    unlink(path);
    jwt_make(r->keys[GW_ALG_HS256], "{" GOOD "}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    jwt_make(r->keys[GW_ALG_RS256], "{" GOOD "}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_REFUSED);
    assert_int_equal(r->fetch_count, 0);
    struct gw_issuers_conf conf = {&c, 1, ages}; /* the file is gone: all stays as it was */
    assert_status(gw_issuers_load(r->issuers, &conf, r->now, &r->error), SL_EIO);
    assert_non_null(strstr(r->error.text, "issuers.corp.jwks_file"));
    jwt_make(r->keys[GW_ALG_HS256], "{" GOOD "}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
}

/* Each byte of the token becomes each of some others: never good. */
static void no_changed_byte_passes(void **state)
{
    struct rig *r = *state;
    static const char others[] = {'A', 'g', '_', '.', '=', '\0', '\x80'};
    char token[JWT_TEXT_MAX];
    struct gw_claims claims;
    struct gw_denial denial;
    load_with_keys(r);
    for (enum gw_alg a = GW_ALG_RS256; a < GW_ALG_COUNT; a++) {
        jwt_make(r->keys[a], "{" GOOD "}", token);
        size_t len = strlen(token);
        for (size_t i = 0; i < len * sizeof others; i++) {
            char was = token[i / sizeof others], is = others[i % sizeof others];
            if (was == is)
                continue;
            token[i / sizeof others] = is;
            if (gw_issuers_verify(r->issuers, sl_span_of(token, len), NOW, &claims, &denial) ==
                GW_VERDICT_GOOD)
                fail_msg("%s: byte %zu as 0x%02x", gw_alg_names[a], i / sizeof others, is);
            token[i / sizeof others] = was;
        }
        assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    }
}

static void no_shorter_token_passes(void **state)
{
    struct rig *r = *state;
    char token[JWT_TEXT_MAX];
    struct gw_claims claims;
    struct gw_denial denial;
    load_with_keys(r);
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    for (size_t len = 0; len < strlen(token); len++)
        assert_int_not_equal(
            gw_issuers_verify(r->issuers, sl_span_of(token, len), NOW, &claims, &denial),
            GW_VERDICT_GOOD);
}

static void tokens_of_others_are_not_ours(void **state)
{
    struct rig *r = *state;
    char token[JWT_TEXT_MAX];
    assert_int_equal(verdict(r, "a.b.c"), GW_VERDICT_REFUSED);
    assert_int_equal(verdict(r, "sl_0123"), GW_VERDICT_UNKNOWN);
    load_with_keys(r);
    jwt_make(r->keys[GW_ALG_ES256], "{\"iss\":\"https://elsewhere\"}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_UNKNOWN);
    jwt_make(r->keys[GW_ALG_ES256], "{\"iss\":[\"https://issuer\"]}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_UNKNOWN);
    jwt_make(r->keys[GW_ALG_ES256], "{}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_UNKNOWN);
}

static void forged_headers_are_refused(void **state)
{
    struct rig *r = *state;
    const struct {
        enum gw_alg key, sign;
        const char *header;
    } rows[] = {
        {GW_ALG_ES256, GW_ALG_ES256, "{\"alg\":\"none\",\"kid\":\"ES256\"}"},
        {GW_ALG_ES256, GW_ALG_ES256, "{\"alg\":\"ES256\",\"kid\":\"ES256\",\"crit\":[\"exp\"]}"},
        {GW_ALG_ES256, GW_ALG_ES256, "{\"alg\":\"ES256\",\"kid\":\"ES256\",\"typ\":\"x+jwt\"}"},
        {GW_ALG_RS256, GW_ALG_HS256, "{\"alg\":\"HS256\",\"kid\":\"RS256\"}"},
        {GW_ALG_RS256, GW_ALG_HS256, "{\"alg\":\"HS256\"}"},
        {GW_ALG_RS256, GW_ALG_RS256, "{\"alg\":\"RS256\",\"kid\":\"PS256\"}"},
        {GW_ALG_RS256, GW_ALG_RS256, "{\"alg\":\"PS256\",\"kid\":\"RS256\"}"},
        {GW_ALG_RS256, GW_ALG_RS256, "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}"},
        {GW_ALG_RS256, GW_ALG_RS256, "{\"alg\":\"RS256\",\"kid\":\"' or 1=1 --\"}"},
        {GW_ALG_RS256, GW_ALG_RS256, "{\"alg\":\"RS256\"}"}, /* two RSA keys, no kid */
        {GW_ALG_HS256, GW_ALG_HS256, "{\"alg\":\"HS256\",\"kid\":\"HS256\"}"},
    };
    load_with_keys(r);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        char token[JWT_TEXT_MAX];
        jwt_sign(r->keys[rows[i].key], rows[i].sign, rows[i].header, "{" GOOD "}", token);
        if (verdict(r, token) != GW_VERDICT_REFUSED)
            fail_msg("not refused: %s", rows[i].header);
    }
}

/* The attacker's own key, in the token's header. */
static void a_key_in_the_header_is_not_looked_at(void **state)
{
    struct rig *r = *state;
    struct jwt_key *own = jwt_key_create(GW_ALG_ES256, "ES256");
    char header[JWT_JWK_MAX + 64], token[JWT_TEXT_MAX];
    load_with_keys(r);
    snprintf(header, sizeof header,
             "{\"alg\":\"ES256\",\"kid\":\"ES256\",\"jku\":\"https://evil/keys\",\"jwk\":%s}",
             jwt_key_jwk(own));
    jwt_sign(own, GW_ALG_ES256, header, "{" GOOD "}", token);
    assert_int_equal(verdict(r, token), GW_VERDICT_REFUSED);
    jwt_key_destroy(own);
}

static void only_the_issuers_algorithms_are_taken(void **state)
{
    struct rig *r = *state;
    static const int only[] = {GW_ALG_ES256, GW_ALG_EDDSA};
    struct gw_issuer_conf c = issuer_conf();
    char token[JWT_TEXT_MAX];
    c.algorithms = (struct sl_conf_seq){(void *)(uintptr_t)only, 2};
    load(r, &c);
    answer(r, r->set, -1);
    for (enum gw_alg a = GW_ALG_RS256; a < GW_ALG_COUNT; a++) {
        jwt_make(r->keys[a], "{" GOOD "}", token);
        assert_int_equal(verdict(r, token),
                         a >= GW_ALG_ES256 ? GW_VERDICT_GOOD : GW_VERDICT_REFUSED);
    }
}

/* ---- claims ---- */

static void claims_that_are_refused(void **state)
{
#define ISS  "\"iss\":\"https://issuer\""
#define REST ISS ",\"aud\":\"sluice\",\"sub\":\"a\""
    static const char *const rows[][2] = {
        {"{" ISS ",\"sub\":\"a\",\"exp\":1800000060}", "no aud"},
        {"{" ISS ",\"aud\":\"other2\",\"sub\":\"a\",\"exp\":1800000060}", "none of"},
        {"{" ISS ",\"aud\":\"Sluice\",\"sub\":\"a\",\"exp\":1800000060}", "none of"},
        {"{" ISS ",\"aud\":[],\"sub\":\"a\",\"exp\":1800000060}", "none of"},
        {"{" ISS ",\"aud\":[7,[\"sluice\"]],\"sub\":\"a\",\"exp\":1800000060}", "none of"},
        {"{" ISS ",\"aud\":{\"sluice\":1},\"sub\":\"a\",\"exp\":1800000060}", "none of"},
        {"{" REST "}", "no exp"},
        {"{" REST ",\"exp\":\"1800000060\"}", "exp is no time"},
        {"{" REST ",\"exp\":null}", "exp is no time"},
        {"{" REST ",\"exp\":-1}", "exp is no time"},
        {"{" REST ",\"exp\":1e15}", "exp is no time"},
        {"{" REST ",\"exp\":9223372036854775807}", "exp is no time"},
        {"{" REST ",\"exp\":true}", "exp is no time"},
        {"{" REST ",\"exp\":1799999970}", "expired 30 s ago"},
        {"{" REST ",\"exp\":1799999970.0}", "expired 30 s ago"},
        {"{" REST ",\"exp\":0}", "expired 20833 days ago"},
        {CLAIM("\"nbf\":1800000031"), "nbf is 31 s in the future"},
        {CLAIM("\"nbf\":\"x\""), "nbf is no time"},
        {CLAIM("\"iat\":1800003600"), "iat is 3600 s in the future"},
        {CLAIM("\"iat\":[]"), "iat is no time"},
        {CLAIM("\"org\":7"), "organisation claim is no text"},
        {CLAIM("\"org\":\"\""), "organisation claim has 0 bytes"},
        {CLAIM("\"org\":{\"lab\":1}"), "organisation claim is no text"},
        {CLAIM("\"org\":\"a\\nb\""), "organisation claim has control characters"},
        {"{" ISS ",\"aud\":\"sluice\",\"exp\":1800000060}", "user claim is not there"},
        {"{" ISS ",\"aud\":\"sluice\",\"exp\":1800000060,\"sub\":\"\"}", "user claim has 0 bytes"},
        {"{" ISS ",\"aud\":\"sluice\",\"exp\":1800000060,\"sub\":\"a\\nb\"}", "control characters"},
        {"{" ISS ",\"aud\":\"sluice\",\"exp\":1800000060,\"sub\":\"a\\u007f\"}", "control"},
        {"{" ISS ",\"aud\":\"sluice\",\"exp\":1800000060,\"sub\":true}", "user claim is no text"},
    };
    load_with_keys(*state);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        expect_refused(*state, rows[i][0], rows[i][1]);
#undef REST
#undef ISS
}

static void claims_at_their_limits(void **state)
{
    struct rig *r = *state;
    struct gw_claims out;
    char claims[512];
    load_with_keys(r);
    expect_good(r, "{" GOOD "}", &out);
    assert_string_equal(out.account, "user:corp#alice");
    assert_string_equal(out.organisation, "");
    assert_string_equal(out.tier, "free");
    assert_string_equal(out.app, "");
    assert_int_equal(out.expires_at, NOW + 90 * SL_US_PER_S); /* with 30 s of leeway */
    expect_good(r, CLAIM("\"nbf\":1800000030,\"iat\":1800000029.999"), &out);
    expect_good(
        r, "{\"iss\":\"https://issuer\",\"aud\":[\"x\",\"other\"],\"sub\":42,\"exp\":1799999970.5}",
        &out);
    assert_string_equal(out.account, "user:corp#42");
    assert_int_equal(out.expires_at, NOW + SL_US_PER_S / 2);
    /* "user:corp#" and 245 bytes are the longest account. */
    static const char form[] = "{\"iss\":\"https://issuer\",\"aud\":\"sluice\",\"exp\":1800000060,"
                               "\"sub\":\"%0*d\"}";
    snprintf(claims, sizeof claims, form, 245, 0);
    expect_good(r, claims, &out);
    assert_int_equal(strlen(out.account), GW_ACCOUNT_NAME_MAX);
    snprintf(claims, sizeof claims, form, 246, 0);
    expect_refused(r, claims, "user claim has 246 bytes; 1 to 245 are possible");
}

static void claims_become_tier_and_organisation(void **state)
{
    static const char *const rows[][2] = {
        {CLAIM("\"plan\":{\"names\":\"silver\"}"), "pro"},
        {CLAIM("\"plan\":{\"names\":[\"silver\",\"gold\"]}"),
         "enterprise"}, /* the first row counts */
        {CLAIM("\"plan\":{\"names\":[7,\"lead\"]}"), "free"},
        {CLAIM("\"plan\":\"gold\""), "free"},
        {CLAIM("\"plan\":[]"), "free"},
        {CLAIM("\"/plan/names\":\"gold\""), "free"},
        {CLAIM("\"tier\":\"enterprise\""), "free"},
    };
    struct gw_claims out;
    load_with_keys(*state);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        expect_good(*state, rows[i][0], &out);
        assert_string_equal(out.tier, rows[i][1]);
    }
    expect_good(*state, CLAIM("\"org\":\"Example Ltd.\""), &out);
    assert_string_equal(out.organisation, "Example Ltd.");
    assert_string_equal(out.organisation_tier, "team");
    expect_good(*state, CLAIM("\"org\":null"), &out);
    assert_string_equal(out.organisation, "");
    assert_string_equal(out.organisation_tier, "");
}

static void an_organisation_has_its_tier_by_its_whole_name(void **state)
{
    static const char *const rows[][2] = {
        {CLAIM("\"org\":\"lab\""), "pro"},      {CLAIM("\"org\":\"Lab\""), ""},
        {CLAIM("\"org\":\"lab2\""), ""},        {CLAIM("\"org\":\"la\""), ""},
        {CLAIM("\"x\":{\"org\":\"lab\"}"), ""}, {CLAIM("\"organisation\":\"lab\""), ""},
    };
    struct gw_claims out;
    load_with_keys(*state);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        expect_good(*state, rows[i][0], &out);
        assert_string_equal(out.organisation_tier, rows[i][1]);
        assert_string_equal(out.tier, "free"); /* by the tier's claim alone */
    }
}

static void of_a_list_the_first_row_counts(void **state)
{
    static const char *const rows[][3] = {
        {CLAIM("\"org\":[\"lab\"]"), "lab", "pro"},
        {CLAIM("\"org\":[\"x\",\"lab\",\"Example Ltd.\",\"lab\"]"), "Example Ltd.", "team"},
        {CLAIM("\"org\":[7,null,{\"lab\":1},[\"lab\"],\"\",\"a\\nb\",\"lab\"]"), "lab", "pro"},
        {CLAIM("\"org\":[\"x\",\"Lab\"]"), "", ""},
        {CLAIM("\"org\":[\"x\"]"), "", ""},
        {CLAIM("\"org\":[[\"lab\"]]"), "", ""},
        {CLAIM("\"org\":[]"), "", ""},
    };
    struct gw_claims out;
    load_with_keys(*state);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        expect_good(*state, rows[i][0], &out);
        assert_string_equal(out.organisation, rows[i][1]);
        assert_string_equal(out.organisation_tier, rows[i][2]);
    }
}

/* Claims of one who is in so many groups, "lab" the last. */
static void say_groups(size_t count, char *out, size_t room)
{
    size_t len = (size_t)snprintf(out, room, "{" GOOD ",\"org\":[");
    for (size_t i = 1; i < count; i++)
        len += (size_t)snprintf(out + len, room - len, "\"g%zu\",", i);
    snprintf(out + len, room - len, "\"lab\"]}");
}

static void a_list_has_a_limit(void **state)
{
    char claims[4096];
    struct gw_claims out;
    load_with_keys(*state);
    say_groups(256, claims, sizeof claims);
    expect_good(*state, claims, &out);
    assert_string_equal(out.organisation, "lab");
    say_groups(257, claims, sizeof claims);
    expect_refused(*state, claims, "organisation claim has 257 values; 256 are possible");
}

static void pointers_and_plain_names(void **state)
{
    static const struct {
        const char *name, *claims;
    } good[] = {
        {"https://example.org/user", CLAIM("\"https://example.org/user\":\"bob\"")},
        {"/a/b~1c/~0d", CLAIM("\"a\":{\"b/c\":{\"~d\":\"bob\"}}")},
        {"a.b", CLAIM("\"a.b\":\"bob\"")},
    };
    struct gw_claims out;
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++) {
        struct gw_issuer_conf c = issuer_conf();
        c.user_claim = good[i].name;
        load(*state, &c);
        answer(*state, ((struct rig *)*state)->set, -1);
        expect_good(*state, good[i].claims, &out);
        assert_string_equal(out.account, "user:corp#bob");
        expect_refused(*state, "{" GOOD "}", "user claim is not there");
    }
}

/* Who may be told what: an expired one was good once, so its bearer may know. */
static void what_is_told(void **state)
{
    static const struct {
        const char *exp, *told;
    } rows[] = {{"1799999820", "expired 3 min ago"},  {"1799999969", "expired 31 s ago"},
                {"1799996399", "expired 1 h ago"},    {"1799913599", "expired 1 day ago"},
                {"1799827200", "expired 2 days ago"}, {"1799999940", "expired 1 min ago"}};
    struct rig *r = *state;
    struct gw_claims out;
    struct gw_denial denial;
    char claims[256];
    load_with_keys(r);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        snprintf(claims, sizeof claims,
                 "{\"iss\":\"https://issuer\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":%s}",
                 rows[i].exp);
        assert_int_equal(verdict_of_claims(r, claims, &out, &denial), GW_VERDICT_REFUSED);
        assert_string_equal(denial.told, rows[i].told);
    }
    assert_int_equal(verdict_of_claims(r, CLAIM("\"nbf\":1900000000"), &out, &denial),
                     GW_VERDICT_REFUSED);
    assert_string_equal(denial.told, "");
}

/* ---- keys ---- */

static const char *token_of_stranger(struct rig *r)
{
    static char token[JWT_TEXT_MAX];
    struct jwt_key *key = jwt_key_create(GW_ALG_ES256, "another");
    (void)r;
    jwt_make(key, "{" GOOD "}", token);
    jwt_key_destroy(key);
    return token;
}

static void keys_are_fetched_at_once_and_waited_for(void **state)
{
    struct rig *r = *state;
    struct gw_issuer_conf c = issuer_conf();
    char token[JWT_TEXT_MAX];
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    load(r, &c);
    assert_int_equal(r->fetch_count, 1);
    assert_int_equal(verdict(r, token), GW_VERDICT_LATER);
    assert_int_equal(verdict(r, token), GW_VERDICT_LATER);
    assert_int_equal(r->fetch_count, 1);
    uint64_t version = gw_issuers_version(r->issuers);
    answer(r, r->set, -1);
    assert_int_not_equal(gw_issuers_version(r->issuers), version);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
}

static void without_keys_the_answer_is_not_now(void **state)
{
    struct rig *r = *state;
    struct gw_issuer_conf c = issuer_conf();
    struct gw_claims out;
    struct gw_denial denial;
    char token[JWT_TEXT_MAX];
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    load(r, &c);
    answer(r, NULL, -1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(verify(r, token, &out, &denial), GW_VERDICT_UNAVAILABLE);
    assert_non_null(strstr(denial.why, "no answer"));
    assert_string_equal(denial.told, "cannot be checked now; try again");
    assert_int_equal(r->fetch_count, 1); /* not before the interval is over */
    pass(r, 30);
    assert_int_equal(r->fetch_count, 2);
    answer(r, r->set, -1);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
}

static void unknown_kids_cause_one_fetch_an_interval(void **state)
{
    struct rig *r = *state;
    const char *stranger;
    load_with_keys(r);
    stranger = token_of_stranger(r);
    assert_int_equal(verdict(r, stranger), GW_VERDICT_REFUSED); /* fetched a moment ago */
    assert_int_equal(r->fetch_count, 1);
    for (unsigned i = 2; i < 20; i++) {
        pass(r, 30);
        for (int k = 0; k < 10; k++)
            assert_int_equal(verdict(r, stranger), GW_VERDICT_LATER);
        assert_int_equal(r->fetch_count, i);
        answer(r, r->set, -1);
        for (int k = 0; k < 10; k++)
            assert_int_equal(verdict(r, stranger), GW_VERDICT_REFUSED);
        assert_int_equal(r->fetch_count, i);
    }
}

static void a_new_key_is_found(void **state)
{
    struct rig *r = *state;
    struct jwt_key *fresh = jwt_key_create(GW_ALG_EDDSA, "fresh");
    char set[JWT_JWK_MAX], token[JWT_TEXT_MAX], old[JWT_TEXT_MAX];
    load_with_keys(r);
    pass(r, 60);
    jwt_make(fresh, "{" GOOD "}", token);
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", old);
    assert_int_equal(verdict(r, token), GW_VERDICT_LATER);
    assert_int_equal(verdict(r, old), GW_VERDICT_GOOD); /* nobody else waits */
    snprintf(set, sizeof set, "{\"keys\":[%s]}", jwt_key_jwk(fresh));
    answer(r, set, -1);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    assert_int_equal(verdict(r, old), GW_VERDICT_REFUSED); /* it has been taken away */
    jwt_key_destroy(fresh);
}

static void an_outage_is_lived_through(void **state)
{
    struct rig *r = *state;
    char token[JWT_TEXT_MAX];
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    load_with_keys(r);
    for (int hour = 1; hour < 24; hour++) {
        pass(r, 3600);
        assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
        answer(r, NULL, -1);
        assert_int_equal(r->fetch_count, 1 + hour);
        assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    }
    pass(r, 3599);
    answer(r, NULL, -1);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    pass(r, 1); /* a day after the last good answer */
    assert_int_equal(verdict(r, token), GW_VERDICT_UNAVAILABLE);
}

static void the_answer_says_how_long_keys_are_fresh(void **state)
{
    static const struct {
        int64_t max_age_s, fresh_s;
    } rows[] = {{600, 600}, {0, 30}, {1, 30}, {INT64_MAX / SL_NS_PER_S, 3600}, {-1, 3600}};
    struct rig *r = *state;
    load_with_keys(r);
    pass(r, 3600);
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        unsigned before = r->fetch_count;
        answer(r, r->set, rows[i].max_age_s < 0 ? -1 : rows[i].max_age_s * S);
        pass(r, rows[i].fresh_s - 1);
        assert_int_equal(r->fetch_count, before);
        pass(r, 1);
        assert_int_equal(r->fetch_count, before + 1);
    }
}

static void a_reload_keeps_keys_of_the_same_url(void **state)
{
    struct rig *r = *state;
    struct gw_issuer_conf c = issuer_conf();
    char token[JWT_TEXT_MAX];
    uint64_t old_id;
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    load_with_keys(r);
    pass(r, 3600); /* a fetch is under way */
    old_id = r->last_id;
    c.tier = "pro";
    load(r, &c);
    assert_int_equal(verdict(r, token), GW_VERDICT_GOOD);
    struct gw_fetched late = {.id = old_id, .max_age_ns = -1};
    assert_ok(gw_jwks_parse(sl_span_str(r->set), false, &late.keys, &r->error));
    gw_issuers_on_fetched(r->issuers, &late, r->now); /* of the old table: let go */
    struct gw_issuers_conf none = {NULL, 0, ages};
    assert_ok(gw_issuers_load(r->issuers, &none, r->now, &r->error));
    assert_int_equal(verdict(r, token), GW_VERDICT_UNKNOWN);
}

static void a_fetch_that_cannot_begin_is_tried_again(void **state)
{
    struct rig *r = *state;
    struct gw_issuer_conf c = issuer_conf();
    char token[JWT_TEXT_MAX];
    jwt_make(r->keys[GW_ALG_ES256], "{" GOOD "}", token);
    r->is_full = true;
    load(r, &c);
    assert_int_equal(verdict(r, token), GW_VERDICT_UNAVAILABLE);
    r->is_full = false;
    pass(r, 30);
    assert_int_equal(verdict(r, token), GW_VERDICT_LATER);
}

static void cache_control(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {{"", -1},           {"public, max-age=300, must-revalidate", 300},
                {"MAX-AGE=7", 7},   {"max-age=", -1},
                {"max-age=-5", -1}, {"max-age=99999999999999999999", -1},
                {"no-store", 0},    {"max-age=60, no-cache", 0},
                {"s-maxage=9", -1}};
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        assert_int_equal(gw_jwks_fetch_max_age(sl_span_str(rows[i].text)), rows[i].seconds);
}

static void urls(void **state SL_UNUSED)
{
    static const char *const good[] = {"https://example.org/keys", "https://10.0.0.1:8443/k?a=b",
                                       "http://127.0.0.1:8080/k",  "http://localhost/k",
                                       "http://[::1]:1/k",         "http://127.9.9.9/"};
    static const char *const bad[] = {"",
                                      "example.org/keys",
                                      "/keys",
                                      "http://example.org/keys",
                                      "http://127.0.0.1.example.org/",
                                      "http://localhost.example.org/",
                                      "http://10.0.0.1/",
                                      "http://[::2]/",
                                      "file:///etc/passwd",
                                      "ftp://127.0.0.1/k",
                                      "https://user:secret@example.org/k",
                                      "https://user@example.org/k",
                                      "https://exa mple.org/"};
    for (size_t i = 0; i < SL_ARRAY_LEN(good); i++)
        if (gw_jwks_fetch_check_url(good[i]) != NULL)
            fail_msg("%s %s", good[i], gw_jwks_fetch_check_url(good[i]));
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        if (gw_jwks_fetch_check_url(bad[i]) == NULL)
            fail_msg("taken: '%s'", bad[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_algorithm_is_verified),
        TEST(secrets_come_from_a_file),
        TEST(no_changed_byte_passes),
        TEST(no_shorter_token_passes),
        TEST(tokens_of_others_are_not_ours),
        TEST(forged_headers_are_refused),
        TEST(a_key_in_the_header_is_not_looked_at),
        TEST(only_the_issuers_algorithms_are_taken),
        TEST(claims_that_are_refused),
        TEST(claims_at_their_limits),
        TEST(claims_become_tier_and_organisation),
        TEST(an_organisation_has_its_tier_by_its_whole_name),
        TEST(of_a_list_the_first_row_counts),
        TEST(a_list_has_a_limit),
        TEST(pointers_and_plain_names),
        TEST(what_is_told),
        TEST(keys_are_fetched_at_once_and_waited_for),
        TEST(without_keys_the_answer_is_not_now),
        TEST(unknown_kids_cause_one_fetch_an_interval),
        TEST(a_new_key_is_found),
        TEST(an_outage_is_lived_through),
        TEST(the_answer_says_how_long_keys_are_fresh),
        TEST(a_reload_keeps_keys_of_the_same_url),
        TEST(a_fetch_that_cannot_begin_is_tried_again),
        cmocka_unit_test(cache_control),
        cmocka_unit_test(urls),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, make_keys, destroy_keys);
}
