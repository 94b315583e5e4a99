#include "gw_server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#include "gw_certs.h"
#include "gw_conf_tiers.h"
#include "gw_front.h"
#include "gw_gatekeeper.h"
#include "gw_hold.h"
#include "gw_http.h"
#include "gw_idle.h"
#include "gw_keep.h"
#include "gw_link.h"
#include "gw_metrics.h"
#include "gw_past.h"
#include "gw_results.h"
#include "gw_trust.h"
#include "gw_wire.h"
#include "gw_wire_admin.h"
#include "sl_daemon.h"
#include "sl_heap.h"
#include "sl_shm_peer.h"
#include "sl_shm_pool.h"

enum { ROUNDS_PER_TURN = 4, EXCHANGES_KEPT = 4096 };

static const int64_t bodies_idle_ns = 10 * SL_NS_PER_S;

/* LEAVING: health says so already, and everything is served still. */
enum phase { SERVING, LEAVING, DRAINING, STOPPING, STOPPED };

struct front_place {
    struct gw_server *server;
    struct gw_front *front;
    uv_async_t mail; /* wakes the loop */
    atomic_bool is_drained, is_stopped;
};

struct gw_server {
    struct gw_conf conf;    /* a copy; its strings are the caller's, or reread's */
    struct sl_conf *reread; /* the owner of conf.tls's strings after a reload */
    struct gw_certs certs;
    struct gw_server_options options;
    const struct sl_clock *clock;
    struct gw_metrics metrics;
    uv_loop_t loop;
    uv_check_t check;
    uv_timer_t timer;
    uv_async_t keys; /* keys of an issuer of tokens have come, or not */
    uv_poll_t link_polls[GW_LINK_FDS];
    uv_signal_t signals[3];
    bool has_loop;
    struct sl_shm_pool *bodies; /* large requests; NULL: on the heap */
    struct gw_tiers tiers; /* of the configuration, and those that it had before; one for all */
    struct gw_gatekeeper gatekeeper;
    struct gw_link *link;
    struct gw_flow *flow;
    struct gw_http *http;
    struct front_place *fronts;
    size_t front_count;
    atomic_bool is_ready;
    enum phase phase;
    sl_mono_ns leave_until; /* when LEAVING */
    sl_mono_ns drain_until; /* when DRAINING */
    sl_mono_ns trim_at;
    struct gw_idle idle;
    struct gw_hold hold;
    struct gw_keep keep;
    struct gw_results results;
    sl_mono_ns now; /* of this turn */
};

/* ---- the end */

static bool is_over(const struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (!s->fronts[i].is_drained)
            return false;
    return gw_flow_is_empty(s->flow) && gw_flow_is_settled(s->flow);
}

static void begin_drain(struct gw_server *s)
{
    s->phase = DRAINING;
    s->drain_until = sl_sat_add(sl_clock_mono(s->clock), s->conf.drain_timeout_ns);
    sl_log(SL_LOG_INFO, "draining", SL_U("exchanges", gw_flow_exchanges(s->flow)));
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_drain(s->fronts[i].front);
}

/* Who asks health may see it before connections are told to go. */
static void leave(struct gw_server *s)
{
    gw_flow_drain(s->flow);
    if (s->conf.drain_notice_ns == 0) {
        begin_drain(s);
        return;
    }
    s->phase = LEAVING;
    s->leave_until = sl_sat_add(sl_clock_mono(s->clock), s->conf.drain_notice_ns);
    sl_log(SL_LOG_INFO, "not ready any more, draining soon",
           SL_I("in_ms", s->conf.drain_notice_ns / SL_NS_PER_MS));
}

/* Calls that are left get their reply before their connections are closed. */
static void begin_stop(struct gw_server *s)
{
    s->phase = STOPPING;
    gw_flow_refuse(s->flow);
    gw_flow_end_all(s->flow, s->now);
    gw_keep_close(&s->keep); /* replies wait for what it stores */
    gw_link_flush(s->link, s->now);
    for (size_t i = 0; i < s->front_count; i++) {
        gw_front_flush(s->fronts[i].front);
        gw_front_stop(s->fronts[i].front);
    }
}

static void advance_phase(struct gw_server *s)
{
    if (s->phase == LEAVING && s->now >= s->leave_until)
        begin_drain(s);
    if (s->phase != DRAINING)
        return;
    if (is_over(s)) {
        sl_log(SL_LOG_INFO, "drained");
        begin_stop(s);
    } else if (s->now >= s->drain_until) {
        sl_log(SL_LOG_WARN, "drain timed out", SL_U("exchanges", gw_flow_exchanges(s->flow)));
        begin_stop(s);
    }
}

