#include "gw_tier.h"

#include <stdio.h>
#include <string.h>

static struct gw_tier *find_tier(struct gw_tiers *t, const char *name)
{
    for (size_t i = 0; i < t->tier_count; i++)
        if (strcmp(t->tiers[i].name, name) == 0)
            return &t->tiers[i];
    return t->tier_count < GW_TIERS_MAX ? &t->tiers[t->tier_count++] : NULL;
}

static struct gw_size *find_size(struct gw_tiers *t, const char *name)
{
    for (size_t i = 0; i < t->size_count; i++)
        if (strcmp(t->sizes[i].name, name) == 0)
            return &t->sizes[i];
    return t->size_count < GW_SIZES_MAX ? &t->sizes[t->size_count++] : NULL;
}

const struct gw_size *gw_tiers_find_size(const struct gw_tiers *t, struct sl_span name)
{
    for (size_t i = 0; i < t->size_count; i++)
        if (sl_span_eq_str(name, t->sizes[i].name))
            return &t->sizes[i];
    return NULL;
}

void gw_tiers_size_names(const struct gw_tiers *t, char *out, size_t room)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < t->size_count && len < room; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%s", i > 0 ? ", " : "", t->sizes[i].name);
}

sl_status gw_tiers_renew(struct gw_tiers *t, const struct gw_tiers *fresh)
{
    struct gw_tiers renewed = *t;
    for (size_t i = 0; i < fresh->tier_count; i++) {
        struct gw_tier *tier = find_tier(&renewed, fresh->tiers[i].name);
        if (tier == NULL)
            return SL_EFULL;
        *tier = fresh->tiers[i];
    }
    for (size_t i = 0; i < fresh->size_count; i++) {
        struct gw_size *size = find_size(&renewed, fresh->sizes[i].name);
        if (size == NULL)
            return SL_EFULL;
        *size = fresh->sizes[i];
    }
    *t = renewed;
    return SL_OK;
}
