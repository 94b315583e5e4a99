/* gw_eddsa.h - signatures by Ed25519 (RFC 8032), the one algorithm of ours that cjose does not have.
 *
 * Threads  A key may be used by one thread at a time.
 * Source   OpenSSL's EVP.
 */
#ifndef GW_EDDSA_H
#define GW_EDDSA_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "sl_span.h"

enum { GW_ED25519_KEY_BYTES = 32, GW_ED25519_SIGNATURE_BYTES = 64 };

/* A public key of 32 bytes; NULL: not a key, or no memory. End it with EVP_PKEY_free. */
EVP_PKEY *gw_eddsa_key(struct sl_span public_key);
bool gw_eddsa_verify(EVP_PKEY *key, struct sl_span message, struct sl_span signature);

#endif
