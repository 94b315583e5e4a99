/* gw_account_name.h - the names of accounts as people write them: read, and brought into the form in which the ledger
 * has them (gw_principal.h). Pure. */
#ifndef GW_ACCOUNT_NAME_H
#define GW_ACCOUNT_NAME_H

#include <stdbool.h>

#include "gw_principal.h"
#include "sl_base.h"
#include "sl_reason.h"
#include "sl_span.h"

/* "user:ana", "user:corp#7", "cookie:ID", "app:demo/7", "ip:203.0.113.7", "ip:2001:db8:0:1::/64" (also /56, /48; an
 * address without a prefix is its /64). false: *err says what it should be. */
SL_MUST_CHECK bool gw_account_name_read(struct sl_span text, char out[GW_ACCOUNT_NAME_MAX + 1],
                                        struct sl_error *err);

#endif
