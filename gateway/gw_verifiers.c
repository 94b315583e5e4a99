#include "gw_verifiers.h"

static void on_fetched(void *ctx)
{
    struct gw_verifiers *v = ctx;
    atomic_store(&v->has_fetched, true);
    v->wake(v->wake_ctx);
}

static sl_status start_fetch(void *ctx, uint64_t id, const char *url, const char *ca,
                             int64_t timeout_ns)
{
    struct gw_verifiers *v = ctx;
    sl_status s = v->fetch == NULL ? gw_jwks_fetch_create(on_fetched, v, &v->fetch) : SL_OK;
    if (s != SL_OK)
        return SL_ENOMEM;
    struct gw_fetch_port port = gw_jwks_fetch_port(v->fetch);
    return port.start(port.ctx, id, url, ca, timeout_ns);
}

static struct gw_issuers_conf issuers_conf(const struct gw_conf *conf)
{
    return (struct gw_issuers_conf){conf->issuers.items, conf->issuers.count, conf->jwks};
}

static struct gw_sign_conf sign_conf(const struct gw_conf *conf)
{
    return (struct gw_sign_conf){conf->state, conf->issued.issuer, conf->issued.rotate_ns,
                                 conf->issued.lifetime_ns};
}

sl_status gw_verifiers_check(const struct gw_conf *conf, struct sl_error *error)
{
    const struct gw_issuers_conf issuers = issuers_conf(conf);
    return gw_issuers_check(&issuers, error);
}

sl_status gw_verifiers_open(struct gw_verifiers *v, const struct gw_conf *conf,
                            void (*wake)(void *ctx), void *wake_ctx, sl_mono_ns now,
                            sl_wall_us wall, struct sl_error *error)
{
    const struct gw_fetch_port port = {v, start_fetch};
    const struct gw_issuers_conf issuers = issuers_conf(conf);
    const struct gw_sign_conf sign = sign_conf(conf);
    *v = (struct gw_verifiers){.wake = wake, .wake_ctx = wake_ctx};
    sl_status s = gw_issuers_create(&port, &v->issuers);
    if (s != SL_OK)
        sl_error_set(error, SL_REASON_INTERNAL, "no memory for the issuers");
    if (s == SL_OK)
        s = gw_issuers_load(v->issuers, &issuers, now, error);
    if (s == SL_OK)
        s = gw_sign_create(&sign, wall, &v->sign, error);
    if (s != SL_OK)
        gw_verifiers_close(v);
    return s;
}

void gw_verifiers_close(struct gw_verifiers *v)
{
    gw_jwks_fetch_destroy(v->fetch);
    gw_issuers_destroy(v->issuers);
    gw_sign_destroy(v->sign);
    *v = (struct gw_verifiers){0};
}

sl_status gw_verifiers_reload(struct gw_verifiers *v, const struct gw_conf *conf, sl_mono_ns now,
                              struct sl_error *error)
{
    const struct gw_issuers_conf issuers = issuers_conf(conf);
    const struct gw_sign_conf sign = sign_conf(conf);
    sl_status s = gw_issuers_load(v->issuers, &issuers, now, error);
    if (s == SL_OK)
        gw_sign_configure(v->sign, &sign);
    return s;
}

bool gw_verifiers_turn(struct gw_verifiers *v, sl_mono_ns now, sl_wall_us wall)
{
    struct gw_fetched fetched;
    bool has_news = false;
    if (atomic_exchange(&v->has_fetched, false)) {
        while (gw_jwks_fetch_take(v->fetch, &fetched)) {
            gw_issuers_on_fetched(v->issuers, &fetched, now);
            has_news = true;
        }
    }
    if (now < v->tick_at)
        return has_news;
    v->tick_at = sl_sat_add(now, SL_NS_PER_S);
    gw_issuers_tick(v->issuers, now);
    gw_sign_tick(v->sign, wall);
    return has_news;
}
