/* ex_segment.c - memfds as inputs and outputs of jobs. */
#include "ex_segment.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ex_memfd.h"

/* ---- inputs */

static bool fill(struct ex_segment *s)
{
    int fd;
    if (ex_memfd_create("sluice-input", s->bytes, &fd, &s->map) != SL_OK)
        return false;
    const bool ok = ex_memfd_guard(fd) == SL_OK && ex_memfd_reopen_read_only(fd, &s->fd) == SL_OK;
    close(fd);
    if (!ok)
        munmap(s->map, (size_t)s->bytes);
    return ok;
}

struct ex_segment *ex_segment_create(uint64_t bytes)
{
    struct ex_segment *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->bytes = bytes;
    if (fill(s))
        return s;
    free(s);
    return NULL;
}

void ex_segment_destroy(struct ex_segment *s)
{
    munmap(s->map, (size_t)s->bytes);
    close(s->fd);
    free(s);
}

/* ---- outputs */

void ex_arrivals_clear(struct ex_arrivals *a)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (a->items[i].number != 0)
            close(a->items[i].fd);
        a->items[i].number = 0;
    }
}

/* The place of that number (0: a free one); EX_SEGMENTS_MAX when there is none. */
static size_t find(const struct ex_arrivals *a, uint32_t number)
{
    size_t i = 0;
    while (i < EX_SEGMENTS_MAX && a->items[i].number != number)
        i++;
    return i;
}

sl_status ex_arrivals_add(struct ex_arrivals *a, uint32_t number, int take_fd, uint64_t bytes)
{
    const size_t place = find(a, 0);
    sl_status st = place < EX_SEGMENTS_MAX ? SL_OK : SL_EFULL;
    if (number == 0 || bytes == 0 || find(a, number) < EX_SEGMENTS_MAX)
        st = SL_EPROTO;
    if (st == SL_OK)
        st = ex_memfd_check(take_fd, bytes, true);
    if (st != SL_OK) {
        close(take_fd);
        return st;
    }
    a->items[place].number = number;
    a->items[place].fd = take_fd;
    a->items[place].bytes = bytes;
    return SL_OK;
}

struct mapped {
    struct ex_blob blob;
    void *map;
    uint64_t bytes;
};

static void end_mapped(struct ex_blob *blob)
{
    struct mapped *m = SL_CONTAINER_OF(blob, struct mapped, blob);
    munmap(m->map, (size_t)m->bytes);
    free(m);
}

sl_status ex_arrivals_take(struct ex_arrivals *a, uint32_t number, uint64_t offset, uint64_t bytes,
                           struct ex_blob **out)
{
    const size_t place = number == 0 ? EX_SEGMENTS_MAX : find(a, number);
    if (place == EX_SEGMENTS_MAX)
        return SL_ENOENT;
    if (offset > a->items[place].bytes || bytes > a->items[place].bytes - offset)
        return SL_EPROTO;
    struct mapped *m = malloc(sizeof(*m));
    if (!m)
        return SL_ENOMEM;
    m->bytes = a->items[place].bytes;
    const sl_status st = ex_memfd_map(a->items[place].fd, m->bytes, false, &m->map);
    if (st != SL_OK) {
        free(m);
        return st;
    }
    close(a->items[place].fd);
    a->items[place].number = 0;
    ex_blob_init(&m->blob, sl_span_of((const uint8_t *)m->map + offset, (size_t)bytes), end_mapped);
    *out = &m->blob;
    return SL_OK;
}
