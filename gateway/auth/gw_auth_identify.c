/* gw_auth_identify.c - who calls: the token, the app's visitor, the cookie, the address. */
#include <string.h>
#include <strings.h>

#include "gw_auth_int.h"
#include "gw_forwarded.h"
#include "gw_identity.h"
#include "sl_log.h"

/* ---- tokens of ours, by their hashes */

/* What a row says; its user may have got another tier, or the tier another name, since. */
static enum gw_identity_answer become_user(const struct gw_asking *ask,
                                           const struct gw_token_row *row, struct gw_principal *out)
{
    char account[GW_ACCOUNT_NAME_MAX + 1] = "user:";
    int tier = gw_tiers_index(ask->a->conf.tiers, row->tier);
    if (tier < 0)
        return gw_auth_refuse_row(ask, "its tier is none of the configuration", row->prefix);
    size_t room = sizeof account - strlen(account) - 1;
    strncat(account, row->user, room);
    gw_identity_of_account(sl_span_str(account), GW_PRINCIPAL_USER, (uint16_t)tier, out);
    out->is_admin = row->is_admin;
    out->is_signed_in = true;
    memcpy(out->app, row->app, sizeof out->app);
    return GW_IDENTITY_KNOWN;
}

static enum gw_identity_answer check_app(const struct gw_asking *ask,
                                         const struct gw_token_row *row)
{
    const struct gw_app_row *app;
    if (row->app[0] == '\0')
        return GW_IDENTITY_KNOWN;
    app = gw_apps_find(ask->a->apps, sl_span_str(row->app));
    if (app == NULL)
        return gw_auth_refuse_row(ask, "its app is not registered", row->prefix);
    if (app->is_paused)
        return gw_auth_refuse_untrusted(ask, "this app was paused by the operator");
    return GW_IDENTITY_KNOWN;
}

static enum gw_identity_answer identify_api_token(const struct gw_asking *ask, struct sl_span token,
                                                  struct gw_principal *out)
{
    uint8_t hash[GW_TOKEN_HASH_BYTES];
    const struct gw_token_row *row;
    if (!gw_token_is_whole(token))
        return gw_auth_refuse_token(ask, "an API token that is mistyped or cut");
    if (gw_digest_sha256(ask->a->digest, token, hash) != SL_OK)
        return gw_auth_refuse_token(ask, "no memory for a hash");
    row = gw_token_table_find(ask->a->tokens, hash);
    if (row == NULL)
        return gw_auth_refuse_token(ask, "an API token that nobody has");
    const char *fault = gw_token_row_fault(row, ask->now);
    if (fault != NULL)
        return gw_auth_refuse_row(ask, fault, row->prefix);
    enum gw_identity_answer app = check_app(ask, row);
    return app == GW_IDENTITY_KNOWN ? become_user(ask, row, out) : app;
}

/* ---- signed tokens, by the verifiers */

static enum gw_verdict ask_verifiers(const struct gw_asking *ask, struct sl_span token,
                                     struct gw_claims *out, struct gw_denial *denial)
{
    const struct gw_auth *a = ask->a;
    for (size_t i = 0; i < a->verifier_count; i++) {
        const struct gw_verifier *v = &a->verifiers[i];
        enum gw_verdict verdict = v->verify(v->ctx, token, ask->now, out, denial);
        if (verdict != GW_VERDICT_UNKNOWN)
            return verdict;
    }
    *denial = (struct gw_denial){.why = "a token of no issuer that is known here"};
    return GW_VERDICT_REFUSED;
}

/* GOOD: *out is there. */
static enum gw_verdict verify(const struct gw_asking *ask, struct sl_span token,
                              struct gw_claims *out, struct gw_denial *denial)
{
    struct gw_auth *a = ask->a;
    uint8_t digest[GW_CLAIMS_DIGEST_BYTES];
    *denial = (struct gw_denial){.why = "no memory for a hash"};
    if (gw_digest_sha256(a->digest, token, digest) != SL_OK)
        return GW_VERDICT_REFUSED;
    const struct gw_claims *kept = gw_claims_cache_find(a->cache, digest, ask->now);
    if (kept != NULL) {
        sl_metric_add(a->metrics.cached, 1);
        *out = *kept;
        return GW_VERDICT_GOOD;
    }
    *out = (struct gw_claims){.expires_at = 0};
    enum gw_verdict verdict = ask_verifiers(ask, token, out, denial);
    if (verdict == GW_VERDICT_GOOD)
        gw_claims_cache_put(a->cache, digest, out, ask->now);
    return verdict;
}

static enum gw_identity_answer refuse_bearer(const struct gw_asking *ask,
                                             const struct gw_denial *denial)
{
    return gw_auth_refuse_token(ask, denial->why);
}

