#include "gw_link_wire.h"

#include "gw_asks.h"
#include "gw_pb.h"
#include "sl_pack.h"
#include "sluice/node/v1/node.pb-c.h"

/* Field numbers of GatewayBatch, and the bits of a varint field's tag. */
enum {
    BATCH_SESSION = 1,
    BATCH_WELCOME = 2,
    BATCH_REFUSE = 3,
    BATCH_DISPATCH = 4,
    BATCH_CANCEL = 5,
    BATCH_HEARTBEAT = 6,
    BATCH_TAKEN = 7,
    BATCH_SHARED_DONE = 8,
    BATCH_ACKNOWLEDGED = 9,
    BATCH_CALLED_BACK = 10
};

enum { BULK_TOKEN = 5 };

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- reading */

/* What cannot be held is the model's problem, not its node's: *out_fits is false. */
static bool read_specs(Sluice__Node__V1__TensorSpec **from, size_t count, struct sl_arena *arena,
                       const struct gw_tensor_spec **out, bool *out_fits)
{
    struct gw_tensor_spec *specs = sl_arena_zero(arena, count + 1, sizeof *specs);
    *out = specs;
    for (size_t i = 0; specs != NULL && i < count; i++) {
        specs[i].name = from[i]->name;
        specs[i].dtype = sl_dtype_from_name(sl_span_str(from[i]->datatype));
        specs[i].rank = from[i]->n_shape;
        if (specs[i].rank > SL_RANK_MAX || specs[i].dtype == SL_DTYPE_INVALID)
            *out_fits = false;
        else if (specs[i].rank > 0)
            memcpy(specs[i].dims, from[i]->shape, specs[i].rank * sizeof specs[i].dims[0]);
    }
    return specs != NULL;
}

static int64_t clamp_us(uint64_t us)
{
    return us > INT64_MAX / SL_NS_PER_US ? INT64_MAX / SL_NS_PER_US : (int64_t)us;
}

static bool read_models(const Sluice__Node__V1__Hello *h, struct sl_arena *arena,
                        struct gw_hello *out)
{
    out->model_count = h->n_models;
    out->models = sl_arena_zero(arena, h->n_models + 1, sizeof *out->models);
    for (size_t i = 0; out->models != NULL && i < h->n_models; i++) {
        const Sluice__Node__V1__Model *m = h->models[i];
        struct gw_model_spec *spec = &out->models[i];
        *spec = (struct gw_model_spec){.name = m->name,
                                       .version = m->version,
                                       .engine = m->engine,
                                       .input_count = m->n_inputs,
                                       .output_count = m->n_outputs,
                                       .duration_us = clamp_us(m->duration_us),
                                       .duration = m->duration,
                                       .max_duration_us = clamp_us(m->max_duration_us),
                                       .size = m->size,
                                       .max_batch = m->max_batch > 1 ? m->max_batch : 1,
                                       .problem = m->problem};
        bool fits = true;
        if (!read_specs(m->inputs, m->n_inputs, arena, &spec->inputs, &fits) ||
            !read_specs(m->outputs, m->n_outputs, arena, &spec->outputs, &fits))
            return false;
        if (!fits && spec->problem[0] == '\0')
            spec->problem = "a tensor's datatype is not known, or its shape has over 16 dimensions";
    }
    return out->models != NULL;
}

/* Which of the plain slices the ids name; 0: not two or more of them. */
static uint64_t read_parts(const Sluice__Node__V1__Hello *h, const Sluice__Node__V1__Slice *wide)
{
    uint64_t parts = 0;
    size_t found = 0;
    if (wide->n_parts > GW_FLEET_SLICES_MAX)
        return 0;
    for (size_t i = 0; i < h->n_slices && i < GW_FLEET_SLICES_MAX; i++)
        for (size_t k = 0; k < wide->n_parts; k++)
            if (wide->parts[k] == h->slices[i]->id) {
                parts |= UINT64_C(1) << i;
                found++;
            }
    return found == wide->n_parts && found >= 2 ? parts : 0;
}

