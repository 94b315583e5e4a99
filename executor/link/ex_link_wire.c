/* ex_link_wire.c - protobuf-c's structs on one side, ours on the other. */
#include "ex_link_wire.h"

#include "ex_record.h"
#include "sl_pack.h"
#include "sluice/node/v1/node.pb-c.h"

typedef Sluice__Node__V1__Dispatch pb_dispatch;
typedef Sluice__Node__V1__GatewayBatch pb_gateway_batch;
typedef Sluice__Node__V1__Model pb_model;
typedef Sluice__Node__V1__NodeBatch pb_node_batch;
typedef Sluice__Node__V1__Parameter pb_parameter;
typedef Sluice__Node__V1__Slice pb_slice;
typedef Sluice__Node__V1__Tensor pb_tensor;
typedef Sluice__Node__V1__TensorSpec pb_spec;

/* protobuf-c's fields are not const although packing only reads them. */
static void *unconst(const void *p)
{
    return (void *)(uintptr_t)p;
}

/* ---- down */

static bool read_param(const pb_parameter *from, struct ex_param *out)
{
    out->name = from->name;
    switch (from->value_case) {
    case SLUICE__NODE__V1__PARAMETER__VALUE_BOOL_VALUE:
        out->kind = EX_PARAM_BOOL;
        out->value.b = from->bool_value;
        return true;
    case SLUICE__NODE__V1__PARAMETER__VALUE_INT64_VALUE:
        out->kind = EX_PARAM_INT;
        out->value.i = from->int64_value;
        return true;
    case SLUICE__NODE__V1__PARAMETER__VALUE_UINT64_VALUE:
        out->kind = EX_PARAM_UINT;
        out->value.u = from->uint64_value;
        return true;
    case SLUICE__NODE__V1__PARAMETER__VALUE_DOUBLE_VALUE:
        out->kind = EX_PARAM_DOUBLE;
        out->value.d = from->double_value;
        return true;
    case SLUICE__NODE__V1__PARAMETER__VALUE_STRING_VALUE:
        out->kind = EX_PARAM_STRING;
        out->value.s = from->string_value;
        return true;
    default:
        return false; /* a parameter without a value says nothing */
    }
}

static bool read_params(const pb_dispatch *from, struct sl_arena *arena, struct ex_call *out)
{
    if (from->n_parameters == 0)
        return true;
    struct ex_param *params = sl_arena_zero(arena, from->n_parameters, sizeof(*params));
    out->params = params;
    for (size_t i = 0; params && i < from->n_parameters; i++)
        out->param_count += read_param(from->parameters[i], &params[out->param_count]);
    return params != NULL;
}

static bool read_inputs(const pb_dispatch *from, struct sl_arena *arena, struct ex_call *out)
{
    if (from->n_inputs == 0)
        return true;
    struct ex_input *inputs = sl_arena_get(arena, from->n_inputs * sizeof(*inputs));
    out->inputs = inputs;
    out->input_count = from->n_inputs;
    for (size_t i = 0; inputs && i < from->n_inputs; i++) {
        const pb_tensor *t = from->inputs[i];
        inputs[i] = (struct ex_input){.name = t->name,
                                      .dtype = sl_dtype_from_name(sl_span_str(t->datatype)),
                                      .dims = t->shape,
                                      .rank = t->n_shape,
                                      .offset_bytes = t->offset_bytes,
                                      .length_bytes = t->length_bytes};
    }
    return inputs != NULL;
}

static struct sl_shm_ref read_shared(const Sluice__Node__V1__Shared *from)
{
    if (!from)
        return (struct sl_shm_ref){0};
    return (struct sl_shm_ref){from->segment, from->generation, from->offset_bytes,
                               from->length_bytes};
}

