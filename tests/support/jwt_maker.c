#include "jwt_maker.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "sl_base64url.h"
#include "sl_test.h"

enum { SECRET_BYTES = 32, SIGNATURE_MAX = 2048 };

struct jwt_key {
    enum gw_alg alg;
    EVP_PKEY *pair; /* NULL: HS256 */
    uint8_t secret[SECRET_BYTES];
    char kid[GW_JWT_KID_MAX + 1];
    char jwk[JWT_JWK_MAX];
};

/* ---- JWK ---- */

static void encode_number(EVP_PKEY *pair, const char *name, char out[1500])
{
    uint8_t bytes[1100];
    BIGNUM *n = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pair, name, &n), 1);
    assert_true(BN_num_bytes(n) <= (int)sizeof bytes);
    sl_base64url_encode(sl_span_of(bytes, (size_t)BN_bn2bin(n, bytes)), out);
    BN_free(n);
}

static void write_rsa(struct jwt_key *k, const char *kid_member)
{
    char n[1500], e[1500];
    encode_number(k->pair, OSSL_PKEY_PARAM_RSA_N, n);
    encode_number(k->pair, OSSL_PKEY_PARAM_RSA_E, e);
    snprintf(k->jwk, sizeof k->jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n, e,
             kid_member);
}

static void write_ec(struct jwt_key *k, const char *kid_member)
{
    uint8_t point[65];
    char x[64], y[64];
    size_t len;
    assert_int_equal(EVP_PKEY_get_octet_string_param(k->pair, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                     sizeof point, &len),
                     1);
    assert_int_equal(len, sizeof point);
    sl_base64url_encode(sl_span_of(point + 1, 32), x);
    sl_base64url_encode(sl_span_of(point + 33, 32), y);
    snprintf(k->jwk, sizeof k->jwk,
             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s}", x, y, kid_member);
}

static void write_okp(struct jwt_key *k, const char *kid_member)
{
    uint8_t bytes[32];
    char x[64];
    size_t len = sizeof bytes;
    assert_int_equal(EVP_PKEY_get_raw_public_key(k->pair, bytes, &len), 1);
    sl_base64url_encode(sl_span_of(bytes, len), x);
    snprintf(k->jwk, sizeof k->jwk, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s}", x,
             kid_member);
}

static void write_secret(struct jwt_key *k, const char *kid_member)
{
    char text[64];
    sl_base64url_encode(sl_span_of(k->secret, sizeof k->secret), text);
    snprintf(k->jwk, sizeof k->jwk, "{\"kty\":\"oct\",\"k\":\"%s\"%s}", text, kid_member);
}

/* ---- keys ---- */

static struct jwt_key *new_key(enum gw_alg alg, EVP_PKEY *pair, const char *kid)
{
    static void (*const write[GW_ALG_COUNT])(struct jwt_key *, const char *) = {
        write_secret, write_rsa, write_rsa, write_ec, write_okp};
    char kid_member[GW_JWT_KID_MAX + 16] = "";
    struct jwt_key *k = calloc(1, sizeof *k);
    assert_non_null(k);
    assert_true(alg == GW_ALG_HS256 || pair != NULL);
    k->alg = alg;
    k->pair = pair;
    assert_int_equal(RAND_bytes(k->secret, sizeof k->secret), 1);
    if (kid != NULL) {
        snprintf(k->kid, sizeof k->kid, "%s", kid);
        snprintf(kid_member, sizeof kid_member, ",\"kid\":\"%s\"", kid);
    }
    write[alg](k, kid_member);
    return k;
}

struct jwt_key *jwt_key_create(enum gw_alg alg, const char *kid)
{
    switch (alg) {
    case GW_ALG_RS256:
    case GW_ALG_PS256:
        return new_key(alg, EVP_RSA_gen(2048), kid);
    case GW_ALG_ES256:
        return new_key(alg, EVP_EC_gen("P-256"), kid);
    case GW_ALG_EDDSA:
        return new_key(alg, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), kid);
    default:
        return new_key(alg, NULL, kid);
    }
}

struct jwt_key *jwt_key_create_rsa(unsigned bits, const char *kid)
{
    return new_key(GW_ALG_RS256, EVP_RSA_gen(bits), kid);
}

void jwt_key_destroy(struct jwt_key *k)
{
    EVP_PKEY_free(k->pair);
    free(k);
}

const char *jwt_key_jwk(const struct jwt_key *k)
{
    return k->jwk;
}

EVP_PKEY *jwt_key_take_pair(struct jwt_key *k)
{
    EVP_PKEY *pair = k->pair;
    k->pair = NULL;
    return pair;
}

/* ---- signatures ---- */

/* ECDSA's DER as r and s of 32 bytes each. */
static size_t flatten(const uint8_t *der, size_t der_len, uint8_t *out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    assert_non_null(sig);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32), 32);
    ECDSA_SIG_free(sig);
    return 64;
}

static size_t sign_with_pair(const struct jwt_key *k, enum gw_alg alg, struct sl_span text,
                             uint8_t out[SIGNATURE_MAX])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    size_t len = SIGNATURE_MAX;
    uint8_t der[256];
    size_t der_len = sizeof der;
    const EVP_MD *digest = alg == GW_ALG_EDDSA ? NULL : EVP_sha256();
    assert_int_equal(EVP_DigestSignInit(ctx, &options, digest, NULL, k->pair), 1);
    if (alg == GW_ALG_PS256) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    if (alg == GW_ALG_ES256) {
        assert_int_equal(EVP_DigestSign(ctx, der, &der_len, text.data, text.len), 1);
        len = flatten(der, der_len, out);
    } else {
        assert_int_equal(EVP_DigestSign(ctx, out, &len, text.data, text.len), 1);
    }
    EVP_MD_CTX_free(ctx);
    return len;
}

/* An HS256 signature by a key pair is that of who takes the public key for a secret. */
static size_t sign_with_secret(const struct jwt_key *k, struct sl_span text, uint8_t *out)
{
    const void *secret = k->pair == NULL ? (const void *)k->secret : k->jwk;
    size_t secret_len = k->pair == NULL ? sizeof k->secret : strlen(k->jwk);
    unsigned len = SIGNATURE_MAX;
    assert_non_null(HMAC(EVP_sha256(), secret, (int)secret_len, text.data, text.len, out, &len));
    return len;
}

void jwt_sign(const struct jwt_key *k, enum gw_alg alg, const char *header, const char *claims,
              char out[JWT_TEXT_MAX])
{
    uint8_t signature[SIGNATURE_MAX];
    assert_true(SL_BASE64URL_LEN(strlen(header)) + SL_BASE64URL_LEN(strlen(claims)) + 4096 <
                JWT_TEXT_MAX);
    size_t len = sl_base64url_encode(sl_span_str(header), out);
    out[len++] = '.';
    len += sl_base64url_encode(sl_span_str(claims), out + len);
    size_t signature_len = alg == GW_ALG_HS256
                               ? sign_with_secret(k, sl_span_of(out, len), signature)
                               : sign_with_pair(k, alg, sl_span_of(out, len), signature);
    out[len++] = '.';
    sl_base64url_encode(sl_span_of(signature, signature_len), out + len);
}

void jwt_make(const struct jwt_key *k, const char *claims, char out[JWT_TEXT_MAX])
{
    char header[GW_JWT_KID_MAX + 64];
    if (k->kid[0] != '\0')
        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                 gw_alg_names[k->alg], k->kid);
    else
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", gw_alg_names[k->alg]);
    jwt_sign(k, k->alg, header, claims, out);
}
