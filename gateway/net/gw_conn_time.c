/* gw_conn_time.c - the timers of connections: handshake, stall, keepalive, idle, age, linger. */
#include <utlist.h>

#include "gw_conn_int.h"
#include "sl_log.h"

#define LINGER_NS (2 * SL_NS_PER_S)

/* While all places of handshakes are taken, a silent peer has so much less time: who is served is not decided by
 * who holds out longest. One that answers keeps its place: many that come at once, or from afar, are no attack. */
enum { PRESSURE = 10 };

static void time_out(struct gw_conn *c, const char *kind, int64_t *count)
{
    ++*count;
    sl_log(SL_LOG_DEBUG, "connection timed out", SL_S("peer", c->peer.text), SL_S("timer", kind));
    gw_conn_close(c);
}

/* ---- the beginning ---- */

static bool is_handshake_late(const struct gw_conn *c, sl_mono_ns now)
{
    const struct gw_conn_host *host = c->host;
    bool is_full = host->unready_count >= host->times.handshakes_max;
    return now - c->opened_at > host->times.handshake_ns ||
           (is_full && now - c->input_at > host->times.handshake_ns / PRESSURE);
}

/* ---- what the socket takes ---- */

static enum gw_pace_verdict judge_write(struct gw_conn *c, sl_mono_ns now)
{
    size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (left < c->write_left_bytes)
        gw_pace_move(&c->write_pace, c->write_left_bytes - left, now);
    c->write_left_bytes = left;
    return gw_pace_judge(&c->write_pace, &c->host->h2_conf.pace, now);
}

/* true: it is closed. */
static bool tick_write(struct gw_conn *c, sl_mono_ns now)
{
    if (!c->is_writing)
        return false;
    switch (judge_write(c, now)) {
    case GW_PACE_FINE:
        return false;
    case GW_PACE_STILL:
        time_out(c, "stall", &c->host->counts.timeouts_stall);
        break;
    case GW_PACE_SLOW:
        time_out(c, "slow", &c->host->counts.timeouts_slow);
        break;
    }
    return true;
}

/* ---- keepalive ---- */

/* Who does not take or is not read is judged by what it takes. */
static void tick_keepalive(struct gw_conn *c, sl_mono_ns now)
{
    const struct gw_conn_times *t = &c->host->times;
    if (c->is_pinged && c->input_at >= c->pinged_at)
        c->is_pinged = false;
    if (t->keepalive_ns == 0 || c->is_writing || !c->is_reading)
        return;
    if (c->is_pinged && now - c->pinged_at > t->keepalive_timeout_ns) {
        time_out(c, "keepalive", &c->host->counts.timeouts_keepalive);
    } else if (!c->is_pinged && now - c->input_at > t->keepalive_ns) {
        c->is_pinged = true;
        c->pinged_at = now;
        gw_h2_ping(c->h2);
        gw_conn_mark(c);
    }
}

/* ---- the end ---- */

/* Politely: a request may be on its way, and its sender should learn that it was not taken. */
static void end_idle(struct gw_conn *c)
{
    c->host->counts.timeouts_idle++;
    gw_h2_begin_end(c->h2);
    gw_conn_mark(c);
}

/* A tenth earlier or later, each connection at its own time: they do not all come back at once. */
sl_mono_ns gw_conn_end_time(const struct gw_conn *c)
{
    int64_t age_ns = c->host->times.age_ns;
    if (age_ns == 0)
        return SL_MONO_NEVER;
    double part = 0.9 + 0.2 * sl_rng_unit(&c->host->h2_port.pool->rng);
    return sl_sat_add(c->opened_at, (int64_t)((double)age_ns * part));
}

/* As a drain does it: GOAWAY, and the second one when the peer has answered the PING that goes with the first,
 * or does not; then what is open may end. */
static void tick_age(struct gw_conn *c, sl_mono_ns now)
{
    const int64_t patience_ns = SL_NS_PER_S, grace_ns = c->host->times.age_grace_ns;
    if (now < c->ends_at)
        return;
    if (c->age == GW_CONN_YOUNG) {
        c->host->counts.timeouts_age++;
        c->age = GW_CONN_ANNOUNCED;
        gw_h2_announce_end(c->h2);
        gw_conn_mark(c);
    } else if (grace_ns > 0 && now - c->ends_at > grace_ns) {
        gw_conn_close(c);
    } else if (c->age == GW_CONN_ANNOUNCED && now - c->ends_at > patience_ns) {
        c->age = GW_CONN_OLD;
        gw_h2_begin_end(c->h2);
        gw_conn_mark(c);
    }
}

static void tick_conn(struct gw_conn *c, sl_mono_ns now)
{
    struct gw_conn_host *host = c->host;
    if (c->state == LINGERING && now - c->lingers_since > LINGER_NS)
        gw_conn_close(c);
    if (c->state != OPEN)
        return;
    if (gw_h2_tick(c->h2, now))
        gw_conn_mark(c);
    if (!c->is_ready) {
        if (is_handshake_late(c, now))
            time_out(c, "handshake", &host->counts.timeouts_handshake);
        return;
    }
    if (tick_write(c, now))
        return;
    tick_keepalive(c, now);
    tick_age(c, now);
    if (c->state == OPEN && !c->is_writing && gw_h2_is_idle(c->h2) &&
        now - gw_h2_idle_since(c->h2) > host->times.idle_ns)
        end_idle(c);
}

void gw_conn_tick_all(struct gw_conn_host *host)
{
    struct gw_conn *c, *next;
    sl_mono_ns now = host->now(host->ctx);
    DL_FOREACH_SAFE (host->conns, c, next)
        tick_conn(c, now);
}
