#include "gw_signature.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

/* r or s; and both in ASN.1: two integers of at most 33 bytes, each with two bytes in front, and a head. */
enum { P256_BYTES = 32, DER_MAX = 2 * (P256_BYTES + 3) + 2, SHA256_BYTES = 32 };

/* ---- ES256: r and s as they are, where OpenSSL has them in ASN.1 ---- */

/* The length, 0: no memory. */
static size_t write_der(struct sl_span flat, uint8_t der[DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(flat.data, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(flat.data + P256_BYTES, P256_BYTES, NULL);
    int len = 0;
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* sig's now */
        len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool read_der(const uint8_t *der, size_t der_len, uint8_t flat[GW_ES256_BYTES])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), flat, P256_BYTES) == P256_BYTES &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), flat + P256_BYTES, P256_BYTES) == P256_BYTES;
    ECDSA_SIG_free(sig);
    return ok;
}

/* ---- public keys ---- */

static size_t length_of(enum gw_alg alg, EVP_PKEY *key)
{
    return alg == GW_ALG_ES256 ? GW_ES256_BYTES : (size_t)EVP_PKEY_get_size(key);
}

static bool begin(EVP_MD_CTX *ctx, enum gw_alg alg, EVP_PKEY *key)
{
    EVP_PKEY_CTX *options;
    const EVP_MD *digest = alg == GW_ALG_EDDSA ? NULL : EVP_sha256();
    if (EVP_DigestVerifyInit(ctx, &options, digest, NULL, key) != 1)
        return false;
    return alg != GW_ALG_PS256 ||
           (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static enum gw_signature verify(enum gw_alg alg, EVP_PKEY *key, struct sl_span message,
                                struct sl_span signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum gw_signature outcome = GW_SIGNATURE_NO_MEMORY;
    if (ctx != NULL && begin(ctx, alg, key))
        outcome =
            EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1
                ? GW_SIGNATURE_GOOD
                : GW_SIGNATURE_BAD;
    EVP_MD_CTX_free(ctx);
    return outcome;
}

enum gw_signature gw_signature_verify(enum gw_alg alg, EVP_PKEY *key, struct sl_span message,
                                      struct sl_span signature)
{
    uint8_t der[DER_MAX];
    if (signature.len != length_of(alg, key))
        return GW_SIGNATURE_BAD;
    if (alg == GW_ALG_ES256)
        signature = sl_span_of(der, write_der(signature, der));
    enum gw_signature outcome =
        signature.len == 0 ? GW_SIGNATURE_NO_MEMORY : verify(alg, key, message, signature);
    if (outcome != GW_SIGNATURE_GOOD)
        ERR_clear_error();
    return outcome;
}

bool gw_signature_make_es256(EVP_PKEY *pair, struct sl_span message, uint8_t out[GW_ES256_BYTES])
{
    uint8_t der[DER_MAX];
    size_t der_len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair) == 1 &&
              EVP_DigestSign(ctx, der, &der_len, message.data, message.len) == 1 &&
              read_der(der, der_len, out);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error();
    return ok;
}

/* ---- secrets ---- */

enum gw_signature gw_signature_verify_mac(struct sl_span secret, struct sl_span message,
                                          struct sl_span mac)
{
    uint8_t own[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (mac.len != SHA256_BYTES)
        return GW_SIGNATURE_BAD;
    if (HMAC(EVP_sha256(), secret.data, (int)secret.len, message.data, message.len, own, &len) ==
        NULL) {
        ERR_clear_error();
        return GW_SIGNATURE_NO_MEMORY;
    }
    bool same = len == mac.len && CRYPTO_memcmp(own, mac.data, len) == 0;
    OPENSSL_cleanse(own, sizeof own);
    return same ? GW_SIGNATURE_GOOD : GW_SIGNATURE_BAD;
}
