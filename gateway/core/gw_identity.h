/* gw_identity.h - which purses a visitor has who is known by an address, a cookie, or an account. Pure.
 *
 * Spending nests, because whoever has one address has its neighbours as well: of an IPv6 /64, its /56 has
 * four times its time and its /48 sixteen times. An IPv4 address stands alone. A cookie spends in its
 * address, which has as many times its own time as there may be cookies.
 *
 * Errors   None: what does not fit into an account's name is cut by its owner before.
 */
#ifndef GW_IDENTITY_H
#define GW_IDENTITY_H

#include "gw_address.h"
#include "gw_cookie.h"
#include "gw_principal.h"
#include "gw_tier.h"
#include "sl_span.h"

enum { GW_COOKIES_PER_ADDRESS_MAX = 100000 };

/* Nobody said who it is. */
void gw_identity_of_address(const struct gw_address *a, uint16_t tier, struct gw_principal *out);
/* cookies_max: how many cookies' time one address has. */
void gw_identity_of_cookie(const char *id, const struct gw_address *a, uint32_t cookies_max,
                           uint16_t tier, struct gw_principal *out);
/* An account by its whole name ("user:ana", "app:demo/7"); one that is an address ("ip:...") has that
 * address's purses. */
void gw_identity_of_account(struct sl_span account, enum gw_principal_kind kind, uint16_t tier,
                            struct gw_principal *out);

/* ---- tiers */

/* The index of a tier by its name; -1: there is none. */
int gw_tiers_index(const struct gw_tiers *tiers, const char *name);
/* The one of the two that can do less, by its weight, then by its daily time, its calls in
 * flight, its apps; a when they are even. */
uint16_t gw_tiers_lower(const struct gw_tiers *tiers, uint16_t a, uint16_t b);
/* The one of the two that can do more; a when they are even. */
uint16_t gw_tiers_higher(const struct gw_tiers *tiers, uint16_t a, uint16_t b);

#endif
