#include "gw_fluid.h"

#include "sl_time.h"

/* Tags are in thousandths. */
enum { TAGS_PER_US = 1000 };

static int64_t ahead_of(const struct gw_fluid_class *c)
{
    return c->ahead > 0 ? c->ahead : 0;
}

/* What the class has started when the tags have reached v. */
static struct gw_fluid_sum started_until(const struct gw_fluid_class *c, int64_t v)
{
    int64_t time = v - ahead_of(c);
    if (c->count == 0 || time <= 0)
        return (struct gw_fluid_sum){0};
    int64_t work_us = sl_sat_mul(time, c->weight) / TAGS_PER_US;
    int64_t mean_us = c->work_us / (int64_t)c->count;
    if (work_us >= c->work_us || mean_us < 1)
        return (struct gw_fluid_sum){c->count, c->work_us};
    int64_t count = work_us / mean_us + 1;
    if (count >= (int64_t)c->count)
        return (struct gw_fluid_sum){c->count, c->work_us};
    return (struct gw_fluid_sum){(size_t)count, count * mean_us};
}

struct gw_fluid_sum gw_fluid_before(const struct gw_fluid_class *classes, size_t class_count,
                                    size_t own, struct gw_fluid_sum own_before)
{
    const struct gw_fluid_class *mine = &classes[own];
    int64_t v =
        sl_sat_add(ahead_of(mine), sl_sat_mul(own_before.work_us, TAGS_PER_US) / mine->weight);
    struct gw_fluid_sum sum = own_before;
    for (size_t i = 0; i < class_count; i++) {
        if (i == own)
            continue;
        struct gw_fluid_sum other = started_until(&classes[i], v);
        sum.count += other.count;
        sum.work_us = sl_sat_add(sum.work_us, other.work_us);
    }
    return sum;
}
