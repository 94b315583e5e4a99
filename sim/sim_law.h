/* sim_law.h - how long something takes, as a law of chance in one line of text. Pure.
 *
 *   5s                   always
 *   exponential 5s       with this mean
 *   uniform 1s 9s        anything between the two, equally likely
 *   lognormal 5s 0.8     with this mean, and this standard deviation of the logarithm
 *
 * Units    Microseconds; no value is below 1 us or above SIM_LAW_MAX_US.
 */
#ifndef SIM_LAW_H
#define SIM_LAW_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_rng.h"
#include "sl_span.h"

#define SIM_LAW_MAX_US (INT64_C(7) * 86400 * 1000000)

enum sim_law_kind { SIM_LAW_ALWAYS, SIM_LAW_EXPONENTIAL, SIM_LAW_UNIFORM, SIM_LAW_LOGNORMAL };

struct sim_law {
    enum sim_law_kind kind;
    double mean_us;
    double low_us, high_us; /* UNIFORM */
    double sigma;           /* LOGNORMAL */
};

/* false: the text is none of the forms above. */
bool sim_law_read(struct sl_span text, struct sim_law *out);
int64_t sim_law_draw(const struct sim_law *law, struct sl_rng *rng);

/* Two numbers that follow from unit ones: -log(1 - u), and a normal one by Box and Muller. */
double sim_law_exponential(struct sl_rng *rng);
double sim_law_normal(struct sl_rng *rng);

#endif
