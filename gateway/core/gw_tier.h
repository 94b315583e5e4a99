/* gw_tier.h - tiers of visitors and sizes of slices: the numbers of the configuration's `tiers:` and
 * `sizes:` tables. Pure.
 *
 * A tier is named by its index in the table. A reload changes the table in place between two turns: what is
 * known by name keeps its index, what has gone from the configuration stays with its last numbers.
 */
#ifndef GW_TIER_H
#define GW_TIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_span.h"
#include "sl_status.h"
#include "sl_time.h"

enum { GW_TIERS_MAX = 32, GW_SIZES_MAX = 8, GW_TIER_NAME_MAX = 31 };
enum { GW_FACTOR_ONE = 1000 }; /* factors and shares are in thousandths */

struct gw_tier {
    char name[GW_TIER_NAME_MAX + 1];
    sl_gpu_us daily_us; /* of one window of 24 h */
    uint32_t weight;
    uint32_t in_flight; /* calls of one visitor at once */
    uint32_t apps;      /* that a member may host */
    bool
        runs_when_idle; /* what is over quota joins the background queue instead of being refused */
};

struct gw_size {
    char name[GW_TIER_NAME_MAX + 1];
    uint32_t share_thousandths; /* of a device */
    uint64_t memory_bytes;
    uint32_t factor_thousandths; /* GPU time charged for a microsecond of the slice */
};

struct gw_tiers {
    struct gw_tier tiers[GW_TIERS_MAX];
    size_t tier_count;
    struct gw_size sizes[GW_SIZES_MAX];
    size_t size_count;
};

/* The size of that name; NULL: there is none. */
const struct gw_size *gw_tiers_find_size(const struct gw_tiers *t, struct sl_span name);
/* "large, xlarge", cut off where there is no more room. */
void gw_tiers_size_names(const struct gw_tiers *t, char *out, size_t room);

/* Takes over the numbers of fresh. Errors: SL_EFULL (too many names in all); nothing has changed then. */
SL_MUST_CHECK sl_status gw_tiers_renew(struct gw_tiers *t, const struct gw_tiers *fresh);

#endif