static void on_drained(void *ctx, struct gw_front *f)
{
    struct front_place *place = ctx;
    (void)f;
    atomic_store(&place->is_drained, true);
    uv_async_send(&place->mail);
}

static void on_stopped(void *ctx, struct gw_front *f)
{
    struct front_place *place = ctx;
    (void)f;
    atomic_store(&place->is_stopped, true);
    uv_async_send(&place->mail);
}

static void close_handle(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

/* All fronts have stopped, and nothing is being written: nothing is left that could want a turn. */
static void end_loop_if_stopped(struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (!atomic_load(&s->fronts[i].is_stopped))
            return;
    if (s->phase == STOPPING && gw_results_is_idle(&s->results)) {
        s->phase = STOPPED;
        uv_stop(&s->loop);
    }
}

/* ---- a turn of the loop */

static void take_mail(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct gw_server *s = ctx;
    gw_flow_on_exchange(s->flow, x, events, s->now);
}

static void on_digest(void *ctx, uint64_t ticket, sl_status outcome,
                      const uint8_t digest[GW_IDEM_DIGEST_BYTES])
{
    struct gw_server *s = ctx;
    gw_flow_on_digest(s->flow, ticket, outcome, digest, s->now);
}

static void on_spooled(void *ctx, void *user, sl_status outcome)
{
    struct gw_server *s = ctx;
    gw_flow_on_spooled(s->flow, user, outcome);
}

static void on_fetched(void *ctx, void *user, sl_status outcome)
{
    struct gw_server *s = ctx;
    gw_flow_on_fetched(s->flow, user, outcome);
}

/* What has come is told to the flow, the flow decides, and what it said is sent. */
static void round_trip(struct gw_server *s)
{
    s->now = sl_clock_mono(s->clock);
    sl_wall_us wall_now = sl_clock_wall(s->clock);
    gw_flow_set_wall(s->flow, wall_now);
    if (gw_gatekeeper_turn(&s->gatekeeper, s->now, wall_now))
        gw_flow_on_identities(s->flow, s->now);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_take(s->fronts[i].front, take_mail, s);
    gw_keep_take(&s->keep);
    gw_results_take(&s->results,
                    &(struct gw_results_listener){s, on_digest, on_spooled, on_fetched});
    gw_link_read(s->link, s->now);
    gw_link_tick(s->link, s->now);
    gw_hold_turn(&s->hold, s->flow, s->now);
    gw_flow_turn(s->flow, s->now);
    gw_keep_flush(&s->keep);
    gw_link_flush(s->link, s->now);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_flush(s->fronts[i].front);
}

static void on_timer(uv_timer_t *t);

static void trim_heap(struct gw_server *s)
{
    const struct gw_net_metrics *net = &s->metrics.net;
    const struct gw_idle_counts counts = {
        .closed = sl_metric_value(net->accepted) - sl_metric_value(net->connections),
        .requests = sl_metric_value(net->requests),
        .open_calls = gw_flow_exchanges(s->flow),
    };
    if (!gw_idle_is_due(&s->idle, &counts, s->now))
        return;
    sl_heap_trim();
    sl_log(SL_LOG_DEBUG, "free memory given back",
           SL_U("took_us", (uint64_t)((sl_clock_mono(s->clock) - s->now) / SL_NS_PER_US)));
}

/* What nobody uses any more goes back to the system. */
static void trim(struct gw_server *s)
{
    if (s->now < s->trim_at)
        return;
    s->trim_at = sl_sat_add(s->now, SL_NS_PER_S);
    sl_shm_pool_trim(s->bodies, s->now);
    trim_heap(s);
}

/* Whatever the loop woke for, it comes by here before it sleeps again. */
static void turn(struct gw_server *s)
{
    bool more = true;
    for (int round = 0; more && round < ROUNDS_PER_TURN; round++) {
        round_trip(s);
        more = gw_link_has_mail(s->link);
    }
    trim(s);
    advance_phase(s);
    atomic_store_explicit(&s->is_ready, gw_flow_is_ready(s->flow), memory_order_relaxed);
    end_loop_if_stopped(s);
    sl_mono_ns next = gw_flow_next_at(s->flow), link = gw_link_next_at(s->link);
    next = link < next ? link : next;
    if (s->phase == LEAVING && s->leave_until < next)
        next = s->leave_until;
    if (s->phase == DRAINING && s->drain_until < next)
        next = s->drain_until;
    int64_t wait_ms = more || next <= s->now ? 0 : (next - s->now) / SL_NS_PER_MS + 1;
    uv_timer_start(&s->timer, on_timer, (uint64_t)(wait_ms < 1000 ? wait_ms : 1000), 0);
}

static void on_check(uv_check_t *c)
{
    turn(c->data);
}

static void on_timer(uv_timer_t *t)
{
    turn(t->data);
}

/* Only wakes the loop: on_check does the rest. */
static void on_mail(uv_async_t *a)
{
    (void)a;
}

static void on_link(uv_poll_t *p, int status, int events)
{
    struct gw_server *s = p->data;
    (void)status;
    (void)events;
    gw_link_stir(s->link, (size_t)(p - s->link_polls));
}

/* On the thread that fetches keys. */
static void on_keys(void *ctx)
{
    struct gw_server *s = ctx;
    uv_async_send(&s->keys);
}

static void on_wake(void *ctx, struct gw_front *f)
{
    struct front_place *place = ctx;
    (void)f;
    uv_async_send(&place->mail);
}

/* ---- signals */

static void tell_change(void *ctx, const struct sl_conf_key *key)
{
    (void)ctx;
    if (key->reloadable)
        sl_log(SL_LOG_INFO, "configuration changed", SL_S("key", key->name));
    else
        sl_log(SL_LOG_WARN, "configuration changed, but this key needs a restart",
               SL_S("key", key->name));
}

static void fill_flow_conf(const struct gw_server *s, struct gw_flow_conf *c);
static void fill_front_conf(const struct gw_server *s, struct gw_front_conf *c);

/* A tier that is known keeps its index, for calls and tokens that have it. */
static void renew_tiers(struct gw_server *s, const struct gw_conf *conf)
{
    struct gw_tiers fresh;
    gw_conf_make_tiers(&conf->rates, &fresh);
    if (gw_tiers_renew(&s->tiers, &fresh) != SL_OK)
        sl_log(SL_LOG_ERROR, "tiers not changed: with those of before there are too many names",
               SL_U("limit", GW_TIERS_MAX));
}

/* The parts are told by the same functions as at the start. */
static void take_reloadable(struct gw_server *s, const struct gw_conf *fresh)
{
    struct gw_flow_conf flow;
    struct gw_front_conf front;
    struct gw_tls_conf tls = s->conf.tls; /* taken only with its files */
    sl_conf_diff(gw_conf_table, &s->conf, fresh, tell_change, NULL);
    sl_conf_take_reloadable(gw_conf_table, &s->conf, fresh);
    s->conf.tls = tls;
    sl_log_set_level((enum sl_log_level)s->conf.log_level);
    renew_tiers(s, fresh);
    gw_gatekeeper_reload(&s->gatekeeper, fresh, s->now);
    fill_flow_conf(s, &flow);
    gw_flow_set_limits(s->flow, &flow);
    fill_front_conf(s, &front);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_set_limits(s->fronts[i].front, &front);
}

static bool set_allowed(struct gw_server *s, const struct gw_conf *conf, struct sl_error *err);

/* Files may have changed where the configuration did not. */
static void reload_allowed(struct gw_server *s, const struct gw_conf *fresh)
{
    struct sl_error err;
    if (!set_allowed(s, fresh, &err))
        sl_log(SL_LOG_ERROR, "link.allow not changed, the list before stays in use",
               SL_S("why", err.text));
}

/* Certificates are read again even where nothing in the configuration changed: their files may have. */
static void reload_certs(struct gw_server *s, const struct gw_conf *fresh,
                         struct sl_conf *take_owner)
{
    if (!gw_certs_reload(&s->certs, &fresh->tls)) {
        sl_conf_destroy(take_owner);
        return;
    }
    sl_conf_destroy(s->reread);
    s->reread = take_owner;
    s->conf.tls = fresh->tls;
}

static void reload(struct gw_server *s)
{
    struct gw_conf fresh;
    struct sl_conf *owner;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 65536);
    if (gw_conf_load(s->options.config_path, &fresh, &errors, &owner) == SL_OK) {
        sl_log(SL_LOG_INFO, "configuration read again");
        take_reloadable(s, &fresh);
        reload_allowed(s, &fresh);
        reload_certs(s, &fresh, owner);
    } else {
        sl_status ended = sl_buf_append(&errors, "", 1);
        sl_log(SL_LOG_ERROR, "configuration not changed",
               SL_S("why", ended == SL_OK ? (char *)errors.data : ""));
    }
    sl_buf_finish(&errors);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct gw_server *s = handle->data;
    if (signal == SIGHUP)
        reload(s);
    else if (s->phase == SERVING)
        leave(s);
    else if (s->phase == LEAVING || s->phase == DRAINING)
        begin_stop(s);
}

