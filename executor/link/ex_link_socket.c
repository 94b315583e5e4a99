/* ex_link_socket.c - opens, watches and closes a ZeroMQ socket. */
#include "ex_link_socket.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

enum { RECONNECT_MS = 50, RECONNECT_MAX_MS = 500 };

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_options(void *socket, const char *routing_id, int64_t message_max, int high_water)
{
    return zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id, strlen(routing_id)) == 0 &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max)) == 0 &&
           set_int(socket, ZMQ_SNDHWM, high_water) && set_int(socket, ZMQ_RCVHWM, high_water) &&
           set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_IPV6, 1) &&
           set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
}

static bool is_readable(void *socket)
{
    int events = 0;
    size_t bytes = sizeof(events);
    return socket && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &bytes) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

static void *open_monitor(void *context, void *socket)
{
    static atomic_uint number;
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "inproc://sluice-monitor-%u",
             atomic_fetch_add(&number, 1));
    if (zmq_socket_monitor(socket, endpoint, ZMQ_EVENT_DISCONNECTED) != 0)
        return NULL;
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    /* Only a reader that has found nothing once is woken for what comes. */
    if (monitor && zmq_connect(monitor, endpoint) == 0 && !is_readable(monitor))
        return monitor;
    if (monitor)
        zmq_close(monitor);
    return NULL;
}

static bool watch(int epoll, uint32_t tag, void *socket, int *out_fd)
{
    size_t bytes = sizeof(*out_fd);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    return zmq_getsockopt(socket, ZMQ_FD, out_fd, &bytes) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, *out_fd, &event) == 0;
}

sl_status ex_link_socket_open(struct ex_link_socket *s, void *context, int epoll, uint32_t tag,
                              const char *endpoint, const char *routing_id, int64_t message_max,
                              int high_water)
{
    *s = (struct ex_link_socket){.fd = -1, .monitor_fd = -1, .epoll = epoll};
    s->zmq = zmq_socket(context, ZMQ_DEALER);
    if (!s->zmq)
        return SL_ENOMEM;
    s->monitor = open_monitor(context, s->zmq);
    const bool is_ready = s->monitor &&
                          watch(epoll, tag | EX_LINK_MONITOR, s->monitor, &s->monitor_fd) &&
                          set_options(s->zmq, routing_id, message_max, high_water) &&
                          watch(epoll, tag, s->zmq, &s->fd);
    if (is_ready && zmq_connect(s->zmq, endpoint) == 0)
        return SL_OK;
    ex_link_socket_close(s, 0);
    return is_ready ? SL_EINVAL : SL_ENOMEM;
}

/* Now, while the number is still this socket's: ZeroMQ closes it later, on its own thread. */
static void unwatch(const struct ex_link_socket *s, int fd)
{
    if (fd >= 0)
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void ex_link_socket_close(struct ex_link_socket *s, int linger_ms)
{
    unwatch(s, s->fd);
    unwatch(s, s->monitor_fd);
    if (s->zmq) {
        (void)set_int(s->zmq, ZMQ_LINGER, linger_ms);
        zmq_socket_monitor(s->zmq, NULL, 0);
        zmq_close(s->zmq);
    }
    if (s->monitor) {
        (void)set_int(s->monitor, ZMQ_LINGER, 0);
        zmq_close(s->monitor);
    }
    *s = (struct ex_link_socket){.fd = -1, .monitor_fd = -1};
}

bool ex_link_socket_is_readable(const struct ex_link_socket *s)
{
    return is_readable(s->zmq);
}

/* An event is two frames; that there is one is all that matters, as only one kind is asked for. */
bool ex_link_socket_was_cut(struct ex_link_socket *s)
{
    bool was_cut = false;
    char frame[256];
    while (is_readable(s->monitor)) {
        if (zmq_recv(s->monitor, frame, sizeof(frame), ZMQ_DONTWAIT) < 0)
            break;
        was_cut = true;
    }
    return was_cut;
}
