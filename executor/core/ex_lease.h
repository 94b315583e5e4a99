/* ex_lease.h - the right of one process to one slice: who holds a slice, since when, until when.
 *
 * On a call's way:  ex_job (head of the slice's line) -> [grant] -> worker attached -> [start]
 *                   -> result -> [end]   or, overrun and cancelled: [take_back] -> worker gone -> [end]
 *
 * Purity   No I/O, no clock, no threads, no logging.
 * Units    Instants are sl_mono_ns, spans of slice time sl_gpu_us.
 * Threads  One.
 * Errors   "Not now" is SL_EAGAIN (the slice is held), "never" is SL_ENEVER (there is no such slice),
 *          SL_ESTALE names a lease that does not hold the slice, SL_EINVAL a move that the slice's
 *          state does not allow. On error nothing has changed.
 * Memory   One allocation, sized by the number of slices.
 *
 * A wide slice (ex_slice.h) is granted only when all its parts are free, and then none of them is until it is
 * free again: a slice that a lease covers looks FREE itself, and cannot be granted.
 *
 * A slice:  FREE --grant--> LEASED --start--> RUNNING --end--> FREE
 *                             |                  |
 *                             `--- take_back ----`--> RESETTING --end--> FREE
 *           (a lease that was never started may end from LEASED too)
 *
 * Invariants   A slice that is not FREE names exactly one lease; only RUNNING has an expiry. No two slices that
 *              are not FREE have a part in common, whatever is asked for.
 */
#ifndef EX_LEASE_H
#define EX_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_slice.h"
#include "sl_alloc.h"
#include "sl_status.h"
#include "sl_time.h"

enum ex_lease_state { EX_LEASE_FREE, EX_LEASE_LEASED, EX_LEASE_RUNNING, EX_LEASE_RESETTING };

/* What stands at one slice; a snapshot. */
struct ex_lease_view {
    enum ex_lease_state state;
    uint64_t lease;        /* 0 when FREE */
    sl_mono_ns started_at; /* of RUNNING, and of RESETTING when it had run; else 0 */
    sl_mono_ns expires_at; /* of RUNNING; else SL_MONO_NEVER */
};

struct ex_lease_table;

/* slice_count slices, numbered from 0, all FREE; parts[i] as in ex_slice.h, copied. Errors: SL_EINVAL (no slice,
 * more than there may be, parts that are no slices or wide ones), SL_ENOMEM. */
SL_MUST_CHECK sl_status ex_lease_create(const struct sl_alloc *alloc, const uint64_t *parts,
                                        size_t slice_count, struct ex_lease_table **out);
void ex_lease_destroy(struct ex_lease_table *t); /* NULL is fine */

/* Is the slice free, with all that it is made of, or that it is a part of? */
bool ex_lease_may_grant(const struct ex_lease_table *t, uint32_t slice);
/* FREE to LEASED; lease != 0. Errors: SL_EAGAIN, SL_ENEVER, SL_EINVAL (lease is 0). */
SL_MUST_CHECK sl_status ex_lease_grant(struct ex_lease_table *t, uint32_t slice, uint64_t lease);
/* LEASED to RUNNING, for at most limit > 0. Errors: SL_ENEVER, SL_ESTALE, SL_EINVAL. */
SL_MUST_CHECK sl_status ex_lease_start(struct ex_lease_table *t, uint32_t slice, uint64_t lease,
                                       sl_gpu_us limit, sl_mono_ns now);
/* RUNNING: what is left of the limit does not pass any more. Errors: as start. */
SL_MUST_CHECK sl_status ex_lease_stop_clock(struct ex_lease_table *t, uint32_t slice,
                                            uint64_t lease);
/* LEASED or RUNNING to RESETTING: the process is being ended. Errors: as start. */
SL_MUST_CHECK sl_status ex_lease_take_back(struct ex_lease_table *t, uint32_t slice,
                                           uint64_t lease);
/* Any state but FREE to FREE. *out_held: how long it ran, 0 when it was never started; a now before
 * the start counts as the start. Errors: SL_ENEVER, SL_ESTALE. */
SL_MUST_CHECK sl_status ex_lease_end(struct ex_lease_table *t, uint32_t slice, uint64_t lease,
                                     sl_mono_ns now, sl_gpu_us *out_held);

/* A slice that does not exist looks FREE. */
struct ex_lease_view ex_lease_look(const struct ex_lease_table *t, uint32_t slice);
/* The earliest expiry of all slices; SL_MONO_NEVER when none runs. */
sl_mono_ns ex_lease_next_expiry(const struct ex_lease_table *t);
/* Is a lease of this slice RUNNING at or past its expiry? */
bool ex_lease_is_expired(const struct ex_lease_table *t, uint32_t slice, sl_mono_ns now);
size_t ex_lease_count(const struct ex_lease_table *t, enum ex_lease_state state);

#endif
