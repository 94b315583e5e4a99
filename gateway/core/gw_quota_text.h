/* gw_quota_text.h - the sentences of the ledger's refusals. Pure; of the numbers, what is asked rounds up and what is
 * left rounds down. */
#ifndef GW_QUOTA_TEXT_H
#define GW_QUOTA_TEXT_H

#include "gw_ledger.h"
#include "sl_reason.h"

/* Reason and sentence. sign_in_url is told to those whom nobody knows by name; "" tells nothing. */
void gw_quota_text(const struct gw_hold_refusal *r, const struct gw_principal *who,
                   const struct gw_tiers *tiers, const char *sign_in_url, sl_wall_us now,
                   struct sl_error *out);

/* When the same call may go well; -1: not by itself. */
int64_t gw_quota_retry_after_ms(const struct gw_hold_refusal *r, sl_wall_us now);

#endif
