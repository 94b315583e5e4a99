/* gw_digest.c - OpenSSL's EVP with what it looks up kept. */
#include "gw_digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

struct gw_digest {
    EVP_MD *sha256;
    EVP_MD_CTX *context;
};

sl_status gw_digest_create(struct gw_digest **out)
{
    struct gw_digest *d = calloc(1, sizeof *d);
    if (d == NULL)
        return SL_ENOMEM;
    d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->context = EVP_MD_CTX_new();
    if (d->sha256 == NULL || d->context == NULL) {
        gw_digest_destroy(d);
        return SL_ENOMEM;
    }
    *out = d;
    return SL_OK;
}

void gw_digest_destroy(struct gw_digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->sha256);
    free(d);
}

sl_status gw_digest_sha256(struct gw_digest *d, struct sl_span text, uint8_t out[GW_SHA256_BYTES])
{
    return gw_digest_sha256_parts(d, &text, 1, out);
}

sl_status gw_digest_sha256_parts(struct gw_digest *d, const struct sl_span *parts, size_t count,
                                 uint8_t out[GW_SHA256_BYTES])
{
    bool ok = EVP_DigestInit_ex2(d->context, d->sha256, NULL) == 1;
    for (size_t i = 0; i < count; i++)
        ok = ok && EVP_DigestUpdate(d->context, parts[i].data, parts[i].len) == 1;
    return ok && EVP_DigestFinal_ex(d->context, out, NULL) == 1 ? SL_OK : SL_EIO;
}

sl_status gw_digest_hmac(struct sl_span key, struct sl_span text, uint8_t out[GW_SHA256_BYTES])
{
    if (key.len > INT_MAX)
        return SL_EIO;
    const uint8_t *mac = HMAC(EVP_sha256(), key.data, (int)key.len, text.data, text.len, out, NULL);
    return mac != NULL ? SL_OK : SL_EIO;
}

bool gw_digest_is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

sl_status gw_digest_random(uint8_t *out, size_t len)
{
    return len <= INT_MAX && RAND_priv_bytes(out, (int)len) == 1 ? SL_OK : SL_EIO;
}

void gw_digest_erase(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
