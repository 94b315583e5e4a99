#include "gw_conf_tiers.h"

static const struct gw_tier tiers[] = {
    {"anonymous", 120 * SL_US_PER_S, 1, 2, 0, false},
    {"free", 210 * SL_US_PER_S, 4, 4, 0, false},
    {"pro", 1500 * SL_US_PER_S, 16, 16, 10, false},
    {"team", 1500 * SL_US_PER_S, 16, 16, 50, false},
    {"enterprise", 2700 * SL_US_PER_S, 16, 16, 50, false},
};

void gw_conf_make_tiers(struct gw_tiers *out)
{
    *out = (struct gw_tiers){.tier_count = sizeof tiers / sizeof tiers[0]};
    for (size_t i = 0; i < out->tier_count; i++)
        out->tiers[i] = tiers[i];
}
