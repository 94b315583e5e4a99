/* test_sl_conf_diff.c - a reload is told which keys changed. */
#include "conf_sample.h"
#include "sl_base.h"
#include "sl_test.h"

static void parse(const char *text, struct sample *v, struct sl_conf **conf)
{
    struct sl_buf errors;
    *v = (struct sample){0};
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    assert_ok(sl_conf_parse("f.yaml", sl_span_str(text), sample_table, v, &errors, conf));
    sl_buf_finish(&errors);
}

static void add_name(void *ctx, const struct sl_conf_key *key)
{
    assert_ok(sl_buf_printf(ctx, "%s%s ", key->name, key->reloadable ? "*" : ""));
}

static void assert_diff(const char *before, const char *after, const char *wanted)
{
    struct sample a;
    struct sample b;
    struct sl_conf *conf_a;
    struct sl_conf *conf_b;
    struct sl_buf names;
    parse(before, &a, &conf_a);
    parse(after, &b, &conf_b);
    sl_buf_init(&names, &sl_alloc_malloc, 4096);
    sl_conf_diff(sample_table, &a, &b, add_name, &names);
    assert_span_text(sl_buf_span(&names), wanted);
    sl_buf_clear(&names);
    sl_conf_diff(sample_table, &b, &a, add_name, &names);
    assert_span_text(sl_buf_span(&names), wanted);
    sl_buf_finish(&names);
    sl_conf_destroy(conf_a);
    sl_conf_destroy(conf_b);
}

static const char full[] =
    "listen: {grpc: a, tls: {use: true}, http: b}\n"
    "queue: {max_calls: 5}\ntimeout: 90s\nmemory: 1GiB\nlog: {level: warn}\nhosts: [a, b]\n"
    "tiers: {p: {daily: 1s}, q: {daily: 2s, weight: 3}}\n"
    "inputs: [{name: A, type: {shape: [1, 2]}}]\nlimits: {x: 1}\n";

static void reloadable_values_are_taken(void **state SL_UNUSED)
{
    struct sample in_force, fresh;
    struct sl_conf *conf_a, *conf_b;
    parse("", &in_force, &conf_a);
    parse(full, &fresh, &conf_b);
    const char *grpc = in_force.grpc;
    int64_t timeout_ns = in_force.timeout_ns;
    sl_conf_take_reloadable(sample_table, &in_force, &fresh);
    assert_int_equal(in_force.max_calls, 5);
    assert_int_equal(in_force.level, SAMPLE_WARN);
    assert_ptr_equal(in_force.grpc, grpc); /* neither a string nor what needs a restart */
    assert_int_equal(in_force.timeout_ns, timeout_ns);
    sl_conf_destroy(conf_a);
    sl_conf_destroy(conf_b);
}

static void equal_values_are_no_change(void **state SL_UNUSED)
{
    assert_diff("", "", "");
    assert_diff(full, full, "");
    assert_diff("timeout: 60s", "timeout: 1m", ""); /* written otherwise, or as the default is */
}

static void scalars(void **state SL_UNUSED)
{
    assert_diff("", "listen: {grpc: x}", "listen.grpc ");
    assert_diff("", "listen: {tls: {use: true}}", "listen.tls.use ");
    assert_diff("", "queue: {max_calls: 7}", "queue.max_calls* ");
    assert_diff("", "timeout: 61s", "timeout ");
    assert_diff("", "memory: 63MiB", "memory ");
    assert_diff("", "log: {level: debug}", "log.level* ");
    assert_diff("", "log: {level: debug}\nlisten: {http: h}", "listen.http log.level* ");
}

static void lists_and_maps(void **state SL_UNUSED)
{
    assert_diff("hosts: [a, b]", "hosts: [a]", "hosts ");
    assert_diff("hosts: [a, b]", "hosts: [b, a]", "hosts ");
    assert_diff("tiers: {p: {daily: 1s}}", "tiers: {q: {daily: 1s}}", "tiers ");
    assert_diff("tiers: {p: {daily: 1s}}", "tiers: {p: {daily: 1s, weight: 2}}", "tiers ");
    assert_diff("inputs: [{name: A}]", "inputs: [{name: A, type: {shape: [-1]}}]", "inputs ");
    assert_diff("inputs: [{name: A}]", "inputs: [{name: A, type: {shape: [-1, 4]}}]", "");
    assert_diff("limits: {x: 1}", "limits: {x: 2}", "limits ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reloadable_values_are_taken),
        cmocka_unit_test(equal_values_are_no_change),
        cmocka_unit_test(scalars),
        cmocka_unit_test(lists_and_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
