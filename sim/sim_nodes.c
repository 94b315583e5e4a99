/* sim_nodes.c - nodes that run one call at a time on each slice, load models, and sometimes are lost. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "sim_day_int.h"
#include "sim_law.h"

enum { BACKLOG_MAX = 63 };

/* ---- jobs */

static struct sim_job *make_job(struct sim *s)
{
    struct sim_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        abort();
    j->next_made = s->jobs;
    s->jobs = j;
    return j;
}

static struct sim_job *take_job(struct sim *s)
{
    struct sim_job *j = s->unused_jobs;
    s->job_count++;
    if (j == NULL)
        return make_job(s);
    s->unused_jobs = j->next;
    *j = (struct sim_job){.next_made = j->next_made};
    return j;
}

static void on_start(struct sim *s, struct sim_event *e);

static int64_t load_ns(const struct sim *s, const struct sim_job *j)
{
    bool is_there = j->slice->last_model == j->model + 1;
    return is_there ? 0 : sim_scenario_models(s->scenario)[j->model].load_ns;
}

static void plan_start(struct sim *s, struct sim_job *j)
{
    j->step.fire = on_start;
    sim_at(s, &j->step, s->now + load_ns(s, j));
}

/* Its slice is free of it; the next of its line is told so. */
static void drop_job(struct sim *s, struct sim_job *j)
{
    struct sim_slice *slice = j->slice;
    sim_watch_ran(s, j);
    gw_timers_clear(&s->events, &j->step.timer);
    if (j->is_started) {
        s->slices_running -= slice->width;
        slice->node->running_parts &= ~slice->parts;
    }
    s->job_count--;
    DL_DELETE(slice->jobs, j);
    j->next = s->unused_jobs;
    s->unused_jobs = j;
}

static void end_job(struct sim *s, struct sim_job *j, const struct gw_result *result)
{
    struct sim_slice *slice = j->slice;
    struct gw_fleet_node *node = slice->node->fleet_node;
    sim_count_run(s, j, result->reason == SL_REASON_OK);
    s->told_us += result->held_us;
    drop_job(s, j);
    gw_flow_on_result(s->flow, node, result, s->now);
    if (slice->jobs != NULL)
        plan_start(s, slice->jobs);
}

static int64_t held_us(const struct sim *s, const struct sim_job *j)
{
    return j->is_started ? (s->now - j->started_at) / SL_NS_PER_US : 0;
}

static void end_without_result(struct sim *s, struct sim_job *j, enum sl_reason reason)
{
    struct gw_result result = {.lease = j->lease,
                               .reason = reason,
                               .was_started = j->is_started,
                               .held_us = held_us(s, j)};
    end_job(s, j, &result);
}

static void end_well(struct sim *s, struct sim_job *j)
{
    static const int64_t answer, dims[1] = {1};
    const struct sl_span piece = sl_span_of((const uint8_t *)&answer, sizeof answer);
    const struct gw_result_output output = {
        sl_span_str(sim_output_spec.name), SL_DTYPE_INT64, dims, 1, 0, sizeof answer};
    struct gw_result result = {.lease = j->lease,
                               .reason = SL_REASON_OK,
                               .was_started = true,
                               .held_us = held_us(s, j),
                               .outputs = &output,
                               .output_count = 1,
                               .payload = {&piece, 1, sizeof answer}};
    end_job(s, j, &result);
}

static void on_end(struct sim *s, struct sim_event *e)
{
    struct sim_job *j = SL_CONTAINER_OF(e, struct sim_job, step);
    if (j->is_cancelled)
        end_without_result(s, j, SL_REASON_CANCELLED);
    else if (j->run_us > j->limit_us)
        end_without_result(s, j, SL_REASON_DURATION_EXCEEDED);
    else
        end_well(s, j);
}

/* Unstarted, to the gateway. */
static void give_back(struct sim *s, struct sim_job *j)
{
    struct sim_slice *slice = j->slice;
    sl_slot_id lease = j->lease;
    drop_job(s, j);
    gw_flow_on_returned(s->flow, slice->node->fleet_node, lease, s->now);
    if (slice->jobs != NULL)
        plan_start(s, slice->jobs);
}

static bool gives_back(struct sim *s, const struct sim_node *n)
{
    int64_t percent = n->row->returns_percent;
    return percent > 0 && sl_rng_below(&s->fate, 100) < (uint64_t)percent;
}

static void start(struct sim *s, struct sim_job *j);

static void on_start(struct sim *s, struct sim_event *e)
{
    struct sim_job *j = SL_CONTAINER_OF(e, struct sim_job, step);
    if (j->is_cancelled)
        end_without_result(s, j, SL_REASON_CANCELLED);
    else if (j->is_called_back || gives_back(s, j->slice->node))
        give_back(s, j);
    else
        start(s, j);
}

