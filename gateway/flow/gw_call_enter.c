/* gw_call_enter.c - a call's message: it gets room and is understood, and the call is admitted to
 * the queue. */
#include "gw_call.h"

#include <inttypes.h>
#include <utlist.h>

#include "gw_call_eta.h"
#include "gw_deadline.h"
#include "gw_kept.h"
#include "gw_watch.h"

/* ---- length: a message that is larger than the first window wants room before it comes */

static bool find_model(struct gw_flow *f, struct gw_call *c, const uint8_t *message,
                       struct sl_error *err)
{
    struct sl_span name = gw_range_span(message, c->peek.model_name);
    struct sl_span version = gw_range_span(message, c->peek.model_version);
    struct gw_fleet_model *m = gw_fleet_find(f->fleet, name);
    if (m == NULL) {
        sl_error_set(err, SL_REASON_MODEL_NOT_FOUND, "no model is named '%.*s'", (int)name.len,
                     (const char *)name.data);
        return false;
    }
    if (version.len > 0 && !sl_span_eq_str(version, m->spec.version)) {
        sl_error_set(err, SL_REASON_MODEL_NOT_FOUND,
                     "model '%s' has no version '%.*s'; it has '%s'", m->spec.name,
                     (int)version.len, (const char *)version.data, m->spec.version);
        return false;
    }
    if (c->model != NULL) /* found by the message's head; it may have changed since */
        gw_fleet_unhold(f->fleet, c->model);
    c->model = m;
    gw_fleet_hold(m);
    return true;
}

/* A gateway that was started again does not know models before their executors have found it: not yet is
 * not never. */
static bool is_early(const struct gw_flow *f, sl_mono_ns now)
{
    return now < sl_sat_add(f->conf.started_at, f->conf.models_wait_ns);
}

static bool may_still_come(struct gw_flow *f, const struct gw_call *c, const uint8_t *message,
                           sl_mono_ns now)
{
    return is_early(f, now) &&
           gw_fleet_find(f->fleet, gw_range_span(message, c->peek.model_name)) == NULL;
}

/* What the first window shows of a large message: a request that cannot be served is refused before
 * its tensors are received. Inputs come before their bytes, so the model's name has been seen with
 * them. */
static bool fits_so_far(struct gw_flow *f, struct gw_call *c, sl_mono_ns now, struct sl_error *err)
{
    struct sl_span head = c->exchange->head;
    if (!gw_peek_feed(&c->peek, head.data, head.len, (size_t)c->exchange->message_bytes, err))
        return false;
    if (c->peek.model_name.length == 0 || c->peek.input_count == 0 ||
        may_still_come(f, c, head.data, now))
        return true;
    return find_model(f, c, head.data, err) &&
           gw_plan_check_inputs(&c->peek, head.data, &c->model->spec, err);
}

static sl_status reserve(struct gw_flow *f, struct gw_call *c, uint64_t bytes)
{
    sl_status s = gw_room_take(&f->room, c->room_connection, bytes);
    if (s != SL_OK)
        return s;
    c->reserved_bytes += bytes;
    sl_metric_set(f->metrics.body_bytes, (int64_t)f->room.used_bytes);
    return SL_OK;
}

/* Only messages beyond the first window count against their connection's share: smaller ones are bounded by
 * its streams, and cheaper than the book-keeping. */
