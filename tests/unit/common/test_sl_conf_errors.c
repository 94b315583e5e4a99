/* test_sl_conf_errors.c - files that are wrong: each sentence, its line and column, all at once. */
#include <stdlib.h>

#include "conf_sample.h"
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

/* The report on text; to be finished by the caller. */
static struct sl_buf report_on(struct sl_span text, sl_status wanted)
{
    struct sample v = {0};
    struct sl_conf *conf = NULL;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 20);
    assert_status(sl_conf_parse("f.yaml", text, sample_table, &v, &errors, &conf), wanted);
    assert_null(conf);
    return errors;
}

static void assert_report(const char *text, const char *wanted)
{
    struct sl_buf errors = report_on(sl_span_str(text), SL_EINVAL);
    assert_span_text(sl_buf_span(&errors), wanted);
    sl_buf_finish(&errors);
}

/* ----------------------------------------------------------------------------------------- keys */

static void unknown_keys(void **state SL_UNUSED)
{
    assert_report("lisen: {grpc: x}\n", "f.yaml:1:1: unknown key lisen; did you mean listen?\n");
    assert_report("listen: {\n  gprc: x}\n",
                  "f.yaml:2:3: unknown key listen.gprc; did you mean listen.grpc?\n");
    assert_report("queue: {max_call: 1}\n",
                  "f.yaml:1:9: unknown key queue.max_call; did you mean queue.max_calls?\n");
    assert_report("grpc: x\n", "f.yaml:1:1: unknown key grpc; did you mean listen.grpc?\n");
    assert_report("entirely_different: x\n", "f.yaml:1:1: unknown key entirely_different\n");
    assert_report("k234567890123456789012345678901234567890123456789012345678901234567890: x\n",
                  "f.yaml:1:1: unknown key "
                  "k234567890123456789012345678901234567890123456789012345678901234567890\n");
    assert_report("inputs:\n  - {name: a, typ: {}}\n",
                  "f.yaml:2:15: unknown key inputs[0].typ; did you mean inputs[0].type?\n");
    assert_report("tiers: {pro: {daily: 1s, wieght: 2}}\n",
                  "f.yaml:1:26: unknown key tiers.pro.wieght; did you mean tiers.pro.weight?\n");
}

static void dotted_keys_are_not_sections(void **state SL_UNUSED)
{
    assert_report("listen.grpc: x\n", "f.yaml:1:1: unknown key listen.grpc; write sections nested, "
                                      "as a: {b: value}\n");
}

static void duplicate_keys(void **state SL_UNUSED)
{
    assert_report("timeout: 1s\nmemory: 1GiB\n\"timeout\": its value is not looked at\n",
                  "f.yaml:3:1: timeout is given twice; the first is on line 1\n");
    assert_report("listen: {grpc: a}\nlisten: {http: b}\n",
                  "f.yaml:2:1: listen is given twice; the first is on line 1\n");
    assert_report("tiers:\n  a: {daily: 1s}\n  a: {daily: 1s}\n",
                  "f.yaml:3:3: tiers.a is given twice; the first is on line 2\n");
}

static void keys_that_are_no_names(void **state SL_UNUSED)
{
    assert_report("? [a, b]\n: 1\n", "f.yaml:1:3: a key must be a text, not a list or section\n");
    assert_report("'': 1\n", "f.yaml:1:1: a key must not be empty or contain a NUL character\n");
    assert_report("tiers: {\"a\\0b\": 1}\n",
                  "f.yaml:1:9: a key must not be empty or contain a NUL character\n");
    assert_report("\"a\\nb\": 1\n", "f.yaml:1:1: unknown key a?b\n"); /* a line stays one line */
}

