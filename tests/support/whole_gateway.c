/* whole_gateway.c - the gateway's parts in one thread: mail is taken as soon as it is posted. */
#include "whole_gateway.h"

#include "gw_duration_lua.h"
#include "gw_ledger.h"
#include "gw_wire.h"
#include "gw_wire_admin.h"
#include "plain_results.h"
#include "whole_node.h"

static const struct gw_h2_peer peer = {.text = "192.0.2.1:5"};

/* As in gw_front: flow has had its last word, the exchange comes home. */
enum { TO_NET_HOME = 1 << 8 };
enum { BODIES_MAX_BYTES = 4 << 20, BODIES_MAX_COUNT = 8 };

void whole_gateway_init(struct whole_gateway *w, const struct sl_alloc *alloc, sl_mono_ns now)
{
    *w = (struct whole_gateway){.alloc = alloc, .now = now};
    w->h2_conf = (struct gw_h2_conf){
        .max_streams = 10,
        .max_message_bytes = 1 << 20,
        .header_bytes_max = 4096,
        .held_bytes_max = 256 * 1024,
        .outbound_max_bytes = 32 * 1024,
        .pace = {.interval_ns = 30 * SL_NS_PER_S},
        .mirrors_encoding = true,
    };
    w->flow_conf = (struct gw_flow_conf){
        .version = "test",
        .tiers = &open_tiers,
        .max_accounts = 100,
        .max_calls = 16,
        .queue = {.max_queued = 8,
                  .max_queued_of_tier = 8,
                  .max_app_running = 4,
                  .patience_us = 30 * SL_US_PER_S},
        .max_watches = 4,
        .max_visitor_watches = 4,
        .max_message_bytes = 1 << 20,
        .max_body_bytes = 2 << 20,
        .body_wait_ns = 5 * SL_NS_PER_S,
        .asks = {.max_duration_us = 300 * SL_US_PER_S,
                 .max_wait_default_ns = 60 * SL_NS_PER_S,
                 .max_wait_limit_ns = 600 * SL_NS_PER_S},
        .results = plain_results_conf,
        .fleet = {.max_nodes = 4,
                  .max_models = 16,
                  .max_leases = 32,
                  .feed_ahead_us = 2000,
                  .feed_ahead_max = 4},
        .seed = 1,
        .started_at = now,
    };
    w->link_conf = (struct gw_link_conf){
        .control = whole_control(),
        .bulk = WHOLE_BULK,
        .max_nodes = 4,
        .heartbeat_every_ns = SL_NS_PER_S,
        .lost_after_ns = 5 * SL_NS_PER_S,
        .bulk_window_bytes = 256 * 1024,
        .inline_max_bytes = 1024,
        .max_result_bytes = 1 << 20,
        .max_unsent_bytes = 1 << 20,
    };
}

/* ---- ports */

static void post_to_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct whole_gateway *w = ctx;
    gw_mail_post(&w->to_flow, x, events);
}

static void post_to_net(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct whole_gateway *w = ctx;
    gw_mail_post(&w->to_net, x, events);
}

static uint64_t connections(void *ctx)
{
    const struct whole_gateway *w = ctx;
    uint64_t count = 0;
    for (size_t i = 0; i < WHOLE_CONNS; i++)
        count += w->conns[i] != NULL;
    return count;
}

static sl_status append(void *ctx, enum gw_record_kind kind, struct sl_span bytes, uint64_t ticket)
{
    struct whole_gateway *w = ctx;
    (void)kind, (void)bytes;
    if (w->ticket_count == WHOLE_RECEIPTS_MAX)
        return SL_EFULL;
    w->tickets[w->ticket_count++] = ticket;
    return SL_OK;
}

static sl_status ask(void *ctx, const struct gw_store_question *q, uint64_t ticket)
{
    struct whole_gateway *w = ctx;
    (void)q;
    if (w->question_count == WHOLE_QUESTIONS_MAX)
        return SL_EFULL;
    w->questions[w->question_count++] = ticket;
    return SL_OK;
}

