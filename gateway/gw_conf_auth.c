#include "gw_conf_auth.h"

#include <stdio.h>
#include <string.h>

#include "gw_identity.h"
#include "sl_text.h"

enum { RANGE_TEXT_MAX = 64 };

const struct sl_conf_key gw_conf_network_table[] = {
    {"", SL_CONF_STRING, offsetof(struct gw_conf_tier_of, tier), .max = GW_TIER_NAME_MAX,
     .help = "The tier of who comes from there without a token."},
    {0},
};

const struct sl_conf_key gw_conf_app_tier_table[] = {
    {"", SL_CONF_STRING, offsetof(struct gw_conf_tier_of, tier), .max = GW_TIER_NAME_MAX,
     .help = "The most that a visitor has whom that app alone knows."},
    {0},
};

const struct sl_conf_key gw_conf_range_table[] = {
    {"", SL_CONF_STRING, 0, .max = RANGE_TEXT_MAX, .help = "As 10.0.0.0/8 or 2001:db8::/32."},
    {0},
};

/* ---- checks; each adds its sentence */

static void check_tier(struct sl_conf_check *c, const struct gw_tiers *tiers, const char *key,
                       const char *tier)
{
    if (gw_tiers_index(tiers, tier) < 0)
        sl_conf_complain(c, key, tier, "is no tier of this configuration");
}

/* Adds a range to a list, with its value. */
static void check_range(struct sl_conf_check *c, const char *key, const char *text,
                        struct gw_networks *list)
{
    struct gw_network n = {.bits = 0};
    char meant[GW_NETWORK_TEXT_MAX + 1], why[GW_NETWORK_TEXT_MAX + 64];
    sl_status s = gw_network_parse(sl_span_str(text), &n);
    if (s == SL_ERANGE) {
        gw_network_format(&n, meant);
        snprintf(why, sizeof why, "has bits behind its prefix; %s is that range", meant);
        sl_conf_complain(c, key, text, why);
    } else if (s != SL_OK) {
        sl_conf_complain(c, key, text, "is no range of addresses (10.0.0.0/8, 2001:db8::/32)");
    } else if (gw_networks_add(list, &n) == SL_EEXIST) {
        sl_conf_complain(c, key, text, "stands there twice");
    }
}

static void check_networks(struct sl_conf_check *c, const struct gw_conf_auth *conf,
                           const struct gw_tiers *tiers)
{
    const struct gw_conf_tier_of *items = conf->networks.items;
    struct gw_networks list = {.count = 0};
    for (size_t i = 0; i < conf->networks.count; i++) {
        check_range(c, "networks", items[i].name, &list);
        check_tier(c, tiers, "networks", items[i].tier);
    }
}

static void check_ranges(struct sl_conf_check *c, const char *key, const struct sl_conf_seq *texts)
{
    const char *const *items = texts->items;
    struct gw_networks list = {.count = 0};
    for (size_t i = 0; i < texts->count; i++)
        check_range(c, key, items[i], &list);
}

static void check_apps(struct sl_conf_check *c, const struct gw_conf_auth *conf,
                       const struct gw_tiers *tiers)
{
    const struct gw_conf_tier_of *items = conf->apps.tiers.items;
    check_tier(c, tiers, "apps.visitor_tier", conf->apps.visitor_tier);
    for (size_t i = 0; i < conf->apps.tiers.count; i++) {
        if (!gw_app_name_is_good(sl_span_str(items[i].name)))
            sl_conf_complain(c, "apps.tiers", items[i].name, "is no name of an app");
        check_tier(c, tiers, "apps.tiers", items[i].tier);
    }
}

static void check_cookies(struct sl_conf_check *c, const struct gw_conf_auth *conf)
{
    char text[32];
    int64_t most = sl_sat_mul(conf->anonymous.cookie_rotate_ns, GW_COOKIE_KEYS_MAX - 2);
    sl_text_format_duration(conf->anonymous.cookie_lifetime_ns, text);
    if (conf->anonymous.cookie_lifetime_ns > most)
        sl_conf_complain(c, "anonymous.cookie_lifetime", text,
                         "is more than 14 times anonymous.cookie_rotate: so many keys are kept");
}

