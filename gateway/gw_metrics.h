/* gw_metrics.h - every metric of the gateway, registered once, in one registry. */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include "gw_auth.h"
#include "gw_flow.h"
#include "gw_hold.h"
#include "gw_link.h"
#include "gw_net_metrics.h"
#include "gw_store.h"

struct gw_metrics {
    struct sl_metric_registry *registry;
    struct gw_auth_metrics auth;
    struct gw_flow_metrics flow;
    struct gw_link_metrics link;
    struct gw_net_metrics net;
    struct gw_hold_metrics hold;
    struct gw_store_metrics store;
    struct sl_metric *certificate_expires;
};

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_metrics_init(struct gw_metrics *m);
void gw_metrics_finish(struct gw_metrics *m);

#endif
