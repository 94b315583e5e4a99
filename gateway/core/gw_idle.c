/* gw_idle.c - many have closed, nobody has asked for a while, and the last time is long ago. */
#include "gw_idle.h"

bool gw_idle_is_due(struct gw_idle *i, const struct gw_idle_counts *c, sl_mono_ns now)
{
    if (c->open_calls > 0 || c->requests != i->requests_before) {
        i->requests_before = c->requests;
        i->quiet_since = now;
    }
    if (c->closed - i->closed_before < GW_IDLE_CLOSED_COUNT || now < i->next_at ||
        now - i->quiet_since < GW_IDLE_QUIET_NS)
        return false;
    i->closed_before = c->closed;
    i->next_at = sl_sat_add(now, GW_IDLE_EVERY_NS);
    return true;
}
