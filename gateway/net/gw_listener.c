/* gw_listener.c - a socket with our options, handed to libuv. */
#include "gw_listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_PROBES = 4,
};

static bool parse(const char *address, uint16_t port, struct sockaddr_storage *out)
{
    return uv_ip4_addr(address, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(address, port, (struct sockaddr_in6 *)out) == 0;
}

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int set_options(int fd, int family, bool is_shared)
{
    int rv = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    rv |= set_int(fd, SOL_SOCKET, SO_REUSEPORT, is_shared);
    rv |= set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    rv |= set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    rv |= set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    rv |= set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    rv |= set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    if (family == AF_INET6)
        rv |= set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    return rv;
}

static uint16_t port_of(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                          : ((const struct sockaddr_in *)a)->sin_port);
}

static int close_with(int fd, int error)
{
    close(fd);
    errno = error;
    return -1;
}

/* A socket bound to *a, or -1 with errno. */
static int bound_socket(const struct sockaddr_storage *a, bool is_shared)
{
    socklen_t len =
        a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (set_options(fd, a->ss_family, is_shared) != 0 ||
        bind(fd, (const struct sockaddr *)a, len) != 0)
        return close_with(fd, errno);
    return fd;
}

/* A socket that does not share finds out whether somebody listens there. */
static bool is_taken(const struct sockaddr_storage *a)
{
    int fd = bound_socket(a, false);
    if (fd < 0)
        return true;
    close(fd);
    return false;
}

static int listening_socket(const struct sockaddr_storage *a, bool joins, uint16_t *out_port)
{
    struct sockaddr_storage got;
    socklen_t got_len = sizeof got;
    if (!joins && is_taken(a))
        return -1;
    int fd = bound_socket(a, true);
    if (fd < 0)
        return -1;
    if (getsockname(fd, (struct sockaddr *)&got, &got_len) != 0)
        return close_with(fd, errno);
    *out_port = port_of(&got);
    return fd;
}

sl_status gw_listener_open(struct gw_listener *l, uv_loop_t *loop, const char *address,
                           uint16_t port, bool joins, struct sl_error *error)
{
    struct sockaddr_storage a = {0};
    *l = (struct gw_listener){0};
    if (!parse(address, port, &a)) {
        sl_error_set(error, SL_REASON_BAD_INPUT,
                     "The listen address \"%s\" is no IPv4 or IPv6 literal.", address);
        return SL_EINVAL;
    }
    int fd = listening_socket(&a, joins, &l->port);
    if (fd < 0) {
        sl_error_set(error, SL_REASON_INTERNAL, "Cannot listen on %s port %u: %s.", address, port,
                     strerror(errno));
        return SL_EIO;
    }
    int rv = uv_tcp_init(loop, &l->tcp);
    if (rv == 0 && (rv = uv_tcp_open(&l->tcp, fd)) != 0)
        uv_close((uv_handle_t *)&l->tcp, NULL);
    if (rv != 0) {
        close(fd);
        sl_error_set(error, SL_REASON_INTERNAL, "Cannot listen on %s port %u: %s.", address, port,
                     uv_strerror(rv));
        return SL_EIO;
    }
    l->tcp.data = l;
    l->is_open = true;
    return SL_OK;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct gw_listener *l = stream->data;
    if (status == 0)
        l->on_ready(l->ctx);
}

sl_status gw_listener_start(struct gw_listener *l, void (*on_ready)(void *ctx), void *ctx)
{
    l->on_ready = on_ready;
    l->ctx = ctx;
    return uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection) == 0 ? SL_OK : SL_EIO;
}

sl_status gw_listener_accept(struct gw_listener *l, uv_tcp_t *client)
{
    int rv = uv_accept((uv_stream_t *)&l->tcp, (uv_stream_t *)client);
    return rv == 0 ? SL_OK : rv == UV_EAGAIN ? SL_EAGAIN : SL_EIO;
}

static void on_close(uv_handle_t *handle)
{
    struct gw_listener *l = handle->data;
    if (l->on_closed != NULL)
        l->on_closed(l->ctx);
}

void gw_listener_close(struct gw_listener *l, void (*on_closed)(void *ctx), void *ctx)
{
    if (!l->is_open)
        return;
    l->is_open = false;
    l->on_closed = on_closed;
    l->ctx = ctx;
    uv_close((uv_handle_t *)&l->tcp, on_close);
}