static struct gw_hello_slice read_slice(const Sluice__Node__V1__Slice *s)
{
    return (struct gw_hello_slice){.id = s->id,
                                   .device = s->device,
                                   .kind = s->kind,
                                   .memory_bytes = s->memory_bytes,
                                   .share_thousandths = s->share_thousandths};
}

/* The wide ones behind the others. */
static bool read_slices(const Sluice__Node__V1__Hello *h, struct sl_arena *arena,
                        struct gw_hello *out)
{
    enum { SIZED_SINCE = 3, LEAST_BEFORE = GW_FACTOR_ONE / 2 };
    struct gw_hello_slice *to =
        sl_arena_zero(arena, h->n_slices + h->n_wide_slices + 1, sizeof *to);
    out->slices = to;
    out->slice_count = h->n_slices;
    out->wide_count = h->n_wide_slices;
    for (size_t i = 0; to != NULL && i < h->n_slices; i++) {
        to[i] = read_slice(h->slices[i]);
        if (h->protocol_max < SIZED_SINCE && to[i].share_thousandths < LEAST_BEFORE)
            to[i].share_thousandths = LEAST_BEFORE;
    }
    for (size_t i = 0; to != NULL && i < h->n_wide_slices; i++) {
        to[h->n_slices + i] = read_slice(h->wide_slices[i]);
        to[h->n_slices + i].parts = read_parts(h, h->wide_slices[i]);
    }
    return to != NULL;
}

static bool read_hello(const Sluice__Node__V1__Hello *h, struct sl_arena *arena,
                       struct gw_node_batch *out)
{
    out->has_hello = true;
    out->protocol_min = h->protocol_min;
    out->protocol_max = h->protocol_max;
    out->previous_session = h->previous_session;
    out->bulk_window_bytes = h->bulk_window_bytes;
    out->inline_max_bytes = h->inline_max_bytes;
    out->wants_shared = h->shared_memory;
    out->hello = (struct gw_hello){.session = out->session,
                                   .journal = h->journal,
                                   .name = h->node,
                                   .version = h->version,
                                   .slice_backlog_max = h->slice_backlog_max};
    return read_slices(h, arena, &out->hello) && read_models(h, arena, &out->hello);
}

static bool read_outputs(const Sluice__Node__V1__Result *r, struct sl_arena *arena,
                         struct gw_result *out)
{
    struct gw_result_output *outputs = sl_arena_zero(arena, r->n_outputs + 1, sizeof *outputs);
    out->outputs = outputs;
    out->output_count = r->n_outputs;
    for (size_t i = 0; outputs != NULL && i < r->n_outputs; i++) {
        const Sluice__Node__V1__Tensor *t = r->outputs[i];
        if (t->n_shape > SL_RANK_MAX)
            return false;
        outputs[i] = (struct gw_result_output){
            .name = sl_span_str(t->name),
            .dtype = sl_dtype_from_name(sl_span_str(t->datatype)),
            .dims = t->shape,
            .rank = t->n_shape,
            .payload_offset = t->offset_bytes,
            .bytes = t->length_bytes,
        };
    }
    return outputs != NULL;
}

static struct sl_shm_ref read_shared(const Sluice__Node__V1__Shared *from)
{
    if (from == NULL)
        return (struct sl_shm_ref){0};
    return (struct sl_shm_ref){from->segment, from->generation, from->offset_bytes,
                               from->length_bytes};
}

static bool read_shared_done(const Sluice__Node__V1__NodeBatch *b, struct sl_arena *arena,
                             struct gw_node_batch *out)
{
    struct sl_shm_ref *uses = sl_arena_zero(arena, b->n_shared_done + 1, sizeof *uses);
    out->shared_done = uses;
    out->shared_done_count = b->n_shared_done;
    for (size_t i = 0; uses != NULL && i < b->n_shared_done; i++) {
        uses[i].number = b->shared_done[i]->segment;
        uses[i].generation = b->shared_done[i]->generation;
    }
    return uses != NULL;
}