static void long_keys(void **state SL_UNUSED)
{
    char text[400];
    memset(text, 'k', sizeof(text));
    memcpy(text, "tiers: {", 8);
    memcpy(text + 8 + 257, ": {daily: x}}", 14);
    assert_report(text,
                  "f.yaml:1:9: the key \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
                  "kkkkkkkkkkkkkkkkkk\"... has 257 bytes; at most 256 are allowed\n");
    memcpy(text + 8 + 256, ": {daily: x}}", 14);
    struct sl_buf errors = report_on(sl_span_str(text), SL_EINVAL); /* 256 bytes are fine */
    assert_int_equal(strncmp((const char *)errors.data, "f.yaml:1:268: tiers.kkk", 23), 0);
    sl_buf_finish(&errors);
}

/* --------------------------------------------------------------------------------------- values */

static void wrong_values(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        const char *report;
    } cases[] = {
        {"queue: {max_calls: 0}",
         "1:9: queue.max_calls is \"0\"; it must be a whole number from 1 to 65536"},
        {"queue: {max_calls: 65537}",
         "1:9: queue.max_calls is \"65537\"; it must be a whole number from 1 to 65536"},
        {"queue: {max_calls: ten}",
         "1:9: queue.max_calls is \"ten\"; it must be a whole number from 1 to 65536"},
        {"queue: {max_calls: 99999999999999999999}",
         "1:9: queue.max_calls is \"99999999999999999999\"; it must be a whole number from 1 to "
         "65536"},
        {"queue: {max_calls: '5'}", "1:9: queue.max_calls is a text in quotes; it must be a whole "
                                    "number from 1 to 65536 without quotes"},
        {"queue: {max_calls: [5]}",
         "1:9: queue.max_calls is a list; it must be a whole number from 1 to 65536"},
        {"queue: {max_calls: }",
         "1:9: queue.max_calls has no value; it must be a whole number from 1 to 65536"},
        {"listen: {tls: {use: yes}}", "1:16: listen.tls.use is \"yes\"; it must be true or false"},
        {"listen: {tls: {use: 'true'}}",
         "1:16: listen.tls.use is a text in quotes; it must be true "
         "or false without quotes"},
        {"timeout: 60", "1:1: timeout is \"60\"; it must be a duration from 1ms to 1h, with a unit "
                        "(ms, s, m, h, d)"},
        {"timeout: 3601s", "1:1: timeout is \"3601s\"; it must be a duration from 1ms to 1h, with "
                           "a unit (ms, s, m, h, d)"},
        {"timeout: -1s", "1:1: timeout is \"-1s\"; it must be a duration from 1ms to 1h, with a "
                         "unit (ms, s, m, h, d)"},
        {"memory: 4095B", "1:1: memory is \"4095B\"; it must be a size of at least 4KiB, with a "
                          "unit (B, KiB, MiB, GiB)"},
        {"memory: 64M", "1:1: memory is \"64M\"; it must be a size of at least 4KiB, with a unit "
                        "(B, KiB, MiB, GiB)"},
        {"memory: 9223372036854775808B", "1:1: memory is \"9223372036854775808B\"; it must be a "
                                         "size of at least 4KiB, with a unit (B, KiB, MiB, GiB)"},
        {"cache: much",
         "1:1: cache is \"much\"; it must be a size, with a unit (B, KiB, MiB, GiB)"},
        {"log: {level: loud}", "1:7: log.level is \"loud\"; it must be one of debug, info, warn"},
        {"log: {level: INFO}", "1:7: log.level is \"INFO\"; it must be one of debug, info, warn"},
        {"listen: {grpc: }",
         "1:10: listen.grpc has no value; it must be a text of at most 4096 bytes"},
        {"listen: {grpc: ~}",
         "1:10: listen.grpc has no value; it must be a text of at most 4096 bytes"},
        {"listen: {grpc: {a: b}}",
         "1:10: listen.grpc is a section; it must be a text of at most 4096 bytes"},
        {"listen: {grpc: \"a\\0b\"}", "1:10: listen.grpc contains a NUL character; it must be a "
                                      "text of at most 4096 bytes"},
        {"hosts: [ninebytes]", "1:9: hosts[0] has 9 bytes; it must be a text of at most 8 bytes"},
        {"hosts: [\"abc\\0defg\"]",
         "1:9: hosts[0] contains a NUL character; it must be a text of at most 8 bytes"},
        {"hosts: a", "1:1: hosts is a single value; it must be a list of at most 3 items"},
        {"hosts: {a: b}", "1:1: hosts is a section; it must be a list of at most 3 items"},
        {"hosts: [a, b, c, d]", "1:1: hosts has 4 items; at most 3 are allowed"},
        {"tiers: [a]", "1:1: tiers is a list; it must be a section of at most 4 names"},
        {"tiers: {a: , b: , c: , d: , e: }", "1:1: tiers has 5 items; at most 4 are allowed"},
        {"tiers: {a: 5}", "1:9: tiers.a is a single value; it must be a section with keys"},
        {"tiers: {a: {}}",
         "1:9: tiers.a.daily is missing; it must be a duration, with a unit (ms, s, m, h, d)"},
        {"tiers: {a: }",
         "1:9: tiers.a.daily is missing; it must be a duration, with a unit (ms, s, m, h, d)"},
        {"inputs: [{name: a, type: {shape: [1, -2]}}]",
         "1:38: inputs[0].type.shape[1] is \"-2\"; it must be a whole number of at least -1"},
        {"inputs: [{name: a, type: 5}]",
         "1:20: inputs[0].type is a single value; it must be a section with keys"},
        {"limits: {a: 11}", "1:10: limits.a is \"11\"; it must be a whole number from 0 to 10"},
        {"listen: 5", "1:1: listen is a single value; it must be a section with keys"},
        {"listen: [grpc]", "1:1: listen is a list; it must be a section with keys"},
        {"just text", "1:1: the file is a single value; it must be a section with keys"},
        {"- a\n- b", "1:1: the file is a list; it must be a section with keys"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        char wanted[512];
        snprintf(wanted, sizeof(wanted), "f.yaml:%s\n", cases[i].report);
        assert_report(cases[i].text, wanted);
    }
}

