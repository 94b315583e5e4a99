/* sl_span.h - borrowed bytes: a pointer and a length, never freed by who holds the span. */
#ifndef SL_SPAN_H
#define SL_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sl_span {
    const uint8_t *data;
    size_t len;
};

static inline struct sl_span sl_span_of(const void *data, size_t len)
{
    return (struct sl_span){(const uint8_t *)data, len};
}
static inline struct sl_span sl_span_str(const char *s)
{
    return (struct sl_span){(const uint8_t *)s, strlen(s)};
}
static inline bool sl_span_eq(struct sl_span a, struct sl_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool sl_span_eq_str(struct sl_span a, const char *s)
{
    return sl_span_eq(a, sl_span_str(s));
}

#endif
