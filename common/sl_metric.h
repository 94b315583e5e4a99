/* sl_metric.h - counters, gauges, histograms, and their Prometheus text (exposition format 0.0.4).
 *
 * Metrics are registered at start, before threads; after that any thread may change them and one
 * may render at the same time (relaxed atomics: a page may show one metric a moment ahead of
 * another).
 *
 * Memory   A registry owns its metrics. Label sets are fixed at registration, so their number is
 *          bounded by the code.
 */
#ifndef SL_METRIC_H
#define SL_METRIC_H

#include <stdint.h>

#include "sl_buf.h"
#include "sl_status.h"

struct sl_metric_registry;
struct sl_metric;

SL_MUST_CHECK sl_status sl_metric_registry_create(const struct sl_alloc *alloc,
                                                  struct sl_metric_registry **out);
void sl_metric_registry_destroy(struct sl_metric_registry *r);

/* name is a Prometheus name (counters end in _total), help one sentence, labels "" or
 * `state="queued"` ready to stand between braces. All three are borrowed for the registry's life.
 * Metrics of one name must follow one another. NULL: no memory. */
struct sl_metric *sl_metric_counter(struct sl_metric_registry *r, const char *name,
                                    const char *labels, const char *help);
/* Counts microseconds; the page says seconds with six decimals, so that sums stay exact. */
struct sl_metric *sl_metric_counter_us(struct sl_metric_registry *r, const char *name,
                                       const char *labels, const char *help);
struct sl_metric *sl_metric_gauge(struct sl_metric_registry *r, const char *name,
                                  const char *labels, const char *help);
/* Buckets are upper bounds, growing; at most SL_METRIC_BUCKETS_MAX, borrowed. */
enum { SL_METRIC_BUCKETS_MAX = 24 };
struct sl_metric *sl_metric_histogram_seconds(struct sl_metric_registry *r, const char *name,
                                              const char *labels, const char *help,
                                              const double *bounds, size_t count);

struct sl_metric *sl_metric_histogram(struct sl_metric_registry *r, const char *name,
                                      const char *labels, const char *help, const double *bounds,
                                      size_t count);

/* m may be NULL in all of these: nothing happens. */
void sl_metric_add(struct sl_metric *m, int64_t n);
void sl_metric_set(struct sl_metric *m, int64_t value);
void sl_metric_observe_ns(struct sl_metric *m, int64_t ns);        /* of a histogram of seconds */
void sl_metric_observe_count(struct sl_metric *m, uint64_t count); /* of any other */
int64_t sl_metric_value(const struct sl_metric *m); /* counter or gauge; count of a histogram */

/* Appends the whole page. Errors: SL_ETOOBIG, SL_ENOMEM. */
SL_MUST_CHECK sl_status sl_metric_render(const struct sl_metric_registry *r, struct sl_buf *out);

#endif
