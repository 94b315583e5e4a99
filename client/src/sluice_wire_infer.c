/* sluice_wire_infer.c - ModelInferResponse taken apart where it lies. */
#include <inttypes.h>

#include "inference/inference.pb-c.h"
#include "sl_dtype.h"
#include "sluice_contents.h"
#include "sluice_pb.h"
#include "sluice_status.h"
#include "sluice_wire.h"

/* Field numbers of ModelInferResponse. */
enum { MODEL_NAME = 1, MODEL_VERSION = 2, ID = 3, PARAMETERS = 4, OUTPUTS = 5, RAW_CONTENTS = 6 };

typedef Inference__ModelInferResponse__InferOutputTensor pb_output;
typedef Inference__ModelInferResponse__ParametersEntry pb_parameter;

/* What one pass over the fields finds. */
struct answer {
    struct sluice_result *result;
    struct sluice_status *why;
    ProtobufCAllocator allocator; /* the result's arena: what is unpacked lives with the result */
    pb_output **outputs;
    struct sl_span *raw;
    size_t parameter_count;
    size_t output_count;
    size_t raw_count;
};

static void *arena_alloc(void *arena, size_t bytes)
{
    return sl_arena_get(arena, bytes);
}

static void arena_free(void *arena, void *p)
{
    (void)arena; /* freed with the arena */
    (void)p;
}

static sl_status malformed(struct answer *a, const char *what)
{
    sluice_status_set(a->why, SLUICE_INTERNAL, "BAD_REPLY",
                      "the server's ModelInferResponse is malformed: %s", what);
    return SL_EPROTO;
}

static sl_status no_memory(struct answer *a)
{
    sluice_status_set(a->why, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                      "no memory to take the answer of %zu bytes apart", a->result->message_len);
    return SL_ENOMEM;
}

static struct sl_span whole_message(const struct sluice_result *r)
{
    return sl_span_of(r->message, r->message_len);
}

/* First pass: is the form right, and how many of each? */
static sl_status count_fields(struct answer *a)
{
    struct sl_span rest = whole_message(a->result);
    struct sluice_pb_field f;
    sl_status s;

    while ((s = sluice_pb_next(&rest, &f)) == SL_OK) {
        if (f.number > RAW_CONTENTS)
            continue;
        if (f.wire != SLUICE_PB_BYTES)
            return malformed(a, "a field has the wrong wire type");
        a->parameter_count += f.number == PARAMETERS;
        a->output_count += f.number == OUTPUTS;
        a->raw_count += f.number == RAW_CONTENTS;
    }
    return s == SL_ENOENT ? SL_OK : malformed(a, "it ends in the middle of a field");
}

static sl_status make_room(struct answer *a)
{
    struct sl_arena *arena = &a->result->arena;

    a->outputs = sl_arena_zero(arena, a->output_count, sizeof(*a->outputs));
    a->raw = sl_arena_zero(arena, a->raw_count, sizeof(*a->raw));
    a->result->outputs = sl_arena_zero(arena, a->output_count, sizeof(*a->result->outputs));
    a->result->parameters =
        sl_arena_zero(arena, a->parameter_count, sizeof(*a->result->parameters));
    return a->outputs != NULL && a->raw != NULL && a->result->outputs != NULL &&
                   a->result->parameters != NULL
               ? SL_OK
               : no_memory(a);
}

static sl_status get_text(struct answer *a, struct sl_span text, const char **out)
{
    char *copy = sl_arena_str(&a->result->arena, text);
    if (copy == NULL)
        return no_memory(a);
    *out = copy;
    return SL_OK;
}

/* false: a parameter without a value. */
static bool read_parameter(const pb_parameter *e, struct sluice_parameter *p)
{
    const Inference__InferParameter *v = e->value;

    p->name = e->key;
    switch (v != NULL ? v->parameter_choice_case : 0) {
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM:
        p->kind = SLUICE_PARAMETER_BOOL;
        p->value.boolean = v->bool_param != 0;
        return true;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM:
        p->kind = SLUICE_PARAMETER_INT64;
        p->value.int64 = v->int64_param;
        return true;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM:
        p->kind = SLUICE_PARAMETER_STRING;
        p->value.string = v->string_param;
        return true;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM:
        p->kind = SLUICE_PARAMETER_DOUBLE;
        p->value.real = v->double_param;
        return true;
    case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM:
        p->kind = SLUICE_PARAMETER_UINT64;
        p->value.uint64 = v->uint64_param;
        return true;
    default:
        return false;
    }
}

static sl_status get_parameter(struct answer *a, struct sl_span bytes)
{
    pb_parameter *e = (pb_parameter *)protobuf_c_message_unpack(
        &inference__model_infer_response__parameters_entry__descriptor, &a->allocator, bytes.len,
        bytes.data);
    if (e == NULL)
        return malformed(a, "a parameter cannot be read");
    struct sluice_result *r = a->result;
    if (read_parameter(e, &r->parameters[r->parameter_count]))
        r->parameter_count++;
    return SL_OK;
}

