#include "gw_conf_tiers.h"

#include <stdio.h>
#include <string.h>

#include "sl_base.h"
#include "sl_text.h"

#define DAY_NS INT64_C(86400000000000)

enum { FACTOR_MAX = 1000000 };

static const char *const when_idle_names[] = {"refuse", "run", NULL};

/* clang-format off: one key a paragraph */
const struct sl_conf_key gw_conf_tier_table[] = {
    {"daily", SL_CONF_DURATION, offsetof(struct gw_conf_tier, daily_ns), "0s", .max = 365 * DAY_NS,
     .reloadable = true, .help = "GPU time of a visitor in the 24 h from his first call."},
    {"weight", SL_CONF_INT, offsetof(struct gw_conf_tier, weight), "1", .min = 1, .max = 1000000,
     .reloadable = true,
     .help = "The tier's part of the fleet's time while others wait, beside theirs."},
    {"in_flight", SL_CONF_INT, offsetof(struct gw_conf_tier, in_flight), "4", .min = 1,
     .max = 1000000, .reloadable = true,
     .help = "Calls of one visitor at once, waiting ones included."},
    {"apps", SL_CONF_INT, offsetof(struct gw_conf_tier, apps), "0", .max = 1000000,
     .reloadable = true, .help = "Apps that one of the tier may host."},
    {"when_idle", SL_CONF_CHOICE, offsetof(struct gw_conf_tier, when_idle), "refuse",
     .choices = when_idle_names, .reloadable = true,
     .help = "What becomes of a call over quota: refused, or run, uncharged, while nobody else "
             "wants the slice."},
    {0},
};

const struct sl_conf_key gw_conf_size_table[] = {
    {"share", SL_CONF_STRING, offsetof(struct gw_conf_size, share), "1", .max = 32,
     .reloadable = true, .help = "Part of a device: 1, or N/M."},
    {"memory", SL_CONF_BYTES, offsetof(struct gw_conf_size, memory_bytes), "0B", .max = INT64_MAX,
     .reloadable = true, .help = "Device memory that a call of this size has."},
    {"factor", SL_CONF_STRING, offsetof(struct gw_conf_size, factor), "1", .max = 32,
     .reloadable = true, .help = "GPU time for each second of the slice, up to three decimals."},
    {0},
};
/* clang-format on */

/* A test holds these against the tables below. */
const char gw_conf_built_in_tiers[] =
    "{anonymous: {daily: 120s, weight: 1, in_flight: 2, apps: 0}, "
    "free: {daily: 210s, weight: 4, in_flight: 4, apps: 0}, "
    "pro: {daily: 1500s, weight: 16, in_flight: 16, apps: 10}, "
    "team: {daily: 1500s, weight: 16, in_flight: 16, apps: 50}, "
    "enterprise: {daily: 2700s, weight: 16, in_flight: 16, apps: 50}, "
    "owner: {daily: 365d, weight: 16, in_flight: 1000000, apps: 50}}";
const char gw_conf_built_in_sizes[] = "{large: {share: 1/2, memory: 74625056768B, factor: 1}, "
                                      "xlarge: {share: 1, memory: 141GB, factor: 2}}";

static const struct gw_tiers built_in = {
    .tiers = {{"anonymous", 120 * SL_US_PER_S, 1, 2, 0, false},
              {"free", 210 * SL_US_PER_S, 4, 4, 0, false},
              {"pro", 1500 * SL_US_PER_S, 16, 16, 10, false},
              {"team", 1500 * SL_US_PER_S, 16, 16, 50, false},
              {"enterprise", 2700 * SL_US_PER_S, 16, 16, 50, false},
              {"owner", 365 * 86400 * SL_US_PER_S, 16, 1000000, 50, false}},
    .tier_count = 6,
    .sizes = {{"large", 500, UINT64_C(74625056768), 1000},
              {"xlarge", 1000, UINT64_C(141000000000), 2000}},
    .size_count = 2,
};

/* ---- numbers with a fraction */

