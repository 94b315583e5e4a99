/* sl_base64.h - bytes as text (RFC 4648), the form of gRPC's "-bin" metadata. Pure.
 *
 * Of the two alphabets the one that ends in + and /. gRPC says: written without padding, read with
 * or without it.
 */
#ifndef SL_BASE64_H
#define SL_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "sl_span.h"

/* Characters of so many bytes, without padding and without the NUL. */
#define SL_BASE64_LEN(bytes) (((bytes)*4 + 2) / 3)

/* Writes SL_BASE64_LEN(bytes.len) characters and a NUL; returns their count. */
size_t sl_base64_encode(struct sl_span bytes, char *out);
/* The same by another alphabet (sl_base64url.h). */
size_t sl_base64_encode_by(const char digits[64], struct sl_span bytes, char *out);

/* Could these characters be read? Padded or not; bits beyond the last byte are not looked at. */
bool sl_base64_is_valid(struct sl_span text);

#endif