/* KNOWN: *out is there. What is not good is told by refuse: it is the caller's token, or his visitor's. */
static enum gw_identity_answer read_claims(
    const struct gw_asking *ask, struct sl_span token,
    enum gw_identity_answer (*refuse)(const struct gw_asking *, const struct gw_denial *),
    struct gw_claims *out)
{
    struct gw_denial denial;
    switch (verify(ask, token, out, &denial)) {
    case GW_VERDICT_GOOD:
        return GW_IDENTITY_KNOWN;
    case GW_VERDICT_LATER:
        return GW_IDENTITY_LATER;
    case GW_VERDICT_UNAVAILABLE:
        return gw_auth_refuse_unavailable(ask, denial.why);
    default:
        return refuse(ask, &denial);
    }
}

/* The higher of the bearer's own and his organisation's. -1: a tier that the configuration does not have. */
static int tier_of_claims(const struct gw_auth *a, const struct gw_claims *claims)
{
    const struct gw_tiers *tiers = a->conf.tiers;
    int own =
        claims->tier[0] == '\0' ? a->conf.signed_in_tier : gw_tiers_index(tiers, claims->tier);
    if (claims->organisation_tier[0] == '\0')
        return own;
    int member = gw_tiers_index(tiers, claims->organisation_tier);
    return own < 0 || member < 0 ? -1 : gw_tiers_higher(tiers, (uint16_t)own, (uint16_t)member);
}

static enum gw_identity_answer identify_signed_token(const struct gw_asking *ask,
                                                     struct sl_span token, struct gw_principal *out)
{
    struct gw_claims claims;
    enum gw_identity_answer answer = read_claims(ask, token, refuse_bearer, &claims);
    if (answer != GW_IDENTITY_KNOWN)
        return answer;
    if (claims.app[0] != '\0')
        return gw_auth_refuse_token(ask, "a visitor's token, which only its app may hand on");
    int tier = tier_of_claims(ask->a, &claims);
    if (tier < 0)
        return gw_auth_refuse_token(ask, "its tier is none of the configuration");
    gw_identity_of_account(sl_span_str(claims.account), GW_PRINCIPAL_USER, (uint16_t)tier, out);
    out->is_signed_in = true;
    memcpy(out->organisation, claims.organisation, sizeof out->organisation);
    return GW_IDENTITY_KNOWN;
}

/* ---- an app's visitor */

static enum gw_identity_answer deny_visitor(const struct gw_asking *ask, const char *why)
{
    struct gw_denial denial = {.told = ""};
    strncat(denial.why, why, GW_DENIAL_MAX);
    return gw_auth_refuse_visitor(ask, &denial);
}

/* The visitor pays; the app is who called. */
static enum gw_identity_answer become_visitor(const struct gw_asking *ask,
                                              const struct gw_claims *claims,
                                              struct gw_principal *caller)
{
    const struct gw_auth *a = ask->a;
    struct gw_principal visitor;
    int tier = tier_of_claims(a, claims);
    bool is_app_s = claims->app[0] != '\0';
    if (tier < 0)
        return deny_visitor(ask, "its tier is none of the configuration");
    if (is_app_s)
        tier = gw_tiers_lower(a->conf.tiers, (uint16_t)tier, gw_auth_visitor_tier(a, caller->app));
    gw_identity_of_account(sl_span_str(claims->account), GW_PRINCIPAL_VISITOR, (uint16_t)tier,
                           &visitor);
    visitor.is_signed_in = !is_app_s;
    memcpy(visitor.app, caller->app, sizeof visitor.app);
    memcpy(visitor.organisation, claims->organisation, sizeof visitor.organisation);
    *caller = visitor;
    return GW_IDENTITY_KNOWN;
}

static enum gw_identity_answer identify_visitor(const struct gw_asking *ask,
                                                struct gw_principal *caller)
{
    struct gw_claims claims;
    struct sl_span token = ask->c->x_ip_token;
    struct gw_asking of_app = *ask;
    if (caller->app[0] == '\0')
        return gw_auth_refuse_untrusted(ask,
                                        "x-ip-token is for registered apps alone; this caller's "
                                        "token is not an app's");
    of_app.app = caller->app;
    if (token.len > GW_AUTH_TOKEN_MAX)
        return deny_visitor(&of_app, "a visitor's token of more than 8192 bytes");
    enum gw_identity_answer answer = read_claims(&of_app, token, gw_auth_refuse_visitor, &claims);
    if (answer != GW_IDENTITY_KNOWN)
        return answer;
    if (claims.app[0] != '\0' && strcmp(claims.app, caller->app) != 0)
        return deny_visitor(&of_app, "a visitor's token that was issued to another app");
    return become_visitor(&of_app, &claims, caller);
}

