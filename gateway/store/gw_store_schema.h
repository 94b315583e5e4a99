/* gw_store_schema.h - the store's tables as SQL, and the steps from one version of them to the next.
 *
 * A file says by application_id that it is a store, and by user_version how far its steps have been taken.
 * One of a later version is refused: what a newer Sluice wrote there must not be lost by an older one.
 */
#ifndef GW_STORE_SCHEMA_H
#define GW_STORE_SCHEMA_H

#include <sqlite3.h>

#include "sl_reason.h"
#include "sl_status.h"

enum { GW_STORE_APPLICATION_ID = 0x536c7563 }; /* "Sluc" */

/* The version that this program writes. */
int gw_store_schema_version(void);
/* Brings the file to that version, each step in a transaction of its own. Errors: SL_ENEVER (a later version,
 * or no store at all), SL_EIO; with a sentence that names path. */
SL_MUST_CHECK sl_status gw_store_schema_prepare(sqlite3 *db, const char *path,
                                                struct sl_error *err);

#endif