static void long_values_are_cut_in_the_sentence(void **state SL_UNUSED)
{
    assert_report(
        "log: {level: \"line\\nline "
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
        "f.yaml:1:7: log.level is \"line?line "
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"...; it must be "
        "one of debug, info, warn\n");
}

static void everything_is_reported_at_once(void **state SL_UNUSED)
{
    assert_report(
        "lisen: {}\n"
        "queue:\n"
        "  max_calls: many\n"
        "timeout: 5\n"
        "timeout: 5s\n"
        "tiers:\n"
        "  pro: {weight: 0}\n"
        "inputs:\n"
        "  - {type: {shape: [x]}}\n"
        "  - 5\n",
        "f.yaml:1:1: unknown key lisen; did you mean listen?\n"
        "f.yaml:3:3: queue.max_calls is \"many\"; it must be a whole number from 1 to 65536\n"
        "f.yaml:4:1: timeout is \"5\"; it must be a duration from 1ms to 1h, with a unit (ms, s, "
        "m, h, d)\n"
        "f.yaml:5:1: timeout is given twice; the first is on line 4\n"
        "f.yaml:7:9: tiers.pro.weight is \"0\"; it must be a whole number from 1 to 100\n"
        "f.yaml:7:3: tiers.pro.daily is missing; it must be a duration, with a unit (ms, s, m, h, "
        "d)\n"
        "f.yaml:9:21: inputs[0].type.shape[0] is \"x\"; it must be a whole number of at least -1\n"
        "f.yaml:9:5: inputs[0].name is missing; it must be a text of at most 16 bytes\n"
        "f.yaml:10:5: inputs[1] is a single value; it must be a section with keys\n");
}

/* ----------------------------------------------------------------------------------------- YAML */

