/* ex_link_socket.h - one ZeroMQ connection to the gateway, and the eye that sees it break.
 *
 * ZeroMQ's descriptor only signals changes: after every send or receive the socket's events must be
 * read again (ex_link_socket_is_readable) before waiting.
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

/* Connects a DEALER that calls itself routing_id. message_max bounds a frame, high_water how many
 * messages wait in each direction. Both descriptors are added to the epoll. Errors: SL_EINVAL
 * (endpoint), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_link_socket_open(struct ex_link_socket *s, void *context, int epoll,
                                            const char *endpoint, const char *routing_id,
                                            int64_t message_max, int high_water);
/* Closed sockets are fine. */
void ex_link_socket_close(struct ex_link_socket *s, int linger_ms);
bool ex_link_socket_is_readable(const struct ex_link_socket *s);
/* Was a connection lost since the last question? */
bool ex_link_socket_was_cut(struct ex_link_socket *s);

#endif
