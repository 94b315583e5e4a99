/* fuzz_gw_jwt.c - the first byte chooses: 't' a token as it comes, 'p' a header and claims on two lines, which
 * are made a token, 'k' a key set. What is taken apart can be put together again, what is refused has a
 * sentence without the input in it, and what claims become is fit for an account. */
#include <stdlib.h>

#include "gw_json.h"
#include "gw_jwks.h"
#include "gw_jwt_claims.h"
#include "sl_base64url.h"

#define NOW (INT64_C(1800000000) * SL_US_PER_S)

enum { INPUT_MAX = 4096 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- an issuer ---- */

static const char *const audience[] = {"sluice"};
static const struct gw_issuer_tier tiers[] = {{"gold", "pro"}};
static const struct gw_issuer_tier organisations[] = {{"lab", "team"}};

static const struct gw_issuer_conf issuer = {
    .name = "corp",
    .issuer = "i",
    .audience = {(void *)(uintptr_t)audience, 1},
    .user_claim = "sub",
    .organisation_claim = "org",
    .tier_claim = "/a/b",
    .tiers = {(void *)(uintptr_t)tiers, 1},
    .tier = "free",
    .organisations = {(void *)(uintptr_t)organisations, 1},
};

static void check_claims(const json_t *json)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_claims c;
    if (!gw_jwt_claims_check(json, &issuer, NOW, &c, &f)) {
        check(f.verdict == GW_VERDICT_REFUSED && f.denial.why[0] != '\0');
        return;
    }
    check(memcmp(c.account, "user:corp#", 10) == 0 && c.account[10] != '\0');
    for (const char *p = c.account; *p != '\0'; p++)
        check((unsigned char)*p >= ' ');
    check(strcmp(c.tier, "free") == 0 || strcmp(c.tier, "pro") == 0);
    check(strcmp(c.organisation_tier, strcmp(c.organisation, "lab") == 0 ? "team" : "") == 0);
    check(c.expires_at > NOW && c.app[0] == '\0');
}

/* ---- tokens ---- */

static void check_token(struct sl_span token)
{
    struct gw_finding f = {.verdict = GW_VERDICT_GOOD};
    struct gw_jwt t;
    char signature[SL_BASE64URL_LEN(GW_JWT_SIGNATURE_MAX) + 1];
    if (!gw_jwt_parse(token, &t, &f)) {
        check(f.verdict == GW_VERDICT_REFUSED && f.denial.why[0] != '\0');
        return;
    }
    check(gw_jwt_is_shaped(token) && t.alg < GW_ALG_COUNT);
    size_t len = sl_base64url_encode(sl_span_of(t.signature, t.signature_len), signature);
    check(t.signed_part.len + 1 + len == token.len);
    check(memcmp(token.data + t.signed_part.len + 1, signature, len) == 0);
    gw_jwt_check_type(&t, NULL, &f);
    check_claims(t.claims);
    gw_jwt_finish(&t);
}

static void check_parts(struct sl_span text)
{
    char token[SL_BASE64URL_LEN(INPUT_MAX) + 8];
    const uint8_t *end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
    size_t header_len = end == NULL ? text.len : (size_t)(end - text.data);
    size_t rest = end == NULL ? 0 : text.len - header_len - 1;
    size_t len = sl_base64url_encode(sl_span_of(text.data, header_len), token);
    token[len++] = '.';
    len += sl_base64url_encode(sl_span_of(end == NULL ? text.data : end + 1, rest), token + len);
    token[len++] = '.';
    check_token(sl_span_of(token, len));
}

/* ---- keys ---- */

static void check_keys(struct sl_span text)
{
    struct gw_jwks *set;
    struct sl_error error = {0};
    if (gw_jwks_parse(text, true, &set, &error) != SL_OK) {
        check(sl_error_is_set(&error) && error.text[0] != '\0');
        return;
    }
    check(gw_jwks_count(set) > 0 && gw_jwks_count(set) <= GW_JWKS_KEYS_MAX);
    for (enum gw_alg alg = 0; alg < GW_ALG_COUNT; alg++) {
        struct gw_jwt t = {.alg = alg, .text = sl_span_str("e30.e30."), .signature_len = 0};
        const struct gw_jwk *key = gw_jwks_find(set, &t);
        check(key == NULL || gw_jwk_verify(key, &t) == GW_SIGNATURE_BAD);
    }
    gw_jwks_destroy(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_guarded;
    if (!is_guarded)
        gw_json_guard(&sl_alloc_malloc); /* JSON as the gateway reads it */
    is_guarded = true;
    if (size == 0 || size > INPUT_MAX)
        return 0;
    struct sl_span rest = sl_span_of(data + 1, size - 1);
    if (data[0] == 't')
        check_token(rest);
    else if (data[0] == 'p')
        check_parts(rest);
    else if (data[0] == 'k')
        check_keys(rest);
    return 0;
}
