/* ex_worker_segments.c - segments from the supervisor, mapped read-only. */
#include "ex_worker_segments.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ex_memfd.h"

void ex_worker_segments_init(struct ex_worker_segments *s)
{
    memset(s, 0, sizeof(*s));
}

static void unmap(struct ex_worker_segment *item)
{
    munmap(item->map, (size_t)item->bytes);
    memset(item, 0, sizeof(*item));
}

void ex_worker_segments_finish(struct ex_worker_segments *s)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (s->items[i].number != 0)
            unmap(&s->items[i]);
    }
}

/* The item of that number (0: a free one), or NULL. */
static struct ex_worker_segment *find(const struct ex_worker_segments *s, uint32_t number)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (s->items[i].number == number)
            return (struct ex_worker_segment *)(uintptr_t)&s->items[i];
    }
    return NULL;
}

static sl_status add(struct ex_worker_segments *s, uint32_t number, int fd, uint64_t bytes)
{
    void *map;
    if (number == 0 || find(s, number) != NULL || bytes == 0)
        return SL_EPROTO;
    struct ex_worker_segment *item = find(s, 0);
    if (item == NULL)
        return SL_EFULL;
    sl_status status = ex_memfd_check(fd, bytes, false);
    if (status == SL_OK)
        status = ex_memfd_map(fd, bytes, false, &map);
    if (status == SL_OK)
        *item = (struct ex_worker_segment){number, bytes, map};
    return status;
}

sl_status ex_worker_segments_add(struct ex_worker_segments *s, uint32_t number, int fd,
                                 uint64_t bytes)
{
    const sl_status status = add(s, number, fd, bytes);
    close(fd);
    return status;
}

void ex_worker_segments_forget(struct ex_worker_segments *s, uint32_t number)
{
    struct ex_worker_segment *item = number == 0 ? NULL : find(s, number);
    if (item != NULL)
        unmap(item);
}

sl_status ex_worker_segments_get(const struct ex_worker_segments *s, uint32_t number,
                                 uint64_t offset, uint64_t bytes, struct sl_span *out)
{
    const struct ex_worker_segment *item = number == 0 ? NULL : find(s, number);
    if (item == NULL)
        return SL_ENOENT;
    if (offset > item->bytes || bytes > item->bytes - offset)
        return SL_EPROTO;
    *out = sl_span_of((const uint8_t *)item->map + offset, (size_t)bytes);
    return SL_OK;
}
