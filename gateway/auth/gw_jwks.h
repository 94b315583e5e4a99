/* gw_jwks.h - the keys of one issuer: a JWK set (RFC 7517, section 5), read once and never changed.
 *
 * A key of the set that is not understood is left out, as the RFC says; a set of which nothing is left is
 * an error.
 *
 * Limits   GW_JWKS_BYTES_MAX of text, GW_JWKS_KEYS_MAX keys.
 * Threads  Made on any thread, used by one at a time.
 */
#ifndef GW_JWKS_H
#define GW_JWKS_H

#include "gw_jwk.h"
#include "sl_reason.h"
#include "sl_status.h"

enum { GW_JWKS_BYTES_MAX = 256 * 1024, GW_JWKS_KEYS_MAX = 128 };

struct gw_jwks;

/* with_secrets: whether shared secrets (oct) are taken; never from a place that others can read. Errors,
 * with a sentence: SL_EINVAL (no set, no usable key), SL_ETOOBIG, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_jwks_parse(struct sl_span text, bool with_secrets, struct gw_jwks **out,
                                      struct sl_error *error);
/* The same from a file. One with shared secrets must not be readable by its group or others. Errors also
 * SL_EIO. */
SL_MUST_CHECK sl_status gw_jwks_read_file(const char *path, struct gw_jwks **out,
                                          struct sl_error *error);
void gw_jwks_destroy(struct gw_jwks *s); /* NULL is fine */

size_t gw_jwks_count(const struct gw_jwks *s);
size_t gw_jwks_left_out(const struct gw_jwks *s);

/* The key that the token names by its kid, if it fits its algorithm. A token without a kid gets the only key
 * that fits. NULL: there is none, or more than one. */
const struct gw_jwk *gw_jwks_find(const struct gw_jwks *s, const struct gw_jwt *t);

#endif
