/* gw_sign_ring.h - the keys with which this gateway signs tokens: ES256, the newest first, and their file.
 *
 * One key signs; those before it verify until the last token that they signed is over. The ring is
 * written as one secret file (gw_secret_file).
 *
 * Limits   GW_SIGN_KEYS_MAX keys; beyond it the oldest goes, with its tokens.
 * Errors   A file that is there and cannot be used is never written over: it is an error with a sentence, since
 *          a new key would silently end the visitors' tokens. Nothing of a key is in a sentence.
 * Threads  One.
 * Source   OpenSSL, jansson.
 */
#ifndef GW_SIGN_RING_H
#define GW_SIGN_RING_H

#include <openssl/evp.h>

#include "gw_jwk.h"
#include "sl_reason.h"
#include "sl_status.h"

#define GW_SIGN_FILE "issued-keys.json" /* in the directory */

enum { GW_SIGN_KEYS_MAX = 8, GW_SIGN_KID_LEN = 16, GW_SIGN_FILE_BYTES_MAX = 16384 };

struct gw_sign_key {
    char kid[GW_SIGN_KID_LEN + 1];
    sl_wall_us made_at;
    EVP_PKEY *pair;
    struct gw_jwk *public_key;
};

struct gw_sign_ring {
    struct gw_sign_key keys[GW_SIGN_KEYS_MAX]; /* keys[0] signs */
    size_t count;
};

void gw_sign_ring_finish(struct gw_sign_ring *r); /* of a zeroed one too */

/* Makes a key and puts it first. Errors: SL_EIO (no randomness), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sign_ring_add(struct gw_sign_ring *r, sl_wall_us now);
/* Takes the newest away again: it could not be kept. */
void gw_sign_ring_undo(struct gw_sign_ring *r);
/* Lets go of keys whose successor was made at or before `before`. */
void gw_sign_ring_retire(struct gw_sign_ring *r, sl_wall_us before);

/* NULL: it is not there. */
const struct gw_sign_key *gw_sign_ring_find(const struct gw_sign_ring *r, const char *kid);

/* Errors: SL_ENOENT (no such file: the ring is empty), SL_EINVAL, SL_EIO, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sign_ring_read(struct gw_sign_ring *r, const char *dir,
                                          struct sl_error *error);
/* Errors: SL_EIO, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_sign_ring_write(const struct gw_sign_ring *r, const char *dir,
                                           struct sl_error *error);

/* The public keys as a JWK set; the caller frees it. NULL: no memory. */
char *gw_sign_ring_jwks(const struct gw_sign_ring *r);

#endif
