/* gw_tls.h - one TLS connection's server side: records in, plain bytes out; plain bytes in, records out. No
 * socket.
 *
 *   socket > gw_conn > [gw_tls_input > gw_tls_take] > gw_h2 ... gw_h2_output > [gw_tls_write] > gw_conn > socket
 *
 * Records  Plain bytes are gathered, so that records are of 16 KiB where there is enough to send: small frames
 *          of a loop turn leave in one record, and large tensors need no record of their own for each frame's head.
 * Memory   OpenSSL's connection, and a list of blocks with records on their way out, of GW_TLS_OUT_BYTES at
 *          most: a connection at rest has none. What gw_tls_pending shows stays where it is until gw_tls_sent,
 *          whatever is added behind it.
 * Counts   counts.tls_*: each handshake once, done or failed.
 * Errors   SL_EPROTO from gw_tls_input: nothing more comes; what is pending (an alert) should still be sent.
 * Threads  One: the front's.
 */
#ifndef GW_TLS_H
#define GW_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "gw_net_metrics.h"
#include "gw_tls_server.h"
#include "sl_alloc.h"
#include "sl_span.h"

struct gw_tls;

enum { GW_TLS_OUT_BYTES = 192 * 1024 };

/* Plain bytes of the peer; borrowed for the call. */
typedef void (*gw_tls_take)(void *ctx, struct sl_span plain);

/* server, alloc and counts are borrowed until destroy. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_tls_create(struct gw_tls_server *server, const struct sl_alloc *alloc,
                                      struct gw_net_counts *counts, struct gw_tls **out);
void gw_tls_destroy(struct gw_tls *t); /* NULL is fine */

/* All of bytes is taken; take is called for what they bring. Errors: SL_EPROTO, the first time and from then
 * on. */
SL_MUST_CHECK sl_status gw_tls_input(struct gw_tls *t, struct sl_span bytes, gw_tls_take take,
                                     void *ctx);
/* Makes records of as many bytes as there is room for, and says how many; 0 before the handshake is done. */
size_t gw_tls_write(struct gw_tls *t, const struct iovec *plain, size_t count);
/* A last word for the peer (close_notify), once. Nothing is written after it. */
void gw_tls_end(struct gw_tls *t);

/* Fills at most max vectors with records to send; returns how many. */
size_t gw_tls_pending(const struct gw_tls *t, struct iovec *out, size_t max);
/* So many bytes of what was shown have left. */
void gw_tls_sent(struct gw_tls *t, size_t bytes);

bool gw_tls_is_ready(const struct gw_tls *t); /* the handshake is done */
/* The peer has said its last word, or broke the protocol: send what is pending, then close. */
bool gw_tls_is_over(const struct gw_tls *t);
/* What went wrong, for the log; "" when nothing did. Static. */
const char *gw_tls_problem(const struct gw_tls *t);

#endif
