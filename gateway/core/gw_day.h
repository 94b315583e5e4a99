/* gw_day.h - GPU time since midnight, UTC. Pure.
 *
 * A clock that steps back does not begin a day again: what comes then is of the latest day that there was.
 */
#ifndef GW_DAY_H
#define GW_DAY_H

#include "sl_time.h"

struct gw_day {
    sl_wall_us began_at; /* midnight */
    sl_gpu_us used_us;   /* slices that were held */
    sl_gpu_us charged_us;
};

void gw_day_add(struct gw_day *d, sl_wall_us now, sl_gpu_us used_us, sl_gpu_us charged_us);
/* Of the day that it is: nothing yet when that is another one. */
struct gw_day gw_day_at(const struct gw_day *d, sl_wall_us now);

#endif
