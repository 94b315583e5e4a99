/* gw_server.c - the root: makes the parts in their order, turns the loop, takes all apart again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gw_http.h"
#include "gw_server_int.h"
#include "sl_daemon.h"
#include "sl_shm_pool.h"

/* ---- the loop and what wakes it */

bool gw_server_fail(struct sl_error *err, const char *what, int uv_error)
{
    sl_error_set(err, SL_REASON_INTERNAL, "%s: %s", what, uv_strerror(uv_error));
    return false;
}

void gw_server_on_mail(uv_async_t *a)
{
    (void)a;
}

static void on_link(uv_poll_t *p, int status, int events)
{
    struct gw_server *s = p->data;
    (void)status;
    (void)events;
    gw_link_stir(s->link, (size_t)(p - s->link_polls));
}

static bool watch_link(struct gw_server *s, struct sl_error *err)
{
    int fds[GW_LINK_FDS];
    gw_link_fds(s->link, fds);
    for (size_t i = 0; i < GW_LINK_FDS; i++) {
        int rc = uv_poll_init(&s->loop, &s->link_polls[i], fds[i]);
        s->link_polls[i].data = s;
        if (rc == 0)
            rc = uv_poll_start(&s->link_polls[i], UV_READABLE, on_link);
        if (rc != 0)
            return gw_server_fail(err, "cannot watch the link", rc);
    }
    return true;
}

static bool create_loop(struct gw_server *s, struct sl_error *err)
{
    int rc = uv_loop_init(&s->loop);
    if (rc != 0)
        return gw_server_fail(err, "cannot create the loop", rc);
    s->has_loop = true;
    uv_check_init(&s->loop, &s->check);
    uv_timer_init(&s->loop, &s->timer);
    rc = uv_async_init(&s->loop, &s->keys, gw_server_on_mail);
    if (rc != 0)
        return gw_server_fail(err, "cannot create the loop", rc);
    s->check.data = s->timer.data = s;
    return true;
}

static void on_check(uv_check_t *c)
{
    gw_server_turn(c->data);
}

/* ---- putting together */

static bool open_certs(struct gw_server *s, struct sl_error *err)
{
    s->certs.expires = s->metrics.certificate_expires;
    s->certs.clock = s->clock;
    return gw_certs_open(&s->certs, &s->conf.tls, err) == SL_OK;
}

static void announce(const struct gw_server *s, uint16_t grpc_port, uint16_t http_port)
{
    char grpc[256], http[256], line[640];
    uint16_t ignored;
    if (!gw_conf_split_address(s->conf.listen_grpc, grpc, sizeof grpc, &ignored) ||
        !gw_conf_split_address(s->conf.listen_http, http, sizeof http, &ignored))
        return;
    int n = snprintf(line, sizeof line, "listening grpc=%s:%u http=%s:%u\n", grpc, grpc_port, http,
                     http_port);
    sl_log(SL_LOG_INFO, "listening", SL_S("grpc", grpc), SL_U("grpc_port", grpc_port),
           SL_S("http", http), SL_U("http_port", http_port),
           SL_S("tls", s->certs.server != NULL ? "on" : "off"),
           SL_S("control", gw_link_control_endpoint(s->link)),
           SL_S("bulk", gw_link_bulk_endpoint(s->link)));
    if (s->options.announce_fd >= 0 && write(s->options.announce_fd, line, (size_t)n) != n)
        sl_log(SL_LOG_WARN, "nobody reads the announcement");
}

static bool create_all(struct gw_server *s, struct sl_error *err)
{
    uint16_t grpc_port, http_port;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);      /* a limit on the size of files is an error of the write */
    sl_daemon_raise_descriptors(); /* connections need them */
    if (gw_metrics_init(&s->metrics) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for metrics");
        return false;
    }
    if (!open_certs(s, err) || !create_loop(s, err) || !gw_server_create_parts(s, err) ||
        !gw_server_create_fronts(s, &grpc_port, err) ||
        !gw_server_create_http(s, &http_port, err) || !watch_link(s, err) ||
        !gw_server_watch_signals(s, err))
        return false;
    announce(s, grpc_port, http_port);
    return true;
}

sl_status gw_server_create(const struct gw_conf *conf, const struct gw_server_options *options,
                           const struct sl_clock *clock, struct gw_server **out,
                           struct sl_error *err)
{
    struct gw_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SL_ENOMEM;
    s->conf = *conf;
    s->options = *options;
    s->clock = clock;
    if (!create_all(s, err)) {
        gw_server_destroy(s);
        return SL_EIO;
    }
    *out = s;
    return SL_OK;
}

/* ---- serving, and the end */

static void start_hold(struct gw_server *s)
{
    bool is_local = strncmp(gw_link_control_endpoint(s->link), "ipc://", 6) == 0;
    if (s->conf.placement.short_calls == GW_PLACEMENT_TOGETHER)
        gw_hold_start(&s->hold, s->conf.placement.watch_ns, is_local, &s->metrics.hold);
}

void gw_server_run(struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (gw_front_start(s->fronts[i].front) != SL_OK)
            sl_log(SL_LOG_ERROR, "a net thread cannot start", SL_U("index", i));
    uv_check_start(&s->check, on_check); /* no turn before everything stands */
    start_hold(s);
    gw_server_turn(s);
    while (uv_run(&s->loop, UV_RUN_ONCE) != 0 && s->phase != GW_SERVER_STOPPED)
        gw_hold_watch(&s->hold, &s->loop, s->clock, s->owes_replies);
    sl_log_release(); /* of a last turn that gave something to the store */
}

static void close_handle(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

/* Fronts first: theirs are handles on the loop and exchanges in the flow. The HTTP thread reads metrics. */
void gw_server_destroy(struct gw_server *s)
{
    if (s == NULL)
        return;
    gw_hold_finish(&s->hold);
    gw_http_destroy(s->http);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_destroy(s->fronts[i].front);
    gw_keep_close(&s->keep);
    gw_flow_destroy(s->flow);
    gw_gatekeeper_close(&s->gatekeeper); /* its thread wakes the loop */
    if (s->has_loop) {
        uv_walk(&s->loop, close_handle, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
    }
    gw_results_close(&s->results);
    gw_link_destroy(s->link);
    sl_shm_pool_destroy(s->bodies);
    gw_certs_close(&s->certs);
    sl_conf_destroy(s->reread);
    gw_metrics_finish(&s->metrics);
    free(s->fronts);
    free(s);
}
