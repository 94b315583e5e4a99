/* cli_npy.c - the head of a NumPy .npy file: magic, version, length, a Python dict as text. */
#include "cli_npy.h"

#include <inttypes.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *descr;
    enum sl_dtype dtype;
} types[] = {
    {"|b1", SL_DTYPE_BOOL},   {"|i1", SL_DTYPE_INT8},   {"|u1", SL_DTYPE_UINT8},
    {"<i2", SL_DTYPE_INT16},  {"<u2", SL_DTYPE_UINT16}, {"<i4", SL_DTYPE_INT32},
    {"<u4", SL_DTYPE_UINT32}, {"<i8", SL_DTYPE_INT64},  {"<u8", SL_DTYPE_UINT64},
    {"<f2", SL_DTYPE_FP16},   {"<f4", SL_DTYPE_FP32},   {"<f8", SL_DTYPE_FP64},
};

static sl_status refuse(struct sl_error *why, const char *what)
{
    sl_error_set(why, SL_REASON_BAD_INPUT, "not a .npy file that can be read: %s", what);
    return SL_EINVAL;
}

/* The dict's text, and the file's rest in *out_data. */
static sl_status split_file(struct sl_span file, struct sl_span *out_dict, struct sl_span *out_data,
                            struct sl_error *why)
{
    size_t head = 10;
    size_t len;

    if (file.len < 12 || memcmp(file.data, magic, sizeof(magic)) != 0)
        return refuse(why, "it does not begin with \\x93NUMPY");
    len = (size_t)file.data[8] | (size_t)file.data[9] << 8;
    if (file.data[6] == 2) {
        len |= (size_t)file.data[10] << 16 | (size_t)file.data[11] << 24;
        head = 12;
    } else if (file.data[6] != 1) {
        return refuse(why, "only versions 1 and 2 of the format are known");
    }
    if (len > file.len - head)
        return refuse(why, "its header is longer than the file");
    *out_dict = sl_span_of(file.data + head, len);
    *out_data = sl_span_of(file.data + head + len, file.len - head - len);
    return SL_OK;
}

static struct sl_span skip_spaces(struct sl_span s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\n'))
        s = sl_span_of(s.data + 1, s.len - 1);
    return s;
}

/* What follows 'key': in the dict; false when the key is not there. */
static bool find_key(struct sl_span dict, const char *key, struct sl_span *out)
{
    size_t len = strlen(key);

    for (size_t i = 0; i + len + 3 <= dict.len; i++) {
        const uint8_t *at = dict.data + i;
        if (at[0] == '\'' && memcmp(at + 1, key, len) == 0 && at[len + 1] == '\'' &&
            at[len + 2] == ':') {
            *out = skip_spaces(sl_span_of(at + len + 3, dict.len - i - len - 3));
            return true;
        }
    }
    return false;
}

static bool starts_with(struct sl_span s, const char *word)
{
    size_t len = strlen(word);
    return s.len >= len && memcmp(s.data, word, len) == 0;
}

static sl_status read_descr(struct sl_span dict, struct cli_npy *out, struct sl_error *why)
{
    struct sl_span value;

    if (!find_key(dict, "descr", &value) || value.len < 5 || value.data[0] != '\'')
        return refuse(why, "its header has no plain 'descr'");
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++) {
        /* NumPy writes '|' or '<' for one-byte elements. */
        bool is_same = memcmp(value.data + 2, types[i].descr + 1, 2) == 0 && value.data[4] == '\'';
        bool is_order = value.data[1] == (uint8_t)types[i].descr[0] ||
                        (types[i].descr[0] == '|' && value.data[1] == '<');
        if (is_same && is_order) {
            out->dtype = types[i].dtype;
            return SL_OK;
        }
    }
    sl_error_set(why, SL_REASON_BAD_INPUT,
                 "elements of type %.*s are not possible: little-endian numbers and booleans are",
                 (int)(value.len < 12 ? value.len : 12), (const char *)value.data);
    return SL_EINVAL;
}

