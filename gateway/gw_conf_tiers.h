/* gw_conf_tiers.h - the part of the configuration about what visitors get: tiers and sizes. gw_conf.c has the keys
 * at the top; here are the tables of one row, the built-in rows, and what becomes of both.
 *
 * What a file says is laid over the built-in tables: a row that it does not name stays as it is built in, and of
 * a row that it names, what it does not say.
 */
#ifndef GW_CONF_TIERS_H
#define GW_CONF_TIERS_H

#include "gw_tier.h"
#include "sl_conf_check.h"

struct gw_conf_tier {
    const char *name;
    int64_t daily_ns, weight, in_flight, apps;
    int when_idle;
};

struct gw_conf_size {
    const char *name;
    const char *share;
    uint64_t memory_bytes;
    const char *factor;
};

struct gw_conf_rates {
    struct sl_conf_seq tiers; /* of struct gw_conf_tier */
    struct sl_conf_seq sizes; /* of struct gw_conf_size */
};

extern const struct sl_conf_key gw_conf_tier_table[], gw_conf_size_table[];
/* The built-in tables as they would be written. */
extern const char gw_conf_built_in_tiers[], gw_conf_built_in_sizes[];

/* Fills what rows do not say from the built-in ones, and checks them. */
void gw_conf_check_rates(struct sl_conf_check *c, struct gw_conf_rates *rates);
/* Of rates that were checked. */
void gw_conf_make_tiers(const struct gw_conf_rates *rates, struct gw_tiers *out);

#endif
