/* gw_eta.h - when will a call that waits get a slice? An estimate, and how wrong such estimates were. Pure.
 *
 * Model    Slices become free after what runs there now; the calls before this one, each as long as their mean, take
 *          them in turn; then it is its turn: of the instants rest_j + i x mean (slice j, i = 0, 1, ...) it
 *          starts at the one that has as many before it as there are calls. For calls of one length that is
 *          no estimate but what happens.
 * Error    Real calls are not alike, and calls come that go before. So every estimate is held against what came of it:
 *          the ratio (actual + 10 ms) / (estimated + 10 ms), kept for the last 128 calls of each class and
 *          horizon (how long the estimate was). Its median and p90 make p50 and p90 of the next estimate. A
 *          class of which too little is known goes by all classes; without any, p50 is the estimate and
 *          p90 twice that. Calls that wait at the same time are wrong together, so once there are 128
 *          the next one counts when a sixteenth of its estimate has passed since the last: they reach
 *          back for eight times the horizon at least. When none was learned for 10 min all are forgotten: who is
 *          refused because of them cannot prove them wrong.
 * Unknown  Who will come, who will give up, what a node that is lost takes along; and a call that wants several slices
 *          at once waits longer than the model says. All of it is in the ratios, as far as it recurs.
 *
 * Cost     slices_add: O(1). slices_end: O(n log n). start: O(slices x 50), of at most 64 slices: more are represented
 *          by 64 of them. learn, p50 and p90: O(1) and a move of 1 KiB.
 * Memory   gw_eta_errors: 2 KiB for each class and horizon that has had a call; one block, allocated once.
 * Units    Microseconds from now on.
 * Threads  One.
 */
#ifndef GW_ETA_H
#define GW_ETA_H

#include <stddef.h>
#include <stdint.h>

#include "gw_fluid.h"
#include "gw_learn.h"
#include "gw_tier.h"
#include "sl_alloc.h"
#include "sl_status.h"

/* ---- the estimate */

enum { GW_ETA_SLICES_MAX = 64, GW_ETA_NEVER_US = -1 };

/* What runs on the slices that the call could have: how long each still takes. */
struct gw_eta_slices {
    int64_t rest_us[GW_ETA_SLICES_MAX]; /* after gw_eta_slices_end: growing */
    size_t count;                       /* of them */
    size_t all_count;                   /* of the slices that they stand for */
};

void gw_eta_slices_begin(struct gw_eta_slices *s);
/* rest_us 0: it is free. */
void gw_eta_slices_add(struct gw_eta_slices *s, int64_t rest_us);
void gw_eta_slices_end(struct gw_eta_slices *s);

/* When the call starts that has this before it; GW_ETA_NEVER_US: there is no slice. */
int64_t gw_eta_start_us(const struct gw_eta_slices *s, struct gw_fluid_sum before);

/* ---- how wrong they were */

/* Estimates up to 0.1 s, 0.5 s, 2 s, 8 s, 30 s, 120 s, and longer ones. */
enum { GW_ETA_HORIZONS = 7, GW_ETA_SAMPLES_MIN = 20 };

struct gw_eta_errors;

struct gw_eta {
    int64_t p50_us, p90_us; /* GW_ETA_NEVER_US: no slice is there */
};

/* Of classes 0 to class_count - 1. Errors: SL_EINVAL (none), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_eta_errors_create(const struct sl_alloc *alloc, size_t class_count,
                                             struct gw_eta_errors **out);
void gw_eta_errors_destroy(struct gw_eta_errors *e); /* NULL is fine */

/* What an estimate of gw_eta_start_us means for a call of the class, as far as is known at now_us, of any
 * clock that does not go back. */
struct gw_eta gw_eta_of(const struct gw_eta_errors *e, size_t class_index, int64_t estimated_us,
                        int64_t now_us);
/* It was estimated so, and came so. */
void gw_eta_learn(struct gw_eta_errors *e, size_t class_index, int64_t estimated_us,
                  int64_t actual_us, int64_t now_us);

#endif
