/* ex_segment.c - memfds as inputs of jobs. */
#include "ex_segment.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sl_aside.h"
#include "sl_memfd.h"

/* New segments are rounded up, so that inputs of nearly the same length find each other's. */
enum { WASTE_FACTOR = 2, ROUND_BYTES = 64 << 10 };

/* Larger ones get their pages while the bytes come, and what is longer is not zeroed in one go: the supervisor
 * has others to serve. */
enum { POPULATE_MAX = 16 << 20, TAIL_MAX = 8 << 20 };

static bool fill(struct ex_segment *s)
{
    int fd;
    const sl_status st = s->bytes <= POPULATE_MAX
                             ? sl_memfd_create("sluice-input", s->bytes, &fd, &s->map)
                             : sl_memfd_create_lazy("sluice-input", s->bytes, &fd, &s->map);
    if (st != SL_OK)
        return false;
    const bool ok = sl_memfd_guard(fd) == SL_OK && sl_memfd_reopen_read_only(fd, &s->fd) == SL_OK;
    close(fd);
    if (!ok)
        munmap(s->map, (size_t)s->bytes);
    return ok;
}

struct ex_segment *ex_segment_create(const struct sl_alloc *alloc, uint64_t bytes)
{
    struct ex_segment *s = sl_alloc_zero(alloc, 1, sizeof(*s));
    if (!s)
        return NULL;
    s->alloc = alloc;
    s->bytes = (bytes + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
    if (fill(s))
        return s;
    sl_alloc_free(alloc, s);
    return NULL;
}

void ex_segment_destroy(struct ex_segment *s)
{
    close(s->fd);
    sl_aside_unmap(s->map, (size_t)s->bytes);
    sl_alloc_free(s->alloc, s);
}

bool ex_segment_suits(const struct ex_segment *s, uint64_t bytes)
{
    return s->bytes >= bytes && (s->bytes / WASTE_FACTOR <= bytes || s->bytes == ROUND_BYTES) &&
           s->dirty_bytes <= bytes + TAIL_MAX;
}

void ex_segment_prepare(struct ex_segment *s, uint64_t bytes)
{
    if (s->dirty_bytes > bytes)
        memset((uint8_t *)s->map + bytes, 0, (size_t)(s->dirty_bytes - bytes));
    s->dirty_bytes = bytes;
}
