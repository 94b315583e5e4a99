/* cli_input.c - one --input by the model's metadata. */
#include "cli_input.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli.h"
#include "cli_npy.h"

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text);
    size_t suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

/* The file's bytes in the arena, behind room for a BYTES element's length. */
static sl_status load_file(const char *path, struct sl_arena *arena, uint8_t **out, size_t *out_len,
                           struct sl_error *why)
{
    char *bytes;
    const char *wrong = cli_read_file(path, SLUICE_MAX_MESSAGE_BYTES, &bytes, out_len);
    if (wrong != NULL) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "the file %s: %s", path, wrong);
        return SL_EINVAL;
    }
    *out = sl_arena_get(arena, 4 + *out_len);
    if (*out != NULL)
        memcpy(*out + 4, bytes, *out_len);
    free(bytes);
    return *out != NULL ? SL_OK : SL_ENOMEM;
}

static sl_status take_npy(const char *path, struct sl_span file, struct cli_tensor *out,
                          struct sl_error *why)
{
    struct sl_error inner = {0};
    struct cli_npy npy;

    if (cli_npy_parse(file, &npy, &inner) != SL_OK) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "the file %s: %s", path, inner.text);
        return SL_EINVAL;
    }
    if (npy.dtype != out->dtype) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "the file %s holds %s, but the model takes %s", path,
                     sl_dtype_name(npy.dtype), sl_dtype_name(out->dtype));
        return SL_EINVAL;
    }
    out->rank = npy.rank;
    memcpy(out->shape, npy.shape, sizeof(out->shape));
    out->data = npy.data;
    return SL_OK;
}

/* The file as it is: one element of BYTES, or elements in a row. */
static sl_status take_raw(const char *path, uint8_t *room, size_t len, struct cli_tensor *out,
                          struct sl_error *why)
{
    size_t element = sl_dtype_bytes(out->dtype);

    if (out->dtype == SL_DTYPE_BYTES) {
        for (int i = 0; i < 4; i++)
            room[i] = (uint8_t)(len >> (8 * i));
        out->rank = 0;
        out->data = sl_span_of(room, len + 4);
        return SL_OK;
    }
    if (len % element != 0) {
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "the file %s has %zu bytes, which are no whole number of %s elements", path,
                     len, sl_dtype_name(out->dtype));
        return SL_EINVAL;
    }
    out->rank = 1;
    out->shape[0] = (int64_t)(len / element);
    out->data = sl_span_of(room + 4, len);
    return SL_OK;
}

static sl_status read_file(const char *path, struct sl_arena *arena, struct cli_tensor *out,
                           struct sl_error *why)
{
    uint8_t *room;
    size_t len;
    sl_status s = load_file(path, arena, &room, &len, why);
    if (s != SL_OK)
        return s;
    if (has_suffix(path, ".npy") && out->dtype != SL_DTYPE_BYTES)
        return take_npy(path, sl_span_of(room + 4, len), out, why);
    return take_raw(path, room, len, out, why);
}

/* --shape: the same elements in another shape. */
static sl_status reshape(struct cli_tensor *t, const char *name, const char *text,
                         struct sl_error *why)
{
    int64_t have;
    int64_t want;
    struct cli_tensor to = {0};

    if (cli_shape_parse(text, to.shape, &to.rank) != SL_OK ||
        sl_shape_elements(to.shape, to.rank, &want) != SL_OK ||
        sl_shape_elements(t->shape, t->rank, &have) != SL_OK) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "--shape %s=%s: write it like 1,3,224,224", name,
                     text);
        return SL_EINVAL;
    }
    if (have != want) {
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "--shape %s=%s has %" PRId64 " elements, but the value has %" PRId64, name,
                     text, want, have);
        return SL_EINVAL;
    }
    t->rank = to.rank;
    memcpy(t->shape, to.shape, sizeof(t->shape));
    return SL_OK;
}

static sl_status fit(struct cli_tensor *t, const struct sluice_tensor_info *info,
                     struct sl_error *why)
{
    char have[256];
    char want[256];

    if (cli_value_fit(t, info->shape, info->rank) == SL_OK)
        return SL_OK;
    sl_shape_format(t->shape, t->rank, have, sizeof(have));
    sl_shape_format(info->shape, info->rank, want, sizeof(want));
    sl_error_set(why, SL_REASON_BAD_INPUT,
                 "input %s has the shape %s, but the model takes %s; --shape %s=... sets it",
                 info->name, have, want, info->name);
    return SL_EINVAL;
}

sl_status cli_input_read(const struct sluice_tensor_info *info, const char *spec,
                         const char *shape_text, struct sl_arena *arena, struct cli_tensor *out,
                         struct sl_error *why)
{
    struct sl_error inner = {0};
    enum sl_dtype dtype = sl_dtype_from_name(sl_span_str(info->datatype));
    sl_status s;

    if (dtype == SL_DTYPE_INVALID) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "the model's input %s has the unknown datatype %s",
                     info->name, info->datatype);
        return SL_EINVAL;
    }
    *out = (struct cli_tensor){.dtype = dtype};
    if (spec[0] == '@') {
        s = read_file(spec + 1, arena, out, why);
    } else {
        s = cli_value_parse(spec, dtype, arena, out, &inner);
        if (s == SL_EINVAL)
            sl_error_set(why, SL_REASON_BAD_INPUT, "input %s: %s", info->name, inner.text);
    }
    if (s != SL_OK)
        return s;
    return shape_text != NULL ? reshape(out, info->name, shape_text, why) : fit(out, info, why);
}
