/* gw_visit.c - which cookie a visitor gets. */
#include "gw_visit.h"

#include <strings.h>

enum gw_visit_cookie gw_visit_choose(const struct gw_cookie *good, uint32_t newest_key,
                                     int64_t lifetime_us, sl_wall_us now)
{
    if (good == NULL)
        return GW_VISIT_NEW;
    int64_t age_us = sl_sat_add(now, -sl_sat_mul(good->issued_s, SL_US_PER_S));
    return good->key != newest_key || age_us > lifetime_us / 2 ? GW_VISIT_RENEWED : GW_VISIT_KEPT;
}

bool gw_visit_is_https(struct sl_span forwarded_proto)
{
    static const char https[] = "https";
    const size_t len = sizeof https - 1;
    const struct sl_span p = forwarded_proto;
    return p.len >= len && strncasecmp((const char *)p.data, https, len) == 0 &&
           (p.len == len || p.data[len] == ',' || p.data[len] == ' ');
}

const char *gw_visit_cookie_name(enum gw_visit_cookie what)
{
    switch (what) {
    case GW_VISIT_KEPT:
        return "kept";
    case GW_VISIT_RENEWED:
        return "renewed";
    case GW_VISIT_NEW:
        break;
    }
    return "new";
}
