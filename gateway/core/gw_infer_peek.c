#include "gw_infer_peek.h"

#include <stdio.h>

#include "gw_pb.h"
#include "sl_text.h"

/* Field numbers of inference.ModelInferRequest and the messages inside it. */
enum {
    REQ_MODEL = 1,
    REQ_VERSION = 2,
    REQ_ID = 3,
    REQ_PARAM = 4,
    REQ_INPUT = 5,
    REQ_OUTPUT = 6,
    REQ_RAW = 7
};
enum { IN_NAME = 1, IN_DATATYPE = 2, IN_SHAPE = 3, IN_PARAM = 4, IN_CONTENTS = 5 };
enum { OUT_NAME = 1, OUT_PARAM = 2 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { PARAM_BOOL = 1, PARAM_INT = 2, PARAM_STRING = 3, PARAM_DOUBLE = 4, PARAM_UINT = 5 };

/* One feed: the peek with the bytes it looks at. */
struct feed {
    struct gw_peek *p;
    const uint8_t *message;
    struct sl_error *err;
};

static bool refuse_garbled(struct feed *f, const char *what)
{
    sl_error_set(f->err, SL_REASON_BAD_INPUT, "the request is not a valid ModelInferRequest: %s",
                 what);
    return false;
}

static bool has_type(struct feed *f, const struct gw_pb_field *field, enum gw_pb_type type,
                     const char *what)
{
    return field->type == type || refuse_garbled(f, what);
}

/* Room for one more in a list that grows by doubling in the arena. */
static void *grow(struct feed *f, void **list, size_t *room, size_t count, size_t max, size_t bytes,
                  const char *what)
{
    if (count == max) {
        sl_error_set(f->err, SL_REASON_BAD_INPUT, "the request has more than %zu %s", max, what);
        return NULL;
    }
    if (count == *room) {
        size_t more = *room == 0 ? 4 : *room * 2;
        char *bigger = sl_arena_zero(f->p->arena, more, bytes);
        if (bigger == NULL) {
            sl_error_set(f->err, SL_REASON_NO_CAPACITY, "no memory for the request's %s", what);
            return NULL;
        }
        if (count > 0)
            memcpy(bigger, *list, count * bytes);
        *list = bigger;
        *room = more;
    }
    return (char *)*list + count * bytes;
}

/* A string field at base + field: UTF-8, no NUL, at most max bytes. */
static bool take_text(struct feed *f, size_t base, const struct gw_pb_field *field, size_t max,
                      const char *what, struct gw_range *out)
{
    if (!has_type(f, field, GW_PB_BYTES, what))
        return false;
    if (field->length > max) {
        sl_error_set(f->err, SL_REASON_BAD_INPUT, "%s has %zu bytes, over the limit of %zu", what,
                     field->length, max);
        return false;
    }
    *out = (struct gw_range){base + field->offset, field->length};
    if (!sl_text_is_utf8(gw_range_span(f->message, *out))) {
        sl_error_set(f->err, SL_REASON_BAD_INPUT, "%s is not UTF-8 text without NUL bytes", what);
        return false;
    }
    return true;
}

static struct gw_pb_reader reader_at(struct feed *f, struct gw_range r)
{
    return gw_pb_reader_of(gw_range_span(f->message, r));
}

static bool add_dim(struct feed *f, struct gw_peek_input *in, uint64_t dim)
{
    if (in->rank == SL_RANK_MAX) {
        sl_error_set(f->err, SL_REASON_BAD_INPUT, "input '%.*s' has more than %d dimensions",
                     (int)in->name.length, (const char *)f->message + in->name.offset, SL_RANK_MAX);
        return false;
    }
    in->dims[in->rank++] = (int64_t)dim;
    return true;
}

/* A shape comes packed, or, from old encoders, as one field for each dimension. */
static bool take_shape(struct feed *f, struct gw_range input, const struct gw_pb_field *field,
                       struct gw_peek_input *in)
{
    if (field->type == GW_PB_VARINT)
        return add_dim(f, in, field->value);
    if (!has_type(f, field, GW_PB_BYTES, "an input's shape"))
        return false;
    struct gw_pb_reader r =
        reader_at(f, (struct gw_range){input.offset + field->offset, field->length});
    while (r.at < r.len) {
        uint64_t dim;
        if (!gw_pb_varint(&r, &dim))
            return refuse_garbled(f, "an input's shape");
        if (!add_dim(f, in, dim))
            return false;
    }
    return true;
}

static bool take_contents(struct feed *f, struct gw_range input, const struct gw_pb_field *field,
                          struct gw_peek_input *in)
{
    if (!has_type(f, field, GW_PB_BYTES, "an input's contents"))
        return false;
    if (in->has_contents)
        return refuse_garbled(f, "an input has its contents twice");
    in->has_contents = true;
    in->contents = (struct gw_range){input.offset + field->offset, field->length};
    return true;
}

/* What tritonclient asks of a tensor by parameters and what would go wrong in silence: without its
 * region the tensor would seem empty, without its classes an output would be something else. */
static const struct {
    const char *name;
    const char *what;
} refused_params[] = {
    {"shared_memory_region", "a shared memory region; send its bytes instead"},
    {"classification", "classes; only the output itself is offered"},
};

static bool refuse_tensor_param(struct feed *f, const struct gw_range *tensor, const char *what)
{
    sl_error_set(f->err, SL_REASON_BAD_INPUT, "tensor '%.*s' asks for %s", (int)tensor->length,
                 (const char *)f->message + tensor->offset, what);
    return false;
}

static bool check_tensor_param(struct feed *f, struct gw_range entry, const struct gw_range *tensor)
{
    struct gw_pb_reader r = reader_at(f, entry);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field)) {
        if (field.number != ENTRY_KEY || field.type != GW_PB_BYTES)
            continue;
        struct sl_span key = gw_pb_content(&r, &field);
        for (size_t i = 0; i < SL_ARRAY_LEN(refused_params); i++)
            if (sl_span_eq_str(key, refused_params[i].name))
                return refuse_tensor_param(f, tensor, refused_params[i].what);
    }
    return !r.bad || refuse_garbled(f, "a tensor's parameters");
}

