/* gw_listener.h - one listening socket. Each front has its own on the same port (SO_REUSEPORT): the kernel
 * spreads connections, no thread hands sockets to another.
 *
 * Threads  open: any, before the loop runs; the rest: the loop's.
 * Options  Accepted sockets inherit TCP_NODELAY and keep-alive from this one.
 * Pause    While on_ready does not accept, libuv holds one connection and leaves the others in the kernel's
 *          queue; accepting it later goes on from there.
 * Close    Asynchronous: the memory must stay until on_closed.
 */
#ifndef GW_LISTENER_H
#define GW_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "sl_base.h"
#include "sl_reason.h"
#include "sl_status.h"

struct gw_listener {
    uv_tcp_t tcp;
    uint16_t port;
    bool is_open;
    void (*on_ready)(void *ctx);
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* Binds. address is a literal of IPv4 or IPv6; port 0: any, see l->port. joins: another listener of this process
 * has the port already; without it a port that anybody listens on is refused, although the kernel would share
 * it. Errors: SL_EINVAL (no literal), SL_EIO, with a sentence in *error; then there is nothing to close. */
SL_MUST_CHECK sl_status gw_listener_open(struct gw_listener *l, uv_loop_t *loop,
                                         const char *address, uint16_t port, bool joins,
                                         struct sl_error *error);
/* on_ready: gw_listener_accept should be called, now or later. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_listener_start(struct gw_listener *l, void (*on_ready)(void *ctx),
                                          void *ctx);
/* client is an initialized handle of the same loop. Errors: SL_EAGAIN (nobody waits), SL_EIO. */
SL_MUST_CHECK sl_status gw_listener_accept(struct gw_listener *l, uv_tcp_t *client);
/* on_closed may be NULL. Nothing happens when it is not open. */
void gw_listener_close(struct gw_listener *l, void (*on_closed)(void *ctx), void *ctx);

#endif
