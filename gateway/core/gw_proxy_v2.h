/* gw_proxy_v2.h - the PROXY protocol's binary header, version 2: who is behind a proxy that passes a
 * connection on. Pure.
 *
 * Whether a connection begins with one is never guessed from its bytes: the configuration says from whom
 * it comes, and then it must be there.
 *
 * Memory   What is kept of a header lies in the struct; what follows the addresses is skipped.
 * Limits   The whole header has at most GW_PROXY_V2_MAX bytes.
 * Source   haproxy/haproxy, doc/proxy-protocol.txt, 2.2.
 */
#ifndef GW_PROXY_V2_H
#define GW_PROXY_V2_H

#include "gw_address.h"

enum { GW_PROXY_V2_HEAD_BYTES = 16, GW_PROXY_V2_ADDRESSES_BYTES = 36, GW_PROXY_V2_MAX = 4096 };

enum gw_proxy_v2_state { GW_PROXY_V2_MORE, GW_PROXY_V2_DONE, GW_PROXY_V2_BAD };

struct gw_proxy_v2 {
    uint8_t kept[GW_PROXY_V2_HEAD_BYTES + GW_PROXY_V2_ADDRESSES_BYTES];
    size_t taken_bytes; /* of the header, so far */
    const char *fault;  /* when BAD: what was wrong; static */
    /* When DONE. family 0: the proxy speaks for itself, or does not say for whom. */
    struct gw_address source;
    uint16_t source_port;
};

/* Takes what *bytes has of the header, and moves *bytes past it. A zeroed struct is the beginning; after
 * DONE and BAD nothing is taken. */
enum gw_proxy_v2_state gw_proxy_v2_take(struct gw_proxy_v2 *p, struct sl_span *bytes);

#endif
