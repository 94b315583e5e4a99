/* test_gw_jwt.c - tokens taken apart: what has the right form, and each way of not having it. */
#include "gw_jwt.h"
#include "sl_base64url.h"
#include "sl_test.h"

#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}"
#define CLAIMS "{\"iss\":\"https://issuer\",\"n\":1}"

static char text[4 * GW_JWT_BYTES_MAX];

/* "HEADER.CLAIMS.c2ln", each part in base64url. */
static struct sl_span token_of(const char *header, const char *claims)
{
    size_t len = sl_base64url_encode(sl_span_str(header), text);
    text[len++] = '.';
    len += sl_base64url_encode(sl_span_str(claims), text + len);
    return sl_span_of(text, len + (size_t)sprintf(text + len, ".c2ln"));
}

static bool parse(struct sl_span token, struct gw_finding *f)
{
    struct gw_jwt t;
    *f = (struct gw_finding){.verdict = GW_VERDICT_GOOD};
    if (!gw_jwt_parse(token, &t, f))
        return false;
    gw_jwt_finish(&t);
    return true;
}

static void expect_refused(struct sl_span token, const char *why)
{
    struct gw_finding f;
    if (parse(token, &f))
        fail_msg("taken: %.*s", (int)token.len, (const char *)token.data);
    assert_int_equal(f.verdict, GW_VERDICT_REFUSED);
    if (strstr(f.denial.why, why) == NULL)
        fail_msg("got '%s', wanted '%s'", f.denial.why, why);
    assert_string_equal(f.denial.told, "");
}

static void a_good_one_is_taken_apart(void **state SL_UNUSED)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_jwt t;
    struct sl_span token = token_of(HEADER, CLAIMS);
    assert_true(gw_jwt_is_shaped(token));
    assert_true(gw_jwt_parse(token, &t, &f));
    assert_int_equal(t.alg, GW_ALG_RS256);
    assert_string_equal(t.kid, "k1");
    assert_string_equal(json_string_value(json_object_get(t.claims, "iss")), "https://issuer");
    assert_int_equal(t.signed_part.len, token.len - 5);
    assert_span_text(sl_span_of(t.signature, t.signature_len), "sig");
    gw_jwt_finish(&t);
}

