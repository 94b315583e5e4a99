#include "open_door.h"

#include <stdio.h>

#include "gw_tier.h"

static enum gw_identity_answer identify(void *ctx, const struct gw_credentials *c,
                                        struct gw_principal *out, struct sl_error *err)
{
    (void)ctx, (void)c, (void)err;
    *out = (struct gw_principal){
        .is_admin = true, .purse_count = 1, .purses = {{"ip:192.0.2.1", GW_FACTOR_ONE}}};
    return GW_IDENTITY_KNOWN;
}

const struct gw_tiers open_tiers = {
    .tiers = {{"all", 365 * 86400 * SL_US_PER_S, 1, 1000000, 2, false}},
    .tier_count = 1,
    .sizes = {{"large", 500, 1, GW_FACTOR_ONE}, {"xlarge", 1000, 2, 2 * GW_FACTOR_ONE}},
    .size_count = 2,
};

const struct gw_auth_port open_door = {.identify = identify};

sl_status open_door_init(struct open_door *d, const struct sl_alloc *alloc)
{
    *d = (struct open_door){.made_count = 0};
    sl_status s = gw_token_table_create(alloc, OPEN_DOOR_TOKENS_MAX, &d->tokens);
    if (s == SL_OK)
        s = gw_apps_create(alloc, OPEN_DOOR_TOKENS_MAX, &d->apps);
    if (s != SL_OK)
        open_door_finish(d);
    return s;
}

void open_door_finish(struct open_door *d)
{
    gw_token_table_destroy(d->tokens);
    gw_apps_destroy(d->apps);
    *d = (struct open_door){.made_count = 0};
}

static sl_status make_token(void *ctx, char out[GW_TOKEN_LEN + 1], struct gw_token_row *row)
{
    struct open_door *d = ctx;
    uint8_t random[GW_TOKEN_RANDOM_BYTES] = {(uint8_t)++d->made_count};
    gw_token_write(random, out);
    memcpy(row->prefix, out, GW_TOKEN_PREFIX_LEN);
    memset(row->hash, (int)d->made_count, sizeof row->hash);
    return SL_OK;
}

static uint16_t visitor_tier(void *ctx, const char *app)
{
    (void)ctx, (void)app;
    return 0;
}

static sl_status issue_visitor_token(void *ctx, const char *account, const char *app,
                                     const char *tier, sl_wall_us now,
                                     char out[GW_VISITOR_TOKEN_MAX], sl_wall_us *out_expires_at)
{
    (void)ctx;
    snprintf(out, GW_VISITOR_TOKEN_MAX, "%s %s %s", account, app, tier);
    *out_expires_at = now + SL_US_PER_S;
    return SL_OK;
}

struct gw_auth_port open_door_port(struct open_door *d)
{
    return (struct gw_auth_port){.ctx = d,
                                 .identify = identify,
                                 .tokens = d->tokens,
                                 .apps = d->apps,
                                 .make_token = make_token,
                                 .visitor_tier = visitor_tier,
                                 .issue_visitor_token = issue_visitor_token};
}
