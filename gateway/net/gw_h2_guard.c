/* gw_h2_guard.c - the limits as a table. */
#include "gw_h2_guard.h"

static const struct {
    double burst;
    double per_s;
    const char *text;
} limits[GW_H2_ABUSE_COUNT] = {
    [GW_H2_ABUSE_RESETS_PROVOKED] = {200, 10, "too many streams reset for errors"},
    [GW_H2_ABUSE_CHEAP_FRAMES] = {2000, 200, "too many frames without a purpose"},
};

void gw_h2_guard_init(struct gw_h2_guard *g, sl_mono_ns now)
{
    for (int i = 0; i < GW_H2_ABUSE_COUNT; i++)
        g->tokens[i] = limits[i].burst;
    g->refilled_at = now;
    gw_h2_guard_forgive_pings(g);
}

static void refill(struct gw_h2_guard *g, sl_mono_ns now)
{
    double for_s = (double)(now - g->refilled_at) / (double)SL_NS_PER_S;
    if (for_s <= 0)
        return;
    for (int i = 0; i < GW_H2_ABUSE_COUNT; i++) {
        double t = g->tokens[i] + for_s * limits[i].per_s;
        g->tokens[i] = t < limits[i].burst ? t : limits[i].burst;
    }
    g->refilled_at = now;
}

bool gw_h2_guard_take(struct gw_h2_guard *g, enum gw_h2_abuse what, sl_mono_ns now)
{
    refill(g, now);
    if (g->tokens[what] < 1)
        return false;
    g->tokens[what] -= 1;
    return true;
}

/* As gRPC's own server judges (grpc/grpc, ping_abuse_policy.cc). */
bool gw_h2_guard_ping(struct gw_h2_guard *g, const struct gw_h2_ping_rule *rule, bool has_calls,
                      sl_mono_ns now)
{
    enum { STRIKES_MAX = 2 };
    const int64_t quiet_ns = 7200 * SL_NS_PER_S;
    bool is_quiet = !has_calls && !rule->is_without_calls;
    int64_t least_ns = is_quiet && rule->min_time_ns > 0 ? quiet_ns : rule->min_time_ns;
    bool is_too_soon = g->has_pinged && now - g->pinged_at < least_ns;
    g->has_pinged = true;
    g->pinged_at = now;
    return !is_too_soon || ++g->ping_strikes <= STRIKES_MAX;
}

void gw_h2_guard_forgive_pings(struct gw_h2_guard *g)
{
    g->has_pinged = false;
    g->ping_strikes = 0;
}

const char *gw_h2_guard_text(enum gw_h2_abuse what)
{
    return limits[what].text;
}
