/* gw_server_fronts.c - makes what visitors and operators connect to: the fronts, with their mail to
 * the loop, and the HTTP thread. */
#include <stdlib.h>

#include "gw_http.h"
#include "gw_server_int.h"

static void on_wake(void *ctx, struct gw_front *f)
{
    struct gw_server_front *place = ctx;
    (void)f;
    uv_async_send(&place->mail);
}

static void on_drained(void *ctx, struct gw_front *f)
{
    struct gw_server_front *place = ctx;
    (void)f;
    atomic_store(&place->is_drained, true);
    uv_async_send(&place->mail);
}

static void on_stopped(void *ctx, struct gw_front *f)
{
    struct gw_server_front *place = ctx;
    (void)f;
    atomic_store(&place->is_stopped, true);
    uv_async_send(&place->mail);
}

static bool create_front(struct gw_server *s, size_t i, const char *host, uint16_t *port,
                         struct sl_error *err)
{
    struct gw_server_front *place = &s->fronts[i];
    struct gw_front_conf c;
    struct gw_front_port p = {
        .wake = on_wake, .drained = on_drained, .stopped = on_stopped, .ctx = place};
    gw_server_fill_front_conf(s, &c);
    c.address = host;
    c.port = *port;
    c.index = (unsigned)i;
    place->server = s;
    int rc = uv_async_init(&s->loop, &place->mail, gw_server_on_mail);
    if (rc != 0)
        return gw_server_fail(err, "cannot wake the loop", rc);
    uv_loop_t *loop = s->conf.net_threads == 0 ? &s->loop : NULL;
    if (gw_front_create(&c, &p, loop, err, &place->front) != SL_OK)
        return false;
    *port = gw_front_bound_port(place->front);
    return true;
}

bool gw_server_create_fronts(struct gw_server *s, uint16_t *out_port, struct sl_error *err)
{
    char host[256];
    size_t count = s->conf.net_threads == 0 ? 1 : (size_t)s->conf.net_threads;
    s->fronts = calloc(count, sizeof *s->fronts);
    if (s->fronts == NULL) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for %zu net threads", count);
        return false;
    }
    if (!gw_conf_split_address(s->conf.listen_grpc, host, sizeof host, out_port))
        return false; /* gw_conf_load has checked it */
    s->front_count = count;
    for (size_t i = 0; i < count; i++)
        if (!create_front(s, i, host, out_port, err)) {
            s->front_count = i + 1;
            return false;
        }
    return true;
}

static bool is_ready(void *ctx)
{
    struct gw_server *s = ctx;
    return atomic_load_explicit(&s->is_ready, memory_order_relaxed);
}

static sl_status copy_jwks(void *ctx, struct sl_buf *out)
{
    struct gw_server *s = ctx;
    return gw_sign_copy_jwks(s->gatekeeper.verifiers.sign, out);
}

static sl_status visit(void *ctx, const struct gw_visit *visit, struct gw_visit_answer *out,
                       struct sl_error *err)
{
    struct gw_server *s = ctx;
    return gw_visits_answer(gw_auth_visits(s->gatekeeper.auth), visit, sl_clock_wall(s->clock), out,
                            err);
}

bool gw_server_create_http(struct gw_server *s, uint16_t *out_port, struct sl_error *err)
{
    char host[256];
    if (!gw_conf_split_address(s->conf.listen_http, host, sizeof host, out_port))
        return false;
    struct gw_http_conf c;
    gw_http_conf_defaults(&c);
    c.address = host;
    c.port = *out_port;
    struct gw_http_port p = {.is_ready = is_ready,
                             .copy_jwks = copy_jwks,
                             .visit = visit,
                             .ctx = s,
                             .metrics = s->metrics.registry};
    if (gw_http_create(&c, &p, err, &s->http) != SL_OK)
        return false;
    *out_port = gw_http_bound_port(s->http);
    return true;
}
