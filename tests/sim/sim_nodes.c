/* sim_nodes.c - nodes that run one call at a time on each slice, give some back, and sometimes die. */
#include <stdio.h>

#include "sim_world.h"

enum { HOP_US = 50, DOWN_US = 2000000 };

static const struct gw_tensor_spec in_spec = {"IN", SL_DTYPE_FP32, {-1}, 1};
static const struct gw_tensor_spec out_spec = {"OUT", SL_DTYPE_FP32, {-1}, 1};
static const char *const model_names[SIM_MODELS] = {"m0", "m1", "m2"};

/* Node 0 has every model, the others all but one: calls for that one must not block the rest. */
static void join(struct sim *s, struct sim_node *n)
{
    struct gw_model_spec models[SIM_MODELS];
    struct gw_hello_slice slices[SIM_SLICES];
    size_t index = (size_t)(n - s->nodes), count = 0;
    struct sl_error err;
    for (size_t m = 0; m < SIM_MODELS; m++)
        if (index == 0 || m != index)
            models[count++] = (struct gw_model_spec){.name = model_names[m],
                                                     .version = "1",
                                                     .engine = "sim",
                                                     .inputs = &in_spec,
                                                     .input_count = 1,
                                                     .outputs = &out_spec,
                                                     .output_count = 1,
                                                     .duration_us = 60 * SL_US_PER_S,
                                                     .max_duration_us = 300 * SL_US_PER_S,
                                                     .problem = ""};
    for (uint32_t i = 0; i < SIM_WIDE; i++)
        slices[i] = (struct gw_hello_slice){i, "cpu0", "cpu", 0, 500, 0};
    slices[SIM_WIDE] = (struct gw_hello_slice){SIM_WIDE, "cpu0", "cpu", 0, 1000, 3};
    struct gw_hello hello = {.session = ++s->sessions,
                             .name = n->name,
                             .version = "sim",
                             .slice_backlog_max = 63,
                             .slices = slices,
                             .slice_count = SIM_WIDE,
                             .wide_count = index + 1 < SIM_NODES,
                             .models = models,
                             .model_count = count};
    if (!gw_flow_on_hello(s->flow, &hello, s->now, &n->fleet_node, &err))
        sim_complain("node %s was refused: %s", n->name, err.text);
    n->life.kind = SIM_LOSE;
    if (s->plan.node_life_us > 0)
        sim_at(s, &n->life, sim_exponential_us(s, s->plan.node_life_us));
}

static void lose(struct sim *s, struct sim_node *n)
{
    s->totals.lost_nodes++;
    n->epoch++;
    for (size_t i = 0; i < SIM_SLICES; i++) {
        if (n->slices[i].job_count > 0)
            n->stale_lease = n->slices[i].jobs[0].lease;
        n->slices[i].job_count = 0;
        gw_timers_clear(&s->events, &n->slices[i].step.timer);
    }
    struct gw_fleet_node *gone = n->fleet_node;
    n->fleet_node = NULL;
    gw_flow_on_lost(s->flow, gone, "the simulator took it", s->now);
    n->life.kind = SIM_JOIN;
    sim_at(s, &n->life, sim_exponential_us(s, DOWN_US));
}

/* What a former life had taken must not count any more. */
static void tell_stale(struct sim *s, struct sim_node *n)
{
    struct gw_result late = {.lease = n->stale_lease, .reason = SL_REASON_OK, .was_started = true};
    if (n->stale_lease == 0)
        return;
    n->stale_lease = 0;
    s->totals.stale++;
    gw_flow_on_started(s->flow, n->fleet_node, late.lease, s->now);
    gw_flow_on_result(s->flow, n->fleet_node, &late, s->now);
}

static void schedule(struct sim *s, struct sim_node *n, uint32_t slice, enum sim_event_kind kind,
                     int64_t in_us)
{
    struct sim_event *e = &n->slices[slice].step;
    e->kind = kind;
    e->node = n;
    e->slice = slice;
    sim_at(s, e, in_us);
}

static void pop_job(struct sim *s, struct sim_node *n, uint32_t slice)
{
    struct sim_slice *sl = &n->slices[slice];
    sl->job_count--;
    memmove(&sl->jobs[0], &sl->jobs[1], sl->job_count * sizeof sl->jobs[0]);
    if (sl->job_count > 0)
        schedule(s, n, slice, SIM_START, 1);
}

/* Nobody has half of what somebody has all of. */
static void check_alone(struct sim *s, const struct sim_node *n, uint32_t slice)
{
    s->totals.started_wide += slice == SIM_WIDE;
    for (uint32_t i = 0; i < SIM_SLICES; i++) {
        const struct sim_slice *other = &n->slices[i];
        if ((i == SIM_WIDE) != (slice == SIM_WIDE) && other->job_count > 0)
            sim_complain("slice %u of %s runs while slice %u has calls", slice, n->name, i);
    }
}

