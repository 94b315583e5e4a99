/* ex_link_bulk.h - payloads too large for a batch: results on their way out under the gateway's
 * window, and pieces of inputs that came before their call.
 *
 * Out      Chunks of at most EX_BULK_CHUNK_MAX, in order, one result after the other. Large outputs
 *          leave by reference (a blob is held until ZeroMQ has sent them); small neighbours are
 *          gathered into one chunk, so that a result is never crumbs.
 * Early    Control and bulk are two connections: a piece may overtake its call. It waits, and is not
 *          acknowledged, so the gateway's window bounds it; one whose call does not come is dropped.
 *
 * Threads  One; blobs may end on ZeroMQ's thread.
 */
#ifndef EX_LINK_BULK_H
#define EX_LINK_BULK_H

#include <zmq.h>

#include "ex_link_wire.h"
#include "sl_alloc.h"
#include "sl_time.h"

enum { EX_BULK_CHUNK_MAX = 1 << 20, EX_BULK_EARLY_MAX = 4096 };

/* ---- out */

struct ex_bulk_item;

struct ex_bulk_out {
    const struct sl_alloc *alloc; /* also used on ZeroMQ's thread */
    struct ex_bulk_item *items;
    uint64_t window_bytes;
    uint64_t sent_bytes;
    uint64_t acked_bytes;
};

/* Queues the outputs' bytes; holds their blobs, copies what has none. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_bulk_out_add(struct ex_bulk_out *o, uint64_t lease,
                                        const struct ex_outcome *outcome);
/* Sends what window and socket take now. */
void ex_bulk_out_send(struct ex_bulk_out *o, void *socket, uint64_t session);
/* Of all bytes ever sent; what cannot be true is ignored. */
void ex_bulk_out_ack(struct ex_bulk_out *o, uint64_t taken_bytes);
void ex_bulk_out_clear(struct ex_bulk_out *o);

/* ---- early */

struct ex_bulk_piece {
    const struct sl_alloc *alloc;
    struct ex_bulk_piece *prev, *next;
    struct ex_bulk_header header;
    sl_mono_ns drop_at;
    zmq_msg_t bytes;
};

struct ex_bulk_early {
    const struct sl_alloc *alloc;
    struct ex_bulk_piece *pieces; /* in the order of arrival */
    size_t count;
};

/* Takes the message over. False: no room; it is the caller's still. */
bool ex_bulk_early_keep(struct ex_bulk_early *e, const struct ex_bulk_header *header,
                        zmq_msg_t *give_bytes, sl_mono_ns drop_at);
/* The oldest piece of that lease, or (lease 0) the oldest that is to be dropped at now; NULL: none.
 * Taken out; end it with ex_bulk_piece_free. */
struct ex_bulk_piece *ex_bulk_early_take(struct ex_bulk_early *e, uint64_t lease, sl_mono_ns now);
void ex_bulk_piece_free(struct ex_bulk_piece *p);
void ex_bulk_early_clear(struct ex_bulk_early *e);

#endif
