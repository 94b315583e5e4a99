/* gw_server_conf.c - what the configuration means to the parts, at the start and when it is read
 * again. */
#include <sys/random.h>
#include <unistd.h>

#include "gw_conf_flow.h"
#include "gw_conf_tiers.h"
#include "gw_server_int.h"
#include "gw_trust.h"

enum { EXCHANGES_KEPT = 4096 };

/* A tier that is known keeps its index, for calls and tokens that have it. */
void gw_server_renew_tiers(struct gw_server *s, const struct gw_conf *conf)
{
    struct gw_tiers fresh;
    gw_conf_make_tiers(&conf->rates, &fresh);
    if (gw_tiers_renew(&s->tiers, &fresh) != SL_OK)
        sl_log(SL_LOG_ERROR, "tiers not changed: with those of before there are too many names",
               SL_U("limit", GW_TIERS_MAX));
}

/* All is as it was when a key cannot be read. */
bool gw_server_set_allowed(struct gw_server *s, const struct gw_conf *conf, struct sl_error *err)
{
    struct gw_trust trust;
    if (gw_trust_read_allowed(conf, &trust, err) != SL_OK)
        return false;
    sl_status st = gw_link_set_allowed(s->link, trust.nodes, trust.count, sl_clock_mono(s->clock));
    if (st != SL_OK)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for %zu keys", trust.count);
    else if (s->conf.link.security == SL_LINK_CURVE)
        sl_log(trust.count > 0 ? SL_LOG_INFO : SL_LOG_WARN,
               trust.count > 0 ? "nodes may connect" : "link.allow is empty: no node may connect",
               SL_U("nodes", trust.count));
    gw_trust_finish(&trust);
    return st == SL_OK;
}

/* Call ids name calls to their owners: nobody should guess the next one. */
static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    ssize_t n = getrandom(&seed, sizeof seed, 0);
    return n == (ssize_t)sizeof seed ? seed : (uint64_t)getpid();
}

void gw_server_fill_flow_conf(const struct gw_server *s, struct gw_flow_conf *c)
{
    gw_conf_fill_flow(&s->conf, &s->tiers, c);
    c->version = SLUICE_VERSION;
    c->bodies = s->bodies;
    c->seed = random_seed();
    c->started_at = sl_clock_mono(s->clock);
}

/* One front's part of what the gateway may have. */
static size_t share(const struct gw_server *s, int64_t of_all)
{
    size_t part = (size_t)of_all / s->front_count;
    return part > 0 ? part : 1;
}

void gw_server_fill_front_conf(const struct gw_server *s, struct gw_front_conf *c)
{
    gw_front_conf_defaults(c);
    c->max_connections = share(s, s->conf.limits.connections);
    c->max_streams = (uint32_t)s->conf.limits.streams;
    c->max_message_bytes = s->conf.limits.message_bytes;
    c->header_bytes_max = s->conf.limits.header_bytes;
    c->outbound_max_bytes = s->conf.limits.outbound_bytes;
    c->exchanges_kept = EXCHANGES_KEPT;
    c->held_bytes_max = share(s, (int64_t)s->conf.limits.body_early_bytes);
    c->times = (struct gw_conn_times){
        .handshakes_max = share(s, s->conf.limits.handshakes),
        .handshake_ns = s->conf.limits.handshake_ns,
        .idle_ns = s->conf.limits.idle_ns,
        .keepalive_ns = s->conf.keepalive.time_ns,
        .keepalive_timeout_ns = s->conf.keepalive.timeout_ns,
        .age_ns = s->conf.limits.connection_age_ns,
        .age_grace_ns = s->conf.limits.connection_age_grace_ns,
    };
    c->stall_timeout_ns = s->conf.limits.stall_ns;
    c->bodies = s->bodies;
    c->min_rate_bytes = s->conf.limits.min_rate_bytes;
    c->pings = (struct gw_h2_ping_rule){
        .min_time_ns = s->conf.keepalive.min_time_ns,
        .is_without_calls = s->conf.keepalive.without_calls,
    };
    c->tls = s->certs.server;
    c->proxies = s->gatekeeper.proxies;
    c->mirrors_encoding = s->conf.compression_responses == GW_COMPRESS_MIRROR;
    c->seed = random_seed();
    c->clock = s->clock;
    c->metrics = &s->metrics.net;
}
