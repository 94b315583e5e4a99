/* gw_cookie_keys.h - the keys that sign the cookies of browsers without a token: made, kept in the state
 * directory, rotated, used.
 *
 * A cookie is good as long as its key is kept and it is younger than lifetime. A key signs for rotate_us, and
 * is kept for lifetime_us after that, so that no cookie ends before its time.
 *
 *   DIR/cookie.keys      one line a key: NUMBER SECONDS-SINCE-1970 64-HEXADECIMAL-DIGITS
 *
 * Without a directory the keys live as long as the process.
 *
 * Threads  One: the flow's.
 * Time     The wall clock is an argument. A clock that steps back makes no key.
 */
#ifndef GW_COOKIE_KEYS_H
#define GW_COOKIE_KEYS_H

#include "gw_cookie.h"
#include "sl_base.h"
#include "sl_reason.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_COOKIE_KEYS_MAX = 16 };

struct gw_cookie_conf {
    int64_t rotate_us;
    int64_t lifetime_us; /* of a cookie; at most (GW_COOKIE_KEYS_MAX - 2) x rotate_us */
};

struct gw_cookie_keys;

/* dir is copied; "": none. Reads what is there. Errors: SL_ENOMEM, SL_EINVAL (the file is not such a file), and
 * those of gw_secret_file.h; with a sentence. */
SL_MUST_CHECK sl_status gw_cookie_keys_open(const char *dir, const struct gw_cookie_conf *conf,
                                            struct gw_cookie_keys **out, struct sl_error *err);
void gw_cookie_keys_close(struct gw_cookie_keys *k); /* NULL is fine */
void gw_cookie_keys_set_conf(struct gw_cookie_keys *k, const struct gw_cookie_conf *conf);

/* A new cookie for somebody who has none. Makes and stores a key when one is due. Errors: SL_EIO, with a
 * sentence: no randomness, or the file cannot be written. */
SL_MUST_CHECK sl_status gw_cookie_issue(struct gw_cookie_keys *k, sl_wall_us now,
                                        char out[GW_COOKIE_TEXT_MAX + 1], struct sl_error *err);
/* Signed by one of the keys, and of an age? */
bool gw_cookie_is_good(const struct gw_cookie_keys *k, const struct gw_cookie *c, sl_wall_us now);

#endif
