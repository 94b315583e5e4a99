/* sl_alloc.c - malloc behind struct sl_alloc, and what is built on any allocator. */
#include "sl_alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sl_base.h"

static void *libc_alloc(void *ctx SL_UNUSED, size_t bytes)
{
    return malloc(bytes);
}

static void *libc_resize(void *ctx SL_UNUSED, void *p, size_t bytes)
{
    return realloc(p, bytes);
}

static void libc_release(void *ctx SL_UNUSED, void *p)
{
    free(p);
}

const struct sl_alloc sl_alloc_malloc = {libc_alloc, libc_resize, libc_release, NULL};

void *sl_alloc_zero(const struct sl_alloc *a, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total))
        return NULL;
    if (total == 0)
        total = 1; /* so that NULL always means no memory */
    void *p = sl_alloc_get(a, total);
    return p ? memset(p, 0, total) : NULL;
}

char *sl_alloc_copy(const struct sl_alloc *a, const void *bytes, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = sl_alloc_get(a, len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}
