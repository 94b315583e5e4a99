/* gw_network.c - a list sorted by the length of prefixes. */
#include "gw_network.h"

#include <stdio.h>

enum { MAPPED_BITS = 96 };

/* The length after the slash; false: no number of 1 to 3 digits. */
static bool parse_bits(struct sl_span text, unsigned *out)
{
    unsigned bits = 0;
    if (text.len == 0 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        bits = 10 * bits + (text.data[i] - '0');
    }
    *out = bits;
    return true;
}

sl_status gw_network_parse(struct sl_span text, struct gw_network *out)
{
    const uint8_t *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    struct sl_span address = {text.data, slash != NULL ? (size_t)(slash - text.data) : text.len};
    struct gw_address a;
    if (!gw_address_parse(address, &a))
        return SL_EINVAL;
    unsigned all = gw_address_bits(&a), bits = all;
    if (slash != NULL) {
        if (!parse_bits(sl_span_of(slash + 1, text.len - address.len - 1), &bits))
            return SL_EINVAL;
        /* IPv4 written as IPv6 is IPv4, its range too. */
        bool was_mapped = a.family == 4 && memchr(address.data, ':', address.len) != NULL;
        if (was_mapped && bits < MAPPED_BITS)
            return SL_EINVAL;
        bits -= was_mapped ? MAPPED_BITS : 0;
    }
    if (bits > all)
        return SL_EINVAL;
    *out = (struct gw_network){.base = gw_address_prefix(&a, bits), .bits = (uint8_t)bits};
    return gw_address_is_same(&a, &out->base) ? SL_OK : SL_ERANGE;
}

size_t gw_network_format(const struct gw_network *n, char out[GW_NETWORK_TEXT_MAX + 1])
{
    size_t len = gw_address_format(&n->base, out);
    return len + (size_t)snprintf(out + len, GW_NETWORK_TEXT_MAX + 1 - len, "/%u", n->bits);
}

sl_status gw_networks_add(struct gw_networks *list, const struct gw_network *n)
{
    size_t i = 0;
    for (size_t k = 0; k < list->count; k++)
        if (list->at[k].bits == n->bits && gw_address_is_same(&list->at[k].base, &n->base))
            return SL_EEXIST;
    if (list->count == GW_NETWORKS_MAX)
        return SL_EFULL;
    while (i < list->count && list->at[i].bits >= n->bits)
        i++;
    memmove(&list->at[i + 1], &list->at[i], (list->count - i) * sizeof list->at[0]);
    list->at[i] = *n;
    list->count++;
    return SL_OK;
}

const struct gw_network *gw_networks_find(const struct gw_networks *list,
                                          const struct gw_address *a)
{
    for (size_t i = 0; i < list->count; i++)
        if (gw_address_is_in(a, &list->at[i].base, list->at[i].bits))
            return &list->at[i];
    return NULL;
}

uint16_t gw_networks_value(const struct gw_networks *list, const struct gw_address *a,
                           uint16_t otherwise)
{
    const struct gw_network *n = gw_networks_find(list, a);
    return n != NULL ? n->value : otherwise;
}
