/* sl_shm_peer.c - a peer's segments: checked, mapped, looked up. */
#include "sl_shm_peer.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sl_aside.h"
#include "sl_memfd.h"

void sl_shm_peer_init(struct sl_shm_peer *t, uint32_t max)
{
    memset(t, 0, sizeof(*t));
    t->max = max < SL_SHM_PEER_MAX ? max : SL_SHM_PEER_MAX;
}

static void unmap(struct sl_shm_peer_item *item)
{
    sl_aside_unmap(item->map, (size_t)item->bytes);
    memset(item, 0, sizeof(*item));
}

void sl_shm_peer_finish(struct sl_shm_peer *t)
{
    for (uint32_t i = 0; i < t->max; i++) {
        if (t->items[i].number != 0)
            unmap(&t->items[i]);
    }
}

/* The item of that number (0: a free one), or NULL. */
static struct sl_shm_peer_item *find(struct sl_shm_peer *t, uint32_t number)
{
    for (uint32_t i = 0; i < t->max; i++) {
        if (t->items[i].number == number)
            return &t->items[i];
    }
    return NULL;
}

static sl_status add(struct sl_shm_peer *t, uint32_t number, int fd)
{
    struct stat about;
    void *map;
    if (number == 0 || find(t, number) != NULL)
        return SL_EPROTO;
    struct sl_shm_peer_item *item = find(t, 0);
    if (item == NULL)
        return SL_EFULL;
    if (fstat(fd, &about) != 0 || about.st_size <= 0)
        return SL_EPROTO;
    const uint64_t bytes = (uint64_t)about.st_size;
    sl_status status = sl_memfd_check(fd, bytes, false);
    if (status == SL_OK)
        status = sl_memfd_map(fd, bytes, false, &map);
    if (status == SL_OK)
        *item = (struct sl_shm_peer_item){.number = number, .bytes = bytes, .map = map};
    return status;
}

sl_status sl_shm_peer_add(struct sl_shm_peer *t, uint32_t number, int take_fd)
{
    const sl_status status = add(t, number, take_fd);
    if (take_fd >= 0)
        close(take_fd);
    return status;
}

sl_status sl_shm_peer_forget(struct sl_shm_peer *t, uint32_t number)
{
    struct sl_shm_peer_item *item = number == 0 ? NULL : find(t, number);
    if (item == NULL)
        return SL_OK;
    if (item->holds > 0)
        return SL_EPROTO;
    unmap(item);
    return SL_OK;
}

sl_status sl_shm_peer_get(struct sl_shm_peer *t, const struct sl_shm_ref *ref, struct sl_span *out)
{
    struct sl_shm_peer_item *item = ref->number == 0 ? NULL : find(t, ref->number);
    if (item == NULL)
        return SL_ENOENT;
    if (ref->offset_bytes > item->bytes || ref->length_bytes > item->bytes - ref->offset_bytes)
        return SL_EPROTO;
    if (ref->generation != 0 && ref->generation <= item->generation)
        return SL_EPROTO;
    item->generation = ref->generation;
    *out = sl_span_of((const uint8_t *)item->map + ref->offset_bytes, (size_t)ref->length_bytes);
    return SL_OK;
}

void sl_shm_peer_hold(struct sl_shm_peer *t, uint32_t number)
{
    struct sl_shm_peer_item *item = number == 0 ? NULL : find(t, number);
    if (item != NULL)
        item->holds++;
}

void sl_shm_peer_unhold(struct sl_shm_peer *t, uint32_t number)
{
    struct sl_shm_peer_item *item = number == 0 ? NULL : find(t, number);
    if (item != NULL && item->holds > 0)
        item->holds--;
}

bool sl_shm_peer_is_held(struct sl_shm_peer *t, uint32_t number)
{
    const struct sl_shm_peer_item *item = number == 0 ? NULL : find(t, number);
    return item != NULL && item->holds > 0;
}
