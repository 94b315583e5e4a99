/* gw_http.h - the HTTP/1.1 port: health, metrics, keys, visitors' cookies; everything else is 404 in our JSON.
 *
 *   GET /v2/health/live    200 {"live":true}
 *   GET /v2/health/ready   200 {"ready":true} or 503 {"ready":false}
 *   GET /metrics           200, Prometheus text
 *   GET /.well-known/jwks.json   200, the public keys of the tokens that the gateway issues
 *   GET /visitor           200 {"tier":...,"cookie":"new","expires_at":...} and Set-Cookie, see PROTOCOL.md
 *
 * Errors of requests: {"error": text, "reason": name}, with 404 NOT_FOUND, 405 METHOD_NOT_ALLOWED,
 * 500 INTERNAL, and what /visitor is refused for. HEAD is as GET, without the body.
 *
 * Threads  libmicrohttpd's own one thread answers; create and destroy: the owner's.
 * Limits   Connections, bytes of a request's head, seconds of silence. Bodies are not read: a request that
 *          has one is answered and its connection closed.
 * Source   libmicrohttpd; this folder alone uses it.
 */
#ifndef GW_HTTP_H
#define GW_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw_visit.h"
#include "sl_base.h"
#include "sl_buf.h"
#include "sl_metric.h"
#include "sl_reason.h"
#include "sl_status.h"

struct gw_http;

struct gw_http_conf {
    const char *address; /* a literal of IPv4 or IPv6 */
    uint16_t port;       /* 0: any */
    unsigned max_connections;
    size_t
        request_bytes_max; /* the head of a request, and all that one connection may hold for it */
    unsigned timeout_s;    /* of silence on a connection */
};
/* All but address and port. */
void gw_http_conf_defaults(struct gw_http_conf *c);

/* Called on the HTTP thread. */
struct gw_http_port {
    bool (*is_ready)(void *ctx);
    /* Appends a JWK set. */
    sl_status (*copy_jwks)(void *ctx, struct sl_buf *out);
    /* Not SL_OK: *err has a reason and a sentence. */
    sl_status (*visit)(void *ctx, const struct gw_visit *visit, struct gw_visit_answer *out,
                       struct sl_error *err);
    void *ctx;
    const struct sl_metric_registry *metrics; /* borrowed */
};

/* Listens and answers at once. Errors, with a sentence in *error: SL_EINVAL (no literal), SL_EIO (bind,
 * thread), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_http_create(const struct gw_http_conf *conf,
                                       const struct gw_http_port *port, struct sl_error *error,
                                       struct gw_http **out);
uint16_t gw_http_bound_port(const struct gw_http *h);
/* Ends the thread; answers under way are cut off. NULL is fine. */
void gw_http_destroy(struct gw_http *h);

#endif
