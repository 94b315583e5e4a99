/* jwt_maker.h - keys and signed tokens for tests, made with OpenSSL alone: what checks them in the gateway
 * is another library. Failures end the test. */
#ifndef JWT_MAKER_H
#define JWT_MAKER_H

#include <openssl/evp.h>
#include <stddef.h>

#include "gw_jwt.h"

enum { JWT_TEXT_MAX = 16384, JWT_JWK_MAX = 2048 };

struct jwt_key;

/* kid NULL: its JWK has none. */
struct jwt_key *jwt_key_create(enum gw_alg alg, const char *kid);
/* RSA of another size. */
struct jwt_key *jwt_key_create_rsa(unsigned bits, const char *kid);
void jwt_key_destroy(struct jwt_key *k);

/* The public key as JSON (of HS256: the secret). Lives as long as the key. */
const char *jwt_key_jwk(const struct jwt_key *k);

/* The pair itself, for OpenSSL's own functions; the caller ends it with EVP_PKEY_free. Not of HS256. */
EVP_PKEY *jwt_key_take_pair(struct jwt_key *k);

/* A token of these two texts, whatever they are. alg: how to sign, which the header need not say. */
void jwt_sign(const struct jwt_key *k, enum gw_alg alg, const char *header, const char *claims,
              char out[JWT_TEXT_MAX]);
/* The same with the header {"alg":...,"typ":"JWT","kid":...} of the key. */
void jwt_make(const struct jwt_key *k, const char *claims, char out[JWT_TEXT_MAX]);

#endif
