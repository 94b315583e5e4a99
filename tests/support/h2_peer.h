/* h2_peer.h - an HTTP/2 client in memory (nghttp2), joined to a gw_h2 without a socket, and a flow that is
 * told what to do: what tests of gw_h2 are made of.
 *
 *   h2_pair_open > h2_call (or raw bytes) > h2_pair_run ... look at calls and at pair.flow > h2_pair_close
 *
 * Asserts by cmocka; one test at a time.
 */
#ifndef H2_PEER_H
#define H2_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_h2.h"
#include "sl_alloc.h"
#include "sl_buf.h"

enum { H2_CALLS_MAX = 4096, H2_FLOW_QUEUE_MAX = 16384 };

/* One request of the client and what came back. */
struct h2_call {
    int32_t id;
    struct sl_buf upload; /* DATA payload as it is sent: prefix and message */
    size_t uploaded;
    bool holds_end;  /* END_STREAM is not sent after the upload */
    size_t holds_at; /* bytes of the upload that are kept back until h2_call_resume; 0: none */
    struct sl_buf download;
    int http_status;
    int grpc_status; /* -1: none came */
    char grpc_message[600];
    char reason[64];
    char call_id[64];
    char encoding[16]; /* grpc-encoding of the reply */
    char early[32];    /* x-early of the reply's headers */
    size_t header_blocks;
    bool is_closed;
    uint32_t close_code;
};

enum flow_mode {
    FLOW_ECHO,   /* grants, answers with the request's message, CANCELLED to what is gone */
    FLOW_REFUSE, /* answers GW_EV_OPEN with NOT_TRUSTED */
    FLOW_HOLD,   /* notes events, nothing else */
};

struct flow_mail {
    struct gw_exchange *x;
    unsigned events;
};

struct h2_flow {
    enum flow_mode mode;
    bool keeps_grants; /* FLOW_ECHO without the grants */
    struct flow_mail queue[H2_FLOW_QUEUE_MAX];
    size_t queued;
    unsigned events[8]; /* how many of each, by bit number */
    size_t replies, released;
    struct gw_exchange *last; /* of the last OPEN */
};

struct h2_pair {
    struct gw_h2_conf conf;
    struct gw_stream_pool pool;
    struct gw_net_counts counts;
    struct gw_h2_port port;
    struct gw_h2 *server;
    sl_mono_ns now;
    struct h2_flow flow;
    sl_status input_status; /* of the last gw_h2_input */

    nghttp2_session *client;
    struct h2_call *calls;
    size_t call_count;
    bool client_saw_goaway;
    uint32_t goaway_code;
    int32_t goaway_last_id;
    char goaway_text[128];
    size_t chunk_bytes;      /* how the client's bytes are cut; 0: not */
    size_t client_takes_max; /* bytes of the server's that the client takes; SIZE_MAX: all */
    bool client_failed;      /* nghttp2 did not like what the server sent */
};

/* initial_window: of the client's SETTINGS, 0 for HTTP/2's own. alloc NULL: malloc. false: no memory for
 * the server. */
bool h2_pair_open(struct h2_pair *p, const struct sl_alloc *alloc, uint32_t initial_window);
void h2_pair_close(struct h2_pair *p);
/* The client alone, joined to somebody else's server (NULL: none yet); p->flow stays empty. */
void h2_pair_join(struct h2_pair *p, struct gw_h2 *server, uint32_t initial_window);
void h2_pair_leave(struct h2_pair *p);

/* ModelInfer with one message of these bytes. */
struct h2_call *h2_call(struct h2_pair *p, const void *message, size_t len);
struct h2_call *h2_call_headers(struct h2_pair *p, const nghttp2_nv *nv, size_t count,
                                const void *upload, size_t len);
/* A call of which only the first bytes are sent until h2_call_resume. */
struct h2_call *h2_call_partly(struct h2_pair *p, const void *message, size_t len, size_t first);
void h2_call_resume(struct h2_pair *p, struct h2_call *c);
void h2_call_reset(struct h2_pair *p, struct h2_call *c);
/* Fails unless the call came back with exactly this message. */
void h2_call_expect_message(const struct h2_call *c, const void *message, size_t len);
void h2_call_expect_refusal(const struct h2_call *c, int grpc_status, const char *reason);

/* Bytes and mails to and fro until nothing moves. */
void h2_pair_run(struct h2_pair *p);
/* One direction only. */
size_t h2_pair_client_to_server(struct h2_pair *p);
size_t h2_pair_server_to_client(struct h2_pair *p);
void h2_pair_run_flow(struct h2_pair *p);
void h2_pair_raw(struct h2_pair *p, const void *bytes, size_t len);

/* What flow does, one exchange at a time. */
void h2_flow_reply(struct h2_pair *p, struct gw_exchange *x, const struct sl_span *pieces,
                   size_t count);
void h2_flow_refuse(struct h2_pair *p, struct gw_exchange *x, enum sl_reason reason);
void h2_flow_grant(struct h2_pair *p, struct gw_exchange *x);
/* The reply's headers, with one field more, before it; and a message before its last. alloc NULL: malloc. */
void h2_flow_head(struct gw_exchange *x, const char *name, const char *value);
void h2_flow_update(struct gw_exchange *x, const struct sl_alloc *alloc, struct sl_span message);
unsigned h2_flow_count(const struct h2_pair *p, unsigned event);

#define H2_NV(n, v)                                                                                \
    {                                                                                              \
        (uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1, sizeof(v) - 1, NGHTTP2_NV_FLAG_NONE         \
    }

#endif
