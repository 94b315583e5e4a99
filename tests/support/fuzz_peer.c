/* fuzz_peer.c - frames and descriptors, as a script says them. */
#include "fuzz_peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sl_fdpass.h"
#include "sl_log.h"
#include "sl_memfd.h"
#include "whole_node.h"

enum { SEGMENT_BYTES = 256 * 1024 };

struct sl_span fuzz_filler(uint64_t bytes)
{
    static const uint8_t noughts[FUZZ_CHUNK_MAX];
    return sl_span_of(noughts, bytes < FUZZ_CHUNK_MAX ? (size_t)bytes : FUZZ_CHUNK_MAX);
}

static void drop_line(void *ctx, const char *line, unsigned len)
{
    (void)ctx, (void)line, (void)len;
}

void fuzz_be_silent(void)
{
    sl_log_set_sink(drop_line, NULL);
}

/* ---- messages */

void *fuzz_socket(void *context, int type, const char *endpoint, const char *name)
{
    void *s = zmq_socket(context, type);
    fuzz_require(s != NULL);
    if (type == ZMQ_ROUTER)
        fuzz_require(zmq_bind(s, endpoint) == 0);
    else
        fuzz_require(zmq_setsockopt(s, ZMQ_ROUTING_ID, name, strlen(name)) == 0 &&
                     zmq_connect(s, endpoint) == 0);
    return s;
}

void fuzz_send(void *socket, const struct sl_span frames[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const void *bytes = frames[i].len > 0 ? (const void *)frames[i].data : "";
        if (zmq_send(socket, bytes, frames[i].len,
                     ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0)) < 0)
            return;
    }
}

void fuzz_send_frames(struct fuzz_script *s, void *socket, struct sl_span to)
{
    struct sl_span frames[1 + FUZZ_FRAMES_MAX] = {to};
    const size_t first = to.len > 0 ? 1 : 0, count = 1u + fuzz_byte(s) % FUZZ_FRAMES_MAX;
    for (size_t i = 0; i < count; i++)
        frames[first + i] = fuzz_bytes(s, fuzz_byte(s));
    fuzz_send(socket, frames, first + count);
}

bool fuzz_receive(void *socket, zmq_msg_t *first, zmq_msg_t *last)
{
    zmq_msg_t m;
    size_t count = 0;
    bool more = true;
    zmq_msg_init(&m);
    while (more && zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&m) != 0;
        zmq_msg_move(count++ == 0 && more ? first : last, &m);
    }
    zmq_msg_close(&m);
    return count > 0;
}

void fuzz_drop_all(void *socket)
{
    zmq_msg_t first, last;
    zmq_msg_init(&first);
    zmq_msg_init(&last);
    while (fuzz_receive(socket, &first, &last))
        ;
    zmq_msg_close(&first);
    zmq_msg_close(&last);
}

/* ---- shared memory */

const char *fuzz_door_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "%s.fds", whole_control() + strlen("ipc://"));
    return path;
}

static int sealed_memory(void)
{
    int fd;
    void *map;
    fuzz_require(sl_memfd_create_lazy("fuzz", SEGMENT_BYTES, &fd, &map) == SL_OK);
    munmap(map, SEGMENT_BYTES);
    return fd;
}

static int open_memory(off_t bytes)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fuzz_require(fd >= 0 && ftruncate(fd, bytes) == 0);
    return fd;
}

/* -1: none. */
static int descriptor(uint8_t kind)
{
    switch (kind % 6) {
    case 0:
        return sealed_memory();
    case 1:
        return open_memory(SEGMENT_BYTES); /* whose size may change */
    case 2:
        return open_memory(0);
    case 3:
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    case 4:
        return open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* has a size, and no seals */
    default:
        return -1;
    }
}

static void pass(int door, uint64_t number, int take_fd)
{
    (void)!sl_fdpass_send(door, number, take_fd);
    if (take_fd >= 0)
        close(take_fd);
}

int fuzz_door_open(struct fuzz_script *s, uint64_t session)
{
    enum { SILENT = 1, OTHER = 2, ARMED = 4 };
    const uint8_t how = fuzz_byte(s);
    int door;
    if (sl_fdpass_connect(fuzz_door_path(), &door) != SL_OK)
        return -1;
    if ((how & SILENT) == 0)
        pass(door, session + ((how & OTHER) != 0), descriptor((how & ARMED) != 0 ? 0 : 5));
    return door;
}

void fuzz_door_show(struct fuzz_script *s, int door)
{
    const uint8_t number = fuzz_byte(s), kind = fuzz_byte(s);
    if (door >= 0)
        pass(door, number == 255 ? UINT64_MAX : number, descriptor(kind));
}

void fuzz_door_drop_all(int door)
{
    uint64_t number;
    int fd;
    while (door >= 0 && sl_fdpass_receive(door, &number, &fd) == SL_OK)
        if (fd >= 0)
            close(fd);
}

struct sl_shm_ref fuzz_ref(struct fuzz_script *s)
{
    struct sl_shm_ref r = {.number = fuzz_byte(s)};
    r.generation = fuzz_byte(s);
    r.offset_bytes = fuzz_size(s, 4);
    r.length_bytes = fuzz_size(s, 4) * 4;
    return r;
}