static bool read_call(const pb_dispatch *from, struct sl_arena *arena, struct ex_call *out)
{
    *out = (struct ex_call){.lease = from->lease,
                            .slice = from->slice,
                            .model = from->model,
                            .version = from->version,
                            .limit_us = from->limit_us,
                            .outputs = (const char *const *)from->outputs,
                            .output_count = from->n_outputs,
                            .payload = sl_span_of(from->payload.data, from->payload.len),
                            .payload_bytes = from->payload_bytes,
                            .shared = read_shared(from->shared),
                            .call_id = from->call_id,
                            .cpu_hint = from->cpu_hint};
    if (from->shared)
        out->payload_bytes = out->shared.length_bytes;
    return read_params(from, arena, out) && read_inputs(from, arena, out);
}

static bool read_calls(const pb_gateway_batch *from, struct sl_arena *arena,
                       struct ex_gateway_batch *out)
{
    if (from->n_dispatches == 0)
        return true;
    struct ex_call *calls = sl_arena_get(arena, from->n_dispatches * sizeof(*calls));
    for (size_t i = 0; calls && i < from->n_dispatches; i++) {
        if (!read_call(from->dispatches[i], arena, &calls[i]))
            return false;
    }
    out->calls = calls;
    out->call_count = from->n_dispatches;
    return calls != NULL;
}

static bool read_cancels(const pb_gateway_batch *from, struct sl_arena *arena,
                         struct ex_gateway_batch *out)
{
    if (from->n_cancels == 0)
        return true;
    uint64_t *cancels = sl_arena_get(arena, from->n_cancels * sizeof(*cancels));
    for (size_t i = 0; cancels && i < from->n_cancels; i++)
        cancels[i] = from->cancels[i]->lease;
    out->cancels = cancels;
    out->cancel_count = from->n_cancels;
    return cancels != NULL;
}

static bool read_shared_done(const pb_gateway_batch *from, struct sl_arena *arena,
                             struct ex_gateway_batch *out)
{
    if (from->n_shared_done == 0)
        return true;
    struct sl_shm_ref *uses = sl_arena_zero(arena, from->n_shared_done, sizeof(*uses));
    for (size_t i = 0; uses && i < from->n_shared_done; i++) {
        uses[i].number = from->shared_done[i]->segment;
        uses[i].generation = from->shared_done[i]->generation;
    }
    out->shared_done = uses;
    out->shared_done_count = from->n_shared_done;
    return uses != NULL;
}

static bool read_welcome(const Sluice__Node__V1__Welcome *from, struct ex_gateway_batch *out)
{
    out->has_welcome = true;
    out->welcome = (struct ex_welcome){.protocol = from->protocol,
                                       .bulk_window_bytes = from->bulk_window_bytes,
                                       .inline_max_bytes = from->inline_max_bytes,
                                       .heartbeat_every_ms = from->heartbeat_every_ms,
                                       .lost_after_ms = from->lost_after_ms,
                                       .shared_path = from->shared_path,
                                       .run = from->run};
    if (from->bulk_token.len > EX_LINK_TOKEN_MAX)
        return false;
    out->welcome.token.len = from->bulk_token.len;
    if (from->bulk_token.len > 0)
        memcpy(out->welcome.token.bytes, from->bulk_token.data, from->bulk_token.len);
    return true;
}

/* Why something could not be read. */
static sl_status fault(const struct sl_arena *arena)
{
    return arena->has_failed ? SL_ENOMEM : SL_EPROTO;
}

sl_status ex_link_read_batch(struct sl_span message, struct sl_arena *arena,
                             struct ex_gateway_batch *out)
{
    ProtobufCAllocator allocator = sl_pack_allocator(arena);
    const pb_gateway_batch *b =
        sluice__node__v1__gateway_batch__unpack(&allocator, message.len, message.data);
    if (!b)
        return fault(arena);
    *out = (struct ex_gateway_batch){.session = b->session,
                                     .bulk_taken_bytes = b->bulk_taken_bytes,
                                     .acknowledged = b->acknowledged,
                                     .acknowledged_count = b->n_acknowledged,
                                     .called_back = b->called_back,
                                     .called_back_count = b->n_called_back,
                                     .refusal = b->refuse ? b->refuse->text : NULL,
                                     .greet_again = b->refuse && b->refuse->greet_again};
    if (b->welcome && !read_welcome(b->welcome, out))
        return SL_EPROTO;
    const bool ok =
        read_calls(b, arena, out) && read_cancels(b, arena, out) && read_shared_done(b, arena, out);
    return ok ? SL_OK : fault(arena);
}

