#include "gw_account_name.h"

#include <string.h>

#include "gw_identity.h"
#include "gw_network.h"

enum { NET_BITS = 64, SITE_BITS = 56, PROVIDER_BITS = 48 };

static bool begins(struct sl_span text, const char *with)
{
    size_t len = strlen(with);
    return text.len > len && memcmp(text.data, with, len) == 0;
}

static void write_name(const char *kind, const char *name, char out[GW_ACCOUNT_NAME_MAX + 1])
{
    size_t kind_len = strlen(kind), len = strlen(name);
    memcpy(out, kind, kind_len);
    memcpy(out + kind_len, name, len + 1);
}

static bool read_ipv6(const struct gw_network *n, char out[GW_ACCOUNT_NAME_MAX + 1])
{
    char text[GW_NETWORK_TEXT_MAX + 1];
    struct gw_network net = *n;
    if (n->bits == gw_address_bits(&n->base)) {
        net.base = gw_address_prefix(&n->base, NET_BITS);
        net.bits = NET_BITS;
    }
    if (net.bits != NET_BITS && net.bits != SITE_BITS && net.bits != PROVIDER_BITS)
        return false;
    (void)gw_network_format(&net, text);
    write_name("ip:", text, out);
    return true;
}

static bool read_address(struct sl_span text, char out[GW_ACCOUNT_NAME_MAX + 1])
{
    char address[GW_ADDRESS_TEXT_MAX + 1];
    struct gw_network n;
    if (gw_network_parse(text, &n) != SL_OK)
        return false;
    if (n.base.family == 6)
        return read_ipv6(&n, out);
    if (n.bits != gw_address_bits(&n.base))
        return false;
    (void)gw_address_format(&n.base, address);
    write_name("ip:", address, out);
    return true;
}

/* What else an account can be, as it is. */
static bool read_other(struct sl_span text, char out[GW_ACCOUNT_NAME_MAX + 1])
{
    bool is_app_s = begins(text, "app:") && memchr(text.data + 4, '/', text.len - 4) != NULL;
    if (text.len > GW_ACCOUNT_NAME_MAX ||
        (!begins(text, "user:") && !begins(text, "cookie:") && !is_app_s))
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

bool gw_account_name_read(struct sl_span text, char out[GW_ACCOUNT_NAME_MAX + 1],
                          struct sl_error *err)
{
    bool is_good = begins(text, "ip:") ? read_address(sl_span_of(text.data + 3, text.len - 3), out)
                                       : read_other(text, out);
    if (is_good)
        return true;
    sl_error_set(
        err, SL_REASON_BAD_INPUT,
        "'%.*s' is no account: user:NAME, ip:ADDRESS (of IPv6 the prefix /64, /56 or /48), "
        "cookie:ID, app:APP/VISITOR",
        (int)text.len, (const char *)text.data);
    sl_error_set_field(err, "account");
    return false;
}
