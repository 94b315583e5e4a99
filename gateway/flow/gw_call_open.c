/* gw_call_open.c - a call's beginning, when its headers are in: its name, who it is from, what it
 * asks for. */
#include "gw_call.h"

#include <string.h>
#include <utlist.h>

#include "gw_kept.h"

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
    if (req->size.data != NULL && !gw_ask_size(&c->asks, req->size, &f->conf.asks, err))
        return false;
    if (req->max_wait.data != NULL && !gw_ask_max_wait(&c->asks, req->max_wait, &f->conf.asks, err))
        return false;
    if (req->watch.data != NULL && !gw_ask_watch(&c->asks, req->watch, err))
        return false;
    return req->on_disconnect.data == NULL ||
           gw_ask_on_disconnect(&c->asks, req->on_disconnect, err);
}

/* Who knows its id may ask for it. */
static void list_name(struct gw_flow *f, struct gw_call *c)
{
    uint8_t id[GW_NAME_BYTES];
    if (sl_text_read_uuid(sl_span_str(c->call_id), id))
        gw_names_add(&f->names, &c->name, id);
}

static bool may_enter(struct gw_flow *f, struct gw_call *c, struct sl_error *err)
{
    bool is_named = take_call_id(f, c, err); /* first: every refusal tells it */
    list_name(f, c);
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
    if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
}

/* Who it is from is known; what came of it meanwhile is taken up. */
static void welcome(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    c->is_known = true;
    if (!take_asks(f, c, &err))
        gw_call_fail(f, c, &err);
    else if (!gw_call_arm(f, c))
        gw_call_fail_with(f, c, SL_REASON_NO_CAPACITY, "no memory for the call");
    else if (c->message != NULL)
        gw_call_peek_and_enter(f, c, now);
    else if (c->has_length)
        gw_call_on_length(f, c, now);
}

void gw_call_identify(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct sl_error err;
    gw_call_stop_waiting_for_identity(f, c);
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
    gw_call_set_state(f, c, GW_CALL_RECEIVING);
    f->opened++;
    gw_peek_init(&c->peek, &x->arena);
    if (may_enter(f, c, &err))
        gw_call_identify(f, c, now);
    else
        gw_call_fail(f, c, &err);
}