static void other_headers_are_refused(void **state SL_UNUSED)
{
    static const char *const rows[][2] = {
        {"{}", "no alg"},
        {"{\"alg\":7}", "no alg"},
        {"{\"alg\":\"none\"}", "none"},
        {"{\"alg\":\"nOnE\"}", "none"},
        {"{\"alg\":\"\"}", "not one that is understood"},
        {"{\"alg\":\"HS384\"}", "not one that is understood"},
        {"{\"alg\":\"rs256\"}", "not one that is understood"},
        {"{\"alg\":\"RSA1_5\"}", "not one that is understood"},
        {"{\"alg\":\"RS256\\u0000\"}", "no JSON object"},
        {"{\"alg\":\"RS256\",\"alg\":\"none\"}", "a key twice"},
        {"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "crit"},
        {"{\"alg\":\"RS256\",\"crit\":[]}", "crit"},
        {"{\"alg\":\"RS256\",\"b64\":false}", "b64"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "kid is no text"},
        {"{\"alg\":\"RS256\",\"kid\":null}", "kid is no text"},
        {"{\"alg\":\"RS256\",\"kid\":\"\"}", "kid has 0 bytes"},
        {"{\"alg\":\"RS256\",\"kid\":\"a\\nb\"}", "printable"},
        {"{\"alg\":\"RS256\",\"kid\":\"\xc3\xa4\"}", "printable"},
        {"[\"alg\"]", "no JSON object"},
        {"\"alg\"", "no JSON object"},
        {"{\"alg\":\"RS256\"} {}", "no JSON object"},
        {"{\"alg\":\"RS256\"", "no JSON object"},
        {"{\"alg\":\"RS256\",\"x\":\"\xff\"}", "no JSON object"},
        {"", "no JSON object"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
        expect_refused(token_of(rows[i][0], CLAIMS), rows[i][1]);
}

static void a_kid_may_be_as_long_as_it_says(void **state SL_UNUSED)
{
    char kid[GW_JWT_KID_MAX + 2], header[512];
    struct gw_finding f;
    memset(kid, 'k', sizeof kid);
    kid[GW_JWT_KID_MAX] = '\0';
    snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    assert_true(parse(token_of(header, CLAIMS), &f));
    kid[GW_JWT_KID_MAX] = 'k';
    snprintf(header, sizeof header, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", GW_JWT_KID_MAX + 1,
             kid);
    expect_refused(token_of(header, CLAIMS), "kid has 257 bytes");
}

static void other_claims_are_refused(void **state SL_UNUSED)
{
    expect_refused(token_of(HEADER, "{\"sub\":\"a\",\"sub\":\"b\"}"), "claims has a key twice");
    expect_refused(token_of(HEADER, "{\"a\":{\"b\":1,\"b\":2}}"), "claims has a key twice");
    expect_refused(token_of(HEADER, "[]"), "claims is no JSON object");
    expect_refused(token_of(HEADER, "{\"exp\":1e999}"), "claims is no JSON object");
    expect_refused(token_of(HEADER, "{\"sub\":\"a\\u0000b\"}"), "claims is no JSON object");
    expect_refused(token_of(HEADER, "null"), "claims is no JSON object");
}

static void other_texts_are_refused(void **state SL_UNUSED)
{
    static const char *const bad[] = {
        "",    ".",    "..",       "...",           "a.b",      "a.b.c.d",       "e30.e30",
        "e30", "e30.", "e30.e30.", "e30.e30.c2ln.", ".e30.e30", "e30 .e30.c2ln", "e30=.e30.c2ln"};
    struct gw_finding f;
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++)
        assert_false(parse(sl_span_str(bad[i]), &f));
    assert_false(gw_jwt_is_shaped(sl_span_str("sl_0123456789")));
    assert_false(gw_jwt_is_shaped(sl_span_str("a.b.c.d")));
}

/* Padding, white space, the other alphabet, and bits beyond the last byte. */
static void base64_has_no_second_form(void **state SL_UNUSED)
{
    struct sl_span token = token_of(HEADER, CLAIMS);
    struct gw_finding f;
    char other[512];
    assert_true(parse(token, &f));
    snprintf(other, sizeof other, "%s=", text);
    expect_refused(sl_span_str(other), "signature is no base64url");
    snprintf(other, sizeof other, "%s\n", text);
    expect_refused(sl_span_str(other), "signature is no base64url");
    /* The third character of two bytes has two bits to spare, and they must be zero. */
    unsigned taken = 0;
    for (int c = 1; c < 128; c++) {
        snprintf(other, sizeof other, "%.*sc2%c", (int)token.len - 4, text, c);
        taken += parse(sl_span_str(other), &f);
    }
    assert_int_equal(taken, 16);
}

static void size_ends_at_its_limit(void **state SL_UNUSED)
{
    static char claims[GW_JWT_BYTES_MAX];
    struct gw_finding f;
    for (size_t fill = 5900; fill < 6200; fill++) {
        snprintf(claims, sizeof claims, "{\"x\":\"%0*d\"}", (int)fill, 0);
        struct sl_span token = token_of(HEADER, claims);
        assert_int_equal(parse(token, &f), token.len <= GW_JWT_BYTES_MAX);
        assert_int_equal(gw_jwt_is_shaped(token), token.len <= GW_JWT_BYTES_MAX);
    }
    assert_non_null(strstr(f.denial.why, "at most 8192"));
}

static bool has_type(const char *header, const char *wanted)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_jwt t;
    assert_true(gw_jwt_parse(token_of(header, CLAIMS), &t, &f));
    bool has = gw_jwt_check_type(&t, wanted, &f);
    gw_jwt_finish(&t);
    return has;
}

static void types(void **state SL_UNUSED)
{
    assert_true(has_type("{\"alg\":\"RS256\"}", NULL));
    assert_true(has_type("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", NULL));
    assert_true(has_type("{\"alg\":\"RS256\",\"typ\":\"jwt\"}", NULL));
    assert_true(has_type("{\"alg\":\"RS256\",\"typ\":\"application/at+jwt\"}", NULL));
    assert_false(has_type("{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}", NULL));
    assert_false(has_type("{\"alg\":\"RS256\",\"typ\":7}", NULL));
    assert_true(has_type("{\"alg\":\"RS256\",\"typ\":\"a+jwt\"}", "a+jwt"));
    assert_false(has_type("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", "a+jwt"));
    assert_false(has_type("{\"alg\":\"RS256\"}", "a+jwt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_taken_apart),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(a_kid_may_be_as_long_as_it_says),
        cmocka_unit_test(other_claims_are_refused),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(base64_has_no_second_form),
        cmocka_unit_test(size_ends_at_its_limit),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
