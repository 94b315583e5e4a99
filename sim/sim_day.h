/* sim_day.h - a whole day of traffic in a minute: the gateway's real core and flow between invented visitors and
 * invented nodes, on a virtual clock.
 *
 * Everything that happens is an event with an instant; the day takes the earliest, tells the flow, and lets the flow
 * have its turn: a step. The same scenario and seed give the same day, to the last outcome.
 *
 * Checked   After every step what can be checked in constant time: one reply for an exchange, nobody lost, a slice
 *           runs one call, no slice is given to a model that its node does not have. Every SIM_FULL_CHECK_STEPS
 *           steps and at the end (with `is_paranoid` after every step) the invariants of flow, fleet and ledger in
 *           full. At the end: each call ended exactly once, nothing is left, receipts are what slices were held.
 * Threads   One. Memory: grows with open calls, visitors and accounts.
 */
#ifndef SIM_DAY_H
#define SIM_DAY_H

#include "sim_result.h"

enum { SIM_FULL_CHECK_STEPS = 10000 };

/* A call, as who watches sees it. */
struct sim_sight {
    uint64_t number; /* from 1, in the order in which calls come */
    uint32_t group, model;
    uint16_t tier;
    uint64_t visitor;
    sl_mono_ns arrived_at;
    int64_t declared_us;
    int64_t used_us, limit_us; /* of its visitor's time, spent and held, before this call */
};

/* Is told what happens while it happens, for tests of order; each may be NULL. */
struct sim_watch {
    void *ctx;
    void (*came)(void *ctx, const struct sim_sight *c);
    /* It is sent to its slice. */
    void (*sent)(void *ctx, const struct sim_sight *c, sl_mono_ns now);
    /* It has had so many slices; after `sent`, if it began there. */
    void (*ran)(void *ctx, const struct sim_sight *c, sl_mono_ns from, sl_mono_ns until,
                size_t width);
    void (*ended)(void *ctx, const struct sim_sight *c, enum sl_reason reason, sl_mono_ns now);
};

struct sim_day_options {
    uint64_t seed;
    bool is_paranoid;
    uint64_t max_calls;            /* 0: as many as come */
    const struct sim_watch *watch; /* NULL: nobody */
};

/* Errors: SL_ENOMEM, SL_EINVAL (the gateway does not take the configuration). A broken invariant is no error: the day
 * ends there, and out->wrong says it. End with sim_result_finish; not after an error. */
SL_MUST_CHECK sl_status sim_day_run(const struct sim_scenario *s, const struct sim_day_options *o,
                                    struct sim_result *out);

#endif
