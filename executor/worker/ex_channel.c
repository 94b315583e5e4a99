/* ex_channel.c - the supervisor's end of a worker: rings, bells, socket, and the child's share. */
#include "ex_channel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_memfd.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int *worker_fd(int worker_fds[], int number)
{
    return &worker_fds[number - EX_WORKER_FD_CONTROL];
}

/* A ring that this side writes and nobody else ever can. The worker's descriptor is read-only. */
static sl_status open_down(uint64_t data_bytes, struct ex_channel *c, int *worker)
{
    int fd = -1;
    c->down_bytes = EX_RING_HEADER_BYTES + data_bytes;
    sl_status s = sl_memfd_create("sluice-down", c->down_bytes, &fd, &c->down_map);
    if (s != SL_OK)
        return s;
    ex_ring_format(c->down_map, data_bytes);
    s = sl_memfd_guard(fd);
    if (s == SL_OK)
        s = sl_memfd_reopen_read_only(fd, worker);
    close(fd);
    return s;
}

/* A ring that the worker writes: formatted here, then only read. */
static sl_status open_up(uint64_t data_bytes, struct ex_channel *c, int *worker)
{
    void *writable;
    c->up_bytes = EX_RING_HEADER_BYTES + data_bytes;
    sl_status s = sl_memfd_create("sluice-up", c->up_bytes, worker, &writable);
    if (s != SL_OK)
        return s;
    ex_ring_format(writable, data_bytes);
    munmap(writable, (size_t)c->up_bytes);
    if (fcntl(*worker, F_ADD_SEALS, F_SEAL_SEAL) != 0)
        return SL_ENOMEM;
    return sl_memfd_map(*worker, c->up_bytes, false, &c->up_map);
}

static sl_status open_bell(int *own, int *worker)
{
    *own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (*own < 0)
        return SL_ENOMEM;
    *worker = fcntl(*own, F_DUPFD_CLOEXEC, 0);
    return *worker >= 0 ? SL_OK : SL_ENOMEM;
}

static sl_status open_control(int *own, int *worker)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return SL_ENOMEM;
    *own = pair[0];
    *worker = pair[1];
    return fcntl(*own, F_SETFL, O_NONBLOCK) == 0 ? SL_OK : SL_ENOMEM;
}

static sl_status open_all(uint64_t down_data_bytes, uint64_t up_data_bytes, struct ex_channel *c,
                          int worker_fds[])
{
    sl_status s = open_control(&c->control, worker_fd(worker_fds, EX_WORKER_FD_CONTROL));
    if (s == SL_OK)
        s = open_down(down_data_bytes, c, worker_fd(worker_fds, EX_WORKER_FD_DOWN));
    if (s == SL_OK)
        s = open_up(up_data_bytes, c, worker_fd(worker_fds, EX_WORKER_FD_UP));
    if (s == SL_OK)
        s = open_bell(&c->down_bell, worker_fd(worker_fds, EX_WORKER_FD_DOWN_BELL));
    if (s == SL_OK)
        s = open_bell(&c->up_bell, worker_fd(worker_fds, EX_WORKER_FD_UP_BELL));
    if (s == SL_OK)
        s = ex_ring_attach(&c->ring, c->down_map, (size_t)c->down_bytes, c->up_map,
                           (size_t)c->up_bytes);
    return s;
}

sl_status ex_channel_open(uint64_t down_data_bytes, uint64_t up_data_bytes, struct ex_channel *out,
                          int worker_fds[])
{
    if (!ex_ring_is_data_bytes(down_data_bytes) || !ex_ring_is_data_bytes(up_data_bytes))
        return SL_EINVAL;
    memset(out, 0, sizeof(*out));
    out->control = out->down_bell = out->up_bell = -1;
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++)
        worker_fds[i] = -1;
    const sl_status s = open_all(down_data_bytes, up_data_bytes, out, worker_fds);
    if (s != SL_OK) {
        ex_channel_close_worker_fds(worker_fds);
        ex_channel_close(out);
    }
    return s;
}

void ex_channel_close_worker_fds(int worker_fds[])
{
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++)
        close_fd(&worker_fds[i]);
}

bool ex_channel_place_worker_fds(const int worker_fds[])
{
    enum { FIRST = EX_WORKER_FD_CONTROL, END = EX_WORKER_FD_CONTROL + EX_WORKER_FD_COUNT };
    int high[EX_WORKER_FD_COUNT];
    /* First out of the way of the final numbers, then down to them. */
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++) {
        high[i] = fcntl(worker_fds[i], F_DUPFD, END);
        if (high[i] < 0)
            return false;
    }
    for (int i = 0; i < EX_WORKER_FD_COUNT; i++) {
        if (dup2(high[i], FIRST + i) < 0)
            return false;
    }
    return close_range(END, ~0U, 0) == 0;
}

void ex_channel_close(struct ex_channel *c)
{
    close_fd(&c->control);
    close_fd(&c->down_bell);
    close_fd(&c->up_bell);
    if (c->down_map != NULL)
        munmap(c->down_map, (size_t)c->down_bytes);
    if (c->up_map != NULL)
        munmap(c->up_map, (size_t)c->up_bytes);
    c->down_map = c->up_map = NULL;
}
