/* test_sl_conf.c - files that are right: values, defaults, lines, memory. */
#include <stdlib.h>
#include <unistd.h>

#include "conf_sample.h"
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_test.h"
#include "sl_time.h"

struct parsed {
    struct sample v;
    struct sl_conf *conf;
};

/* Ends the test with the errors when there are any. */
static void finish_errors(struct sl_buf *errors, sl_status s)
{
    if (s != SL_OK)
        fail_msg("%s\n%.*s", sl_status_text(s), (int)errors->len, (const char *)errors->data);
    assert_int_equal(errors->len, 0);
    sl_buf_finish(errors);
}

static struct parsed parse(const char *text)
{
    struct parsed p = {0};
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    sl_status s = sl_conf_parse("f.yaml", sl_span_str(text), sample_table, &p.v, &errors, &p.conf);
    finish_errors(&errors, s);
    return p;
}

static void assert_defaults(const struct sample *v)
{
    assert_string_equal(v->grpc, "127.0.0.1:8001");
    assert_string_equal(v->http, "");
    assert_false(v->is_tls);
    assert_int_equal(v->max_calls, 1000);
    assert_true(v->timeout_ns == 60 * SL_NS_PER_S);
    assert_true(v->memory_bytes == 64 << 20);
    assert_int_equal(v->level, SAMPLE_INFO);
    const char *const *hosts = v->hosts.items;
    assert_int_equal(v->hosts.count, 2);
    assert_string_equal(hosts[0], "a");
    assert_string_equal(hosts[1], "b c");
    assert_int_equal(v->tiers.count, 0);
    assert_int_equal(v->inputs.count, 0);
}

static void nothing_gives_defaults(void **state SL_UNUSED)
{
    static const char *const empty[] = {"",     "\n\n", "# only a comment\n", "---\n",    "{}",
                                        "null", "~",    "--- {}\n...\n",      "listen:\n"};
    for (size_t i = 0; i < SL_ARRAY_LEN(empty); i++) {
        struct parsed p = parse(empty[i]);
        assert_defaults(&p.v);
        sl_conf_destroy(p.conf);
    }
    sl_conf_destroy(NULL);
}

static const char full[] = "listen:\n"
                           "  grpc: 0.0.0.0:1\n"
                           "  tls: {use: true}\n"
                           "queue: {max_calls: 65536}\n"
                           "timeout: 1500ms\n"
                           "memory: '1GiB'\n"
                           "log:\n"
                           "  level: \"warn\"\n"
                           "hosts: [x, '', true]\n"
                           "tiers:\n"
                           "  pro: {daily: 1500s, weight: 16}\n"
                           "  free one:\n"
                           "    daily: 2m\n"
                           "inputs:\n"
                           "  - name: A\n"
                           "    type: {data: INT64, shape: [2, -1, 0]}\n"
                           "  - {name: B}\n"
                           "limits: {x: 1, y.z: 2}\n";

static void every_type_is_read(void **state SL_UNUSED)
{
    struct parsed p = parse(full);
    assert_string_equal(p.v.grpc, "0.0.0.0:1");
    assert_string_equal(p.v.http, "");
    assert_true(p.v.is_tls);
    assert_int_equal(p.v.max_calls, 65536);
    assert_true(p.v.timeout_ns == 1500 * SL_NS_PER_MS);
    assert_true(p.v.memory_bytes == 1 << 30);
    assert_int_equal(p.v.level, SAMPLE_WARN);
    const char *const *hosts = p.v.hosts.items;
    assert_int_equal(p.v.hosts.count, 3);
    assert_string_equal(hosts[0], "x");
    assert_string_equal(hosts[1], "");
    assert_string_equal(hosts[2], "true"); /* where a text is wanted, everything is one */
    sl_conf_destroy(p.conf);
}

static void lists_and_maps_of_structs(void **state SL_UNUSED)
{
    struct parsed p = parse(full);
    const struct sample_tier *tiers = p.v.tiers.items;
    assert_int_equal(p.v.tiers.count, 2);
    assert_string_equal(tiers[0].key, "pro");
    assert_int_equal(tiers[0].weight, 16);
    assert_string_equal(tiers[1].key, "free one");
    assert_true(tiers[1].daily_ns == 120 * SL_NS_PER_S);
    assert_int_equal(tiers[1].weight, 1);
    const struct sample_input *inputs = p.v.inputs.items;
    assert_int_equal(p.v.inputs.count, 2);
    assert_string_equal(inputs[0].name, "A");
    assert_int_equal(inputs[0].datatype, 1);
    assert_int_equal(inputs[0].shape.count, 3);
    assert_memory_equal(inputs[0].shape.items, ((int64_t[]){2, -1, 0}), 24);
    assert_int_equal(inputs[1].datatype, 0);
    assert_int_equal(inputs[1].shape.count, 2);
    assert_memory_equal(inputs[1].shape.items, ((int64_t[]){-1, 4}), 16);
    const struct sample_limit *limits = p.v.limits.items;
    assert_int_equal(p.v.limits.count, 2);
    assert_string_equal(limits[1].key, "y.z");
    assert_int_equal(limits[1].value, 2);
    sl_conf_destroy(p.conf);
}

