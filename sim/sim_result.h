/* sim_result.h - what came of a simulated day: counts, times, and how they went over the day. Data, and the few sums
 * that reports share.
 *
 * Measured   Calls that came within the scenario's measure.from and measure.until, and slice time within these.
 * Units      Microseconds; slice time is that of slices really held, of each of those that a call has at once.
 */
#ifndef SIM_RESULT_H
#define SIM_RESULT_H

#include "gw_tier.h"
#include "sim_histogram.h"
#include "sim_scenario.h"
#include "sl_reason.h"

enum { SIM_BUCKETS = 96, SIM_CLASSES = 6, SIM_LABEL_MAX = 63, SIM_WRONG_MAX = 512 };

/* What calls that waited were told of their start when they came, and what came of it. Who waited in vain counts as one
 * that started when it gave up. Ratios are in millionths, of times that are 10 ms longer than they are. */
struct sim_eta_tally {
    uint64_t told, within_p50, within_p90;
    struct sim_histogram ratio; /* of the wait to its p50 */
    struct sim_histogram width; /* of p90 to p50 */
};

/* Of a tier or a group. */
struct sim_tally {
    uint64_t calls; /* measured, as all below */
    uint64_t ended[SL_REASON_COUNT];
    uint64_t started;
    int64_t used_us;                     /* of slices */
    struct sim_histogram wait;           /* of those that started, from arrival to start */
    struct sim_histogram *wait_over_day; /* SIM_BUCKETS, by arrival; of tiers alone */
    struct sim_eta_tally eta;            /* of tiers alone */
    double jain; /* of groups: got / asked of each visitor; 0: nobody asked */
    uint64_t jain_visitors;
};

/* Calls that declared at most so long. */
struct sim_class {
    int64_t up_to_us;
    uint64_t asked, served; /* with time left for it; started */
};

/* A part of the day. */
struct sim_bucket {
    double busy_us, up_us; /* slices that ran, slices that were there */
    double queued_us;      /* calls that waited */
    double over_us;
};

struct sim_result {
    char label[SIM_LABEL_MAX + 1];
    const struct sim_scenario *scenario; /* borrowed */
    uint64_t seed;
    uint64_t calls, steps, started, nodes_lost, nodes_drained, max_queued;
    uint64_t digest;          /* of all outcomes in their order */
    struct sim_tally *tiers;  /* scenario->tiers.tier_count */
    struct sim_tally *groups; /* scenario->visitors.count */
    struct sim_class classes[SIM_CLASSES];
    struct sim_bucket all, over_day[SIM_BUCKETS];
    struct sim_eta_tally *eta_over_day; /* SIM_BUCKETS, by arrival */
    double real_s;
    char wrong[SIM_WRONG_MAX]; /* the invariant that broke; "": none */
};

/* Errors: SL_ENOMEM; there is nothing to finish then. */
SL_MUST_CHECK sl_status sim_result_init(struct sim_result *r, const struct sim_scenario *s);
void sim_result_finish(struct sim_result *r);

/* Parts of a bucket's time, from 0 to 1; 0 of an empty one. */
double sim_result_utilisation(const struct sim_bucket *b);
double sim_result_queue(const struct sim_bucket *b); /* calls on average */
/* A tier's part of the slice time of all. */
double sim_result_share(const struct sim_result *r, size_t tier);
/* Refused at once: no place, no quota; not those that waited in vain. */
uint64_t sim_tally_refused(const struct sim_tally *t);

double sim_eta_quantile(const struct sim_histogram *ratios, unsigned thousandths);

/* Jain's index of fairness: 1 when all values are the same, 1/n when one has all. 0 of none. */
double sim_result_jain(double sum, double sum_of_squares, uint64_t count);

#endif
