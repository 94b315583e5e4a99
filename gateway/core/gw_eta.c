#include "gw_eta.h"

#include <stdlib.h>

#include "sl_time.h"

/* ---- slices */

void gw_eta_slices_begin(struct gw_eta_slices *s)
{
    s->count = s->all_count = 0;
}

/* Of more slices than there is room for every second one goes, then only every second one is taken, and so on: a
 * sample that does not depend on how long they take. */
static void thin_out(struct gw_eta_slices *s)
{
    for (size_t i = 0; i < GW_ETA_SLICES_MAX / 2; i++)
        s->rest_us[i] = s->rest_us[2 * i];
    s->count = GW_ETA_SLICES_MAX / 2;
}

void gw_eta_slices_add(struct gw_eta_slices *s, int64_t rest_us)
{
    size_t step = 1;
    while (s->all_count / step >= GW_ETA_SLICES_MAX)
        step *= 2;
    if (s->all_count++ % step != 0)
        return;
    if (s->count == GW_ETA_SLICES_MAX)
        thin_out(s);
    s->rest_us[s->count++] = rest_us > 0 ? rest_us : 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void gw_eta_slices_end(struct gw_eta_slices *s)
{
    qsort(s->rest_us, s->count, sizeof s->rest_us[0], compare);
}

/* ---- the estimate */

/* How many calls of that length have started at t. */
static int64_t started_at(const struct gw_eta_slices *s, int64_t mean_us, int64_t t)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->count && s->rest_us[i] <= t; i++)
        n = sl_sat_add(n, (t - s->rest_us[i]) / mean_us + 1);
    return n;
}

/* The first instant at which so many have. */
static int64_t when_started(const struct gw_eta_slices *s, int64_t mean_us, int64_t count)
{
    int64_t from = s->rest_us[0], to = sl_sat_add(from, sl_sat_mul(mean_us, count));
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (started_at(s, mean_us, middle) >= count)
            to = middle;
        else
            from = middle + 1;
    }
    return from;
}

int64_t gw_eta_start_us(const struct gw_eta_slices *s, struct gw_fluid_sum before)
{
    if (s->count == 0)
        return GW_ETA_NEVER_US;
    int64_t count = (int64_t)(before.count * s->count / s->all_count);
    int64_t mean_us = before.count > 0 ? before.work_us / (int64_t)before.count : 0;
    if (count == 0 || mean_us < 1)
        return s->rest_us[0];
    return when_started(s, mean_us, count + 1);
}

/* ---- how wrong they were */

/* Added to both sides of a ratio: what is shorter is no matter. */
#define SLACK_US   (10 * SL_US_PER_S / 1000)
#define PER_MILLE  1000
#define RATIO_MAX  1000000 /* a thousand times as long */
#define P90_GUESS  2
#define DECISECOND (SL_US_PER_S / 10)
#define APART      16 /* of an estimate, between calls that count once there are enough */

#define FORGOTTEN_US (600 * SL_US_PER_S)

struct errors {
    struct gw_learn ratios;
    int64_t learned_at_us;
};

struct gw_eta_errors {
    const struct sl_alloc *alloc;
    size_t class_count;
    struct errors at[]; /* [class][horizon]; behind the last class: of all */
};

sl_status gw_eta_errors_create(const struct sl_alloc *alloc, size_t class_count,
                               struct gw_eta_errors **out)
{
    if (class_count == 0)
        return SL_EINVAL;
    size_t count = (class_count + 1) * GW_ETA_HORIZONS;
    struct gw_eta_errors *e = sl_alloc_zero(alloc, 1, sizeof *e + count * sizeof(struct errors));
    if (e == NULL)
        return SL_ENOMEM;
    e->alloc = alloc;
    e->class_count = class_count;
    *out = e;
    return SL_OK;
}

void gw_eta_errors_destroy(struct gw_eta_errors *e)
{
    if (e != NULL)
        sl_alloc_free(e->alloc, e);
}

static size_t horizon_of(int64_t estimated_us)
{
    static const int64_t ends[GW_ETA_HORIZONS - 1] = {1, 5, 20, 80, 300, 1200};
    size_t h = 0;
    while (h < GW_ETA_HORIZONS - 1 && estimated_us > ends[h] * DECISECOND)
        h++;
    return h;
}

static size_t place_of(size_t class_index, int64_t estimated_us)
{
    return class_index * GW_ETA_HORIZONS + horizon_of(estimated_us);
}

static int64_t scaled(int64_t estimated_us, int64_t ratio)
{
    int64_t us = sl_sat_mul(sl_sat_add(estimated_us, SLACK_US), ratio) / PER_MILLE - SLACK_US;
    return us > 0 ? us : 0;
}

static bool is_forgotten(const struct errors *e, int64_t now_us)
{
    return now_us - e->learned_at_us > FORGOTTEN_US;
}

/* NULL: too little is known. */
static const struct gw_learn *ratios_of(const struct errors *e, int64_t now_us)
{
    bool is_known = e->ratios.count >= GW_ETA_SAMPLES_MIN && !is_forgotten(e, now_us);
    return is_known ? &e->ratios : NULL;
}

struct gw_eta gw_eta_of(const struct gw_eta_errors *e, size_t class_index, int64_t estimated_us,
                        int64_t now_us)
{
    if (estimated_us < 0)
        return (struct gw_eta){GW_ETA_NEVER_US, GW_ETA_NEVER_US};
    const struct gw_learn *l = ratios_of(&e->at[place_of(class_index, estimated_us)], now_us);
    if (l == NULL)
        l = ratios_of(&e->at[place_of(e->class_count, estimated_us)], now_us);
    if (l == NULL)
        return (struct gw_eta){estimated_us, sl_sat_mul(estimated_us, P90_GUESS)};
    return (struct gw_eta){scaled(estimated_us, gw_learn_percentile(l, 50)),
                           scaled(estimated_us, gw_learn_percentile(l, 90))};
}

static void learn(struct errors *e, int64_t ratio, int64_t apart_us, int64_t now_us)
{
    if (is_forgotten(e, now_us))
        e->ratios = (struct gw_learn){0};
    if (e->ratios.count == GW_LEARN_SAMPLES && now_us - e->learned_at_us < apart_us)
        return;
    gw_learn_add(&e->ratios, ratio);
    e->learned_at_us = now_us;
}

void gw_eta_learn(struct gw_eta_errors *e, size_t class_index, int64_t estimated_us,
                  int64_t actual_us, int64_t now_us)
{
    if (estimated_us < 0 || actual_us < 0)
        return;
    int64_t ratio =
        sl_sat_mul(sl_sat_add(actual_us, SLACK_US), PER_MILLE) / sl_sat_add(estimated_us, SLACK_US);
    if (ratio > RATIO_MAX)
        ratio = RATIO_MAX;
    int64_t apart_us = estimated_us / APART;
    learn(&e->at[place_of(class_index, estimated_us)], ratio, apart_us, now_us);
    learn(&e->at[place_of(e->class_count, estimated_us)], ratio, apart_us, now_us);
}
