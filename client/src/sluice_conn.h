/* sluice_conn.h - one connection, plain or by TLS, with its HTTP/2 session: waiting, reading, writing.
 *
 * The socket never blocks; all waiting is in sluice_conn_turn and sluice_conn_open, and both watch a
 * deadline and a descriptor that cancels.
 */
#ifndef SLUICE_CONN_H
#define SLUICE_CONN_H

#include "sl_time.h"
#include "sluice_h2.h"
#include "sluice_text.h"
#include "sluice_tls.h"

enum { SLUICE_CONN_READ_BYTES = 256 * 1024 };

struct sluice_conn {
    int fd;                 /* -1: closed */
    struct sluice_tls *tls; /* NULL: plain TCP */
    struct sluice_h2 *h2;
    bool is_loopback;     /* the peer is this machine, by its loopback address */
    bool is_write_broken; /* the peer takes nothing more; what it sent is still read */
    uint8_t *in;          /* SLUICE_CONN_READ_BYTES */
};

/* Closed, with nothing allocated. */
void sluice_conn_init(struct sluice_conn *c);
void sluice_conn_close(struct sluice_conn *c);

/* Resolves the address and connects to the first of its addresses that answers before connect_by;
 * cancel_fd may be -1. tls: NULL for plain TCP; borrowed until the connection is closed. On failure *why
 * says what happened: SLUICE_UNAVAILABLE with UNREACHABLE or TLS_FAILED, SLUICE_CANCELLED,
 * SLUICE_RESOURCE_EXHAUSTED. Returns why->code, SLUICE_OK on success. */
int sluice_conn_open(struct sluice_conn *c, const struct sluice_address *address,
                     struct sluice_tls_context *tls, sl_mono_ns connect_by, int cancel_fd,
                     struct sluice_status *why);

enum sluice_turn {
    SLUICE_TURN_OK,
    SLUICE_TURN_DEADLINE,
    SLUICE_TURN_CANCELLED,
    SLUICE_TURN_LOST,     /* closed or reset by the peer, or the network */
    SLUICE_TURN_PROTOCOL, /* the peer does not keep to HTTP/2 */
    SLUICE_TURN_MEMORY,
};

/* Writes what there is to write, waits until something can be read or written, and reads it. */
enum sluice_turn sluice_conn_turn(struct sluice_conn *c, sl_mono_ns deadline, int cancel_fd);

/* Writes as much as the socket takes now, without waiting. */
enum sluice_turn sluice_conn_flush(struct sluice_conn *c);

/* Before a call: reads what came while nobody looked. Is the connection open and fit for a call? */
bool sluice_conn_is_fit(struct sluice_conn *c);

#endif
