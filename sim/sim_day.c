#include "sim_day.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw_conf_flow.h"
#include "gw_wire.h"
#include "sim_day_int.h"

enum { EVENTS_MAX = 1 << 24 };

/* What is still there when no call comes any more is over after its longest wait and duration. */
static const int64_t patience_ns = 2 * 86400 * SL_NS_PER_S;
/* 2026-01-01T00:00Z: windows must not open at 0. */
static const sl_wall_us midnight_us = INT64_C(1767225600) * SL_US_PER_S;

void sim_at(struct sim *s, struct sim_event *e, sl_mono_ns at)
{
    if (gw_timers_set(&s->events, &e->timer, at) != SL_OK)
        sim_complain(s, "more than %d events wait", EVENTS_MAX);
}

void sim_complain(struct sim *s, const char *fmt, ...)
{
    va_list args;
    if (s->result->wrong[0] != '\0')
        return;
    va_start(args, fmt);
    vsnprintf(s->result->wrong, sizeof s->result->wrong, fmt, args);
    va_end(args);
}

sl_wall_us sim_wall(const struct sim *s)
{
    return midnight_us + s->now / SL_NS_PER_US;
}

/* ---- steps */

static bool is_over(struct sim *s)
{
    bool may_come = s->now < s->ends_at && gw_timers_next(&s->events) != SL_MONO_NEVER;
    return !may_come && s->open_count == 0 && s->job_count == 0 && gw_flow_is_settled(s->flow);
}

/* The earliest of the day's events and the flow's own timers. */
static sl_mono_ns next_instant(const struct sim *s)
{
    sl_mono_ns event = gw_timers_next(&s->events), timer = gw_flow_next_at(s->flow);
    sl_mono_ns next = timer < event ? timer : event;
    return next > s->now ? next : s->now;
}

static void step(struct sim *s)
{
    sl_mono_ns next = next_instant(s);
    if (next == SL_MONO_NEVER || next > s->ends_at + patience_ns) {
        sim_complain(s, "%" PRIu64 " calls are open, and nothing happens any more", s->open_count);
        return;
    }
    sim_count_time(s, next);
    s->now = next;
    s->result->steps++;
    gw_flow_set_wall(s->flow, sim_wall(s));
    struct gw_timer *t = gw_timers_pop(&s->events, s->now);
    struct sim_event *e = t == NULL ? NULL : SL_CONTAINER_OF(t, struct sim_event, timer);
    if (e != NULL)
        e->fire(s, e);
    gw_flow_turn(s->flow, s->now);
    sim_callers_settle(s);
}

static void check(struct sim *s)
{
    sim_check_step(s);
    if (s->options.is_paranoid || s->result->steps % SIM_FULL_CHECK_STEPS == 0)
        sim_check_full(s);
}

static void live(struct sim *s)
{
    while (s->result->wrong[0] == '\0' && !is_over(s)) {
        step(s);
        check(s);
    }
    if (s->result->wrong[0] == '\0')
        sim_check_end(s);
    sim_count_finish(s);
}

/* ---- the beginning and the end */

static sl_status create_flow(struct sim *s)
{
    struct gw_flow_conf conf;
    struct gw_flow_metrics none = {0};
    s->tiers = s->scenario->tiers;
    gw_conf_fill_flow(&s->scenario->gateway, &s->tiers, &conf);
    conf.version = "sim";
    conf.logs_calls = false;
    conf.seed = s->options.seed;
    conf.started_at = s->now;
    conf.models_wait_ns = 0;
    struct gw_ports ports = {.net = sim_callers_port(s),
                             .auth = sim_callers_auth(s),
                             .link = sim_nodes_port(s),
                             .wire = gw_wire_port,
                             .store = sim_receipts_port(s),
                             .results = sim_results_port()};
    return gw_flow_create(&sl_alloc_malloc, &conf, &none, &ports, &s->flow);
}

static sl_status start(struct sim *s)
{
    sl_rng_seed(&s->fate, ~s->options.seed);
    gw_timers_init(&s->events, &sl_alloc_malloc, EVENTS_MAX);
    sl_status status = create_flow(s);
    if (status == SL_OK)
        status = sim_nodes_start(s);
    if (status == SL_OK)
        status = sim_callers_start(s);
    return status;
}

/* Exchanges of a day that went wrong are dropped with the flow. */
static void finish(struct sim *s)
{
    gw_flow_destroy(s->flow);
    sim_callers_finish(s);
    sim_nodes_finish(s);
    gw_timers_finish(&s->events);
}

sl_status sim_day_run(const struct sim_scenario *scenario, const struct sim_day_options *o,
                      struct sim_result *out)
{
    sl_status status = sim_result_init(out, scenario);
    if (status != SL_OK)
        return status;
    out->seed = o->seed;
    struct sim s = {
        .scenario = scenario, .options = *o, .result = out, .ends_at = scenario->length_ns};
    status = start(&s);
    if (status == SL_OK)
        live(&s);
    finish(&s);
    if (status != SL_OK)
        sim_result_finish(out);
    return status;
}
