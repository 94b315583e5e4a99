/* gw_address.c - texts by libc's inet_pton and inet_ntop, the rest by bytes. */
#include "gw_address.h"

#include <arpa/inet.h>

enum { MAPPED_BITS = 96 };

static const uint8_t mapped[MAPPED_BITS / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct gw_address gw_address_of(const uint8_t *bytes, size_t len)
{
    struct gw_address a = {0};
    if (len == 16 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        bytes += sizeof mapped;
        len = 4;
    }
    if (len != 4 && len != 16)
        return a;
    a.family = len == 4 ? 4 : 6;
    memcpy(a.bytes, bytes, len);
    return a;
}

bool gw_address_parse(struct sl_span text, struct gw_address *out)
{
    char copy[GW_ADDRESS_TEXT_MAX + 1];
    uint8_t bytes[16];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *out = gw_address_of(bytes, 4);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *out = gw_address_of(bytes, 16);
    else
        return false;
    return true;
}

static bool is_port(struct sl_span s)
{
    enum { DIGITS_MAX = 5 };
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    return s.len > 0 && s.len <= DIGITS_MAX;
}

/* "[ADDRESS]" or "[ADDRESS]:PORT". */
static bool parse_bracketed(struct sl_span text, struct gw_address *out)
{
    const uint8_t *end = memchr(text.data, ']', text.len);
    struct gw_address a;
    if (end == NULL)
        return false;
    struct sl_span rest = {end + 1, text.len - (size_t)(end + 1 - text.data)};
    bool is_whole =
        rest.len == 0 || (rest.data[0] == ':' && is_port(sl_span_of(rest.data + 1, rest.len - 1)));
    struct sl_span inner = {text.data + 1, (size_t)(end - text.data) - 1};
    /* Brackets are IPv6's alone. */
    if (!is_whole || memchr(inner.data, ':', inner.len) == NULL || !gw_address_parse(inner, &a))
        return false;
    *out = a;
    return true;
}

bool gw_address_parse_host(struct sl_span text, struct gw_address *out)
{
    if (text.len == 0)
        return false;
    if (text.data[0] == '[')
        return parse_bracketed(text, out);
    if (gw_address_parse(text, out))
        return true;
    const uint8_t *colon = memchr(text.data, ':', text.len);
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - text.data);
    return is_port(sl_span_of(colon + 1, text.len - len - 1)) &&
           gw_address_parse(sl_span_of(text.data, len), out);
}

unsigned gw_address_bits(const struct gw_address *a)
{
    return a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

struct gw_address gw_address_prefix(const struct gw_address *a, unsigned bits)
{
    struct gw_address p = *a;
    for (unsigned i = 0; i < sizeof p.bytes; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            p.bytes[i] = (uint8_t)(p.bytes[i] & (0xff00 >> kept));
    }
    return p;
}

bool gw_address_is_same(const struct gw_address *a, const struct gw_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool gw_address_is_in(const struct gw_address *a, const struct gw_address *network, unsigned bits)
{
    if (a->family != network->family || a->family == 0 ||
        memcmp(a->bytes, network->bytes, bits / 8) != 0)
        return false;
    unsigned left = bits % 8;
    return left == 0 || (a->bytes[bits / 8] ^ network->bytes[bits / 8]) >> (8 - left) == 0;
}

bool gw_address_is_loopback(const struct gw_address *a)
{
    static const uint8_t loopback[16] = {[15] = 1};
    return (a->family == 4 && a->bytes[0] == 127) ||
           (a->family == 6 && memcmp(a->bytes, loopback, sizeof loopback) == 0);
}

size_t gw_address_format(const struct gw_address *a, char out[GW_ADDRESS_TEXT_MAX + 1])
{
    int family = a->family == 4 ? AF_INET : AF_INET6;
    if (a->family == 0 || inet_ntop(family, a->bytes, out, GW_ADDRESS_TEXT_MAX + 1) == NULL)
        memcpy(out, "?", 2);
    return strlen(out);
}
