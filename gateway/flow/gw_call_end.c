/* gw_call_end.c - a call's end, whatever led there: it is settled, gives back what it has, gets its
 * reply, and goes when nobody has to do with it any more. */
#include "gw_call.h"

#include "gw_kept.h"
#include "gw_watch.h"

void gw_call_drop_message(struct gw_flow *f, struct gw_call *c)
{
    gw_body_release(c->message);
    gw_body_release(c->converted);
    c->message = c->converted = NULL;
    if (c->reserved_bytes == 0)
        return;
    gw_room_give(&f->room, c->room_connection, c->reserved_bytes);
    f->has_new_room = true;
    c->reserved_bytes = 0;
    sl_metric_set(f->metrics.body_bytes, (int64_t)f->room.used_bytes);
}

void gw_call_free_result(struct gw_flow *f, struct gw_call *c)
{
    gw_flow_give_result(f, c->result_bytes);
    c->result_bytes = 0;
}

/* The call no longer waits for its lease; the slice stays taken until its node says that it is
 * free. */
static void recall(struct gw_flow *f, struct gw_call *c)
{
    struct gw_fleet_lease *lease = gw_fleet_find_lease(f->fleet, c->lease);
    c->lease = 0;
    if (lease == NULL)
        return;
    lease->call = c->owes ? c->id : 0;
    lease->is_recalled = true;
    lease->recalled_at = f->turn_at;
    f->ports.link.cancel(f->ports.link.ctx, lease->slice->node, lease->id);
}

void gw_exchange_add_trailer(struct gw_exchange *x, const char *name, const char *value)
{
    struct gw_reply *r = &x->reply;
    if (value != NULL && r->trailer_count < GW_TRAILERS_MAX)
        r->trailers[r->trailer_count++] = (struct gw_trailer){name, value};
}

const char *gw_exchange_ms_text(struct gw_exchange *x, int64_t us)
{
    char text[32];
    sl_text_format_ms(us, text);
    return sl_arena_str(&x->arena, sl_span_str(text));
}

/* Its receipt names it, and who watches it is told it. */
static void forget_model(struct gw_flow *f, struct gw_call *c)
{
    if (c->model == NULL || c->owes || c->awaits_room)
        return;
    gw_fleet_unhold(f->fleet, c->model);
    c->model = NULL;
}

/* What it used is known, unless its lease is still out. */
static void settle(struct gw_flow *f, struct gw_call *c, enum sl_reason reason)
{
    c->usage.reason = reason;
    if (c->hold != 0 && gw_fleet_find_lease(f->fleet, c->lease) != NULL)
        gw_money_owe(f, c);
    else
        gw_money_settle(f, c);
    gw_money_tell(f, c);
    gw_kept_tell(c);
}

/* The one place where a call ends: it leaves every list, and its exchange gets its reply. */
static void end(struct gw_flow *f, struct gw_call *c, enum sl_reason reason)
{
    gw_timers_clear(&f->timers, &c->timer);
    gw_sched_remove(&f->sched, &c->queue_item);
    gw_call_stop_waiting_for_identity(f, c);
    gw_call_stop_waiting_for_room(f, c);
    gw_call_stop_waiting_for_model(f, c);
    gw_kept_leave(f, c);
    settle(f, c, reason);
    recall(f, c);
    gw_call_drop_message(f, c);
    gw_call_set_state(f, c, GW_CALL_ENDED);
    f->ended[reason]++;
    f->is_stuck = false;
    sl_metric_add(f->metrics.calls[reason], 1);
    if (!gw_receipts_hold_reply(f, c))
        gw_call_reply(f, c);
    gw_kept_conclude(f, c);
}

void gw_call_reply(struct gw_flow *f, struct gw_call *c)
{
    c->exchange->flow_replied = true;
    f->ports.net.post(f->ports.net.ctx, c->exchange, GW_TO_NET_REPLY);
    gw_watch_end(f, c);
    forget_model(f, c);
}

void gw_call_fail(struct gw_flow *f, struct gw_call *c, const struct sl_error *err)
{
    if (c->state == GW_CALL_ENDED || c->is_sent)
        return;
    c->exchange->reply.error = *err;
    gw_kept_take_error(f, c);
    gw_exchange_add_trailer(c->exchange, "sluice-call-id", c->call_id);
    end(f, c, err->reason);
}

void gw_call_succeed(struct gw_flow *f, struct gw_call *c)
{
    gw_exchange_add_trailer(c->exchange, "sluice-call-id", c->call_id);
    end(f, c, SL_REASON_OK);
}

void gw_call_fail_with(struct gw_flow *f, struct gw_call *c, enum sl_reason reason,
                       const char *text)
{
    struct sl_error err;
    sl_error_set(&err, reason, "%s", text);
    gw_call_fail(f, c, &err);
}

/* ---- after its end */

void gw_call_let_go(struct gw_flow *f, struct gw_call *c)
{
    forget_model(f, c);
    if (!c->is_sent || c->owes || c->awaits_room || gw_kept_is_open(c))
        return;
    gw_names_remove(&c->name);
    sl_status s = sl_slot_put(f->calls, c->id);
    (void)s; /* it was in its place */
}

void gw_call_on_late_end(struct gw_flow *f, struct gw_call *c, bool was_started, int64_t held_us)
{
    gw_money_pay(f, c, was_started, held_us);
    gw_kept_conclude(f, c);
    gw_call_let_go(f, c);
}

void gw_call_on_sent(struct gw_flow *f, struct gw_call *c)
{
    gw_call_free_result(f, c);
    sl_status s = gw_call_gone(&c->state, &f->counts);
    (void)s; /* it has ended, or it would have no reply */
    c->is_sent = true;
    c->exchange = NULL;
    gw_call_let_go(f, c);
}
