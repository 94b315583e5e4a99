/* gw_call.c - a call in any state: what it waits for, and what can happen to it at any time.
 *
 * Its story, top to bottom: gw_call_open.c > gw_call_enter.c > gw_call_run.c > gw_call_end.c. Each
 * function is one event of the call; what leads from state to state is in gw_call_state.h. */
#include "gw_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "gw_call_eta.h"
#include "gw_watch.h"

struct gw_call *gw_call_find(struct gw_flow *f, uint64_t id)
{
    return id == 0 ? NULL : sl_slot_get(f->calls, id);
}

int64_t gw_call_queue_us(const struct gw_call *c)
{
    return c->started_at == 0 ? 0 : (c->started_at - c->queued_at) / SL_NS_PER_US;
}

void gw_call_set_state(struct gw_flow *f, struct gw_call *c, enum gw_call_state to)
{
    enum gw_call_state from = c->state;
    if (gw_call_move(&c->state, to, &f->counts) == SL_OK) /* the callers check the state first */
        gw_lines_follow(f, c, from);
    gw_watch_note(f, c);
}

bool gw_call_arm(struct gw_flow *f, struct gw_call *c)
{
    sl_mono_ns at = c->outlives_deadline ? SL_MONO_NEVER : c->exchange->req.deadline_at;
    bool waits = c->waits_for_identity || c->waits_for_room || c->waits_for_model ||
                 c->state == GW_CALL_QUEUED || c->state == GW_CALL_DISPATCHED;
    if (waits && c->wait_until < at)
        at = c->wait_until;
    return gw_timers_set(&f->timers, &c->timer, at) == SL_OK;
}

void gw_call_stop_waiting_for_identity(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_identity)
        return;
    c->waits_for_identity = false;
    DL_DELETE2(f->identity_waiting, c, room_prev, room_next);
}

void gw_call_stop_waiting_for_room(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_room)
        return;
    c->waits_for_room = false;
    f->has_new_room = true; /* for those behind it */
    DL_DELETE2(f->room_waiting, c, room_prev, room_next);
}

void gw_call_stop_waiting_for_model(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_model)
        return;
    c->waits_for_model = false;
    DL_DELETE2(f->model_waiting, c, room_prev, room_next);
}

/* ---- what can happen in any state */

/* The sentence is the same for every length that people ask for. */
void gw_call_format_wait(int64_t ns, char out[32])
{
    if (ns % SL_NS_PER_S == 0)
        snprintf(out, 32, "%" PRId64 "s", ns / SL_NS_PER_S);
    else
        sl_text_format_duration(ns, out);
}

static void time_out_waiting(struct gw_flow *f, struct gw_call *c)
{
    struct sl_error err;
    char waited[32];
    if (c->waits_for_identity) {
        sl_text_format_duration(f->conf.identity_wait_ns, waited);
        sl_error_set(&err, SL_REASON_NO_CAPACITY,
                     "the keys of this token's issuer were not there within %s; try again later",
                     waited);
    } else if (c->waits_for_room) {
        sl_text_format_duration(f->conf.body_wait_ns, waited);
        sl_error_set(&err, SL_REASON_NO_CAPACITY,
                     "no room for a message of %" PRIu64
                     " bytes within %s; all messages together may "
                     "have %" PRIu64 ", those of one connection %" PRIu64,
                     c->exchange->message_bytes, waited, f->room.max_bytes,
                     f->room.share_bytes > 0 ? f->room.share_bytes : f->room.max_bytes);
    } else {
        gw_call_format_wait(c->wait_until - c->queued_at, waited);
        sl_error_set(&err, SL_REASON_ALLOCATION_TIMEOUT, "GPU allocation timed out after %s",
                     waited);
        gw_call_tell_retry(c);
        gw_call_eta_end(f, c, c->wait_until);
    }
    gw_call_fail(f, c, &err);
}

/* Others wait for it: it goes on for them. */
static void outlive_deadline(struct gw_flow *f, struct gw_call *c)
{
    c->outlives_deadline = c->is_unclaimed = true;
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

void gw_call_on_timer(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    bool is_late = now >= c->exchange->req.deadline_at && !c->outlives_deadline;
    if (is_late && c->joined != NULL)
        outlive_deadline(f, c);
    else if (is_late)
        gw_call_fail_with(f, c, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
    else if (c->waits_for_model)
        gw_call_enter(f, c, now);
    else
        time_out_waiting(f, c);
}

bool gw_call_outlives_connection(const struct gw_call *c)
{
    bool has_key = c->exchange->req.idempotency_key.data != NULL;
    return c->asks.on_disconnect == GW_ASK_KEEP ||
           (has_key && c->asks.on_disconnect == GW_ASK_UNSAID);
}

/* Who asked for it has its call go on; its reply only tells the net side that it is over. */
static bool goes_on(const struct gw_call *c)
{
    bool is_admitted =
        c->state == GW_CALL_QUEUED || c->state == GW_CALL_DISPATCHED || c->state == GW_CALL_RUNNING;
    return c->joined != NULL ||
           (is_admitted && c->exchange->is_disconnect && gw_call_outlives_connection(c));
}

void gw_call_on_gone(struct gw_flow *f, struct gw_call *c)
{
    if (!goes_on(c)) {
        gw_call_fail_with(f, c, SL_REASON_CANCELLED,
                          "the caller cancelled the call or its connection was lost");
        return;
    }
    c->is_unclaimed = true;
    sl_metric_add(f->metrics.unclaimed, 1);
}
