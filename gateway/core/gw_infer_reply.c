#include "gw_infer_reply.h"

#include <inttypes.h>

#include "gw_pb.h"

/* Field numbers of inference.ModelInferResponse and its InferOutputTensor. */
enum { REP_MODEL = 1, REP_VERSION = 2, REP_ID = 3, REP_OUTPUT = 5, REP_RAW = 6 };
enum { OUT_NAME = 1, OUT_DATATYPE = 2, OUT_SHAPE = 3 };

struct build {
    const struct gw_plan *plan;
    const struct gw_result_payload *payload;
    const struct gw_result_output **chosen; /* plan->output_count */
    struct sl_arena *arena;
    struct gw_reply_message *out;
    size_t room; /* of out->pieces */
    struct sl_error *err;
};

static bool no_memory(struct build *b)
{
    sl_error_set(b->err, SL_REASON_NO_CAPACITY, "no memory for the reply");
    return false;
}

static bool check_output(struct build *b, const struct gw_tensor_spec *spec,
                         const struct gw_result_output *o)
{
    char said[160];
    uint64_t needed = o->bytes;
    if (o->payload_offset > b->payload->total_bytes ||
        o->bytes > b->payload->total_bytes - o->payload_offset) {
        sl_error_set(b->err, SL_REASON_INTERNAL,
                     "the executor placed output '%s' outside its payload", spec->name);
        return false;
    }
    bool fits = o->dtype == spec->dtype && sl_shape_fits(spec->dims, spec->rank, o->dims, o->rank);
    if (fits && o->dtype != SL_DTYPE_BYTES)
        fits = sl_shape_bytes(o->dtype, o->dims, o->rank, &needed) == SL_OK && needed == o->bytes;
    if (!fits)
        sl_error_set(b->err, SL_REASON_MODEL_ERROR,
                     "model '%s' gave output '%s' as %s %s of %" PRIu64
                     " bytes, which is not what its model.yaml says",
                     b->plan->model->name, spec->name, sl_dtype_name(o->dtype),
                     sl_shape_format(o->dims, o->rank, said, sizeof said), o->bytes);
    return fits;
}

static bool choose_outputs(struct build *b, const struct gw_result_output *outputs, size_t count)
{
    for (size_t k = 0; k < b->plan->output_count; k++) {
        const struct gw_tensor_spec *spec = &b->plan->model->outputs[b->plan->outputs[k]];
        size_t i = 0;
        while (i < count && !sl_span_eq_str(outputs[i].name, spec->name))
            i++;
        if (i == count) {
            sl_error_set(b->err, SL_REASON_MODEL_ERROR, "model '%s' did not give output '%s'",
                         b->plan->model->name, spec->name);
            return false;
        }
        if (!check_output(b, spec, &outputs[i]))
            return false;
        b->chosen[k] = &outputs[i];
    }
    return true;
}

static size_t shape_bytes(const struct gw_result_output *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->rank; i++)
        n += gw_pb_varint_bytes((uint64_t)o->dims[i]);
    return n;
}

static size_t output_bytes(const struct gw_result_output *o)
{
    size_t n = gw_pb_bytes_size(o->name.len) + gw_pb_bytes_size(strlen(sl_dtype_name(o->dtype)));
    return o->rank == 0 ? n : n + gw_pb_bytes_size(shape_bytes(o));
}

static uint8_t *put_output(uint8_t *p, const struct gw_result_output *o)
{
    p = gw_pb_put_head(p, REP_OUTPUT, output_bytes(o));
    p = gw_pb_put_bytes(p, OUT_NAME, o->name);
    p = gw_pb_put_bytes(p, OUT_DATATYPE, sl_span_str(sl_dtype_name(o->dtype)));
    if (o->rank == 0)
        return p;
    p = gw_pb_put_head(p, OUT_SHAPE, shape_bytes(o));
    for (size_t i = 0; i < o->rank; i++)
        p = gw_pb_put_varint(p, (uint64_t)o->dims[i]);
    return p;
}

static size_t text_bytes(struct sl_span s)
{
    return s.len == 0 ? 0 : gw_pb_bytes_size(s.len);
}

