/* gw_methods.c - every method but ModelInfer: who may ask which, and those that are answered from what the flow knows
 * of itself and its nodes. What is about money is in gw_services.c. */
#include "gw_watch.h"

void gw_exchange_answer(struct gw_flow *f, struct gw_exchange *x, struct sl_span message)
{
    struct sl_error err;
    struct sl_span *piece = sl_arena_get(&x->arena, sizeof *piece);
    if (message.data == NULL || piece == NULL) {
        sl_error_set(&err, SL_REASON_NO_CAPACITY, "no memory for the reply");
        gw_exchange_refuse(f, x, &err);
        return;
    }
    *piece = message;
    gw_inquiry_drop(f, x);
    gw_watch_drop(f, x);
    x->reply.pieces = piece;
    x->reply.piece_count = message.len > 0;
    x->reply.message_bytes = message.len;
    gw_exchange_tell_name(f, x);
    x->flow_replied = true;
    f->ports.net.post(f->ports.net.ctx, x, GW_TO_NET_REPLY);
}

static void refuse_model(struct gw_flow *f, struct gw_exchange *x, struct sl_span name,
                         struct sl_span version)
{
    struct sl_error err;
    if (version.len == 0)
        sl_error_set(&err, SL_REASON_MODEL_NOT_FOUND, "no model is named '%.*s'", (int)name.len,
                     (const char *)name.data);
    else
        sl_error_set(&err, SL_REASON_MODEL_NOT_FOUND,
                     "no model is named '%.*s' with version '%.*s'", (int)name.len,
                     (const char *)name.data, (int)version.len, (const char *)version.data);
    gw_exchange_refuse(f, x, &err);
}

/* false: the exchange is answered. */
static bool decode_names(struct gw_flow *f, struct gw_exchange *x, struct sl_span message,
                         struct sl_span *out_name, struct sl_span *out_version)
{
    struct sl_error err;
    if (f->ports.wire.decode_model(message, out_name, out_version))
        return true;
    sl_error_set(&err, SL_REASON_BAD_INPUT, "the message of %zu bytes is not a valid request",
                 message.len);
    gw_exchange_refuse(f, x, &err);
    return false;
}

static struct sl_span body_of(const struct gw_exchange *x)
{
    return sl_span_of(x->body->data, x->body->len);
}

/* The model that is named, or NULL with the exchange answered. */
static struct gw_fleet_model *find_named(struct gw_flow *f, struct gw_exchange *x,
                                         struct sl_span name, struct sl_span version)
{
    struct gw_fleet_model *m = gw_fleet_find(f->fleet, name);
    if (m == NULL || (version.len > 0 && !sl_span_eq_str(version, m->spec.version))) {
        refuse_model(f, x, name, version);
        return NULL;
    }
    return m;
}

static struct gw_fleet_model *named_model(struct gw_flow *f, struct gw_exchange *x)
{
    struct sl_span name, version;
    return decode_names(f, x, body_of(x), &name, &version) ? find_named(f, x, name, version) : NULL;
}

static void answer_model_ready(struct gw_flow *f, struct gw_exchange *x)
{
    struct gw_fleet_model *m = named_model(f, x);
    if (m != NULL)
        gw_exchange_answer(f, x, f->ports.wire.model_ready(&x->arena, gw_fleet_model_is_ready(m)));
}

static void answer_model_metadata(struct gw_flow *f, struct gw_exchange *x)
{
    struct gw_fleet_model *m = named_model(f, x);
    if (m != NULL)
        gw_exchange_answer(f, x, f->ports.wire.model_metadata(&x->arena, &m->spec));
}

static void answer_statistics(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_exchange *x = q->exchange;
    struct sl_span name, version;
    struct gw_fleet_model *one = NULL;
    if (!decode_names(f, x, q->message, &name, &version))
        return;
    if (name.len > 0 && (one = find_named(f, x, name, version)) == NULL)
        return;
    gw_exchange_answer(f, x, f->ports.wire.statistics(&x->arena, f->fleet, one));
}

static void answer_index(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_exchange *x = q->exchange;
    struct sl_error err;
    bool only_ready;
    if (f->ports.wire.decode_index(q->message, &only_ready)) {
        gw_exchange_answer(f, x, f->ports.wire.repository_index(&x->arena, f->fleet, only_ready));
        return;
    }
    sl_error_set(&err, SL_REASON_BAD_INPUT,
                 "the message of %zu bytes is not a valid request, or has a repository_name; "
                 "repositories have none here",
                 q->message.len);
    gw_exchange_refuse(f, x, &err);
}

/* As gRPC's health protocol has it: "" is the server, a service is a name of its own. */
static void answer_health(struct gw_flow *f, struct gw_exchange *x)
{
    struct sl_span name, none;
    struct sl_error err;
    if (!decode_names(f, x, body_of(x), &name, &none))
        return;
    if (sl_span_eq_str(name, "inference.GRPCInferenceService")) {
        gw_exchange_answer(f, x, f->ports.wire.health(&x->arena, gw_flow_is_ready(f)));
    } else if (name.len == 0 || sl_span_eq_str(name, "sluice.v1.Admin") ||
               sl_span_eq_str(name, "sluice.v1.Visitor")) {
        gw_exchange_answer(f, x, f->ports.wire.health(&x->arena, !f->is_draining));
    } else {
        sl_error_set(&err, SL_REASON_SERVICE_NOT_FOUND,
                     "there is no service '%.*s'; there are inference.GRPCInferenceService, "
                     "sluice.v1.Visitor and sluice.v1.Admin, and '' is the server",
                     (int)name.len, (const char *)name.data);
        gw_exchange_refuse(f, x, &err);
    }
}

/* Whoever asks; the others are inquiries. */
void gw_methods_answer(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now)
{
    const struct gw_wire_port *wire = &f->ports.wire;
    switch (x->req.method) {
    case GW_METHOD_SERVER_LIVE:
        gw_exchange_answer(f, x, wire->server_live(&x->arena));
        return;
    case GW_METHOD_SERVER_READY:
        gw_exchange_answer(f, x, wire->server_ready(&x->arena, gw_flow_is_ready(f)));
        return;
    case GW_METHOD_MODEL_READY:
        answer_model_ready(f, x);
        return;
    case GW_METHOD_SERVER_METADATA:
        gw_exchange_answer(f, x, wire->server_metadata(&x->arena, f->conf.version));
        return;
    case GW_METHOD_MODEL_METADATA:
        answer_model_metadata(f, x);
        return;
    case GW_METHOD_HEALTH_CHECK:
        answer_health(f, x);
        return;
    default:
        gw_inquiry_begin(f, x, now);
        return;
    }
}

void gw_methods_serve(struct gw_flow *f, struct gw_inquiry *q)
{
    const struct gw_wire_port *wire = &f->ports.wire;
    struct sl_arena *arena = &q->exchange->arena;
    switch (q->exchange->req.method) {
    case GW_METHOD_MODEL_STATISTICS:
        answer_statistics(f, q);
        return;
    case GW_METHOD_REPOSITORY_INDEX:
        answer_index(f, q);
        return;
    case GW_METHOD_LIST_NODES:
        gw_inquiry_answer(f, q, wire->nodes(arena, f->fleet, f->drains, q->now));
        return;
    case GW_METHOD_LIST_MODELS:
        gw_inquiry_answer(f, q, wire->models(arena, f->fleet));
        return;
    default:
        gw_services_serve(f, q);
        return;
    }
}