static bool read_results(const Sluice__Node__V1__NodeBatch *b, struct sl_arena *arena,
                         struct gw_node_batch *out)
{
    struct gw_node_result *results = sl_arena_zero(arena, b->n_results + 1, sizeof *results);
    out->results = results;
    out->result_count = b->n_results;
    for (size_t i = 0; results != NULL && i < b->n_results; i++) {
        const Sluice__Node__V1__Result *r = b->results[i];
        results[i].inline_payload = sl_span_of(r->payload.data, r->payload.len);
        results[i].bulk_bytes = r->payload_bytes;
        results[i].shared = read_shared(r->shared);
        results[i].result.lease = r->lease;
        results[i].result.reason =
            r->reason[0] == '\0' ? SL_REASON_OK : sl_reason_from_name(r->reason);
        results[i].result.text = sl_span_str(r->text);
        results[i].result.was_started = r->started;
        results[i].result.held_us = clamp_us(r->held_us);
        results[i].result.record = r->record;
        results[i].result.run_us = clamp_us(r->run_us);
        results[i].result.run_calls = r->run_calls;
        results[i].result.run_place = r->run_place;
        if (!read_outputs(r, arena, &results[i].result))
            return false;
    }
    return results != NULL;
}

static bool read_ended(const Sluice__Node__V1__NodeBatch *b, struct sl_arena *arena,
                       struct gw_node_batch *out)
{
    struct gw_ended *ended = sl_arena_zero(arena, b->n_ended + 1, sizeof *ended);
    out->ended = ended;
    out->ended_count = b->n_ended;
    for (size_t i = 0; ended != NULL && i < b->n_ended; i++) {
        const Sluice__Node__V1__Ended *e = b->ended[i];
        ended[i] = (struct gw_ended){
            .record = e->record,
            .gateway_run = e->gateway_run,
            .lease = e->lease,
            .model = sl_span_str(e->model),
            .slice = e->slice,
            .held_us = clamp_us(e->held_us),
            .reason = sl_reason_from_name(e->reason),
            .started_at = clamp_us(e->started_at_us),
            .ended_at = clamp_us(e->ended_at_us),
        };
        if (e->record == 0 || (e->call_id.len != 0 && e->call_id.len != sizeof ended[i].call_id))
            return false;
        if (e->call_id.len != 0)
            memcpy(ended[i].call_id, e->call_id.data, sizeof ended[i].call_id);
    }
    return ended != NULL;
}

static bool read_leases(const Sluice__Node__V1__NodeBatch *b, struct sl_arena *arena,
                        struct gw_node_batch *out)
{
    uint64_t *started = sl_arena_zero(arena, b->n_started + 1, sizeof *started);
    uint64_t *returned = sl_arena_zero(arena, b->n_returned + 1, sizeof *returned);
    if (started == NULL || returned == NULL)
        return false;
    for (size_t i = 0; i < b->n_started; i++)
        started[i] = b->started[i]->lease;
    for (size_t i = 0; i < b->n_returned; i++)
        returned[i] = b->returned[i]->lease;
    out->started = started;
    out->started_count = b->n_started;
    out->returned = returned;
    out->returned_count = b->n_returned;
    return true;
}

bool gw_link_read_batch(struct sl_span message, struct sl_arena *arena, struct gw_node_batch *out)
{
    ProtobufCAllocator allocator = sl_pack_allocator(arena);
    *out = (struct gw_node_batch){0};
    Sluice__Node__V1__NodeBatch *b =
        sluice__node__v1__node_batch__unpack(&allocator, message.len, message.data);
    if (b == NULL || b->session == 0)
        return false;
    out->session = b->session;
    out->bulk_taken_bytes = b->bulk_taken_bytes;
    out->is_draining = b->draining;
    return (b->hello == NULL || read_hello(b->hello, arena, out)) && read_leases(b, arena, out) &&
           read_shared_done(b, arena, out) && read_results(b, arena, out) &&
           read_ended(b, arena, out);
}