static uint8_t *put_text(uint8_t *p, uint32_t number, struct sl_span s)
{
    return s.len == 0 ? p : gw_pb_put_bytes(p, number, s);
}

static bool add_piece(struct build *b, struct sl_span piece)
{
    if (piece.len == 0)
        return true;
    if (b->out->piece_count == b->room) {
        sl_error_set(b->err, SL_REASON_INTERNAL, "the executor let outputs overlap in its payload");
        return false;
    }
    b->out->pieces[b->out->piece_count++] = piece;
    b->out->total_bytes += piece.len;
    return true;
}

/* The payload's bytes [offset, offset + bytes), which may lie in several pieces. */
static bool add_payload(struct build *b, uint64_t offset, uint64_t bytes)
{
    for (size_t i = 0; i < b->payload->piece_count && bytes > 0; i++) {
        struct sl_span piece = b->payload->pieces[i];
        if (offset >= piece.len) {
            offset -= piece.len;
            continue;
        }
        uint64_t n = piece.len - offset < bytes ? piece.len - offset : bytes;
        if (!add_piece(b, sl_span_of(piece.data + offset, (size_t)n)))
            return false;
        bytes -= n;
        offset = 0;
    }
    return true;
}

/* Head of the message, up to and with the head of the first raw output; later raw heads follow in
 * the same memory. */
static bool write_pieces(struct build *b, struct sl_span id)
{
    const struct gw_model_spec *model = b->plan->model;
    struct sl_span name = sl_span_str(model->name), version = sl_span_str(model->version);
    size_t head = text_bytes(name) + text_bytes(version) + text_bytes(id);
    for (size_t k = 0; k < b->plan->output_count; k++)
        head += gw_pb_bytes_size(output_bytes(b->chosen[k])) + 1 + GW_PB_VARINT_MAX;
    uint8_t *p = sl_arena_get(b->arena, head > 0 ? head : 1), *begin = p;
    if (p == NULL)
        return no_memory(b);
    p = put_text(p, REP_MODEL, name);
    p = put_text(p, REP_VERSION, version);
    p = put_text(p, REP_ID, id);
    for (size_t k = 0; k < b->plan->output_count; k++)
        p = put_output(p, b->chosen[k]);
    for (size_t k = 0; k < b->plan->output_count; k++) {
        p = gw_pb_put_head(p, REP_RAW, b->chosen[k]->bytes);
        if (!add_piece(b, sl_span_of(begin, (size_t)(p - begin))) ||
            !add_payload(b, b->chosen[k]->payload_offset, b->chosen[k]->bytes))
            return false;
        begin = p;
    }
    return add_piece(b, sl_span_of(begin, (size_t)(p - begin)));
}

/* The length before a gRPC message has 32 bits. */
static bool fits_grpc(struct build *b)
{
    if (b->out->total_bytes <= UINT32_MAX)
        return true;
    sl_error_set(b->err, SL_REASON_TOO_LARGE,
                 "the reply has %" PRIu64 " bytes, a gRPC message has at most %" PRIu32,
                 b->out->total_bytes, UINT32_MAX);
    return false;
}

bool gw_infer_reply(const struct gw_plan *plan, struct sl_span id,
                    const struct gw_result_output *outputs, size_t output_count,
                    const struct gw_result_payload *payload, struct sl_arena *arena,
                    struct gw_reply_message *out, struct sl_error *err)
{
    *out = (struct gw_reply_message){0};
    struct build b = {.plan = plan, .payload = payload, .arena = arena, .out = out, .err = err};
    /* Outputs that do not overlap cut the payload's pieces at most once each. */
    b.room = 1 + 2 * plan->output_count + payload->piece_count;
    b.chosen = sl_arena_zero(arena, plan->output_count + 1, sizeof(struct gw_result_output *));
    out->pieces = sl_arena_zero(arena, b.room, sizeof *out->pieces);
    if (b.chosen == NULL || out->pieces == NULL)
        return no_memory(&b);
    return choose_outputs(&b, outputs, output_count) && write_pieces(&b, id) && fits_grpc(&b);
}
