#include "gw_issuer_keys.h"

#include <stdio.h>

void gw_issuer_keys_init(struct gw_issuer_keys *k, sl_mono_ns now)
{
    *k = (struct gw_issuer_keys){.may_fetch_at = now};
}

void gw_issuer_keys_finish(struct gw_issuer_keys *k)
{
    gw_jwks_destroy(k->keys);
    k->keys = NULL;
}

bool gw_issuer_keys_is_due(struct gw_issuer_keys *k, bool for_unknown, sl_mono_ns now)
{
    if (k->keys != NULL && now >= k->dead_at)
        gw_issuer_keys_finish(k);
    if (k->is_fetching || now < k->may_fetch_at)
        return false;
    return for_unknown || k->keys == NULL || now >= k->stale_at;
}

void gw_issuer_keys_on_start(struct gw_issuer_keys *k, bool has_begun, const struct gw_jwks_conf *c,
                             sl_mono_ns now)
{
    k->is_fetching = has_begun;
    k->may_fetch_at = sl_sat_add(now, c->interval_ns);
    if (!has_begun)
        snprintf(k->why, sizeof k->why, "too many fetches are under way, or there is no memory");
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

void gw_issuer_keys_on_fetched(struct gw_issuer_keys *k, const struct gw_fetched *fetched,
                               const struct gw_jwks_conf *c, sl_mono_ns now)
{
    int64_t max_age_ns = fetched->max_age_ns < 0 ? c->max_age_ns : fetched->max_age_ns;
    k->is_fetching = false;
    snprintf(k->why, sizeof k->why, "%s", fetched->why);
    if (fetched->keys == NULL)
        return;
    gw_jwks_destroy(k->keys);
    k->keys = fetched->keys;
    k->stale_at = sl_sat_add(now, within(max_age_ns, c->interval_ns, c->max_age_ns));
    k->dead_at = sl_sat_add(now, c->keep_ns);
}
