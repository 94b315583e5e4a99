/* gw_server_turn.c - a turn of the loop: what has come is told to the flow, and what that says is
 * sent. */
#include "gw_server_int.h"
#include "sl_heap.h"
#include "sl_shm_pool.h"

enum { ROUNDS_PER_TURN = 4 };

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
    sl_log_gather();
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
    s->owes_replies = gw_keep_flush(&s->keep);
    gw_link_flush(s->link, s->now);
    for (size_t i = 0; i < s->front_count; i++)
        gw_front_flush(s->fronts[i].front);
    if (!s->owes_replies) /* log lines go behind all that somebody waits for; there is a turn within a second */
        sl_log_release();
}

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

static void on_timer(uv_timer_t *t);

void gw_server_turn(struct gw_server *s)
{
    bool more = true;
    for (int round = 0; more && round < ROUNDS_PER_TURN; round++) {
        round_trip(s);
        more = gw_link_has_mail(s->link);
    }
    trim(s);
    gw_server_advance_phase(s);
    atomic_store_explicit(&s->is_ready, gw_flow_is_ready(s->flow), memory_order_relaxed);
    gw_server_end_loop_if_stopped(s);
    sl_mono_ns next = gw_flow_next_at(s->flow), link = gw_link_next_at(s->link);
    next = link < next ? link : next;
    if (s->phase == GW_SERVER_LEAVING && s->leave_until < next)
        next = s->leave_until;
    if (s->phase == GW_SERVER_DRAINING && s->drain_until < next)
        next = s->drain_until;
    int64_t wait_ms = more || next <= s->now ? 0 : (next - s->now) / SL_NS_PER_MS + 1;
    uv_timer_start(&s->timer, on_timer, (uint64_t)(wait_ms < 1000 ? wait_ms : 1000), 0);
}

static void on_timer(uv_timer_t *t)
{
    gw_server_turn(t->data);
}
