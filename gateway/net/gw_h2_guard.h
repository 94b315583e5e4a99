/* gw_h2_guard.h - how much of what costs us more than the peer one connection may do. Pure.
 *
 * Token buckets: a burst, refilled at a rate. What nghttp2 already bounds (resets by the peer, CONTINUATION
 * frames, unsent acknowledgements, SETTINGS entries) is set at the session; here is the rest. Frames of
 * unknown types are not counted: nghttp2 skips them without a word, at the price of their bytes.
 */
#ifndef GW_H2_GUARD_H
#define GW_H2_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_time.h"

enum gw_h2_abuse {
    GW_H2_ABUSE_RESETS_PROVOKED, /* RST_STREAM that the peer's errors made us send ("MadeYouReset") */
    GW_H2_ABUSE_CHEAP_FRAMES,    /* PING, SETTINGS, PRIORITY, empty DATA */
    GW_H2_ABUSE_COUNT,
};

/* gRPC's rules for PINGs of clients: so far apart while we send nothing, else a strike. */
struct gw_h2_ping_rule {
    int64_t min_time_ns;   /* 0: no rule */
    bool is_without_calls; /* the same while no request is open; false: two hours then */
};

struct gw_h2_guard {
    double tokens[GW_H2_ABUSE_COUNT];
    sl_mono_ns refilled_at;
    sl_mono_ns pinged_at; /* meaningful when has_pinged */
    bool has_pinged;
    unsigned ping_strikes;
};

void gw_h2_guard_init(struct gw_h2_guard *g, sl_mono_ns now);
/* Takes one token. false: there was none, the connection should end. */
bool gw_h2_guard_take(struct gw_h2_guard *g, enum gw_h2_abuse what, sl_mono_ns now);
/* A PING has come. false: too many, the connection should end. */
bool gw_h2_guard_ping(struct gw_h2_guard *g, const struct gw_h2_ping_rule *rule, bool has_calls,
                      sl_mono_ns now);
/* HEADERS or DATA have left: clients ping to measure what those do, and that is fine. */
void gw_h2_guard_forgive_pings(struct gw_h2_guard *g);
const char *gw_h2_guard_text(enum gw_h2_abuse what);

#endif