bool gw_link_read_bulk(struct sl_span message, struct gw_bulk_header *out)
{
    struct gw_pb_reader r = gw_pb_reader_of(message);
    struct gw_pb_field field;
    *out = (struct gw_bulk_header){0};
    uint64_t *const places[] = {NULL, &out->session, &out->lease, &out->offset_bytes,
                                &out->total_bytes};
    while (gw_pb_next(&r, &field))
        if (field.type == GW_PB_VARINT && field.number < SL_ARRAY_LEN(places))
            *places[field.number] = field.value;
        else if (field.type == GW_PB_BYTES && field.number == BULK_TOKEN)
            out->token = gw_pb_content(&r, &field);
    return !r.bad && out->session != 0;
}

uint32_t gw_link_negotiate(uint32_t min, uint32_t max)
{
    const uint32_t newest = max < GW_LINK_PROTOCOL_MAX ? max : GW_LINK_PROTOCOL_MAX;
    return newest >= min && newest >= GW_LINK_PROTOCOL_MIN ? newest : 0;
}

/* ---- writing */

static uint8_t *put_number(uint8_t *p, uint32_t number, uint64_t value)
{
    p = gw_pb_put_varint(p, (uint64_t)number << 3 | GW_PB_VARINT);
    return gw_pb_put_varint(p, value);
}

size_t gw_link_write_bulk(const struct gw_bulk_header *h, uint8_t out[GW_BULK_HEADER_MAX])
{
    uint8_t *p = put_number(out, 1, h->session);
    p = put_number(p, 2, h->lease);
    p = put_number(p, 3, h->offset_bytes);
    return (size_t)(put_number(p, 4, h->total_bytes) - out);
}

static sl_status append_number(struct sl_buf *out, uint32_t number, uint64_t value)
{
    uint8_t bytes[2 * GW_PB_VARINT_MAX];
    return sl_buf_append(out, bytes, (size_t)(put_number(bytes, number, value) - bytes));
}

/* A submessage, packed straight into the buffer. */
static sl_status append_message(struct sl_buf *out, uint32_t number, const ProtobufCMessage *m)
{
    uint8_t head[2 * GW_PB_VARINT_MAX];
    size_t len = protobuf_c_message_get_packed_size(m);
    size_t head_len = (size_t)(gw_pb_put_head(head, number, len) - head);
    sl_status s = sl_buf_reserve(out, head_len + len);
    if (s == SL_OK)
        s = sl_buf_append(out, head, head_len);
    if (s == SL_OK)
        out->len += protobuf_c_message_pack(m, out->data + out->len);
    return s;
}

sl_status gw_link_put_session(struct sl_buf *out, uint64_t session)
{
    return append_number(out, BATCH_SESSION, session);
}

sl_status gw_link_put_taken(struct sl_buf *out, uint64_t bulk_taken_bytes)
{
    return append_number(out, BATCH_TAKEN, bulk_taken_bytes);
}

sl_status gw_link_put_cancel(struct sl_buf *out, sl_slot_id lease)
{
    Sluice__Node__V1__Cancel m = SLUICE__NODE__V1__CANCEL__INIT;
    m.lease = lease;
    return append_message(out, BATCH_CANCEL, &m.base);
}

sl_status gw_link_put_call_back(struct sl_buf *out, sl_slot_id lease)
{
    return append_number(out, BATCH_CALLED_BACK, lease);
}

sl_status gw_link_put_shared_done(struct sl_buf *out, const struct sl_shm_ref *use)
{
    Sluice__Node__V1__SharedUse m = SLUICE__NODE__V1__SHARED_USE__INIT;
    m.segment = use->number;
    m.generation = use->generation;
    return append_message(out, BATCH_SHARED_DONE, &m.base);
}

