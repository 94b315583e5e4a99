/* sl_buf.h - a growing byte buffer that is born with a maximum.
 *
 * Memory   Owns its bytes; grows by doubling up to max_bytes.
 * Errors   SL_ETOOBIG (would pass max_bytes), SL_ENOMEM; the content is unchanged on both.
 */
#ifndef SL_BUF_H
#define SL_BUF_H

#include "sl_alloc.h"
#include "sl_span.h"
#include "sl_status.h"

struct sl_buf {
    const struct sl_alloc *alloc;
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t max_bytes;
};

void sl_buf_init(struct sl_buf *b, const struct sl_alloc *alloc, size_t max_bytes);
void sl_buf_finish(struct sl_buf *b); /* empties it and frees; usable again */
void sl_buf_clear(struct sl_buf *b);  /* keeps the memory */

SL_MUST_CHECK sl_status sl_buf_reserve(struct sl_buf *b, size_t more_bytes);
SL_MUST_CHECK sl_status sl_buf_append(struct sl_buf *b, const void *bytes, size_t len);
SL_MUST_CHECK sl_status sl_buf_printf(struct sl_buf *b, const char *fmt, ...) SL_PRINTF(2, 3);
/* Drops the first n bytes, n <= len. */
void sl_buf_consume(struct sl_buf *b, size_t n);

static inline struct sl_span sl_buf_span(const struct sl_buf *b)
{
    return sl_span_of(b->data, b->len);
}

#endif