/* "2", "1.5", "0.125": up to three decimals. */
static bool read_decimal(struct sl_span text, int64_t *out_thousandths)
{
    int64_t whole, part = 0;
    const uint8_t *dot = text.len > 0 ? memchr(text.data, '.', text.len) : NULL;
    size_t whole_len = dot != NULL ? (size_t)(dot - text.data) : text.len;
    size_t decimals = dot != NULL ? text.len - whole_len - 1 : 0;
    if (sl_text_int(sl_span_of(text.data, whole_len), &whole) != SL_OK || text.data[0] == '-' ||
        whole > FACTOR_MAX || decimals > 3 || (dot != NULL && decimals == 0))
        return false;
    if (dot != NULL &&
        (sl_text_int(sl_span_of(dot + 1, decimals), &part) != SL_OK || dot[1] == '-'))
        return false;
    for (size_t i = decimals; i < 3; i++)
        part *= 10;
    *out_thousandths = whole * GW_FACTOR_ONE + part;
    return true;
}

/* "1", "1/2", "2/7", rounded down. */
static bool read_share(struct sl_span text, int64_t *out_thousandths)
{
    int64_t n, m = 1;
    const uint8_t *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - text.data) : text.len;
    if (sl_text_int(sl_span_of(text.data, len), &n) != SL_OK ||
        (slash != NULL && sl_text_int(sl_span_of(slash + 1, text.len - len - 1), &m) != SL_OK))
        return false;
    if (n < 1 || m < n || m > GW_FACTOR_ONE)
        return false;
    *out_thousandths = n * GW_FACTOR_ONE / m;
    return true;
}

/* ---- rows */

static const struct gw_tier *built_in_tier(const char *name)
{
    for (size_t i = 0; i < built_in.tier_count; i++)
        if (strcmp(built_in.tiers[i].name, name) == 0)
            return &built_in.tiers[i];
    return NULL;
}

static bool is_said(const struct sl_conf_check *c, const char *map, const char *name,
                    const char *key)
{
    char path[512];
    snprintf(path, sizeof path, "%s.%s.%s", map, name, key);
    return sl_conf_line(c->owner, path) != 0;
}

static void fill_tier(const struct sl_conf_check *c, struct gw_conf_tier *row)
{
    const struct gw_tier *t = built_in_tier(row->name);
    if (t == NULL)
        return;
    if (!is_said(c, "tiers", row->name, "daily"))
        row->daily_ns = t->daily_us * SL_NS_PER_US;
    if (!is_said(c, "tiers", row->name, "weight"))
        row->weight = t->weight;
    if (!is_said(c, "tiers", row->name, "in_flight"))
        row->in_flight = t->in_flight;
    if (!is_said(c, "tiers", row->name, "apps"))
        row->apps = t->apps;
}

static void check_name(struct sl_conf_check *c, const char *map, const char *name)
{
    if (name[0] == '\0' || strlen(name) > GW_TIER_NAME_MAX)
        sl_conf_complain(c, map, name, "is not a name of 1 to 31 bytes");
}

static void check_tier(struct sl_conf_check *c, const struct gw_conf_tier *row)
{
    check_name(c, "tiers", row->name);
    if (built_in_tier(row->name) == NULL && !is_said(c, "tiers", row->name, "daily"))
        sl_conf_complain(c, "tiers", row->name, "is a new tier and has no daily");
}

static void fill_size(const struct sl_conf_check *c, struct gw_conf_size *row)
{
    bool is_large = strcmp(row->name, "large") == 0;
    if (!is_large && strcmp(row->name, "xlarge") != 0)
        return;
    if (!is_said(c, "sizes", row->name, "share"))
        row->share = is_large ? "1/2" : "1";
    if (!is_said(c, "sizes", row->name, "memory"))
        row->memory_bytes = built_in.sizes[is_large ? 0 : 1].memory_bytes;
    if (!is_said(c, "sizes", row->name, "factor"))
        row->factor = is_large ? "1" : "2";
}

