/* gw_call_eta.h - when a call that waits is expected to start: core/gw_eta with what the flow knows of slices, places and
 * past estimates. Insides of the flow.
 *
 * Estimates of some calls are held against what came of them, once in GW_ETA_PROBE_NS at most: they are what the next
 * estimates are corrected by, and what the metrics show. A call that waited in vain counts as one that started when it
 * gave up; one that was cancelled does not count.
 */
#ifndef GW_CALL_ETA_H
#define GW_CALL_ETA_H

#include "gw_call.h"

#define GW_ETA_PROBE_NS (10 * SL_NS_PER_MS)

struct gw_call_wait {
    size_t position; /* 1: it is next; 0: it does not wait in the queue */
    size_t waiting;  /* of so many */
    struct gw_eta eta;
    const char *delayed_by; /* why it is not as near as it was; "": it is */
};

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_call_eta_create(struct gw_flow *f);
void gw_call_eta_destroy(struct gw_flow *f);

/* Of a call that is QUEUED or DISPATCHED; others wait for nothing. Remembers what is told. */
struct gw_call_wait gw_call_wait_of(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* Of a call that would have this place if it came in now. */
struct gw_eta gw_call_eta_at(struct gw_flow *f, const struct gw_call *c,
                             const struct gw_sched_place *place, sl_mono_ns now);

/* It has begun to wait. */
void gw_call_eta_begin(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);
/* It has started, or has waited in vain until then. */
void gw_call_eta_end(struct gw_flow *f, struct gw_call *c, sl_mono_ns at);

#endif
