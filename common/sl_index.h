/* sl_index.h - finds objects by a hash of their keys: open addressing over an array of fixed size. Pure.
 *
 * The objects are their owner's. A key that strangers choose wants a hash under a seed (sl_hash.h).
 *
 * Cost     O(1), and a look at no object but those of the same hash; 22 to 43 bytes for each object that
 *          there may be.
 * Errors   Only init can fail.
 */
#ifndef SL_INDEX_H
#define SL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"

struct sl_index_place {
    void *object; /* NULL: free */
    uint32_t hash;
};

struct sl_index {
    const struct sl_alloc *alloc;
    bool (*is)(const void *object, const void *key);
    struct sl_index_place *places; /* each object in its hash's place, or the next that was free */
    size_t mask;
};

/* For up to max_count objects at once, which the owner sees to. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_index_init(struct sl_index *ix, const struct sl_alloc *alloc,
                                      size_t max_count,
                                      bool (*is)(const void *object, const void *key));
void sl_index_finish(struct sl_index *ix); /* a zeroed one is fine */

/* The object with that key, whose hash is this; NULL when there is none. */
void *sl_index_find(const struct sl_index *ix, uint32_t hash, const void *key);
void sl_index_add(struct sl_index *ix, uint32_t hash, void *object);          /* is not in it */
void sl_index_remove(struct sl_index *ix, uint32_t hash, const void *object); /* is in it */

#endif
