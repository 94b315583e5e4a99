/* ex_link_shared.h - payloads that lie in memory which this node and its gateway share: requests are read
 * from the gateway's, results are lent from ours until it is done with them.
 *
 * A result:  give (its blob is held) -> [Result] -> gateway -> [shared_done] -> done (let go)
 *
 * A gateway that is lost before may still read what it was lent: those blocks are never used again.
 *
 * Errors   What the gateway names is checked; what cannot be used is an error, never a fault.
 * Threads  One.
 */
#ifndef EX_LINK_SHARED_H
#define EX_LINK_SHARED_H

#include <stdbool.h>

#include "ex_call.h"
#include "sl_alloc.h"
#include "sl_shm_door.h"

struct ex_link_lent;

struct ex_link_shared {
    const struct sl_alloc *alloc; /* borrowed */
    struct sl_shm_pool *pool;     /* of results; borrowed; NULL: nothing is given */
    struct sl_shm_door door;
    struct sl_shm_peer theirs;
    struct ex_link_lent *lent;
};

/* Closed. */
void ex_link_shared_init(struct ex_link_shared *s, const struct sl_alloc *alloc,
                         struct sl_shm_pool *pool);
/* Goes to the gateway's socket and says the session. Without one payloads go by bulk. */
void ex_link_shared_open(struct ex_link_shared *s, const char *path, uint64_t session);
void ex_link_shared_close(struct ex_link_shared *s);

/* The payload of a call. Errors: SL_EPROTO, SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_link_shared_find(struct ex_link_shared *s, const struct sl_shm_ref *ref,
                                            struct sl_span *out);
/* True: the outputs lie in one block that the gateway knows now, and *out names them; it is lent. */
bool ex_link_shared_give(struct ex_link_shared *s, const struct ex_outcome *outcome,
                         struct sl_shm_ref *out);
/* The gateway needs it no more. False: it was not lent. */
bool ex_link_shared_done(struct ex_link_shared *s, const struct sl_shm_ref *use);
/* Now and then: tells and hears which memory has ended. */
void ex_link_shared_tick(struct ex_link_shared *s);

#endif