/* ---- putting together */

static bool fail(struct sl_error *err, const char *what, int uv_error)
{
    sl_error_set(err, SL_REASON_INTERNAL, "%s: %s", what, uv_strerror(uv_error));
    return false;
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

static bool open_certs(struct gw_server *s, struct sl_error *err)
{
    s->certs.expires = s->metrics.certificate_expires;
    s->certs.clock = s->clock;
    return gw_certs_open(&s->certs, &s->conf.tls, err) == SL_OK;
}

/* All is as it was when a key cannot be read. */
static bool set_allowed(struct gw_server *s, const struct gw_conf *conf, struct sl_error *err)
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

static bool open_gate(struct gw_server *s, struct sl_error *err)
{
    const struct gw_gatekeeper_place place = {
        .tiers = &s->tiers, .metrics = &s->metrics.auth, .wake = on_keys, .wake_ctx = s};
    renew_tiers(s, &s->conf);
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

/* Call ids name calls to their owners: nobody should guess the next one. */
static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    ssize_t n = getrandom(&seed, sizeof seed, 0);
    return n == (ssize_t)sizeof seed ? seed : (uint64_t)getpid();
}

/* An executor has noticed after link.lost_after that it must look for another gateway; then it finds it. */
static const int64_t find_again_ns = 2 * SL_NS_PER_S;

static void fill_flow_conf(const struct gw_server *s, struct gw_flow_conf *c)
{
    const struct gw_conf *conf = &s->conf;
    *c = (struct gw_flow_conf){
        .version = SLUICE_VERSION,
        .tiers = &s->tiers,
        .max_accounts = (size_t)conf->accounts_max,
        .logs_calls = conf->log_calls,
        .sign_in_url = conf->auth.anonymous.sign_in_url,
        .max_calls = (size_t)conf->limits.calls,
        .max_queued = (size_t)conf->limits.queue,
        .max_message_bytes = conf->limits.message_bytes,
        .max_body_bytes = conf->limits.body_total_bytes,
        .max_connection_body_bytes = conf->limits.body_connection_bytes,
        .max_result_bytes = conf->limits.result_total_bytes,
        .body_wait_ns = conf->limits.body_wait_ns,
        .identity_wait_ns = conf->auth.keys_wait_ns,
        .asks = {.max_duration_us = conf->calls.max_duration_ns / SL_NS_PER_US,
                 .max_wait_default_ns = conf->calls.max_wait_ns,
                 .max_wait_limit_ns = conf->calls.max_wait_limit_ns},
        .results = {.max_entries = (size_t)conf->results.entries_max,
                    .keep_ns = conf->results.keep_ns,
                    .in_memory = {.one_bytes = conf->results.one_bytes,
                                  .visitor_bytes = conf->results.visitor_bytes,
                                  .total_bytes = conf->results.total_bytes},
                    .on_disk = {.one_bytes = conf->results.disk_visitor_bytes,
                                .visitor_bytes = conf->results.disk_visitor_bytes,
                                .total_bytes = conf->results.disk_total_bytes}},
        .background_grace_ns = conf->calls.background_grace_ns,
        .fleet = {.max_nodes = (size_t)conf->limits.nodes,
                  .max_models = (size_t)conf->limits.models,
                  .max_leases = (size_t)conf->limits.calls,
                  .feed_ahead_us = conf->link.feed_ahead_ns / SL_NS_PER_US,
                  .feed_ahead_max = (uint32_t)conf->link.feed_ahead_calls},
        .bodies = s->bodies,
        .seed = random_seed(),
        .started_at = sl_clock_mono(s->clock),
        .models_wait_ns = sl_sat_add(conf->link.lost_after_ns, find_again_ns),
    };
}

static bool create_flow(struct gw_server *s, struct sl_error *err)
{
    struct gw_flow_conf c;
    fill_flow_conf(s, &c);
    struct gw_ports ports = {.net = {.ctx = s, .post = post, .connections = connections},
                             .auth = gw_gatekeeper_port(&s->gatekeeper),
                             .link = gw_link_port(s->link),
                             .wire = gw_wire_port,
                             .answers = gw_wire_answers,
                             .store = gw_keep_port(&s->keep, &s->conf),
                             .results = gw_results_port(&s->results)};
    if (gw_flow_create(&sl_alloc_malloc, &c, &s->metrics.flow, &ports, &s->flow) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for the flow");
        return false;
    }
    gw_link_attach(s->link, s->flow);
    return set_allowed(s, &s->conf, err);
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

/* One front's part of what the gateway may have. */
static size_t share(const struct gw_server *s, int64_t of_all)
{
    size_t part = (size_t)of_all / s->front_count;
    return part > 0 ? part : 1;
}

static void fill_front_conf(const struct gw_server *s, struct gw_front_conf *c)
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

static bool create_front(struct gw_server *s, size_t i, const char *host, uint16_t *port,
                         struct sl_error *err)
{
    struct front_place *place = &s->fronts[i];
    struct gw_front_conf c;
    struct gw_front_port p = {
        .wake = on_wake, .drained = on_drained, .stopped = on_stopped, .ctx = place};
    fill_front_conf(s, &c);
    c.address = host;
    c.port = *port;
    c.index = (unsigned)i;
    place->server = s;
    int rc = uv_async_init(&s->loop, &place->mail, on_mail);
    if (rc != 0)
        return fail(err, "cannot wake the loop", rc);
    uv_loop_t *loop = s->conf.net_threads == 0 ? &s->loop : NULL;
    if (gw_front_create(&c, &p, loop, err, &place->front) != SL_OK)
        return false;
    *port = gw_front_bound_port(place->front);
    return true;
}

static bool create_fronts(struct gw_server *s, uint16_t *out_port, struct sl_error *err)
{
    char host[256];
    size_t count = s->conf.net_threads == 0 ? 1 : (size_t)s->conf.net_threads;
    s->fronts = calloc(count, sizeof *s->fronts);
    if (s->fronts == NULL) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for %zu net threads", count);
        return false;
    }
    if (!gw_conf_split_address(s->conf.listen_grpc, host, sizeof host, out_port))
        return false; /* gw_conf_load has checked it */
    s->front_count = count;
    for (size_t i = 0; i < count; i++)
        if (!create_front(s, i, host, out_port, err)) {
            s->front_count = i + 1;
            return false;
        }
    return true;
}

static bool is_ready(void *ctx)
{
    struct gw_server *s = ctx;
    return atomic_load_explicit(&s->is_ready, memory_order_relaxed);
}

static sl_status copy_jwks(void *ctx, struct sl_buf *out)
{
    struct gw_server *s = ctx;
    return gw_sign_copy_jwks(s->gatekeeper.verifiers.sign, out);
}

static bool create_http(struct gw_server *s, uint16_t *out_port, struct sl_error *err)
{
    char host[256];
    if (!gw_conf_split_address(s->conf.listen_http, host, sizeof host, out_port))
        return false;
    struct gw_http_conf c;
    gw_http_conf_defaults(&c);
    c.address = host;
    c.port = *out_port;
    struct gw_http_port p = {
        .is_ready = is_ready, .copy_jwks = copy_jwks, .ctx = s, .metrics = s->metrics.registry};
    if (gw_http_create(&c, &p, err, &s->http) != SL_OK)
        return false;
    *out_port = gw_http_bound_port(s->http);
    return true;
}

static bool watch_link(struct gw_server *s, struct sl_error *err)
{
    int fds[GW_LINK_FDS];
    gw_link_fds(s->link, fds);
    for (size_t i = 0; i < GW_LINK_FDS; i++) {
        int rc = uv_poll_init(&s->loop, &s->link_polls[i], fds[i]);
        s->link_polls[i].data = s;
        if (rc == 0)
            rc = uv_poll_start(&s->link_polls[i], UV_READABLE, on_link);
        if (rc != 0)
            return fail(err, "cannot watch the link", rc);
    }
    return true;
}

static bool watch_signals(struct gw_server *s, struct sl_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++) {
        int rc = uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        if (rc == 0)
            rc = uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        if (rc != 0)
            return fail(err, "cannot watch signals", rc);
    }
    return true;
}

