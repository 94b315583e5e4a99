/* gw_net_metrics.h - what the net threads count. Registered once at start, shared by all fronts. */
#ifndef GW_NET_METRICS_H
#define GW_NET_METRICS_H

#include "sl_metric.h"

struct gw_net_metrics {
    struct sl_metric *connections;     /* gauge: open now */
    struct sl_metric *accepted;        /* counters from here on */
    struct sl_metric *accept_pauses;   /* max_connections was reached */
    struct sl_metric *timeouts;        /* handshake, idle and stall */
    struct sl_metric *protocol_errors; /* connections ended because the peer broke HTTP/2 */
    struct sl_metric *requests;        /* streams with complete headers */
    struct sl_metric
        *refused_early; /* answered without asking flow: bad headers, framing, length */
    struct sl_metric *resets_by_peer;
    struct sl_metric *resets_by_us;
    struct sl_metric
        *read_pauses_outbound; /* read-pauses because the peer does not take its replies */
    struct sl_metric *received_bytes;
    struct sl_metric *sent_bytes;
};

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_net_metrics_register(struct sl_metric_registry *r,
                                                struct gw_net_metrics *out);

#endif
