/* sl_slot.h - a table of objects that are addressed by generation-checked ids.
 *
 * An id is a plain value that may cross threads, processes and time: one whose object is gone is
 * refused, never followed. Id 0 is never issued. Objects have a fixed size, are zeroed when taken,
 * and never move.
 *
 * Cost     take, get, put: O(1). Memory grows by chunks up to max_count objects, and stays.
 * Threads  One thread.
 */
#ifndef SL_SLOT_H
#define SL_SLOT_H

#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"

typedef uint64_t sl_slot_id; /* generation << 32 | index + 1 */

struct sl_slot_table;

/* Errors: SL_EINVAL (object_bytes or max_count is 0, max_count >= 2^32 - 1), SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_slot_create(const struct sl_alloc *alloc, size_t object_bytes,
                                       size_t max_count, struct sl_slot_table **out);
/* NULL is fine. Objects still taken are dropped without a word. */
void sl_slot_destroy(struct sl_slot_table *t);

/* A zeroed object and its id. Errors: SL_EFULL, SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_slot_take(struct sl_slot_table *t, sl_slot_id *out_id,
                                     void **out_object);
/* NULL when the id was never issued or its object was put back. */
void *sl_slot_get(const struct sl_slot_table *t, sl_slot_id id);
/* Ends the id. Errors: SL_ESTALE. */
SL_MUST_CHECK sl_status sl_slot_put(struct sl_slot_table *t, sl_slot_id id);

size_t sl_slot_count(const struct sl_slot_table *t); /* objects taken */
/* Walks the objects taken in index order: *cursor starts at 0; NULL at the end. out_id may be NULL.
 * The object returned may be put back during the walk. */
void *sl_slot_next(const struct sl_slot_table *t, size_t *cursor, sl_slot_id *out_id);

#endif