static void check_size(struct sl_conf_check *c, const struct gw_conf_size *row)
{
    int64_t share, factor;
    check_name(c, "sizes", row->name);
    if (!read_share(sl_span_str(row->share), &share))
        sl_conf_complain(c, "sizes", row->share, "is no share of a device, such as 1 or 1/2");
    if (!read_decimal(sl_span_str(row->factor), &factor) || factor == 0 || factor > FACTOR_MAX)
        sl_conf_complain(c, "sizes", row->factor,
                         "is no factor from 0.001 to 1000, with up to three decimals");
}

static void check_count(struct sl_conf_check *c, const struct gw_conf_rates *rates)
{
    const struct gw_conf_tier *tiers = rates->tiers.items;
    const struct gw_conf_size *sizes = rates->sizes.items;
    size_t all_tiers = built_in.tier_count, all_sizes = built_in.size_count;
    for (size_t i = 0; i < rates->tiers.count; i++)
        all_tiers += built_in_tier(tiers[i].name) == NULL;
    for (size_t i = 0; i < rates->sizes.count; i++)
        all_sizes += strcmp(sizes[i].name, "large") != 0 && strcmp(sizes[i].name, "xlarge") != 0;
    if (all_tiers > GW_TIERS_MAX)
        sl_conf_complain(c, "tiers", "", "has more than 32 names, the built-in ones included");
    if (all_sizes > GW_SIZES_MAX)
        sl_conf_complain(c, "sizes", "", "has more than 8 names, the built-in ones included");
}

void gw_conf_check_rates(struct sl_conf_check *c, struct gw_conf_rates *rates)
{
    struct gw_conf_tier *tiers = rates->tiers.items;
    struct gw_conf_size *sizes = rates->sizes.items;
    for (size_t i = 0; i < rates->tiers.count; i++) {
        fill_tier(c, &tiers[i]);
        check_tier(c, &tiers[i]);
    }
    for (size_t i = 0; i < rates->sizes.count; i++) {
        fill_size(c, &sizes[i]);
        check_size(c, &sizes[i]);
    }
    check_count(c, rates);
}

/* ---- the table that the gateway works with */

static struct gw_tier tier_of(const struct gw_conf_tier *row)
{
    struct gw_tier t = {.daily_us = row->daily_ns / SL_NS_PER_US,
                        .weight = (uint32_t)row->weight,
                        .in_flight = (uint32_t)row->in_flight,
                        .apps = (uint32_t)row->apps,
                        .runs_when_idle = row->when_idle == 1};
    snprintf(t.name, sizeof t.name, "%s", row->name);
    return t;
}

static struct gw_size size_of(const struct gw_conf_size *row)
{
    struct gw_size s = {.memory_bytes = row->memory_bytes};
    int64_t share = GW_FACTOR_ONE, factor = GW_FACTOR_ONE;
    bool is_read = read_share(sl_span_str(row->share), &share) &&
                   read_decimal(sl_span_str(row->factor), &factor);
    (void)is_read; /* it was checked */
    s.share_thousandths = (uint32_t)share;
    s.factor_thousandths = (uint32_t)factor;
    snprintf(s.name, sizeof s.name, "%s", row->name);
    return s;
}

void gw_conf_make_tiers(const struct gw_conf_rates *rates, struct gw_tiers *out)
{
    const struct gw_conf_tier *tiers = rates->tiers.items;
    const struct gw_conf_size *sizes = rates->sizes.items;
    *out = built_in;
    for (size_t i = 0; i < rates->tiers.count; i++) {
        struct gw_tiers one = {.tiers = {tier_of(&tiers[i])}, .tier_count = 1};
        sl_status s = gw_tiers_renew(out, &one);
        (void)s; /* the counts were checked */
    }
    for (size_t i = 0; i < rates->sizes.count; i++) {
        struct gw_tiers one = {.sizes = {size_of(&sizes[i])}, .size_count = 1};
        sl_status s = gw_tiers_renew(out, &one);
        (void)s;
    }
}
