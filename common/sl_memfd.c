/* sl_memfd.c - sealed memfds: made, frozen, checked, mapped. */
#include "sl_memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW, SEAL_TRIES = 100 };

static int make(const char *label, uint64_t bytes)
{
    const int fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, SIZE_SEALS) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static sl_status map(int fd, uint64_t bytes, int protection, int flags, void **out_map)
{
    void *p = mmap(NULL, (size_t)bytes, protection, flags, fd, 0);
    if (p == MAP_FAILED)
        return SL_ENOMEM;
    *out_map = p;
    return SL_OK;
}

static sl_status create(const char *label, uint64_t bytes, int map_flags, int *out_fd,
                        void **out_map)
{
    if (bytes == 0)
        return SL_EINVAL;
    const int fd = make(label, bytes);
    if (fd < 0)
        return SL_ENOMEM;
    const sl_status s = map(fd, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | map_flags, out_map);
    if (s != SL_OK) {
        close(fd);
        return s;
    }
    *out_fd = fd;
    return SL_OK;
}

sl_status sl_memfd_create(const char *label, uint64_t bytes, int *out_fd, void **out_map)
{
    /* Pages in one go are much cheaper than a fault for each. */
    return create(label, bytes, MAP_POPULATE, out_fd, out_map);
}

sl_status sl_memfd_create_lazy(const char *label, uint64_t bytes, int *out_fd, void **out_map)
{
    return create(label, bytes, 0, out_fd, out_map);
}

/* The kernel refuses with EBUSY while it holds a page for a moment itself, say to move it. */
static bool seal_writes(int fd)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int tries = 0; tries < SEAL_TRIES; tries++) {
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0)
            return true;
        if (errno != EBUSY)
            return false;
        nanosleep(&pause, NULL);
    }
    return false;
}

sl_status sl_memfd_freeze(int fd, void *map_start, uint64_t bytes)
{
    munmap(map_start, (size_t)bytes);
    return seal_writes(fd) ? SL_OK : SL_ENOMEM;
}

sl_status sl_memfd_guard(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0 ? SL_OK : SL_ENOMEM;
}

sl_status sl_memfd_reopen_read_only(int fd, int *out_fd)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *out_fd = open(path, O_RDONLY | O_CLOEXEC);
    return *out_fd >= 0 ? SL_OK : SL_ENOMEM;
}

sl_status sl_memfd_check(int fd, uint64_t bytes, bool immutable)
{
    struct stat st;
    const int wanted = SIZE_SEALS | (immutable ? F_SEAL_WRITE : 0);
    const int seals = fcntl(fd, F_GET_SEALS); /* fails for what is no memfd */
    if (seals < 0 || (seals & wanted) != wanted)
        return SL_EPROTO;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size < bytes)
        return SL_EPROTO;
    return SL_OK;
}

sl_status sl_memfd_map(int fd, uint64_t bytes, bool writable, void **out_map)
{
    if (bytes == 0)
        return SL_EINVAL;
    return map(fd, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, out_map);
}
