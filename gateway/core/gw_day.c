/* gw_day.c - a sum that begins anew with each day. */
#include "gw_day.h"

#define DAY_US (24 * 3600 * SL_US_PER_S)

struct gw_day gw_day_at(const struct gw_day *d, sl_wall_us now)
{
    sl_wall_us midnight = now - now % DAY_US;
    return midnight > d->began_at ? (struct gw_day){.began_at = midnight} : *d;
}

void gw_day_add(struct gw_day *d, sl_wall_us now, sl_gpu_us used_us, sl_gpu_us charged_us)
{
    *d = gw_day_at(d, now);
    d->used_us = sl_sat_add(d->used_us, used_us);
    d->charged_us = sl_sat_add(d->charged_us, charged_us);
}