static bool create_loop(struct gw_server *s, struct sl_error *err)
{
    int rc = uv_loop_init(&s->loop);
    if (rc != 0)
        return fail(err, "cannot create the loop", rc);
    s->has_loop = true;
    uv_check_init(&s->loop, &s->check);
    uv_timer_init(&s->loop, &s->timer);
    rc = uv_async_init(&s->loop, &s->keys, on_mail);
    if (rc != 0)
        return fail(err, "cannot create the loop", rc);
    s->check.data = s->timer.data = s;
    return true;
}

static void announce(const struct gw_server *s, uint16_t grpc_port, uint16_t http_port)
{
    char grpc[256], http[256], line[640];
    uint16_t ignored;
    if (!gw_conf_split_address(s->conf.listen_grpc, grpc, sizeof grpc, &ignored) ||
        !gw_conf_split_address(s->conf.listen_http, http, sizeof http, &ignored))
        return;
    int n = snprintf(line, sizeof line, "listening grpc=%s:%u http=%s:%u\n", grpc, grpc_port, http,
                     http_port);
    sl_log(SL_LOG_INFO, "listening", SL_S("grpc", grpc), SL_U("grpc_port", grpc_port),
           SL_S("http", http), SL_U("http_port", http_port),
           SL_S("tls", s->certs.server != NULL ? "on" : "off"),
           SL_S("control", gw_link_control_endpoint(s->link)),
           SL_S("bulk", gw_link_bulk_endpoint(s->link)));
    if (s->options.announce_fd >= 0 && write(s->options.announce_fd, line, (size_t)n) != n)
        sl_log(SL_LOG_WARN, "nobody reads the announcement");
}

