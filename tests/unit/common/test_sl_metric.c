/* test_sl_metric.c - the page byte for byte, and counts from many threads at once. */
#include <pthread.h>

#include "fail_alloc.h"
#include "sl_metric.h"
#include "sl_test.h"
#include "sl_time.h"

static struct sl_metric_registry *make(void)
{
    struct sl_metric_registry *r;
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &r));
    return r;
}

static void assert_page(const struct sl_metric_registry *r, const char *wanted)
{
    struct sl_buf page;
    sl_buf_init(&page, &sl_alloc_malloc, 1 << 20);
    assert_ok(sl_metric_render(r, &page));
    assert_span_text(sl_buf_span(&page), wanted);
    sl_buf_finish(&page);
}

static void empty_page(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    assert_page(r, "");
    sl_metric_registry_destroy(r);
    sl_metric_registry_destroy(NULL);
}

static void counters_and_gauges(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    struct sl_metric *ok = sl_metric_counter(r, "calls_total", "end=\"ok\"", "Calls ended.");
    struct sl_metric *bad = sl_metric_counter(r, "calls_total", "end=\"bad\"", "Calls ended.");
    struct sl_metric *depth = sl_metric_gauge(r, "queue_calls", "", "Calls waiting.");
    sl_metric_add(ok, 3);
    sl_metric_add(ok, 1);
    sl_metric_add(depth, 5);
    sl_metric_add(depth, -7);
    assert_int_equal(sl_metric_value(ok), 4);
    assert_int_equal(sl_metric_value(bad), 0);
    assert_int_equal(sl_metric_value(depth), -2);
    assert_page(r, "# HELP calls_total Calls ended.\n"
                   "# TYPE calls_total counter\n"
                   "calls_total{end=\"ok\"} 4\n"
                   "calls_total{end=\"bad\"} 0\n"
                   "# HELP queue_calls Calls waiting.\n"
                   "# TYPE queue_calls gauge\n"
                   "queue_calls -2\n");
    sl_metric_set(depth, INT64_MAX);
    assert_true(sl_metric_value(depth) == INT64_MAX);
    sl_metric_registry_destroy(r);
}

static void microseconds_are_shown_as_seconds_exactly(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    struct sl_metric *held = sl_metric_counter_us(r, "held_seconds_total", "", "Held.");
    sl_metric_add(held, 1);
    assert_page(r, "# HELP held_seconds_total Held.\n"
                   "# TYPE held_seconds_total counter\n"
                   "held_seconds_total 0.000001\n");
    sl_metric_add(held, INT64_MAX - 1);
    assert_true(sl_metric_value(held) == INT64_MAX);
    assert_page(r, "# HELP held_seconds_total Held.\n"
                   "# TYPE held_seconds_total counter\n"
                   "held_seconds_total 9223372036854.775807\n");
    sl_metric_registry_destroy(r);
}

static const double bounds[] = {0.001, 0.1, 2.5};

static void histogram_is_cumulative(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    struct sl_metric *h = sl_metric_histogram_seconds(r, "wait_seconds", "size=\"large\"",
                                                      "Time in the queue.", bounds, 3);
    sl_metric_observe_ns(h, 0);
    sl_metric_observe_ns(h, SL_NS_PER_MS);     /* on a bound: below it */
    sl_metric_observe_ns(h, SL_NS_PER_MS + 1); /* just over */
    sl_metric_observe_ns(h, 2 * SL_NS_PER_S);
    sl_metric_observe_ns(h, 3600 * SL_NS_PER_S);
    assert_int_equal(sl_metric_value(h), 5);
    assert_page(r, "# HELP wait_seconds Time in the queue.\n"
                   "# TYPE wait_seconds histogram\n"
                   "wait_seconds_bucket{size=\"large\",le=\"0.001\"} 2\n"
                   "wait_seconds_bucket{size=\"large\",le=\"0.1\"} 3\n"
                   "wait_seconds_bucket{size=\"large\",le=\"2.5\"} 4\n"
                   "wait_seconds_bucket{size=\"large\",le=\"+Inf\"} 5\n"
                   "wait_seconds_sum{size=\"large\"} 3602.002000001\n"
                   "wait_seconds_count{size=\"large\"} 5\n");
    sl_metric_registry_destroy(r);
}

static void histogram_without_labels_or_buckets(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    struct sl_metric *h = sl_metric_histogram_seconds(r, "x_seconds", "", "X.", NULL, 0);
    sl_metric_observe_ns(h, SL_NS_PER_S / 2);
    assert_page(r, "# HELP x_seconds X.\n"
                   "# TYPE x_seconds histogram\n"
                   "x_seconds_bucket{le=\"+Inf\"} 1\n"
                   "x_seconds_sum 0.5\n"
                   "x_seconds_count 1\n");
    sl_metric_registry_destroy(r);
}

static void numbers_read_back_as_they_were(void **state SL_UNUSED)
{
    static const double odd[] = {1e-7, 0.1 + 0.2, 1.0 / 3, 20000, 123456789, 1e15, 1e22};
    struct sl_metric_registry *r = make();
    assert_non_null(sl_metric_histogram_seconds(r, "x", "", "X.", odd, 7));
    assert_page(r, "# HELP x X.\n"
                   "# TYPE x histogram\n"
                   "x_bucket{le=\"1e-07\"} 0\n"
                   "x_bucket{le=\"0.30000000000000004\"} 0\n"
                   "x_bucket{le=\"0.3333333333333333\"} 0\n"
                   "x_bucket{le=\"20000\"} 0\n"
                   "x_bucket{le=\"123456789\"} 0\n"
                   "x_bucket{le=\"1e+15\"} 0\n"
                   "x_bucket{le=\"1e+22\"} 0\n"
                   "x_bucket{le=\"+Inf\"} 0\n"
                   "x_sum 0\n"
                   "x_count 0\n");
    sl_metric_registry_destroy(r);
}