/* ---- with a token, without one */

/* "Bearer", in any case, and after at least one space a token without any. */
static bool read_bearer(struct sl_span header, struct sl_span *out)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof scheme - 1;
    if (header.len <= len || strncasecmp((const char *)header.data, scheme, len) != 0)
        return false;
    *out = sl_span_of(header.data + len, header.len - len);
    while (out->len > 0 && out->data[0] == ' ')
        *out = sl_span_of(out->data + 1, out->len - 1);
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    return out->len > 0 && memchr(out->data, ' ', out->len) == NULL;
}

static enum gw_identity_answer identify_token(const struct gw_asking *ask, struct gw_principal *out)
{
    struct sl_span token;
    if (!read_bearer(ask->c->authorization, &token))
        return gw_auth_refuse_token(ask, "its header is not 'Bearer TOKEN'");
    if (token.len > GW_AUTH_TOKEN_MAX)
        return gw_auth_refuse_token(ask, "a token of more than 8192 bytes");
    enum gw_identity_answer caller = gw_token_is_ours(token)
                                         ? identify_api_token(ask, token, out)
                                         : identify_signed_token(ask, token, out);
    if (caller != GW_IDENTITY_KNOWN || ask->c->x_ip_token.data == NULL)
        return caller;
    return identify_visitor(ask, out);
}

static uint16_t tier_of_address(const struct gw_asking *ask)
{
    const struct gw_auth_conf *conf = &ask->a->conf;
    return gw_networks_value(&conf->networks, &ask->from, conf->anonymous_tier);
}

/* A cookie that is not good is none: it is no claim to be somebody, and its owner may not know of it. */
static bool has_cookie(const struct gw_asking *ask, struct gw_cookie *out)
{
    struct sl_span text = ask->c->cookie;
    return text.data != NULL && gw_cookie_parse(text, out) &&
           gw_cookie_ring_is_good(gw_cookie_keys_ring(ask->a->cookies), out, ask->now);
}

static enum gw_identity_answer identify_anonymous(const struct gw_asking *ask,
                                                  struct gw_principal *out)
{
    const struct gw_auth_conf *conf = &ask->a->conf;
    struct gw_cookie cookie;
    if (!conf->serves_anonymous)
        return gw_auth_refuse_anonymous(ask);
    if (has_cookie(ask, &cookie))
        gw_identity_of_cookie(cookie.id, &ask->from, conf->cookies_per_address,
                              tier_of_address(ask), out);
    else
        gw_identity_of_address(&ask->from, tier_of_address(ask), out);
    return GW_IDENTITY_KNOWN;
}

static bool may_carry_tokens(const struct gw_asking *ask)
{
    const struct gw_origin *o = &ask->c->origin;
    return o->is_tls || o->is_local || ask->a->conf.allows_plaintext_tokens;
}

static enum gw_identity_answer identify(const struct gw_asking *ask, struct gw_principal *out)
{
    bool has_token = ask->c->authorization.data != NULL;
    if (!has_token && ask->c->x_ip_token.data == NULL)
        return identify_anonymous(ask, out);
    if (!may_carry_tokens(ask))
        return gw_auth_refuse_plaintext(ask);
    if (!has_token)
        return gw_auth_refuse_untrusted(ask,
                                        "x-ip-token is for registered apps alone, which call with "
                                        "a token of their own as authorization");
    return identify_token(ask, out);
}

static void note_known(const struct gw_asking *ask, const struct gw_principal *who)
{
    char from[GW_ADDRESS_TEXT_MAX + 1];
    sl_metric_add(ask->a->metrics.known[who->kind], 1);
    if (!sl_log_is_on(SL_LOG_DEBUG))
        return;
    gw_address_format(&ask->from, from);
    sl_log(SL_LOG_DEBUG, "caller known", SL_S("from", from),
           SL_S("account", gw_principal_name(who)),
           SL_S("tier", ask->a->conf.tiers->tiers[who->tier].name),
           SL_S("organisation", who->organisation), SL_S("app", who->app));
}

enum gw_identity_answer gw_auth_identify(struct gw_auth *a, const struct gw_credentials *c,
                                         sl_wall_us now, struct gw_principal *out,
                                         struct sl_error *err)
{
    const struct gw_asking ask = {
        .a = a,
        .c = c,
        .from = gw_forwarded_for(&c->origin.address, c->forwarded, &a->conf.trusted_proxies),
        .now = now,
        .err = err,
    };
    enum gw_identity_answer answer = identify(&ask, out);
    if (answer == GW_IDENTITY_KNOWN)
        note_known(&ask, out);
    else if (answer == GW_IDENTITY_LATER)
        sl_metric_add(a->metrics.later, 1);
    return answer;
}
