/* sluice_h2.h - the client's side of HTTP/2 with one call at a time: bytes in, bytes out, no socket.
 *
 * The only user of nghttp2's session. Answers to SETTINGS and PING, window updates and frames' order
 * are nghttp2's; the windows are wide, so that a tensor of 16 MiB comes without a pause.
 *
 * Errors   SL_EPROTO (the peer breaks HTTP/2: the session is of no further use), SL_ENOMEM.
 */
#ifndef SLUICE_H2_H
#define SLUICE_H2_H

#include <nghttp2/nghttp2.h>
#include <sys/uio.h>

#include "sluice_exchange.h"

struct sluice_h2;

SL_MUST_CHECK sl_status sluice_h2_create(struct sluice_h2 **out);
void sluice_h2_destroy(struct sluice_h2 *h);

/* Has the peer shown that it speaks HTTP/2 (its SETTINGS came)? */
bool sluice_h2_has_begun(const struct sluice_h2 *h);

/* Can one more call be started? Not after GOAWAY, nor when the stream numbers are used up. */
bool sluice_h2_is_usable(const struct sluice_h2 *h);

/* Starts a call. x and all it borrows must stay until sluice_h2_stop. headers are copied.
 * Errors: SL_ESTALE (not usable), SL_ENOMEM. */
SL_MUST_CHECK sl_status sluice_h2_start(struct sluice_h2 *h, struct sluice_exchange *x,
                                        const nghttp2_nv *headers, size_t count);
/* Lets go of x; when its stream is still open the server is told by RST_STREAM. Output may still
 * refer to x's memory: as long as sluice_h2_has_output says so the memory must stay. */
void sluice_h2_stop(struct sluice_h2 *h, struct sluice_exchange *x, uint32_t error_code);

/* Bytes from the peer. */
SL_MUST_CHECK sl_status sluice_h2_receive(struct sluice_h2 *h, struct sl_span bytes);

/* What to send now; *out_count is 0 when nothing is. Valid until the next call with h. Errors:
 * SL_EPROTO also when nothing more can come or go on this session. */
SL_MUST_CHECK sl_status sluice_h2_output(struct sluice_h2 *h, const struct iovec **out_pieces,
                                         size_t *out_count);
void sluice_h2_sent(struct sluice_h2 *h, size_t n);
/* Is there output that was handed out but not sent yet? */
bool sluice_h2_has_output(const struct sluice_h2 *h);

#endif