static bool take_input_field(struct feed *f, struct gw_range input, const struct gw_pb_field *field,
                             struct gw_peek_input *in)
{
    struct gw_range content = {input.offset + field->offset, field->length};
    switch (field->number) {
    case IN_NAME:
        return take_text(f, input.offset, field, GW_PEEK_NAME_MAX, "an input's name", &in->name);
    case IN_DATATYPE:
        return take_text(f, input.offset, field, GW_PEEK_NAME_MAX, "an input's datatype",
                         &in->datatype);
    case IN_SHAPE:
        return take_shape(f, input, field, in);
    case IN_PARAM:
        return has_type(f, field, GW_PB_BYTES, "a tensor's parameters") &&
               check_tensor_param(f, content, &in->name);
    case IN_CONTENTS:
        return take_contents(f, input, field, in);
    default:
        return true;
    }
}

static bool take_input(struct feed *f, struct gw_range input)
{
    struct gw_peek *p = f->p;
    struct gw_peek_input *in = grow(f, (void **)&p->inputs, &p->input_room, p->input_count,
                                    GW_PEEK_TENSORS_MAX, sizeof *in, "inputs");
    if (in == NULL)
        return false;
    struct gw_pb_reader r = reader_at(f, input);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field))
        if (!take_input_field(f, input, &field, in))
            return false;
    if (r.bad)
        return refuse_garbled(f, "an input is cut off");
    p->input_count++;
    return true;
}

static bool take_output(struct feed *f, struct gw_range output)
{
    struct gw_peek *p = f->p;
    struct gw_range *name = grow(f, (void **)&p->outputs, &p->output_room, p->output_count,
                                 GW_PEEK_TENSORS_MAX, sizeof *name, "requested outputs");
    if (name == NULL)
        return false;
    struct gw_pb_reader r = reader_at(f, output);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field)) {
        struct gw_range content = {output.offset + field.offset, field.length};
        if (field.number == OUT_NAME &&
            !take_text(f, output.offset, &field, GW_PEEK_NAME_MAX, "an output's name", name))
            return false;
        if (field.number == OUT_PARAM &&
            (!has_type(f, &field, GW_PB_BYTES, "a tensor's parameters") ||
             !check_tensor_param(f, content, name)))
            return false;
    }
    if (r.bad)
        return refuse_garbled(f, "a requested output is cut off");
    p->output_count++;
    return true;
}

static bool take_raw(struct feed *f, struct gw_range raw)
{
    struct gw_peek *p = f->p;
    struct gw_range *place = grow(f, (void **)&p->raws, &p->raw_room, p->raw_count,
                                  GW_PEEK_TENSORS_MAX, sizeof *place, "raw_input_contents");
    if (place == NULL)
        return false;
    *place = raw;
    p->raw_count++;
    return true;
}

static bool take_param_text(struct feed *f, size_t base, const struct gw_pb_field *field,
                            struct gw_peek_param *param)
{
    char what[GW_PEEK_NAME_MAX + 32];
    snprintf(what, sizeof what, "the value of parameter '%.*s'", (int)param->name.length,
             (const char *)f->message + param->name.offset);
    return take_text(f, base, field, GW_PEEK_TEXT_MAX, what, &param->value.s);
}

