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

#include "sl_status.h"

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

/* Connects a DEALER that calls itself routing_id. message_max bounds a frame, high_water how many
 * messages wait in each direction. Both descriptors are added to the epoll. Errors: SL_EINVAL
 * (endpoint), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_link_socket_open(struct ex_link_socket *s, void *context, int epoll,
                                            uint32_t tag, const char *endpoint,
                                            const char *routing_id, int64_t message_max,
                                            int high_water);
/* Closed sockets are fine. */
void ex_link_socket_close(struct ex_link_socket *s, int linger_ms);
bool ex_link_socket_is_readable(const struct ex_link_socket *s);
/* Was a connection lost since the last question? */
bool ex_link_socket_was_cut(struct ex_link_socket *s);

#endif