static void start(struct sim *s, struct sim_job *j)
{
    struct sim_node *n = j->slice->node;
    if ((n->running_parts & j->slice->parts) != 0)
        sim_complain(s, "two calls run on the same slice of %s", n->name);
    n->running_parts |= j->slice->parts;
    j->is_started = true;
    j->started_at = s->now;
    j->slice->last_model = j->model + 1;
    j->step.fire = on_end;
    int64_t us = j->run_us < j->limit_us ? j->run_us : j->limit_us;
    sim_at(s, &j->step, s->now + us * SL_NS_PER_US);
    s->slices_running += j->slice->width;
    sim_count_start(s, j);
    gw_flow_on_started(s->flow, j->slice->node->fleet_node, j->lease, s->now);
}

/* ---- nodes come and go */

static bool has_model(const struct sim_fleet_row *row, const char *name)
{
    const char *const *models = row->models.items;
    for (size_t i = 0; i < row->models.count; i++)
        if (strcmp(models[i], name) == 0)
            return true;
    return row->models.count == 0;
}

static size_t fill_models(const struct sim *s, const struct sim_node *n,
                          struct gw_model_spec out[SIM_MODELS_MAX])
{
    const struct sim_model_row *m = sim_scenario_models(s->scenario);
    size_t count = 0;
    for (size_t i = 0; i < s->scenario->models.count; i++) {
        if (!has_model(n->row, m[i].name))
            continue;
        out[count++] =
            (struct gw_model_spec){.name = m[i].name,
                                   .version = "1",
                                   .engine = "sim",
                                   .inputs = &sim_input_spec,
                                   .input_count = 1,
                                   .outputs = &sim_output_spec,
                                   .output_count = 1,
                                   .duration_us = m[i].declared_ns / SL_NS_PER_US,
                                   .max_duration_us = m[i].max_duration_ns / SL_NS_PER_US,
                                   .problem = ""};
    }
    return count;
}

enum { DEVICE_NAME_BYTES = 16 };

static void fill_slices(const struct sim_node *n, char names[][DEVICE_NAME_BYTES],
                        struct gw_hello_slice *out)
{
    for (uint32_t i = 0; i < n->slice_count + n->wide_count; i++) {
        const struct sim_slice *slice = &n->slices[i];
        bool is_wide = i >= n->slice_count;
        unsigned device = (unsigned)(is_wide ? i - n->slice_count : i / (uint32_t)n->row->slices);
        snprintf(names[i], DEVICE_NAME_BYTES, "gpu%u", device);
        out[i] = (struct gw_hello_slice){
            .id = i,
            .device = names[i],
            .kind = "cpu",
            .share_thousandths = (uint32_t)(GW_FACTOR_ONE * (int64_t)slice->width / n->row->slices),
            .parts = is_wide ? slice->parts : 0};
    }
}

static void on_life(struct sim *s, struct sim_event *e);

static int64_t chance_ns(struct sim *s, int64_t mean_ns)
{
    double ns = (double)mean_ns * sim_law_exponential(&s->fate);
    return ns < 1 ? 1 : (int64_t)ns;
}

static void join(struct sim *s, struct sim_node *n)
{
    struct gw_model_spec models[SIM_MODELS_MAX];
    struct gw_hello_slice slices[2 * GW_FLEET_SLICES_MAX];
    char names[2 * GW_FLEET_SLICES_MAX][DEVICE_NAME_BYTES];
    struct sl_error err;
    fill_slices(n, names, slices);
    struct gw_hello hello = {.session = ++s->sessions,
                             .name = n->name,
                             .version = "sim",
                             .slice_backlog_max = BACKLOG_MAX,
                             .slices = slices,
                             .slice_count = n->slice_count,
                             .wide_count = n->wide_count,
                             .models = models,
                             .model_count = fill_models(s, n, models)};
    if (!gw_flow_on_hello(s->flow, &hello, s->now, &n->fleet_node, &err)) {
        sim_complain(s, "node %s was refused: %s", n->name, err.text);
        return;
    }
    s->slices_up += n->slice_count;
    if (n->row->life_ns > 0 && s->now < s->ends_at)
        sim_at(s, &n->life, s->now + chance_ns(s, n->row->life_ns));
}

/* What a former life had taken must not count any more, but that it had its slice. */
static void tell_stale(struct sim *s, struct sim_node *n)
{
    struct gw_result late = {
        .lease = n->stale_lease, .reason = SL_REASON_OK, .was_started = true, .held_us = 1};
    if (n->stale_lease == 0)
        return;
    n->stale_lease = 0;
    s->told_us += late.held_us;
    gw_flow_on_started(s->flow, n->fleet_node, late.lease, s->now);
    gw_flow_on_result(s->flow, n->fleet_node, &late, s->now);
}