sl_status ex_link_read_bulk(struct sl_span message, struct sl_arena *arena,
                            struct ex_bulk_header *out)
{
    ProtobufCAllocator allocator = sl_pack_allocator(arena);
    const Sluice__Node__V1__BulkHeader *h =
        sluice__node__v1__bulk_header__unpack(&allocator, message.len, message.data);
    if (!h)
        return fault(arena);
    *out = (struct ex_bulk_header){.session = h->session,
                                   .lease = h->lease,
                                   .offset_bytes = h->offset_bytes,
                                   .total_bytes = h->total_bytes};
    return SL_OK;
}

/* ---- up */

static sl_status append(struct sl_buf *out, const pb_node_batch *batch)
{
    const size_t len = sluice__node__v1__node_batch__get_packed_size(batch);
    const sl_status st = sl_buf_reserve(out, len);
    if (st == SL_OK)
        out->len += sluice__node__v1__node_batch__pack(batch, out->data + out->len);
    return st;
}

sl_status ex_link_put_session(struct sl_buf *out, uint64_t session)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    batch.session = session;
    return append(out, &batch);
}

sl_status ex_link_put_started(struct sl_buf *out, uint64_t lease)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Started started = SLUICE__NODE__V1__STARTED__INIT;
    Sluice__Node__V1__Started *one = &started;
    started.lease = lease;
    batch.started = &one;
    batch.n_started = 1;
    return append(out, &batch);
}

static void fill_output(const struct ex_output *from, uint64_t offset, pb_tensor *out)
{
    sluice__node__v1__tensor__init(out);
    out->name = unconst(from->name);
    out->datatype = unconst(sl_dtype_name(from->dtype));
    out->shape = unconst(from->dims);
    out->n_shape = from->rank;
    out->offset_bytes = offset;
    out->length_bytes = from->bytes.len;
}

static void fill_payload(const struct ex_link_payload *from, Sluice__Node__V1__Result *out,
                         Sluice__Node__V1__Shared *room)
{
    out->payload = (ProtobufCBinaryData){from->inside.len, unconst(from->inside.data)};
    if (from->shared.number == 0) {
        out->payload_bytes = from->bulk_bytes;
        return;
    }
    sluice__node__v1__shared__init(room);
    room->segment = from->shared.number;
    room->generation = from->shared.generation;
    room->offset_bytes = from->shared.offset_bytes;
    room->length_bytes = from->shared.length_bytes;
    out->shared = room;
}

sl_status ex_link_put_result(struct sl_buf *out, uint64_t lease, const struct ex_outcome *outcome,
                             const struct ex_link_payload *payload)
{
    pb_tensor tensors[EX_TENSORS_MAX], *pointers[EX_TENSORS_MAX];
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Result result = SLUICE__NODE__V1__RESULT__INIT;
    Sluice__Node__V1__Result *one = &result;
    Sluice__Node__V1__Shared shared;
    uint64_t offset = 0;
    if (outcome->output_count > EX_TENSORS_MAX)
        return SL_ETOOBIG;
    for (size_t i = 0; i < outcome->output_count; i++) {
        fill_output(&outcome->outputs[i], offset, &tensors[i]);
        offset += outcome->outputs[i].bytes.len;
        pointers[i] = &tensors[i];
    }
    result.lease = lease;
    result.outputs = pointers;
    result.n_outputs = outcome->output_count;
    if (outcome->reason != SL_REASON_OK) {
        result.reason = unconst(sl_reason_name(outcome->reason));
        result.text = unconst(outcome->text);
    }
    fill_payload(payload, &result, &shared);
    result.started = outcome->started;
    result.held_us = (uint64_t)outcome->held_us;
    result.record = outcome->record;
    result.run_us = (uint64_t)outcome->run_us;
    result.run_calls = outcome->run_calls;
    result.run_place = outcome->run_place;
    batch.results = &one;
    batch.n_results = 1;
    return append(out, &batch);
}

