/* sl_metric.c - a list of metrics in the order of registration, and the page made of them. */
#include "sl_metric.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sl_time.h"

enum metric_kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM, KIND_COUNTER_US };

struct histogram {
    const double *bounds;
    size_t bound_count;
    _Atomic int64_t counts[SL_METRIC_BUCKETS_MAX + 1]; /* not cumulative; the last is +Inf */
    _Atomic double sum; /* a sum in int64 ns would end after 292 years of added-up time */
};

struct sl_metric {
    struct sl_metric *next;
    enum metric_kind kind;
    const char *name;
    const char *labels;
    const char *help;
    _Atomic int64_t value; /* of a counter or gauge */
    struct histogram *histogram;
};

struct sl_metric_registry {
    const struct sl_alloc *alloc;
    struct sl_metric *first;
    struct sl_metric **last_link;
};

/* --------------------------------------------------------------------------------- registration */

sl_status sl_metric_registry_create(const struct sl_alloc *alloc, struct sl_metric_registry **out)
{
    struct sl_metric_registry *r = sl_alloc_zero(alloc, 1, sizeof(*r));
    if (!r)
        return SL_ENOMEM;
    r->alloc = alloc;
    r->last_link = &r->first;
    *out = r;
    return SL_OK;
}

void sl_metric_registry_destroy(struct sl_metric_registry *r)
{
    if (!r)
        return;
    while (r->first) {
        struct sl_metric *m = r->first;
        r->first = m->next;
        sl_alloc_free(r->alloc, m->histogram);
        sl_alloc_free(r->alloc, m);
    }
    sl_alloc_free(r->alloc, r);
}

static struct sl_metric *add_metric(struct sl_metric_registry *r, enum metric_kind kind,
                                    const char *name, const char *labels, const char *help)
{
    struct sl_metric *m = sl_alloc_zero(r->alloc, 1, sizeof(*m));
    if (!m)
        return NULL;
    m->kind = kind;
    m->name = name;
    m->labels = labels;
    m->help = help;
    *r->last_link = m;
    r->last_link = &m->next;
    return m;
}

struct sl_metric *sl_metric_counter(struct sl_metric_registry *r, const char *name,
                                    const char *labels, const char *help)
{
    return add_metric(r, KIND_COUNTER, name, labels, help);
}

struct sl_metric *sl_metric_counter_us(struct sl_metric_registry *r, const char *name,
                                       const char *labels, const char *help)
{
    return add_metric(r, KIND_COUNTER_US, name, labels, help);
}

struct sl_metric *sl_metric_gauge(struct sl_metric_registry *r, const char *name,
                                  const char *labels, const char *help)
{
    return add_metric(r, KIND_GAUGE, name, labels, help);
}

struct sl_metric *sl_metric_histogram(struct sl_metric_registry *r, const char *name,
                                      const char *labels, const char *help, const double *bounds,
                                      size_t count)
{
    if (count > SL_METRIC_BUCKETS_MAX)
        return NULL;
    struct histogram *h = sl_alloc_zero(r->alloc, 1, sizeof(*h));
    if (!h)
        return NULL;
    struct sl_metric *m = add_metric(r, KIND_HISTOGRAM, name, labels, help);
    if (!m) {
        sl_alloc_free(r->alloc, h);
        return NULL;
    }
    h->bounds = bounds;
    h->bound_count = count;
    m->histogram = h;
    return m;
}

struct sl_metric *sl_metric_histogram_seconds(struct sl_metric_registry *r, const char *name,
                                              const char *labels, const char *help,
                                              const double *bounds, size_t count)
{
    return sl_metric_histogram(r, name, labels, help, bounds, count);
}

/* --------------------------------------------------------------------------------------- change */