sl_status gw_link_put_acknowledged(struct sl_buf *out, const uint64_t *records, size_t count)
{
    uint8_t packed[GW_LINK_ACKS_MAX * GW_PB_VARINT_MAX], head[2 * GW_PB_VARINT_MAX];
    uint8_t *p = packed;
    for (size_t i = 0; i < count && i < GW_LINK_ACKS_MAX; i++)
        p = gw_pb_put_varint(p, records[i]);
    const size_t len = (size_t)(p - packed);
    const size_t head_len = (size_t)(gw_pb_put_head(head, BATCH_ACKNOWLEDGED, len) - head);
    sl_status s = sl_buf_reserve(out, head_len + len);
    if (s == SL_OK)
        s = sl_buf_append(out, head, head_len);
    return s == SL_OK ? sl_buf_append(out, packed, len) : s;
}

sl_status gw_link_put_heartbeat(struct sl_buf *out, uint64_t sequence)
{
    Sluice__Node__V1__Heartbeat m = SLUICE__NODE__V1__HEARTBEAT__INIT;
    m.sequence = sequence;
    return append_message(out, BATCH_HEARTBEAT, &m.base);
}

sl_status gw_link_put_welcome(struct sl_buf *out, const struct gw_welcome *w)
{
    Sluice__Node__V1__Welcome m = SLUICE__NODE__V1__WELCOME__INIT;
    m.protocol = w->protocol;
    m.bulk_token.data = (uint8_t *)(uintptr_t)w->bulk_token.data;
    m.bulk_token.len = w->bulk_token.len;
    m.bulk_window_bytes = w->bulk_window_bytes;
    m.inline_max_bytes = w->inline_max_bytes;
    m.heartbeat_every_ms = w->heartbeat_every_ms;
    m.lost_after_ms = w->lost_after_ms;
    m.shared_path = text(w->shared_path);
    m.run = w->run;
    return append_message(out, BATCH_WELCOME, &m.base);
}

sl_status gw_link_put_refuse(struct sl_buf *out, const char *sentence, bool greet_again)
{
    Sluice__Node__V1__Refuse m = SLUICE__NODE__V1__REFUSE__INIT;
    m.text = text(sentence);
    m.greet_again = greet_again;
    return append_message(out, BATCH_REFUSE, &m.base);
}

/* ---- a dispatch */

static bool fill_inputs(const struct gw_plan *plan, struct sl_arena *arena,
                        Sluice__Node__V1__Dispatch *m)
{
    size_t count = plan->model->input_count;
    Sluice__Node__V1__Tensor *items = sl_arena_get(arena, (count + 1) * sizeof *items);
    m->inputs = sl_arena_get(arena, (count + 1) * sizeof *m->inputs);
    if (items == NULL || m->inputs == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct gw_plan_input *in = &plan->inputs[i];
        sluice__node__v1__tensor__init(&items[i]);
        items[i].name = text(plan->model->inputs[i].name);
        items[i].datatype = text(sl_dtype_name(in->dtype));
        items[i].n_shape = in->said->rank;
        items[i].shape = (int64_t *)(uintptr_t)in->said->dims;
        items[i].offset_bytes = in->payload_offset;
        items[i].length_bytes = in->bytes;
        m->inputs[m->n_inputs++] = &items[i];
    }
    return true;
}

static bool fill_outputs(const struct gw_plan *plan, struct sl_arena *arena,
                         Sluice__Node__V1__Dispatch *m)
{
    if (plan->output_count == plan->model->output_count)
        return true; /* all of them, which is what none means */
    m->outputs = sl_arena_get(arena, (plan->output_count + 1) * sizeof *m->outputs);
    if (m->outputs == NULL)
        return false;
    for (size_t k = 0; k < plan->output_count; k++)
        m->outputs[m->n_outputs++] = text(plan->model->outputs[plan->outputs[k]].name);
    return true;
}