static bool take_param_choice(struct feed *f, struct gw_range value, struct gw_peek_param *param)
{
    struct gw_pb_reader r = reader_at(f, value);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field)) {
        if (field.number == PARAM_BOOL && field.type == GW_PB_VARINT) {
            param->kind = GW_PARAM_BOOL;
            param->value.b = field.value != 0;
        } else if (field.number == PARAM_INT && field.type == GW_PB_VARINT) {
            param->kind = GW_PARAM_INT;
            param->value.i = (int64_t)field.value;
        } else if (field.number == PARAM_UINT && field.type == GW_PB_VARINT) {
            param->kind = GW_PARAM_UINT;
            param->value.u = field.value;
        } else if (field.number == PARAM_DOUBLE && field.type == GW_PB_FIXED64) {
            param->kind = GW_PARAM_DOUBLE;
            memcpy(&param->value.d, &field.value, sizeof field.value);
        } else if (field.number == PARAM_STRING) {
            param->kind = GW_PARAM_STRING;
            if (!take_param_text(f, value.offset, &field, param))
                return false;
        }
    }
    return !r.bad || refuse_garbled(f, "a parameter is cut off");
}

static bool count_param(struct feed *f, const struct gw_peek_param *param)
{
    struct gw_peek *p = f->p;
    if (param->name.length == 0) {
        sl_error_set(f->err, SL_REASON_BAD_INPUT, "a parameter has no name");
        return false;
    }
    p->param_count++;
    p->param_bytes += param->name.length;
    if (param->kind == GW_PARAM_STRING)
        p->param_bytes += param->value.s.length;
    if (p->param_bytes <= GW_PEEK_PARAMS_BYTES_MAX)
        return true;
    sl_error_set(f->err, SL_REASON_BAD_INPUT,
                 "the request's parameters have more than %d bytes in all",
                 GW_PEEK_PARAMS_BYTES_MAX);
    return false;
}

static bool take_param(struct feed *f, struct gw_range entry)
{
    struct gw_peek *p = f->p;
    struct gw_peek_param *param = grow(f, (void **)&p->params, &p->param_room, p->param_count,
                                       GW_PEEK_PARAMS_MAX, sizeof *param, "parameters");
    if (param == NULL)
        return false;
    *param = (struct gw_peek_param){0}; /* one without a value may have left its name here */
    struct gw_pb_reader r = reader_at(f, entry);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field)) {
        struct gw_range content = {entry.offset + field.offset, field.length};
        if (field.number == ENTRY_KEY && !take_text(f, entry.offset, &field, GW_PEEK_NAME_MAX,
                                                    "a parameter's name", &param->name))
            return false;
        if (field.number == ENTRY_VALUE && field.type == GW_PB_BYTES &&
            !take_param_choice(f, content, param))
            return false;
    }
    if (r.bad)
        return refuse_garbled(f, "a parameter is cut off");
    return param->kind == GW_PARAM_NONE /* a parameter without a value says nothing */
           || count_param(f, param);
}

static bool take_field(struct feed *f, const struct gw_pb_field *field)
{
    struct gw_peek *p = f->p;
    struct gw_range content = {field->offset, field->length};
    switch (field->number) {
    case REQ_MODEL:
        return take_text(f, 0, field, GW_PEEK_NAME_MAX, "model_name", &p->model_name);
    case REQ_VERSION:
        return take_text(f, 0, field, GW_PEEK_NAME_MAX, "model_version", &p->model_version);
    case REQ_ID:
        return take_text(f, 0, field, GW_PEEK_TEXT_MAX, "id", &p->id);
    case REQ_PARAM:
        return has_type(f, field, GW_PB_BYTES, "parameters") && take_param(f, content);
    case REQ_INPUT:
        return has_type(f, field, GW_PB_BYTES, "inputs") && take_input(f, content);
    case REQ_OUTPUT:
        return has_type(f, field, GW_PB_BYTES, "outputs") && take_output(f, content);
    case REQ_RAW:
        return has_type(f, field, GW_PB_BYTES, "raw_input_contents") && take_raw(f, content);
    default:
        return true; /* a field of a later protocol */
    }
}

void gw_peek_init(struct gw_peek *p, struct sl_arena *arena)
{
    *p = (struct gw_peek){.arena = arena};
}

/* Has this field all that it takes to look at it? Only raw bytes may still be on their way. */
static bool may_take(const struct gw_pb_field *field, size_t arrived)
{
    return field->type != GW_PB_BYTES || field->number == REQ_RAW ||
           field->offset + field->length <= arrived;
}

/* Tag and length of a field may be cut by the end of what has arrived; the longest pair is 20
 * bytes. */
static bool has_head(size_t at, size_t arrived, size_t total_bytes)
{
    return arrived == total_bytes || arrived - at >= 2 * GW_PB_VARINT_MAX;
}

bool gw_peek_feed(struct gw_peek *p, const uint8_t *message, size_t arrived, size_t total_bytes,
                  struct sl_error *err)
{
    struct feed f = {p, message, err};
    while (p->at < arrived && has_head(p->at, arrived, total_bytes)) {
        struct gw_pb_reader r = {message, total_bytes, p->at, false};
        struct gw_pb_field field;
        if (!gw_pb_next(&r, &field))
            return refuse_garbled(&f, "its fields do not end where it ends");
        if (!may_take(&field, arrived))
            return true;
        if (!take_field(&f, &field))
            return false;
        p->at = r.at;
    }
    return true;
}
