/* gw_jwk_evp.h - the numbers of a JWK as OpenSSL's keys, and back.
 *
 * Errors   NULL or false: no key of that kind (a point that is not on its curve), or no memory.
 * Memory   Keys are the caller's, to be ended with EVP_PKEY_free.
 * Threads  Any.
 * Source   OpenSSL's EVP, whose queue of errors is left empty.
 */
#ifndef GW_JWK_EVP_H
#define GW_JWK_EVP_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "sl_span.h"

enum { GW_P256_BYTES = 32, GW_ED25519_BYTES = 32 };

struct gw_p256 {
    uint8_t x[GW_P256_BYTES], y[GW_P256_BYTES];
    uint8_t d[GW_P256_BYTES]; /* the secret, of pairs alone */
};

EVP_PKEY *gw_jwk_evp_rsa(struct sl_span n, struct sl_span e);
EVP_PKEY *gw_jwk_evp_p256(const struct gw_p256 *numbers, bool is_pair);
EVP_PKEY *gw_jwk_evp_ed25519(const uint8_t x[GW_ED25519_BYTES]);

/* A new pair. */
EVP_PKEY *gw_jwk_evp_make_p256(void);
/* d too, which the caller erases. */
bool gw_jwk_evp_read_p256(EVP_PKEY *pair, struct gw_p256 *out);

#endif