static bool fill_param(const struct gw_peek_param *p, const uint8_t *message,
                       struct sl_arena *arena, Sluice__Node__V1__Parameter *out)
{
    sluice__node__v1__parameter__init(out);
    out->name = sl_arena_str(arena, gw_range_span(message, p->name));
    switch (p->kind) {
    case GW_PARAM_BOOL:
        out->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_BOOL_VALUE;
        out->bool_value = p->value.b;
        break;
    case GW_PARAM_INT:
        out->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_INT64_VALUE;
        out->int64_value = p->value.i;
        break;
    case GW_PARAM_UINT:
        out->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_UINT64_VALUE;
        out->uint64_value = p->value.u;
        break;
    case GW_PARAM_DOUBLE:
        out->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_DOUBLE_VALUE;
        out->double_value = p->value.d;
        break;
    case GW_PARAM_STRING:
        out->value_case = SLUICE__NODE__V1__PARAMETER__VALUE_STRING_VALUE;
        out->string_value = sl_arena_str(arena, gw_range_span(message, p->value.s));
        return out->name != NULL && out->string_value != NULL;
    case GW_PARAM_NONE:
        break;
    }
    return out->name != NULL;
}

static bool fill_params(const struct gw_dispatch *d, struct sl_arena *arena,
                        Sluice__Node__V1__Dispatch *m)
{
    const struct gw_peek *peek = d->peek;
    if (peek->param_count == 0)
        return true;
    Sluice__Node__V1__Parameter *items = sl_arena_get(arena, peek->param_count * sizeof *items);
    m->parameters = sl_arena_get(arena, peek->param_count * sizeof *m->parameters);
    if (items == NULL || m->parameters == NULL)
        return false;
    for (size_t i = 0; i < peek->param_count; i++) {
        if (gw_ask_is_ours(gw_range_span(d->message->data, peek->params[i].name)))
            continue;
        if (!fill_param(&peek->params[i], d->message->data, arena, &items[i]))
            return false;
        m->parameters[m->n_parameters++] = &items[i];
    }
    return true;
}

/* The payload for the inside of the message: one part as it lies, two parts as a copy. */
static bool fill_inline(const struct gw_dispatch *d, struct sl_arena *arena,
                        Sluice__Node__V1__Dispatch *m)
{
    struct gw_range part = d->plan->message_part;
    size_t total = (size_t)gw_plan_payload_bytes(d->plan);
    m->payload.len = total;
    if (part.length == total) {
        m->payload.data = d->message->data + part.offset;
        return true;
    }
    m->payload.data = sl_arena_get(arena, total);
    if (m->payload.data == NULL)
        return false;
    memcpy(m->payload.data, d->message->data + part.offset, part.length);
    memcpy(m->payload.data + part.length, d->converted->data, (size_t)d->plan->converted_bytes);
    return true;
}

static void fill_shared(const struct sl_shm_ref *from, Sluice__Node__V1__Shared *room,
                        Sluice__Node__V1__Dispatch *m)
{
    sluice__node__v1__shared__init(room);
    room->segment = from->number;
    room->generation = from->generation;
    room->offset_bytes = from->offset_bytes;
    room->length_bytes = from->length_bytes;
    m->shared = room;
}

sl_status gw_link_put_dispatch(struct sl_buf *out, const struct gw_dispatch *d,
                               const struct sl_shm_ref *shared, uint64_t inline_max_bytes,
                               struct sl_arena *arena)
{
    Sluice__Node__V1__Shared place;
    Sluice__Node__V1__Dispatch m = SLUICE__NODE__V1__DISPATCH__INIT;
    m.lease = d->lease;
    m.slice = d->slice->id;
    m.model = text(d->plan->model->name);
    m.version = text(d->plan->model->version);
    m.limit_us = (uint64_t)d->limit_us;
    m.cpu_hint = d->cpu_hint;
    m.call_id = text(d->call_id);
    if (d->traceparent.len > 0)
        m.traceparent = sl_arena_str(arena, d->traceparent);
    bool ok = m.traceparent != NULL && fill_inputs(d->plan, arena, &m) &&
              fill_outputs(d->plan, arena, &m) && fill_params(d, arena, &m);
    if (shared != NULL)
        fill_shared(shared, &place, &m);
    else if (gw_plan_payload_bytes(d->plan) <= inline_max_bytes)
        ok = ok && fill_inline(d, arena, &m);
    else
        m.payload_bytes = gw_plan_payload_bytes(d->plan);
    return ok ? append_message(out, BATCH_DISPATCH, &m.base) : SL_ENOMEM;
}
