/* sim_world.c - the clock, the events, and the loop. */
#include "sim_world.h"

#include <math.h>
#include <stdlib.h>

#include "gw_wire.h"
#include "open_door.h"
#include "plain_results.h"

enum { EVENTS_MAX = 1 << 20, STEPS_PER_CALL_MAX = 400 };

bool sim_chance(struct sim *s, unsigned percent)
{
    return sl_rng_below(&s->rng, 100) < percent;
}

int64_t sim_exponential_us(struct sim *s, int64_t mean_us)
{
    double u = 1.0 - sl_rng_unit(&s->rng);
    int64_t us = (int64_t)(-log(u) * (double)mean_us);
    return us < 1 ? 1 : us;
}

void sim_at(struct sim *s, struct sim_event *e, int64_t in_us)
{
    if (gw_timers_set(&s->events, &e->timer, s->now + in_us * SL_NS_PER_US) != SL_OK)
        sim_complain("more than %d events", EVENTS_MAX);
}

static void handle(struct sim *s, struct sim_event *e)
{
    switch (e->kind) {
    case SIM_ARRIVE:
    case SIM_MESSAGE:
    case SIM_GONE:
    case SIM_SENT:
        sim_visitors_on(s, e);
        return;
    case SIM_START:
    case SIM_FINISH:
    case SIM_LOSE:
    case SIM_JOIN:
        sim_nodes_on(s, e);
        return;
    }
}

/* The earliest of the world's events and the flow's own timers. */
static bool step(struct sim *s)
{
    sl_mono_ns event = gw_timers_next(&s->events), timer = gw_flow_next_at(s->flow);
    sl_mono_ns next = timer < event ? timer : event;
    if (next == SL_MONO_NEVER)
        return false;
    s->now = next > s->now ? next : s->now;
    gw_flow_set_wall(s->flow, s->now / SL_NS_PER_US);
    struct gw_timer *t = gw_timers_pop(&s->events, s->now);
    if (t != NULL)
        handle(s, SL_CONTAINER_OF(t, struct sim_event, timer));
    gw_flow_turn(s->flow, s->now);
    return true;
}

static bool is_over(const struct sim *s)
{
    return s->totals.arrived == s->plan.calls && s->open == NULL;
}

static sl_status create_flow(struct sim *s)
{
    struct gw_flow_conf conf = {
        .version = "sim",
        .tiers = &open_tiers,
        .max_accounts = 100,
        .max_calls = 2000,
        .queue = {.max_queued = 500,
                  .max_queued_of_tier = 500,
                  .max_app_running = 4,
                  .patience_us = 30 * SL_US_PER_S},
        .max_watches = 1,
        .max_visitor_watches = 1,
        .max_message_bytes = 1 << 20,
        .max_body_bytes = 4 << 20,
        .body_wait_ns = 5 * SL_NS_PER_S,
        .asks = {.max_duration_us = 300 * SL_US_PER_S,
                 .max_wait_default_ns = 60 * SL_NS_PER_S,
                 .max_wait_limit_ns = 600 * SL_NS_PER_S},
        .results = plain_results_conf,
        .fleet = {.max_nodes = 8,
                  .max_models = 16,
                  .max_leases = 2000,
                  .feed_ahead_us = 2000,
                  .feed_ahead_max = 64},
        .seed = s->plan.seed,
    };
    struct gw_flow_metrics none = {0};
    struct gw_ports ports = {.net = sim_visitors_port(s),
                             .auth = open_door,
                             .link = sim_nodes_port(s),
                             .wire = gw_wire_port,
                             .results = plain_results};
    return gw_flow_create(&sl_alloc_malloc, &conf, &none, &ports, &s->flow);
}

const char *sim_run(const struct sim_plan *plan, struct sim_totals *out_totals)
{
    struct sim *s = calloc(1, sizeof *s);
    if (s == NULL)
        return "no memory for the world";
    s->plan = *plan;
    s->now = SL_NS_PER_S;
    sl_rng_seed(&s->rng, plan->seed);
    gw_timers_init(&s->events, &sl_alloc_malloc, EVENTS_MAX);
    if (create_flow(s) != SL_OK)
        return "the flow cannot be created";
    sim_nodes_start(s);
    sim_visitors_start(s);
    const char *wrong = NULL;
    uint64_t steps = 0, most = (plan->calls + 100) * STEPS_PER_CALL_MAX;
    while (wrong == NULL && !is_over(s) && steps++ < most)
        wrong = step(s) ? sim_check_step(s) : "nothing happens any more, but calls are open";
    if (wrong == NULL)
        wrong = steps < most ? sim_check_end(s) : "the day does not end";
    *out_totals = s->totals;
    gw_flow_destroy(s->flow);
    gw_timers_finish(&s->events);
    free(s);
    return wrong;
}