static bool may_admit(void *ctx, struct sl_error *why)
{
    (void)ctx, (void)why;
    return true;
}

static bool must_wait(void *ctx)
{
    (void)ctx;
    return true;
}

static size_t answer_for_stored(struct whole_gateway *w)
{
    size_t count = w->ticket_count;
    w->ticket_count = 0;
    for (size_t i = 0; i < count; i++)
        gw_flow_on_stored(w->flow, w->tickets[i], SL_OK);
    return count;
}

static size_t answer_questions(struct whole_gateway *w)
{
    static const struct gw_store_answer nothing;
    size_t count = w->question_count;
    w->question_count = 0;
    for (size_t i = 0; i < count; i++)
        gw_flow_on_answer(w->flow, w->questions[i], &nothing);
    return count;
}

static void on_mail_to_flow(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct whole_gateway *w = ctx;
    w->opened_count += (events & GW_EV_OPEN) != 0;
    gw_flow_on_exchange(w->flow, x, events, w->now);
    if ((events & GW_EV_SENT) != 0) {
        w->sent_count++;
        gw_mail_post(&w->to_net, x, TO_NET_HOME);
    }
}

static void on_mail_to_net(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct whole_gateway *w = ctx;
    struct gw_stream *s = gw_stream_of(x);
    if ((events & TO_NET_HOME) != 0) {
        gw_stream_give(&w->pool, s);
        return;
    }
    if ((events & GW_TO_NET_HEAD) != 0)
        gw_h2_head(s);
    if ((events & GW_TO_NET_UPDATE) != 0)
        gw_h2_update(s);
    if ((events & GW_TO_NET_REPLY) != 0)
        gw_h2_reply(s, &w->port);
    else if ((events & GW_TO_NET_GRANT) != 0)
        gw_h2_grant(s);
}

/* ---- its life */

static sl_status create_flow(struct whole_gateway *w)
{
    static const struct gw_flow_metrics nobody_counts;
    const struct gw_ports ports = {.net = {w, post_to_net, connections},
                                   .auth = open_door_port(&w->door),
                                   .link = gw_link_port(w->link),
                                   .wire = gw_wire_port,
                                   .answers = gw_wire_answers,
                                   .store = {.ctx = w,
                                             .append = append,
                                             .may_admit = may_admit,
                                             .must_wait = must_wait,
                                             .ask = ask},
                                   .results = plain_results,
                                   .durations = &gw_duration_lua};
    sl_status s = gw_flow_create(w->alloc, &w->flow_conf, &nobody_counts, &ports, &w->flow);
    if (s == SL_OK)
        gw_link_attach(w->link, w->flow);
    return s;
}

static sl_status create_bodies(struct whole_gateway *w)
{
    const struct sl_shm_pool_conf conf = {.alloc = w->alloc,
                                          .label = "whole-request",
                                          .bytes_max = BODIES_MAX_BYTES,
                                          .count_max = BODIES_MAX_COUNT,
                                          .idle_ns = 10 * SL_NS_PER_S};
    if (!w->shares_memory)
        return SL_OK;
    sl_status s = sl_shm_pool_create(&conf, &w->bodies);
    w->link_conf.bodies = w->flow_conf.bodies = w->pool.bodies = w->bodies;
    return s;
}

sl_status whole_gateway_start(struct whole_gateway *w)
{
    static const struct gw_link_metrics nobody_counts;
    struct sl_error err;
    gw_stream_pool_init(&w->pool, w->alloc, 4, NULL);
    gw_mail_init(&w->to_flow, offsetof(struct gw_exchange, to_flow), GW_EV_SENT);
    gw_mail_init(&w->to_net, offsetof(struct gw_exchange, to_net), TO_NET_HOME);
    w->port = (struct gw_h2_port){post_to_flow, w, &w->pool, &w->counts};
    if (create_bodies(w) == SL_OK && open_door_init(&w->door, w->alloc) == SL_OK &&
        gw_link_create(w->alloc, &w->link_conf, &nobody_counts, &w->link, &err) == SL_OK &&
        create_flow(w) == SL_OK)
        return SL_OK;
    (void)whole_gateway_finish(w);
    return SL_ENOMEM;
}

