/* gw_learn_work.h - how long the next call of a model is expected to have its slice: what the
 * queue's sums of work are made of. Pure.
 *
 * Cost     A sum over at most GW_LEARN_SAMPLES numbers.
 */
#ifndef GW_LEARN_WORK_H
#define GW_LEARN_WORK_H

#include "gw_learn.h"

/* The mean of the learned durations, rounded to the nearest microsecond; what the call declares
 * while there are fewer than GW_LEARN_SAMPLES_MIN, and never more than it declares: it is ended
 * there. */
sl_gpu_us gw_learn_work(const struct gw_learn *l, sl_gpu_us declared_us);

/* How long a call is expected to go on that has had its slice for elapsed_us: as long as those
 * samples did, on average, that were longer; half as long again when none was; what it declares
 * while there are too few. Never beyond what it declares, nor below 0. */
sl_gpu_us gw_learn_rest(const struct gw_learn *l, sl_gpu_us declared_us, sl_gpu_us elapsed_us);

#endif
