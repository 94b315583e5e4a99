/* gw_marks.h - which leases of which executors are accounted for: each is, once.
 *
 * An executor numbers the leases that end there (its journal), and reports what was not acknowledged
 * again: after a lost connection, to this gateway or to the next run of it. A mark stands for one
 * journal: a window over the newest GW_MARKS_SPAN serials, with one bit for each. What is older was
 * acknowledged long ago, because an executor takes no call that would reach so far.
 *
 * Purity   No I/O, no clock, no threads.
 * Memory   Some 32 KiB for each journal, at most max_count of them. Beyond that the one that has been
 *          left longest is forgotten.
 * Errors   All-or-nothing.
 */
#ifndef GW_MARKS_H
#define GW_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"

enum { GW_MARKS_SPAN = 1 << 18, GW_MARKS_PLACE_BITS = 16 };

struct gw_marks;
struct gw_mark;

/* max_count > 0. Errors: SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_marks_create(const struct sl_alloc *alloc, size_t max_count,
                                        struct gw_marks **out);
void gw_marks_destroy(struct gw_marks *m); /* NULL is fine */

/* The mark of the journal, for one user at a time: a connected node. Errors: SL_EFULL (max_count are
 * in use), SL_EEXIST (this one is), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_marks_join(struct gw_marks *m, uint64_t journal, struct gw_mark **out);
void gw_marks_leave(struct gw_marks *m, struct gw_mark *mark); /* NULL is fine */

/* A receipt of that lease is there: for a gateway that reads its receipts when it starts. Errors: SL_EFULL,
 * SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_marks_note(struct gw_marks *m, uint64_t journal, uint64_t record);

uint64_t gw_mark_journal(const struct gw_mark *mark);
/* A record's number is a serial times 2^16 and a place. true: it is the first time. */
SL_MUST_CHECK bool gw_mark_take(struct gw_mark *mark, uint64_t record);
/* As if it had not been taken; what is too old stays so. */
void gw_mark_give_back(struct gw_mark *mark, uint64_t record);

#endif
