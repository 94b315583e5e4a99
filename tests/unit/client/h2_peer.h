/* h2_peer.h - an HTTP/2 server in memory for tests of libsluice: bytes in, bytes out, answers scripted.
 *
 * Aborts the test on misuse or without memory.
 */
#ifndef H2_PEER_H
#define H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "sl_buf.h"

struct h2_peer;

/* One request as it came in whole. */
struct h2_request {
    int32_t stream_id;
    char path[128];
    char timeout[32];       /* grpc-timeout, or "" */
    char authorization[64]; /* or "" */
    struct sl_span message; /* without the gRPC prefix */
};

/* Called for each complete request; answers with the functions below, now or later. */
typedef void (*h2_handler)(struct h2_peer *p, const struct h2_request *r, void *user);

/* max_frame_bytes: SETTINGS_MAX_FRAME_SIZE; window_bytes: of each stream and the connection. */
struct h2_peer *h2_peer_create(h2_handler handler, void *user, uint32_t max_frame_bytes,
                               int32_t window_bytes);
void h2_peer_destroy(struct h2_peer *p);

/* false: the client broke HTTP/2. */
bool h2_peer_receive(struct h2_peer *p, struct sl_span bytes);
/* Appends what is to be sent. */
void h2_peer_output(struct h2_peer *p, struct sl_buf *out);

/* Headers, message and trailers "name: value\n..." beside grpc-status. */
void h2_peer_reply(struct h2_peer *p, int32_t stream_id, struct sl_span message, int grpc_status,
                   const char *trailers);
/* The same with bytes that need not be one gRPC message. */
void h2_peer_reply_raw(struct h2_peer *p, int32_t stream_id, struct sl_span body,
                       const char *trailers);
/* One block of headers that ends the stream. */
void h2_peer_reply_headers(struct h2_peer *p, int32_t stream_id, const char *headers);
void h2_peer_reset(struct h2_peer *p, int32_t stream_id, uint32_t error_code);
void h2_peer_goaway(struct h2_peer *p, int32_t last_stream_id);

size_t h2_peer_reset_count(const struct h2_peer *p); /* RST_STREAM frames received */
uint32_t h2_peer_last_reset(const struct h2_peer *p);

#endif
