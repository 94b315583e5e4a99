/* gw_visit.h - what a browser without a token asks at /visitor, and what it is told: between the HTTP port,
 * which has the request, and gw_visits, which has the keys. Pure.
 */
#ifndef GW_VISIT_H
#define GW_VISIT_H

#include <stdbool.h>

#include "gw_address.h"
#include "gw_cookie.h"
#include "gw_tier.h"
#include "sl_span.h"
#include "sl_time.h"

/* Spans are borrowed; an absent header has data == NULL. */
struct gw_visit {
    struct gw_address peer;         /* who is connected */
    struct sl_span forwarded;       /* x-forwarded-for, all of its lines joined */
    struct sl_span forwarded_proto; /* x-forwarded-proto, its first line */
    struct sl_span cookie;          /* the value of ours, of all that came */
};

enum gw_visit_cookie {
    GW_VISIT_KEPT,    /* it is good, and stays */
    GW_VISIT_RENEWED, /* the same id, signed anew */
    GW_VISIT_NEW,
};

struct gw_visit_answer {
    enum gw_visit_cookie what;
    char cookie[GW_COOKIE_TEXT_MAX + 1]; /* "" when KEPT */
    sl_wall_us expires_at;
    int64_t lifetime_s; /* of a cookie that is signed now */
    bool is_secure;     /* the visitor came by TLS */
    char tier[GW_TIER_NAME_MAX + 1];
};

/* What becomes of a cookie that is good (NULL: there is none): it is signed anew when a newer key than its own
 * signs, or half of its life is over. */
enum gw_visit_cookie gw_visit_choose(const struct gw_cookie *good, uint32_t newest_key,
                                     int64_t lifetime_us, sl_wall_us now);
/* x-forwarded-proto: did the visitor come by TLS? Of a chain of proxies the first one met him. */
bool gw_visit_is_https(struct sl_span forwarded_proto);

/* "kept", "renewed", "new". */
const char *gw_visit_cookie_name(enum gw_visit_cookie what);

#endif