static bool create_parts(struct gw_server *s, struct sl_error *err)
{
    uint16_t grpc_port, http_port;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);      /* a limit on the size of files is an error of the write */
    sl_daemon_raise_descriptors(); /* connections need them */
    if (gw_metrics_init(&s->metrics) != SL_OK) {
        sl_error_set(err, SL_REASON_INTERNAL, "no memory for metrics");
        return false;
    }
    if (!open_certs(s, err) || !create_loop(s, err) || !open_gate(s, err) ||
        !create_bodies(s, err) || !create_link(s, err) ||
        gw_results_open(&s->results, &s->loop, s->conf.state, err) != SL_OK ||
        !create_flow(s, err) || !open_keep(s, err) || !create_fronts(s, &grpc_port, err) ||
        !create_http(s, &http_port, err) || !watch_link(s, err) || !watch_signals(s, err))
        return false;
    announce(s, grpc_port, http_port);
    return true;
}

sl_status gw_server_create(const struct gw_conf *conf, const struct gw_server_options *options,
                           const struct sl_clock *clock, struct gw_server **out,
                           struct sl_error *err)
{
    struct gw_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SL_ENOMEM;
    s->conf = *conf;
    s->options = *options;
    s->clock = clock;
    if (!create_parts(s, err)) {
        gw_server_destroy(s);
        return SL_EIO;
    }
    *out = s;
    return SL_OK;
}