static void anchors_aliases_and_tags(void **state SL_UNUSED)
{
    assert_report("listen: &l {grpc: x}\nqueue: *l\n",
                  "f.yaml:1:9: anchor &l: anchors and aliases are not allowed; repeat the value\n"
                  "f.yaml:2:8: alias *l: anchors and aliases are not allowed; repeat the value\n");
    assert_report("timeout: !!str 5s\nhosts: !mine [a]\n",
                  "f.yaml:1:10: tag tag:yaml.org,2002:str: tags are not allowed; leave it out\n"
                  "f.yaml:2:8: tag !mine: tags are not allowed; leave it out\n");
}

static void one_document(void **state SL_UNUSED)
{
    assert_report("timeout: 1s\n---\ntimeout: 2s\n",
                  "f.yaml:2:1: a second document begins; a file has one\n");
}

static void syntax_errors(void **state SL_UNUSED)
{
    assert_report("hosts: [a\ntimeout: 1s\n",
                  "f.yaml:2:8: not YAML: did not find expected ',' or ']' while parsing a flow "
                  "sequence\n");
    assert_report("timeout: \"open\n", "f.yaml:2:1: not YAML: found unexpected end of stream while "
                                       "scanning a quoted scalar\n");
    assert_report("a: 1\n\tb: 2\n", "f.yaml:2:1: not YAML: found a tab character that violates "
                                    "indentation while scanning a plain scalar\n");
    assert_report("a: 1\nb\xff: 2\n", "f.yaml:2:2: not YAML: invalid leading UTF-8 octet\n");
    assert_report("a: \x01\n", "f.yaml:1:4: not YAML: control characters are not allowed\n");
}

static void levels_are_limited(void **state SL_UNUSED)
{
    assert_report("hosts: [[[[[[[[[[[[[[[[5]]]]]]]]]]]]]]]]", "f.yaml:1:23: more than 16 levels\n");
    assert_report("hosts: [[[[[[[[[[[[[[[5]]]]]]]]]]]]]]]",
                  "f.yaml:1:9: hosts[0] is a list; it must be a text of at most 8 bytes\n");
}

static char *repeat(const char *head, const char *piece, size_t count)
{
    size_t piece_len = strlen(piece);
    char *text = malloc(strlen(head) + piece_len * count + 1);
    assert_non_null(text);
    char *p = stpcpy(text, head);
    for (size_t i = 0; i < count; i++)
        p = stpcpy(p, piece);
    return text;
}

static void nodes_are_limited(void **state SL_UNUSED)
{
    /* The root, hosts and its list are three. */
    char *text = repeat("hosts:\n", "- a\n", SL_CONF_NODES_MAX - 3);
    assert_report(text, "f.yaml:1:1: hosts has 19997 items; at most 3 are allowed\n");
    free(text);
    text = repeat("hosts:\n", "- a\n", SL_CONF_NODES_MAX - 2);
    assert_report(text, "f.yaml:19999:3: more than 20000 keys and values\n");
    free(text);
}

static void bytes_are_limited(void **state SL_UNUSED)
{
    char *text = repeat("", "#", SL_CONF_BYTES_MAX + 1);
    assert_report(text, "f.yaml: 1048577 bytes; at most 1048576 are read\n");
    memcpy(text, "a: 1\n", 5);
    text[SL_CONF_BYTES_MAX] = '\0'; /* as many as are read */
    assert_report(text, "f.yaml:1:1: unknown key a\n");
    free(text);
}

static void files_that_cannot_be_read(void **state SL_UNUSED)
{
    struct sample v = {0};
    struct sl_conf *conf;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    assert_status(sl_conf_load("/nonexistent/f.yaml", sample_table, &v, &errors, &conf), SL_EINVAL);
    assert_status(sl_conf_load("/", sample_table, &v, &errors, &conf), SL_EINVAL);
    assert_status(sl_conf_load("/dev/zero", sample_table, &v, &errors, &conf), SL_EINVAL);
    assert_span_text(sl_buf_span(&errors),
                     "/nonexistent/f.yaml: cannot be read: No such file or directory\n"
                     "/: cannot be read: Is a directory\n"
                     "/dev/zero: 1048577 bytes; at most 1048576 are read\n");
    sl_buf_finish(&errors);
}

