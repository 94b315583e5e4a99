/* gw_conn.h - one connection: socket <-> gw_tls <-> gw_h2, its timers, its end.
 *
 * Reading  Into one buffer that all connections of a front share: a connection at rest has none.
 * Writing  Once per loop turn (gw_conn_write by the front): directly, as far as the socket takes it; the rest
 *          is left to libuv, and nothing new is made until that has gone.
 * TLS      Between the two where host.tls says so. Its handshake falls under the same timer as the preface.
 * Proxies  Who connects from host.proxies begins with a PROXY v2 header, before TLS too, or is closed: what
 *          stands there is whom the connection is for. The header falls under the handshake's timer.
 * Pauses   Reading stops while more than outbound_max_bytes are unsent (counts.read_pauses).
 * Close    Asynchronous. A connection that ends by our word lingers: write side shut, input thrown away, until
 *          the peer closes or LINGER passes, so that a GOAWAY is not lost to a reset. gw_h2 is destroyed in
 *          libuv's close callback, when no write looks at its bytes any more; then host.on_room.
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
#include "gw_network.h"
#include "gw_tls_server.h"
#include "sl_time.h"

struct gw_conn;

struct gw_conn_times {
    size_t handshakes_max; /* connections that are not past theirs; further ones are not accepted */
    int64_t handshake_ns;  /* accept to the client's preface and SETTINGS */
    int64_t idle_ns;       /* without an open request; pings do not count */
    int64_t keepalive_ns;  /* after so long without input the peer is pinged; 0: never */
    int64_t keepalive_timeout_ns; /* no input for so long after that: it is closed */
    int64_t age_ns;               /* a connection of this age is ended politely; 0: never */
    int64_t age_grace_ns;         /* and closed so much later; 0: never */
};

/* What the connections of one front share. */
struct gw_conn_host {
    uv_loop_t *loop;
    struct gw_tls_server *tls;         /* NULL: plain TCP */
    const struct gw_networks *proxies; /* that begin with a PROXY header; NULL: none */
    struct gw_h2_conf h2_conf;
    struct gw_h2_port h2_port;
    struct gw_net_counts counts;
    struct gw_conn_times times;

    uint8_t *read_buffer;
    size_t read_buffer_bytes;

    sl_mono_ns (*now)(void *ctx); /* the turn's time */
    void (*on_room)(void *ctx); /* one connection or one handshake less; all counts are in order */
    void *ctx;

    struct gw_conn *conns; /* all that are not freed */
    size_t conn_count;
    size_t unready_count;  /* of them, those that are not past their handshake */
    struct gw_conn *dirty; /* those that gw_conn_write_dirty should look at */
};

/* Takes a waiting connection. Errors: SL_EAGAIN (nobody waits), SL_ENOMEM, SL_EIO: try again later. The
 * waiting one may be lost by that; on_room is not called for it. */
SL_MUST_CHECK sl_status gw_conn_accept(struct gw_conn_host *host, struct gw_listener *l);

/* The connection has something to say; a connection is written at the turn's end. */
void gw_conn_mark(struct gw_conn *c);
/* true: some have more to send than one turn's share, call again soon. */
bool gw_conn_write_dirty(struct gw_conn_host *host);

/* The timers of all connections (gw_conn_time.c): handshake, stall, keepalive, idle, age, linger. */
void gw_conn_tick_all(struct gw_conn_host *host);
void gw_conn_announce_end_all(struct gw_conn_host *host);
void gw_conn_begin_end_all(struct gw_conn_host *host);
void gw_conn_close_all(struct gw_conn_host *host);

#endif
