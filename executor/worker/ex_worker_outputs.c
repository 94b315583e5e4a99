/* ex_worker_outputs.c - makes, keeps and ends a worker's output segments. */
#include "ex_worker_outputs.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sl_memfd.h"

/* A segment may be this much larger than the output in it; new ones are rounded up, so that outputs
 * of nearly the same length find each other's. */
enum { WASTE_FACTOR = 2, ROUND_BYTES = 64 << 10 };

void ex_worker_outputs_init(struct ex_worker_outputs *o, struct ex_ring *ring, int control)
{
    memset(o, 0, sizeof(*o));
    o->ring = ring;
    o->control = control;
}

static void unmap(struct ex_worker_output *item)
{
    munmap(item->map, (size_t)item->bytes);
    memset(item, 0, sizeof(*item));
}

void ex_worker_outputs_finish(struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (o->items[i].number != 0)
            unmap(&o->items[i]);
    }
}

/* ---- what is free */

static bool is_free(const struct ex_worker_output *item)
{
    return item->number != 0 && !item->is_taken && item->busy_until == 0;
}

/* Errors: SL_EPROTO. */
static sl_status see_released(struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (o->items[i].busy_until == 0)
            continue;
        const sl_status s = ex_ring_see_released(o->ring, o->items[i].busy_until);
        if (s == SL_EPROTO)
            return s;
        if (s == SL_OK)
            o->items[i].busy_until = 0;
    }
    return SL_OK;
}

sl_status ex_worker_outputs_check(struct ex_worker_outputs *o, size_t count)
{
    size_t busy = 0;
    uint64_t bytes = 0;
    const sl_status s = see_released(o);
    if (s != SL_OK)
        return s;
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        busy += o->items[i].busy_until != 0;
        bytes += o->items[i].busy_until != 0 ? o->items[i].bytes : 0;
    }
    return busy + count <= EX_SEGMENTS_MAX && bytes <= EX_OUTPUTS_BUSY_MAX ? SL_OK : SL_EAGAIN;
}

/* ---- ending and making */

/* False: it stays, because the supervisor cannot be told now (or is gone): it would keep its map for ever. */
static bool forget(struct ex_worker_outputs *o, struct ex_worker_output *item)
{
    const struct ex_worker_message m = {
        .kind = EX_WORKER_FORGET, .segment = item->number, .fd = -1};
    if (ex_worker_send(o->control, &m) != SL_OK)
        return false;
    unmap(item);
    return true;
}

bool ex_worker_outputs_trim(struct ex_worker_outputs *o)
{
    bool had = false;
    if (see_released(o) != SL_OK)
        return false;
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (!is_free(&o->items[i]))
            continue;
        had = forget(o, &o->items[i]) || had;
    }
    return had;
}

bool ex_worker_outputs_is_empty(const struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (o->items[i].number != 0)
            return false;
    }
    return true;
}

static uint64_t free_bytes(const struct ex_worker_outputs *o)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++)
        sum += is_free(&o->items[i]) ? o->items[i].bytes : 0;
    return sum;
}

static struct ex_worker_output *find_place(struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (o->items[i].number == 0)
            return &o->items[i];
    }
    return NULL;
}

/* The supervisor sees it from here on. */
static bool show(struct ex_worker_outputs *o, struct ex_worker_output *item, int fd)
{
    item->number = ++o->last_number;
    const sl_status s = ex_worker_send_segment(o->control, item->number, fd, item->bytes);
    close(fd);
    if (s == SL_OK)
        return true;
    unmap(item);
    return false;
}

static struct ex_worker_output *make(struct ex_worker_outputs *o, uint64_t bytes)
{
    int fd;
    void *map;
    const uint64_t size = (bytes + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
    struct ex_worker_output *item = find_place(o);
    if (item == NULL || free_bytes(o) + size > EX_OUTPUTS_FREE_MAX) {
        (void)ex_worker_outputs_trim(o);
        item = free_bytes(o) == 0 ? find_place(o) : NULL;
    }
    if (item == NULL || sl_memfd_create("sluice-output", size, &fd, &map) != SL_OK)
        return NULL;
    *item = (struct ex_worker_output){.bytes = size, .map = map};
    return show(o, item, fd) ? item : NULL;
}

/* ---- a run's outputs */

static struct ex_worker_output *find(struct ex_worker_outputs *o, uint64_t bytes)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        struct ex_worker_output *item = &o->items[i];
        if (is_free(item) && item->bytes >= bytes && item->bytes / WASTE_FACTOR <= bytes)
            return item;
    }
    return NULL;
}

void *ex_worker_outputs_take(struct ex_worker_outputs *o, uint64_t bytes, uint32_t *out_number)
{
    struct ex_worker_output *item = find(o, bytes);
    if (item == NULL)
        item = make(o, bytes);
    if (item == NULL)
        return NULL;
    item->is_taken = true;
    *out_number = item->number;
    return item->map;
}

void ex_worker_outputs_send(struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++) {
        if (o->items[i].is_taken)
            o->items[i].busy_until = ex_ring_written(o->ring);
        o->items[i].is_taken = false;
    }
}

void ex_worker_outputs_drop(struct ex_worker_outputs *o)
{
    for (size_t i = 0; i < EX_SEGMENTS_MAX; i++)
        o->items[i].is_taken = false;
}
