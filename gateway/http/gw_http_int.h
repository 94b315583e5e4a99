/* gw_http_int.h - what the files of gw_http share: gw_http.c the table of paths and libmicrohttpd,
 * gw_http_answer.c answers as values, gw_http_visitor.c the cookie. */
#ifndef GW_HTTP_INT_H
#define GW_HTTP_INT_H

#include <microhttpd.h>

#include "gw_http.h"

/* Beside the cookie's text: its name and attributes. */
enum { GW_HTTP_SET_COOKIE_MAX = GW_COOKIE_TEXT_MAX + 128 };

/* What goes back: a status and a body that free() ends, or static text. */
struct gw_http_answer {
    unsigned status;
    const char *type;
    void *body;
    size_t body_len;
    bool is_static;
    bool is_private;                             /* one visitor's: nobody on the way keeps it */
    char set_cookie[GW_HTTP_SET_COOKIE_MAX + 1]; /* "": none */
};

#define GW_HTTP_JSON "application/json"

/* ---- gw_http_answer.c */
struct gw_http_answer gw_http_answer_static(unsigned status, const char *json);
/* detail is added to text; it may come from outside: when it is no UTF-8 it is not repeated. */
struct gw_http_answer gw_http_answer_error(unsigned status, const char *reason, const char *text,
                                           const char *detail);
/* Takes o, which may be NULL: no memory. */
struct json_t;
struct gw_http_answer gw_http_answer_json(unsigned status, struct json_t *o);
/* Ends the body, too. */
enum MHD_Result gw_http_answer_send(struct MHD_Connection *c, struct gw_http_answer *a);

/* ---- gw_http_visitor.c */
struct gw_http_answer gw_http_get_visitor(const struct gw_http_port *port,
                                          struct MHD_Connection *c);

#endif
