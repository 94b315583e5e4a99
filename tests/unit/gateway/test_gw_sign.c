/* test_gw_sign.c - tokens that the gateway issues: taken back while they are good, by each key that may still
 * have signed them, and by nobody else's; the file of keys. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw_jwks.h"
#include "gw_sign.h"
#include "gw_sign_ring.h"
#include "jwt_maker.h"
#include "sl_base64url.h"
#include "sl_log.h"
#include "sl_test.h"

#define NOW  (INT64_C(1800000000) * SL_US_PER_S)
#define S    SL_US_PER_S
#define HOUR (3600 * S)

struct rig {
    char dir[64], path[96];
    struct gw_sign_conf conf;
    struct gw_sign *sign;
    struct sl_error error;
};

static const struct gw_sign_visitor visitor = {"app:demo/v \"1\"", "demo", "free"};

static void open_sign(struct rig *r, sl_wall_us now)
{
    if (gw_sign_create(&r->conf, now, &r->sign, &r->error) != SL_OK)
        fail_msg("%s", r->error.text);
}

static void reopen(struct rig *r, sl_wall_us now)
{
    gw_sign_destroy(r->sign);
    open_sign(r, now);
}

static int setup(void **state)
{
    static struct rig r;
    r = (struct rig){.dir = "/tmp/test_gw_sign.XXXXXX"};
    assert_non_null(mkdtemp(r.dir));
    snprintf(r.path, sizeof r.path, "%s/%s", r.dir, GW_SIGN_FILE);
    r.conf = (struct gw_sign_conf){r.dir, "sluice", 24 * HOUR * 1000, 300 * S * 1000};
    open_sign(&r, NOW);
    *state = &r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    gw_sign_destroy(r->sign);
    chmod(r->dir, 0700);
    unlink(r->path);
    rmdir(r->dir);
    return 0;
}

static void issue(struct rig *r, sl_wall_us now, char token[GW_SIGN_TOKEN_MAX])
{
    sl_wall_us expires_at;
    assert_ok(gw_sign_issue(r->sign, &visitor, now, token, &expires_at));
    assert_int_equal(expires_at, (now / S + 300) * S);
}

static enum gw_verdict verify(struct rig *r, const char *token, sl_wall_us now,
                              struct gw_denial *denial)
{
    struct gw_claims claims;
    return gw_sign_verify(r->sign, sl_span_str(token), now, &claims, denial);
}

static enum gw_verdict verdict(struct rig *r, const char *token, sl_wall_us now)
{
    struct gw_denial denial;
    return verify(r, token, now, &denial);
}

static size_t key_count(struct rig *r)
{
    struct gw_jwks *set;
    struct sl_buf text;
    sl_buf_init(&text, &sl_alloc_malloc, 65536);
    assert_ok(gw_sign_copy_jwks(r->sign, &text));
    assert_null(memmem(text.data, text.len, "\"d\"", 3));
    assert_ok(gw_jwks_parse(sl_buf_span(&text), false, &set, &r->error));
    size_t count = gw_jwks_count(set);
    gw_jwks_destroy(set);
    sl_buf_finish(&text);
    return count;
}

/* ---- tokens ---- */

static void what_is_issued_is_taken_back(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX], another[GW_SIGN_TOKEN_MAX];
    struct gw_claims c;
    struct gw_denial denial;
    issue(r, NOW, token);
    issue(r, NOW, another);
    assert_string_not_equal(token, another); /* jti */
    assert_int_equal(gw_sign_verify(r->sign, sl_span_str(token), NOW, &c, &denial),
                     GW_VERDICT_GOOD);
    assert_string_equal(c.account, visitor.account);
    assert_string_equal(c.app, "demo");
    assert_string_equal(c.tier, "free");
    assert_string_equal(c.organisation, "");
    assert_int_equal(c.expires_at, NOW + 305 * S);
}

static void time_ends_it(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    struct gw_denial denial;
    issue(r, NOW, token);
    assert_int_equal(verdict(r, token, NOW + 305 * S - 1), GW_VERDICT_GOOD);
    assert_int_equal(verify(r, token, NOW + 480 * S, &denial), GW_VERDICT_REFUSED);
    assert_string_equal(denial.told, "expired 3 min ago");
    assert_int_equal(verdict(r, token, NOW - 5 * S), GW_VERDICT_GOOD);
    assert_int_equal(verdict(r, token, NOW - 6 * S), GW_VERDICT_REFUSED);
}

static void no_changed_byte_passes(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    struct gw_denial denial;
    issue(r, NOW, token);
    for (size_t i = 0; i < strlen(token); i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            token[i] = (char)(token[i] ^ (1 << bit));
            assert_int_not_equal(verify(r, token, NOW, &denial), GW_VERDICT_GOOD);
            token[i] = (char)(token[i] ^ (1 << bit));
        }
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_GOOD);
}

