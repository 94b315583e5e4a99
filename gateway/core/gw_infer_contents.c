#include "gw_infer_contents.h"

#include <inttypes.h>
#include <stdio.h>

#include "gw_pb.h"

/* Field numbers of inference.InferTensorContents. */
enum field_number {
    BOOLS = 1,
    INTS = 2,
    INT64S = 3,
    UINTS = 4,
    UINT64S = 5,
    FP32S = 6,
    FP64S = 7,
    BYTES = 8
};
static const char *const field_names[] = {
    [BOOLS] = "bool_contents", [INTS] = "int_contents",       [INT64S] = "int64_contents",
    [UINTS] = "uint_contents", [UINT64S] = "uint64_contents", [FP32S] = "fp32_contents",
    [FP64S] = "fp64_contents", [BYTES] = "bytes_contents",
};

/* Which field carries a datatype, and the values that the datatype can hold. */
struct rule {
    uint32_t field;
    enum gw_pb_type element; /* how one element is written */
    int64_t min;             /* of signed and unsigned integers below 64 bits */
    uint64_t max;
};
static const struct rule rules[SL_DTYPE_COUNT] = {
    [SL_DTYPE_BOOL] = {BOOLS, GW_PB_VARINT, 0, UINT64_MAX},
    [SL_DTYPE_UINT8] = {UINTS, GW_PB_VARINT, 0, UINT8_MAX},
    [SL_DTYPE_UINT16] = {UINTS, GW_PB_VARINT, 0, UINT16_MAX},
    [SL_DTYPE_UINT32] = {UINTS, GW_PB_VARINT, 0, UINT32_MAX},
    [SL_DTYPE_UINT64] = {UINT64S, GW_PB_VARINT, 0, UINT64_MAX},
    [SL_DTYPE_INT8] = {INTS, GW_PB_VARINT, INT8_MIN, INT8_MAX},
    [SL_DTYPE_INT16] = {INTS, GW_PB_VARINT, INT16_MIN, INT16_MAX},
    [SL_DTYPE_INT32] = {INTS, GW_PB_VARINT, INT32_MIN, INT32_MAX},
    [SL_DTYPE_INT64] = {INT64S, GW_PB_VARINT, INT64_MIN, INT64_MAX},
    [SL_DTYPE_FP32] = {FP32S, GW_PB_FIXED32, 0, 0},
    [SL_DTYPE_FP64] = {FP64S, GW_PB_FIXED64, 0, 0},
    [SL_DTYPE_BYTES] = {BYTES, GW_PB_BYTES, 0, 0},
};

static bool refuse(struct sl_error *err, struct sl_span name, const char *why)
{
    sl_error_set(err, SL_REASON_BAD_INPUT, "the typed contents of input '%.*s' %s", (int)name.len,
                 (const char *)name.data, why);
    return false;
}

static bool refuse_field(struct sl_error *err, struct sl_span name, enum sl_dtype dtype,
                         uint32_t number)
{
    const char *sent = number <= BYTES ? field_names[number] : "an unknown field";
    sl_error_set(err, SL_REASON_BAD_INPUT,
                 "input '%.*s' is %s, whose typed contents are %s, not %s", (int)name.len,
                 (const char *)name.data, sl_dtype_name(dtype), field_names[rules[dtype].field],
                 sent);
    return false;
}

/* Takes one field of the right number; a packed field holds many elements. */
typedef bool (*on_field)(void *ctx, const struct gw_pb_reader *r, const struct gw_pb_field *field);

static bool walk(struct sl_span contents, enum sl_dtype dtype, struct sl_span name, on_field take,
                 void *ctx, struct sl_error *err)
{
    if (rules[dtype].field == 0) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "input '%.*s': %s has no typed contents, send it in raw_input_contents",
                     (int)name.len, (const char *)name.data, sl_dtype_name(dtype));
        return false;
    }
    struct gw_pb_reader r = gw_pb_reader_of(contents);
    struct gw_pb_field field;
    while (gw_pb_next(&r, &field)) {
        bool is_packed = field.type == GW_PB_BYTES && rules[dtype].element != GW_PB_BYTES;
        if (field.number != rules[dtype].field)
            return refuse_field(err, name, dtype, field.number);
        if (!is_packed && field.type != rules[dtype].element)
            return refuse(err, name, "are garbled");
        if (!take(ctx, &r, &field))
            return err->reason != SL_REASON_OK ? false : refuse(err, name, "are garbled");
    }
    return !r.bad || refuse(err, name, "are cut off");
}

/* ---- counting */

struct counting {
    struct gw_contents_count *out;
    enum sl_dtype dtype;
    size_t fields;
};

