/* gw_call_run.c - a call at its executor: dispatched, started, given back; its result becomes a
 * reply. */
#include "gw_call.h"

#include <inttypes.h>
#include <string.h>

#include "gw_call_eta.h"
#include "gw_kept.h"

enum { RETURNS_MAX = 3 };

static void fill_dispatch(struct gw_call *c, const struct gw_fleet_lease *lease,
                          struct gw_dispatch *out)
{
    *out = (struct gw_dispatch){
        .lease = lease->id,
        .slice = lease->slice,
        .limit_us = c->limit_us,
        .plan = &c->plan,
        .peek = &c->peek,
        .message = c->message,
        .converted = c->converted,
        .call_id = c->call_id,
        .traceparent = c->exchange->req.traceparent,
    };
}

/* To its old place. */
static void queue_again(struct gw_flow *f, struct gw_call *c)
{
    gw_call_set_state(f, c, GW_CALL_QUEUED);
    if (gw_sched_return(&f->sched, c->model, &c->queue_item) != SL_OK)
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call to wait again");
}

void gw_call_end_lease(struct gw_flow *f, struct gw_fleet_lease *lease, int64_t used_us,
                       bool teaches, sl_mono_ns now)
{
    gw_sched_end(&f->sched, lease, used_us);
    gw_fleet_end_lease(f->fleet, lease, teaches ? used_us : -1, now);
}

static void undo_dispatch(struct gw_flow *f, struct gw_call *c, struct gw_fleet_lease *lease,
                          sl_status why, sl_mono_ns now)
{
    struct gw_fleet_node *node = lease->slice->node;
    if (why == SL_ENOENT) {
        gw_flow_on_lost(f, node, "its connection is gone", now); /* this lease with it */
        return;
    }
    c->lease = 0;
    gw_call_end_lease(f, lease, 0, false, now);
    if (why == SL_EFULL) {
        gw_fleet_set_full(f->fleet, node); /* the others may take theirs */
        queue_again(f, c);
    } else if (why == SL_ETOOBIG) {
        gw_call_fail_with(f, c, SL_REASON_TOO_LARGE,
                          "the request's names and parameters are over 1 MiB");
    } else {
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY,
                          "no memory to send the call to its executor");
    }
}

static void remember_node(struct gw_call *c, const struct gw_fleet_node *node)
{
    size_t len = strnlen(node->name, sizeof c->node - 1);
    memcpy(c->node, node->name, len);
    c->node[len] = '\0';
}

void gw_call_dispatch(struct gw_flow *f, struct gw_call *c, struct gw_fleet_slice *slice,
                      sl_mono_ns now)
{
    struct gw_fleet_lease *lease;
    sl_status s = gw_fleet_lease(f->fleet, slice, c->model, c->id, now, &lease);
    if (s != SL_OK) {
        f->is_stuck = true; /* as many leases are out as there may be */
        return;
    }
    gw_sched_start(&f->sched, &c->queue_item, lease);
    gw_call_set_state(f, c, GW_CALL_DISPATCHED);
    c->lease = lease->id;
    c->is_called_back = false;
    if (c->is_background)
        gw_fleet_set_background(f->fleet, lease);
    remember_node(c, slice->node);
    struct gw_dispatch dispatch;
    fill_dispatch(c, lease, &dispatch);
    dispatch.cpu_hint = f->cpu_hint;
    s = f->ports.link.dispatch(f->ports.link.ctx, slice->node, &dispatch);
    if (s != SL_OK)
        undo_dispatch(f, c, lease, s, now);
}

static void start(struct gw_flow *f, struct gw_call *c, sl_mono_ns at, int64_t ago_us)
{
    if (c->state != GW_CALL_DISPATCHED)
        return;
    gw_call_set_state(f, c, GW_CALL_RUNNING);
    c->started_at = at;
    gw_call_eta_end(f, c, at);
    c->model->call_count++;
    gw_money_start(f, c, ago_us);
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

void gw_call_on_started(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    start(f, c, now, 0);
}

void gw_call_on_unplaced(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    (void)now;
    c->lease = 0;
    if (c->state == GW_CALL_RUNNING) {
        gw_call_fail_with(f, c, SL_REASON_EXECUTOR_LOST,
                          "the executor was lost while it ran the call");
    } else if (c->state == GW_CALL_DISPATCHED && !c->is_called_back && ++c->returns > RETURNS_MAX) {
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY,
                          "executors gave the call back more than 3 times");
    } else if (c->state == GW_CALL_DISPATCHED) {
        queue_again(f, c);
        f->requeued++;
        sl_metric_add(f->metrics.requeued, 1);
        f->is_stuck = false;
    }
}

/* ---- its result */

static void release_result(const struct gw_result *result)
{
    if (result->release != NULL)
        result->release(result->release_ctx);
}

