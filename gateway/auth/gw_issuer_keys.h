/* gw_issuer_keys.h - an issuer's keys that come from a URL: how fresh they are, and when to fetch them
 * again. No clock and no network: the owner fetches when asked to.
 *
 *   EMPTY ---fetch--> HAVE: fresh until stale_at, then fetched again and used meanwhile
 *                      | no good answer until dead_at
 *                      v
 *                     EMPTY
 *
 * A token that names a key which is not there may mean that the issuer has a new one, so it asks for a
 * fetch too; but no two fetches begin within one interval, whatever tokens come.
 *
 * Threads  One.
 * Memory   Owns the keys.
 */
#ifndef GW_ISSUER_KEYS_H
#define GW_ISSUER_KEYS_H

#include "gw_issuer_conf.h"
#include "gw_jwks.h"
#include "gw_jwks_fetch.h"

struct gw_issuer_keys {
    struct gw_jwks *keys; /* NULL: none */
    bool is_fetching;
    sl_mono_ns may_fetch_at; /* not before */
    sl_mono_ns stale_at;
    sl_mono_ns dead_at;
    char why[GW_FETCH_WHY_MAX]; /* the last fetch failed; "": it did not */
};

/* Empty; the first fetch may begin at once. */
void gw_issuer_keys_init(struct gw_issuer_keys *k, sl_mono_ns now);
void gw_issuer_keys_finish(struct gw_issuer_keys *k);

/* Lets go of what is too old; then: should a fetch begin? for_unknown: a token named a key that is not there. */
bool gw_issuer_keys_is_due(struct gw_issuer_keys *k, bool for_unknown, sl_mono_ns now);
/* It has begun, or could not. */
void gw_issuer_keys_on_start(struct gw_issuer_keys *k, bool has_begun, const struct gw_jwks_conf *c,
                             sl_mono_ns now);
/* It is over; takes fetched->keys. */
void gw_issuer_keys_on_fetched(struct gw_issuer_keys *k, const struct gw_fetched *fetched,
                               const struct gw_jwks_conf *c, sl_mono_ns now);

#endif
