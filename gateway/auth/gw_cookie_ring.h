/* gw_cookie_ring.h - the keys that sign the cookies of browsers without a token, as a value: whoever has a copy
 * signs and checks.
 *
 * A cookie is good as long as its key is kept and it is younger than lifetime_us. A key signs for rotate_us, or
 * until there is another, and is kept for lifetime_us after that, so that no cookie ends before its time.
 *
 * Threads  Any, for different rings.
 * Secrets  Whoever lets a ring go erases it (gw_digest_erase).
 */
#ifndef GW_COOKIE_RING_H
#define GW_COOKIE_RING_H

#include "gw_cookie.h"
#include "sl_base.h"
#include "sl_reason.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_COOKIE_KEYS_MAX = 16, GW_COOKIE_KEY_BYTES = 32 };

struct gw_cookie_conf {
    int64_t rotate_us;
    int64_t lifetime_us; /* of a cookie; at most (GW_COOKIE_KEYS_MAX - 2) x rotate_us */
};

struct gw_cookie_key {
    uint32_t number;
    int64_t made_s; /* since 1970 */
    uint8_t bytes[GW_COOKIE_KEY_BYTES];
};

struct gw_cookie_ring {
    struct gw_cookie_conf conf;
    struct gw_cookie_key keys[GW_COOKIE_KEYS_MAX]; /* the newest, which signs, last */
    size_t count;
};

/* Is there no key, or is the newest too old to sign? A clock that steps back makes none due. */
bool gw_cookie_ring_is_due(const struct gw_cookie_ring *r, sl_wall_us now);
/* A key that is as old as new ones are. Those go that no cookie needs any more, and the oldest when there is no
 * room. Errors: SL_EIO (no randomness), and nothing has changed. */
SL_MUST_CHECK sl_status gw_cookie_ring_add(struct gw_cookie_ring *r, sl_wall_us now);

/* id of GW_COOKIE_ID_BYTES; NULL: a new one. Errors: SL_ENOENT (there is no key), SL_EIO. */
SL_MUST_CHECK sl_status gw_cookie_ring_sign(const struct gw_cookie_ring *r, const uint8_t *id,
                                            sl_wall_us now, char out[GW_COOKIE_TEXT_MAX + 1]);
/* Signed by one of the keys, and of an age? */
bool gw_cookie_ring_is_good(const struct gw_cookie_ring *r, const struct gw_cookie *c,
                            sl_wall_us now);

#endif
