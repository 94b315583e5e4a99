/* gw_request.h - what a gRPC request says in its headers, and what goes back. Data only.
 *
 * A request's spans lie in the arena of its exchange; an absent header has data == NULL.
 */
#ifndef GW_REQUEST_H
#define GW_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "gw_credentials.h"
#include "gw_encoding.h"
#include "gw_method.h"
#include "sl_reason.h"
#include "sl_span.h"
#include "sl_time.h"

/* The request's headers, as gw_grpc_meta read them. */
struct gw_request {
    enum gw_method method;
    struct sl_span path;
    sl_mono_ns arrived_at;
    sl_mono_ns deadline_at;    /* from grpc-timeout; SL_MONO_NEVER without one */
    enum gw_encoding encoding; /* of its message, if that says that it is compressed */
    unsigned accepts;          /* encodings that a reply may have: bits 1 << gw_encoding */
    struct sl_span authorization;
    struct sl_span x_ip_token;
    struct sl_span cookie;    /* ours of all that came */
    struct sl_span forwarded; /* x-forwarded-for, its lines joined by commas */
    struct sl_span call_id;
    struct sl_span idempotency_key;
    struct sl_span duration;
    struct sl_span size;
    struct sl_span max_wait;
    struct sl_span on_disconnect;
    struct sl_span watch;
    struct sl_span traceparent;
    struct sl_span user_agent;
    struct gw_origin from;
    struct sl_span peer; /* "127.0.0.1:53211" */
};

struct gw_trailer {
    const char *name;
    const char *value; /* already fit for a header */
};
enum { GW_TRAILERS_MAX = 16 };

/* What goes back. On success the message is the pieces one after the other; net adds the 5-byte
 * prefix. */
struct gw_reply {
    struct sl_error error; /* reason OK: success */
    const struct sl_span *pieces;
    size_t piece_count;
    uint64_t message_bytes; /* sum of the pieces */
    struct gw_trailer trailers[GW_TRAILERS_MAX];
    size_t trailer_count;
    int64_t
        retry_after_ms; /* when the same call may go well; 0: the reason's own time, if it has one */
    /* Called once by net, when the last byte has left or nothing will be sent: gives back what the
     * pieces lie in. May be NULL. Any thread. */
    void (*release)(void *ctx);
    void *release_ctx;
};

#endif
