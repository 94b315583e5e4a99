/* gw_conf_auth.h - the part of the configuration about who calls: anonymous callers, networks, proxies, apps.
 * gw_conf.c has the keys at the top; here are the tables of items, the checks, and what gw_auth makes of it. */
#ifndef GW_CONF_AUTH_H
#define GW_CONF_AUTH_H

#include "gw_auth.h"
#include "sl_conf_check.h"

/* A range of addresses, or an app, and the tier that goes with it. */
struct gw_conf_tier_of {
    const char *name;
    const char *tier;
};

struct gw_conf_auth {
    bool allow_plaintext_tokens;
    const char *admin_tier, *tier;
    int64_t keys_wait_ns;
    int64_t tokens_max, cache_max, cache_for_ns;
    struct {
        bool allow;
        const char *tier, *sign_in_url;
        int64_t cookie_cap, cookie_rotate_ns, cookie_lifetime_ns;
    } anonymous;
    struct sl_conf_seq networks;        /* of struct gw_conf_tier_of */
    struct sl_conf_seq trusted_proxies; /* of const char * */
    struct sl_conf_seq proxy_protocol;  /* of const char * */
    struct {
        int64_t max, max_running;
        const char *visitor_tier;
        struct sl_conf_seq tiers; /* of struct gw_conf_tier_of */
    } apps;
};

extern const struct sl_conf_key gw_conf_network_table[]; /* of struct gw_conf_tier_of */
extern const struct sl_conf_key gw_conf_app_tier_table[];
extern const struct sl_conf_key gw_conf_range_table[]; /* of const char * */

void gw_conf_check_auth(struct sl_conf_check *c, const struct gw_conf_auth *conf,
                        const struct gw_tiers *tiers);

/* Of a configuration that was checked; out borrows tiers. */
void gw_conf_make_auth(const struct gw_conf_auth *conf, const struct gw_tiers *tiers,
                       const char *state_dir, struct gw_auth_conf *out);
void gw_conf_make_ranges(const struct sl_conf_seq *texts, struct gw_networks *out);

#endif