/* What was not announced takes its room now. */
static bool hold_result(struct gw_flow *f, struct gw_call *c, uint64_t bytes, struct sl_error *err)
{
    uint64_t more = bytes > c->result_bytes ? bytes - c->result_bytes : 0;
    if (!gw_flow_take_result(f, more)) {
        gw_flow_no_result_room(f, bytes, err);
        return false;
    }
    c->result_bytes += more;
    return true;
}

/* An inline payload is the link's for this call only; the reply outlives it. */
static bool keep_payload(struct sl_arena *arena, const struct gw_result *result,
                         struct gw_result_payload *out, struct sl_span *room, struct sl_error *err)
{
    *out = result->payload;
    if (result->release != NULL || out->total_bytes == 0)
        return true;
    uint8_t *copy = sl_arena_get(arena, (size_t)out->total_bytes);
    if (copy == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for a result of %" PRIu64 " bytes",
                     out->total_bytes);
        return false;
    }
    uint8_t *p = copy;
    for (size_t i = 0; i < out->piece_count; p += out->pieces[i].len, i++)
        memcpy(p, out->pieces[i].data, out->pieces[i].len);
    *room = sl_span_of(copy, (size_t)out->total_bytes);
    *out = (struct gw_result_payload){room, 1, out->total_bytes};
    return true;
}

static bool fill_reply(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                       struct sl_error *err)
{
    struct gw_exchange *x = c->exchange;
    struct sl_arena *arena = gw_kept_arena(f, c, result->payload.total_bytes);
    struct gw_result_payload payload;
    struct sl_span kept;
    struct gw_reply_message message;
    struct sl_span id = gw_range_span(c->message->data, c->peek.id);
    if (!keep_payload(arena, result, &payload, &kept, err) ||
        !gw_infer_reply(&c->plan, id, result->outputs, result->output_count, &payload, arena,
                        &message, err))
        return false;
    x->reply.pieces = message.pieces;
    x->reply.piece_count = message.piece_count;
    x->reply.message_bytes = message.total_bytes;
    x->reply.release = result->release;
    x->reply.release_ctx = result->release_ctx;
    gw_kept_take_reply(f, c, result->payload.total_bytes);
    return true;
}

/* Of a call that was over before its node had said that it began. */
static sl_mono_ns started_at(const struct gw_call *c, const struct gw_result *result,
                             sl_mono_ns now)
{
    sl_mono_ns at = now - sl_sat_mul(gw_result_run_us(result), SL_NS_PER_US);
    return at > c->queued_at ? at : c->queued_at;
}

static void add_run(struct gw_fleet_runs *runs, int64_t us)
{
    runs->count++;
    runs->total_us = sl_sat_add(runs->total_us, us);
}

static void count_run(struct gw_fleet_model *m, const struct gw_result *result, int64_t queued_us)
{
    const bool is_good = result->reason == SL_REASON_OK;
    add_run(&m->queued, queued_us);
    add_run(&m->executed, gw_result_run_us(result));
    add_run(is_good ? &m->succeeded : &m->failed, sl_sat_add(queued_us, gw_result_run_us(result)));
    m->engine_runs += is_good && result->run_place == 0;
}

static void tell_times(struct gw_flow *f, struct gw_call *c, const struct gw_result *result)
{
    struct gw_exchange *x = c->exchange;
    if (c->started_at == 0 || result == NULL || !result->was_started)
        return;
    int64_t queued_ns = c->started_at - c->queued_at;
    gw_exchange_add_trailer(x, "sluice-queue-ms", gw_exchange_ms_text(x, queued_ns / SL_NS_PER_US));
    gw_exchange_add_trailer(x, "sluice-exec-ms", gw_exchange_ms_text(x, gw_result_run_us(result)));
    gw_exchange_add_trailer(x, "sluice-node", c->node);
    count_run(c->model, result, queued_ns / SL_NS_PER_US);
    sl_metric_observe_ns(f->metrics.queue_seconds, queued_ns);
    sl_metric_observe_ns(f->metrics.exec_seconds,
                         sl_sat_mul(gw_result_run_us(result), SL_NS_PER_US));
    if (result->run_place == 0)
        sl_metric_observe_count(f->metrics.run_calls,
                                result->run_calls > 1 ? result->run_calls : 1);
}

void gw_call_on_result(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                       sl_mono_ns now)
{
    struct sl_error err = {0};
    c->lease = 0;
    c->usage.was_started = result->was_started;
    c->usage.used_us = result->held_us;
    if (result->was_started)
        start(f, c, started_at(c, result, now), gw_result_run_us(result));
    if (result->reason != SL_REASON_OK)
        sl_error_set(&err, result->reason, "%.*s", (int)result->text.len,
                     (const char *)result->text.data);
    tell_times(f, c, result);
    gw_learning_on_result(f, c, result, now);
    if (result->reason != SL_REASON_OK || !hold_result(f, c, result->payload.total_bytes, &err) ||
        !fill_reply(f, c, result, &err)) {
        release_result(result);
        gw_call_free_result(f, c);
        gw_call_fail(f, c, &err);
        return;
    }
    gw_call_succeed(f, c);
}
