/* gw_names.h - calls by the id that their callers know: a UUID, which callers may choose, so that several calls may
 * have the same. Pure.
 *
 * Cost     add, remove: O(1). find, next: O(1) on average, and O(calls of that id) for those who share one.
 * Memory   A name lies in its owner's object; the table is one block, allocated once: a pointer for each of
 *          max_count names, rounded up to a power of two.
 * Threads  One.
 */
#ifndef GW_NAMES_H
#define GW_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_hash.h"
#include "sl_status.h"

enum { GW_NAME_BYTES = 16 };

struct gw_name {
    struct gw_name *next, **link; /* link NULL: it is in no table */
    uint8_t id[GW_NAME_BYTES];
};

struct gw_names {
    const struct sl_alloc *alloc;
    struct gw_name **buckets;
    size_t mask;
    struct sl_hash_seed seed; /* callers choose ids, and should not know where they fall */
};

/* Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_names_init(struct gw_names *n, const struct sl_alloc *alloc,
                                      size_t max_count, struct sl_hash_seed seed);
void gw_names_finish(struct gw_names *n); /* one that was never begun, all zeros, is fine */

void gw_names_add(struct gw_names *n, struct gw_name *name, const uint8_t id[GW_NAME_BYTES]);
void gw_names_remove(struct gw_name *name); /* one that is in no table: nothing */
/* The newest of that id, and then the one before it; NULL: there is none. */
struct gw_name *gw_names_find(const struct gw_names *n, const uint8_t id[GW_NAME_BYTES]);
struct gw_name *gw_names_next(const struct gw_name *name);

#endif
