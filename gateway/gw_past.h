/* gw_past.h - what the store tells at the start, to those who go on with it: accounts and blocks to the ledger, leases
 * that have their receipts, calls with idempotency keys and learned durations to the flow, tokens and apps to who asks for names.
 *
 * Threads  One: the root's, before the first call.
 */
#ifndef GW_PAST_H
#define GW_PAST_H

#include "gw_auth.h"
#include "gw_flow.h"
#include "gw_store_load.h"

struct gw_past {
    struct gw_flow *flow;
    struct gw_auth *auth;
    sl_wall_us now;
    sl_mono_ns mono;         /* the same instant */
    int64_t results_keep_ns; /* calls with keys are told that ended within it */
    uint64_t told, refused;  /* things; a refused one is logged */
};

/* p is borrowed. */
struct gw_store_loader gw_past_loader(struct gw_past *p);

#endif
