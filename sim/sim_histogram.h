/* sim_histogram.h - times and how often each came, within 3 % of the time. Pure.
 *
 * Buckets grow with the time: 32 for each doubling (as HdrHistogram does, Tene 2012), 1 us wide below 32 us.
 *
 * Bounds   From 0 to SIM_HISTOGRAM_MAX_US, a little over a day; what is outside counts as the nearer end.
 * Memory   4 KiB, inside the struct.
 */
#ifndef SIM_HISTOGRAM_H
#define SIM_HISTOGRAM_H

#include <stdint.h>

enum { SIM_HISTOGRAM_STEPS = 32, SIM_HISTOGRAM_BUCKETS = SIM_HISTOGRAM_STEPS * 33 };
#define SIM_HISTOGRAM_MAX_US ((INT64_C(1) << 37) - 1)

struct sim_histogram {
    uint64_t count;
    int64_t total_us, most_us;
    uint32_t buckets[SIM_HISTOGRAM_BUCKETS];
};

void sim_histogram_add(struct sim_histogram *h, int64_t us);
void sim_histogram_join(struct sim_histogram *into, const struct sim_histogram *h);
double sim_histogram_mean_us(const struct sim_histogram *h); /* 0 without a value */
/* The least time that so many thousandths of all values are not above: its bucket's middle, and never more than
 * the largest value. 0 without a value. */
int64_t sim_histogram_quantile_us(const struct sim_histogram *h, unsigned thousandths);

#endif
