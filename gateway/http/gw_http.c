/* gw_http.c - a table of paths, and libmicrohttpd around it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_http_int.h"
#include "sl_alloc.h"
#include "sl_log.h"

enum { METRICS_BYTES_MAX = 8 << 20, JWKS_BYTES_MAX = 64 << 10 };

struct gw_http {
    struct gw_http_port port;
    struct MHD_Daemon *daemon;
    uint16_t bound_port;
};

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* ---- the paths ---- */

static struct gw_http_answer get_live(struct gw_http *h, struct MHD_Connection *c)
{
    (void)h, (void)c;
    return gw_http_answer_static(200, "{\"live\":true}");
}

static struct gw_http_answer get_ready(struct gw_http *h, struct MHD_Connection *c)
{
    (void)c;
    return h->port.is_ready(h->port.ctx) ? gw_http_answer_static(200, "{\"ready\":true}")
                                         : gw_http_answer_static(503, "{\"ready\":false}");
}

static struct gw_http_answer get_metrics(struct gw_http *h, struct MHD_Connection *c)
{
    struct sl_buf page;
    (void)c;
    sl_buf_init(&page, &sl_alloc_malloc, METRICS_BYTES_MAX);
    if (sl_metric_render(h->port.metrics, &page) != SL_OK) {
        sl_buf_finish(&page);
        return gw_http_answer_error(500, "INTERNAL", "The metrics page cannot be made.", "");
    }
    return (struct gw_http_answer){
        .status = 200, .type = METRICS_TYPE, .body = page.data, .body_len = page.len};
}

static struct gw_http_answer get_jwks(struct gw_http *h, struct MHD_Connection *c)
{
    struct sl_buf set;
    (void)c;
    sl_buf_init(&set, &sl_alloc_malloc, JWKS_BYTES_MAX);
    if (h->port.copy_jwks(h->port.ctx, &set) != SL_OK) {
        sl_buf_finish(&set);
        return gw_http_answer_error(500, "INTERNAL", "The key set cannot be made.", "");
    }
    return (struct gw_http_answer){
        .status = 200, .type = GW_HTTP_JSON, .body = set.data, .body_len = set.len};
}

static struct gw_http_answer get_visitor(struct gw_http *h, struct MHD_Connection *c)
{
    return gw_http_get_visitor(&h->port, c);
}

static const struct {
    const char *path;
    struct gw_http_answer (*get)(struct gw_http *h, struct MHD_Connection *c);
} paths[] = {
    {"/v2/health/live", get_live}, {"/v2/health/ready", get_ready},
    {"/metrics", get_metrics},     {"/.well-known/jwks.json", get_jwks},
    {"/visitor", get_visitor},
};

static bool is_get(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static struct gw_http_answer answer_to(struct gw_http *h, struct MHD_Connection *c,
                                       const char *path, const char *method)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(paths); i++) {
        if (strcmp(paths[i].path, path) != 0)
            continue;
        if (is_get(method))
            return paths[i].get(h, c);
        return gw_http_answer_error(405, "METHOD_NOT_ALLOWED", "Only GET and HEAD are answered at ",
                                    path);
    }
    return gw_http_answer_error(404, "NOT_FOUND", "There is nothing at ", path);
}

/* ---- libmicrohttpd ---- */

static bool has_body(struct MHD_Connection *c)
{
    const char *len = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    return (len != NULL && strcmp(len, "0") != 0) ||
           MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
}

/* libmicrohttpd calls when the head has come and again after the body. An answer at the first call ends the
 * connection, which is right only when there is a body that nobody wants to read. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **request)
{
    (void)version, (void)upload, (void)upload_len;
    if (*request == NULL && !has_body(connection)) {
        *request = ctx; /* any value: the next call is the second */
        return MHD_YES;
    }
    struct gw_http_answer a = answer_to(ctx, connection, url, method);
    return gw_http_answer_send(connection, &a);
}

static void on_log(void *ctx, const char *fmt, va_list args)
{
    char text[256];
    (void)ctx;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    sl_log(SL_LOG_DEBUG, "http", SL_S("text", text));
}

/* The family, or AF_UNSPEC. */
static int parse(const char *address, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    }
    return out->ss_family;
}

static struct MHD_Daemon *start(struct gw_http *h, const struct gw_http_conf *c,
                                const struct sockaddr_storage *a)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG;
    if (a->ss_family == AF_INET6)
        flags |= MHD_USE_DUAL_STACK;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                            NULL, MHD_OPTION_SOCK_ADDR, a, MHD_OPTION_CONNECTION_LIMIT,
                            c->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            c->request_bytes_max, MHD_OPTION_CONNECTION_TIMEOUT, c->timeout_s,
                            MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

void gw_http_conf_defaults(struct gw_http_conf *c)
{
    *c = (struct gw_http_conf){
        .max_connections = 256, .request_bytes_max = 16 * 1024, .timeout_s = 15};
}

sl_status gw_http_create(const struct gw_http_conf *conf, const struct gw_http_port *port,
                         struct sl_error *error, struct gw_http **out)
{
    struct sockaddr_storage a = {0};
    if (parse(conf->address, conf->port, &a) == AF_UNSPEC) {
        sl_error_set(error, SL_REASON_BAD_INPUT,
                     "The HTTP address \"%s\" is no IPv4 or IPv6 literal.", conf->address);
        return SL_EINVAL;
    }
    struct gw_http *h = calloc(1, sizeof *h);
    if (h == NULL) {
        sl_error_set(error, SL_REASON_INTERNAL, "There is no memory for the HTTP port.");
        return SL_ENOMEM;
    }
    h->port = *port;
    errno = 0;
    h->daemon = start(h, conf, &a);
    if (h->daemon == NULL) {
        sl_error_set(error, SL_REASON_INTERNAL, "Cannot listen on %s port %u for HTTP: %s.",
                     conf->address, conf->port, errno != 0 ? strerror(errno) : "not possible");
        free(h);
        return SL_EIO;
    }
    h->bound_port = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *out = h;
    return SL_OK;
}

uint16_t gw_http_bound_port(const struct gw_http *h)
{
    return h->bound_port;
}

void gw_http_destroy(struct gw_http *h)
{
    if (h == NULL)
        return;
    MHD_stop_daemon(h->daemon);
    free(h);
}
