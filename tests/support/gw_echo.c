/* gw_echo.c - the gateway's net side with a flow that answers each request with its own message: for
 * measuring and for trying real clients against it.
 *
 *   gw_echo [--fronts N] [--port P] [--tls FOLDER]     N 0: net and flow on one loop
 *
 * FOLDER has server.pem and server.key, as scripts/gen_certs.sh makes them.
 *
 * Prints "ready PORT" and serves until SIGINT or SIGTERM, which drains; a second one stops. At the end prints
 * "requests N".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "gw_front.h"
#include "sl_base.h"

enum { FRONTS_MAX = 8 };

struct echo {
    uv_loop_t loop;
    uv_async_t mail; /* some front has mail, or has ended */
    uv_signal_t term, interrupt;
    struct gw_front *fronts[FRONTS_MAX];
    size_t front_count;
    struct gw_tls_server *tls; /* NULL: plain TCP */
    bool is_threaded;
    bool is_draining;
    atomic_size_t drained_count, stopped_count;
    size_t stops_asked;
    struct sl_metric_registry *registry;
    struct gw_net_metrics metrics;
};

static void release_body(void *body)
{
    gw_body_release(body);
}

static void reply_with_body(struct gw_exchange *x)
{
    struct sl_span *piece = sl_arena_get(&x->arena, sizeof *piece);
    *piece = sl_span_of(x->body->data, x->body->len);
    x->reply.pieces = piece;
    x->reply.piece_count = 1;
    x->reply.message_bytes = x->body->len;
    x->reply.release = release_body;
    x->reply.release_ctx = x->body;
}

static void on_mail(void *ctx, struct gw_exchange *x, unsigned events)
{
    enum { REPLIED = 1 };
    struct gw_front *front = x->net_front;
    (void)ctx;
    if ((events & GW_EV_LENGTH) != 0)
        gw_front_post(front, x, GW_TO_NET_GRANT);
    if (x->flow_call == REPLIED || (events & (GW_EV_MESSAGE | GW_EV_GONE)) == 0) {
        return;
    } else if ((events & GW_EV_MESSAGE) != 0) {
        reply_with_body(x);
    } else {
        sl_error_set(&x->reply.error, SL_REASON_CANCELLED, "The request went away.");
    }
    x->flow_call = REPLIED;
    gw_front_post(front, x, GW_TO_NET_REPLY);
}

static void serve(struct echo *e, struct gw_front *f)
{
    gw_front_take(f, on_mail, e);
    gw_front_flush(f);
}

static void look_at_end(struct echo *e)
{
    if (atomic_load(&e->drained_count) == e->front_count && e->stops_asked < e->front_count)
        while (e->stops_asked < e->front_count)
            gw_front_stop(e->fronts[e->stops_asked++]);
    if (atomic_load(&e->stopped_count) == e->front_count)
        uv_stop(&e->loop);
}

static void on_async(uv_async_t *async)
{
    struct echo *e = async->data;
    for (size_t i = 0; i < e->front_count; i++)
        serve(e, e->fronts[i]);
    look_at_end(e);
}

static void on_wake(void *ctx, struct gw_front *f)
{
    struct echo *e = ctx;
    if (e->is_threaded)
        uv_async_send(&e->mail);
    else
        serve(e, f);
}

static void on_drained(void *ctx, struct gw_front *f)
{
    struct echo *e = ctx;
    (void)f;
    atomic_fetch_add(&e->drained_count, 1);
    uv_async_send(&e->mail);
}

static void on_stopped(void *ctx, struct gw_front *f)
{
    struct echo *e = ctx;
    (void)f;
    atomic_fetch_add(&e->stopped_count, 1);
    uv_async_send(&e->mail);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct echo *e = handle->data;
    (void)number;
    for (size_t i = 0; i < e->front_count; i++) {
        if (!e->is_draining)
            gw_front_drain(e->fronts[i]);
        else if (i >= e->stops_asked)
            gw_front_stop(e->fronts[e->stops_asked++]);
    }
    e->is_draining = true;
}

static void set_up_metrics(struct echo *e)
{
    if (sl_metric_registry_create(&sl_alloc_malloc, &e->registry) != SL_OK ||
        gw_net_metrics_register(e->registry, &e->metrics) != SL_OK)
        exit(1);
}

static void read_certificate(struct echo *e, const char *folder)
{
    char certificate[512], key[512];
    struct gw_tls_conf conf = {.certificate = certificate, .key = key, .client_ca = ""};
    struct sl_error error;
    snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    if (gw_tls_server_create(&conf, &e->tls, &error) != SL_OK) {
        fprintf(stderr, "gw_echo: %s\n", error.text);
        exit(1);
    }
}

static void start_fronts(struct echo *e, unsigned long threads, uint16_t port)
{
    struct gw_front_conf conf;
    struct gw_front_port up = {on_wake, on_drained, on_stopped, e};
    struct sl_error error;
    gw_front_conf_defaults(&conf);
    conf.address = "127.0.0.1";
    conf.port = port;
    conf.clock = &sl_clock_real;
    conf.metrics = &e->metrics;
    conf.tls = e->tls;
    e->is_threaded = threads > 0;
    e->front_count = threads > 0 ? threads : 1;
    for (size_t i = 0; i < e->front_count; i++) {
        conf.index = (unsigned)i;
        if (gw_front_create(&conf, &up, threads > 0 ? NULL : &e->loop, &error, &e->fronts[i]) !=
            SL_OK) {
            fprintf(stderr, "gw_echo: %s\n", error.text);
            exit(1);
        }
        conf.port = gw_front_bound_port(e->fronts[i]);
    }
    for (size_t i = 0; i < e->front_count; i++)
        if (gw_front_start(e->fronts[i]) != SL_OK)
            exit(1);
}

static void watch_signals(struct echo *e)
{
    e->term.data = e->interrupt.data = e;
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&e->loop, &e->term);
    uv_signal_init(&e->loop, &e->interrupt);
    uv_signal_start(&e->term, on_signal, SIGTERM);
    uv_signal_start(&e->interrupt, on_signal, SIGINT);
}

int main(int argc, char **argv)
{
    static struct echo e;
    unsigned long threads = 1, port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--fronts") == 0)
            threads = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--port") == 0)
            port = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--tls") == 0)
            read_certificate(&e, argv[i + 1]);
    }
    if (threads > FRONTS_MAX || port > UINT16_MAX)
        return 2;
    uv_loop_init(&e.loop);
    e.mail.data = &e;
    uv_async_init(&e.loop, &e.mail, on_async);
    watch_signals(&e);
    set_up_metrics(&e);
    start_fronts(&e, threads, (uint16_t)port);
    printf("ready %u\n", gw_front_bound_port(e.fronts[0]));
    fflush(stdout);
    uv_run(&e.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < e.front_count; i++)
        gw_front_destroy(e.fronts[i]);
    printf("requests %lld\n", (long long)sl_metric_value(e.metrics.requests));
    sl_metric_registry_destroy(e.registry);
    gw_tls_server_destroy(e.tls);
    uv_close((uv_handle_t *)&e.mail, NULL);
    uv_close((uv_handle_t *)&e.term, NULL);
    uv_close((uv_handle_t *)&e.interrupt, NULL);
    uv_run(&e.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&e.loop) == 0 ? 0 : 1;
}
