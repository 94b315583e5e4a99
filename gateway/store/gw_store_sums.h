/* gw_store_sums.h - what a piece of the log adds to the tables, gathered in memory and then written: a row for each
 * key, not for each receipt.
 *
 *   clear > add, add ... (full: the piece ends here) > write
 *
 * Order    Sums commute, windows do not: those of one account are written in the order in which they came. Before
 *          anything else that changes accounts (a grant), gw_store_sums_write_accounts writes what is
 *          gathered so far.
 * Memory   Allocated once, some 460 KiB. Names are copied, and a piece ends when they need too much room.
 * Threads  One at a time.
 */
#ifndef GW_STORE_SUMS_H
#define GW_STORE_SUMS_H

#include "gw_receipt.h"
#include "gw_record.h"
#include "gw_store_db.h"

/* Entries of the log that a piece has at most. */
enum { GW_STORE_PIECE_MAX = 1024 };

struct gw_store_sums;

/* NULL: no memory. */
struct gw_store_sums *gw_store_sums_create(const struct sl_alloc *alloc);
void gw_store_sums_destroy(struct gw_store_sums *sums); /* NULL is fine */
void gw_store_sums_clear(struct gw_store_sums *sums);

/* false: full, and nothing was added. */
bool gw_store_sums_add_receipt(struct gw_store_sums *sums, uint64_t store_id, int64_t n,
                               const struct gw_receipt *r);
bool gw_store_sums_add_window(struct gw_store_sums *sums, const struct gw_record_window *w);

/* Into the tables, in db's transaction; what was written is gathered no more. A status of SQLite. */
SL_MUST_CHECK int gw_store_sums_write_accounts(struct gw_store_sums *sums, struct gw_store_db *db);
SL_MUST_CHECK int gw_store_sums_write(struct gw_store_sums *sums, struct gw_store_db *db);

/* The week of usage that an instant belongs to, and its Monday. */
int64_t gw_store_week_of(sl_wall_us at);
sl_wall_us gw_store_week_at(int64_t week);

#endif
