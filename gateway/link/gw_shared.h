/* gw_shared.h - payloads in memory that the gateway shares with executors of this host: a request
 * is lent to its node where it was received, a result is sent to its visitor from the node's memory.
 *
 * A request:  lend (its body is held) -> [Dispatch] -> node -> [shared_done] -> returned (let go)
 * A result:   [Result] -> take (its segment is held) -> reply -> released, on any thread
 *             -> the next flush -> [shared_done] -> node
 *
 * A node connects to the socket beside the ipc:// endpoint after its welcome, must belong to our user
 * or root, and says its session first. A node that is lost may still read what it was lent: those
 * blocks are never used again. Replies from its memory go on to their end.
 *
 * Limits   SL_SHM_PEER_MAX segments in each direction; SHARED_GUESTS_MAX connections that have not
 *          said their session.
 * Errors   A node that breaks the rules (sl_shm_peer.h, node.proto) is lost; bad_segments counts it.
 * Threads  The link's; what a released result leaves behind is locked.
 */
#ifndef GW_SHARED_H
#define GW_SHARED_H

#include "gw_flow.h"
#include "sl_shm_door.h"

enum { GW_SHARED_GUESTS_MAX = 8, GW_SHARED_PATH_MAX = 108 };

/* The socket where nodes come. */
struct gw_shared_gate {
    int listener; /* -1: no shared memory */
    char path[GW_SHARED_PATH_MAX];
    int guests[GW_SHARED_GUESTS_MAX]; /* which have not said who they are */
    size_t guest_count;
};

/* Opens it beside an ipc:// endpoint of a path; else, or when that fails, stays closed. */
void gw_shared_gate_open(struct gw_shared_gate *g, const char *endpoint);
void gw_shared_gate_close(struct gw_shared_gate *g);
/* The next connection that has said its session. false: there is none now. Each that was sent away
 * adds to *bad. */
bool gw_shared_gate_next(struct gw_shared_gate *g, uint64_t *out_session, int *out_fd,
                         unsigned *bad);

struct gw_shared; /* one node's */

/* Takes fd. alloc is borrowed, and used on any thread; pool: of bodies; borrowed. NULL: no memory; fd is
 * closed. */
struct gw_shared *gw_shared_create(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                   int take_fd);
void gw_shared_destroy(struct gw_shared *s); /* NULL is fine */

/* true: the node has been shown the body's block and *out names the part of it, which is lent. */
bool gw_shared_lend(struct gw_shared *s, struct gw_body *body, size_t offset, size_t length,
                    struct sl_shm_ref *out);
/* The node needs it no more. false: it was not lent. */
bool gw_shared_returned(struct gw_shared *s, const struct sl_shm_ref *use);

/* A result's payload; what *out_release releases must be released once, on any thread. The bytes stay
 * readable until then. Errors: SL_EPROTO, SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_shared_take(struct gw_shared *s, const struct sl_shm_ref *ref,
                                       struct sl_span **out_bytes, void **out_release_ctx);
void gw_shared_release(void *release_ctx);
/* Uses that were released: each is said to the node once. false: there is none. */
bool gw_shared_has_done(struct gw_shared *s);
bool gw_shared_next_done(struct gw_shared *s, struct sl_shm_ref *out);

/* Now and then: tells and hears which memory has ended. Errors: SL_EPROTO, SL_ENOENT. */
SL_MUST_CHECK sl_status gw_shared_tick(struct gw_shared *s);

#endif
