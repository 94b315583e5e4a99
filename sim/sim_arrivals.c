#include "sim_arrivals.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static bool is_in(const struct sim_burst *b, int64_t at_us)
{
    return at_us >= b->at_us && at_us - b->at_us < b->for_us;
}

double sim_arrivals_rate(const struct sim_arrivals *a, int64_t at_us)
{
    double rate = a->per_us * a->by_hour[at_us / HOUR_US % SIM_HOURS];
    for (size_t i = 0; i < a->burst_count; i++)
        rate *= is_in(&a->bursts[i], at_us) ? a->bursts[i].times : 1;
    return rate;
}

static int64_t earlier(int64_t edge_us, int64_t candidate_us, int64_t at_us)
{
    return candidate_us > at_us && candidate_us < edge_us ? candidate_us : edge_us;
}

/* The first instant after at_us from which the rate may be another. */
static int64_t next_edge(const struct sim_arrivals *a, int64_t at_us)
{
    int64_t edge = (at_us / HOUR_US + 1) * HOUR_US;
    for (size_t i = 0; i < a->burst_count; i++) {
        edge = earlier(edge, a->bursts[i].at_us, at_us);
        edge = earlier(edge, a->bursts[i].at_us + a->bursts[i].for_us, at_us);
    }
    return edge;
}

int64_t sim_arrivals_next(const struct sim_arrivals *a, int64_t from_us, double expected,
                          int64_t until_us)
{
    int64_t at = from_us;
    while (at < until_us) {
        double rate = sim_arrivals_rate(a, at);
        int64_t edge = next_edge(a, at);
        double piece = rate * (double)(edge - at);
        if (piece > expected) {
            int64_t found = at + (int64_t)(expected / rate) + 1;
            return found < until_us ? found : SIM_NEVER_US;
        }
        expected -= piece;
        at = edge;
    }
    return SIM_NEVER_US;
}
