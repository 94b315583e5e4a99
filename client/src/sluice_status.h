/* sluice_status.h - filling the public status struct, and the codes that HTTP and HTTP/2 stand for.
 * Pure. */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include <stdint.h>

#include "sl_base.h"
#include "sl_span.h"
#include "sluice/sluice.h"

/* SLUICE_OK with an empty reason and message. */
void sluice_status_clear(struct sluice_status *s);

/* Sets a status that was found here; message is cut at a character. Returns code. */
int sluice_status_set(struct sluice_status *s, enum sluice_code code, const char *reason,
                      const char *fmt, ...) SL_PRINTF(4, 5);

/* Copies text into out (NUL-terminated), cut at a UTF-8 character; NUL bytes end it. */
void sluice_status_copy_text(char *out, size_t out_bytes, struct sl_span text);

/* grpc/grpc, doc/http-grpc-status-mapping.md */
enum sluice_code sluice_status_of_http(int http_status);
/* grpc/grpc, doc/PROTOCOL-HTTP2.md, "Errors": an RST_STREAM's error code. */
enum sluice_code sluice_status_of_reset(uint32_t error_code);

#endif
