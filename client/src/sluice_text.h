/* sluice_text.h - the small text forms of gRPC and of addresses. Pure; no locale. */
#ifndef SLUICE_TEXT_H
#define SLUICE_TEXT_H

#include <stdbool.h>

#include "sl_buf.h"

/* "HOST:PORT" or "[IPV6]:PORT" taken apart; NUL-terminated. */
struct sluice_address {
    char host[256];
    char port[6];
};

/* Errors: SL_EINVAL (form, empty host, port not 1 to 65535). */
SL_MUST_CHECK sl_status sluice_address_parse(const char *text, struct sluice_address *out);

/* A grpc-message value: %XX becomes a byte, anything broken stays as it is. Decodes in place and
 * returns the new length. */
size_t sluice_percent_decode(char *text, size_t len);

/* A "-bin" header's value: base64, padded or not. Appends to out.
 * Errors: SL_EINVAL (not base64), SL_ETOOBIG, SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_base64_decode(struct sl_span text, struct sl_buf *out);

/* A grpc-timeout value of at most 8 digits: "250m"; rounded up, never 0 for ns > 0. */
enum { SLUICE_GRPC_TIMEOUT_BYTES = 12 };
void sluice_grpc_timeout(int64_t ns, char out[SLUICE_GRPC_TIMEOUT_BYTES]);

/* Visible ASCII (0x21-0x7E), and spaces inside: what a metadata value may hold. */
bool sluice_is_header_value(struct sl_span value);
/* Lower-case letters, digits, '-', '_', '.'; not empty; not of gRPC's or HTTP/2's own names. */
bool sluice_is_metadata_name(struct sl_span name);

#endif