void gw_call_on_length(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    if (c->state != GW_CALL_RECEIVING)
        return;
    c->has_length = c->waits_for_identity; /* then it is looked at later */
    if (c->has_length)
        return;
    if (!fits_so_far(f, c, now, &err)) {
        gw_call_fail(f, c, &err);
        return;
    }
    c->room_connection = c->exchange->net_connection;
    if (f->room_waiting == NULL && reserve(f, c, c->exchange->message_bytes) == SL_OK) {
        f->ports.net.post(f->ports.net.ctx, c->exchange, GW_TO_NET_GRANT);
        return;
    }
    c->waits_for_room = true;
    c->wait_until = sl_sat_add(now, f->conf.body_wait_ns);
    DL_APPEND2(f->room_waiting, c, room_prev, room_next);
    f->has_new_room = true; /* those before it may wait for their connections' shares only */
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

static void grant(struct gw_flow *f, struct gw_call *c)
{
    gw_call_stop_waiting_for_room(f, c);
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
    else
        f->ports.net.post(f->ports.net.ctx, c->exchange, GW_TO_NET_GRANT);
}

/* In their order, so that a large one is not passed for ever; whose connection has used up its share is. */
void gw_call_grant_waiting(struct gw_flow *f)
{
    struct gw_call *c, *next;
    if (!f->has_new_room)
        return;
    DL_FOREACH_SAFE2(f->room_waiting, c, next, room_next)
    {
        sl_status s = reserve(f, c, c->exchange->message_bytes);
        if (s == SL_OK)
            grant(f, c);
        else if (s == SL_EFULL)
            break;
    }
    f->has_new_room = false;
}

/* ---- message: all of it is here */

/* What typed contents become is a body like the message, and counts like it. */
static bool convert(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    if (c->plan.converted_bytes == 0)
        return true;
    if (reserve(f, c, c->plan.converted_bytes) != SL_OK) {
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "the gateway has no room now for typed contents of %" PRIu64
                     " bytes; raw_input_contents need none",
                     c->plan.converted_bytes);
        return false;
    }
    c->converted = gw_body_create_large(f->alloc, f->conf.bodies, (size_t)c->plan.converted_bytes);
    if (c->converted == NULL) {
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "no memory for typed contents of %" PRIu64 " bytes", c->plan.converted_bytes);
        return false;
    }
    return gw_plan_convert(&c->plan, c->message->data, c->converted->data, err);
}

static bool peek_all(struct gw_call *c, struct sl_error *err)
{
    return gw_peek_feed(&c->peek, c->message->data, c->message->len, c->message->len, err);
}

/* How long it may have its slice: as it says, else as its model says. */
static bool declare(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const struct gw_model_spec *spec = &c->model->spec;
    if (c->asks.duration_us > 0 || c->model->duration == NULL) {
        c->asks.is_auto |= c->asks.duration_us == 0 && gw_model_is_auto(spec);
        return gw_asks_limit_us(&c->asks, spec, &f->conf.asks, &c->limit_us, err);
    }
    const struct gw_duration_facts facts = {&c->plan, &c->peek, c->message->data};
    return f->ports.durations->evaluate(c->model->duration, &facts,
                                        gw_asks_most_us(spec, &f->conf.asks), &c->limit_us, err);
}

/* What it asks for, or its model's. Errors: SIZE_UNAVAILABLE. */
static bool choose_size(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const struct gw_tiers *tiers = f->conf.tiers;
    const struct gw_size *size =
        c->asks.size != NULL ? c->asks.size : gw_fleet_size_of(c->model, tiers);
    c->size = (size_t)(size - tiers->sizes);
    if (gw_fleet_may_serve(c->model, size))
        return true;
    gw_fleet_refuse_size(c->model, size, tiers, err);
    return false;
}

static bool understand(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const uint8_t *message = c->message->data;
    return find_model(f, c, message, err) &&
           gw_asks_from_params(&c->asks, &c->peek, message, &f->conf.asks, err) &&
           choose_size(f, c, err) &&
           gw_plan_make(&c->plan, &c->peek, message, &c->model->spec, f->conf.max_message_bytes,
                        &c->exchange->arena, err) &&
           declare(f, c, err) && convert(f, c, err);
}

