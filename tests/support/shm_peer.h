/* shm_peer.h - the other end of shared memory in tests: open descriptors counted, memory of every kind
 * made and shown. */
#ifndef SHM_PEER_H
#define SHM_PEER_H

#include <dirent.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_base.h"
#include "sl_fdpass.h"
#include "sl_memfd.h"
#include "sl_test.h"

enum { SHM_PEER_BYTES = 1 << 20 };

static inline int shm_peer_open_count(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

static inline void shm_peer_pair(int out[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, out), 0);
}

/* Memory that keeps the rules, filled. */
static inline int shm_peer_memory(uint8_t fill)
{
    int fd;
    void *map;
    assert_ok(sl_memfd_create("test", SHM_PEER_BYTES, &fd, &map));
    memset(map, fill, SHM_PEER_BYTES);
    munmap(map, SHM_PEER_BYTES);
    return fd;
}

/* Memory whose size may still change. */
static inline int shm_peer_unsealed(void)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, SHM_PEER_BYTES), 0);
    return fd;
}

static inline void shm_peer_show(int socket, uint64_t number, int take_fd)
{
    assert_ok(sl_fdpass_send(socket, number, take_fd));
    close(take_fd);
}

/* What was shown to the peer, which must be `number`. */
static inline int shm_peer_take(int socket, uint64_t number)
{
    uint64_t got;
    int fd;
    assert_ok(sl_fdpass_receive(socket, &got, &fd));
    assert_int_equal(got, number);
    return fd;
}

static inline void shm_peer_expect_silence(int socket)
{
    uint64_t got;
    int fd;
    assert_status(sl_fdpass_receive(socket, &got, &fd), SL_EAGAIN);
}

#endif