static void start_job(struct sim *s, struct sim_node *n, uint32_t slice)
{
    struct sim_job *job = &n->slices[slice].jobs[0];
    if (job->is_cancelled || job->is_called_back || sim_chance(s, s->plan.return_percent)) {
        struct gw_result cancelled = {.lease = job->lease, .reason = SL_REASON_CANCELLED};
        s->totals.returned++;
        if (job->is_cancelled)
            gw_flow_on_result(s->flow, n->fleet_node, &cancelled, s->now);
        else
            gw_flow_on_returned(s->flow, n->fleet_node, job->lease, s->now);
        pop_job(s, n, slice);
        return;
    }
    check_alone(s, n, slice);
    job->is_started = true;
    job->started_at = s->now;
    s->totals.started++;
    gw_flow_on_started(s->flow, n->fleet_node, job->lease, s->now);
    schedule(s, n, slice, SIM_FINISH, sim_exponential_us(s, s->plan.mean_exec_us));
}

static void finish_job(struct sim *s, struct sim_node *n, uint32_t slice)
{
    static const float answer[4] = {1, 2, 3, 4};
    static const int64_t dims[1] = {4};
    const struct sl_span piece = sl_span_of(answer, sizeof answer);
    const struct gw_result_output output = {sl_span_str("OUT"), SL_DTYPE_FP32, dims, 1, 0,
                                            sizeof answer};
    struct sim_job *job = &n->slices[slice].jobs[0];
    struct gw_result result = {.lease = job->lease,
                               .reason = SL_REASON_OK,
                               .was_started = true,
                               .held_us = (s->now - job->started_at) / SL_NS_PER_US,
                               .outputs = &output,
                               .output_count = 1,
                               .payload = {&piece, 1, sizeof answer}};
    s->totals.finished++;
    gw_flow_on_result(s->flow, n->fleet_node, &result, s->now);
    pop_job(s, n, slice);
}

void sim_nodes_on(struct sim *s, struct sim_event *e)
{
    if (e->kind == SIM_LOSE) {
        lose(s, e->node);
    } else if (e->kind == SIM_JOIN) {
        join(s, e->node);
        tell_stale(s, e->node);
    } else if (e->kind == SIM_START) {
        start_job(s, e->node, e->slice);
    } else {
        finish_job(s, e->node, e->slice);
    }
}

/* ---- the flow's port */

static struct sim_node *node_of(struct sim *s, const struct gw_fleet_node *fleet_node)
{
    for (size_t i = 0; i < SIM_NODES; i++)
        if (s->nodes[i].fleet_node == fleet_node)
            return &s->nodes[i];
    return NULL;
}

static sl_status dispatch(void *ctx, const struct gw_fleet_node *fleet_node,
                          const struct gw_dispatch *d)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    if (n == NULL) {
        sim_complain("a call was sent to a node that is gone");
        return SL_ENOENT;
    }
    struct sim_slice *sl = &n->slices[d->slice->id];
    if (sl->job_count == SIM_JOBS_MAX || sim_chance(s, s->plan.return_percent))
        return SL_EFULL;
    sl->jobs[sl->job_count++] = (struct sim_job){.lease = d->lease};
    if (sl->job_count == 1)
        schedule(s, n, d->slice->id, SIM_START, sim_exponential_us(s, HOP_US));
    return SL_OK;
}

static void cancel(void *ctx, const struct gw_fleet_node *fleet_node, sl_slot_id lease)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    for (uint32_t i = 0; n != NULL && i < SIM_SLICES; i++)
        for (size_t j = 0; j < n->slices[i].job_count; j++)
            if (n->slices[i].jobs[j].lease == lease)
                n->slices[i].jobs[j].is_cancelled = true;
}

static void call_back(void *ctx, const struct gw_fleet_node *fleet_node, sl_slot_id lease)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    for (uint32_t i = 0; n != NULL && i < SIM_SLICES; i++)
        for (size_t j = 0; j < n->slices[i].job_count; j++)
            if (n->slices[i].jobs[j].lease == lease)
                n->slices[i].jobs[j].is_called_back = true;
}

/* The nodes here keep no journal. */
static void acknowledge(void *ctx, const struct gw_fleet_node *node, uint64_t record)
{
    (void)ctx;
    (void)node;
    (void)record;
}

struct gw_link_port sim_nodes_port(struct sim *s)
{
    return (struct gw_link_port){
        .ctx = s,
        .dispatch = dispatch,
        .cancel = cancel,
        .call_back = call_back,
        .acknowledge = acknowledge,
    };
}

void sim_nodes_start(struct sim *s)
{
    for (size_t i = 0; i < SIM_NODES; i++) {
        struct sim_node *n = &s->nodes[i];
        snprintf(n->name, sizeof n->name, "node%zu", i);
        n->life.node = n;
        join(s, n);
    }
}
