/* gw_h2.h - one HTTP/2 connection's server side with gRPC on top: bytes in, events out; replies in, bytes
 * out. No socket, no clock.
 *
 * On a call's way:  gw_conn > [gw_h2 > gw_grpc_meta, gw_grpc_frame] > mail > flow > mail > [gw_h2] > gw_conn
 *
 * Events   GW_EV_* of gw_exchange.h, through port.post.
 * Windows  The connection's window is large and always given back. A stream begins with 64 KiB - 1: a message
 *          that fits is received at once; of a larger one only what fits into that window comes, until
 *          gw_h2_grant opens the window for all of it.
 * Packing  Compressed messages (gzip, deflate) come in as they are, then are measured; one that is
 *          larger than GW_SMALL_MESSAGE_MAX asks for room by a second LENGTH (without a head) before
 *          it is unpacked. The limit on messages is that of the plain one as well.
 * Replies  Headers, prefix and pieces up to GW_H2_COPIED_MAX are gathered, larger pieces leave by reference
 *          from where flow put them. Trailers always.
 * Streams  Headers leave before the reply at GW_TO_NET_HEAD or the first GW_TO_NET_UPDATE; then nghttp2 waits for
 *          what follows. An update is taken when the one before it has been made into frames, so flow
 *          control leaves the newest of them waiting in the exchange. Such a reply is never
 *          compressed.
 * Refusals What this layer refuses (headers, framing, length, no memory) it answers itself; when flow has the
 *          exchange already, flow gets GW_EV_GONE.
 * Pings    Answered. gRPC's rules for clients that ping too often (too_many_pings) are in gw_h2_guard.h.
 * Abuse    Every limit has a name in gw_h2_guard.h or in the configuration; passing one ends the connection
 *          by GOAWAY with a reason. A reset stream counts against twice max_streams until flow has let go
 *          of its exchange.
 * Threads  One: the front's.
 * Memory   Streams come from the pool and go back there or to flow. gw_h2_destroy leaves those that flow has
 *          to flow: their REPLY is only released.
 * Errors   SL_EPROTO from gw_h2_input: nothing more may be put in; what is pending (a GOAWAY) should still
 *          be sent, then the connection closed.
 */
#ifndef GW_H2_H
#define GW_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gw_exchange.h"
#include "gw_h2_guard.h"
#include "gw_net_metrics.h"
#include "gw_pace.h"
#include "gw_stream.h"
#include "sl_base.h"
#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

struct gw_h2;

enum { GW_H2_COPIED_MAX = 2048 };
/* max_message_bytes may not pass it: a tensor of 1 GiB and what surrounds it. */
#define GW_H2_MESSAGE_MAX (UINT64_C(1025) << 20)

/* Who is at the other end. A PROXY header may correct it before the first bytes of HTTP/2 come. */
struct gw_h2_peer {
    struct gw_origin from;
    char text[64]; /* "1.2.3.4:5" */
};

struct gw_h2_conf {
    uint32_t max_streams;
    uint64_t max_message_bytes;
    size_t header_bytes_max;
    size_t held_bytes_max; /* of messages that flow neither has nor granted, in the whole pool */
    size_t outbound_max_bytes; /* unsent ones beyond which there are no new frames and no input */
    struct gw_pace_rule pace;  /* of requests' messages and of replies */
    struct gw_h2_ping_rule pings;
    bool mirrors_encoding; /* a compressed request gets a compressed reply */
};

/* What a connection works with and tells. All borrowed; shared by the connections of one front. */
struct gw_h2_port {
    void (*post)(void *ctx, struct gw_exchange *x, unsigned events);
    void *ctx;
    struct gw_stream_pool *pool;
    struct gw_net_counts *counts;
};

/* user: what gw_h2_user returns, for who finds a connection by a stream. conf, port and peer are borrowed until
 * destroy. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_h2_create(const struct gw_h2_conf *conf, const struct gw_h2_port *port,
                                     const struct gw_h2_peer *peer, void *user, sl_mono_ns now,
                                     struct gw_h2 **out);
void gw_h2_destroy(struct gw_h2 *h); /* NULL is fine */
void *gw_h2_user(const struct gw_h2 *h);

/* Errors: SL_EPROTO. */
SL_MUST_CHECK sl_status gw_h2_input(struct gw_h2 *h, struct sl_span bytes, sl_mono_ns now);
/* Should the socket be read? false: the peer does not take what we send. */
bool gw_h2_wants_input(const struct gw_h2 *h);

/* Makes frames until enough bytes are pending or there is no more to send; shows them. 0: nothing. What is
 * shown stays where it is until the next gw_h2_output. */
size_t gw_h2_output(struct gw_h2 *h, struct iovec *out, size_t max, sl_mono_ns now);
/* The same without making frames: while a write is under way. */
size_t gw_h2_pending(const struct gw_h2 *h, struct iovec *out, size_t max);
/* So many bytes of what was shown have left. */
void gw_h2_sent(struct gw_h2 *h, size_t bytes);
/* Nothing more will come or go: close the connection (after what is pending). */
bool gw_h2_is_over(const struct gw_h2 *h);
/* What the peer did wrong, when that ended the connection; "" otherwise. Lives as long as h. */
const char *gw_h2_fault(const struct gw_h2 *h);

/* Mail from flow. s->h2 tells the connection whose output should be asked for afterwards, NULL when it is
 * gone; it must be read before gw_h2_reply, which may end the stream. */
void gw_h2_grant(struct gw_stream *s);
void gw_h2_head(struct gw_stream *s);
void gw_h2_update(struct gw_stream *s);
void gw_h2_reply(struct gw_stream *s, const struct gw_h2_port *port);

/* GOAWAY in two steps: the first says that the end is near, the second that no further request will be
 * taken. The second follows by itself when the peer has answered a PING sent with the first, so whatever it
 * sent before it knew is still served; gw_h2_begin_end is for a peer that does not answer. Requests in
 * flight end normally; then gw_h2_is_over. */
void gw_h2_announce_end(struct gw_h2 *h);
void gw_h2_begin_end(struct gw_h2 *h);

/* Asks the peer for a sign of life: any input is one. */
void gw_h2_ping(struct gw_h2 *h);

/* Once a second or so: refuses bodies and resets replies that stand still or are slow. true: there is output. */
SL_MUST_CHECK bool gw_h2_tick(struct gw_h2 *h, sl_mono_ns now);
bool gw_h2_is_ready(const struct gw_h2 *h); /* preface and SETTINGS have come */
bool gw_h2_is_idle(const struct gw_h2 *h);  /* no request is open, none is orphaned */
sl_mono_ns gw_h2_idle_since(const struct gw_h2 *h);

#endif
