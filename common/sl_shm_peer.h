/* sl_shm_peer.h - the shared memory that a peer has shown us: mapped once, read-only, looked up by
 * what its messages name.
 *
 * The peer is not trusted: a segment is taken only when its size is sealed (it can never make this
 * process fault), every range is checked against the size that the kernel says, a use of a segment
 * can be named once, and the peer can show so many and no more. What it writes there may
 * change at any time: lengths and shapes come from messages, never from here.
 *
 * Errors   SL_EPROTO: the peer broke the rules; nothing has changed.
 * Threads  One; the bytes of a held segment may be read on any.
 * Memory   Maps end with forget or finish.
 */
#ifndef SL_SHM_PEER_H
#define SL_SHM_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_shm_ref.h"
#include "sl_span.h"
#include "sl_status.h"

enum { SL_SHM_PEER_MAX = 256 };

struct sl_shm_peer_item {
    uint32_t number; /* 0: free */
    uint32_t holds;
    uint64_t generation; /* of its last use */
    uint64_t bytes;
    void *map;
};

struct sl_shm_peer {
    uint32_t max;
    struct sl_shm_peer_item items[SL_SHM_PEER_MAX];
};

/* max: how many segments the peer may show, at most SL_SHM_PEER_MAX. */
void sl_shm_peer_init(struct sl_shm_peer *t, uint32_t max);
void sl_shm_peer_finish(struct sl_shm_peer *t);

/* Checks and maps a segment; closes fd in any case. Errors: SL_EPROTO (no memfd of a sealed size, an
 * empty one, its number is 0 or known), SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_shm_peer_add(struct sl_shm_peer *t, uint32_t number, int take_fd);
/* The peer has ended it. A number that is not known is fine. Errors: SL_EPROTO (it is held). */
SL_MUST_CHECK sl_status sl_shm_peer_forget(struct sl_shm_peer *t, uint32_t number);

/* The bytes. Errors: SL_ENOENT (no such segment), SL_EPROTO (beyond its end, or this use or a later
 * one has been named before). */
SL_MUST_CHECK sl_status sl_shm_peer_get(struct sl_shm_peer *t, const struct sl_shm_ref *ref,
                                        struct sl_span *out);
/* While a segment is held it stays mapped. */
void sl_shm_peer_hold(struct sl_shm_peer *t, uint32_t number);
bool sl_shm_peer_is_held(struct sl_shm_peer *t, uint32_t number);
void sl_shm_peer_unhold(struct sl_shm_peer *t, uint32_t number);

#endif
