/* sl_alloc.h - memory by a struct of functions, so that a test can fail the i-th allocation. */
#ifndef SL_ALLOC_H
#define SL_ALLOC_H

#include <stddef.h>

struct sl_alloc {
    void *(*alloc)(void *ctx, size_t bytes);           /* NULL: no memory */
    void *(*resize)(void *ctx, void *p, size_t bytes); /* p unchanged when NULL comes back */
    void (*release)(void *ctx, void *p);               /* NULL is fine */
    void *ctx;
};

/* malloc, realloc, free. */
extern const struct sl_alloc sl_alloc_malloc;

/* Memory is zeroed; NULL when there is none or when count * bytes overflows. */
void *sl_alloc_zero(const struct sl_alloc *a, size_t count, size_t bytes);
/* A NUL-terminated copy of len bytes. */
char *sl_alloc_copy(const struct sl_alloc *a, const void *bytes, size_t len);

static inline void *sl_alloc_get(const struct sl_alloc *a, size_t bytes)
{
    return a->alloc(a->ctx, bytes);
}
static inline void sl_alloc_free(const struct sl_alloc *a, void *p)
{
    a->release(a->ctx, p);
}

#endif
