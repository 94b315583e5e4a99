/* sim_replay.h - a day that was: the calls of `sluice receipts --everybody --json`, to be played once more.
 *
 * Each receipt is a call again: it comes when its call came (its end, less how long it ran and waited), for the same
 * account, tier, model and size, declares what it declared and runs as long as it ran. What never ran is given the mean
 * of its model's others (a second where there is none). Calls that were refused left no receipt, and are not there.
 * Groups are the receipts' tiers; orphans are left out.
 *
 * Memory   Calls, rows and names belong to the replay, which must outlive scenarios that it was laid over.
 * Errors   SL_EINVAL with a sentence in why, SL_ENOMEM.
 */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include "sim_scenario.h"
#include "sl_reason.h"

enum { SIM_REPLAY_CALLS_MAX = 20000000 };

struct sim_past_call {
    int64_t at_us; /* since the midnight (UTC) before the first */
    uint32_t group, model;
    uint64_t visitor;
    int64_t run_us, declared_us;
    const char *size;
};

struct sim_replay;

SL_MUST_CHECK sl_status sim_replay_load(const char *path, struct sim_replay **out,
                                        struct sl_error *why);
void sim_replay_destroy(struct sim_replay *r); /* NULL is fine */

/* The calls in the order in which they came. */
const struct sim_past_call *sim_replay_calls(const struct sim_replay *r, size_t *count);
/* The scenario's models, visitors and length become those of the day that was. */
void sim_replay_lay_over(const struct sim_replay *r, struct sim_scenario *s);

#endif
