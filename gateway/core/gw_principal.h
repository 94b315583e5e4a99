/* gw_principal.h - who calls, and from which accounts the call's GPU time is taken. Data only.
 *
 * A principal has one to three purses: the visitor's own first, then those that others share with it,
 * because spending nests: an IPv6 /64 in its /56 and /48, a cookie in its address. A hold must fit into
 * each of them.
 *
 * A purse's name is its account's, for ever and in every route by which the same visitor comes:
 *   "user:NAME"          a user of this gateway (API tokens)
 *   "user:ISSUER#SUB"    a user of a configured issuer, ISSUER as the configuration names it
 *   "ip:203.0.113.7"     an IPv4 address; "ip:2001:db8:0:1::/64" an IPv6 prefix (lower case, compressed)
 *   "cookie:ID"          a signed cookie
 *   "app:APP/VISITOR"    a visitor whom a trusted app knows
 */
#ifndef GW_PRINCIPAL_H
#define GW_PRINCIPAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GW_ACCOUNT_NAME_MAX = 255, GW_PURSES_MAX = 3, GW_APP_NAME_MAX = 63 };
enum { GW_ORGANISATION_MAX = 63 };

enum gw_principal_kind {
    GW_PRINCIPAL_ADDRESS, /* nobody said who it is */
    GW_PRINCIPAL_COOKIE,
    GW_PRINCIPAL_USER,    /* an API token, or a JWT of an issuer */
    GW_PRINCIPAL_VISITOR, /* on whose behalf a trusted app calls */
};

struct gw_purse {
    char account[GW_ACCOUNT_NAME_MAX + 1];
    uint32_t limit_thousandths; /* of the tier's daily time: 1000 is all of it, 4000 four times */
};

struct gw_principal {
    enum gw_principal_kind kind;
    uint16_t tier;     /* index in gw_tiers */
    bool is_admin;     /* may use sluice.v1.Admin */
    bool is_signed_in; /* not by address or cookie: its account is kept when room is short */
    size_t purse_count;
    struct gw_purse purses[GW_PURSES_MAX];
    char app[GW_APP_NAME_MAX + 1]; /* the registered app that calls; "" when none does */
    char organisation[GW_ORGANISATION_MAX + 1]; /* of who pays, as its issuer says; "": none */
};

/* The visitor's own account: the name on receipts. */
static inline const char *gw_principal_name(const struct gw_principal *p)
{
    return p->purses[0].account;
}

#endif