sl_status ex_link_put_returned(struct sl_buf *out, uint64_t lease, enum sl_reason reason,
                               const char *text)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Returned returned = SLUICE__NODE__V1__RETURNED__INIT;
    Sluice__Node__V1__Returned *one = &returned;
    returned.lease = lease;
    returned.reason = unconst(sl_reason_name(reason));
    returned.text = unconst(text);
    batch.returned = &one;
    batch.n_returned = 1;
    return append(out, &batch);
}

sl_status ex_link_put_ended(struct sl_buf *out, const struct ex_journal_entry *e)
{
    static const uint8_t no_call[sizeof(e->call_id)];
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Ended ended = SLUICE__NODE__V1__ENDED__INIT, *one = &ended;
    ended.record = e->record;
    ended.gateway_run = e->gateway_run;
    ended.lease = e->lease;
    if (memcmp(e->call_id, no_call, sizeof(no_call)) != 0)
        ended.call_id = (ProtobufCBinaryData){sizeof(e->call_id), unconst(e->call_id)};
    ended.model = unconst(e->model);
    ended.slice = e->slice;
    ended.held_us = (uint64_t)e->held_us;
    ended.reason = unconst(e->cause);
    ended.started_at_us = (uint64_t)e->started_at;
    ended.ended_at_us = (uint64_t)e->ended_at;
    batch.ended = &one;
    batch.n_ended = 1;
    return append(out, &batch);
}

sl_status ex_link_put_heartbeat(struct sl_buf *out, uint64_t sequence)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Heartbeat heartbeat = SLUICE__NODE__V1__HEARTBEAT__INIT;
    heartbeat.sequence = sequence;
    batch.heartbeat = &heartbeat;
    return append(out, &batch);
}

sl_status ex_link_put_bulk_taken(struct sl_buf *out, uint64_t bytes)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    batch.bulk_taken_bytes = bytes;
    return append(out, &batch);
}

sl_status ex_link_put_shared_done(struct sl_buf *out, const struct sl_shm_ref *use)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__SharedUse done = SLUICE__NODE__V1__SHARED_USE__INIT, *one = &done;
    done.segment = use->number;
    done.generation = use->generation;
    batch.shared_done = &one;
    batch.n_shared_done = 1;
    return append(out, &batch);
}

sl_status ex_link_put_draining(struct sl_buf *out)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    batch.draining = true;
    return append(out, &batch);
}

size_t ex_link_write_bulk(const struct ex_bulk_header *header, uint8_t out[EX_BULK_HEADER_MAX])
{
    Sluice__Node__V1__BulkHeader h = SLUICE__NODE__V1__BULK_HEADER__INIT;
    h.session = header->session;
    h.lease = header->lease;
    h.offset_bytes = header->offset_bytes;
    h.total_bytes = header->total_bytes;
    h.token.data = (uint8_t *)(uintptr_t)header->token.data;
    h.token.len = header->token.len <= EX_LINK_TOKEN_MAX ? header->token.len : 0;
    return sluice__node__v1__bulk_header__pack(&h, out);
}

/* ---- hello */

static bool fill_slice(const struct ex_slice *from, struct sl_arena *arena, pb_slice *out)
{
    static const char *const kinds[] = {"cpu", "whole", "mig", "mps", "shared"};
    sluice__node__v1__slice__init(out);
    out->id = from->id;
    out->device = unconst(from->device);
    out->kind = unconst(kinds[from->kind]);
    out->memory_bytes = from->memory_bytes;
    out->share_thousandths = from->share_thousandths;
    if (from->parts == 0)
        return true;
    out->parts = sl_arena_get(arena, EX_SLICES_MAX * sizeof(*out->parts));
    for (uint32_t i = 0; out->parts && i < EX_SLICES_MAX; i++) {
        if (from->parts >> i & 1)
            out->parts[out->n_parts++] = i; /* a slice's place is its number */
    }
    return out->parts != NULL;
}

