/* ex_link_socket.h - one ZeroMQ connection to the gateway, and the eye that sees it break.
 *
 * ZeroMQ's descriptor only signals changes: after every send or receive the socket's events must be
 * read again (ex_link_socket_is_readable) before waiting. As long as nobody touches the socket, an
 * unread signal stays where it is, and nothing needs to be asked.
 *
 * Threads  One. Memory: the socket's.
 */
#ifndef EX_LINK_SOCKET_H
#define EX_LINK_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_key.h"
#include "sl_status.h"

/* Of a CURVE connection. */
struct ex_link_keys {
    struct sl_key gateway; /* public */
    struct sl_key own_public;
    struct sl_key own_secret;
};

struct ex_link_socket {
    void *zmq;     /* NULL: closed */
    void *monitor; /* tells of lost connections */
    int fd;
    int monitor_fd;
    int epoll;
};

/* What of an epoll's events concerns a socket: event.data.u32 holds the socket's tag, with
 * EX_LINK_MONITOR added when it is the monitor's. */
enum { EX_LINK_MONITOR = 0x100 };

struct ex_link_socket_conf {
    const char *endpoint;
    const char *routing_id;          /* what it calls itself */
    const struct ex_link_keys *keys; /* NULL: no CURVE */
    uint64_t io;                     /* bits of the context's I/O threads that may serve it */
    int64_t message_max;             /* bytes of a frame */
    int high_water;                  /* messages that wait in each direction */
};

/* Fills keys->own_public in. Errors: SL_EINVAL (no key, or ZeroMQ has no CURVE). */
SL_MUST_CHECK sl_status ex_link_keys_complete(struct ex_link_keys *keys);

/* Connects a DEALER. Both descriptors are added to the epoll. conf is read during the call. Errors:
 * SL_EINVAL (endpoint), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_link_socket_open(struct ex_link_socket *s, void *context, int epoll,
                                            uint32_t tag, const struct ex_link_socket_conf *conf);
/* Closed sockets are fine. */
void ex_link_socket_close(struct ex_link_socket *s, int linger_ms);
bool ex_link_socket_is_readable(const struct ex_link_socket *s);
/* Was a connection lost since the last question, and why? */
enum ex_link_cut {
    EX_LINK_UNCUT,
    EX_LINK_CUT,
    EX_LINK_CUT_EARLY,        /* during the handshake: the other end dies, or does not agree */
    EX_LINK_KEY_REFUSED,      /* the gateway knows our key, and does not let us in */
    EX_LINK_HANDSHAKE_FAILED, /* the other end has another key than we were told, or no CURVE */
};
enum ex_link_cut ex_link_socket_was_cut(struct ex_link_socket *s);

#endif