/* A dimension and the ',' behind it; false at the ')'. */
static bool next_dimension(struct sl_span *rest, int64_t *out)
{
    int64_t value = 0;
    bool has_digit = false;

    *rest = skip_spaces(*rest);
    while (rest->len > 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, rest->data[0] - '0', &value))
            return false;
        has_digit = true;
        *rest = sl_span_of(rest->data + 1, rest->len - 1);
    }
    *rest = skip_spaces(*rest);
    if (has_digit && starts_with(*rest, ","))
        *rest = sl_span_of(rest->data + 1, rest->len - 1);
    *out = value;
    return has_digit;
}

static sl_status read_shape(struct sl_span dict, struct cli_npy *out, struct sl_error *why)
{
    struct sl_span rest;
    int64_t dimension;

    if (!find_key(dict, "shape", &rest) || !starts_with(rest, "("))
        return refuse(why, "its header has no 'shape'");
    rest = sl_span_of(rest.data + 1, rest.len - 1);
    out->rank = 0;
    while (next_dimension(&rest, &dimension)) {
        if (out->rank == SL_RANK_MAX)
            return refuse(why, "it has more than 16 dimensions");
        out->shape[out->rank++] = dimension;
    }
    return starts_with(rest, ")") ? SL_OK : refuse(why, "its 'shape' is not a tuple of numbers");
}

sl_status cli_npy_parse(struct sl_span file, struct cli_npy *out, struct sl_error *why)
{
    struct sl_span dict;
    struct sl_span order;
    uint64_t bytes;

    sl_status s = split_file(file, &dict, &out->data, why);
    if (s == SL_OK)
        s = read_descr(dict, out, why);
    if (s == SL_OK)
        s = read_shape(dict, out, why);
    if (s != SL_OK)
        return s;
    if (!find_key(dict, "fortran_order", &order) || !starts_with(order, "False"))
        return refuse(why, "its elements are not in C order (save numpy.ascontiguousarray(a))");
    if (sl_shape_bytes(out->dtype, out->shape, out->rank, &bytes) != SL_OK ||
        bytes != out->data.len)
        return refuse(why, "its data are not as long as its header says");
    return SL_OK;
}

static const char *descr_of(enum sl_dtype dtype)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++) {
        if (types[i].dtype == dtype)
            return types[i].descr;
    }
    return NULL;
}

static sl_status write_shape(const int64_t *shape, size_t rank, struct sl_buf *out)
{
    sl_status s = sl_buf_printf(out, "(");
    for (size_t i = 0; i < rank && s == SL_OK; i++)
        s = sl_buf_printf(out, "%s%" PRId64, i == 0 ? "" : ", ", shape[i]);
    return s == SL_OK ? sl_buf_printf(out, rank == 1 ? ",)" : ")") : s;
}

sl_status cli_npy_write_head(enum sl_dtype dtype, const int64_t *shape, size_t rank,
                             struct sl_buf *out)
{
    enum { HEAD_BYTES = 10, ALIGN = 64 };
    const uint8_t head[HEAD_BYTES] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    const char *descr = descr_of(dtype);
    const size_t start = out->len;

    if (descr == NULL)
        return SL_EINVAL;
    sl_status s = sl_buf_append(out, head, sizeof(head));
    if (s == SL_OK)
        s = sl_buf_printf(out, "{'descr': '%s', 'fortran_order': False, 'shape': ", descr);
    if (s == SL_OK)
        s = write_shape(shape, rank, out);
    if (s == SL_OK)
        s = sl_buf_printf(out, ", }");
    while (s == SL_OK && (out->len - start + 1) % ALIGN != 0)
        s = sl_buf_append(out, " ", 1);
    if (s == SL_OK)
        s = sl_buf_append(out, "\n", 1);
    if (s != SL_OK)
        return s;
    size_t len = out->len - start - HEAD_BYTES; /* far below 65536: at most 16 dimensions */
    out->data[start + 8] = (uint8_t)len;
    out->data[start + 9] = (uint8_t)(len >> 8);
    return SL_OK;
}