static void empty_lists_and_maps(void **state SL_UNUSED)
{
    struct parsed p = parse("hosts: []\ntiers:\ninputs: ~\nlimits: {}\n");
    assert_int_equal(p.v.hosts.count, 0); /* written, so not the default */
    assert_int_equal(p.v.tiers.count, 0);
    assert_int_equal(p.v.inputs.count, 0);
    assert_int_equal(p.v.limits.count, 0);
    sl_conf_destroy(p.conf);
}

static void strings_keep_their_bytes(void **state SL_UNUSED)
{
    struct parsed p =
        parse("listen:\n  grpc: \"a\\n\\tb\\u00e9\"\n  http: |\n    two\n    lines\n");
    assert_string_equal(p.v.grpc, "a\n\tb\xc3\xa9");
    assert_string_equal(p.v.http, "two\nlines\n");
    sl_conf_destroy(p.conf);
    p = parse("\xef\xbb\xbflisten: {grpc: after a byte order mark}\r\n");
    assert_string_equal(p.v.grpc, "after a byte order mark");
    sl_conf_destroy(p.conf);
}

static void ends_of_ranges_are_inside(void **state SL_UNUSED)
{
    struct parsed p = parse("queue: {max_calls: 1}\ntimeout: 1ms\nmemory: 4KiB\n");
    assert_int_equal(p.v.max_calls, 1);
    sl_conf_destroy(p.conf);
    p = parse("queue: {max_calls: 65536}\ntimeout: 1h\nmemory: 9223372036854775807B\n");
    assert_true(p.v.memory_bytes == INT64_MAX);
    sl_conf_destroy(p.conf);
    p = parse("inputs: [{name: sixteen--bytes--}]\nhosts: [12345678, b, c]\n");
    assert_int_equal(p.v.hosts.count, 3);
    sl_conf_destroy(p.conf);
}

static void lines_of_values(void **state SL_UNUSED)
{
    struct parsed p = parse(full);
    assert_int_equal(sl_conf_line(p.conf, "listen.grpc"), 2);
    assert_int_equal(sl_conf_line(p.conf, "listen"), 2);
    assert_int_equal(sl_conf_line(p.conf, "listen.tls.use"), 3);
    assert_int_equal(sl_conf_line(p.conf, "listen.http"), 0);
    assert_int_equal(sl_conf_line(p.conf, "hosts[2]"), 9);
    assert_int_equal(sl_conf_line(p.conf, "tiers.pro.weight"), 11);
    assert_int_equal(sl_conf_line(p.conf, "tiers.free one.daily"), 13);
    assert_int_equal(sl_conf_line(p.conf, "inputs[0].name"), 15);
    assert_int_equal(sl_conf_line(p.conf, "inputs[0].type.shape[1]"), 16);
    assert_int_equal(sl_conf_line(p.conf, "inputs[1].type.shape"), 0);
    assert_int_equal(sl_conf_line(p.conf, "inputs[1].type.shape[0]"), 0);
    assert_int_equal(sl_conf_line(p.conf, "nowhere"), 0);
    sl_conf_destroy(p.conf);
}

/* ---------------------------------------------------------------------------------------- files */

static void load_without_a_file_gives_defaults(void **state SL_UNUSED)
{
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < SL_ARRAY_LEN(none); i++) {
        struct parsed p = {0};
        struct sl_buf errors;
        sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
        sl_status s = sl_conf_load(none[i], sample_table, &p.v, &errors, &p.conf);
        finish_errors(&errors, s);
        assert_defaults(&p.v);
        sl_conf_destroy(p.conf);
    }
}

static void load_reads_a_file(void **state SL_UNUSED)
{
    char path[] = "/tmp/test_sl_conf.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, full, strlen(full)), strlen(full));
    close(fd);
    struct parsed p = {0};
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    sl_status s = sl_conf_load(path, sample_table, &p.v, &errors, &p.conf);
    unlink(path);
    finish_errors(&errors, s);
    assert_string_equal(p.v.grpc, "0.0.0.0:1");
    sl_conf_destroy(p.conf);
}

/* --------------------------------------------------------------------------------------- memory */

static sl_status parse_over(const char *text, const struct sl_conf_over *over, size_t count,
                            struct sample *v, struct sl_buf *errors, struct sl_conf **conf)
{
    *v = (struct sample){0};
    return sl_conf_parse_over("f.yaml", sl_span_str(text), over, count, sample_table, v, errors,
                              conf);
}

static struct sl_conf_over named(const char *name, const char *text)
{
    return (struct sl_conf_over){name, sl_span_str(text)};
}

