/* gw_h2_int.h - what the files of gw_h2 share: gw_h2.c the connection, gw_h2_request.c what comes,
 * gw_h2_reply.c what goes. */
#ifndef GW_H2_INT_H
#define GW_H2_INT_H

#include <nghttp2/nghttp2.h>

#include "gw_h2.h"
#include "gw_h2_mem.h"
#include "gw_h2_out.h"

enum {
    /* What HTTP/2 gives each stream to begin with (RFC 9113, 6.9.2). */
    GW_H2_FIRST_WINDOW_BYTES = 65535,
    GW_H2_CONNECTION_WINDOW_BYTES = 64 << 20,
    /* Largest frames taken and made. Measured with 16 MiB messages: beyond 64 KiB gRPC's own client gets no
     * faster, with 1 MiB it gets slower. */
    GW_H2_FRAME_BYTES_MAX = 64 * 1024,
    /* Parts of gw_h2_out that one DATA frame may need: header and pieces. */
    GW_H2_PIECES_PER_FRAME = 8,
    /* Replies that are compressed: below it does not pay, above it would hold up the net thread. */
    GW_H2_PACKED_MIN = 256,
    GW_H2_PACKED_MAX = 4 << 20,
    GW_H2_PARTS_PER_FRAME = 2 * GW_H2_PIECES_PER_FRAME + 2,
    GW_H2_FAULT_MAX = 96,
};

struct gw_h2 {
    struct gw_h2_mem mem; /* the session's */
    nghttp2_session *session;
    struct gw_h2_conf conf;
    const struct gw_h2_port *port;
    const struct gw_h2_peer *peer;
    uint64_t number; /* gw_exchange.net_connection */
    void *user;
    sl_mono_ns now; /* of the call that is under way */

    struct gw_h2_out out;
    struct gw_h2_guard guard;

    struct gw_stream *live, *orphans, *leaving; /* see gw_stream.h */
    size_t open_count;                          /* live and orphans */
    sl_mono_ns idle_since;                      /* open_count is 0 since then */

    struct gw_stream *in_headers; /* whose header block is being decoded; NULL: nobody's */
    size_t block_bytes;           /* decoded so far of the block under way */
    sl_mono_ns block_began_at;    /* SL_MONO_NEVER: none is under way */

    bool is_ready;
    /* The answer to the end's PING has come: requests that were sent with it may lie behind it (gRPC's C core writes
     * acknowledgements first). */
    bool ends_after_input;
    bool is_ending;  /* the last GOAWAY is on its way */
    bool is_dead;    /* gw_h2_kill was called; ask gw_h2_is_dead */
    bool is_counted; /* its fault is: a second GOAWAY is no second connection */
    /* Of the dead: the GOAWAY that is still to be made; NULL: none. Only gw_h2_output makes it, because
     * a write under way looks at what is pending. */
    const char *last_words;
    uint32_t last_code;
    char fault[GW_H2_FAULT_MAX]; /* of a GOAWAY with an error, ours or nghttp2's */
};

/* Ends the connection: GOAWAY with code and text (static) is the last that leaves. The streams are closed
 * before control goes back to the caller of gw_h2. The callbacks of nghttp2 return what gw_h2_kill returns. */
int gw_h2_kill(struct gw_h2 *h, uint32_t code, const char *text);
/* Notes and counts why a connection is ended with an error. */
void gw_h2_note_fault(struct gw_h2 *h, struct sl_span text);
/* The HTTP/2 stream is gone: s moves on to leaving or orphans, maybe on to flow or the pool. */
void gw_h2_close_stream(struct gw_h2 *h, struct gw_stream *s);

/* Callbacks of nghttp2, and what they hand over. */
void gw_h2_set_request_callbacks(nghttp2_session_callbacks *c);
void gw_h2_set_reply_callbacks(nghttp2_session_callbacks *c);

/* Answers a request without flow (or over flow's head, which gets GONE then). */
void gw_h2_refuse(struct gw_h2 *h, struct gw_stream *s, int http_status, struct gw_reply *refusal);
void gw_h2_refuse_error(struct gw_h2 *h, struct gw_stream *s, const struct sl_error *error);
/* gw_h2_zip.c. A whole compressed message: finds unpacked_bytes; then body becomes the plain one.
 * false: the request has been refused. */
bool gw_h2_measure(struct gw_h2 *h, struct gw_stream *s);
bool gw_h2_unpack(struct gw_h2 *h, struct gw_stream *s);
/* Compresses the reply's message if the client wants it and it pays. */
void gw_h2_pack(struct gw_h2 *h, struct gw_stream *s);
/* The peer has answered a PING. */
void gw_h2_on_pong(struct gw_h2 *h, const uint8_t opaque[8]);
void gw_h2_post_gone(struct gw_h2 *h, struct gw_stream *s);
/* The reply has left or never will: s, on no list, goes to flow (SENT) or to the pool. */
void gw_h2_depart(struct gw_stream *s, const struct gw_h2_port *port);

/* nghttp2 is not called any more. */
static inline bool gw_h2_is_dead(const struct gw_h2 *h)
{
    return h->is_dead || h->mem.is_starved;
}

/* One stream less is open. */
static inline void gw_h2_close_one(struct gw_h2 *h)
{
    if (--h->open_count == 0)
        h->idle_since = h->now;
}

static inline bool gw_h2_has_room(const struct gw_h2 *h)
{
    return gw_h2_out_pending(&h->out) < h->conf.outbound_max_bytes &&
           gw_h2_out_free_parts(&h->out) >= GW_H2_PARTS_PER_FRAME;
}

#endif
