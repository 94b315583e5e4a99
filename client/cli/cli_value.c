/* cli_value.c - a tensor written on the command line. */
#include "cli_value.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "cli_half.h"
#include "sl_buf.h"
#include "sl_text.h"

enum { VALUE_BYTES_MAX = 64 << 20 };

/* One walk over the JSON value. */
struct walk {
    struct cli_tensor *tensor;
    struct sl_buf raw;
    struct sl_error *why;
};

static sl_status refuse_element(struct walk *w, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    sl_error_set(w->why, SL_REASON_BAD_INPUT, "%.60s is not an element of %s",
                 text != NULL ? text : "?", sl_dtype_name(w->tensor->dtype));
    free(text);
    return SL_EINVAL;
}

/* A number, or one of the words that JSON has no number for. */
static bool get_real(const json_t *v, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", NAN},
                 {"nan", NAN},
                 {"Infinity", INFINITY},
                 {"inf", INFINITY},
                 {"-Infinity", -INFINITY},
                 {"-inf", -INFINITY}};

    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    for (size_t i = 0; json_is_string(v) && i < SL_ARRAY_LEN(words); i++) {
        if (strcmp(json_string_value(v), words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static sl_status put_real(struct walk *w, const json_t *v)
{
    double real;
    uint16_t half;

    if (!get_real(v, &real))
        return refuse_element(w, v);
    float single = (float)real;
    switch (w->tensor->dtype) {
    case SL_DTYPE_FP64:
        return sl_buf_append(&w->raw, &real, sizeof(real));
    case SL_DTYPE_FP32:
        return sl_buf_append(&w->raw, &single, sizeof(single));
    case SL_DTYPE_FP16:
        half = cli_half_from_float(single);
        break;
    default:
        half = cli_bfloat_from_float(single);
        break;
    }
    return sl_buf_append(&w->raw, &half, sizeof(half));
}

static bool is_unsigned(enum sl_dtype t)
{
    return t == SL_DTYPE_UINT8 || t == SL_DTYPE_UINT16 || t == SL_DTYPE_UINT32 ||
           t == SL_DTYPE_UINT64;
}

/* UINT64 above INT64_MAX is no JSON integer for jansson: such values are written as strings. */
static bool get_unsigned_text(const json_t *v, uint64_t *out)
{
    char *end;
    const char *text = json_string_value(v);

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static sl_status put_integer(struct walk *w, const json_t *v)
{
    const enum sl_dtype t = w->tensor->dtype;
    const size_t bytes = sl_dtype_bytes(t);
    int64_t value = json_integer_value(v);
    uint64_t wide;

    if (t == SL_DTYPE_UINT64 && get_unsigned_text(v, &wide))
        return sl_buf_append(&w->raw, &wide, sizeof(wide));
    if (!json_is_integer(v) || (is_unsigned(t) && value < 0))
        return refuse_element(w, v);
    if (bytes < 8) {
        int64_t limit = INT64_C(1) << (8 * bytes - (is_unsigned(t) ? 0 : 1));
        if (value >= limit || value < (is_unsigned(t) ? 0 : -limit))
            return refuse_element(w, v);
    }
    return sl_buf_append(&w->raw, &value, bytes); /* little-endian: the low bytes come first */
}

static sl_status put_bool(struct walk *w, const json_t *v)
{
    bool is_number = json_is_integer(v) && (json_integer_value(v) | 1) == 1;
    uint8_t byte = json_is_true(v) || json_integer_value(v) == 1;

    if (!json_is_boolean(v) && !is_number)
        return refuse_element(w, v);
    return sl_buf_append(&w->raw, &byte, 1);
}

static sl_status put_text(struct walk *w, const char *text, size_t len)
{
    uint32_t prefix = (uint32_t)len;
    sl_status s = sl_buf_append(&w->raw, &prefix, sizeof(prefix));
    return s == SL_OK && len > 0 ? sl_buf_append(&w->raw, text, len) : s;
}

static sl_status put_element(struct walk *w, const json_t *v)
{
    switch (w->tensor->dtype) {
    case SL_DTYPE_BYTES:
        if (!json_is_string(v))
            return refuse_element(w, v);
        return put_text(w, json_string_value(v), json_string_length(v));
    case SL_DTYPE_BOOL:
        return put_bool(w, v);
    case SL_DTYPE_FP16:
    case SL_DTYPE_BF16:
    case SL_DTYPE_FP32:
    case SL_DTYPE_FP64:
        return put_real(w, v);
    default:
        return put_integer(w, v);
    }
}

/* The shape is read down the first elements; put_array checks that all others agree. */
static sl_status read_shape(struct walk *w, const json_t *v)
{
    struct cli_tensor *t = w->tensor;

    for (t->rank = 0; json_is_array(v); v = json_array_get(v, 0)) {
        if (t->rank == SL_RANK_MAX) {
            sl_error_set(w->why, SL_REASON_BAD_INPUT, "more than %d nested arrays", SL_RANK_MAX);
            return SL_EINVAL;
        }
        t->shape[t->rank++] = (int64_t)json_array_size(v);
    }
    return SL_OK;
}

static sl_status put_array(struct walk *w, const json_t *v, size_t depth)
{
    if (depth == w->tensor->rank)
        return put_element(w, v);
    if (!json_is_array(v) || json_array_size(v) != (size_t)w->tensor->shape[depth]) {
        sl_error_set(w->why, SL_REASON_BAD_INPUT,
                     "the arrays inside each other are not all of one length");
        return SL_EINVAL;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        sl_status s = put_array(w, json_array_get(v, i), depth + 1);
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

/* Text for a BYTES tensor that is no JSON: one element. */
static bool is_plain_text(const char *text, enum sl_dtype dtype)
{
    return dtype == SL_DTYPE_BYTES && text[0] != '[' && text[0] != '"';
}

static sl_status put_value(struct walk *w, const char *text)
{
    json_error_t error;

    if (is_plain_text(text, w->tensor->dtype)) {
        w->tensor->rank = 0;
        return put_text(w, text, strlen(text));
    }
    json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    bool may_be_word = v == NULL && text[0] != '[' && w->tensor->dtype != SL_DTYPE_BYTES;
    json_t *word = may_be_word ? json_string(text) : NULL; /* nan, inf */
    if (v == NULL && word == NULL) {
        sl_error_set(w->why, SL_REASON_BAD_INPUT,
                     "%.60s is not a number or JSON array (at column %d: %s)", text, error.column,
                     error.text);
        return SL_EINVAL;
    }
    sl_status s = read_shape(w, v != NULL ? v : word);
    if (s == SL_OK)
        s = put_array(w, v != NULL ? v : word, 0);
    json_decref(v);
    json_decref(word);
    return s;
}

sl_status cli_value_parse(const char *text, enum sl_dtype dtype, struct sl_arena *arena,
                          struct cli_tensor *out, struct sl_error *why)
{
    struct walk w = {.tensor = out, .why = why};

    *out = (struct cli_tensor){.dtype = dtype};
    sl_buf_init(&w.raw, &sl_alloc_malloc, VALUE_BYTES_MAX);
    sl_status s = put_value(&w, text);
    if (s == SL_OK) {
        uint8_t *raw = sl_arena_get(arena, w.raw.len);
        if (raw != NULL && w.raw.len > 0)
            memcpy(raw, w.raw.data, w.raw.len);
        out->data = sl_span_of(raw, w.raw.len);
        s = raw != NULL ? SL_OK : SL_ENOMEM;
    }
    sl_buf_finish(&w.raw);
    if (s == SL_ETOOBIG) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "a value on the command line has at most %d bytes",
                     VALUE_BYTES_MAX);
        s = SL_EINVAL;
    }
    return s;
}

/* Puts ones before the shape until it has rank dimensions. */
static void lead_with_ones(const struct cli_tensor *t, size_t rank, int64_t *out)
{
    size_t ones = rank - t->rank;
    for (size_t i = 0; i < ones; i++)
        out[i] = 1;
    memcpy(out + ones, t->shape, t->rank * sizeof(*out));
}

/* The pattern with its one free dimension solved; false when that is impossible. */
static bool solve_free(int64_t elements, const int64_t *pattern, size_t rank, int64_t *out)
{
    int64_t fixed = 1;
    size_t free_at = rank;

    for (size_t i = 0; i < rank; i++) {
        out[i] = pattern[i];
        if (pattern[i] < 0 && free_at < rank)
            return false;
        if (pattern[i] < 0)
            free_at = i;
        else if (__builtin_mul_overflow(fixed, pattern[i], &fixed))
            return false;
    }
    if (free_at == rank)
        return fixed == elements;
    if (fixed == 0 || elements % fixed != 0)
        return false;
    out[free_at] = elements / fixed;
    return true;
}

sl_status cli_value_fit(struct cli_tensor *t, const int64_t *pattern, size_t rank)
{
    int64_t shape[SL_RANK_MAX];
    int64_t elements;

    if (sl_shape_fits(pattern, rank, t->shape, t->rank))
        return SL_OK;
    if (rank > SL_RANK_MAX || sl_shape_elements(t->shape, t->rank, &elements) != SL_OK)
        return SL_EINVAL;
    if (t->rank <= rank) {
        lead_with_ones(t, rank, shape);
        if (sl_shape_fits(pattern, rank, shape, rank)) {
            memcpy(t->shape, shape, rank * sizeof(*shape));
            t->rank = rank;
            return SL_OK;
        }
    }
    if (!solve_free(elements, pattern, rank, shape))
        return SL_EINVAL;
    memcpy(t->shape, shape, rank * sizeof(*shape));
    t->rank = rank;
    return SL_OK;
}

sl_status cli_shape_parse(const char *text, int64_t shape[SL_RANK_MAX], size_t *out_rank)
{
    size_t rank = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        if (rank == SL_RANK_MAX || sl_text_int(sl_span_of(text, len), &shape[rank]) != SL_OK ||
            shape[rank] < 0)
            return SL_EINVAL;
        rank++;
        text += len;
        if (*text == ',' && *++text == '\0')
            return SL_EINVAL;
    }
    *out_rank = rank;
    return SL_OK;
}
