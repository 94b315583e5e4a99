/* gw_conf_issuers.h - the part of the configuration about tokens: whose are taken, and how those of this gateway
 * are issued. gw_conf.c has the keys at the top; here are the table of one issuer and the checks. */
#ifndef GW_CONF_ISSUERS_H
#define GW_CONF_ISSUERS_H

#include "gw_issuer_conf.h"
#include "gw_tier.h"
#include "sl_conf_check.h"

extern const struct sl_conf_key gw_conf_issuer_table[]; /* of struct gw_issuer_conf */

/* Checks them, and puts the organisations of each in the order of their tiers, the highest first.
 * own: what this gateway's own tokens say as `iss`. tiers: those that there are. */
void gw_conf_check_issuers(struct sl_conf_check *c, const struct sl_conf_seq *issuers,
                           const char *own, const struct gw_tiers *tiers);

#endif