struct gw_h2 *whole_gateway_connect(struct whole_gateway *w)
{
    size_t i = 0;
    while (i < WHOLE_CONNS && w->conns[i] != NULL)
        i++;
    if (i == WHOLE_CONNS ||
        gw_h2_create(&w->h2_conf, &w->port, &peer, NULL, w->now, &w->conns[i]) != SL_OK)
        return NULL;
    return w->conns[i];
}

void whole_gateway_disconnect(struct whole_gateway *w, struct gw_h2 *conn)
{
    for (size_t i = 0; i < WHOLE_CONNS; i++)
        if (w->conns[i] == conn)
            w->conns[i] = NULL;
    gw_h2_destroy(conn);
}

/* ---- turns */

size_t whole_gateway_turn(struct whole_gateway *w)
{
    (void)!gw_mail_flush(&w->to_flow);
    size_t moved = gw_mail_take(&w->to_flow, on_mail_to_flow, w);
    moved += answer_for_stored(w) + answer_questions(w);
    for (size_t i = 0; i < GW_LINK_FDS; i++)
        gw_link_stir(w->link, i);
    gw_link_read(w->link, w->now);
    gw_link_tick(w->link, w->now);
    gw_flow_turn(w->flow, w->now);
    gw_link_flush(w->link, w->now);
    (void)!gw_mail_flush(&w->to_net);
    return moved + gw_mail_take(&w->to_net, on_mail_to_net, w);
}

void whole_gateway_advance(struct whole_gateway *w, int64_t ns)
{
    w->now = sl_sat_add(w->now, ns);
    for (size_t i = 0; i < WHOLE_CONNS; i++)
        if (w->conns[i] != NULL)
            (void)!gw_h2_tick(w->conns[i], w->now);
    sl_shm_pool_trim(w->bodies, w->now);
    whole_gateway_turn(w);
}

/* ---- the end */

static const char *what_is_left(struct whole_gateway *w)
{
    if (w->opened_count != w->sent_count || !gw_flow_is_empty(w->flow))
        return "an exchange was not replied to, or its reply not let go";
    for (int s = GW_CALL_RECEIVING; s < GW_CALL_STATE_COUNT; s++)
        if (gw_flow_counts(w->flow)->in[s] != 0)
            return "calls are counted that are gone";
    if (gw_fleet_check(gw_flow_fleet(w->flow)) != SL_OK)
        return "the fleet's invariants are broken";
    if (gw_ledger_check(gw_flow_ledger(w->flow)) != SL_OK)
        return "the ledger's invariants are broken";
    if (w->pool.taken_count != 0)
        return "a stream has not come home";
    return w->pool.held_bytes != 0 ? "bytes are counted as held that are gone" : NULL;
}

static const char *end_all(struct whole_gateway *w)
{
    for (size_t i = 0; i < WHOLE_CONNS; i++)
        if (w->conns[i] != NULL)
            whole_gateway_disconnect(w, w->conns[i]);
    gw_flow_drain(w->flow);
    gw_flow_end_all(w->flow, w->now);
    while (whole_gateway_turn(w) > 0)
        ;
    return what_is_left(w);
}

const char *whole_gateway_finish(struct whole_gateway *w)
{
    const char *wrong = w->flow != NULL ? end_all(w) : NULL;
    gw_link_destroy(w->link); /* first, as in the server */
    gw_flow_destroy(w->flow);
    gw_stream_pool_finish(&w->pool);
    gw_mail_finish(&w->to_flow);
    gw_mail_finish(&w->to_net);
    sl_shm_pool_destroy(w->bodies);
    open_door_finish(&w->door);
    w->link = NULL;
    w->flow = NULL;
    w->bodies = NULL;
    return wrong;
}
