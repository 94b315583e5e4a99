/* sl_key.h - CURVE keys of the link as text and in files: 40 characters of Z85 (ZeroMQ RFC 32), 32
 * bytes in all.
 *
 * A key file holds the 40 characters and nothing but white space beside them. One with a secret key
 * must be a regular file that neither its group nor others can read.
 *
 * Errors   SL_EINVAL with a sentence that names the file; never with any part of a secret key.
 * Memory   The caller's; a secret is the caller's to erase (sl_key_erase).
 * Threads  Any.
 */
#ifndef SL_KEY_H
#define SL_KEY_H

#include <stdbool.h>

#include "sl_reason.h"
#include "sl_status.h"

enum { SL_KEY_TEXT_LEN = 40 };

struct sl_key {
    char text[SL_KEY_TEXT_LEN + 1];
};

/* Exactly 40 characters of the Z85 alphabet? */
bool sl_key_is_text(const char *text);
bool sl_key_is_same(const struct sl_key *a, const struct sl_key *b);
void sl_key_erase(struct sl_key *key);

/* text is a public key, or else the path of a file that holds one. */
SL_MUST_CHECK sl_status sl_key_read_public(const char *text, struct sl_key *out,
                                           struct sl_error *err);
SL_MUST_CHECK sl_status sl_key_read_secret(const char *path, struct sl_key *out,
                                           struct sl_error *err);

#endif
