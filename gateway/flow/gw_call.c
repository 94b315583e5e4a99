/* gw_call.c - the story of one call, top to bottom: open > length > message > queued > dispatched >
 * running > ended. Each function is one event of the call; what leads from state to state is in
 * gw_call_state.h. */
#include "gw_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "gw_kept.h"

enum { RETURNS_MAX = 3 };

struct gw_call *gw_call_find(struct gw_flow *f, uint64_t id)
{
    return id == 0 ? NULL : sl_slot_get(f->calls, id);
}

int64_t gw_call_queue_us(const struct gw_call *c)
{
    return c->started_at == 0 ? 0 : (c->started_at - c->queued_at) / SL_NS_PER_US;
}

static void move(struct gw_flow *f, struct gw_call *c, enum gw_call_state to)
{
    sl_status s = gw_call_move(&c->state, to, &f->counts);
    (void)s; /* the callers below check the state first; gw_call_move refuses anything else */
}

/* The earliest instant at which the call must be looked at in its state. */
static bool arm(struct gw_flow *f, struct gw_call *c)
{
    sl_mono_ns at = c->outlives_deadline ? SL_MONO_NEVER : c->exchange->req.deadline_at;
    bool waits = c->waits_for_identity || c->waits_for_room || c->waits_for_model ||
                 c->state == GW_CALL_QUEUED || c->state == GW_CALL_DISPATCHED;
    if (waits && c->wait_until < at)
        at = c->wait_until;
    return gw_timers_set(&f->timers, &c->timer, at) == SL_OK;
}

/* ---- the end, whatever led there */

static void stop_waiting_for_identity(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_identity)
        return;
    c->waits_for_identity = false;
    DL_DELETE2(f->identity_waiting, c, room_prev, room_next);
}

static void stop_waiting_for_room(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_room)
        return;
    c->waits_for_room = false;
    f->has_new_room = true; /* for those behind it */
    DL_DELETE2(f->room_waiting, c, room_prev, room_next);
}

static void stop_waiting_for_model(struct gw_flow *f, struct gw_call *c)
{
    if (!c->waits_for_model)
        return;
    c->waits_for_model = false;
    DL_DELETE2(f->model_waiting, c, room_prev, room_next);
}

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

static void free_result(struct gw_flow *f, struct gw_call *c)
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

static void add_run(struct gw_fleet_runs *runs, int64_t us)
{
    runs->count++;
    runs->total_us = sl_sat_add(runs->total_us, us);
}

static void count_run(struct gw_fleet_model *m, bool is_good, int64_t queued_us, int64_t held_us)
{
    add_run(&m->queued, queued_us);
    add_run(&m->executed, held_us);
    add_run(is_good ? &m->succeeded : &m->failed, sl_sat_add(queued_us, held_us));
}

static void tell_times(struct gw_flow *f, struct gw_call *c, const struct gw_result *result)
{
    struct gw_exchange *x = c->exchange;
    if (c->started_at == 0 || result == NULL || !result->was_started)
        return;
    int64_t queued_ns = c->started_at - c->queued_at;
    gw_exchange_add_trailer(x, "sluice-queue-ms", gw_exchange_ms_text(x, queued_ns / SL_NS_PER_US));
    gw_exchange_add_trailer(x, "sluice-exec-ms", gw_exchange_ms_text(x, result->held_us));
    gw_exchange_add_trailer(x, "sluice-node", c->node);
    count_run(c->model, result->reason == SL_REASON_OK, queued_ns / SL_NS_PER_US, result->held_us);
    sl_metric_observe_ns(f->metrics.queue_seconds, queued_ns);
    sl_metric_observe_ns(f->metrics.exec_seconds, sl_sat_mul(result->held_us, SL_NS_PER_US));
}

/* Its receipt names it. */
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
    gw_queue_remove(gw_background_queue_of(f, c), &c->queue_item);
    stop_waiting_for_identity(f, c);
    stop_waiting_for_room(f, c);
    stop_waiting_for_model(f, c);
    gw_kept_leave(f, c);
    settle(f, c, reason);
    recall(f, c);
    gw_call_drop_message(f, c);
    forget_model(f, c);
    move(f, c, GW_CALL_ENDED);
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

static void fail(struct gw_flow *f, struct gw_call *c, enum sl_reason reason, const char *text)
{
    struct sl_error err;
    sl_error_set(&err, reason, "%s", text);
    gw_call_fail(f, c, &err);
}

/* ---- open: the headers are in */

