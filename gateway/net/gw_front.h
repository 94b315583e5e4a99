/* gw_front.h - one net thread (or a guest on somebody's loop): its listener, its connections, its
 * exchanges, and the two mailboxes between it and the flow thread.
 *
 * Life     create (binds, so that errors are told here) > start > ... > drain (optional) > stop >
 *          stopped callback > destroy. Stopping is asynchronous: sockets and handles end on the
 *          front's own loop.
 * Mail     To flow: the front calls port.wake at most once per batch; the flow thread then calls
 *          gw_front_take, which hands over each exchange with its new GW_EV_* events. To net: the flow
 *          thread calls gw_front_post for each exchange and gw_front_flush once at the end of its turn.
 *          An exchange is net's again when the function given to gw_front_take has returned from
 *          GW_EV_SENT; flow does not touch it after that.
 * Threads  create, start, destroy: the owner (the composition root). take, post, flush: the flow thread
 *          alone. drain, stop, set_limits: any thread. With loop == NULL the front runs its own thread; otherwise it
 *          lives on the loop given, everything happens on that loop's thread, port.wake may call
 *          gw_front_take directly, and gw_front_flush delivers before it returns.
 * Memory   Exchanges belong to the front's pool (recycled, at most conf.exchanges_kept kept idle). Their
 *          number is bounded by max_connections * 2 * max_streams, and by flow's limit for calls whose
 *          connections are gone.
 * Signals  Blocked on the front's own thread. As a guest it needs SIGPIPE to be ignored: libuv writes to sockets
 *          that the peer may have closed.
 * Time     Read once per loop turn from conf.clock.
 */
#ifndef GW_FRONT_H
#define GW_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "gw_conn.h"
#include "gw_exchange.h"
#include "gw_net_metrics.h"
#include "gw_tls_server.h"
#include "sl_clock.h"
#include "sl_reason.h"
#include "sl_status.h"

struct gw_front;

struct gw_front_conf {
    const char *address;        /* "127.0.0.1", "::"; a literal */
    uint16_t port;              /* 0: any; ask gw_front_bound_port and give it to the next fronts */
    unsigned index;             /* from 0; those after the first join its port */
    size_t max_connections;     /* of this front; further ones wait in the listen queue */
    uint32_t max_streams;       /* open requests of one connection */
    uint64_t max_message_bytes; /* of a method that carries tensors */
    size_t header_bytes_max;    /* decoded headers of one request, counted as HTTP/2 does */
    size_t held_bytes_max;      /* of messages that flow neither has nor granted, of this front */
    size_t outbound_max_bytes;  /* unsent bytes of one connection, beyond which it is not read */
    size_t exchanges_kept;      /* idle exchanges kept for reuse */
    struct gw_conn_times times; /* of connections */
    int64_t stall_timeout_ns;   /* a body or a reply in the middle of which the peer stands still */
    uint64_t min_rate_bytes;    /* per second, on average over each such time; 0: no rate */
    struct gw_h2_ping_rule pings; /* of clients */
    struct gw_tls_server *tls;    /* borrowed, shared by all fronts; NULL: plain TCP */
    bool mirrors_encoding;        /* a compressed request gets a compressed reply */
    struct gw_networks proxies;   /* peers whose connections begin with a PROXY header */
    uint64_t seed; /* of call ids; unpredictable in a real server, another for each front */
    struct sl_shm_pool *bodies; /* for large messages; borrowed, shared by all fronts; NULL: none */
    const struct sl_clock *clock;         /* borrowed */
    const struct gw_net_metrics *metrics; /* borrowed, shared by all fronts; NULL: none */
};
/* All but address, port, index, tls, seed, clock and metrics. */
void gw_front_conf_defaults(struct gw_front_conf *c);

/* What the front asks of its owner. Called on the front's thread; none may be NULL. */
struct gw_front_port {
    void (*wake)(void *ctx, struct gw_front *f);    /* there is mail: gw_front_take soon */
    void (*drained)(void *ctx, struct gw_front *f); /* after drain: the last connection is closed */
    void (*stopped)(void *ctx, struct gw_front *f); /* after stop: destroy is allowed now */
    void *ctx;
};

/* Binds and listens; nothing is accepted before start. conf is copied, what it points to is borrowed.
 * Errors: SL_EINVAL (the address is no literal or a limit is 0), SL_EIO (bind, listen), SL_ENOMEM; all
 * with a sentence in *error. */
SL_MUST_CHECK sl_status gw_front_create(const struct gw_front_conf *conf,
                                        const struct gw_front_port *port, uv_loop_t *loop,
                                        struct sl_error *error, struct gw_front **out);
/* After the stopped callback (joins the thread), or without start. Exchanges that flow still has are
 * freed with it; replies never taken are released. NULL is fine. */
void gw_front_destroy(struct gw_front *f);

/* Errors: SL_EIO (no thread). */
SL_MUST_CHECK sl_status gw_front_start(struct gw_front *f);
uint16_t gw_front_bound_port(const struct gw_front *f);

/* Takes over conf's limits, timers and rules; what address, port, index, tls, seed, exchanges_kept, clock and
 * metrics say is not looked at. Timers and the number of connections hold at once, the rest for connections
 * that come later. */
void gw_front_set_limits(struct gw_front *f, const struct gw_front_conf *conf);

/* No new connections, GOAWAY on all, requests in flight end normally; then the drained callback. */
void gw_front_drain(struct gw_front *f);
/* What was flushed before is sent as far as the sockets take it at once, then everything is closed; each
 * exchange that flow still has gets GW_EV_GONE. Then the stopped callback. */
void gw_front_stop(struct gw_front *f);

/* Hands each exchange with new events to on_mail, in the order of their first event. */
typedef void (*gw_front_mail_fn)(void *ctx, struct gw_exchange *x, unsigned events);
void gw_front_take(struct gw_front *f, gw_front_mail_fn on_mail, void *ctx);
/* GW_TO_NET_*; nothing leaves before the flush. */
void gw_front_post(struct gw_front *f, struct gw_exchange *x, unsigned events);
/* At the end of each turn in which something was taken or posted. */
void gw_front_flush(struct gw_front *f);

#endif
