/* gw_identity.c - names of accounts, and how much of the tier's time each has. */
#include "gw_identity.h"

#include <stdio.h>
#include <string.h>

#include "gw_network.h"

struct nested {
    unsigned bits;
    uint32_t times;
};

static const struct nested ipv6_purses[] = {{64, 1}, {56, 4}, {48, 16}};

static struct gw_purse *add_purse(struct gw_principal *p, uint64_t times)
{
    struct gw_purse *purse = &p->purses[p->purse_count++];
    uint64_t thousandths = times * GW_FACTOR_ONE;
    purse->limit_thousandths = thousandths < UINT32_MAX ? (uint32_t)thousandths : UINT32_MAX;
    return purse;
}

static void add_address(struct gw_principal *p, const struct gw_address *a, uint64_t times)
{
    struct gw_purse *purse = add_purse(p, times);
    memcpy(purse->account, "ip:", 3);
    gw_address_format(a, purse->account + 3);
}

static void add_prefix(struct gw_principal *p, const struct gw_address *a,
                       const struct nested *nested, uint64_t times)
{
    struct gw_purse *purse = add_purse(p, times * nested->times);
    struct gw_network n = {.base = gw_address_prefix(a, nested->bits),
                           .bits = (uint8_t)nested->bits};
    memcpy(purse->account, "ip:", 3);
    gw_network_format(&n, purse->account + 3);
}

static void begin(struct gw_principal *p, enum gw_principal_kind kind, uint16_t tier)
{
    p->kind = kind;
    p->tier = tier;
    p->is_admin = p->is_signed_in = false;
    p->purse_count = 0;
    p->app[0] = p->organisation[0] = '\0';
}

/* An address that nobody knows is one as well: all of those share it. */
static void add_all(struct gw_principal *p, const struct gw_address *a)
{
    if (a->family != 6) {
        add_address(p, a, 1);
        return;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(ipv6_purses); i++)
        add_prefix(p, a, &ipv6_purses[i], 1);
}

void gw_identity_of_address(const struct gw_address *a, uint16_t tier, struct gw_principal *out)
{
    begin(out, GW_PRINCIPAL_ADDRESS, tier);
    add_all(out, a);
}

/* With the cookie there is room for two more: the /64 and the /48, which bounds both. */
void gw_identity_of_cookie(const char *id, const struct gw_address *a, uint32_t cookies_max,
                           uint16_t tier, struct gw_principal *out)
{
    begin(out, GW_PRINCIPAL_COOKIE, tier);
    struct gw_purse *purse = add_purse(out, 1);
    snprintf(purse->account, sizeof purse->account, "cookie:%s", id);
    if (a->family != 6) {
        add_address(out, a, cookies_max);
        return;
    }
    add_prefix(out, a, &ipv6_purses[0], cookies_max);
    add_prefix(out, a, &ipv6_purses[SL_ARRAY_LEN(ipv6_purses) - 1], cookies_max);
}

/* "ip:203.0.113.7", "ip:2001:db8:0:1::/64". */
static bool is_address(struct sl_span account, struct gw_address *out)
{
    struct gw_network n;
    if (account.len < 3 || memcmp(account.data, "ip:", 3) != 0 ||
        gw_network_parse(sl_span_of(account.data + 3, account.len - 3), &n) != SL_OK)
        return false;
    *out = n.base;
    return true;
}

void gw_identity_of_account(struct sl_span account, enum gw_principal_kind kind, uint16_t tier,
                            struct gw_principal *out)
{
    struct gw_address a;
    begin(out, kind, tier);
    if (is_address(account, &a)) {
        add_all(out, &a);
        return;
    }
    struct gw_purse *purse = add_purse(out, 1);
    size_t len = account.len < GW_ACCOUNT_NAME_MAX ? account.len : GW_ACCOUNT_NAME_MAX;
    memcpy(purse->account, account.data, len);
    purse->account[len] = '\0';
}

int gw_tiers_index(const struct gw_tiers *tiers, const char *name)
{
    for (size_t i = 0; i < tiers->tier_count; i++)
        if (strcmp(tiers->tiers[i].name, name) == 0)
            return (int)i;
    return -1;
}

uint16_t gw_tiers_lower(const struct gw_tiers *tiers, uint16_t a, uint16_t b)
{
    const struct gw_tier *x = &tiers->tiers[a], *y = &tiers->tiers[b];
    if (x->weight != y->weight)
        return x->weight < y->weight ? a : b;
    if (x->daily_us != y->daily_us)
        return x->daily_us < y->daily_us ? a : b;
    if (x->in_flight != y->in_flight)
        return x->in_flight < y->in_flight ? a : b;
    return x->apps <= y->apps ? a : b;
}

uint16_t gw_tiers_higher(const struct gw_tiers *tiers, uint16_t a, uint16_t b)
{
    return gw_tiers_lower(tiers, b, a) == b ? a : b;
}
