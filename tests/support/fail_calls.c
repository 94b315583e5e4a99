/* fail_calls.c - the linker's --wrap leads here, and from here to the real functions. */
#include "fail_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

static struct fail_alloc *memory;
static long maps;

void fail_calls_use(struct fail_alloc *use)
{
    memory = use;
}

long fail_calls_maps(void)
{
    return maps;
}

long fail_calls_descriptors(void)
{
    long count = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        abort();
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

/* Is it this one's turn? Sets errno. */
static bool fails(int error)
{
    if (memory == NULL || !fail_alloc_refuses(memory))
        return false;
    errno = error;
    return true;
}

#define WRAPPED(type, name, parameters)                                                            \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters

WRAPPED(int, memfd_create, (const char *label, unsigned flags))
{
    return fails(EMFILE) ? -1 : __real_memfd_create(label, flags);
}

WRAPPED(int, ftruncate, (int fd, off_t bytes))
{
    return fails(ENOMEM) ? -1 : __real_ftruncate(fd, bytes);
}

WRAPPED(int, fcntl, (int fd, int command, ...))
{
    va_list more;
    va_start(more, command);
    const long argument = va_arg(more, long); /* a number or a pointer */
    va_end(more);
    return fails(ENOMEM) ? -1 : __real_fcntl(fd, command, argument);
}

WRAPPED(void *, mmap, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset))
{
    void *map = fails(ENOMEM) ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, fd, offset);
    maps += map != MAP_FAILED;
    return map;
}

WRAPPED(int, munmap, (void *map, size_t bytes))
{
    maps--;
    return __real_munmap(map, bytes);
}

WRAPPED(int, open, (const char *path, int flags, ...))
{
    va_list more;
    va_start(more, flags);
    const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(more, unsigned) : 0;
    va_end(more);
    return fails(EMFILE) ? -1 : __real_open(path, flags, mode);
}

WRAPPED(int, socket, (int family, int type, int protocol))
{
    return fails(EMFILE) ? -1 : __real_socket(family, type, protocol);
}

WRAPPED(int, connect, (int fd, const struct sockaddr *to, socklen_t bytes))
{
    return fails(ECONNREFUSED) ? -1 : __real_connect(fd, to, bytes);
}

WRAPPED(int, accept4, (int fd, struct sockaddr *from, socklen_t *bytes, int flags))
{
    return fails(EMFILE) ? -1 : __real_accept4(fd, from, bytes, flags);
}

WRAPPED(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags))
{
    return fails(ENOBUFS) ? -1 : __real_sendmsg(fd, m, flags);
}

WRAPPED(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags))
{
    return fails(ENOMEM) ? -1 : __real_recvmsg(fd, m, flags);
}
