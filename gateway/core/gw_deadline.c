#include "gw_deadline.h"

/* Longer declarations count as this one, so that no product overflows. */
#define DECLARED_MAX_US (INT64_MAX / 4)

static int64_t at_least_zero(int64_t x)
{
    return x > 0 ? x : 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The formula, over one fraction: 30 s / (4 x 60 s) is 1 / 8, and half the limit's share makes
 * it 1 / 16. */
int64_t gw_deadline_offset_us(const struct gw_deadline_ask *ask)
{
    _Static_assert(8 * GW_DEADLINE_BASE_US == 4 * GW_DEADLINE_USUAL_US, "the 16 below");
    int64_t declared_us = smaller(at_least_zero(ask->declared_us), DECLARED_MAX_US);
    int64_t limit_us = ask->limit_us > 0 ? ask->limit_us : 1;
    int64_t used_us = ask->limit_us > 0 ? smaller(at_least_zero(ask->used_us), limit_us) : 1;
    unsigned __int128 length =
        (unsigned __int128)GW_DEADLINE_USUAL_US + 3 * (unsigned __int128)declared_us;
    unsigned __int128 use = (unsigned __int128)limit_us + 2 * (unsigned __int128)used_us;
    unsigned __int128 offset_us = length * use / (16 * (unsigned __int128)limit_us);
    int64_t cap_us = at_least_zero(ask->max_wait_us) / 2;
    return offset_us < (unsigned __int128)cap_us ? (int64_t)offset_us : cap_us;
}

int64_t gw_deadline_us(const struct gw_deadline_ask *ask)
{
    return sl_sat_add(ask->arrived_us, gw_deadline_offset_us(ask));
}