void sl_metric_add(struct sl_metric *m, int64_t n)
{
    if (m)
        atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void sl_metric_set(struct sl_metric *m, int64_t value)
{
    if (m)
        atomic_store_explicit(&m->value, value, memory_order_relaxed);
}

static void add_to_sum(_Atomic double *sum, double value)
{
    double seen = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &seen, seen + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static void observe(struct sl_metric *m, double value)
{
    if (!m || !m->histogram)
        return;
    struct histogram *h = m->histogram;
    size_t bucket = 0;
    while (bucket < h->bound_count && value > h->bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&h->counts[bucket], 1, memory_order_relaxed);
    add_to_sum(&h->sum, value);
}

void sl_metric_observe_ns(struct sl_metric *m, int64_t ns)
{
    observe(m, (double)ns / (double)SL_NS_PER_S);
}

void sl_metric_observe_count(struct sl_metric *m, uint64_t count)
{
    observe(m, (double)count);
}

static int64_t bucket_count(const struct histogram *h, size_t bucket)
{
    return atomic_load_explicit(&h->counts[bucket], memory_order_relaxed);
}

int64_t sl_metric_value(const struct sl_metric *m)
{
    if (!m)
        return 0;
    if (!m->histogram)
        return atomic_load_explicit(&m->value, memory_order_relaxed);
    int64_t total = 0;
    for (size_t bucket = 0; bucket <= m->histogram->bound_count; bucket++)
        total += bucket_count(m->histogram, bucket);
    return total;
}

/* ----------------------------------------------------------------------------------------- page */

/* The shortest decimal text that reads back as the same number: 0.1, not 0.10000000000000001. What
 * people read as they count, up to 1e15, has no exponent. */
static const char *format_number(double x, char out[32])
{
    bool wants_no_exponent = x < 1e15;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, x);
        if (strtod(out, NULL) == x && !(wants_no_exponent && strstr(out, "e+")))
            break;
    }
    return out;
}

static sl_status render_help(const char *help, struct sl_buf *out)
{
    for (const char *p = help; *p; p++) {
        const char *text = *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : NULL;
        sl_status s = text ? sl_buf_append(out, text, 2) : sl_buf_append(out, p, 1);
        if (s != SL_OK)
            return s;
    }
    return SL_OK;
}

static sl_status render_head(const struct sl_metric *m, struct sl_buf *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "counter"};
    sl_status s = sl_buf_printf(out, "# HELP %s ", m->name);
    if (s == SL_OK)
        s = render_help(m->help, out);
    if (s == SL_OK)
        s = sl_buf_printf(out, "\n# TYPE %s %s\n", m->name, types[m->kind]);
    return s;
}

/* One line: NAME SUFFIX {labels} VALUE. */
static sl_status render_sample(const struct sl_metric *m, const char *suffix, const char *value,
                               struct sl_buf *out)
{
    bool has_labels = m->labels[0] != '\0';
    return sl_buf_printf(out, "%s%s%s%s%s %s\n", m->name, suffix, has_labels ? "{" : "", m->labels,
                         has_labels ? "}" : "", value);
}

static sl_status render_bucket(const struct sl_metric *m, const char *bound, int64_t count,
                               struct sl_buf *out)
{
    return sl_buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %" PRId64 "\n", m->name, m->labels,
                         m->labels[0] != '\0' ? "," : "", bound, count);
}

static sl_status render_histogram(const struct sl_metric *m, struct sl_buf *out)
{
    const struct histogram *h = m->histogram;
    char number[32];
    int64_t count = 0; /* read once per bucket, so that _count equals the +Inf bucket */
    for (size_t bucket = 0; bucket <= h->bound_count; bucket++) {
        count += bucket_count(h, bucket);
        const char *bound =
            bucket < h->bound_count ? format_number(h->bounds[bucket], number) : "+Inf";
        sl_status s = render_bucket(m, bound, count, out);
        if (s != SL_OK)
            return s;
    }
    double sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    sl_status s = render_sample(m, "_sum", format_number(sum, number), out);
    if (s != SL_OK)
        return s;
    snprintf(number, sizeof(number), "%" PRId64, count);
    return render_sample(m, "_count", number, out);
}

static sl_status render_metric(const struct sl_metric *m, struct sl_buf *out)
{
    if (m->kind == KIND_HISTOGRAM)
        return render_histogram(m, out);
    char number[48];
    const int64_t value = sl_metric_value(m);
    if (m->kind == KIND_COUNTER_US)
        snprintf(number, sizeof(number), "%" PRId64 ".%06" PRId64, value / SL_US_PER_S,
                 value % SL_US_PER_S);
    else
        snprintf(number, sizeof(number), "%" PRId64, value);
    return render_sample(m, "", number, out);
}

sl_status sl_metric_render(const struct sl_metric_registry *r, struct sl_buf *out)
{
    const char *name = "";
    for (const struct sl_metric *m = r->first; m; m = m->next) {
        sl_status s = strcmp(m->name, name) == 0 ? SL_OK : render_head(m, out);
        if (s == SL_OK)
            s = render_metric(m, out);
        if (s != SL_OK)
            return s;
        name = m->name;
    }
    return SL_OK;
}
