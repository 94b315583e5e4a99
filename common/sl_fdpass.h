/* sl_fdpass.h - a unix socket over which two processes of one user pass numbered descriptors.
 *
 * It stands beside a channel of messages, which name what was passed here by its number.
 *
 * Packets  SOCK_SEQPACKET; a u64 (native order: it is one machine) and at most one descriptor.
 * Trust    The peer's user must be ours or root, on both ends; what a descriptor is, is the taker's
 *          question (sl_shm_peer).
 * Errors   SL_EAGAIN not now; SL_ENOENT the peer is gone; SL_EPROTO not what was agreed; SL_EIO.
 * Threads  Any; nothing blocks.
 */
#ifndef SL_FDPASS_H
#define SL_FDPASS_H

#include <stdint.h>
#include <sys/socket.h>

#include "sl_status.h"

/* Listens at path, which only this user may open; one that is left of an earlier process is
 * replaced. Errors: SL_EIO, SL_ETOOBIG (the path is too long for a socket). */
SL_MUST_CHECK sl_status sl_fdpass_listen(const char *path, int *out_fd);
/* Errors: SL_EAGAIN, SL_EPROTO (a stranger; closed), SL_EIO. */
SL_MUST_CHECK sl_status sl_fdpass_accept(int listener, int *out_fd);
/* Errors: SL_EAGAIN, SL_EPROTO (a stranger listens), SL_ETOOBIG, SL_EIO. */
SL_MUST_CHECK sl_status sl_fdpass_connect(const char *path, int *out_fd);

/* fd is borrowed; -1: the number alone. Errors: SL_EAGAIN, SL_EIO. */
SL_MUST_CHECK sl_status sl_fdpass_send(int socket, uint64_t number, int fd);
/* The next packet; *out_fd is -1 when none came with it. Errors: SL_EAGAIN, SL_ENOENT, SL_EPROTO,
 * SL_EIO. */
SL_MUST_CHECK sl_status sl_fdpass_receive(int socket, uint64_t *out_number, int *out_fd);

/* ---- for packets of another form */

/* Room for one descriptor beside a packet. */
union sl_fdpass_room {
    struct cmsghdr header; /* for its alignment */
    char room[CMSG_SPACE(sizeof(int))];
};

/* Puts fd, which is borrowed, beside what msg sends; room must last as long as msg does. */
void sl_fdpass_attach(struct msghdr *msg, union sl_fdpass_room *room, int fd);

#endif
