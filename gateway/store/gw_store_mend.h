/* gw_store_mend.h - after a failed sync: the store is copied to a new file, the copy is verified, and takes
 * the old one's place.
 *
 * Why      When a sync fails, the kernel may drop what it could not write and report success from then on:
 *          syncing again proves nothing. A new file that was synced well does.
 * Steps    PATH is copied to PATH-copy and verified there (integrity_check, as many entries, the last one
 *          that was stored); renamed to PATH-swap: from here on the copy is the store; PATH-wal and PATH-shm
 *          are removed; PATH-swap becomes PATH. Whoever opens the store after a crash in between removes a
 *          PATH-copy and finishes with a PATH-swap.
 */
#ifndef GW_STORE_MEND_H
#define GW_STORE_MEND_H

#include "gw_store_db.h"

/* Makes ready for another try, as db->fault asks for. Errors: SL_EIO: db->fault and db->why say what is in the
 * way; nothing was lost, and it may be tried again later. */
SL_MUST_CHECK sl_status gw_store_recover(struct gw_store_db *db);
/* Before the file is opened: what a crash has left. Errors: SL_EIO. */
SL_MUST_CHECK sl_status gw_store_mend_finish(const char *path, struct sl_error *err);

#endif
