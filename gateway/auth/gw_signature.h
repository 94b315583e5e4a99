/* gw_signature.h - signatures of tokens (RFC 7518, RFC 8037): checked by any algorithm of ours, made by ES256.
 *
 * Length   A signature has exactly the length of its algorithm and key, or it is refused before anything is
 *          compared: RSA's modulus, 64 bytes of r and s, 64 of Ed25519, 32 of a MAC.
 * Threads  A key by one thread at a time.
 * Source   OpenSSL's EVP. Its queue of errors is left empty: TLS connections of the thread read it too.
 */
#ifndef GW_SIGNATURE_H
#define GW_SIGNATURE_H

#include <openssl/evp.h>

#include "gw_jwt.h"

enum { GW_ES256_BYTES = 64 };

/* How a check ended; without memory it cannot be told. */
enum gw_signature { GW_SIGNATURE_GOOD, GW_SIGNATURE_BAD, GW_SIGNATURE_NO_MEMORY };

/* By a public key that is of the algorithm's type. */
enum gw_signature gw_signature_verify(enum gw_alg alg, EVP_PKEY *key, struct sl_span message,
                                      struct sl_span signature);
/* HS256. */
enum gw_signature gw_signature_verify_mac(struct sl_span secret, struct sl_span message,
                                          struct sl_span mac);

/* false: no memory. */
bool gw_signature_make_es256(EVP_PKEY *pair, struct sl_span message, uint8_t out[GW_ES256_BYTES]);

#endif
