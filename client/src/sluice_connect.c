/* sluice_connect.c - opening a connection: names, addresses in turn, a time limit. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sl_clock.h"
#include "sluice_conn.h"
#include "sluice_status.h"

/* One attempt's outcome: 0 or an errno; ECANCELED when cancelled. */
static int wait_connected(int fd, sl_mono_ns until, int cancel_fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLOUT}, {.fd = cancel_fd, .events = POLLIN}};
        int64_t left = until - sl_clock_mono(&sl_clock_real);
        struct timespec wait = {.tv_sec = left > 0 ? left / SL_NS_PER_S : 0,
                                .tv_nsec = left > 0 ? left % SL_NS_PER_S : 0};
        int n = ppoll(fds, SL_ARRAY_LEN(fds), &wait, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (fds[1].revents != 0)
            return ECANCELED;
        if (n == 0)
            return ETIMEDOUT;
        return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
    }
}

/* Small writes go at once; a peer that vanished is noticed within a minute or two. Only hints: a
 * socket without them works. */
static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
                   {IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
                   {IPPROTO_TCP, TCP_KEEPCNT, 3},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000}};

    for (size_t i = 0; i < SL_ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

/* *out_fd is set when 0 comes back; else an errno. */
static int connect_one(const struct addrinfo *ai, sl_mono_ns until, int cancel_fd, int *out_fd)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = 0;
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)
        error = errno == EINPROGRESS ? wait_connected(fd, until, cancel_fd) : errno;
    if (error != 0) {
        close(fd);
        return error;
    }
    tune(fd);
    *out_fd = fd;
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return false;
}

/* Each address in turn; what is left of the time is shared among those that are left. */
static int connect_any(struct sluice_conn *c, const struct addrinfo *list, sl_mono_ns connect_by,
                       int cancel_fd)
{
    int error = EADDRNOTAVAIL;
    int left = 0;

    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
        left++;
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next, left--) {
        sl_mono_ns now = sl_clock_mono(&sl_clock_real);
        error = connect_one(ai, now + (connect_by - now) / left, cancel_fd, &c->fd);
        if (error == 0)
            c->is_loopback = is_loopback(ai->ai_addr);
        if (error == 0 || error == ECANCELED)
            break;
    }
    return error;
}

static int set_unreachable(struct sluice_status *why, const struct sluice_address *a,
                           const char *cause)
{
    const char *form =
        strchr(a->host, ':') != NULL ? "cannot reach [%s]:%s: %s" : "cannot reach %s:%s: %s";
    char text[512];
    snprintf(text, sizeof(text), form, a->host, a->port, cause);
    return sluice_status_set(why, SLUICE_UNAVAILABLE, "UNREACHABLE", "%s", text);
}

static int make_session(struct sluice_conn *c, struct sluice_status *why)
{
    c->in = malloc(SLUICE_CONN_READ_BYTES);
    if (c->in != NULL && sluice_h2_create(&c->h2) == SL_OK)
        return SLUICE_OK;
    sluice_conn_close(c);
    return sluice_status_set(why, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                             "no memory for a connection");
}

int sluice_conn_open(struct sluice_conn *c, const struct sluice_address *address,
                     struct sluice_tls_context *tls, sl_mono_ns connect_by, int cancel_fd,
                     struct sluice_status *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    char error_text[128];

    int rc = getaddrinfo(address->host, address->port, &hints, &list);
    if (rc != 0)
        return set_unreachable(why, address, gai_strerror(rc));
    int error = connect_any(c, list, connect_by, cancel_fd);
    freeaddrinfo(list);
    if (error == ECANCELED)
        return sluice_status_set(why, SLUICE_CANCELLED, "CANCELLED", "cancelled while connecting");
    if (error != 0)
        return set_unreachable(why, address, strerror_r(error, error_text, sizeof(error_text)));
    int code =
        tls == NULL ? SLUICE_OK : sluice_tls_open(tls, c->fd, connect_by, cancel_fd, &c->tls, why);
    if (code == SLUICE_OK)
        return make_session(c, why);
    sluice_conn_close(c);
    return code;
}
