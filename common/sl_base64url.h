/* sl_base64url.h - bytes as text by the alphabet for URLs (RFC 4648, section 5): tokens, cookies, keys. Pure.
 *
 * Without padding. Read strictly: each run of bytes has exactly one text, so a changed character is a
 * changed value; no padding, white space, other alphabet or set bits beyond the last byte.
 */
#ifndef SL_BASE64URL_H
#define SL_BASE64URL_H

#include <stddef.h>

#include "sl_base64.h"
#include "sl_span.h"
#include "sl_status.h"

/* Characters of so many bytes, without the NUL; and the most bytes of so many characters. */
#define SL_BASE64URL_LEN(bytes)   SL_BASE64_LEN(bytes)
#define SL_BASE64URL_BYTES(chars) ((chars)*3 / 4)

/* Writes SL_BASE64URL_LEN(bytes.len) characters and a NUL; returns their count. */
size_t sl_base64url_encode(struct sl_span bytes, char *out);

/* Writes at most room bytes. Errors: SL_EINVAL (not of that form), SL_ETOOBIG (more than room). What is
 * in out after an error is not said. */
SL_MUST_CHECK sl_status sl_base64url_decode(struct sl_span text, void *out, size_t room,
                                            size_t *out_len);

#endif