static void start_hold(struct gw_server *s)
{
    bool is_local = strncmp(gw_link_control_endpoint(s->link), "ipc://", 6) == 0;
    if (s->conf.placement.short_calls == GW_PLACEMENT_TOGETHER)
        gw_hold_start(&s->hold, s->conf.placement.watch_ns, is_local, &s->metrics.hold);
}

void gw_server_run(struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (gw_front_start(s->fronts[i].front) != SL_OK)
            sl_log(SL_LOG_ERROR, "a net thread cannot start", SL_U("index", i));
    uv_check_start(&s->check, on_check); /* no turn before everything stands */
    start_hold(s);
    turn(s);
    while (uv_run(&s->loop, UV_RUN_ONCE) != 0 && s->phase != STOPPED)
        gw_hold_watch(&s->hold, &s->loop, s->clock);
}

/* Fronts first: theirs are handles on the loop and exchanges in the flow. The HTTP thread reads metrics. */
void gw_server_destroy(struct gw_server *s)
{
    if (s == NULL)
        return;
    gw_hold_finish(&s->hold);
    gw_http_destroy(s->http);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_destroy(s->fronts[i].front);
    gw_keep_close(&s->keep);
    gw_flow_destroy(s->flow);
    gw_gatekeeper_close(&s->gatekeeper); /* its thread wakes the loop */
    if (s->has_loop) {
        uv_walk(&s->loop, close_handle, NULL);
        uv_run(&s->loop, UV_RUN_DEFAULT);
        uv_loop_close(&s->loop);
    }
    gw_results_close(&s->results);
    gw_link_destroy(s->link);
    sl_shm_pool_destroy(s->bodies);
    gw_certs_close(&s->certs);
    sl_conf_destroy(s->reread);
    gw_metrics_finish(&s->metrics);
    free(s->fronts);
    free(s);
}
