/* gw_stream.h - one request on the net side: its exchange, and what gw_h2 knows about its HTTP/2 stream.
 * And the pool from which a front's streams come.
 *
 * States   A stream is on exactly one list:
 *
 *            pool.idle --gw_stream_take--> h2.live --stream closed--> h2.leaving --bytes left--> flow --home--> pool.idle
 *                                            |                           ^
 *                                            `-- closed, no reply yet -> h2.orphans -- REPLY arrives
 *
 *          live      the HTTP/2 stream is open
 *          orphans   it is closed, flow has not replied yet
 *          leaving   it is closed and replied to, bytes of the reply may still be on their way out
 *          flow      no list: GW_EV_SENT is on its way, the exchange comes home by the mail
 *          A stream that was never handed to flow goes from live or leaving straight to the pool.
 * Threads  The front's, all of it; the exchange's fields as gw_exchange.h says.
 * Memory   The pool owns all streams; at most idle_max are kept idle. An idle stream keeps its arena's
 *          first block.
 */
#ifndef GW_STREAM_H
#define GW_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_exchange.h"
#include "gw_grpc_frame.h"
#include "gw_grpc_meta.h"
#include "gw_pace.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_status.h"
#include "sl_text.h"
#include "sl_time.h"

struct gw_h2;

/* What one request may keep in its arena: headers, what flow reads out of the message, small replies. */
enum { GW_STREAM_ARENA_MAX = 1 << 20 };

struct gw_stream {
    struct gw_exchange x;
    char call_id[SL_UUID_TEXT_LEN + 1]; /* made here, when the request brought none that is fit */
    struct gw_stream *prev, *next;      /* of the one list it is on; utlist's DL */
    struct gw_stream *all_prev, *all_next; /* the pool's list of all */

    struct gw_h2 *h2; /* NULL: the connection is gone, or the stream was never given to one */
    int32_t id;

    bool is_opened;    /* GW_EV_OPEN was posted: from then on flow has the exchange too */
    bool is_replied;   /* GW_TO_NET_REPLY has arrived */
    bool is_begun;     /* the reply's headers were submitted */
    bool is_last;      /* of its messages, the one that goes out; the trailers follow */
    bool is_deferred;  /* nghttp2 was told that there is nothing to send now */
    bool is_refused;   /* answered here, without flow */
    bool is_gone;      /* GW_EV_GONE was posted */
    bool is_closed;    /* the HTTP/2 stream is gone */
    bool is_complete;  /* the request is whole, GW_EV_MESSAGE was posted */
    bool is_announced; /* GW_EV_LENGTH was posted, GRANT has not arrived */

    struct gw_grpc_meta meta; /* while the headers come */
    struct gw_grpc_frame frame;
    struct gw_body *body; /* until it is handed to flow */
    uint8_t *early;       /* what came before GRANT: at most the first window */
    size_t early_bytes;
    size_t held_bytes;   /* its share of pool.held_bytes */
    struct gw_pace pace; /* of its message, then of its reply */

    uint64_t unpacked_bytes; /* of a compressed message that is whole; it waits for GRANT */
    bool is_packed;          /* it does, and body is what was received */

    uint8_t
        *packed; /* the reply's message, when it was compressed; NULL: the pieces go as they are */
    struct sl_span packed_piece;
    struct gw_body *update; /* that goes out; NULL: none does */
    struct sl_span update_piece;

    /* The message that goes out, and where sending stands. */
    const struct sl_span *pieces;
    size_t piece_count;
    uint64_t out_bytes;
    size_t piece;
    size_t piece_offset;
    uint64_t left_bytes; /* with the prefix; 0: nothing (more) to send */
    uint64_t leaves_at;  /* output position of its last byte */
};

static inline struct gw_stream *gw_stream_of(struct gw_exchange *x)
{
    return SL_CONTAINER_OF(x, struct gw_stream, x);
}

struct gw_stream_pool {
    const struct sl_alloc *alloc; /* borrowed */
    struct sl_shm_pool *bodies;   /* for large messages; borrowed; its owner sets it; NULL: none */
    void *front;                  /* becomes gw_exchange.net_front */
    struct gw_stream *idle;
    struct gw_stream *all;
    size_t idle_count;
    size_t idle_max;
    size_t taken_count;
    size_t held_bytes;        /* of bodies and early bytes that nobody has granted */
    uint64_t next_connection; /* number of the next one; its owner may set the first */
    struct sl_rng rng;        /* of call ids; its owner seeds it */
};

void gw_stream_pool_init(struct gw_stream_pool *p, const struct sl_alloc *alloc, size_t idle_max,
                         void *front);
/* Frees all streams, also those that are taken: nobody may have one any more. Replies that have
 * arrived and were not given back are released. */
void gw_stream_pool_finish(struct gw_stream_pool *p);

/* A blank stream; NULL: no memory. */
struct gw_stream *gw_stream_take(struct gw_stream_pool *p);
/* Makes s->call_id. */
void gw_stream_name(struct gw_stream_pool *p, struct gw_stream *s);
/* Lets go of body and early bytes, forgets everything. s is on no list. */
void gw_stream_give(struct gw_stream_pool *p, struct gw_stream *s);

/* Gives back what the reply and its updates lie in; once. */
void gw_stream_release_reply(struct gw_stream_pool *p, struct gw_stream *s);
/* Lets go of a request's bytes that nobody will read: the body at once, the early ones when flow cannot be
 * reading them either (it may between LENGTH and GRANT or REPLY, also after the stream has closed). */
void gw_stream_drop_body(struct gw_stream_pool *p, struct gw_stream *s);
/* The early ones are in the body now. */
void gw_stream_drop_early(struct gw_stream_pool *p, struct gw_stream *s);
/* Counts bytes of a message that nobody has granted. false: with them it would be more than max. */
SL_MUST_CHECK bool gw_stream_hold(struct gw_stream_pool *p, struct gw_stream *s, size_t bytes,
                                  size_t max);
/* They are flow's to count now, or gone. */
void gw_stream_unhold(struct gw_stream_pool *p, struct gw_stream *s);

#endif
