/* gw_gatekeeper.c - from configuration to identities. */
#include "gw_gatekeeper.h"

#include "gw_secret_file.h"
#include "sl_log.h"

/* Without a directory there is no administrator: nothing would tell him his token. */
static sl_status load_admin(struct gw_gatekeeper *g, const struct gw_conf *conf,
                            struct sl_error *err)
{
    bool made = false;
    if (conf->state[0] == '\0')
        return SL_OK;
    sl_status s = gw_auth_load_admin(g->auth, conf->auth.admin_tier, &made, err);
    if (s == SL_OK && made)
        sl_log(SL_LOG_INFO, "a token of the administrator was made", SL_S("state", conf->state),
               SL_S("file", "admin.token"));
    return s;
}

/* The gateway's own tokens first: they are told by a kind of their own. */
static sl_status add_verifiers(struct gw_gatekeeper *g, struct sl_error *err)
{
    const struct gw_verifier own = gw_sign_verifier(g->verifiers.sign);
    const struct gw_verifier issuers = gw_issuers_verifier(g->verifiers.issuers);
    sl_status s = gw_auth_add_verifier(g->auth, &own);
    if (s == SL_OK)
        s = gw_auth_add_verifier(g->auth, &issuers);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "too many verifiers of tokens");
    return s;
}

sl_status gw_gatekeeper_open(struct gw_gatekeeper *g, const struct gw_conf *conf,
                             const struct gw_gatekeeper_place *place, sl_mono_ns mono,
                             sl_wall_us now, struct sl_error *err)
{
    struct gw_auth_conf c;
    *g = (struct gw_gatekeeper){.tiers = place->tiers};
    sl_status s = conf->state[0] != '\0' ? gw_secret_dir(conf->state, err) : SL_OK;
    if (s != SL_OK)
        return s;
    gw_conf_make_auth(&conf->auth, g->tiers, conf->state, &c);
    gw_conf_make_ranges(&conf->auth.proxy_protocol, &g->proxies);
    s = gw_auth_create(&sl_alloc_malloc, &c, place->metrics, &g->auth, err);
    if (s == SL_OK)
        s = load_admin(g, conf, err);
    if (s == SL_OK)
        s = gw_verifiers_open(&g->verifiers, conf, place->wake, place->wake_ctx, mono, now, err);
    if (s == SL_OK)
        s = add_verifiers(g, err);
    if (s == SL_OK)
        gw_auth_tick(g->auth, now);
    else
        gw_gatekeeper_close(g);
    return s;
}

void gw_gatekeeper_close(struct gw_gatekeeper *g)
{
    gw_auth_destroy(g->auth);
    g->auth = NULL;
    gw_verifiers_close(&g->verifiers);
}

void gw_gatekeeper_reload(struct gw_gatekeeper *g, const struct gw_conf *conf, sl_mono_ns mono)
{
    struct gw_auth_conf c;
    struct sl_error err;
    gw_conf_make_auth(&conf->auth, g->tiers, conf->state, &c);
    gw_auth_set_conf(g->auth, &c);
    gw_conf_make_ranges(&conf->auth.proxy_protocol, &g->proxies);
    if (load_admin(g, conf, &err) != SL_OK)
        sl_log(SL_LOG_ERROR, "the administrator's token stays as it was", SL_S("why", err.text));
    if (gw_verifiers_reload(&g->verifiers, conf, mono, &err) != SL_OK)
        sl_log(SL_LOG_ERROR, "the issuers of tokens stay as they were", SL_S("why", err.text));
}

bool gw_gatekeeper_turn(struct gw_gatekeeper *g, sl_mono_ns mono, sl_wall_us now)
{
    g->now = now;
    gw_auth_tick(g->auth, now);
    bool has_news = gw_verifiers_turn(&g->verifiers, mono, now);
    uint64_t version = gw_issuers_version(g->verifiers.issuers);
    if (version != g->verified_version)
        gw_auth_forget(g->auth);
    g->verified_version = version;
    return has_news;
}

static enum gw_identity_answer identify(void *ctx, const struct gw_credentials *c,
                                        struct gw_principal *out, struct sl_error *err)
{
    struct gw_gatekeeper *g = ctx;
    return gw_auth_identify(g->auth, c, g->now, out, err);
}

static sl_status make_token(void *ctx, char out[GW_TOKEN_LEN + 1], struct gw_token_row *row)
{
    struct gw_gatekeeper *g = ctx;
    return gw_auth_make_token(g->auth, out, row);
}

static uint16_t visitor_tier(void *ctx, const char *app)
{
    struct gw_gatekeeper *g = ctx;
    return gw_auth_visitor_tier(g->auth, app);
}

static sl_status issue_visitor_token(void *ctx, const char *account, const char *app,
                                     const char *tier, sl_wall_us now,
                                     char out[GW_VISITOR_TOKEN_MAX], sl_wall_us *out_expires_at)
{
    struct gw_gatekeeper *g = ctx;
    const struct gw_sign_visitor visitor = {account, app, tier};
    _Static_assert((int)GW_SIGN_TOKEN_MAX <= (int)GW_VISITOR_TOKEN_MAX, "it must fit");
    return gw_sign_issue(g->verifiers.sign, &visitor, now, out, out_expires_at);
}

struct gw_auth_port gw_gatekeeper_port(struct gw_gatekeeper *g)
{
    return (struct gw_auth_port){.ctx = g,
                                 .identify = identify,
                                 .tokens = gw_auth_tokens(g->auth),
                                 .apps = gw_auth_apps(g->auth),
                                 .make_token = make_token,
                                 .visitor_tier = visitor_tier,
                                 .issue_visitor_token = issue_visitor_token};
}
