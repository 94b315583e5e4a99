/* test_sim_any.c - days by chance: fleets, models, visitors, sizes, losses, limits and policies as they fall, all
 * invariants after every step, and the same seed the same day. */
#include <stdlib.h>

#include "sim_rig.h"
#include "sl_base.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { TEXT_BYTES = 8000, MODELS_MAX = 4, KINDS_MAX = 3, GROUPS_MAX = 5 };

static struct sl_rng rng;

static unsigned below(unsigned n)
{
    return (unsigned)sl_rng_below(&rng, n);
}

static const char *one_of(const char *const *texts, unsigned count)
{
    return texts[below(count)];
}
#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){__VA_ARGS__}, SL_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void add(struct sl_buf *b, const char *fmt, ...) SL_PRINTF(2, 3);
static void add(struct sl_buf *b, const char *fmt, ...)
{
    char text[500];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    assert_ok(sl_buf_append(b, text, strlen(text)));
}

static const char *a_law(void)
{
    return ONE_OF("50ms", "2s", "exponential 3s", "lognormal 6s 1", "uniform 1s 20s");
}

static unsigned add_models(struct sl_buf *b)
{
    unsigned models = 1 + below(MODELS_MAX);
    add(b, "models:\n");
    for (unsigned i = 0; i < models; i++)
        add(b, "  m%u: {run: %s, declared: %s, load: %s}\n", i, a_law(), ONE_OF("5s", "20s", "60s"),
            ONE_OF("0s", "0s", "500ms", "3s"));
    return models;
}

static void add_fleet(struct sl_buf *b, unsigned models)
{
    unsigned kinds = 1 + below(KINDS_MAX);
    add(b, "fleet:\n");
    for (unsigned i = 0; i < kinds; i++) {
        add(b, "  k%u: {nodes: %u, devices: %u, slices: %u, whole: %s, repair: 20s, life: %s", i,
            1 + below(2), 1 + below(2), 1 + below(3), ONE_OF("true", "false"),
            ONE_OF("0s", "0s", "2m"));
        if (i > 0)
            add(b, ", models: [m%u]", below(models));
        add(b, "}\n");
    }
    add(b, "losses: [{at: %us, for: 30s, node: k0-0}]\n", below(600));
}

static void add_visitors(struct sl_buf *b, unsigned models)
{
    unsigned groups = 1 + below(GROUPS_MAX);
    add(b, "visitors:\n");
    for (unsigned i = 0; i < groups; i++) {
        add(b, "  g%u: {tier: %s, visitors: %u, calls: %u, size: %s, declares: %s, max_wait: %s", i,
            ONE_OF("anonymous", "free", "pro", "idle"), 1 + below(50), 5000 + below(60000),
            ONE_OF("''", "''", "large", "xlarge"),
            ONE_OF("''", "auto", "run", "run x 2", "1s", "exponential 10s"),
            ONE_OF("0s", "5s", "3m"));
        if (below(3) == 0)
            add(b, ", leaves: exponential 10s");
        if (below(3) == 0)
            add(b, ", models: {m%u: 1}", below(models));
        if (below(3) == 0)
            add(b, ", bursts: [{at: 3m, for: 1m, times: 5}]");
        add(b, "}\n");
    }
}

static void write_day(struct sl_buf *b)
{
    sl_buf_clear(b);
    add(b, "length: 8m\n");
    unsigned models = add_models(b);
    add_fleet(b, models);
    add_visitors(b, models);
    add(b, "tiers: {idle: {daily: 20s, when_idle: run, weight: %u}, free: {weight: %u}}\n",
        1 + below(20), 1 + below(20));
    add(b, "scheduler: {policy: %s}\n", ONE_OF("fair", "fair", "strict", "fifo"));
    add(b, "limits: {queue: %u, queue_of_tier: %u}\n", 20 + below(500), 10 + below(200));
    add(b, "link: {feed_ahead: %s}\n", ONE_OF("2ms", "200ms"));
    assert_ok(sl_buf_append(b, "", 1));
}

static void any_day_keeps_its_invariants(void **state SL_UNUSED)
{
    static struct sim_scenario scenario;
    static struct sim_result first, again;
    struct sl_buf text;
    unsigned days = rig_count("days", 400, 12);
    uint64_t calls = 0;
    sl_buf_init(&text, &sl_alloc_malloc, TEXT_BYTES);
    for (unsigned day = 0; day < days; day++) {
        const struct sim_day_options o = {.seed = day, .is_paranoid = true, .max_calls = 2000};
        const struct sim_day_options quick = {.seed = day, .max_calls = 2000};
        sl_rng_seed(&rng, 1000 + day);
        write_day(&text);
        rig_read((const char *)text.data, &scenario);
        assert_ok(sim_day_run(&scenario, &o, &first));
        if (first.wrong[0] != '\0')
            fail_msg("day %u, step %llu: %s\n%s", day, (unsigned long long)first.steps, first.wrong,
                     (const char *)text.data);
        rig_run(&scenario, &quick, &again);
        assert_true(first.digest == again.digest && first.steps == again.steps);
        calls += first.calls;
        sim_result_finish(&first);
        sim_result_finish(&again);
        sim_scenario_finish(&scenario);
    }
    printf("%llu calls\n", (unsigned long long)calls);
    sl_buf_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_day_keeps_its_invariants)};
    sl_log_setup("test", SL_LOG_ERROR, SL_LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