/* When half of those that wait for the model now will be over, as far as is known. */
void gw_call_tell_retry(struct gw_call *c)
{
    enum { LEAST_MS = 100, MOST_MS = 60000 };
    int64_t backlog_us = gw_fleet_backlog_us(c->model);
    if (backlog_us < 0)
        return;
    int64_t ms = backlog_us / 2 / (SL_NS_PER_MS / SL_NS_PER_US);
    c->exchange->reply.retry_after_ms = ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

/* ---- admitted: its time is held, and it stands in the queue */

/* false: refused, with the sentence. */
static bool has_room(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    size_t limit;
    bool is_of_tier;
    if (gw_sched_room(&f->sched, c->who.tier, &limit, &is_of_tier) == SL_OK)
        return true;
    if (is_of_tier)
        sl_error_set(err, SL_REASON_QUEUE_FULL,
                     "%zu calls of tier '%s' are waiting, which is the limit of a tier", limit,
                     f->conf.tiers->tiers[c->who.tier].name);
    else
        sl_error_set(err, SL_REASON_QUEUE_FULL, "%zu calls are waiting, which is the queue's limit",
                     limit);
    gw_call_tell_retry(c);
    return false;
}

/* By the operator's longest wait, not its own: see decision 024. */
static int64_t key_of(const struct gw_flow *f, const struct gw_call *c, sl_gpu_us used_us,
                      sl_gpu_us quota_us)
{
    return gw_deadline_us(&(struct gw_deadline_ask){
        .arrived_us = c->queued_at / SL_NS_PER_US,
        .declared_us = c->limit_us,
        .used_us = used_us,
        .limit_us = quota_us,
        .max_wait_us = f->conf.asks.max_wait_default_ns / SL_NS_PER_US,
    });
}

static struct gw_queue_ask ask_of(const struct gw_flow *f, const struct gw_call *c, int64_t key_us)
{
    return (struct gw_queue_ask){
        .key_us = key_us,
        .arrived_us = c->queued_at / SL_NS_PER_US,
        .arrival = c->arrival,
        .expected_us = gw_fleet_expected_us(c->model, c->limit_us),
        .limit_us = c->limit_us,
        .is_guess = !gw_fleet_knows_time(c->model),
        .factor_thousandths = gw_money_size(f, c)->factor_thousandths,
        .tier = c->who.tier,
        .size = (uint8_t)c->size,
        .app = c->who.app,
    };
}

/* What calls of unknown models declare says little about how long they take: nobody is sent away for that. */
static void forget_guesses(const struct gw_queue *q, struct gw_sched_place *place)
{
    size_t count = q->guesses.count;
    int64_t left_us = place->work_before_us - q->guesses.work_us;
    place->before = place->before > count ? place->before - count : 0;
    place->work_before_us = left_us > 0 && place->before > 0 ? left_us : 0;
}

/* How long it would wait if it came in now, as far as the order and the work before it tell; 0: nobody knows, or it
 * would not. Nothing is held yet. */
static int64_t wait_us(struct gw_flow *f, const struct gw_call *c)
{
    enum { HOPEFUL_PART = 4 }; /* of what it may wait: less than that is not looked at closely */
    struct gw_quota q;
    struct gw_sched_place place;
    size_t slices = gw_sched_slice_count(&f->sched, c->model);
    if (f->sched.queue.counts[0] == 0 || slices == 0)
        return 0;
    gw_ledger_quota(f->ledger, &c->who, f->conf.tiers, f->wall_now, &q);
    const struct gw_queue_ask ask =
        ask_of(f, c, key_of(f, c, q.spent_us + q.held_us, sl_sat_add(q.limit_us, q.granted_us)));
    if (!gw_sched_place_of(&f->sched, c->model, &ask, &place))
        return 0;
    forget_guesses(&f->sched.queue, &place);
    int64_t coarse_us = place.work_before_us / (int64_t)slices;
    if (coarse_us < (c->wait_until - c->queued_at) / SL_NS_PER_US / HOPEFUL_PART)
        return 0;
    int64_t p50_us = gw_call_eta_at(f, c, &place, c->queued_at).p50_us;
    return p50_us > 0 ? p50_us : 0;
}

/* Better than a wait in vain: it is told at once. false: refused, with the sentence. */
static bool has_hope(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    enum { MS_MIN = 100, MS_MAX = 60000 };
    char wait[32], longest[32];
    int64_t wait_ns = sl_sat_mul(wait_us(f, c), SL_NS_PER_US);
    int64_t longest_ns = c->wait_until - c->queued_at;
    if (wait_ns <= longest_ns)
        return true;
    gw_call_format_wait(wait_ns / SL_NS_PER_S * SL_NS_PER_S, wait);
    gw_call_format_wait(longest_ns, longest);
    sl_error_set(err, SL_REASON_QUEUE_FULL,
                 "the call would wait for about %s, and is to wait for %s at most; say "
                 "sluice-max-wait to wait longer, or try again later",
                 wait, longest);
    int64_t ms = (wait_ns - longest_ns) / SL_NS_PER_MS;
    c->exchange->reply.retry_after_ms = ms < MS_MIN ? MS_MIN : ms > MS_MAX ? MS_MAX : ms;
    return false;
}

static bool queue(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const struct gw_queue_ask ask =
        ask_of(f, c, c->is_background ? 0 : key_of(f, c, c->used_us, c->quota_us));
    if (gw_sched_push(&f->sched, c->model, &c->queue_item, &ask, c->is_background) == SL_OK)
        return true;
    sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the call to wait");
    return false;
}

static void admit(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    int64_t wait = c->asks.max_wait_ns > 0 ? c->asks.max_wait_ns : f->conf.asks.max_wait_default_ns;
    c->queued_at = now;
    c->wait_until = sl_sat_add(now, wait);
    c->arrival = f->next_arrival++;
    if (!has_room(f, c, &err) || !has_hope(f, c, &err) || !gw_receipts_may_admit(f, &err) ||
        !gw_kept_enter(f, c, now, &err) || !gw_money_hold(f, c, &err) || !queue(f, c, &err)) {
        gw_call_fail(f, c, &err);
        return;
    }
    sl_metric_add(f->metrics.background, c->is_background);
    gw_call_set_state(f, c, GW_CALL_QUEUED);
    f->is_stuck = false;
    if (!gw_call_arm(f, c)) {
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
        return;
    }
    gw_call_eta_begin(f, c, now);
    if (c->asks.is_watched)
        gw_watch_head(f, c, now);
}

static void wait_for_model(struct gw_flow *f, struct gw_call *c)
{
    c->waits_for_model = true;
    c->wait_until = sl_sat_add(f->conf.started_at, f->conf.models_wait_ns);
    DL_APPEND2(f->model_waiting, c, room_prev, room_next);
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

/* Its message has been peeked at; what comes first in the list was received first. */
void gw_call_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err = {0};
    gw_call_stop_waiting_for_model(f, c);
    if (may_still_come(f, c, c->message->data, now))
        wait_for_model(f, c);
    else if (understand(f, c, &err))
        admit(f, c, now);
    else if (err.reason == SL_REASON_SIZE_UNAVAILABLE && is_early(f, now))
        wait_for_model(f, c); /* on a node that has such a slice */
    else
        gw_call_fail(f, c, &err);
}

void gw_call_enter_waiting(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_call *last = f->model_waiting != NULL ? f->model_waiting->room_prev : NULL;
    for (struct gw_call *c = NULL; c != last;) {
        c = f->model_waiting;
        gw_call_enter(f, c, now); /* those that wait on stand at the end again */
    }
}

void gw_call_peek_and_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err = {0};
    if (c->reserved_bytes == 0 && reserve(f, c, c->message->len) != SL_OK)
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY,
                          "the gateway has no room for another message now");
    else if (!peek_all(c, &err))
        gw_call_fail(f, c, &err);
    else if (gw_kept_meet(f, c, now))
        gw_call_enter(f, c, now);
}

void gw_call_on_message(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct gw_body *body = c->exchange->body;
    c->exchange->body = NULL;
    if (c->state != GW_CALL_RECEIVING) {
        gw_body_release(body); /* refused while it was coming */
        return;
    }
    c->message = body;
    if (!c->waits_for_identity)
        gw_call_peek_and_enter(f, c, now);
}
