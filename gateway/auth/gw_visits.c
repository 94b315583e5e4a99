/* gw_visits.c - a copy of what the flow has decided, and cookies by it. */
#include "gw_visits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_auth.h"
#include "gw_digest.h"
#include "gw_forwarded.h"

struct gw_visits {
    struct gw_visits_metrics metrics;
    pthread_mutex_t lock; /* guards what follows */
    struct gw_tiers tiers;
    struct gw_auth_conf conf; /* its tiers are those above */
    struct gw_cookie_ring ring;
};

sl_status gw_visits_create(const struct gw_visits_metrics *metrics, struct gw_visits **out)
{
    struct gw_visits *v = calloc(1, sizeof *v);
    if (v == NULL)
        return SL_ENOMEM;
    v->metrics = *metrics;
    pthread_mutex_init(&v->lock, NULL);
    *out = v;
    return SL_OK;
}

void gw_visits_destroy(struct gw_visits *v)
{
    if (v == NULL)
        return;
    pthread_mutex_destroy(&v->lock);
    gw_digest_erase(&v->ring, sizeof v->ring);
    free(v);
}

void gw_visits_set(struct gw_visits *v, const struct gw_auth_conf *conf,
                   const struct gw_cookie_ring *ring)
{
    pthread_mutex_lock(&v->lock);
    v->tiers = *conf->tiers;
    v->conf = *conf;
    v->conf.tiers = &v->tiers;
    v->conf.state_dir = NULL; /* not ours to keep */
    v->ring = *ring;
    pthread_mutex_unlock(&v->lock);
}

static sl_status refuse(const struct gw_visits *v, struct sl_error *err)
{
    const char *url = v->conf.sign_in_url;
    sl_error_set(err, SL_REASON_NOT_TRUSTED, "Callers without a token are not served here%s%s.",
                 url[0] != '\0' ? ": sign in at " : "", url);
    return SL_EINVAL;
}

/* Of what came; NULL: nothing that is good. */
static const struct gw_cookie *read_cookie(const struct gw_visits *v, struct sl_span text,
                                           sl_wall_us now, struct gw_cookie *room)
{
    bool is_good = text.data != NULL && gw_cookie_parse(text, room) &&
                   gw_cookie_ring_is_good(&v->ring, room, now);
    return is_good ? room : NULL;
}

static sl_status hand_out(const struct gw_visits *v, const struct gw_cookie *good, sl_wall_us now,
                          struct gw_visit_answer *out, struct sl_error *err)
{
    int64_t issued_s = now / SL_US_PER_S;
    sl_status s = SL_OK;
    if (out->what == GW_VISIT_KEPT)
        issued_s = good->issued_s;
    else
        s = gw_cookie_ring_sign(&v->ring, good != NULL ? good->id_bytes : NULL, now, out->cookie);
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_INTERNAL, "The cookie cannot be signed.");
    out->lifetime_s = v->ring.conf.lifetime_us / SL_US_PER_S;
    out->expires_at = sl_sat_mul(sl_sat_add(issued_s, out->lifetime_s), SL_US_PER_S);
    return s;
}

static sl_status answer(const struct gw_visits *v, const struct gw_visit *visit, sl_wall_us now,
                        struct gw_visit_answer *out, struct sl_error *err)
{
    const struct gw_auth_conf *conf = &v->conf;
    struct gw_cookie room;
    if (!conf->serves_anonymous)
        return refuse(v, err);
    if (v->ring.count == 0) {
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "There is no key to sign cookies with; the gateway's log says why.");
        return SL_ENOENT;
    }
    const struct gw_address from =
        gw_forwarded_for(&visit->peer, visit->forwarded, &conf->trusted_proxies);
    const struct gw_cookie *good = read_cookie(v, visit->cookie, now, &room);
    *out = (struct gw_visit_answer){
        .what = gw_visit_choose(good, v->ring.keys[v->ring.count - 1].number,
                                v->ring.conf.lifetime_us, now),
        .is_secure = gw_networks_find(&conf->trusted_proxies, &visit->peer) != NULL &&
                     gw_visit_is_https(visit->forwarded_proto),
    };
    uint16_t tier = gw_networks_value(&conf->networks, &from, conf->anonymous_tier);
    snprintf(out->tier, sizeof out->tier, "%s", v->tiers.tiers[tier].name);
    return hand_out(v, good, now, out, err);
}

sl_status gw_visits_answer(struct gw_visits *v, const struct gw_visit *visit, sl_wall_us now,
                           struct gw_visit_answer *out, struct sl_error *err)
{
    pthread_mutex_lock(&v->lock);
    sl_status s = answer(v, visit, now, out, err);
    pthread_mutex_unlock(&v->lock);
    if (s == SL_OK)
        sl_metric_add(v->metrics.answered[out->what], 1);
    return s;
}
