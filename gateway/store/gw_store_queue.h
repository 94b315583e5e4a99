/* gw_store_queue.h - entries on their way from the flow to the store's thread, and their answers back.
 *
 * The flow fills batches without a lock and hands them over once a turn; the store's thread takes all that is
 * there, and gives the same batches back with their outcome; the flow reads the tickets out of them and uses
 * the memory again. So an entry is copied once, and costs no lock and no allocation of its own.
 *
 *   flow: put, flush --[inbox]--> store: take ... answer --[outbox]--> flow: collect, recycle
 *
 * Bound    batches_max batches of GW_STORE_BATCH_BYTES, wherever they are. What waits in the inbox is
 *          gathered in as few of them as it needs.
 * Threads  put, flush, collect, recycle, end: the flow's. take, answer: the store's.
 */
#ifndef GW_STORE_QUEUE_H
#define GW_STORE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

#include "gw_store_port.h"
#include "sl_alloc.h"

enum { GW_STORE_BATCH_BYTES = 65536 - 64 };

struct gw_store_entry {
    uint64_t ticket;
    uint32_t kind;
    uint32_t bytes_count;
    uint8_t bytes[];
};

struct gw_store_batch {
    struct gw_store_batch *next;
    sl_status outcome;
    uint32_t entry_count;
    size_t used_bytes;
    _Alignas(struct gw_store_entry) uint8_t bytes[GW_STORE_BATCH_BYTES];
};

struct gw_store_batches {
    struct gw_store_batch *head;
    struct gw_store_batch *tail;
};

struct gw_store_queue {
    const struct sl_alloc *alloc;
    size_t batches_max, batch_count; /* the flow's */
    struct gw_store_batches filling; /* the flow's */
    struct gw_store_batches unused;  /* the flow's */
    pthread_mutex_t lock;            /* guards the rest */
    pthread_cond_t is_there;         /* the inbox has something, or this is the end */
    struct gw_store_batches inbox, outbox;
    bool is_ending;
};

void gw_store_queue_init(struct gw_store_queue *q, const struct sl_alloc *alloc, size_t bytes_max);
/* Frees all batches that are in it. */
void gw_store_queue_finish(struct gw_store_queue *q);

/* Errors: SL_EFULL, SL_ENOMEM, SL_ETOOBIG. */
SL_MUST_CHECK sl_status gw_store_queue_put(struct gw_store_queue *q, enum gw_record_kind kind,
                                           struct sl_span bytes, uint64_t ticket);
bool gw_store_queue_flush(struct gw_store_queue *q); /* false: there was nothing */
struct gw_store_batches gw_store_queue_collect(struct gw_store_queue *q);
void gw_store_queue_recycle(struct gw_store_queue *q, struct gw_store_batch *b);
/* take no longer waits. */
void gw_store_queue_end(struct gw_store_queue *q);

/* All that was flushed; waits up to wait_ns while there is nothing (below 0: for ever). false: the end has
 * been called; there may be batches nevertheless. */
bool gw_store_queue_take(struct gw_store_queue *q, int64_t wait_ns, struct gw_store_batches *out);
/* Waits for that time, or the end, whatever comes meanwhile: it gathers in the inbox. */
void gw_store_queue_pause(struct gw_store_queue *q, int64_t wait_ns);
/* Gives the batches back to the flow. true: it has had nothing to collect before, so wake it. */
SL_MUST_CHECK bool gw_store_queue_answer(struct gw_store_queue *q, struct gw_store_batches *done,
                                         sl_status outcome);

/* ---- lists and entries */

void gw_store_batches_append(struct gw_store_batches *to, struct gw_store_batches *from);
struct gw_store_batch *gw_store_batches_pop(struct gw_store_batches *l);
/* *at begins at 0; NULL at the end. */
struct gw_store_entry *gw_store_batch_next(struct gw_store_batch *b, size_t *at);

#endif