/* The name that the request brought or that the net side gave it, else a new one. */
static bool name_exchange(struct gw_flow *f, const struct gw_exchange *x,
                          char out[SL_UUID_TEXT_LEN + 1])
{
    struct sl_span said = x->req.call_id;
    bool is_named = sl_text_is_uuid(said);
    if (is_named) {
        memcpy(out, said.data, SL_UUID_TEXT_LEN);
        out[SL_UUID_TEXT_LEN] = '\0';
    } else {
        uint64_t high = sl_rng_u64(&f->rng);
        sl_text_make_uuid(high, sl_rng_u64(&f->rng), out);
    }
    return is_named || said.data == NULL;
}

void gw_exchange_tell_name(struct gw_flow *f, struct gw_exchange *x)
{
    char id[SL_UUID_TEXT_LEN + 1];
    (void)name_exchange(f, x, id);
    gw_exchange_add_trailer(x, "sluice-call-id", sl_arena_str(&x->arena, sl_span_str(id)));
}

static bool take_call_id(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    struct sl_span said = c->exchange->req.call_id;
    if (!name_exchange(f, c->exchange, c->call_id)) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "sluice-call-id '%.*s' is not a UUID in lower case (8-4-4-4-12)",
                     (int)said.len, (const char *)said.data);
        sl_error_set_field(err, "sluice-call-id");
        return false;
    }
    return true;
}

static bool take_asks(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const struct gw_request *req = &c->exchange->req;
    if (req->idempotency_key.data != NULL && !gw_kept_is_key(req->idempotency_key, err))
        return false;
    if (req->duration.data != NULL && !gw_ask_duration(&c->asks, req->duration, err))
        return false;
    if (req->size.data != NULL && !gw_ask_size(&c->asks, req->size, err))
        return false;
    if (req->max_wait.data != NULL && !gw_ask_max_wait(&c->asks, req->max_wait, &f->conf.asks, err))
        return false;
    return req->on_disconnect.data == NULL ||
           gw_ask_on_disconnect(&c->asks, req->on_disconnect, err);
}

static bool may_enter(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    bool is_named = take_call_id(f, c, err); /* first: every refusal tells it */
    if (is_named && f->refuses_new) {
        sl_error_set(err, SL_REASON_DRAINING, "the gateway is stopping and takes no new calls");
        return false;
    }
    return is_named;
}

/* There is no place for the call, so it ends before it is one; it is counted all the same. */
static void refuse_uncalled(struct gw_flow *f, struct gw_exchange *x, sl_status why)
{
    struct sl_error err;
    if (why == SL_EFULL)
        sl_error_set(&err, SL_REASON_QUEUE_FULL, "the gateway has %zu calls, which is its limit",
                     f->conf.max_calls);
    else
        sl_error_set(&err, SL_REASON_NO_CAPACITY, "no memory for the call");
    f->ended[err.reason]++;
    sl_metric_add(f->metrics.calls[err.reason], 1);
    gw_exchange_refuse(f, x, &err);
}

enum gw_identity_answer gw_exchange_identify(struct gw_flow *f, const struct gw_exchange *x,
                                             struct gw_principal *out, struct sl_error *err)
{
    const struct gw_request *req = &x->req;
    const struct gw_credentials credentials = {
        .origin = req->from,
        .authorization = req->authorization,
        .x_ip_token = req->x_ip_token,
        .cookie = req->cookie,
        .forwarded = req->forwarded,
    };
    return f->ports.auth.identify(f->ports.auth.ctx, &credentials, out, err);
}

static void wait_for_identity(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    if (c->wait_until == 0) /* it was never put off before */
        c->wait_until = sl_sat_add(now, f->conf.identity_wait_ns);
    c->waits_for_identity = true;
    DL_APPEND2(f->identity_waiting, c, room_prev, room_next);
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

static void peek_and_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now);

/* Who it is from is known; what came of it meanwhile is taken up. */
static void welcome(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    c->is_known = true;
    if (!take_asks(f, c, &err))
        gw_call_fail(f, c, &err);
    else if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
    else if (c->message != NULL)
        peek_and_enter(f, c, now);
    else if (c->has_length)
        gw_call_on_length(f, c, now);
}

void gw_call_identify(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    stop_waiting_for_identity(f, c);
    switch (gw_exchange_identify(f, c->exchange, &c->who, &err)) {
    case GW_IDENTITY_KNOWN:
        welcome(f, c, now);
        break;
    case GW_IDENTITY_REFUSED:
        gw_call_fail(f, c, &err);
        break;
    case GW_IDENTITY_LATER:
        wait_for_identity(f, c, now);
        break;
    }
}

