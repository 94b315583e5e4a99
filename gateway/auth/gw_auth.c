/* gw_auth.c - the parts of identity: made, changed, ended. */
#include "gw_auth_int.h"

#include <stdio.h>
#include <string.h>

#include "gw_token_make.h"
#include "sl_log.h"

static const int64_t key_again_us = 60 * SL_US_PER_S;

static sl_status create_parts(struct gw_auth *a, struct sl_error *err)
{
    const struct gw_auth_conf *c = &a->conf;
    sl_status s = gw_digest_create(&a->digest);
    if (s == SL_OK)
        s = gw_token_table_create(a->alloc, c->tokens_max, &a->tokens);
    if (s == SL_OK)
        s = gw_apps_create(a->alloc, c->apps_max, &a->apps);
    if (s == SL_OK)
        s = gw_claims_cache_create(a->alloc, c->cache_max, c->cache_us, &a->cache);
    if (s == SL_OK)
        s = gw_visits_create(&a->metrics.visits, &a->visits);
    if (s != SL_OK) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for who may call");
        return s;
    }
    return gw_cookie_keys_open(a->state_dir, &c->cookies, &a->cookies, err);
}

/* For the answers of other threads. */
static void publish(struct gw_auth *a)
{
    gw_visits_set(a->visits, &a->conf, gw_cookie_keys_ring(a->cookies));
}

sl_status gw_auth_create(const struct sl_alloc *alloc, const struct gw_auth_conf *conf,
                         const struct gw_auth_metrics *metrics, struct gw_auth **out,
                         struct sl_error *err)
{
    struct gw_auth *a = sl_alloc_zero(alloc, 1, sizeof *a);
    if (a == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for who may call");
        return SL_ENOMEM;
    }
    a->alloc = alloc;
    a->conf = *conf;
    a->metrics = *metrics;
    snprintf(a->state_dir, sizeof a->state_dir, "%s", conf->state_dir);
    a->conf.state_dir = a->state_dir;
    sl_status s = create_parts(a, err);
    if (s != SL_OK) {
        gw_auth_destroy(a);
        return s;
    }
    publish(a);
    *out = a;
    return SL_OK;
}

void gw_auth_destroy(struct gw_auth *a)
{
    if (a == NULL)
        return;
    gw_visits_destroy(a->visits);
    gw_cookie_keys_close(a->cookies);
    gw_claims_cache_destroy(a->cache);
    gw_apps_destroy(a->apps);
    gw_token_table_destroy(a->tokens);
    gw_digest_destroy(a->digest);
    sl_alloc_free(a->alloc, a);
}

void gw_auth_set_conf(struct gw_auth *a, const struct gw_auth_conf *conf)
{
    struct gw_auth_conf was = a->conf;
    a->conf = *conf;
    a->conf.state_dir = a->state_dir;
    a->conf.tokens_max = was.tokens_max;
    a->conf.apps_max = was.apps_max;
    a->conf.cache_max = was.cache_max;
    a->conf.cache_us = was.cache_us;
    gw_cookie_keys_set_conf(a->cookies, &conf->cookies);
    publish(a);
    gw_auth_forget(a);
}

sl_status gw_auth_add_verifier(struct gw_auth *a, const struct gw_verifier *v)
{
    if (a->verifier_count == GW_AUTH_VERIFIERS_MAX)
        return SL_EFULL;
    a->verifiers[a->verifier_count++] = *v;
    return SL_OK;
}

void gw_auth_forget(struct gw_auth *a)
{
    gw_claims_cache_clear(a->cache);
}

struct gw_token_table *gw_auth_tokens(struct gw_auth *a)
{
    return a->tokens;
}

struct gw_apps *gw_auth_apps(struct gw_auth *a)
{
    return a->apps;
}

/* The one before it: its file was removed, or holds another. */
static sl_status drop_admin(struct gw_auth *a)
{
    const struct gw_token_row *r = NULL;
    while ((r = gw_token_table_next(a->tokens, r)) != NULL)
        if (r->is_from_file)
            return gw_token_table_remove(a->tokens, sl_span_str(r->prefix));
    return SL_OK;
}

sl_status gw_auth_load_admin(struct gw_auth *a, const char *tier, bool *made, struct sl_error *err)
{
    struct gw_token_row row = {.user = "admin", .is_admin = true, .is_from_file = true};
    if (a->state_dir[0] == '\0') {
        sl_error_set(err, SL_REASON_INTERNAL, "there is no state directory to keep a token in");
        return SL_EINVAL;
    }
    sl_status s = gw_token_of_admin(a->digest, a->state_dir, &row, made, err);
    if (s != SL_OK)
        return s;
    snprintf(row.tier, sizeof row.tier, "%s", tier);
    s = drop_admin(a);
    if (s == SL_OK)
        s = gw_token_table_add(a->tokens, &row);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "the administrator's token cannot be used: %s",
                     sl_status_text(s));
    return s;
}

sl_status gw_auth_make_token(struct gw_auth *a, char out[GW_TOKEN_LEN + 1],
                             struct gw_token_row *row)
{
    return gw_token_make(a->digest, out, row);
}

/* ---- cookies */

static bool has_just_failed(const struct gw_auth *a, sl_wall_us now)
{
    int64_t ago_us = now - a->cookie_key_failed_at;
    return a->cookie_key_failed_at != 0 && ago_us >= 0 && ago_us < key_again_us;
}

void gw_auth_tick(struct gw_auth *a, sl_wall_us now)
{
    struct sl_error err;
    const struct gw_cookie_ring *ring = gw_cookie_keys_ring(a->cookies);
    if (!a->conf.serves_anonymous || !gw_cookie_ring_is_due(ring, now) || has_just_failed(a, now))
        return;
    if (gw_cookie_keys_add(a->cookies, now, &err) != SL_OK) {
        a->cookie_key_failed_at = now;
        sl_log(SL_LOG_ERROR, "cookies have no new key", SL_S("why", err.text));
        return;
    }
    a->cookie_key_failed_at = 0;
    publish(a);
    sl_log(SL_LOG_INFO, "cookies have a new key",
           SL_U("number", ring->keys[ring->count - 1].number));
}

struct gw_visits *gw_auth_visits(struct gw_auth *a)
{
    return a->visits;
}

uint16_t gw_auth_visitor_tier(const struct gw_auth *a, const char *app)
{
    for (size_t i = 0; i < a->conf.app_tier_count; i++)
        if (strcmp(a->conf.app_tiers[i].app, app) == 0)
            return a->conf.app_tiers[i].tier;
    return a->conf.visitor_tier;
}
