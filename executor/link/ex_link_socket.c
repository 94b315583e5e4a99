/* ex_link_socket.c - opens, watches and closes a ZeroMQ socket. */
#include "ex_link_socket.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

enum { RECONNECT_MS = 50, RECONNECT_MAX_MS = 200 };
enum {
    HANDSHAKE_EVENTS = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
    WATCHED_EVENTS = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | HANDSHAKE_EVENTS,
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_key(void *socket, int option, const struct sl_key *key)
{
    return zmq_setsockopt(socket, option, key->text, sizeof(key->text)) == 0;
}

static bool set_curve(void *socket, const struct ex_link_keys *keys)
{
    return !keys || (set_key(socket, ZMQ_CURVE_SERVERKEY, &keys->gateway) &&
                     set_key(socket, ZMQ_CURVE_PUBLICKEY, &keys->own_public) &&
                     set_key(socket, ZMQ_CURVE_SECRETKEY, &keys->own_secret));
}

static bool set_options(void *socket, const struct ex_link_socket_conf *c)
{
    const size_t id_len = strlen(c->routing_id);
    return zmq_setsockopt(socket, ZMQ_ROUTING_ID, c->routing_id, id_len) == 0 &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &c->message_max, sizeof(c->message_max)) == 0 &&
           zmq_setsockopt(socket, ZMQ_AFFINITY, &c->io, sizeof(c->io)) == 0 &&
           set_int(socket, ZMQ_SNDHWM, c->high_water) &&
           set_int(socket, ZMQ_RCVHWM, c->high_water) && set_int(socket, ZMQ_LINGER, 0) &&
           set_int(socket, ZMQ_IPV6, 1) && set_int(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) && set_curve(socket, c->keys);
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
    if (zmq_socket_monitor(socket, endpoint, WATCHED_EVENTS) != 0)
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

sl_status ex_link_keys_complete(struct ex_link_keys *keys)
{
    const int rc = zmq_curve_public(keys->own_public.text, keys->own_secret.text);
    return rc == 0 ? SL_OK : SL_EINVAL;
}

sl_status ex_link_socket_open(struct ex_link_socket *s, void *context, int epoll, uint32_t tag,
                              const struct ex_link_socket_conf *conf)
{
    *s = (struct ex_link_socket){.fd = -1, .monitor_fd = -1, .epoll = epoll};
    s->zmq = zmq_socket(context, ZMQ_DEALER);
    if (!s->zmq)
        return SL_ENOMEM;
    s->monitor = open_monitor(context, s->zmq);
    const bool is_ready = s->monitor &&
                          watch(epoll, tag | EX_LINK_MONITOR, s->monitor, &s->monitor_fd) &&
                          set_options(s->zmq, conf) && watch(epoll, tag, s->zmq, &s->fd);
    if (is_ready && zmq_connect(s->zmq, conf->endpoint) == 0)
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

static enum ex_link_cut meaning_of(uint16_t event)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return EX_LINK_KEY_REFUSED;
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        return EX_LINK_CUT_EARLY;
    return event & HANDSHAKE_EVENTS ? EX_LINK_HANDSHAKE_FAILED : EX_LINK_CUT;
}

/* An event is two frames: its number with a value, and the endpoint. The most telling one counts. */
enum ex_link_cut ex_link_socket_was_cut(struct ex_link_socket *s)
{
    enum ex_link_cut cut = EX_LINK_UNCUT;
    uint8_t frame[256];
    while (is_readable(s->monitor)) {
        uint16_t event;
        if (zmq_recv(s->monitor, frame, sizeof(frame), ZMQ_DONTWAIT) < (int)sizeof(event))
            break;
        memcpy(&event, frame, sizeof(event));
        if (zmq_recv(s->monitor, frame, sizeof(frame), ZMQ_DONTWAIT) < 0)
            break;
        const enum ex_link_cut found = meaning_of(event);
        if (cut <= EX_LINK_CUT_EARLY && found > cut)
            cut = found;
    }
    return cut;
}