/* A call that ran there has had its time for nothing. */
static void empty_slice(struct sim *s, struct sim_slice *slice)
{
    for (struct sim_job *j; (j = slice->jobs) != NULL;) {
        slice->node->stale_lease = j->lease;
        sim_count_run(s, j, false);
        drop_job(s, j);
    }
    slice->last_model = 0;
}

static void lose(struct sim *s, struct sim_node *n)
{
    struct gw_fleet_node *gone = n->fleet_node;
    s->result->nodes_lost++;
    s->slices_up -= n->slice_count;
    for (size_t i = 0; i < n->slice_count + n->wide_count; i++)
        empty_slice(s, &n->slices[i]);
    n->fleet_node = NULL;
    gw_flow_on_lost(s->flow, gone, "the simulator took it", s->now);
}

static void on_life(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = SL_CONTAINER_OF(e, struct sim_node, life);
    if (n->fleet_node == NULL) {
        join(s, n);
        tell_stale(s, n);
        return;
    }
    lose(s, n);
    sim_at(s, &n->life, s->now + chance_ns(s, n->row->repair_ns));
}

/* What is there stays, or comes back; nothing new may come (dispatch). One that is down and not drained is not known. */
static void on_word(struct sim *s, struct sim_event *e)
{
    struct sim_node *n = SL_CONTAINER_OF(e, struct sim_node, word);
    struct gw_drain_row row = {.by = "sim", .at = sim_wall(s)};
    uint32_t called_back;
    memcpy(row.node, n->name, sizeof row.node);
    bool is_known = n->fleet_node != NULL || n->is_drained;
    sl_status st = n->is_drained ? gw_flow_undrain_node(s->flow, n->name, "sim")
                                 : gw_flow_drain_node(s->flow, &row, &called_back);
    if (st != (is_known ? SL_OK : SL_ENOENT))
        sim_complain(s, "node %s is not drained: %s", n->name, sl_status_text(st));
    n->is_drained = is_known && !n->is_drained;
    s->result->nodes_drained += n->is_drained;
    if (s->now < s->ends_at)
        sim_at(s, &n->word, s->now + chance_ns(s, n->row->drain_ns));
}

/* At a time that the scenario says; one that is down already stays so until then at least. */
static void on_loss(struct sim *s, struct sim_event *e)
{
    struct sim_loss *loss = SL_CONTAINER_OF(e, struct sim_loss, event);
    for (size_t i = 0; i < s->node_count; i++) {
        struct sim_node *n = &s->nodes[i];
        if (strcmp(n->name, loss->row->node) != 0)
            continue;
        if (n->fleet_node != NULL)
            lose(s, n);
        sim_at(s, &n->life, s->now + loss->row->for_ns);
    }
}

/* ---- the flow's port */

static struct sim_node *node_of(struct sim *s, const struct gw_fleet_node *fleet_node)
{
    for (size_t i = 0; i < s->node_count; i++)
        if (s->nodes[i].fleet_node == fleet_node)
            return &s->nodes[i];
    return NULL;
}

static void enqueue(struct sim *s, struct sim_slice *slice, const struct sim_call *c,
                    const struct gw_dispatch *d)
{
    struct sim_job *j = take_job(s);
    j->lease = d->lease;
    j->slice = slice;
    j->group = c->group;
    j->model = c->model;
    j->visitor = c->visitor;
    j->arrived_at = c->arrived_at;
    j->run_us = c->run_us;
    j->limit_us = d->limit_us;
    j->is_measured = c->is_measured;
    j->eta = c->eta;
    j->sight = c->sight;
    sim_watch_sent(s, j);
    DL_APPEND(slice->jobs, j);
    if (slice->jobs == j)
        plan_start(s, j);
}

static sl_status dispatch(void *ctx, const struct gw_fleet_node *fleet_node,
                          const struct gw_dispatch *d)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    const struct sim_call *c = sim_callers_find(d->message);
    if (n == NULL || d->slice->id >= n->slice_count + n->wide_count) {
        sim_complain(s, "a call was sent to a node or slice that is not there");
        return SL_ENOENT;
    }
    if (!has_model(n->row, sim_scenario_models(s->scenario)[c->model].name))
        sim_complain(s, "node %s was sent a call of a model that it has not", n->name);
    if (n->is_drained)
        sim_complain(s, "a call was sent to %s, which is drained", n->name);
    if (gives_back(s, n))
        return SL_EFULL;
    enqueue(s, &n->slices[d->slice->id], c, d);
    return SL_OK;
}

static struct sim_job *find_job(struct sim_node *n, sl_slot_id lease)
{
    struct sim_job *j;
    for (size_t i = 0; i < n->slice_count + n->wide_count; i++)
        DL_FOREACH (n->slices[i].jobs, j) {
            if (j->lease == lease)
                return j;
        }
    return NULL;
}

