/* gw_conf_flow.h - what the configuration means to the flow: the gateway's and the simulator's alike. Pure. */
#ifndef GW_CONF_FLOW_H
#define GW_CONF_FLOW_H

#include "gw_conf.h"
#include "gw_flow.h"

/* All that keys of the configuration say; what they do not (version, seed, when it started, where bodies lie) is the
 * caller's. tiers and the texts of conf are borrowed. */
void gw_conf_fill_flow(const struct gw_conf *conf, const struct gw_tiers *tiers,
                       struct gw_flow_conf *out);

#endif