/* It becomes part of a sentence and of a header. */
static void check_url(struct sl_conf_check *c, const char *url)
{
    bool is_plain = true;
    for (const char *p = url; *p != '\0'; p++)
        is_plain = is_plain && *p > 0x20 && *p < 0x7f;
    if (!is_plain)
        sl_conf_complain(c, "anonymous.sign_in_url", url, "has a byte that no URL has");
}

void gw_conf_check_auth(struct sl_conf_check *c, const struct gw_conf_auth *conf,
                        const struct gw_tiers *tiers)
{
    check_tier(c, tiers, "auth.admin_tier", conf->admin_tier);
    check_tier(c, tiers, "auth.tier", conf->tier);
    check_tier(c, tiers, "anonymous.tier", conf->anonymous.tier);
    check_url(c, conf->anonymous.sign_in_url);
    check_cookies(c, conf);
    check_networks(c, conf, tiers);
    check_ranges(c, "trusted_proxies", &conf->trusted_proxies);
    check_ranges(c, "proxy_protocol", &conf->proxy_protocol);
    check_apps(c, conf, tiers);
}

/* ---- what gw_auth makes of it */

static uint16_t tier_of(const struct gw_tiers *tiers, const char *name)
{
    int tier = gw_tiers_index(tiers, name);
    return (uint16_t)(tier >= 0 ? tier : 0);
}

static void add_range(struct gw_networks *list, const char *text, uint16_t value)
{
    struct gw_network n;
    if (gw_network_parse(sl_span_str(text), &n) != SL_OK)
        return; /* the check has refused it */
    n.value = value;
    (void)!gw_networks_add(list, &n);
}

void gw_conf_make_ranges(const struct sl_conf_seq *texts, struct gw_networks *out)
{
    const char *const *items = texts->items;
    out->count = 0;
    for (size_t i = 0; i < texts->count; i++)
        add_range(out, items[i], 0);
}

static void make_networks(const struct gw_conf_auth *conf, const struct gw_tiers *tiers,
                          struct gw_networks *out)
{
    const struct gw_conf_tier_of *items = conf->networks.items;
    out->count = 0;
    for (size_t i = 0; i < conf->networks.count; i++)
        add_range(out, items[i].name, tier_of(tiers, items[i].tier));
}

static void make_app_tiers(const struct gw_conf_auth *conf, const struct gw_tiers *tiers,
                           struct gw_auth_conf *out)
{
    const struct gw_conf_tier_of *items = conf->apps.tiers.items;
    out->app_tier_count = 0;
    for (size_t i = 0; i < conf->apps.tiers.count && i < GW_AUTH_APP_TIERS_MAX; i++) {
        struct gw_auth_app_tier *to = &out->app_tiers[out->app_tier_count++];
        snprintf(to->app, sizeof to->app, "%s", items[i].name);
        to->tier = tier_of(tiers, items[i].tier);
    }
}

void gw_conf_make_auth(const struct gw_conf_auth *conf, const struct gw_tiers *tiers,
                       const char *state_dir, struct gw_auth_conf *out)
{
    *out = (struct gw_auth_conf){
        .tiers = tiers,
        .serves_anonymous = conf->anonymous.allow,
        .anonymous_tier = tier_of(tiers, conf->anonymous.tier),
        .signed_in_tier = tier_of(tiers, conf->tier),
        .visitor_tier = tier_of(tiers, conf->apps.visitor_tier),
        .cookies_per_address = (uint32_t)conf->anonymous.cookie_cap,
        .allows_plaintext_tokens = conf->allow_plaintext_tokens,
        .cookies = {.rotate_us = conf->anonymous.cookie_rotate_ns / SL_NS_PER_US,
                    .lifetime_us = conf->anonymous.cookie_lifetime_ns / SL_NS_PER_US},
        .state_dir = state_dir,
        .tokens_max = (size_t)conf->tokens_max,
        .apps_max = (size_t)conf->apps.max,
        .cache_max = (size_t)conf->cache_max,
        .cache_us = conf->cache_for_ns / SL_NS_PER_US,
    };
    snprintf(out->sign_in_url, sizeof out->sign_in_url, "%s", conf->anonymous.sign_in_url);
    gw_conf_make_ranges(&conf->trusted_proxies, &out->trusted_proxies);
    make_networks(conf, tiers, &out->networks);
    make_app_tiers(conf, tiers, out);
}
