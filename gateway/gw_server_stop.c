/* gw_server_stop.c - signals, and the end to which they lead: leaving, draining, stopping. */
#include <signal.h>

#include "gw_server_int.h"

static bool is_over(const struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (!s->fronts[i].is_drained)
            return false;
    return gw_flow_is_empty(s->flow) && gw_flow_is_settled(s->flow);
}

static void begin_drain(struct gw_server *s)
{
    s->phase = GW_SERVER_DRAINING;
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
    s->phase = GW_SERVER_LEAVING;
    s->leave_until = sl_sat_add(sl_clock_mono(s->clock), s->conf.drain_notice_ns);
    sl_log(SL_LOG_INFO, "not ready any more, draining soon",
           SL_I("in_ms", s->conf.drain_notice_ns / SL_NS_PER_MS));
}

/* Calls that are left get their reply before their connections are closed. */
static void begin_stop(struct gw_server *s)
{
    s->phase = GW_SERVER_STOPPING;
    gw_flow_refuse(s->flow);
    gw_flow_end_all(s->flow, s->now);
    gw_flow_keep_learned(s->flow, s->now);
    gw_keep_close(&s->keep); /* replies wait for what it stores */
    gw_link_flush(s->link, s->now);
    for (size_t i = 0; i < s->front_count; i++) {
        gw_front_flush(s->fronts[i].front);
        gw_front_stop(s->fronts[i].front);
    }
}

void gw_server_advance_phase(struct gw_server *s)
{
    if (s->phase == GW_SERVER_LEAVING && s->now >= s->leave_until)
        begin_drain(s);
    if (s->phase != GW_SERVER_DRAINING)
        return;
    if (is_over(s)) {
        sl_log(SL_LOG_INFO, "drained");
        begin_stop(s);
    } else if (s->now >= s->drain_until) {
        sl_log(SL_LOG_WARN, "drain timed out", SL_U("exchanges", gw_flow_exchanges(s->flow)));
        begin_stop(s);
    }
}

void gw_server_end_loop_if_stopped(struct gw_server *s)
{
    for (size_t i = 0; i < s->front_count; i++)
        if (!atomic_load(&s->fronts[i].is_stopped))
            return;
    if (s->phase == GW_SERVER_STOPPING && gw_results_is_idle(&s->results)) {
        s->phase = GW_SERVER_STOPPED;
        uv_stop(&s->loop);
    }
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct gw_server *s = handle->data;
    if (signal == SIGHUP)
        gw_server_reload(s);
    else if (s->phase == GW_SERVER_SERVING)
        leave(s);
    else if (s->phase == GW_SERVER_LEAVING || s->phase == GW_SERVER_DRAINING)
        begin_stop(s);
}

bool gw_server_watch_signals(struct gw_server *s, struct sl_error *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++) {
        int rc = uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
        if (rc == 0)
            rc = uv_signal_start(&s->signals[i], on_signal, numbers[i]);
        if (rc != 0)
            return gw_server_fail(err, "cannot watch signals", rc);
    }
    return true;
}
