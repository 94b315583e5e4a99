/* sl_shm_door.c - shows our memory, takes in theirs. */
#include "sl_shm_door.h"

#include <string.h>
#include <unistd.h>

#include "sl_fdpass.h"

void sl_shm_door_init(struct sl_shm_door *d, int take_fd)
{
    memset(d, 0, sizeof(*d));
    d->fd = take_fd;
}

void sl_shm_door_finish(struct sl_shm_door *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    d->shown_count = 0;
}

bool sl_shm_door_is_open(const struct sl_shm_door *d)
{
    return d->fd >= 0;
}

/* ---- ours */

static bool is_shown(const struct sl_shm_door *d, uint32_t number)
{
    for (uint32_t i = 0; i < d->shown_count; i++) {
        if (d->shown[i] == number)
            return true;
    }
    return false;
}

static sl_status send_packet(struct sl_shm_door *d, uint32_t number, int fd)
{
    const sl_status s = sl_fdpass_send(d->fd, number, fd);
    return s == SL_EIO ? SL_ENOENT : s;
}

sl_status sl_shm_door_sweep(struct sl_shm_door *d, struct sl_shm_pool *pool)
{
    for (uint32_t i = d->shown_count; i-- > 0;) {
        if (sl_shm_pool_has(pool, d->shown[i]))
            continue;
        const sl_status s = send_packet(d, d->shown[i], -1);
        if (s != SL_OK)
            return s == SL_EAGAIN ? SL_OK : s; /* the next sweep says it */
        d->shown[i] = d->shown[--d->shown_count];
    }
    return SL_OK;
}

sl_status sl_shm_door_show(struct sl_shm_door *d, struct sl_shm_pool *pool,
                           const struct sl_shm_block *block)
{
    if (is_shown(d, block->number))
        return SL_OK;
    sl_status s = d->shown_count == SL_SHM_PEER_MAX ? sl_shm_door_sweep(d, pool) : SL_OK;
    if (s == SL_OK && d->shown_count == SL_SHM_PEER_MAX)
        s = SL_EAGAIN;
    if (s == SL_OK)
        s = send_packet(d, block->number, block->fd);
    if (s == SL_OK)
        d->shown[d->shown_count++] = block->number;
    return s;
}

/* ---- theirs */

static sl_status take_packet(struct sl_shm_peer *theirs, uint64_t number, int fd)
{
    if (number == 0 || number > UINT32_MAX) {
        if (fd >= 0)
            close(fd);
        return SL_EPROTO;
    }
    if (fd < 0)
        return sl_shm_peer_forget(theirs, (uint32_t)number);
    const sl_status s = sl_shm_peer_add(theirs, (uint32_t)number, fd);
    return s == SL_EFULL ? SL_EPROTO : s;
}

sl_status sl_shm_door_take_in(struct sl_shm_door *d, struct sl_shm_peer *theirs)
{
    uint64_t number;
    int fd;
    sl_status s;
    while ((s = sl_fdpass_receive(d->fd, &number, &fd)) == SL_OK) {
        s = take_packet(theirs, number, fd);
        if (s != SL_OK)
            return s;
    }
    return s == SL_EAGAIN ? SL_OK : s == SL_EIO ? SL_ENOENT : s;
}

sl_status sl_shm_door_find(struct sl_shm_door *d, struct sl_shm_peer *theirs,
                           const struct sl_shm_ref *ref, struct sl_span *out)
{
    if (ref->generation == 0 || ref->length_bytes == 0)
        return SL_EPROTO;
    sl_status s = sl_shm_peer_get(theirs, ref, out);
    if (s != SL_ENOENT)
        return s;
    s = d->fd >= 0 ? sl_shm_door_take_in(d, theirs) : SL_EPROTO;
    if (s == SL_OK || s == SL_ENOENT) /* what it showed before it left counts */
        s = sl_shm_peer_get(theirs, ref, out);
    return s == SL_ENOENT ? SL_EPROTO : s;
}
