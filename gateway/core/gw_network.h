/* gw_network.h - ranges of addresses (CIDR), each with a value; the longest prefix that holds an address
 * wins. Pure.
 *
 * Cost     A look-up walks the list: some 5 ns an entry, hence the small maximum.
 * Memory   The list is the caller's array.
 */
#ifndef GW_NETWORK_H
#define GW_NETWORK_H

#include "gw_address.h"
#include "sl_base.h"
#include "sl_status.h"

enum { GW_NETWORKS_MAX = 128, GW_NETWORK_TEXT_MAX = GW_ADDRESS_TEXT_MAX + 4 };

struct gw_network {
    struct gw_address base; /* nothing but zeros behind its bits */
    uint8_t bits;
    uint16_t value; /* the owner's: a tier */
};

struct gw_networks {
    struct gw_network at[GW_NETWORKS_MAX]; /* longest prefixes first */
    size_t count;
};

/* "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" (all of its bits). Errors: SL_EINVAL (no such text, or more
 * bits than its kind has), SL_ERANGE (bits of the address are set behind the prefix; *out is what was
 * probably meant). */
SL_MUST_CHECK sl_status gw_network_parse(struct sl_span text, struct gw_network *out);
size_t gw_network_format(const struct gw_network *n, char out[GW_NETWORK_TEXT_MAX + 1]);

/* Errors: SL_EEXIST (the same range is there), SL_EFULL. */
SL_MUST_CHECK sl_status gw_networks_add(struct gw_networks *list, const struct gw_network *n);
/* The narrowest range that holds a; NULL: none does. */
const struct gw_network *gw_networks_find(const struct gw_networks *list,
                                          const struct gw_address *a);
/* Its value, or what holds for everybody else. */
uint16_t gw_networks_value(const struct gw_networks *list, const struct gw_address *a,
                           uint16_t otherwise);

#endif
