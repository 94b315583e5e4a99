/* ex_starts.h - leases that have started and whose start the gateway has not been told yet.
 *
 * A short call has its result a moment after its start, and a result says that its lease had started.
 * So a start waits a moment: when the result comes first, one message is saved.
 *
 * Purity   No clock: instants are arguments.
 * Limits   EX_SLICES_MAX starts, which is one for each slice; calls that run together may be more.
 */
#ifndef EX_STARTS_H
#define EX_STARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_lease.h"
#include "sl_time.h"

struct ex_starts {
    uint64_t leases[EX_SLICES_MAX];
    size_t count;
    sl_mono_ns due_at; /* the first of them is told then; SL_MONO_NEVER: not set yet */
};

/* Also empties it. */
void ex_starts_init(struct ex_starts *s);
/* False: there is no room, tell it now. */
bool ex_starts_add(struct ex_starts *s, uint64_t lease);
/* The lease has ended: its start need not be told any more. Others are passed over. */
void ex_starts_drop(struct ex_starts *s, uint64_t lease);
/* Once in each turn, when all of the turn's starts are known: must they be told now? They may wait
 * patience_ns from the first such question on. */
bool ex_starts_are_due(struct ex_starts *s, sl_mono_ns now, int64_t patience_ns);

#endif
