/* gw_form.h - what a request of sluice.v1 says, whichever method it is of: each field once, checked against the limits
 * that its definition states. Pure.
 *
 * Walked by hand, as other requests are: protobuf-c would cut a text at a NUL byte instead of refusing it.
 *
 * Memory   Texts are copied into the arena, and end with a NUL byte.
 */
#ifndef GW_FORM_H
#define GW_FORM_H

#include "gw_method.h"
#include "sl_arena.h"
#include "sl_reason.h"
#include "sl_time.h"

enum {
    GW_FORM_PAGE_ROWS = 100, /* when none are asked for */
    GW_FORM_PAGE_ROWS_MAX = 200,
    GW_FORM_USER_MAX = 200,
    GW_FORM_VISITOR_MAX = 128,
    GW_FORM_REASON_MAX = 500,
    GW_FORM_FETCH_TOKEN_MAX = 64,
    GW_FORM_GRANT_DAYS_MAX = 366,
    GW_FORM_LIFETIME_DAYS_MAX = 3660,
};

enum gw_form_by { GW_FORM_BY_APP, GW_FORM_BY_OWNER, GW_FORM_BY_VISITOR };
enum gw_form_format { GW_FORM_ROWS, GW_FORM_CSV, GW_FORM_JSON };

/* A field that the method does not have, or the request did not bring, is "" or 0. */
struct gw_form {
    const char *account, *address, *app, *begins, *call_id, *fetch_token, *node, *owner, *prefix,
        *reason, *tier, *user, *visitor;
    sl_wall_us from, until;
    sl_gpu_us amount_us;
    int64_t lifetime_s;
    int64_t page;
    int64_t page_rows;                 /* 1 to GW_FORM_PAGE_ROWS_MAX */
    int64_t by;                        /* enum gw_form_by */
    int64_t format;                    /* enum gw_form_format */
    int64_t is_admin, is_of_everybody; /* 0, 1 */
};

/* false: *err names the field, what came, and the limit. A method without fields of these takes any message. */
SL_MUST_CHECK bool gw_form_read(enum gw_method m, struct sl_span message, struct sl_arena *arena,
                                struct gw_form *out, struct sl_error *err);

#endif