/* The kid of the newest key, from a token's header. */
static void kid_of(const char *token, char kid[64])
{
    struct gw_finding f;
    struct gw_jwt t;
    assert_true(gw_jwt_parse(sl_span_str(token), &t, &f));
    snprintf(kid, 64, "%s", t.kid);
    gw_jwt_finish(&t);
}

#define CLAIMS(iss, aud)                                                                           \
    "{\"iss\":\"" iss "\",\"aud\":\"" aud "\",\"sub\":\"a\",\"exp\":1800000060}"

static void tokens_of_others_are_refused(void **state)
{
    struct rig *r = *state;
    char token[JWT_TEXT_MAX], kid[64], header[256];
    struct jwt_key *key = jwt_key_create(GW_ALG_ES256, NULL);
    issue(r, NOW, token);
    kid_of(token, kid);
    snprintf(header, sizeof header,
             "{\"alg\":\"ES256\",\"typ\":\"" GW_SIGN_TYPE "\",\"kid\":\"%s\"}", kid);
    jwt_sign(key, GW_ALG_ES256, header, CLAIMS("sluice", "sluice"), token);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_REFUSED);
    jwt_sign(key, GW_ALG_ES256, header, CLAIMS("other", "sluice"), token);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_UNKNOWN);
    snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
    jwt_sign(key, GW_ALG_ES256, header, CLAIMS("sluice", "sluice"), token);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_REFUSED);
    assert_int_equal(verdict(r, "sl_secret", NOW), GW_VERDICT_UNKNOWN);
    jwt_key_destroy(key);
}

/* Signed by the gateway's own key, but for somebody else, or by another name. */
static void another_issuer_is_another_gateway(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    r->conf.issuer = "https://before";
    gw_sign_configure(r->sign, &r->conf);
    issue(r, NOW, token);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_GOOD);
    r->conf.issuer = "https://now";
    gw_sign_configure(r->sign, &r->conf);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_UNKNOWN);
}