static void texts_are_laid_over_each_other(void **state SL_UNUSED)
{
    const struct sl_conf_over over[] = {
        named("one", "{queue: {max_calls: 7}, tiers: {pro: {weight: 3}, new: {daily: 5s}}}"),
        named("two", "hosts: [x]\ntiers: {pro: {weight: 9}}\n"),
        named("none", "# nothing\n"),
    };
    struct sample v;
    struct sl_buf errors;
    struct sl_conf *conf;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    finish_errors(&errors, parse_over("queue: {max_calls: 5}\ntimeout: 3s\nhosts: [a, b]\n"
                                      "tiers: {pro: {daily: 1s, weight: 2}}\n",
                                      over, SL_ARRAY_LEN(over), &v, &errors, &conf));
    const struct sample_tier *tiers = v.tiers.items;
    assert_int_equal(v.max_calls, 7);
    assert_true(v.timeout_ns == 3 * SL_NS_PER_S);
    assert_int_equal(v.hosts.count, 1);
    assert_int_equal(v.tiers.count, 2);
    assert_int_equal(tiers[0].weight, 9);
    assert_true(tiers[0].daily_ns == SL_NS_PER_S);
    assert_string_equal(tiers[1].key, "new");
    assert_int_equal(sl_conf_line(conf, "timeout"), 2);
    assert_true(sl_conf_line(conf, "tiers.pro.weight") > SL_CONF_OVER_LINES);
    sl_conf_destroy(conf);
}

static void what_is_wrong_is_told_of_its_text(void **state SL_UNUSED)
{
    static const struct {
        const char *below, *above, *wanted;
    } rows[] = {
        {"queue: {max_calls: 5}\n", "\n{queue: {max_calls: x}}",
         "above:2:10: queue.max_calls is \"x\""},
        {"queue: {max_calls: x}\n", "{timeout: 5s}", "f.yaml:1:9: queue.max_calls is \"x\""},
        {"timeout: 5s\n", "{no: 5s}", "above:1:2: unknown key no"},
        {"timeout: 5s\n", "[1]", "above:1:1: sections with keys"},
        {"timeout: 5s\n", "{a: ", "above:2:1: not YAML"},
        {"", "{timeout: 5s}", "above:1:1: sections with keys"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        const struct sl_conf_over over = named("above", rows[i].above);
        struct sample v;
        struct sl_buf errors;
        struct sl_conf *conf;
        sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
        assert_status(parse_over(rows[i].below, &over, 1, &v, &errors, &conf), SL_EINVAL);
        assert_ok(sl_buf_append(&errors, "", 1));
        if (strncmp((const char *)errors.data, rows[i].wanted, strlen(rows[i].wanted)) != 0)
            fail_msg("got: %s\nwanted: %s", (const char *)errors.data, rows[i].wanted);
        sl_buf_finish(&errors);
    }
}

static void no_memory_at_any_place(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct sample v = {0};
        struct sl_conf *conf = NULL;
        struct sl_buf errors;
        sl_buf_init(&errors, &f.alloc, 1 << 16);
        sl_status s = sl_conf_parse("f.yaml", sl_span_str(full), sample_table, &v, &errors, &conf);
        assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
        assert_true((conf != NULL) == (s == SL_OK));
        sl_conf_destroy(conf);
        sl_buf_finish(&errors);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* The arena takes memory by blocks: with a first text that grows, each allocation of the walk is
 * once the one that needs a new block, and fails. */
static void no_memory_at_any_place_of_the_walk(void **state SL_UNUSED)
{
    for (size_t pad = 0; pad < 1100; pad += 16) {
        char text[2048];
        snprintf(text, sizeof(text),
                 "listen: {http: %0*d}\nhosts: [a]\nlimits: {x: 1, y: 2}\n"
                 "inputs: [{name: A}, {name: B}]\ntiers: {p: {daily: 1s}}\n",
                 (int)pad + 1, 0);
        struct fail_alloc f;
        for (size_t i = 1; fail_alloc_start(&f, i); i++) {
            struct sample v = {0};
            struct sl_conf *conf = NULL;
            struct sl_buf errors;
            sl_buf_init(&errors, &f.alloc, 1 << 16);
            sl_status s =
                sl_conf_parse("f.yaml", sl_span_str(text), sample_table, &v, &errors, &conf);
            assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
            sl_conf_destroy(conf);
            sl_buf_finish(&errors);
            assert_int_equal(fail_alloc_finish(&f), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_defaults),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(lists_and_maps_of_structs),
        cmocka_unit_test(empty_lists_and_maps),
        cmocka_unit_test(strings_keep_their_bytes),
        cmocka_unit_test(ends_of_ranges_are_inside),
        cmocka_unit_test(lines_of_values),
        cmocka_unit_test(load_without_a_file_gives_defaults),
        cmocka_unit_test(load_reads_a_file),
        cmocka_unit_test(texts_are_laid_over_each_other),
        cmocka_unit_test(what_is_wrong_is_told_of_its_text),
        cmocka_unit_test(no_memory_at_any_place),
        cmocka_unit_test(no_memory_at_any_place_of_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