static bool fill_slices(const struct ex_hello *from, struct sl_arena *arena,
                        Sluice__Node__V1__Hello *out)
{
    pb_slice *slices = sl_arena_get(arena, from->slice_count * sizeof(*slices));
    out->slices = sl_arena_get(arena, from->slice_count * sizeof(pb_slice *));
    out->wide_slices = sl_arena_get(arena, from->slice_count * sizeof(pb_slice *));
    if (!slices || !out->slices || !out->wide_slices)
        return false;
    for (size_t i = 0; i < from->slice_count; i++) {
        if (!fill_slice(&from->slices[i], arena, &slices[i]))
            return false;
        if (from->slices[i].parts == 0)
            out->slices[out->n_slices++] = &slices[i];
        else
            out->wide_slices[out->n_wide_slices++] = &slices[i];
    }
    return true;
}

static pb_spec **make_specs(const struct ex_tensor_spec *from, size_t count, struct sl_arena *arena)
{
    pb_spec *specs = sl_arena_get(arena, count * sizeof(*specs));
    pb_spec **pointers = sl_arena_get(arena, count * sizeof(*pointers));
    if (!specs || !pointers)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        sluice__node__v1__tensor_spec__init(&specs[i]);
        specs[i].name = unconst(from[i].name);
        specs[i].datatype = unconst(sl_dtype_name(from[i].dtype));
        specs[i].shape = unconst(from[i].dims);
        specs[i].n_shape = from[i].rank;
        pointers[i] = &specs[i];
    }
    return pointers;
}

static bool fill_model(const struct ex_catalog *catalog, uint32_t model, struct sl_arena *arena,
                       pb_model *out)
{
    const struct ex_model_spec *spec = ex_catalog_spec(catalog, model);
    sluice__node__v1__model__init(out);
    out->name = unconst(ex_catalog_name(catalog, model));
    out->problem = unconst(ex_catalog_problem(catalog, model));
    if (!spec)
        return true;
    out->version = unconst(spec->version);
    out->engine = unconst(spec->engine);
    out->duration_us = (uint64_t)spec->duration_us;
    out->max_duration_us = (uint64_t)spec->max_duration_us;
    out->max_batch = (uint32_t)spec->max_batch;
    out->duration = unconst(spec->duration);
    out->size = unconst(spec->size ? spec->size : "");
    out->inputs = make_specs(spec->inputs, spec->input_count, arena);
    out->n_inputs = spec->input_count;
    out->outputs = make_specs(spec->outputs, spec->output_count, arena);
    out->n_outputs = spec->output_count;
    return out->inputs && out->outputs;
}

static bool fill_models(const struct ex_hello *from, struct sl_arena *arena,
                        Sluice__Node__V1__Hello *out)
{
    const uint32_t count = ex_catalog_count(from->catalog);
    pb_model *models = sl_arena_get(arena, count * sizeof(*models));
    out->models = sl_arena_get(arena, count * sizeof(pb_model *));
    if (!models || !out->models)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!fill_model(from->catalog, i, arena, &models[i]))
            return false;
        out->models[out->n_models++] = &models[i];
    }
    return true;
}

sl_status ex_link_put_hello(struct sl_buf *out, const struct ex_hello *from, struct sl_arena *arena)
{
    pb_node_batch batch = SLUICE__NODE__V1__NODE_BATCH__INIT;
    Sluice__Node__V1__Hello hello = SLUICE__NODE__V1__HELLO__INIT;
    hello.protocol_min = EX_LINK_PROTOCOL_MIN;
    hello.protocol_max = EX_LINK_PROTOCOL_MAX;
    hello.previous_session = from->previous_session;
    hello.node = unconst(from->node);
    hello.host = unconst(from->host);
    hello.version = unconst(SLUICE_VERSION);
    hello.bulk_window_bytes = from->bulk_window_bytes;
    hello.inline_max_bytes = from->inline_max_bytes;
    hello.slice_backlog_max = from->slice_backlog_max;
    hello.shared_memory = from->wants_shared_memory;
    hello.journal = from->journal;
    if (!fill_slices(from, arena, &hello) || !fill_models(from, arena, &hello))
        return SL_ENOMEM;
    batch.hello = &hello;
    return append(out, &batch);
}
