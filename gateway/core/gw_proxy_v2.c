/* gw_proxy_v2.c - head, addresses, and the rest to be skipped. */
#include "gw_proxy_v2.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { VERSION_AT = 12, FAMILY_AT = 13, LENGTH_AT = 14 };
enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of the addresses' block; 0: of a kind that we do not use, or none. */
static size_t address_bytes(uint8_t family)
{
    switch (family) {
    case 0x11: /* TCP over IPv4 */
        return 4;
    case 0x21: /* TCP over IPv6 */
        return 16;
    default:
        return 0;
    }
}

static bool is_family(uint8_t family)
{
    return family >> 4 <= 3 && (family & 15) <= 2;
}

static size_t whole_bytes(const struct gw_proxy_v2 *p)
{
    return GW_PROXY_V2_HEAD_BYTES + ((size_t)p->kept[LENGTH_AT] << 8 | p->kept[LENGTH_AT + 1]);
}

/* What is wrong with the part of the head that is there; NULL: nothing. */
static const char *head_fault(const struct gw_proxy_v2 *p)
{
    size_t have = min(p->taken_bytes, sizeof p->kept);
    if (memcmp(p->kept, signature, min(have, sizeof signature)) != 0)
        return "the signature of a PROXY v2 header is not there";
    if (have > VERSION_AT && p->kept[VERSION_AT] != COMMAND_LOCAL &&
        p->kept[VERSION_AT] != COMMAND_PROXY)
        return "its version is not 2, or its command neither LOCAL nor PROXY";
    if (have > FAMILY_AT && !is_family(p->kept[FAMILY_AT]))
        return "its family or protocol is unknown";
    if (have < GW_PROXY_V2_HEAD_BYTES)
        return NULL;
    if (whole_bytes(p) > GW_PROXY_V2_MAX)
        return "it is longer than 4096 bytes";
    size_t len = address_bytes(p->kept[FAMILY_AT]);
    bool is_short = whole_bytes(p) < GW_PROXY_V2_HEAD_BYTES + 2 * len + 4;
    return p->kept[VERSION_AT] == COMMAND_PROXY && len > 0 && is_short
               ? "it is shorter than its addresses"
               : NULL;
}

/* Moves so many bytes, keeping those that matter. */
static void take(struct gw_proxy_v2 *p, struct sl_span *bytes, size_t count)
{
    size_t room = sizeof p->kept - min(p->taken_bytes, sizeof p->kept);
    size_t n = min(count, bytes->len);
    if (n == 0)
        return;
    memcpy(p->kept + min(p->taken_bytes, sizeof p->kept), bytes->data, min(n, room));
    p->taken_bytes += n;
    *bytes = sl_span_of(bytes->data + n, bytes->len - n);
}

static void read_source(struct gw_proxy_v2 *p)
{
    const uint8_t *addresses = p->kept + GW_PROXY_V2_HEAD_BYTES;
    size_t len = address_bytes(p->kept[FAMILY_AT]);
    if (p->kept[VERSION_AT] != COMMAND_PROXY || len == 0)
        return;
    p->source = gw_address_of(addresses, len);
    p->source_port = (uint16_t)(addresses[2 * len] << 8 | addresses[2 * len + 1]);
}

enum gw_proxy_v2_state gw_proxy_v2_take(struct gw_proxy_v2 *p, struct sl_span *bytes)
{
    if (p->fault != NULL)
        return GW_PROXY_V2_BAD;
    if (p->taken_bytes < GW_PROXY_V2_HEAD_BYTES) {
        take(p, bytes, GW_PROXY_V2_HEAD_BYTES - p->taken_bytes);
        p->fault = head_fault(p);
    }
    if (p->fault != NULL)
        return GW_PROXY_V2_BAD;
    if (p->taken_bytes < GW_PROXY_V2_HEAD_BYTES)
        return GW_PROXY_V2_MORE;
    take(p, bytes, whole_bytes(p) - p->taken_bytes);
    if (p->taken_bytes < whole_bytes(p))
        return GW_PROXY_V2_MORE;
    read_source(p);
    return GW_PROXY_V2_DONE;
}
