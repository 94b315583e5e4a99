/* open_door.h - an identity port that knows everybody: where a test is not about who calls.
 *
 * Memory   Tokens and apps are from the allocator given.
 */
#ifndef OPEN_DOOR_H
#define OPEN_DOOR_H

#include "gw_ports.h"

enum { OPEN_DOOR_TOKENS_MAX = 8 }; /* and as many apps */

/* Everybody is "ip:192.0.2.1", of the first tier, and an administrator. It has no tokens. */
extern const struct gw_auth_port open_door;

/* The same with tokens and apps; the i-th token that is made has the hash and the digits of i, and what is issued for
 * a visitor is "ACCOUNT APP TIER". */
struct open_door {
    struct gw_token_table *tokens;
    struct gw_apps *apps;
    unsigned made_count;
};
/* Errors: SL_ENOMEM; then there is nothing to finish. */
SL_MUST_CHECK sl_status open_door_init(struct open_door *d, const struct sl_alloc *alloc);
void open_door_finish(struct open_door *d);
struct gw_auth_port open_door_port(struct open_door *d);

/* Tiers in which nobody runs out of anything: tier 0 is his whom it knows, and of a visitor whom an app knows. */
extern const struct gw_tiers open_tiers;

#endif
