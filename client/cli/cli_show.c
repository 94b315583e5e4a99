/* cli_show.c - a received tensor as text for people and as JSON. */
#include "cli_show.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cli_half.h"
#include "sl_dtype.h"
#include "sl_text.h"

enum { SHOWN_TEXT_BYTES = 200 };

/* One fixed-size element, widened. */
struct number {
    enum { REAL, SIGNED, UNSIGNED, BOOLEAN } kind;
    double real;
    int64_t integer;
    uint64_t natural;
};

static int64_t read_signed(const uint8_t *at, size_t bytes)
{
    uint64_t bits = 0;
    memcpy(&bits, at, bytes); /* little-endian */
    unsigned shift = (unsigned)(64 - 8 * bytes);
    return (int64_t)(bits << shift) >> shift;
}

static double read_real(enum sl_dtype type, const uint8_t *at)
{
    uint16_t half;
    float single;
    double real;

    switch (type) {
    case SL_DTYPE_FP64:
        memcpy(&real, at, sizeof(real));
        return real;
    case SL_DTYPE_FP32:
        memcpy(&single, at, sizeof(single));
        return (double)single;
    default:
        memcpy(&half, at, sizeof(half));
        return (double)(type == SL_DTYPE_FP16 ? cli_half_to_float(half)
                                              : cli_bfloat_to_float(half));
    }
}

static struct number read_number(enum sl_dtype type, const uint8_t *at)
{
    struct number n = {0};

    switch (type) {
    case SL_DTYPE_FP16:
    case SL_DTYPE_BF16:
    case SL_DTYPE_FP32:
    case SL_DTYPE_FP64:
        n.kind = REAL;
        n.real = read_real(type, at);
        return n;
    case SL_DTYPE_INT8:
    case SL_DTYPE_INT16:
    case SL_DTYPE_INT32:
    case SL_DTYPE_INT64:
        n.kind = SIGNED;
        n.integer = read_signed(at, sl_dtype_bytes(type));
        return n;
    default:
        n.kind = type == SL_DTYPE_BOOL ? BOOLEAN : UNSIGNED;
        memcpy(&n.natural, at, sl_dtype_bytes(type));
        return n;
    }
}

static sl_status show_number(enum sl_dtype type, const uint8_t *at, struct sl_buf *out)
{
    struct number n = read_number(type, at);

    switch (n.kind) {
    case REAL:
        return sl_buf_printf(out, type == SL_DTYPE_FP64 ? "%.17g" : "%.9g", n.real);
    case SIGNED:
        return sl_buf_printf(out, "%" PRId64, n.integer);
    case UNSIGNED:
        return sl_buf_printf(out, "%" PRIu64, n.natural);
    default:
        return sl_buf_printf(out, "%s", n.natural != 0 ? "true" : "false");
    }
}

/* Fit to be shown on a terminal: UTF-8 without control characters. */
static bool is_printable(struct sl_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7F)
            return false;
    }
    return sl_text_is_utf8(text);
}

static sl_status show_bytes(struct sluice_bytes b, struct sl_buf *out)
{
    struct sl_span text = sl_span_of(b.data, b.bytes);
    if (b.bytes <= SHOWN_TEXT_BYTES && is_printable(text))
        return sl_buf_printf(out, "\"%.*s\"", (int)b.bytes, (const char *)b.data);
    return sl_buf_printf(out, "(%zu bytes)", b.bytes);
}

static sl_status show_more(size_t more, struct sl_buf *out)
{
    return more > 0 ? sl_buf_printf(out, " ... %zu more", more) : SL_OK;
}

static sl_status show_texts(const struct sluice_tensor *t, size_t max_elements, struct sl_buf *out)
{
    struct sluice_bytes b;
    size_t cursor = 0;
    size_t count = 0;
    sl_status s = SL_OK;

    while (sluice_tensor_next_bytes(t, &cursor, &b) && s == SL_OK) {
        if (count < max_elements && count > 0)
            s = sl_buf_printf(out, " ");
        if (count < max_elements && s == SL_OK)
            s = show_bytes(b, out);
        count++;
    }
    return s == SL_OK ? show_more(count > max_elements ? count - max_elements : 0, out) : s;
}

sl_status cli_show_values(const struct sluice_tensor *t, size_t max_elements, struct sl_buf *out)
{
    const enum sl_dtype type = sl_dtype_from_name(sl_span_str(t->datatype));
    const size_t bytes = sl_dtype_bytes(type);
    sl_status s = SL_OK;

    if (type == SL_DTYPE_BYTES)
        return show_texts(t, max_elements, out);
    if (bytes == 0)
        return sl_buf_printf(out, "(%zu bytes)", t->bytes);
    size_t count = t->bytes / bytes;
    size_t shown = count < max_elements ? count : max_elements;
    for (size_t i = 0; i < shown && s == SL_OK; i++) {
        if (i > 0)
            s = sl_buf_printf(out, " ");
        if (s == SL_OK)
            s = show_number(type, (const uint8_t *)t->data + i * bytes, out);
    }
    return s == SL_OK ? show_more(count - shown, out) : s;
}

static json_t *json_of_number(enum sl_dtype type, const uint8_t *at)
{
    struct number n = read_number(type, at);
    char text[32];

    switch (n.kind) {
    case REAL:
        if (isfinite(n.real))
            return json_real(n.real);
        return json_string(isnan(n.real) ? "NaN" : n.real > 0 ? "Infinity" : "-Infinity");
    case SIGNED:
        return json_integer(n.integer);
    case UNSIGNED:
        if (n.natural <= INT64_MAX)
            return json_integer((json_int_t)n.natural);
        snprintf(text, sizeof(text), "%" PRIu64, n.natural);
        return json_string(text);
    default:
        return json_boolean(n.natural != 0);
    }
}

/* RFC 4648, padded. */
static json_t *json_of_base64(const uint8_t *in, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((len + 2) / 3 * 4 + 1);
    char *at = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                        (i + 2 < len ? in[i + 2] : 0);
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = '=';
        *at++ = '=';
        if (i + 1 < len)
            at[-2] = digits[bits >> 6 & 63];
        if (i + 2 < len)
            at[-1] = digits[bits & 63];
    }
    *at = '\0';
    json_t *v = json_pack("{s:s}", "base64", text);
    free(text);
    return v;
}

static json_t *json_of_texts(const struct sluice_tensor *t)
{
    json_t *data = json_array();
    struct sluice_bytes b;
    size_t cursor = 0;

    while (sluice_tensor_next_bytes(t, &cursor, &b)) {
        json_t *text = json_stringn(b.data, b.bytes); /* NULL when it is not UTF-8 */
        json_array_append_new(data, text != NULL ? text : json_of_base64(b.data, b.bytes));
    }
    return data;
}

static json_t *json_of_data(const struct sluice_tensor *t)
{
    const enum sl_dtype type = sl_dtype_from_name(sl_span_str(t->datatype));
    const size_t bytes = sl_dtype_bytes(type);

    if (type == SL_DTYPE_BYTES)
        return json_of_texts(t);
    if (bytes == 0)
        return json_of_base64(t->data, t->bytes);
    json_t *data = json_array();
    for (size_t i = 0; i < t->bytes / bytes; i++)
        json_array_append_new(data, json_of_number(type, (const uint8_t *)t->data + i * bytes));
    return data;
}

json_t *cli_show_json(const struct sluice_tensor *t)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < t->rank; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    return json_pack("{s:s, s:s, s:o, s:o}", "name", t->name, "datatype", t->datatype, "shape",
                     shape, "data", json_of_data(t));
}
