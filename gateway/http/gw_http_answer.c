/* gw_http_answer.c - statuses, headers and bodies, and how they go to libmicrohttpd. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gw_http_int.h"

struct gw_http_answer gw_http_answer_static(unsigned status, const char *json)
{
    return (struct gw_http_answer){.status = status,
                                   .type = GW_HTTP_JSON,
                                   .body = (void *)(uintptr_t)json,
                                   .body_len = strlen(json),
                                   .is_static = true};
}

struct gw_http_answer gw_http_answer_json(unsigned status, struct json_t *o)
{
    char *body = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (body == NULL)
        return gw_http_answer_static(500, "{\"error\":\"out of memory\",\"reason\":\"INTERNAL\"}");
    return (struct gw_http_answer){
        .status = status, .type = GW_HTTP_JSON, .body = body, .body_len = strlen(body)};
}

struct gw_http_answer gw_http_answer_error(unsigned status, const char *reason, const char *text,
                                           const char *detail)
{
    json_t *o = json_pack("{s:s+, s:s}", "error", text, detail, "reason", reason);
    if (o == NULL)
        o = json_pack("{s:s, s:s}", "error", text, "reason", reason);
    return gw_http_answer_json(status, o);
}

/* false: no memory. */
static bool add_headers(struct MHD_Response *r, const struct gw_http_answer *a)
{
    bool ok = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, a->type) == MHD_YES;
    if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
    if (a->is_private)
        ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES;
    if (a->set_cookie[0] != '\0')
        ok = ok && MHD_add_response_header(r, MHD_HTTP_HEADER_SET_COOKIE, a->set_cookie) == MHD_YES;
    return ok;
}

enum MHD_Result gw_http_answer_send(struct MHD_Connection *c, struct gw_http_answer *a)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        a->body_len, a->body, a->is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        if (!a->is_static)
            free(a->body);
        return MHD_NO;
    }
    enum MHD_Result result = add_headers(r, a) ? MHD_queue_response(c, a->status, r) : MHD_NO;
    MHD_destroy_response(r);
    return result;
}
