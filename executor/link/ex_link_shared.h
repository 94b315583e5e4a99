/* ex_link_shared.h - payloads that lie in memory which this node and its gateway share: requests are read
 * from the gateway's, results are lent from ours until it is done with them.
 *
 * A result:  give (its blob is held) -> [Result] -> gateway -> [shared_done] -> done (let go)
 *
 * A request: begin (its memory is held) -> step, step, ... -> over: the gateway is told. A step copies a bounded
 * number of bytes, so that a heartbeat or a cancel never waits for a whole tensor.
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

/* A request that is being copied. */
struct ex_link_request {
    struct ex_link_request *prev, *next;
    uint64_t lease;
    struct sl_shm_ref use;
    struct sl_span bytes;
    size_t done_bytes;
};

struct ex_link_shared {
    const struct sl_alloc *alloc; /* borrowed */
    struct sl_shm_pool *pool;     /* of results; borrowed; NULL: nothing is given */
    struct sl_shm_door door;
    struct sl_shm_peer theirs;
    struct ex_link_lent *lent;
    struct ex_link_request *requests; /* the next one first */
};

/* Closed. */
void ex_link_shared_init(struct ex_link_shared *s, const struct sl_alloc *alloc,
                         struct sl_shm_pool *pool);
/* Goes to the gateway's socket and says the session. Without one payloads go by bulk. */
void ex_link_shared_open(struct ex_link_shared *s, const char *path, uint64_t session);
void ex_link_shared_close(struct ex_link_shared *s);

/* The payload of a call, to be copied from now on. Errors: SL_EPROTO, SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_link_shared_begin(struct ex_link_shared *s, uint64_t lease,
                                             const struct sl_shm_ref *ref);
/* What of a request is next, at most max_bytes, which counts as copied. */
struct sl_span ex_link_shared_step(struct ex_link_request *r, size_t max_bytes);
/* The others come first. */
void ex_link_shared_to_end(struct ex_link_shared *s, struct ex_link_request *r);
/* Nothing of it is read any more. */
void ex_link_shared_end(struct ex_link_shared *s, struct ex_link_request *r);
/* True: the outputs lie in one block that the gateway knows now, and *out names them; it is lent. */
bool ex_link_shared_give(struct ex_link_shared *s, const struct ex_outcome *outcome,
                         struct sl_shm_ref *out);
/* The gateway needs it no more. False: it was not lent. */
bool ex_link_shared_done(struct ex_link_shared *s, const struct sl_shm_ref *use);
/* Now and then: tells and hears which memory has ended. */
void ex_link_shared_tick(struct ex_link_shared *s);

#endif
