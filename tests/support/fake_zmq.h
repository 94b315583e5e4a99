/* fake_zmq.h - ZeroMQ's functions in memory: what our links use of them, without a thread, a socket or a
 * surprise. A program that links fake_zmq.c has both ends of the link (gw_link, ex_link) join in one thread, so
 * that an allocation can fail at every step and a fuzzer sees the same world each time.
 *
 *   ROUTER  binds an endpoint; tells messages of its peers apart by an identity in front; an unknown one is
 *           EHOSTUNREACH; of two peers with one identity the newer has it
 *   DEALER  connects to it; what it sends while nobody is bound there is lost
 *   PAIR    a monitor: becomes readable when the watched socket is cut
 *
 * Messages are delivered at once, by reference, whole or not at all (a message begun and not ended by its
 * last frame is dropped when the socket closes). A full inbox (RCVHWM) is EAGAIN. ZMQ_FD is a descriptor that
 * is always readable. Of a call that is not here the real library is called, with objects it does not know.
 *
 * Memory   By fake_zmq_use; ENOMEM comes where the real library says so (contexts, sockets, message bodies)
 *          and nowhere else.
 */
#ifndef FAKE_ZMQ_H
#define FAKE_ZMQ_H

#include <stddef.h>

#include "sl_alloc.h"

/* NULL: malloc. What was taken goes back to where it came from. */
void fake_zmq_use(const struct sl_alloc *alloc);
/* Contexts, sockets and message bodies that have not been closed. */
size_t fake_zmq_open_count(void);
/* The connections of that endpoint break: monitors of its peers say so. */
void fake_zmq_cut(const char *endpoint);

#endif
