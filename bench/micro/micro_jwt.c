/* micro_jwt.c - what a fresh token costs beside OpenSSL's own check of its signature.
 *
 *   micro_jwt [ROUNDS]
 *
 * Each round checks the same token by gw_issuers_verify (form, key, signature, claims) and its signature alone by
 * EVP_DigestVerify with a key that is there already, one after the other; CPU time of the thread, the
 * median of the rounds and of their ratios. Nothing is cached: this is the price of a token that was never seen.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gw_issuers.h"
#include "gw_json.h"
#include "jwt_maker.h"
#include "sl_log.h"

enum { ROUNDS = 41, ROUNDS_MAX = 1001, CALLS_A_ROUND = 200 };

#define NOW (INT64_C(1800000000) * SL_US_PER_S)

static const char *const audience[] = {"sluice"};
static const int algorithms[] = {GW_ALG_RS256, GW_ALG_PS256, GW_ALG_ES256, GW_ALG_EDDSA};

struct subject {
    enum gw_alg alg;
    struct gw_issuers *issuers;
    char token[JWT_TEXT_MAX];
    EVP_PKEY *key; /* for OpenSSL alone */
    struct gw_jwt parsed;
    uint8_t signature[GW_JWT_SIGNATURE_MAX]; /* as OpenSSL wants it: ECDSA in DER */
    size_t signature_len;
};

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_jwt: %s\n", what);
    exit(1);
}

/* ---- what is measured ---- */

static void verify_by_gateway(const struct subject *s)
{
    struct gw_claims claims;
    struct gw_denial denial;
    must(gw_issuers_verify(s->issuers, s->parsed.text, NOW, &claims, &denial) == GW_VERDICT_GOOD,
         "a token is refused");
}

static void verify_by_openssl(const struct subject *s)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    const EVP_MD *digest = s->alg == GW_ALG_EDDSA ? NULL : EVP_sha256();
    bool ok = EVP_DigestVerifyInit(ctx, &options, digest, NULL, s->key) == 1;
    if (s->alg == GW_ALG_PS256)
        ok = ok && EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1;
    ok = ok && EVP_DigestVerify(ctx, s->signature, s->signature_len, s->parsed.signed_part.data,
                                s->parsed.signed_part.len) == 1;
    EVP_MD_CTX_free(ctx);
    must(ok, "OpenSSL refuses a signature");
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double us_each(void (*deed)(const struct subject *s), const struct subject *s)
{
    double begin = cpu_us();
    for (int i = 0; i < CALLS_A_ROUND; i++)
        deed(s);
    return (cpu_us() - begin) / CALLS_A_ROUND;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static void measure(const struct subject *s, int rounds)
{
    static double ours[ROUNDS_MAX], openssl[ROUNDS_MAX], ratio[ROUNDS_MAX];
    us_each(verify_by_gateway, s);
    us_each(verify_by_openssl, s);
    for (int i = 0; i < rounds; i++) {
        ours[i] = us_each(verify_by_gateway, s);
        openssl[i] = us_each(verify_by_openssl, s);
        ratio[i] = ours[i] / openssl[i];
    }
    double middle = median(ratio, rounds);
    printf("%-6s %8.2f us %8.2f us   x%.2f (%.2f to %.2f)\n", gw_alg_names[s->alg],
           median(ours, rounds), median(openssl, rounds), middle, ratio[0], ratio[rounds - 1]);
}

/* ---- what is needed for it ---- */

static sl_status keep_id(void *ctx, uint64_t id, const char *url, const char *ca,
                         int64_t timeout_ns)
{
    (void)url, (void)ca, (void)timeout_ns;
    *(uint64_t *)ctx = id;
    return SL_OK;
}

/* An issuer that has one key. */
static struct gw_issuers *make_issuers(const char *jwk)
{
    const struct gw_issuer_conf issuer = {
        .name = "corp",
        .issuer = "https://login.example.org",
        .audience = {(void *)(uintptr_t)audience, 1},
        .jwks_url = "https://login.example.org/keys",
        .jwks_file = "",
        .ca = "",
        .algorithms = {(void *)(uintptr_t)algorithms, SL_ARRAY_LEN(algorithms)},
        .user_claim = "sub",
        .organisation_claim = "org",
        .tier_claim = "",
        .tier = "free"};
    const struct gw_issuers_conf conf = {
        &issuer, 1, {SL_NS_PER_S, 3600 * SL_NS_PER_S, 3600 * SL_NS_PER_S, SL_NS_PER_S}};
    char set[JWT_JWK_MAX + 32];
    uint64_t id = 0;
    struct gw_fetch_port port = {&id, keep_id};
    struct gw_fetched fetched = {.max_age_ns = -1};
    struct gw_issuers *issuers;
    struct sl_error error;
    must(gw_issuers_create(&port, &issuers) == SL_OK &&
             gw_issuers_load(issuers, &conf, 0, &error) == SL_OK,
         "no issuer");
    snprintf(set, sizeof set, "{\"keys\":[%s]}", jwk);
    fetched.id = id;
    must(gw_jwks_parse(sl_span_str(set), false, &fetched.keys, &error) == SL_OK, "no keys");
    gw_issuers_on_fetched(issuers, &fetched, 0);
    return issuers;
}

/* r and s of 32 bytes each, as DER. */
static void make_der(struct subject *s)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    uint8_t *to = s->signature;
    ECDSA_SIG_set0(sig, BN_bin2bn(s->parsed.signature, 32, NULL),
                   BN_bin2bn(s->parsed.signature + 32, 32, NULL));
    s->signature_len = (size_t)i2d_ECDSA_SIG(sig, &to);
    ECDSA_SIG_free(sig);
}

static void make_subject(struct subject *s, enum gw_alg alg)
{
    static const char claims[] =
        "{\"iss\":\"https://login.example.org\",\"aud\":\"sluice\",\"sub\":\"alice@example.org\","
        "\"iat\":1800000000,\"exp\":1800000300,\"org\":\"Example\",\"email_verified\":true,"
        "\"name\":\"Alice Example\",\"jti\":\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"}";
    struct gw_finding f;
    struct jwt_key *key = jwt_key_create(alg, "2026-01");
    *s = (struct subject){.alg = alg, .issuers = make_issuers(jwt_key_jwk(key))};
    jwt_make(key, claims, s->token);
    must(gw_jwt_parse(sl_span_str(s->token), &s->parsed, &f), "no token");
    memcpy(s->signature, s->parsed.signature, s->parsed.signature_len);
    s->signature_len = s->parsed.signature_len;
    if (alg == GW_ALG_ES256)
        make_der(s);
    s->key = jwt_key_take_pair(key);
    jwt_key_destroy(key);
}

static void destroy_subject(struct subject *s)
{
    gw_jwt_finish(&s->parsed);
    gw_issuers_destroy(s->issuers);
    EVP_PKEY_free(s->key);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    must(rounds > 0 && rounds <= ROUNDS_MAX, "ROUNDS is 1 to 1001");
    sl_log_set_level(SL_LOG_WARN);
    gw_json_guard(&sl_alloc_malloc);
    printf("%d rounds of %d; CPU time of one, medians\n", rounds, CALLS_A_ROUND);
    printf("%-6s %11s %11s   %s\n", "", "gateway", "OpenSSL", "ratio (least to most)");
    for (size_t i = 0; i < SL_ARRAY_LEN(algorithms); i++) {
        struct subject s;
        make_subject(&s, (enum gw_alg)algorithms[i]);
        measure(&s, rounds);
        destroy_subject(&s);
    }
    return 0;
}
