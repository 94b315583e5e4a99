/* gw_http_visitor.c - GET /visitor: a cookie for who calls without a token, and what it is good for. */
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gw_forwarded.h"
#include "gw_http_int.h"
#include "sl_text.h"

/* ---- what came */

struct asking {
    struct gw_visit visit;
    char forwarded[GW_FORWARDED_MAX + 1];
    size_t forwarded_len;
    bool is_forwarded_too_long;
};

/* A header may come in several lines, of which only the last was surely written by the proxy: they are one list. */
static void add_forwarded(struct asking *a, const char *value)
{
    size_t len = strlen(value), comma = a->forwarded_len > 0;
    if (a->forwarded_len + comma + len > GW_FORWARDED_MAX) {
        a->is_forwarded_too_long = true;
        return;
    }
    if (comma)
        a->forwarded[a->forwarded_len++] = ',';
    memcpy(a->forwarded + a->forwarded_len, value, len);
    a->forwarded_len += len;
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind SL_UNUSED, const char *name,
                                 const char *value)
{
    struct asking *a = ctx;
    if (value == NULL)
        return MHD_YES;
    if (strcasecmp(name, "x-forwarded-for") == 0)
        add_forwarded(a, value);
    else if (strcasecmp(name, "x-forwarded-proto") == 0 && a->visit.forwarded_proto.data == NULL)
        a->visit.forwarded_proto = sl_span_str(value);
    else if (strcasecmp(name, "cookie") == 0 && a->visit.cookie.data == NULL)
        a->visit.cookie = gw_cookie_find(sl_span_str(value));
    return MHD_YES;
}

static struct gw_address address_of(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        return gw_address_of((const uint8_t *)&v4->sin_addr, sizeof v4->sin_addr);
    }
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
        return gw_address_of((const uint8_t *)&v6->sin6_addr, sizeof v6->sin6_addr);
    }
    return (struct gw_address){.family = 0};
}

static void read_request(struct MHD_Connection *c, struct asking *a)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info != NULL && info->client_addr != NULL)
        a->visit.peer = address_of(info->client_addr);
    MHD_get_connection_values(c, MHD_HEADER_KIND, on_header, a);
    a->visit.forwarded = sl_span_of(a->forwarded, a->forwarded_len);
}

/* ---- what goes back */

/* Scripts need not see it, other sites' requests do not carry it. */
static void write_set_cookie(const struct gw_visit_answer *v, char out[GW_HTTP_SET_COOKIE_MAX + 1])
{
    snprintf(out, GW_HTTP_SET_COOKIE_MAX + 1,
             GW_COOKIE_NAME "=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Lax%s", v->cookie,
             (long long)v->lifetime_s, v->is_secure ? "; Secure" : "");
}

static struct gw_http_answer tell(const struct gw_visit_answer *v)
{
    char until[SL_TEXT_INSTANT_LEN + 1];
    sl_text_format_instant(v->expires_at, until);
    struct gw_http_answer a = gw_http_answer_json(
        MHD_HTTP_OK, json_pack("{s:s, s:s, s:s}", "tier", v->tier, "cookie",
                               gw_visit_cookie_name(v->what), "expires_at", until));
    if (a.status == MHD_HTTP_OK && v->what != GW_VISIT_KEPT)
        write_set_cookie(v, a.set_cookie);
    return a;
}

struct gw_http_answer gw_http_get_visitor(const struct gw_http_port *port, struct MHD_Connection *c)
{
    struct asking asking = {.forwarded_len = 0};
    struct gw_visit_answer v;
    struct sl_error err;
    struct gw_http_answer a;
    read_request(c, &asking);
    if (asking.is_forwarded_too_long)
        a = gw_http_answer_error(MHD_HTTP_BAD_REQUEST, "BAD_INPUT",
                                 "x-forwarded-for is longer than 1024 bytes.", "");
    else if (port->visit(port->ctx, &asking.visit, &v, &err) == SL_OK)
        a = tell(&v);
    else
        a = gw_http_answer_error((unsigned)sl_reason_http(err.reason), sl_reason_name(err.reason),
                                 err.text, "");
    a.is_private = true;
    return a;
}
