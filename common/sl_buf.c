/* sl_buf.c - growing by doubling, never past the maximum. */
#include "sl_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void sl_buf_init(struct sl_buf *b, const struct sl_alloc *alloc, size_t max_bytes)
{
    *b = (struct sl_buf){.alloc = alloc, .max_bytes = max_bytes};
}

void sl_buf_finish(struct sl_buf *b)
{
    sl_alloc_free(b->alloc, b->data);
    sl_buf_init(b, b->alloc, b->max_bytes);
}

void sl_buf_clear(struct sl_buf *b)
{
    b->len = 0;
}

static size_t next_capacity(const struct sl_buf *b, size_t needed)
{
    size_t capacity = b->capacity > 0 ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        if (capacity > b->max_bytes / 2)
            return b->max_bytes;
        capacity *= 2;
    }
    return capacity < b->max_bytes ? capacity : b->max_bytes;
}

sl_status sl_buf_reserve(struct sl_buf *b, size_t more_bytes)
{
    if (more_bytes > b->max_bytes - b->len)
        return SL_ETOOBIG;
    size_t needed = b->len + more_bytes;
    if (needed <= b->capacity)
        return SL_OK;
    size_t capacity = next_capacity(b, needed);
    if (capacity == SIZE_MAX)
        return SL_ENOMEM;
    /* One byte over capacity: vsnprintf ends what it writes with a NUL. */
    uint8_t *data = b->alloc->resize(b->alloc->ctx, b->data, capacity + 1);
    if (!data)
        return SL_ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return SL_OK;
}

sl_status sl_buf_append(struct sl_buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return SL_OK;
    sl_status s = sl_buf_reserve(b, len);
    if (s != SL_OK)
        return s;
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
    return SL_OK;
}

sl_status sl_buf_printf(struct sl_buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (wanted < 0)
        return SL_ETOOBIG; /* over INT_MAX: no buffer of ours is that large */
    if (wanted == 0)
        return SL_OK;
    sl_status s = sl_buf_reserve(b, (size_t)wanted);
    if (s != SL_OK)
        return s;
    va_start(args, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)wanted + 1, fmt, args);
    va_end(args);
    b->len += (size_t)wanted;
    return SL_OK;
}

void sl_buf_consume(struct sl_buf *b, size_t n)
{
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len);
}
