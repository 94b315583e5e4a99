/* gw_jwk.h - one key of an issuer (RFC 7517) and the check of a signature by it.
 *
 * Which    RSA of 2048 to 8192 bits with an odd exponent of 3 or more, EC on P-256, oct (a shared secret) of 32
 *          to 512 bytes, OKP on Ed25519. A key that says it is for something else (`use`, `key_ops`,
 *          `alg`) is not taken. Private parts are left out when there are any.
 * Match    A key verifies only algorithms of its own type, so an RSA key is never a secret of HS256.
 * Threads  One at a time.
 * Source   OpenSSL's EVP, by way of gw_jwk_evp and gw_signature.
 */
#ifndef GW_JWK_H
#define GW_JWK_H

#include "gw_jwt.h"
#include "gw_signature.h"

struct gw_jwk;

/* json is borrowed. NULL, and a few words in why: not taken. */
struct gw_jwk *gw_jwk_create(const json_t *json, const char **why);
void gw_jwk_destroy(struct gw_jwk *k); /* NULL is fine */

const char *gw_jwk_kid(const struct gw_jwk *k); /* NULL: it has none */
bool gw_jwk_is_secret(const struct gw_jwk *k);  /* whoever has it can sign */
bool gw_jwk_fits(const struct gw_jwk *k, enum gw_alg alg);

/* Is the token's signature by this key? gw_jwk_fits for its algorithm is part of it. */
enum gw_signature gw_jwk_verify(const struct gw_jwk *k, const struct gw_jwt *t);

#endif
