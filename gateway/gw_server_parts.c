/* gw_server_parts.c - makes the parts behind the fronts and wires their ports: gatekeeper, memory
 * of requests, link, kept results, flow, store. */
#include <string.h>

#include "gw_duration_lua.h"
#include "gw_past.h"
#include "gw_server_int.h"
#include "gw_trust.h"
#include "gw_wire.h"
#include "gw_wire_admin.h"
#include "sl_shm_peer.h"
#include "sl_shm_pool.h"

static const int64_t bodies_idle_ns = 10 * SL_NS_PER_S;

/* On the thread that fetches keys. */
static void on_keys(void *ctx)
{
    struct gw_server *s = ctx;
    uv_async_send(&s->keys);
}

static bool open_gate(struct gw_server *s, struct sl_error *err)
{
    const struct gw_gatekeeper_place place = {
        .tiers = &s->tiers, .metrics = &s->metrics.auth, .wake = on_keys, .wake_ctx = s};
    gw_server_renew_tiers(s, &s->conf);
    return gw_gatekeeper_open(&s->gatekeeper, &s->conf, &place, sl_clock_mono(s->clock),
                              sl_clock_wall(s->clock), err) == SL_OK;
}

static bool create_bodies(struct gw_server *s, struct sl_error *err)
{
    const struct sl_shm_pool_conf c = {.alloc = &sl_alloc_malloc,
                                       .label = "sluice-request",
                                       .bytes_max = s->conf.link.shared_memory_bytes,
                                       .count_max = SL_SHM_PEER_MAX,
                                       .idle_ns = bodies_idle_ns};
    if (c.bytes_max == 0 || sl_shm_pool_create(&c, &s->bodies) == SL_OK)
        return true;
    sl_error_set(err, SL_REASON_INTERNAL, "no memory for requests");
    return false;
}

static bool create_link(struct gw_server *s, struct sl_error *err)
{
    struct sl_key secret;
    if (gw_trust_read_secret(&s->conf, &secret, err) != SL_OK)
        return false;
    struct gw_link_conf c = {
        .control = s->conf.link.control,
        .bulk = s->conf.link.bulk,
        .secret = s->conf.link.security == SL_LINK_CURVE ? &secret : NULL,
        .bulk_is_plain = s->conf.link.bulk_security == SL_LINK_NONE,
        .max_nodes = (size_t)s->conf.limits.nodes,
        .heartbeat_every_ns = s->conf.link.heartbeat_ns,
        .lost_after_ns = s->conf.link.lost_after_ns,
        .bulk_window_bytes = s->conf.link.bulk_window_bytes,
        .inline_max_bytes = s->conf.link.inline_max_bytes,
        .max_result_bytes = s->conf.link.result_max_bytes,
        .max_unsent_bytes = s->conf.link.unsent_max_bytes,
        .bodies = s->bodies,
    };
    sl_status st = gw_link_create(&sl_alloc_malloc, &c, &s->metrics.link, &s->link, err);
    sl_key_erase(&secret);
    return st == SL_OK;
}

static uint64_t connections(void *ctx)
{
    struct gw_server *s = ctx;
    return (uint64_t)sl_metric_value(s->metrics.net.connections);
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    (void)ctx;
    gw_front_post(x->net_front, x, events);
}

static bool create_flow(struct gw_server *s, struct sl_error *err)
{
    struct gw_flow_conf c;
    gw_server_fill_flow_conf(s, &c);
    struct gw_ports ports = {.net = {.ctx = s, .post = post, .connections = connections},
                             .auth = gw_gatekeeper_port(&s->gatekeeper),
                             .link = gw_link_port(s->link),
                             .wire = gw_wire_port,
                             .answers = gw_wire_answers,
                             .store = gw_keep_port(&s->keep, &s->conf),
                             .results = gw_results_port(&s->results),
                             .durations = &gw_duration_lua};
    if (gw_flow_create(&sl_alloc_malloc, &c, &s->metrics.flow, &ports, &s->flow) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the flow");
        return false;
    }
    gw_link_attach(s->link, s->flow);
    return gw_server_set_allowed(s, &s->conf, err);
}

static void on_stored(void *ctx, uint64_t ticket, sl_status outcome)
{
    struct gw_server *s = ctx;
    gw_flow_on_stored(s->flow, ticket, outcome);
}

static void on_answer(void *ctx, uint64_t ticket, const struct gw_store_answer *a)
{
    struct gw_server *s = ctx;
    gw_flow_on_answer(s->flow, ticket, a);
}

static bool open_keep(struct gw_server *s, struct sl_error *err)
{
    struct gw_past past = {.flow = s->flow,
                           .auth = s->gatekeeper.auth,
                           .now = sl_clock_wall(s->clock),
                           .mono = sl_clock_mono(s->clock),
                           .results_keep_ns = s->conf.results.keep_ns};
    const struct gw_store_loader loader = gw_past_loader(&past);
    s->keep.listener =
        (struct gw_store_listener){.ctx = s, .on_stored = on_stored, .on_answer = on_answer};
    if (gw_keep_open(&s->keep, &s->conf, s->clock, &s->metrics.store, &s->loop, &loader, err) !=
        SL_OK)
        return false;
    if (past.told > 0)
        sl_log(SL_LOG_INFO, "what was stored has been taken up", SL_U("things", past.told),
               SL_U("refused", past.refused));
    return true;
}

bool gw_server_create_parts(struct gw_server *s, struct sl_error *err)
{
    return open_gate(s, err) && create_bodies(s, err) && create_link(s, err) &&
           gw_results_open(&s->results, &s->loop, s->conf.state, err) == SL_OK &&
           create_flow(s, err) && open_keep(s, err);
}