void gw_call_open(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now)
{
    sl_slot_id id;
    void *object;
    struct sl_error err;
    sl_status s = sl_slot_take(f->calls, &id, &object);
    if (s != SL_OK) {
        refuse_uncalled(f, x, s);
        return;
    }
    struct gw_call *c = object;
    c->id = id;
    c->exchange = x;
    x->flow_call = id;
    move(f, c, GW_CALL_RECEIVING);
    f->opened++;
    gw_peek_init(&c->peek, &x->arena);
    if (may_enter(f, c, &err))
        gw_call_identify(f, c, now);
    else
        gw_call_fail(f, c, &err);
}

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
static bool may_still_come(struct gw_flow *f, const struct gw_call *c, const uint8_t *message,
                           sl_mono_ns now)
{
    return now < sl_sat_add(f->conf.started_at, f->conf.models_wait_ns) &&
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
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

static void grant(struct gw_flow *f, struct gw_call *c)
{
    stop_waiting_for_room(f, c);
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
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

static bool understand(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    const uint8_t *message = c->message->data;
    return find_model(f, c, message, err) &&
           gw_asks_from_params(&c->asks, &c->peek, message, &f->conf.asks, err) &&
           gw_asks_limit_us(&c->asks, &c->model->spec, &f->conf.asks, &c->limit_us, err) &&
           gw_plan_make(&c->plan, &c->peek, message, &c->model->spec, f->conf.max_message_bytes,
                        &c->exchange->arena, err) &&
           convert(f, c, err);
}

/* When half of those that wait for the model now will be over, as far as is known. */
static void tell_retry(struct gw_call *c)
{
    enum { LEAST_MS = 100, MOST_MS = 60000 };
    int64_t backlog_us = gw_fleet_backlog_us(c->model);
    if (backlog_us < 0)
        return;
    int64_t ms = backlog_us / 2 / (SL_NS_PER_MS / SL_NS_PER_US);
    c->exchange->reply.retry_after_ms = ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

static void admit(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    int64_t wait = c->asks.max_wait_ns > 0 ? c->asks.max_wait_ns : f->conf.asks.max_wait_default_ns;
    c->queued_at = now;
    c->wait_until = sl_sat_add(now, wait);
    c->arrival = f->next_arrival++;
    if (gw_queue_push(&f->queue, &c->model->pool, &c->queue_item, c->arrival) != SL_OK) {
        sl_error_set(&err, SL_REASON_QUEUE_FULL,
                     "%zu calls are waiting, which is the queue's limit", f->conf.max_queued);
        tell_retry(c);
        gw_call_fail(f, c, &err);
        return;
    }
    if (!gw_receipts_may_admit(f, &err) || !gw_kept_enter(f, c, now, &err) ||
        !gw_money_hold(f, c, &err)) {
        gw_call_fail(f, c, &err);
        return;
    }
    if (c->is_background)
        gw_background_enter(f, c);
    move(f, c, GW_CALL_QUEUED);
    f->is_stuck = false;
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

static void wait_for_model(struct gw_flow *f, struct gw_call *c)
{
    c->waits_for_model = true;
    c->wait_until = sl_sat_add(f->conf.started_at, f->conf.models_wait_ns);
    DL_APPEND2(f->model_waiting, c, room_prev, room_next);
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

/* Its message has been peeked at; what comes first in the list was received first. */
void gw_call_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err = {0};
    stop_waiting_for_model(f, c);
    if (may_still_come(f, c, c->message->data, now))
        wait_for_model(f, c);
    else if (!understand(f, c, &err))
        gw_call_fail(f, c, &err);
    else
        admit(f, c, now);
}

void gw_call_enter_waiting(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_call *last = f->model_waiting != NULL ? f->model_waiting->room_prev : NULL;
    for (struct gw_call *c = NULL; c != last;) {
        c = f->model_waiting;
        gw_call_enter(f, c, now); /* those that wait on stand at the end again */
    }
}

/* All of its message is here, and who it is from is known. */
static void peek_and_enter(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err = {0};
    if (c->reserved_bytes == 0 && reserve(f, c, c->message->len) != SL_OK)
        fail(f, c, SL_REASON_NO_CAPACITY, "the gateway has no room for another message now");
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
        peek_and_enter(f, c, now);
}

/* ---- dispatched, started, over */

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
    struct gw_pool *pool = c->is_background ? &c->model->background : &c->model->pool;
    move(f, c, GW_CALL_QUEUED);
    gw_queue_return(gw_background_queue_of(f, c), pool, &c->queue_item, c->arrival);
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
    gw_fleet_end_lease(f->fleet, lease, -1, now);
    if (why == SL_EFULL) {
        gw_fleet_set_full(f->fleet, node); /* the others may take theirs */
        queue_again(f, c);
    } else if (why == SL_ETOOBIG) {
        fail(f, c, SL_REASON_TOO_LARGE, "the request's names and parameters are over 1 MiB");
    } else {
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory to send the call to its executor");
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
    gw_queue_remove(gw_background_queue_of(f, c), &c->queue_item);
    move(f, c, GW_CALL_DISPATCHED);
    c->lease = lease->id;
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
    move(f, c, GW_CALL_RUNNING);
    c->started_at = at;
    c->model->call_count++;
    gw_money_start(f, c, ago_us);
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

void gw_call_on_started(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    start(f, c, now, 0);
}

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
    sl_mono_ns at = now - sl_sat_mul(result->held_us, SL_NS_PER_US);
    return at > c->queued_at ? at : c->queued_at;
}

void gw_call_on_result(struct gw_flow *f, struct gw_call *c, const struct gw_result *result,
                       sl_mono_ns now)
{
    struct sl_error err = {0};
    c->lease = 0;
    c->usage.was_started = result->was_started;
    c->usage.used_us = result->held_us;
    if (result->was_started)
        start(f, c, started_at(c, result, now), result->held_us);
    if (result->reason != SL_REASON_OK)
        sl_error_set(&err, result->reason, "%.*s", (int)result->text.len,
                     (const char *)result->text.data);
    tell_times(f, c, result);
    if (result->reason == SL_REASON_OK)
        gw_learn_add(&c->model->learn, result->held_us);
    if (result->reason != SL_REASON_OK || !hold_result(f, c, result->payload.total_bytes, &err) ||
        !fill_reply(f, c, result, &err)) {
        release_result(result);
        free_result(f, c);
        gw_call_fail(f, c, &err);
        return;
    }
    gw_call_succeed(f, c);
}

void gw_call_on_unplaced(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    (void)now;
    c->lease = 0;
    if (c->state == GW_CALL_RUNNING) {
        fail(f, c, SL_REASON_EXECUTOR_LOST, "the executor was lost while it ran the call");
    } else if (c->state == GW_CALL_DISPATCHED && ++c->returns > RETURNS_MAX) {
        fail(f, c, SL_REASON_NO_CAPACITY, "executors gave the call back more than 3 times");
    } else if (c->state == GW_CALL_DISPATCHED) {
        queue_again(f, c);
        sl_metric_add(f->metrics.requeued, 1);
        f->is_stuck = false;
    }
}

/* ---- what can happen in any state */

/* In seconds when they are whole ("60s"): the sentence is the same for every length that people ask
 * for. */
static void format_wait(int64_t ns, char out[32])
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
        format_wait(c->wait_until - c->queued_at, waited);
        sl_error_set(&err, SL_REASON_ALLOCATION_TIMEOUT, "GPU allocation timed out after %s",
                     waited);
        tell_retry(c);
    }
    gw_call_fail(f, c, &err);
}

/* Others wait for it: it goes on for them. */
static void outlive_deadline(struct gw_flow *f, struct gw_call *c)
{
    c->outlives_deadline = c->is_unclaimed = true;
    if (!arm(f, c))
        fail(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

void gw_call_on_timer(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    bool is_late = now >= c->exchange->req.deadline_at && !c->outlives_deadline;
    if (is_late && c->joined != NULL)
        outlive_deadline(f, c);
    else if (is_late)
        fail(f, c, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
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
        fail(f, c, SL_REASON_CANCELLED, "the caller cancelled the call or its connection was lost");
        return;
    }
    c->is_unclaimed = true;
    sl_metric_add(f->metrics.unclaimed, 1);
}

void gw_call_let_go(struct gw_flow *f, struct gw_call *c)
{
    forget_model(f, c);
    if (!c->is_sent || c->owes || c->awaits_room || gw_kept_is_open(c))
        return;
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
    free_result(f, c);
    sl_status s = gw_call_gone(&c->state, &f->counts);
    (void)s; /* it has ended, or it would have no reply */
    c->is_sent = true;
    c->exchange = NULL;
    gw_call_let_go(f, c);
}
