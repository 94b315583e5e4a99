/* sluice_contents.c - typed tensor contents to raw bytes. */
#include "sluice_contents.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensors are little-endian");

/* count numbers of 32 bits, each stored in bytes bytes. */
static sl_status narrow_signed(const int32_t *in, size_t count, size_t bytes, uint8_t *out)
{
    const int64_t limit = INT64_C(1) << (8 * bytes - 1);
    for (size_t i = 0; i < count; i++) {
        if (in[i] < -limit || in[i] >= limit)
            return SL_EINVAL;
        memcpy(out + i * bytes, &in[i], bytes);
    }
    return SL_OK;
}

static sl_status narrow_unsigned(const uint32_t *in, size_t count, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if ((uint64_t)in[i] >> (8 * bytes) != 0)
            return SL_EINVAL;
        memcpy(out + i * bytes, &in[i], bytes);
    }
    return SL_OK;
}

static sl_status put_bytes(const Inference__InferTensorContents *c, struct sl_arena *arena,
                           struct sl_span *out)
{
    size_t total = 0;
    for (size_t i = 0; i < c->n_bytes_contents; i++)
        total += 4 + c->bytes_contents[i].len; /* all of them were in one received message */
    uint8_t *raw = sl_arena_get(arena, total);
    if (raw == NULL)
        return SL_ENOMEM;
    *out = sl_span_of(raw, total);
    for (size_t i = 0; i < c->n_bytes_contents; i++) {
        uint32_t len = (uint32_t)c->bytes_contents[i].len;
        memcpy(raw, &len, sizeof(len));
        if (len > 0)
            memcpy(raw + 4, c->bytes_contents[i].data, len);
        raw += 4 + len;
    }
    return SL_OK;
}

static sl_status put_bools(const Inference__InferTensorContents *c, uint8_t *out)
{
    for (size_t i = 0; i < c->n_bool_contents; i++)
        out[i] = c->bool_contents[i] != 0;
    return SL_OK;
}

/* How many elements c has for type; false when the type has no typed form. */
static bool count_elements(enum sl_dtype type, const Inference__InferTensorContents *c,
                           size_t *out_count)
{
    switch (type) {
    case SL_DTYPE_BOOL:
        *out_count = c->n_bool_contents;
        return true;
    case SL_DTYPE_INT8:
    case SL_DTYPE_INT16:
    case SL_DTYPE_INT32:
        *out_count = c->n_int_contents;
        return true;
    case SL_DTYPE_INT64:
        *out_count = c->n_int64_contents;
        return true;
    case SL_DTYPE_UINT8:
    case SL_DTYPE_UINT16:
    case SL_DTYPE_UINT32:
        *out_count = c->n_uint_contents;
        return true;
    case SL_DTYPE_UINT64:
        *out_count = c->n_uint64_contents;
        return true;
    case SL_DTYPE_FP32:
        *out_count = c->n_fp32_contents;
        return true;
    case SL_DTYPE_FP64:
        *out_count = c->n_fp64_contents;
        return true;
    default:
        return false;
    }
}

/* The elements of 64 bits and the floats lie in memory as they do on the wire. */
static const void *same_in_memory(enum sl_dtype type, const Inference__InferTensorContents *c)
{
    switch (type) {
    case SL_DTYPE_INT64:
        return c->int64_contents;
    case SL_DTYPE_UINT64:
        return c->uint64_contents;
    case SL_DTYPE_FP32:
        return c->fp32_contents;
    case SL_DTYPE_FP64:
        return c->fp64_contents;
    default:
        return NULL;
    }
}

static sl_status put_numbers(enum sl_dtype type, const Inference__InferTensorContents *c,
                             size_t count, uint8_t *out)
{
    const size_t bytes = sl_dtype_bytes(type);
    const void *same = same_in_memory(type, c);

    if (same != NULL) {
        memcpy(out, same, count * bytes);
        return SL_OK;
    }
    switch (type) {
    case SL_DTYPE_BOOL:
        return put_bools(c, out);
    case SL_DTYPE_INT8:
    case SL_DTYPE_INT16:
    case SL_DTYPE_INT32:
        return narrow_signed(c->int_contents, count, bytes, out);
    default:
        return narrow_unsigned(c->uint_contents, count, bytes, out);
    }
}

sl_status sluice_contents_to_raw(enum sl_dtype type, const Inference__InferTensorContents *c,
                                 struct sl_arena *arena, struct sl_span *out)
{
    static const Inference__InferTensorContents none = INFERENCE__INFER_TENSOR_CONTENTS__INIT;
    size_t count;

    if (c == NULL)
        c = &none;
    if (type == SL_DTYPE_BYTES)
        return put_bytes(c, arena, out);
    if (!count_elements(type, c, &count))
        return SL_EINVAL;
    uint8_t *raw = sl_arena_zero(arena, count, sl_dtype_bytes(type));
    if (raw == NULL)
        return SL_ENOMEM;
    *out = sl_span_of(raw, count * sl_dtype_bytes(type));
    return count > 0 ? put_numbers(type, c, count, raw) : SL_OK;
}