static bool count_packed_varints(struct sl_span packed, uint64_t *elements)
{
    for (size_t i = 0; i < packed.len; i++)
        *elements += (packed.data[i] & 0x80) == 0;
    return packed.len == 0 || (packed.data[packed.len - 1] & 0x80) == 0;
}

static bool count_packed_fixed(struct counting *c, const struct gw_pb_field *field)
{
    size_t size = sl_dtype_bytes(c->dtype);
    if (field->length % size != 0)
        return false;
    c->out->elements += field->length / size;
    c->out->is_contiguous = c->fields == 1; /* one packed field is the raw tensor itself */
    c->out->raw_at = field->offset;
    return true;
}

static bool count_field(void *ctx, const struct gw_pb_reader *r, const struct gw_pb_field *field)
{
    struct counting *c = ctx;
    c->fields++;
    if (c->dtype == SL_DTYPE_BYTES) {
        c->out->elements++;
        c->out->raw_bytes += 4 + field->length;
        return field->length <= UINT32_MAX;
    }
    if (field->type != GW_PB_BYTES) {
        c->out->elements++;
        c->out->is_contiguous = false;
        return true;
    }
    if (rules[c->dtype].element == GW_PB_VARINT)
        return count_packed_varints(gw_pb_content(r, field), &c->out->elements);
    return count_packed_fixed(c, field);
}

bool gw_contents_count(struct sl_span contents, enum sl_dtype dtype, struct sl_span name,
                       struct gw_contents_count *out, struct sl_error *err)
{
    *out = (struct gw_contents_count){0};
    struct counting c = {out, dtype, 0};
    if (!walk(contents, dtype, name, count_field, &c, err))
        return false;
    if (dtype != SL_DTYPE_BYTES)
        out->raw_bytes = out->elements * sl_dtype_bytes(dtype);
    return true;
}

/* ---- writing */

struct writing {
    uint8_t *out;
    enum sl_dtype dtype;
    struct sl_span name;
    struct sl_error *err;
};

/* int32 fields carry negative numbers as 64-bit varints; uint32 fields never do. */
static bool is_in_range(enum sl_dtype dtype, uint64_t v)
{
    const struct rule *rule = &rules[dtype];
    if (rule->element != GW_PB_VARINT)
        return true; /* any bits are a float */
    if (rule->min == 0)
        return v <= rule->max;
    int64_t i = (int64_t)v;
    return i >= rule->min && i <= (int64_t)rule->max;
}

static bool put_element(struct writing *w, uint64_t v)
{
    if (!is_in_range(w->dtype, v)) {
        bool is_signed = rules[w->dtype].min < 0;
        char text[32];
        snprintf(text, sizeof text, is_signed ? "%" PRId64 : "%" PRIu64, v);
        sl_error_set(w->err, SL_REASON_BAD_INPUT, "input '%.*s' has the value %s, which is no %s",
                     (int)w->name.len, (const char *)w->name.data, text, sl_dtype_name(w->dtype));
        return false;
    }
    if (w->dtype == SL_DTYPE_BOOL)
        v = v != 0;
    for (size_t i = 0; i < sl_dtype_bytes(w->dtype); i++)
        *w->out++ = (uint8_t)(v >> (8 * i));
    return true;
}

static bool write_packed_varints(struct writing *w, struct sl_span packed)
{
    struct gw_pb_reader r = gw_pb_reader_of(packed);
    while (r.at < r.len) {
        uint64_t v;
        if (!gw_pb_varint(&r, &v) || !put_element(w, v))
            return false;
    }
    return true;
}

static void write_copy(struct writing *w, struct sl_span bytes)
{
    if (bytes.len > 0)
        memcpy(w->out, bytes.data, bytes.len);
    w->out += bytes.len;
}

static bool write_field(void *ctx, const struct gw_pb_reader *r, const struct gw_pb_field *field)
{
    struct writing *w = ctx;
    if (field->type != GW_PB_BYTES)
        return put_element(w, field->value);
    struct sl_span content = gw_pb_content(r, field);
    if (rules[w->dtype].element == GW_PB_VARINT)
        return write_packed_varints(w, content);
    if (w->dtype == SL_DTYPE_BYTES)
        for (size_t i = 0; i < 4; i++)
            *w->out++ = (uint8_t)(content.len >> (8 * i));
    write_copy(w, content);
    return true;
}

bool gw_contents_write(struct sl_span contents, enum sl_dtype dtype, struct sl_span name,
                       uint8_t *out, struct sl_error *err)
{
    struct writing w = {out, dtype, name, err};
    return walk(contents, dtype, name, write_field, &w, err);
}
