/* gw_claims_cache.h - tokens that were verified a moment ago, by the SHA-256 of their texts, so that a
 * signature is not computed for every call. Pure.
 *
 * An entry is good for kept_us, and never beyond the token's own end: an issuer that takes a key back is
 * heard after that time. A clock that steps back makes entries of its future stale. What was not seen for
 * longest leaves first.
 *
 * Threads  One: the flow's.
 * Memory   At most max_count entries; the texts of tokens are not kept.
 * Errors   No memory: the token is verified again next time.
 */
#ifndef GW_CLAIMS_CACHE_H
#define GW_CLAIMS_CACHE_H

#include "gw_claims.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_status.h"

enum { GW_CLAIMS_DIGEST_BYTES = 32 };

struct gw_claims_cache;

SL_MUST_CHECK sl_status gw_claims_cache_create(const struct sl_alloc *alloc, size_t max_count,
                                               int64_t kept_us, struct gw_claims_cache **out);
void gw_claims_cache_destroy(struct gw_claims_cache *c); /* NULL is fine */

/* NULL: not known, or not any more. Valid until the next call. */
const struct gw_claims *gw_claims_cache_find(struct gw_claims_cache *c,
                                             const uint8_t digest[GW_CLAIMS_DIGEST_BYTES],
                                             sl_wall_us now);
void gw_claims_cache_put(struct gw_claims_cache *c, const uint8_t digest[GW_CLAIMS_DIGEST_BYTES],
                         const struct gw_claims *claims, sl_wall_us now);
/* All are verified again: keys or rules have changed. */
void gw_claims_cache_clear(struct gw_claims_cache *c);
size_t gw_claims_cache_count(const struct gw_claims_cache *c);

#endif
