/* ex_hold.h - holds the node's threads, and the worker that serves, to the processor that a call asks for.
 *
 * The gateway on the same host asks for it (sluice.node.v1 Dispatch.cpu_hint) while short calls come one
 * by one, and finds out whether it pays; the node does as it is told. The first call that does not ask
 * lets all go, and so does a while without any.
 *
 * Purity   System calls, by sl_hold.
 * Threads  One: the loop's.
 * Errors   A processor that the node may not use is not taken, and the call is served where it was.
 */
#ifndef EX_HOLD_H
#define EX_HOLD_H

#include "ex_pool.h"
#include "sl_hold.h"

/* Zeroed: never holds. */
struct ex_hold {
    bool is_on;
    uint32_t cpu_hint; /* of the calls now; 0: none */
    struct sl_hold own;
    sl_mono_ns asked_at; /* last */
};

/* A call has come; before it is given to a worker. On the thread that created the link. */
void ex_hold_call(struct ex_hold *h, struct ex_pool *pool, uint32_t cpu_hint, sl_mono_ns now);
/* Now and then. */
void ex_hold_tick(struct ex_hold *h, struct ex_pool *pool, sl_mono_ns now);

#endif
