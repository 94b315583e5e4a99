/* ex_journal.h - the leases that held a slice, written down in memory that outlives the process, until
 * the gateway has acknowledged them.
 *
 * On a call's way:  ex_jobs: [began] -> run -> [ended] -> Result with the record's number, or Ended
 *                   -> gateway: receipt -> [acknowledge]
 *
 * The memory is the caller's: a map of a file (ex_journal_file.h), or of nothing that lasts. It is
 * written with plain stores, each record's number last: the kernel keeps what a killed process had
 * stored, so at every instant each record is there whole or not at all, and with it the sum of all
 * lease time, which the last record carries. A lease that was open when the process died is ended by
 * the next one, with the time from its start to when the process was last awake.
 *
 * Purity   No I/O, no clock: instants are given. `now` is that of the last ex_journal_tick.
 * Units    held: microseconds of one slice.
 * Threads  One.
 * Errors   ex_journal_create; the others cannot fail, because has_room is asked before.
 * Memory   One allocation: some 32 bytes for each place.
 * Cost     began, ended, told, acknowledge: O(1), no allocation. Places are used again last freed
 *          first, so that few pages are touched.
 *
 * A record's number is its serial, from 1 and counting, times 2^16, plus its place. A journal's id and
 * a serial are used for one lease ever.
 *
 * A record:  (none) --ended--> UNTOLD --told--> TOLD --acknowledge--> (free)
 *                                ^               |
 *                                `-- tell_again -`      a new session with a gateway
 *
 * Invariants (ex_journal_check)
 *   J1  the last record's total is the sum of all held times, ever
 *   J2  records that are not acknowledged are listed, oldest first, as many as count says
 *   J3  a place is listed, free, or that of the last record
 */
#ifndef EX_JOURNAL_H
#define EX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_lease.h"
#include "ex_model.h"
#include "sl_alloc.h"
#include "sl_reason.h"
#include "sl_status.h"
#include "sl_time.h"

enum {
    EX_JOURNAL_MAX = 60000,       /* the most records that may wait */
    EX_JOURNAL_SPAN_MAX = 200000, /* from the oldest that waits to the newest, in serials */
    EX_JOURNAL_PLACE_BITS = 16,
    EX_JOURNAL_CAUSE_MAX = 31,
};

/* A lease; 256 bytes, so that none lies across pages. Instants of the wall clock. */
struct ex_journal_entry {
    uint64_t record;      /* its number; 0: none */
    uint64_t gateway_run; /* of the gateway that gave it */
    uint64_t lease;       /* as the gateway named it; 0: none */
    sl_gpu_us held_us;
    sl_gpu_us total_us; /* held by all up to this one */
    sl_mono_ns started_mono;
    sl_wall_us started_at, ended_at;
    uint8_t call_id[16]; /* UUID; zeros when it had none */
    uint32_t slice;
    uint32_t is_acknowledged;
    char cause[EX_JOURNAL_CAUSE_MAX + 1]; /* a reason's name */
    char model[EX_NAME_MAX + 1];
    uint8_t reserved[8];
};

struct ex_journal_conf {
    uint32_t max;      /* records that may wait; 1 to EX_JOURNAL_MAX */
    uint64_t fresh_id; /* of the journal, if it is new or of an earlier boot; random, never 0 */
    uint64_t boot;     /* of the machine: another one, and what was not written back is lost */
};

struct ex_journal;

/* What a map for max records needs at least. More is used. */
size_t ex_journal_bytes(uint32_t max);
/* All zeros at map: a new journal. Else the one that is there is taken up: open leases are ended, with
 * cause EXECUTOR_LOST. After another boot what waits is passed over (ex_journal_totals says how much),
 * because nobody knows which serials were used after it. map is borrowed, aligned as by mmap.
 * Errors: SL_EINVAL (conf, or bytes too few), SL_EPROTO (no journal of this version), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_journal_create(const struct sl_alloc *alloc, void *map, size_t bytes,
                                          const struct ex_journal_conf *conf,
                                          struct ex_journal **out);
void ex_journal_destroy(struct ex_journal *j); /* NULL is fine; the map stays as it is */

/* Once in each turn: the process is awake. */
void ex_journal_tick(struct ex_journal *j, sl_mono_ns now, sl_wall_us wall);

/* ---- leases */

/* Is there room for one more lease, beside so many calls that may still hold a slice? */
bool ex_journal_has_room(const struct ex_journal *j, uint64_t open_count);

struct ex_journal_start {
    uint32_t slice; /* < EX_SLICES_MAX */
    uint64_t gateway_run;
    uint64_t lease;
    const char *call_id; /* text; what is no UUID is left out */
    const char *model;
    sl_mono_ns at;
};
void ex_journal_began(struct ex_journal *j, const struct ex_journal_start *start);
/* Its worker died before the call began: it will begin anew. */
void ex_journal_undone(struct ex_journal *j, uint32_t slice);
/* Returns the record's number; 0 when no lease had begun on that slice. */
uint64_t ex_journal_ended(struct ex_journal *j, uint32_t slice, sl_gpu_us held_us,
                          enum sl_reason cause);

/* ---- the gateway */

/* A new session: everything that waits is to be told. */
void ex_journal_tell_again(struct ex_journal *j);
/* The oldest that is not told; NULL: none. Stays where it is until it is acknowledged. */
const struct ex_journal_entry *ex_journal_next_untold(struct ex_journal *j);
void ex_journal_told(struct ex_journal *j, uint64_t record);
/* false: no such record waits. */
bool ex_journal_acknowledge(struct ex_journal *j, uint64_t record);

/* ---- looking */

struct ex_journal_totals {
    uint64_t id;
    uint64_t leases; /* ended, ever */
    sl_gpu_us held_us;
    uint32_t unacknowledged;
    uint32_t passed_over; /* by create */
    uint32_t ended_open;  /* by create */
};
struct ex_journal_totals ex_journal_totals(const struct ex_journal *j);
/* The same of a map that perhaps another process writes now. Errors: SL_EPROTO. */
SL_MUST_CHECK sl_status ex_journal_read(const void *map, size_t bytes,
                                        struct ex_journal_totals *out);
/* SL_OK, or SL_EBROKEN when one of J1-J3 fails: for tests. */
SL_MUST_CHECK sl_status ex_journal_check(const struct ex_journal *j);

#endif
