/* gw_store_mark.h - a small file beside the store, by which a gateway knows that it is the only one there,
 * and how far the log had been stored: a log that is shorter has lost something.
 *
 * The number is written after each commit, not synced: it survives processes, and of a loss of power it
 * can say too little, never too much with `store.sync: full`.
 */
#ifndef GW_STORE_MARK_H
#define GW_STORE_MARK_H

#include <stdint.h>

#include "sl_reason.h"
#include "sl_status.h"

struct gw_store_mark {
    int fd;           /* -1: not open */
    uint64_t id;      /* of the store that it belongs to */
    int64_t stored_n; /* 0: nothing known */
};

/* Opens or makes PATH-mark and locks it. Errors: SL_EEXIST (another process has it), SL_EIO; with a sentence. */
SL_MUST_CHECK sl_status gw_store_mark_open(struct gw_store_mark *m, const char *store_path,
                                           struct sl_error *err);
void gw_store_mark_close(struct gw_store_mark *m);
/* Errors: SL_EIO: the mark stays where it was. */
SL_MUST_CHECK sl_status gw_store_mark_set(struct gw_store_mark *m, uint64_t id, int64_t stored_n);

#endif