static void too_many_buckets_are_refused(void **state SL_UNUSED)
{
    double many[SL_METRIC_BUCKETS_MAX + 1];
    for (int i = 0; i <= SL_METRIC_BUCKETS_MAX; i++)
        many[i] = i;
    struct sl_metric_registry *r = make();
    assert_null(sl_metric_histogram_seconds(r, "x", "", "X.", many, SL_METRIC_BUCKETS_MAX + 1));
    struct sl_metric *h =
        sl_metric_histogram_seconds(r, "x", "", "X.", many, SL_METRIC_BUCKETS_MAX);
    sl_metric_observe_ns(h, INT64_MAX);
    assert_int_equal(sl_metric_value(h), 1);
    sl_metric_registry_destroy(r);
}

static void help_is_escaped(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    assert_non_null(sl_metric_counter(r, "a_total", "", "back\\slash and\nnew line"));
    assert_page(r, "# HELP a_total back\\\\slash and\\nnew line\n"
                   "# TYPE a_total counter\n"
                   "a_total 0\n");
    sl_metric_registry_destroy(r);
}

static void nothing_happens_without_a_metric(void **state SL_UNUSED)
{
    sl_metric_add(NULL, 1);
    sl_metric_set(NULL, 1);
    sl_metric_observe_ns(NULL, 1);
    assert_int_equal(sl_metric_value(NULL), 0);
    struct sl_metric_registry *r = make();
    struct sl_metric *counter = sl_metric_counter(r, "a_total", "", "A.");
    sl_metric_observe_ns(counter, 1); /* no histogram: no effect */
    assert_int_equal(sl_metric_value(counter), 0);
    sl_metric_registry_destroy(r);
}

static sl_status scenario(const struct sl_alloc *alloc)
{
    struct sl_metric_registry *r;
    struct sl_buf page;
    sl_status s = sl_metric_registry_create(alloc, &r);
    if (s != SL_OK)
        return s;
    sl_buf_init(&page, alloc, 1 << 20);
    bool has_all = sl_metric_counter(r, "a_total", "", "A.") != NULL;
    struct sl_metric *h = sl_metric_histogram_seconds(r, "b_seconds", "", "B.", bounds, 3);
    sl_metric_observe_ns(h, 1);
    has_all = has_all && h;
    s = sl_metric_render(r, &page);
    sl_buf_finish(&page);
    sl_metric_registry_destroy(r);
    return has_all ? s : SL_ENOMEM;
}

static void no_memory_at_any_place(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        sl_status s = scenario(&f.alloc);
        assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

static void page_larger_than_the_buffer(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    assert_non_null(sl_metric_histogram_seconds(r, "b_seconds", "", "B.", bounds, 3));
    struct sl_buf page;
    sl_buf_init(&page, &sl_alloc_malloc, 0);
    while (sl_metric_render(r, &page) == SL_ETOOBIG) { /* every length that is too short */
        sl_buf_clear(&page);
        page.max_bytes++;
        assert_true(page.max_bytes < 1000);
    }
    assert_int_equal(page.len, page.max_bytes);
    sl_buf_finish(&page);
    sl_metric_registry_destroy(r);
}

struct shared {
    struct sl_metric *counter;
    struct sl_metric *histogram;
};

enum { THREADS = 4, ROUNDS = 20000 };

static void *hammer(void *arg)
{
    const struct shared *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        sl_metric_add(s->counter, 1);
        sl_metric_observe_ns(s->histogram, SL_NS_PER_S / 4);
    }
    return NULL;
}

static void threads_lose_nothing(void **state SL_UNUSED)
{
    struct sl_metric_registry *r = make();
    struct shared s = {sl_metric_counter(r, "a_total", "", "A."),
                       sl_metric_histogram_seconds(r, "b_seconds", "", "B.", bounds, 3)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &s), 0);
    struct sl_buf page;
    sl_buf_init(&page, &sl_alloc_malloc, 1 << 20);
    for (int i = 0; i < 50; i++) { /* a page may be made at any time */
        sl_buf_clear(&page);
        assert_ok(sl_metric_render(r, &page));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sl_metric_value(s.counter), THREADS * ROUNDS);
    assert_int_equal(sl_metric_value(s.histogram), THREADS * ROUNDS);
    sl_buf_clear(&page);
    assert_ok(sl_metric_render(r, &page));
    assert_ok(sl_buf_append(&page, "", 1));
    assert_non_null(strstr((const char *)page.data, "b_seconds_sum 20000\n"));
    sl_buf_finish(&page);
    sl_metric_registry_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_page),
        cmocka_unit_test(counters_and_gauges),
        cmocka_unit_test(microseconds_are_shown_as_seconds_exactly),
        cmocka_unit_test(histogram_is_cumulative),
        cmocka_unit_test(histogram_without_labels_or_buckets),
        cmocka_unit_test(numbers_read_back_as_they_were),
        cmocka_unit_test(too_many_buckets_are_refused),
        cmocka_unit_test(help_is_escaped),
        cmocka_unit_test(nothing_happens_without_a_metric),
        cmocka_unit_test(no_memory_at_any_place),
        cmocka_unit_test(page_larger_than_the_buffer),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
