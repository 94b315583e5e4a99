/* sluice_tls.h - TLS for a channel: the trust it was given, and one connection's records on a socket.
 *
 * The peer's certificate is always checked, against the authorities and the name; there is no switch that
 * leaves it out. ALPN must agree on h2.
 *
 * Errors   Sentences for people are static texts of OpenSSL or ours.
 * Signals  None: writes to a broken connection do not raise SIGPIPE.
 */
#ifndef SLUICE_TLS_H
#define SLUICE_TLS_H

#include <sluice/sluice.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "sl_time.h"

struct sluice_tls_context;
struct sluice_tls;

/* Reads the files that the options name, for a server that is called host (or server_name, where that is
 * given). Returns status->code: SLUICE_INVALID_ARGUMENT with BAD_INPUT for a file, SLUICE_RESOURCE_EXHAUSTED. */
int sluice_tls_context_create(const struct sluice_channel_options *options, const char *host,
                              struct sluice_tls_context **out, struct sluice_status *status);
void sluice_tls_context_destroy(
    struct sluice_tls_context *c); /* NULL is fine; after its connections */

/* The handshake on a connected socket that does not block, until connect_by; cancel_fd may be -1. fd is borrowed
 * until destroy. Returns status->code: SLUICE_UNAVAILABLE with TLS_FAILED, SLUICE_CANCELLED,
 * SLUICE_RESOURCE_EXHAUSTED. */
int sluice_tls_open(struct sluice_tls_context *c, int fd, sl_mono_ns connect_by, int cancel_fd,
                    struct sluice_tls **out, struct sluice_status *status);
/* Says goodbye if the socket takes it; NULL is fine. */
void sluice_tls_destroy(struct sluice_tls *t);

/* Both as recvmsg and sendmsg would, without waiting: bytes; 0: the peer has ended it; -1: errno is EAGAIN, or
 * EPIPE when the connection is broken. Reading takes all that OpenSSL holds as long as there are
 * SLUICE_TLS_RECORD_BYTES of room left, so that afterwards poll tells the truth. */
enum { SLUICE_TLS_RECORD_BYTES = 16 * 1024 };
ssize_t sluice_tls_read(struct sluice_tls *t, uint8_t *out, size_t room);
ssize_t sluice_tls_write(struct sluice_tls *t, const struct iovec *pieces, size_t count);

/* Why it is broken; "" when TLS is not the reason. Static. */
const char *sluice_tls_problem(const struct sluice_tls *t);

#endif
