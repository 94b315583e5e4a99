/* sl_fdpass.c - listening, connecting, and packets of a number and a descriptor. */
#include "sl_fdpass.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

/* ---- connections */

static sl_status make_address(const char *path, struct sockaddr_un *out)
{
    const size_t len = strlen(path);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof(out->sun_path))
        return SL_ETOOBIG;
    memcpy(out->sun_path, path, len);
    return SL_OK;
}

static int make_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* The name is open to nobody else from its first moment on: permissions are set before listen. */
static bool bind_to(int fd, const struct sockaddr_un *address)
{
    (void)unlink(address->sun_path); /* fails when there is none */
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
           chmod(address->sun_path, S_IRUSR | S_IWUSR) == 0 && listen(fd, BACKLOG) == 0;
}

sl_status sl_fdpass_listen(const char *path, int *out_fd)
{
    struct sockaddr_un address;
    const sl_status st = make_address(path, &address);
    if (st != SL_OK)
        return st;
    const int fd = make_socket();
    if (fd >= 0 && bind_to(fd, &address)) {
        *out_fd = fd;
        return SL_OK;
    }
    if (fd >= 0)
        close(fd);
    return SL_EIO;
}

static bool is_of_our_user(int socket)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

sl_status sl_fdpass_accept(int listener, int *out_fd)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? SL_EAGAIN : SL_EIO;
    if (!is_of_our_user(fd)) {
        close(fd);
        return SL_EPROTO;
    }
    *out_fd = fd;
    return SL_OK;
}

static sl_status connect_to(int fd, const struct sockaddr_un *address)
{
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        return errno == EAGAIN ? SL_EAGAIN : SL_EIO;
    return is_of_our_user(fd) ? SL_OK : SL_EPROTO;
}

sl_status sl_fdpass_connect(const char *path, int *out_fd)
{
    struct sockaddr_un address;
    sl_status st = make_address(path, &address);
    if (st != SL_OK)
        return st;
    const int fd = make_socket();
    if (fd < 0)
        return SL_EIO;
    st = connect_to(fd, &address);
    if (st == SL_OK)
        *out_fd = fd;
    else
        close(fd);
    return st;
}

/* ---- packets */

void sl_fdpass_attach(struct msghdr *msg, union sl_fdpass_room *room, int fd)
{
    memset(room, 0, sizeof(*room));
    msg->msg_control = room->room;
    msg->msg_controllen = sizeof(room->room);
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

sl_status sl_fdpass_send(int socket, uint64_t number, int fd)
{
    union sl_fdpass_room room;
    struct iovec part = {&number, sizeof(number)};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0)
        sl_fdpass_attach(&msg, &room, fd);
    ssize_t n;
    do {
        n = sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return SL_OK;
    /* ETOOMANYREFS: this user has too many descriptors on their way */
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS ? SL_EAGAIN : SL_EIO;
}

/* The descriptor beside a packet, or -1. */
static int take_fd(struct msghdr *msg)
{
    int fd = -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len >= CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

static ssize_t receive(int socket, struct msghdr *msg)
{
    ssize_t n;
    do {
        n = recvmsg(socket, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    return n;
}

sl_status sl_fdpass_receive(int socket, uint64_t *out_number, int *out_fd)
{
    union sl_fdpass_room room;
    struct iovec part = {out_number, sizeof(*out_number)};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = room.room,
                         .msg_controllen = CMSG_LEN(sizeof(int))}; /* more are cut, and said */
    *out_fd = -1;
    const ssize_t n = receive(socket, &msg);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? SL_EAGAIN
               : errno == ECONNRESET                   ? SL_ENOENT
                                                       : SL_EIO;
    const int fd = n > 0 || msg.msg_controllen > 0 ? take_fd(&msg) : -1;
    if (n == sizeof(*out_number) && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
        *out_fd = fd;
        return SL_OK;
    }
    if (fd >= 0)
        close(fd);
    return n == 0 ? SL_ENOENT : SL_EPROTO;
}
