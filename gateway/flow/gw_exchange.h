/* gw_exchange.h - one gRPC request and its reply: what a net thread and the flow thread hand to and
 * fro.
 *
 * Life     The net side makes an exchange when a request's headers are complete and posts
 *          GW_EV_OPEN. From then on the flow side has it too, until flow posts GW_TO_NET_REPLY,
 *          exactly once for each exchange, whatever happened. When that has arrived and the HTTP/2
 *          stream is closed, net says SENT; when flow's handler of SENT has returned, the exchange
 *          is net's alone and is recycled.
 *
 *      net                                    flow
 *       | ---- OPEN (req) ---------------------> |   who is it, may it go on?
 *       | ---- LENGTH (message_bytes) ---------> |   only for a message beyond the first window
 *       | <--- GRANT --------------------------- |   room is reserved: open the stream's window
 *       | ---- MESSAGE (body) -----------------> |
 *       | ---- GONE (reset, connection lost) --> |   at any time before REPLY was sent out
 *       | <--- HEAD (head_fields) -------------- |   at most once: the reply's headers leave before it
 *       | <--- UPDATE (gw_exchange_put_update) - |   a message before the last one, of a stream's method
 *       | <--- REPLY (reply) ------------------- |   at any time, e.g. a refusal after OPEN
 *       | ---- SENT ---------------------------> |   the reply left or was dropped; last word
 *
 *          A GONE exchange still gets its REPLY (which is then only released, not sent) and its
 *          SENT.
 * Streams  A method that streams answers by updates and by the reply, whose message is the last. An exchange
 *          has room for one update that net has not taken: a newer one takes its place, so whoever
 *          reads slowly gets the newest state and there is never more than that one waiting. What
 *          is there when the reply comes is dropped for it.
 * Threads  Fields are written by the side that the comment names, before the event that hands them
 *          over; the mailboxes order memory between the two.
 * Memory   The arena is net's until OPEN and flow's from then until REPLY; whoever has it may
 *          allocate.
 */
#ifndef GW_EXCHANGE_H
#define GW_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_request.h"
#include "sl_arena.h"

enum { GW_EV_OPEN = 1, GW_EV_LENGTH = 2, GW_EV_MESSAGE = 4, GW_EV_GONE = 8, GW_EV_SENT = 16 };
enum { GW_TO_NET_GRANT = 1, GW_TO_NET_REPLY = 2, GW_TO_NET_HEAD = 4, GW_TO_NET_UPDATE = 8 };

/* Of one update, and fields beside gRPC's own in headers that leave early. */
enum { GW_UPDATE_BYTES_MAX = 2048, GW_HEAD_FIELDS_MAX = 8 };

struct gw_outcome;
struct sl_shm_pool;
struct sl_shm_block;

/* A received message, counted by reference: received once, handed on without a copy, freed on
 * whichever thread lets it go last. */
struct gw_body {
    const struct sl_alloc *alloc;
    atomic_uint references;
    size_t len;
    uint8_t *data;
    struct sl_shm_pool *pool;
    struct sl_shm_block
        *block; /* in which data lies, from its beginning; NULL: behind the struct */
};
/* One reference; NULL: no memory. alloc is borrowed, and used on any thread. */
struct gw_body *gw_body_create(const struct sl_alloc *alloc, size_t len);
/* From so many bytes on, in a block of the pool while it has one: memory that is used again and that an
 * executor can be shown. A pool of NULL has none. */
enum { GW_BODY_LARGE_BYTES = 128 << 10 };
struct gw_body *gw_body_create_large(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                     size_t len);
struct gw_body *gw_body_share(struct gw_body *b);
void gw_body_release(struct gw_body *b); /* NULL is fine */

/* Where an exchange is in a mailbox; the mailbox alone touches it. */
struct gw_mail_link {
    struct gw_exchange *next;
    unsigned events;
    bool posted;
};

struct gw_exchange {
    struct sl_arena arena;
    struct gw_request req;   /* net, before OPEN */
    uint64_t net_connection; /* net, before OPEN: whose it is, a number given once; 0: nobody's */
    uint64_t message_bytes;  /* net, before LENGTH */
    struct sl_span head; /* net, before LENGTH: how the message begins; gone after GRANT or REPLY */
    bool
        is_disconnect; /* net, before GONE: the connection was lost; else the request was reset or refused */
    struct gw_body *body;  /* net, before MESSAGE: the reference is handed over */
    struct gw_reply reply; /* flow, before REPLY */
    struct gw_trailer head_fields[GW_HEAD_FIELDS_MAX]; /* flow, before HEAD */
    size_t head_field_count;
    _Atomic(struct gw_body *) update; /* either side, by the functions below */

    uint64_t flow_call;    /* flow's own: its call's id, 0 without one; 0 in a new exchange */
    uint64_t flow_inquiry; /* flow's own: its inquiry's id; likewise */
    uint64_t flow_watch;   /* flow's own: its watch's id; likewise */
    struct gw_outcome *flow_shows; /* flow's own: what its reply shows; NULL in a new exchange */
    bool flow_replied;             /* flow's own: REPLY was posted; false in a new exchange */
    void *net_stream;              /* net's own */
    void *net_front;               /* net's own: which front it belongs to; constant */

    struct gw_mail_link to_flow[2]; /* [0] the sender's outbox, [1] the inbox */
    struct gw_mail_link to_net[2];
};

/* Flow: the newest message that is not the last one, at most GW_UPDATE_BYTES_MAX bytes; before UPDATE. The
 * reference is handed over. */
void gw_exchange_put_update(struct gw_exchange *x, struct gw_body *update);
/* Net: that message, whose reference is the caller's now; NULL: there is none that was not taken. */
struct gw_body *gw_exchange_take_update(struct gw_exchange *x);

#endif
