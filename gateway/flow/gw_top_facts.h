/* gw_top_facts.h - what the gateway is doing at a moment, as GetStatus and GetTop tell it. Data only; everything is
 * borrowed. */
#ifndef GW_TOP_FACTS_H
#define GW_TOP_FACTS_H

#include "gw_day.h"
#include "gw_eta.h"
#include "gw_fleet.h"
#include "gw_ledger.h"
#include "gw_lines.h"

struct gw_line_facts {
    const char *tier; /* "": background */
    uint32_t weight;
    size_t waiting, placed;
    int64_t longest_us;   /* that one has waited so far */
    struct gw_eta newest; /* of the one that came last */
};

struct gw_status_facts {
    const char *version;
    int64_t uptime_ms;
    sl_wall_us now;
    bool is_draining;
    bool is_ready;
    struct gw_fleet_totals fleet;
    uint64_t connections;
    uint64_t calls_receiving, calls_queued, calls_dispatched, calls_running;
    const uint64_t *outcomes; /* SL_REASON_COUNT */
    struct gw_line_facts lines[GW_LINES];
    size_t line_count;
    struct gw_day today;
};

enum gw_slice_use {
    GW_SLICE_IDLE,
    GW_SLICE_SENT, /* its call has not started yet, as far as we know */
    GW_SLICE_RUNNING,
    GW_SLICE_CLEARING, /* its call has ended, and it is not free yet */
};

struct gw_slice_facts {
    const struct gw_fleet_slice *slice;
    enum gw_slice_use use;
    bool is_background;
    const char *model, *call_id, *tier, *visitor, *size; /* "": nobody knows */
    int64_t run_us, limit_us;
    size_t started; /* calls that run there; several share one run */
    size_t behind;  /* calls that wait at the slice, beside the first */
};

struct gw_top_facts {
    struct gw_status_facts status;
    const struct gw_slice_facts *slices; /* those in use first */
    size_t slice_count;
    const struct gw_account_view *visitors; /* who have calls open, most used first */
    size_t visitor_count, visitors_open;    /* of so many */
    const struct gw_fleet_node *const *nodes;
    size_t node_count;
    sl_mono_ns mono_now;
};

#endif
