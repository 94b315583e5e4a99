/* sl_shm_door.h - one end of the socket by which two processes of a host show each other memory.
 *
 * Ours goes out block by block, once each, before the first message that names it; theirs is taken
 * in when a message names what we do not know yet, and now and then. The rules stand in node.proto
 * (Shared).
 *
 * Limits   SL_SHM_PEER_MAX segments in each direction.
 * Errors   SL_EPROTO: the peer broke the rules; SL_ENOENT: it is gone. The door is of no use after
 *          both.
 * Threads  One. Nothing blocks.
 */
#ifndef SL_SHM_DOOR_H
#define SL_SHM_DOOR_H

#include "sl_shm_peer.h"
#include "sl_shm_pool.h"

struct sl_shm_door {
    int fd; /* -1: closed */
    uint32_t shown_count;
    uint32_t shown[SL_SHM_PEER_MAX]; /* numbers of our blocks that the peer knows */
};

/* Takes the socket. */
void sl_shm_door_init(struct sl_shm_door *d, int take_fd);
void sl_shm_door_finish(struct sl_shm_door *d); /* again is fine */
bool sl_shm_door_is_open(const struct sl_shm_door *d);

/* Makes the block known. Errors: SL_EAGAIN (not now: the socket is full, or as many blocks as there may
 * be), SL_ENOENT. */
SL_MUST_CHECK sl_status sl_shm_door_show(struct sl_shm_door *d, struct sl_shm_pool *pool,
                                         const struct sl_shm_block *block);
/* Tells of blocks that the pool has ended. Errors: SL_ENOENT. */
SL_MUST_CHECK sl_status sl_shm_door_sweep(struct sl_shm_door *d, struct sl_shm_pool *pool);
/* What the peer has shown and ended since. Errors: SL_EPROTO, SL_ENOENT, SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_shm_door_take_in(struct sl_shm_door *d, struct sl_shm_peer *theirs);
/* The bytes that a message names, also of a segment that was shown just now. Errors: SL_EPROTO (or it
 * was not shown), SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_shm_door_find(struct sl_shm_door *d, struct sl_shm_peer *theirs,
                                         const struct sl_shm_ref *ref, struct sl_span *out);

#endif