static sl_status get_output(struct answer *a, struct sl_span bytes)
{
    pb_output *o = (pb_output *)protobuf_c_message_unpack(
        &inference__model_infer_response__infer_output_tensor__descriptor, &a->allocator, bytes.len,
        bytes.data);
    if (o == NULL)
        return malformed(a, "an output cannot be read");
    a->outputs[a->output_count++] = o;
    return SL_OK;
}

static sl_status get_field(struct answer *a, const struct sluice_pb_field *f)
{
    switch (f->number) {
    case MODEL_NAME:
        return get_text(a, f->bytes, &a->result->model_name);
    case MODEL_VERSION:
        return get_text(a, f->bytes, &a->result->model_version);
    case ID:
        return get_text(a, f->bytes, &a->result->id);
    case PARAMETERS:
        return get_parameter(a, f->bytes);
    case OUTPUTS:
        return get_output(a, f->bytes);
    case RAW_CONTENTS:
        a->raw[a->raw_count++] = f->bytes;
        return SL_OK;
    default:
        return SL_OK; /* of a newer protocol */
    }
}

/* Second pass, into the room that was made. */
static sl_status get_fields(struct answer *a)
{
    struct sl_span rest = whole_message(a->result);
    struct sluice_pb_field f;

    a->output_count = 0;
    a->raw_count = 0;
    while (sluice_pb_next(&rest, &f) == SL_OK) {
        sl_status s = get_field(a, &f);
        if (s != SL_OK)
            return s;
    }
    if (a->raw_count != 0 && a->raw_count != a->output_count)
        return malformed(a, "the raw contents are not as many as the outputs");
    return SL_OK;
}

/* The tensor's bytes where they lie, or a copy that is aligned. */
static sl_status align_data(struct answer *a, struct sl_span raw, struct sluice_tensor *t)
{
    t->data = raw.data;
    t->bytes = raw.len;
    if ((uintptr_t)raw.data % SLUICE_DATA_ALIGN == 0)
        return SL_OK;
    uint8_t *copy = sl_arena_get(&a->result->arena, raw.len);
    if (copy == NULL)
        return no_memory(a);
    if (raw.len > 0)
        memcpy(copy, raw.data, raw.len);
    t->data = copy;
    return SL_OK;
}

/* Are raw's bytes what the datatype and the shape say? Unknown datatypes pass. */
static sl_status check_size(struct answer *a, enum sl_dtype type, const struct sluice_tensor *t,
                            struct sl_span raw)
{
    uint64_t expected = raw.len;
    int64_t elements;
    sl_status s = sl_shape_elements(t->shape, t->rank, &elements);

    if (s == SL_OK && type == SL_DTYPE_BYTES)
        s = sl_bytes_tensor_check(raw, elements);
    else if (s == SL_OK && type != SL_DTYPE_INVALID)
        s = sl_shape_bytes(type, t->shape, t->rank, &expected);
    if (s == SL_OK && expected == raw.len)
        return SL_OK;
    sluice_status_set(a->why, SLUICE_INTERNAL, "BAD_REPLY",
                      "the server's output %s has %zu bytes, which its datatype %s and its shape "
                      "do not give",
                      t->name, raw.len, t->datatype);
    return SL_EPROTO;
}

static sl_status finish_output(struct answer *a, size_t index)
{
    const pb_output *o = a->outputs[index];
    struct sluice_tensor *t = &a->result->outputs[index];
    enum sl_dtype type = sl_dtype_from_name(sl_span_str(o->datatype));
    struct sl_span raw = {0};

    *t = (struct sluice_tensor){
        .name = o->name, .datatype = o->datatype, .shape = o->shape, .rank = o->n_shape};
    if (a->raw_count > 0) {
        raw = a->raw[index];
    } else {
        sl_status s = sluice_contents_to_raw(type, o->contents, &a->result->arena, &raw);
        if (s != SL_OK)
            return s == SL_ENOMEM ? no_memory(a) : malformed(a, "an output's contents");
    }
    sl_status s = check_size(a, type, t, raw);
    return s == SL_OK ? align_data(a, raw, t) : s;
}

sl_status sluice_wire_get_infer(struct sluice_result *r, struct sluice_status *why)
{
    struct answer a = {.result = r, .why = why};

    r->is_inference = true;

    a.allocator =
        (ProtobufCAllocator){.alloc = arena_alloc, .free = arena_free, .allocator_data = &r->arena};
    sl_status s = count_fields(&a);
    if (s == SL_OK)
        s = make_room(&a);
    if (s == SL_OK)
        s = get_fields(&a);
    for (size_t i = 0; i < a.output_count && s == SL_OK; i++)
        s = finish_output(&a, i);
    r->output_count = s == SL_OK ? a.output_count : 0;
    return s;
}

size_t sluice_wire_raw_offset(struct sl_span front)
{
    struct sl_span rest = front;
    struct sluice_pb_field f;
    uint64_t key;

    while (rest.len > 0) {
        struct sl_span at = rest;
        if (sluice_pb_varint(&at, &key) == SL_OK && key == (RAW_CONTENTS << 3 | SLUICE_PB_BYTES)) {
            uint64_t len;
            return sluice_pb_varint(&at, &len) == SL_OK ? (size_t)(at.data - front.data) : 0;
        }
        if (sluice_pb_next(&rest, &f) != SL_OK)
            return 0;
    }
    return 0;
}
