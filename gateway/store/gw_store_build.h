/* gw_store_build.h - the tables that answer questions, built behind the log; and history that has grown old.
 *
 * Each call does a bounded piece of work in one transaction, so that a commit of new entries never waits
 * long. The tables and how far they are built change together: an entry counts exactly once, whatever
 * happens in between.
 */
#ifndef GW_STORE_BUILD_H
#define GW_STORE_BUILD_H

#include "gw_store_db.h"

/* Entries of the log that are not in the tables yet. */
static inline int64_t gw_store_lag(const struct gw_store_db *db)
{
    return db->last_n - db->built_n;
}

/* Up to entries_max further entries, and up to GW_STORE_PIECE_MAX. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_build(struct gw_store_db *db, int entries_max);

/* Forgets receipts that ended before `before`, up to rows_max of one chapter, with their entries of the log.
 * When there is none left: accounts whose window opened before, and who used what in weeks that ended
 * before; what apps used is kept. *out_more: there is more to forget. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_forget(struct gw_store_db *db, sl_wall_us before, int rows_max,
                                        bool *out_more);

#endif