/* --------------------------------------------------------------------------------------- tables */

static void bad_defaults_of_a_table_are_found(void **state SL_UNUSED)
{
    static const struct sl_conf_key bad[] = {
        {"count", SL_CONF_INT, 0, "many", .max = 5},
        {"name", SL_CONF_STRING, 8, .max = 0},
        {0},
    };
    struct {
        int64_t count;
        const char *name;
    } v = {0};
    struct sl_conf *conf;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    assert_status(sl_conf_load("", bad, &v, &errors, &conf), SL_EINVAL);
    assert_span_text(sl_buf_span(&errors),
                     "(defaults):1:1: count is \"many\"; it must be a whole number from 0 to 5\n"
                     "(defaults):1:1: name is missing; it must be a text of at most 4096 bytes\n");
    sl_buf_finish(&errors);
}

static void nothing_of_a_section_that_is_none_is_missing(void **state SL_UNUSED)
{
    static const struct sl_conf_key table[] = {
        {"top", SL_CONF_STRING, 0, .max = 5},
        {"part.name", SL_CONF_STRING, 8, .max = 5},
        {"parts.name", SL_CONF_STRING, 16, .max = 5},
        {0},
    };
    const char *v[3] = {NULL, NULL, NULL};
    struct sl_conf *conf;
    struct sl_buf errors;
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    assert_status(sl_conf_parse("f", sl_span_str("part: 5"), table, v, &errors, &conf), SL_EINVAL);
    assert_span_text(sl_buf_span(&errors),
                     "f:1:1: part is a single value; it must be a section with keys\n"
                     "f:1:1: top is missing; it must be a text of at most 5 bytes\n"
                     "f:1:1: parts.name is missing; it must be a text of at most 5 bytes\n");
    sl_buf_finish(&errors);
}

/* --------------------------------------------------------------------------------------- memory */

static const char wrong[] = "listen: {gprc: x}\ntiers: {a: {}, a: {}}\ntimeout: 5\n";

static void full_report_is_still_an_error(void **state SL_UNUSED)
{
    struct sample v = {0};
    struct sl_conf *conf;
    for (size_t max = 0; max < 300; max += 20) {
        struct sl_buf errors;
        sl_buf_init(&errors, &sl_alloc_malloc, max);
        assert_status(sl_conf_parse("f", sl_span_str(wrong), sample_table, &v, &errors, &conf),
                      SL_EINVAL);
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
        sl_status s = sl_conf_parse("f.yaml", sl_span_str(wrong), sample_table, &v, &errors, &conf);
        assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_EINVAL);
        assert_null(conf);
        sl_buf_finish(&errors);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(dotted_keys_are_not_sections),
        cmocka_unit_test(duplicate_keys),
        cmocka_unit_test(keys_that_are_no_names),
        cmocka_unit_test(long_keys),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(long_values_are_cut_in_the_sentence),
        cmocka_unit_test(everything_is_reported_at_once),
        cmocka_unit_test(anchors_aliases_and_tags),
        cmocka_unit_test(one_document),
        cmocka_unit_test(syntax_errors),
        cmocka_unit_test(levels_are_limited),
        cmocka_unit_test(nodes_are_limited),
        cmocka_unit_test(bytes_are_limited),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(bad_defaults_of_a_table_are_found),
        cmocka_unit_test(nothing_of_a_section_that_is_none_is_missing),
        cmocka_unit_test(full_report_is_still_an_error),
        cmocka_unit_test(no_memory_at_any_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
