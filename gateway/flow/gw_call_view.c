/* gw_call_view.c - what a caller may see of a call that the flow still has. */
#include "gw_call_eta.h"
#include "gw_watch.h"

static int64_t us_between(sl_mono_ns from, sl_mono_ns until)
{
    return until > from ? (until - from) / SL_NS_PER_US : 0;
}

/* Waiting has ended with its start, or with the call. */
static int64_t queue_us(const struct gw_call *c, sl_mono_ns now)
{
    if (c->queued_at == 0)
        return 0;
    return us_between(c->queued_at, c->started_at != 0 ? c->started_at : now);
}

static int64_t run_us(const struct gw_call *c, sl_mono_ns now)
{
    if (c->state == GW_CALL_ENDED)
        return c->usage.used_us;
    return c->started_at != 0 ? us_between(c->started_at, now) : 0;
}

static void view_end(const struct gw_call *c, struct gw_call_facts *out)
{
    out->reason = c->usage.reason;
    out->charged_us = c->charged_us;
    out->ended_at = c->ended_wall;
    if (c->exchange != NULL && sl_error_is_set(&c->exchange->reply.error))
        out->text = c->exchange->reply.error.text;
}

static void view_wait(struct gw_flow *f, struct gw_call *c, sl_mono_ns now,
                      struct gw_call_facts *out)
{
    const struct gw_call_wait w = gw_call_wait_of(f, c, now);
    out->position = w.position;
    out->waiting = w.waiting;
    out->eta = w.eta;
    out->delayed_by = w.delayed_by;
}

void gw_call_view(struct gw_flow *f, struct gw_call *c, sl_mono_ns now, struct gw_call_facts *out)
{
    *out = (struct gw_call_facts){
        .call_id = c->call_id,
        .state = c->state,
        .model = sl_span_str(c->model != NULL ? c->model->spec.name : ""),
        .node = sl_span_str(c->node),
        .queue_us = queue_us(c, now),
        .run_us = run_us(c, now),
        .limit_us = c->limit_us,
        .text = "",
        .delayed_by = "",
        .now = f->wall_now,
    };
    if (c->state == GW_CALL_ENDED)
        view_end(c, out);
    else
        view_wait(f, c, now, out);
}
