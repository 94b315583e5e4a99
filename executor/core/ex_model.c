/* ex_model.c - questions about a model's spec. */
#include "ex_model.h"

#include <inttypes.h>
#include <string.h>

enum { SHAPE_TEXT_BYTES = 128 };

const char *ex_model_option(const struct ex_model_spec *m, const char *name, const char *fallback)
{
    for (size_t i = 0; i < m->option_count; i++) {
        if (strcmp(m->options[i].name, name) == 0)
            return m->options[i].value;
    }
    return fallback;
}

size_t ex_tensor_find(const struct ex_tensor_spec *specs, size_t count, struct sl_span name)
{
    for (size_t i = 0; i < count; i++) {
        if (sl_span_eq_str(name, specs[i].name))
            return i;
    }
    return count;
}

/* ---- fingerprint */

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_tensor(uint64_t hash, const char *direction, const struct ex_tensor_spec *t)
{
    char shape[SL_RANK_MAX * 21 + 3]; /* 20 digits and a comma each, brackets, NUL: never cut */
    hash = hash_text(hash, direction);
    hash = hash_text(hash_text(hash, t->name), " ");
    hash = hash_text(hash_text(hash, sl_dtype_name(t->dtype)), " ");
    return hash_text(hash_text(hash, sl_shape_format(t->dims, t->rank, shape, sizeof(shape))),
                     "\n");
}

uint64_t ex_model_fingerprint(const struct ex_model_spec *m)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_text(hash_text(hash, m->engine), " ");
    hash = hash_text(hash_text(hash, m->version), "\n");
    for (size_t i = 0; i < m->input_count; i++)
        hash = hash_tensor(hash, "in ", &m->inputs[i]);
    for (size_t i = 0; i < m->output_count; i++)
        hash = hash_tensor(hash, "out ", &m->outputs[i]);
    return hash;
}

/* ---- tensors */

/* Rank and dimensions as the spec wants them? */
static bool check_shape(const struct ex_tensor_spec *spec, const int64_t *dims, size_t rank,
                        struct sl_error *err)
{
    char wanted[SHAPE_TEXT_BYTES];
    char given[SHAPE_TEXT_BYTES];
    if (sl_shape_fits(spec->dims, spec->rank, dims, rank))
        return true;
    sl_error_set(err, SL_REASON_BAD_INPUT, "tensor %s has shape %s, but the model's is %s",
                 spec->name, sl_shape_format(dims, rank, given, sizeof(given)),
                 sl_shape_format(spec->dims, spec->rank, wanted, sizeof(wanted)));
    return false;
}

bool ex_tensor_check(const struct ex_tensor_spec *spec, const int64_t *dims, size_t rank,
                     uint64_t bytes, struct sl_error *err)
{
    char shape[SHAPE_TEXT_BYTES];
    uint64_t wanted;
    if (!check_shape(spec, dims, rank, err))
        return false;
    if (spec->dtype == SL_DTYPE_BYTES)
        return true;
    const sl_status s = sl_shape_bytes(spec->dtype, dims, rank, &wanted);
    if (s == SL_OK && wanted == bytes)
        return true;
    sl_shape_format(dims, rank, shape, sizeof(shape));
    if (s != SL_OK)
        sl_error_set(err, SL_REASON_BAD_INPUT, "tensor %s has shape %s, which is impossible",
                     spec->name, shape);
    else
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "tensor %s has %" PRIu64 " bytes, but %s of shape %s has %" PRIu64, spec->name,
                     bytes, sl_dtype_name(spec->dtype), shape, wanted);
    return false;
}
