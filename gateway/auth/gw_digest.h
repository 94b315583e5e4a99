/* gw_digest.h - SHA-256, HMAC-SHA-256 and random bytes, by OpenSSL.
 *
 * Threads  A gw_digest belongs to one thread; the functions without one are any thread's.
 * Cost     A gw_digest keeps the algorithm and a context: without them OpenSSL looks both up for each text,
 *          which costs more than the digest of a token.
 */
#ifndef GW_DIGEST_H
#define GW_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_base.h"
#include "sl_span.h"
#include "sl_status.h"

enum { GW_SHA256_BYTES = 32 };

struct gw_digest;

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_digest_create(struct gw_digest **out);
void gw_digest_destroy(struct gw_digest *d); /* NULL is fine */

/* Errors: SL_EIO, which OpenSSL gives when it lacks memory. */
SL_MUST_CHECK sl_status gw_digest_sha256(struct gw_digest *d, struct sl_span text,
                                         uint8_t out[GW_SHA256_BYTES]);
/* Of the parts one after the other. */
SL_MUST_CHECK sl_status gw_digest_sha256_parts(struct gw_digest *d, const struct sl_span *parts,
                                               size_t count, uint8_t out[GW_SHA256_BYTES]);
SL_MUST_CHECK sl_status gw_digest_hmac(struct sl_span key, struct sl_span text,
                                       uint8_t out[GW_SHA256_BYTES]);
/* In a time that does not depend on what they hold. */
bool gw_digest_is_same(const uint8_t *a, const uint8_t *b, size_t len);

/* For secrets. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_digest_random(uint8_t *out, size_t len);
/* Before memory that held a secret is let go. */
void gw_digest_erase(void *secret, size_t len);

#endif