static void names_have_limits(void **state)
{
    struct rig *r = *state;
    char name[300], token[GW_SIGN_TOKEN_MAX];
    sl_wall_us at;
    memset(name, '"', sizeof name); /* two bytes each in JSON */
    name[GW_ACCOUNT_NAME_MAX] = '\0';
    const struct gw_sign_visitor longest = {name, name + GW_ACCOUNT_NAME_MAX - GW_APP_NAME_MAX,
                                            "free"};
    assert_ok(gw_sign_issue(r->sign, &longest, NOW, token, &at));
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_GOOD);
    const struct gw_sign_visitor bad[] = {{"", "app", "free"},
                                          {"a", "", "free"},
                                          {"a", "app", ""},
                                          {"\xff", "app", "free"},
                                          {"a", name, "free"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_status(gw_sign_issue(r->sign, &bad[i], NOW, token, &at), SL_EINVAL);
}

/* ---- keys ---- */

static void a_restart_keeps_the_keys(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX], kid[64], again[64];
    struct stat st;
    issue(r, NOW, token);
    kid_of(token, kid);
    reopen(r, NOW + S);
    assert_int_equal(verdict(r, token, NOW + S), GW_VERDICT_GOOD);
    issue(r, NOW + S, token);
    kid_of(token, again);
    assert_string_equal(kid, again);
    assert_int_equal(stat(r->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void keys_rotate_and_old_ones_verify_until_their_tokens_are_over(void **state)
{
    struct rig *r = *state;
    char old[GW_SIGN_TOKEN_MAX], fresh[GW_SIGN_TOKEN_MAX], kid[64], other_kid[64];
    sl_wall_us at = NOW + 24 * HOUR;
    gw_sign_tick(r->sign, at - 1);
    assert_int_equal(key_count(r), 1);
    issue(r, at - 1, old);
    gw_sign_tick(r->sign, at);
    assert_int_equal(key_count(r), 2);
    issue(r, at, fresh);
    kid_of(old, kid);
    kid_of(fresh, other_kid);
    assert_string_not_equal(kid, other_kid);
    reopen(r, at);
    for (sl_wall_us t = at; t < at + 299 * S; t += S) {
        gw_sign_tick(r->sign, t);
        assert_int_equal(verdict(r, old, t), GW_VERDICT_GOOD);
    }
    struct gw_denial denial;
    gw_sign_tick(r->sign, at + 304 * S); /* expired, which can still be said */
    assert_int_equal(verify(r, old, at + 304 * S, &denial), GW_VERDICT_REFUSED);
    assert_string_equal(denial.told, "expired 5 s ago");
    gw_sign_tick(r->sign, at + 305 * S);
    assert_int_equal(verify(r, old, at + 305 * S, &denial), GW_VERDICT_REFUSED);
    assert_string_equal(denial.told, ""); /* its key is gone */
    assert_int_equal(verdict(r, fresh, at + 299 * S), GW_VERDICT_GOOD);
}

static void steps_of_the_clock(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    gw_sign_tick(r->sign, NOW - 23 * HOUR);
    assert_int_equal(key_count(r), 1);
    gw_sign_tick(r->sign, NOW - 25 * HOUR); /* made in a future that will not come soon */
    assert_int_equal(key_count(r), 2);
    issue(r, NOW - 25 * HOUR, token);
    assert_int_equal(verdict(r, token, NOW - 25 * HOUR), GW_VERDICT_GOOD);
    gw_sign_tick(r->sign, NOW - 24 * HOUR);
    assert_int_equal(key_count(r), 1);
    assert_int_equal(verdict(r, token, NOW - 25 * HOUR + S), GW_VERDICT_GOOD);
}

static void there_are_never_too_many_keys(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    r->conf.lifetime_ns = 300 * 24 * HOUR * 1000;
    gw_sign_configure(r->sign, &r->conf);
    for (int day = 1; day <= 2 * GW_SIGN_KEYS_MAX; day++)
        gw_sign_tick(r->sign, NOW + day * 24 * HOUR);
    assert_int_equal(key_count(r), GW_SIGN_KEYS_MAX);
    r->conf.lifetime_ns = 300 * S * 1000;
    reopen(r, NOW);
    issue(r, NOW + 400 * 24 * HOUR, token);
    assert_int_equal(verdict(r, token, NOW + 400 * 24 * HOUR), GW_VERDICT_GOOD);
}

static void what_cannot_be_written_is_not_used(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX], path[128];
    snprintf(path, sizeof path, "%s.new", r->path);
    assert_int_equal(mkdir(path, 0700), 0); /* in the way, for root too */
    sl_wall_us at = NOW + 24 * HOUR;
    gw_sign_tick(r->sign, at);
    assert_int_equal(key_count(r), 1);
    issue(r, at, token);
    assert_int_equal(verdict(r, token, at), GW_VERDICT_GOOD);
    assert_int_equal(rmdir(path), 0);
    gw_sign_tick(r->sign, at + 59 * S);
    assert_int_equal(key_count(r), 1);
    gw_sign_tick(r->sign, at + 60 * S);
    assert_int_equal(key_count(r), 2);
}

static void without_a_directory_keys_are_in_memory(void **state)
{
    struct rig *r = *state;
    char token[GW_SIGN_TOKEN_MAX];
    r->conf.state = "";
    reopen(r, NOW);
    issue(r, NOW, token);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_GOOD);
    reopen(r, NOW);
    assert_int_equal(verdict(r, token, NOW), GW_VERDICT_REFUSED);
}

static void expect_unusable(struct rig *r, const char *why)
{
    struct gw_sign *other;
    struct stat before, after;
    assert_int_equal(stat(r->path, &before), 0);
    assert_status(gw_sign_create(&r->conf, NOW, &other, &r->error), SL_EINVAL);
    if (strstr(r->error.text, why) == NULL)
        fail_msg("got '%s'", r->error.text);
    assert_int_equal(stat(r->path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* never written over */
    assert_int_equal(before.st_size, after.st_size);
}

static void files_that_are_not_ours_are_refused(void **state)
{
    static const char *const texts[] = {"", "{}", "{\"keys\":[]}", "{\"keys\":[{}]}",
                                        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"d\":"
                                        "\"x\",\"kid\":\"0123456789abcdef\",\"made_at_us\":1}]}"};
    struct rig *r = *state;
    assert_int_equal(chmod(r->path, 0640), 0);
    expect_unusable(r, "chmod 600 it");
    assert_int_equal(chmod(r->path, 0600), 0);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        int fd = open(r->path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
        expect_unusable(r, "does not hold the keys");
        assert_null(strstr(r->error.text, "c2VjcmV0"));
    }
}

/* A file cut at any byte is refused, not half read. */
static void a_cut_file_is_refused(void **state)
{
    struct rig *r = *state;
    struct stat st;
    struct gw_sign *other;
    assert_int_equal(stat(r->path, &st), 0);
    for (off_t len = st.st_size - 1; len >= 0; len--) {
        assert_int_equal(truncate(r->path, len), 0);
        assert_status(gw_sign_create(&r->conf, NOW, &other, &r->error), SL_EINVAL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_issued_is_taken_back),
        TEST(time_ends_it),
        TEST(no_changed_byte_passes),
        TEST(tokens_of_others_are_refused),
        TEST(another_issuer_is_another_gateway),
        TEST(names_have_limits),
        TEST(a_restart_keeps_the_keys),
        TEST(keys_rotate_and_old_ones_verify_until_their_tokens_are_over),
        TEST(steps_of_the_clock),
        TEST(there_are_never_too_many_keys),
        TEST(what_cannot_be_written_is_not_used),
        TEST(without_a_directory_keys_are_in_memory),
        TEST(files_that_are_not_ours_are_refused),
        TEST(a_cut_file_is_refused),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