/* A call that runs loses its slice after scenario.stop; one that waits does when it would start. */
static void cancel(void *ctx, const struct gw_fleet_node *fleet_node, sl_slot_id lease)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    struct sim_job *j = n == NULL ? NULL : find_job(n, lease);
    if (j == NULL || j->is_cancelled)
        return;
    sl_mono_ns stopped_at = s->now + s->scenario->stop_ns;
    if (j->is_started && j->step.timer.at > stopped_at) {
        j->is_cancelled = true;
        sim_at(s, &j->step, stopped_at);
    } else if (!j->is_started) {
        j->is_cancelled = true;
    }
}

static void call_back(void *ctx, const struct gw_fleet_node *fleet_node, sl_slot_id lease)
{
    struct sim *s = ctx;
    struct sim_node *n = node_of(s, fleet_node);
    struct sim_job *j = n == NULL ? NULL : find_job(n, lease);
    if (j != NULL)
        j->is_called_back = true;
}

/* The nodes here keep no journal. */
static void acknowledge(void *ctx, const struct gw_fleet_node *node, uint64_t record)
{
    (void)ctx, (void)node, (void)record;
}

struct gw_link_port sim_nodes_port(struct sim *s)
{
    return (struct gw_link_port){.ctx = s,
                                 .dispatch = dispatch,
                                 .cancel = cancel,
                                 .call_back = call_back,
                                 .acknowledge = acknowledge};
}

bool sim_nodes_may_refuse(const struct sim *s)
{
    for (size_t i = 0; i < s->scenario->fleet.count; i++)
        if (sim_scenario_fleet(s->scenario)[i].returns_percent > 0)
            return true;
    return false;
}

/* ---- all of them */

/* Those of a device are one behind the other, and a wide one is all of them. */
static bool make_slices(struct sim_node *n)
{
    size_t width = (size_t)n->row->slices;
    n->slices = calloc(n->slice_count + n->wide_count, sizeof *n->slices);
    if (n->slices == NULL)
        return false;
    for (uint32_t i = 0; i < n->slice_count; i++)
        n->slices[i] =
            (struct sim_slice){.node = n, .id = i, .parts = UINT64_C(1) << i, .width = 1};
    for (uint32_t i = 0; i < n->wide_count; i++) {
        uint32_t id = (uint32_t)n->slice_count + i;
        uint64_t all = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
        n->slices[id] =
            (struct sim_slice){.node = n, .id = id, .parts = all << (i * width), .width = width};
    }
    return true;
}

static sl_status start_node(struct sim *s, const struct sim_fleet_row *row, int64_t number)
{
    struct sim_node *n = &s->nodes[s->node_count];
    *n = (struct sim_node){.row = row,
                           .slice_count = (size_t)(row->devices * row->slices),
                           .wide_count =
                               row->gives_whole && row->slices > 1 ? (size_t)row->devices : 0,
                           .life = {.fire = on_life},
                           .word = {.fire = on_word}};
    snprintf(n->name, sizeof n->name, "%s-%d", row->name, (int)number);
    if (!make_slices(n))
        return SL_ENOMEM;
    s->node_count++;
    join(s, n);
    if (row->drain_ns > 0)
        sim_at(s, &n->word, s->now + chance_ns(s, row->drain_ns));
    return SL_OK;
}

static sl_status start_losses(struct sim *s)
{
    const struct sim_loss_row *rows = s->scenario->losses.items;
    s->losses = calloc(s->scenario->losses.count + 1, sizeof *s->losses);
    if (s->losses == NULL)
        return SL_ENOMEM;
    for (size_t i = 0; i < s->scenario->losses.count; i++) {
        s->losses[i] = (struct sim_loss){.row = &rows[i], .event = {.fire = on_loss}};
        sim_at(s, &s->losses[i].event, rows[i].at_ns);
    }
    return SL_OK;
}

sl_status sim_nodes_start(struct sim *s)
{
    sl_status status = start_losses(s);
    s->nodes = calloc(s->scenario->node_count, sizeof *s->nodes);
    if (s->nodes == NULL)
        return SL_ENOMEM;
    for (size_t k = 0; k < s->scenario->fleet.count; k++) {
        const struct sim_fleet_row *row = &sim_scenario_fleet(s->scenario)[k];
        for (int64_t i = 0; status == SL_OK && i < row->nodes; i++)
            status = start_node(s, row, i);
    }
    return status;
}

void sim_nodes_finish(struct sim *s)
{
    for (size_t i = 0; i < s->node_count; i++)
        free(s->nodes[i].slices);
    free(s->nodes);
    free(s->losses);
    for (struct sim_job *j; (j = s->jobs) != NULL;) {
        s->jobs = j->next_made;
        free(j);
    }
}
