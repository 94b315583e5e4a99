/* gw_address.h - an IP address as a value: read, written, compared by prefix. Pure.
 *
 * An IPv4 address that comes as IPv6 (::ffff:203.0.113.7) is the IPv4 address, in every route by which it
 * comes: one visitor, one account.
 */
#ifndef GW_ADDRESS_H
#define GW_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"

enum { GW_ADDRESS_TEXT_MAX = 45 }; /* without the NUL */

struct gw_address {
    uint8_t family; /* 4, 6; 0: not known */
    uint8_t bytes[16];
};

/* 4 or 16 bytes in network order; of any other length: not known. */
struct gw_address gw_address_of(const uint8_t *bytes, size_t len);
/* "203.0.113.7", "2001:db8::1". false: not such a text, *out unchanged. */
bool gw_address_parse(struct sl_span text, struct gw_address *out);
/* The same, maybe with a port: "203.0.113.7:80", "[2001:db8::1]", "[2001:db8::1]:80". */
bool gw_address_parse_host(struct sl_span text, struct gw_address *out);

unsigned gw_address_bits(const struct gw_address *a); /* 32, 128, 0 */
/* What is left of it when all but the first bits are zero. */
struct gw_address gw_address_prefix(const struct gw_address *a, unsigned bits);
bool gw_address_is_in(const struct gw_address *a, const struct gw_address *network, unsigned bits);
bool gw_address_is_same(const struct gw_address *a, const struct gw_address *b);
/* 127.0.0.0/8 or ::1. */
bool gw_address_is_loopback(const struct gw_address *a);

/* As RFC 5952 has it: lower case, zeros compressed; "?" when not known. Returns the length. */
size_t gw_address_format(const struct gw_address *a, char out[GW_ADDRESS_TEXT_MAX + 1]);

#endif
