/* gw_forwarded.h - x-forwarded-for: whom a chain of proxies speaks for. Pure.
 *
 * Each proxy adds the address that it was called from at the right end; what stands further left was
 * there when the request reached it, and anybody may have written it. So the header is read from the
 * right, as long as the hop that added an entry is trusted: the first one that is not is the visitor.
 */
#ifndef GW_FORWARDED_H
#define GW_FORWARDED_H

#include "gw_network.h"

enum { GW_FORWARDED_MAX = 1024 }; /* bytes of the header, all of its lines together */

/* peer: who is connected. header: of all its lines, in their order, joined by commas; empty: none. The
 * answer is peer when peer is not trusted, and the last hop that is known when an entry is no address. */
struct gw_address gw_forwarded_for(const struct gw_address *peer, struct sl_span header,
                                   const struct gw_networks *trusted);

#endif
