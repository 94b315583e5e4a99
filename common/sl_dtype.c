/* sl_dtype.c - the table of datatypes and arithmetic on shapes that cannot wrap. */
#include "sl_dtype.h"

#include <inttypes.h>
#include <stdio.h>

struct dtype_row {
    const char *name;
    size_t bytes;
};

static const struct dtype_row rows[SL_DTYPE_COUNT] = {[SL_DTYPE_INVALID] = {"INVALID", 0},
#define DTYPE_ROW(name, bytes) [SL_DTYPE_##name] = {#name, bytes},
                                                      SL_DTYPE_MAP(DTYPE_ROW)
#undef DTYPE_ROW
};

enum sl_dtype sl_dtype_from_name(struct sl_span name)
{
    for (int t = SL_DTYPE_INVALID + 1; t < SL_DTYPE_COUNT; t++) {
        if (sl_span_eq_str(name, rows[t].name))
            return (enum sl_dtype)t;
    }
    return SL_DTYPE_INVALID;
}

static const struct dtype_row *row_of(enum sl_dtype t)
{
    return &rows[(unsigned)t < SL_DTYPE_COUNT ? t : SL_DTYPE_INVALID];
}

const char *sl_dtype_name(enum sl_dtype t)
{
    return row_of(t)->name;
}

size_t sl_dtype_bytes(enum sl_dtype t)
{
    return row_of(t)->bytes;
}

sl_status sl_shape_elements(const int64_t *dims, size_t rank, int64_t *out_count)
{
    bool has_zero = false;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return SL_EINVAL;
        has_zero |= dims[i] == 0;
    }
    int64_t count = has_zero ? 0 : 1; /* 0 times anything is 0, however large the rest */
    for (size_t i = 0; i < rank && count > 0; i++) {
        if (__builtin_mul_overflow(count, dims[i], &count))
            return SL_ERANGE;
    }
    *out_count = count;
    return SL_OK;
}

sl_status sl_shape_bytes(enum sl_dtype t, const int64_t *dims, size_t rank, uint64_t *out_bytes)
{
    size_t element_bytes = sl_dtype_bytes(t);
    if (element_bytes == 0)
        return SL_EINVAL;
    int64_t count;
    sl_status s = sl_shape_elements(dims, rank, &count);
    if (s != SL_OK)
        return s;
    uint64_t bytes;
    if (__builtin_mul_overflow((uint64_t)count, (uint64_t)element_bytes, &bytes) ||
        bytes > INT64_MAX)
        return SL_ERANGE;
    *out_bytes = bytes;
    return SL_OK;
}

bool sl_shape_fits(const int64_t *pattern, size_t pattern_rank, const int64_t *dims, size_t rank)
{
    if (pattern_rank != rank)
        return false;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0 || (pattern[i] != -1 && pattern[i] != dims[i]))
            return false;
    }
    return true;
}

/* Writes "[d0,d1,...]" of at most SL_RANK_MAX dimensions; returns its length. */
static size_t format_all(const int64_t *dims, size_t rank, char *text, size_t text_bytes)
{
    size_t shown = rank < SL_RANK_MAX ? rank : SL_RANK_MAX;
    size_t len = 0;
    text[len++] = '[';
    for (size_t i = 0; i < shown; i++)
        len +=
            (size_t)snprintf(text + len, text_bytes - len, "%s%" PRId64, i > 0 ? "," : "", dims[i]);
    len += (size_t)snprintf(text + len, text_bytes - len, shown < rank ? ",...]" : "]");
    return len;
}

char *sl_shape_format(const int64_t *dims, size_t rank, char *out, size_t out_bytes)
{
    static const char cut[] = "...]";
    char text[SL_RANK_MAX * 21 + 8];
    size_t len = format_all(dims, rank, text, sizeof(text));
    if (len < out_bytes) {
        memcpy(out, text, len + 1);
        return out;
    }
    /* Keep whole dimensions only: a number that lost digits would be a wrong one. */
    size_t keep = out_bytes > sizeof(cut) ? out_bytes - sizeof(cut) : 0;
    while (keep > 1 && text[keep - 1] != ',')
        keep--;
    if (out_bytes > 0)
        snprintf(out, out_bytes, "%.*s%s", (int)keep, text, cut);
    return out;
}

static uint32_t read_u32_le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

sl_status sl_bytes_tensor_check(struct sl_span raw, int64_t count)
{
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        if (raw.len - at < 4)
            return SL_EINVAL;
        uint32_t len = read_u32_le(raw.data + at);
        at += 4;
        if (len > raw.len - at)
            return SL_EINVAL;
        at += len;
    }
    return count >= 0 && at == raw.len ? SL_OK : SL_EINVAL;
}
