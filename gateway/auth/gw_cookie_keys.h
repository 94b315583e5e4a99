/* gw_cookie_keys.h - the ring of keys that sign cookies, kept in the state directory.
 *
 *   DIR/cookie.keys      one line a key: NUMBER SECONDS-SINCE-1970 64-HEXADECIMAL-DIGITS
 *
 * Without a directory the keys live as long as the process.
 *
 * Threads  One: the flow's. Others have copies of the ring (gw_visits).
 * Time     The wall clock is an argument.
 */
#ifndef GW_COOKIE_KEYS_H
#define GW_COOKIE_KEYS_H

#include "gw_cookie_ring.h"

struct gw_cookie_keys;

/* dir is copied; "": none. Reads what is there; makes nothing. Errors: SL_ENOMEM, SL_EINVAL (the file is not such
 * a file), and those of gw_secret_file.h; with a sentence. */
SL_MUST_CHECK sl_status gw_cookie_keys_open(const char *dir, const struct gw_cookie_conf *conf,
                                            struct gw_cookie_keys **out, struct sl_error *err);
void gw_cookie_keys_close(struct gw_cookie_keys *k); /* NULL is fine */
void gw_cookie_keys_set_conf(struct gw_cookie_keys *k, const struct gw_cookie_conf *conf);

/* A new key, which signs from now on, in memory and in the file. Errors: SL_EIO, with a sentence: no randomness,
 * or the file cannot be written; then all is as it was. */
SL_MUST_CHECK sl_status gw_cookie_keys_add(struct gw_cookie_keys *k, sl_wall_us now,
                                           struct sl_error *err);
/* Borrowed, until the next of the functions above. */
const struct gw_cookie_ring *gw_cookie_keys_ring(const struct gw_cookie_keys *k);

#endif
