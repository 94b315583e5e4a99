/* ex_channel.h - the supervisor's end of a worker: two rings, two bells, one control socket, made
 * before the fork as ex_worker_proto.h says.
 *
 * On the way:  ex_channel_open -> fork -> child: ex_channel_place_worker_fds, exec
 *                                      -> parent: ex_channel_close_worker_fds, ... ex_channel_close
 *
 * Threads  One; the child's part is async-signal-safe.
 */
#ifndef EX_CHANNEL_H
#define EX_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ex_ring.h"
#include "ex_worker_proto.h"
#include "sl_status.h"

struct ex_channel {
    struct ex_ring ring; /* out: down; in: up */
    int control;         /* nonblocking; -1: closed */
    int down_bell;       /* rung by this side */
    int up_bell;         /* waited for by this side */
    void *down_map;
    void *up_map;
    uint64_t down_bytes; /* header and data */
    uint64_t up_bytes;
};

/* Makes both rings (data areas of down_data_bytes and up_data_bytes), bells and sockets. worker_fds
 * are the worker's descriptors in the order of EX_WORKER_FD_CONTROL and up, for dup2 in the child;
 * close them in the parent after the fork (ex_channel_close_worker_fds). Errors: SL_EINVAL (a
 * size), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_channel_open(uint64_t down_data_bytes, uint64_t up_data_bytes,
                                        struct ex_channel *out, int worker_fds[]);
void ex_channel_close_worker_fds(int worker_fds[]);
/* In the child, between fork and exec: puts the descriptors to their numbers and closes all others
 * from there on. Only async-signal-safe calls. False: the caller must _exit. */
bool ex_channel_place_worker_fds(const int worker_fds[]);
void ex_channel_close(struct ex_channel *c);

#endif
