/* gw_conn.h - one connection: socket <-> gw_tls <-> gw_h2, its timers, its end.
 *
 * Reading  Into one buffer that all connections of a front share: a connection at rest has none.
 * Writing  Once per loop turn (gw_conn_write by the front): directly, as far as the socket takes it; the rest
 *          is left to libuv, and nothing new is made until that has gone.
 * TLS      Between the two where host.tls says so. Its handshake falls under the same timer as the preface.
 * Pauses   Reading stops while more than outbound_max_bytes are unsent (counts.read_pauses).
 * Close    Asynchronous. A connection that ends by our word lingers: write side shut, input thrown away, until
 *          the peer closes or LINGER passes, so that a GOAWAY is not lost to a reset. gw_h2 is destroyed in
 *          libuv's close callback, when no write looks at its bytes any more; then host.on_closed.
 *
 *   OPEN --over--> LINGERING --peer closed, time--> CLOSING --uv--> freed
 *     `--error, peer closed, gw_conn_close----------->'
 *
 * Threads  The front's.
 * Memory   A connection owns itself; host outlives it.
 */
#ifndef GW_CONN_H
#define GW_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gw_h2.h"
#include "gw_listener.h"
#include "gw_net_metrics.h"
#include "gw_tls_server.h"
#include "sl_time.h"

struct gw_conn;

/* What the connections of one front share. */
struct gw_conn_host {
    uv_loop_t *loop;
    struct gw_tls_server *tls; /* NULL: plain TCP */
    struct gw_h2_conf h2_conf;
    struct gw_h2_port h2_port;
    struct gw_net_counts counts;
    int64_t handshake_timeout_ns;
    int64_t idle_timeout_ns;
    int64_t stall_timeout_ns;

    uint8_t *read_buffer;
    size_t read_buffer_bytes;

    sl_mono_ns (*now)(void *ctx); /* the turn's time */
    void (*on_closed)(void *ctx); /* one connection less: counts, list and memory are in order */
    void *ctx;

    struct gw_conn *conns; /* all that are not freed */
    size_t conn_count;
    struct gw_conn *dirty; /* those that gw_conn_write_dirty should look at */
};

/* Takes a waiting connection. Errors: SL_EAGAIN (nobody waits), SL_ENOMEM, SL_EIO: try again later. The
 * waiting one may be lost by that; on_closed is not called for it. */
SL_MUST_CHECK sl_status gw_conn_accept(struct gw_conn_host *host, struct gw_listener *l);

/* The connection has something to say; a connection is written at the turn's end. */
void gw_conn_mark(struct gw_conn *c);
/* true: some have more to send than one turn's share, call again soon. */
bool gw_conn_write_dirty(struct gw_conn_host *host);

/* Handshake, idle, stall and linger timers of all connections. */
void gw_conn_tick_all(struct gw_conn_host *host);
void gw_conn_announce_end_all(struct gw_conn_host *host);
void gw_conn_begin_end_all(struct gw_conn_host *host);
void gw_conn_close_all(struct gw_conn_host *host);

#endif
