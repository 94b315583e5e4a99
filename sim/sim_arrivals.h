/* sim_arrivals.h - when the next call of a group comes: a Poisson process whose rate changes with the hour of
 * the day and is raised by bursts. Pure.
 *
 * The rate is constant between two edges (a full hour, the beginning or the end of a burst), so an arrival is
 * found exactly: an exponential number of expected arrivals is used up from edge to edge.
 *
 * Units    Microseconds since the beginning, which is midnight.
 * Cost     O(edges passed x bursts).
 */
#ifndef SIM_ARRIVALS_H
#define SIM_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_HOURS = 24, SIM_BURSTS_MAX = 16 };
#define SIM_NEVER_US INT64_MAX

struct sim_burst {
    int64_t at_us, for_us;
    double times; /* as many as else; 0: none come */
};

struct sim_arrivals {
    double per_us;             /* on average over a day without bursts */
    double by_hour[SIM_HOURS]; /* with a mean of 1 */
    struct sim_burst bursts[SIM_BURSTS_MAX];
    size_t burst_count;
};

double sim_arrivals_rate(const struct sim_arrivals *a, int64_t at_us);
/* The instant after `from_us` by which `expected` more arrivals are expected; SIM_NEVER_US when that is not
 * before until_us. */
int64_t sim_arrivals_next(const struct sim_arrivals *a, int64_t from_us, double expected,
                          int64_t until_us);

#endif
