/* gw_conf_tiers.h - the tiers of the configuration: today those that it has when it says nothing of them. */
#ifndef GW_CONF_TIERS_H
#define GW_CONF_TIERS_H

#include "gw_tier.h"

void gw_conf_make_tiers(struct gw_tiers *out);

#endif
