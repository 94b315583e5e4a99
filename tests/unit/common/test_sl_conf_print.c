/* test_sl_conf_print.c - what is printed reads back as the same values; the reference page. */
#include "conf_sample.h"
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static void parse(struct sl_span text, struct sample *v, struct sl_conf **conf)
{
    struct sl_buf errors;
    *v = (struct sample){0};
    sl_buf_init(&errors, &sl_alloc_malloc, 1 << 16);
    sl_status s = sl_conf_parse("f.yaml", text, sample_table, v, &errors, conf);
    if (s != SL_OK)
        fail_msg("%s\n%.*s\nof:\n%.*s", sl_status_text(s), (int)errors.len,
                 (const char *)errors.data, (int)text.len, (const char *)text.data);
    sl_buf_finish(&errors);
}

static void defaults_are_printed_with_their_units(void **state SL_UNUSED)
{
    struct sample v;
    struct sl_conf *conf;
    struct sl_buf out;
    parse(sl_span_str(""), &v, &conf);
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    assert_ok(sl_conf_print(sample_table, &v, &out));
    assert_span_text(sl_buf_span(&out), "listen:\n"
                                        "  grpc: \"127.0.0.1:8001\"\n"
                                        "  tls:\n"
                                        "    use: false\n"
                                        "  http: \"\"\n"
                                        "queue:\n"
                                        "  max_calls: 1000\n"
                                        "timeout: 1m\n"
                                        "memory: 64MiB\n"
                                        "log:\n"
                                        "  level: info\n"
                                        "cache: 0B\n"
                                        "hosts: [a, \"b c\"]\n"
                                        "tiers: {}\n"
                                        "inputs: []\n"
                                        "limits: {}\n");
    sl_buf_finish(&out);
    sl_conf_destroy(conf);
}

static void lists_and_maps_are_printed(void **state SL_UNUSED)
{
    struct sample v;
    struct sl_conf *conf;
    struct sl_buf out;
    parse(sl_span_str("hosts: []\ntiers: {pro: {daily: 90s}}\nlimits: {'a b': 3}\n"
                      "inputs: [{name: A, type: {shape: []}}, {name: 'no', type: {shape: [1]}}]"),
          &v, &conf);
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    assert_ok(sl_conf_print(sample_table, &v, &out));
    assert_ok(sl_buf_append(&out, "", 1));
    assert_string_equal(strstr((const char *)out.data, "hosts:"), "hosts: []\n"
                                                                  "tiers:\n"
                                                                  "  pro:\n"
                                                                  "    daily: 90s\n"
                                                                  "    weight: 1\n"
                                                                  "inputs:\n"
                                                                  "- name: A\n"
                                                                  "  type:\n"
                                                                  "    data: FP32\n"
                                                                  "    shape: []\n"
                                                                  "- name: \"no\"\n"
                                                                  "  type:\n"
                                                                  "    data: FP32\n"
                                                                  "    shape: [1]\n"
                                                                  "limits:\n"
                                                                  "  \"a b\": 3\n");
    sl_buf_finish(&out);
    sl_conf_destroy(conf);
}

/* ----------------------------------------------------------------------------------- round trip */

static bool same_strings(const struct sl_conf_seq *a, const struct sl_conf_seq *b)
{
    const char *const *x = a->items;
    const char *const *y = b->items;
    bool is_same = a->count == b->count;
    for (size_t i = 0; is_same && i < a->count; i++)
        is_same = strcmp(x[i], y[i]) == 0;
    return is_same;
}

static bool same_tiers(const struct sl_conf_seq *a, const struct sl_conf_seq *b)
{
    const struct sample_tier *x = a->items;
    const struct sample_tier *y = b->items;
    bool is_same = a->count == b->count;
    for (size_t i = 0; is_same && i < a->count; i++)
        is_same = strcmp(x[i].key, y[i].key) == 0 && x[i].daily_ns == y[i].daily_ns &&
                  x[i].weight == y[i].weight;
    return is_same;
}

static bool same_inputs(const struct sl_conf_seq *a, const struct sl_conf_seq *b)
{
    const struct sample_input *x = a->items;
    const struct sample_input *y = b->items;
    bool is_same = a->count == b->count;
    for (size_t i = 0; is_same && i < a->count; i++) {
        size_t bytes = x[i].shape.count * sizeof(int64_t);
        is_same = strcmp(x[i].name, y[i].name) == 0 && x[i].datatype == y[i].datatype &&
                  x[i].shape.count == y[i].shape.count &&
                  (bytes == 0 || memcmp(x[i].shape.items, y[i].shape.items, bytes) == 0);
    }
    return is_same;
}

static bool is_same(const struct sample *a, const struct sample *b)
{
    return strcmp(a->grpc, b->grpc) == 0 && strcmp(a->http, b->http) == 0 &&
           a->is_tls == b->is_tls && a->max_calls == b->max_calls &&
           a->timeout_ns == b->timeout_ns && a->memory_bytes == b->memory_bytes &&
           a->level == b->level && same_strings(&a->hosts, &b->hosts) &&
           same_tiers(&a->tiers, &b->tiers) && same_inputs(&a->inputs, &b->inputs);
}

/* Texts that tempt a YAML reader to see something else in them. */
static const char *random_text(struct sl_rng *rng, char out[24], size_t max_bytes)
{
    static const char *const tricky[] = {"",    "~",    "null", "true", "no", "-",   "5",   "1e3",
                                         "- a", "a: b", "#x",   "a #b", " a", "a ",  "&a",  "*a",
                                         "!t",  "|",    ">",    "'",    "\"", "\\",  "%",   "@",
                                         "`",   "[",    "}",    ",",    "?",  ":",   "...", "---",
                                         "\n",  "a\n",  "\t",   "<<",   "=",  "0x1", ".5",  "é"};
    static const char letters[] = "ab:-#'\"\\ \n\t{}[],&*!|>%@`?~.0\x01\x7f";
    if (sl_rng_below(rng, 2))
        return tricky[sl_rng_below(rng, SL_ARRAY_LEN(tricky))];
    size_t len = sl_rng_below(rng, max_bytes + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = letters[sl_rng_below(rng, sizeof(letters) - 1)];
    out[len] = '\0';
    return out;
}

static int64_t between(struct sl_rng *rng, int64_t min, int64_t max)
{
    return min + (int64_t)sl_rng_below(rng, (uint64_t)(max - min) + 1);
}

struct storage {
    char texts[16][24];
    const char *hosts[3];
    struct sample_tier tiers[4];
    struct sample_input inputs[3];
    int64_t dimensions[3][4];
};

static void random_sample(struct sl_rng *rng, struct sample *v, struct storage *s)
{
    *v = (struct sample){.grpc = random_text(rng, s->texts[0], 20),
                         .http = random_text(rng, s->texts[1], 20),
                         .is_tls = sl_rng_below(rng, 2) != 0,
                         .max_calls = between(rng, 1, 65536),
                         .timeout_ns = between(rng, 1000000, INT64_C(3600000000000)),
                         .memory_bytes = (uint64_t)between(rng, 4096, INT64_MAX),
                         .level = (int)sl_rng_below(rng, 3)};
    v->hosts = (struct sl_conf_seq){s->hosts, sl_rng_below(rng, 4)};
    for (size_t i = 0; i < v->hosts.count; i++)
        s->hosts[i] = random_text(rng, s->texts[2 + i], 8);
    v->tiers = (struct sl_conf_seq){s->tiers, sl_rng_below(rng, 5)};
    for (size_t i = 0; i < v->tiers.count; i++) {
        static const char *const names[] = {"a", "~", "b c", "x.y"}; /* keys differ */
        s->tiers[i] =
            (struct sample_tier){names[i], between(rng, 0, INT64_MAX - 1), between(rng, 1, 100)};
    }
    v->inputs = (struct sl_conf_seq){s->inputs, sl_rng_below(rng, 4)};
    for (size_t i = 0; i < v->inputs.count; i++) {
        s->inputs[i].name = random_text(rng, s->texts[5 + i], 16);
        s->inputs[i].datatype = (int)sl_rng_below(rng, 2);
        s->inputs[i].shape = (struct sl_conf_seq){s->dimensions[i], sl_rng_below(rng, 5)};
        for (size_t j = 0; j < s->inputs[i].shape.count; j++)
            s->dimensions[i][j] = between(rng, -1, 1000);
    }
}

static void any_values_round_trip(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 14);
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    for (int round = 0; round < 3000; round++) {
        struct sample v;
        struct sample back;
        struct storage storage;
        struct sl_conf *conf;
        random_sample(&rng, &v, &storage);
        sl_buf_clear(&out);
        assert_ok(sl_conf_print(sample_table, &v, &out));
        parse(sl_buf_span(&out), &back, &conf);
        if (!is_same(&v, &back))
            fail_msg("not the same after:\n%.*s", (int)out.len, (const char *)out.data);
        sl_conf_destroy(conf);
    }
    sl_buf_finish(&out);
}

#define KEY(name_, type_, offset_)                                                                 \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = (offset_)                                      \
    }

/* Sections whose names are equally long, and whose keys stand mixed. */
static void sections_are_gathered(void **state SL_UNUSED)
{
    static const struct sl_conf_key table[] = {
        KEY("aa.x", SL_CONF_INT, 0), KEY("bb.x", SL_CONF_INT, 8),  KEY("aa.z", SL_CONF_INT, 16),
        KEY("bbb", SL_CONF_INT, 24), KEY("bb.z", SL_CONF_INT, 32), {0},
    };
    int64_t values[5] = {1, 2, 3, 4, 5};
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    assert_ok(sl_conf_print(table, values, &out));
    assert_span_text(sl_buf_span(&out), "aa:\n"
                                        "  x: 1\n"
                                        "  z: 3\n"
                                        "bb:\n"
                                        "  x: 2\n"
                                        "  z: 5\n"
                                        "bbb: 4\n");
    sl_buf_finish(&out);
}

static void texts_are_quoted_only_where_it_matters(void **state SL_UNUSED)
{
    static const struct sl_conf_key table[] = {KEY("k", SL_CONF_STRING, 0), {0}};
    static const struct {
        const char *text;
        const char *yaml;
    } cases[] = {
        {"azAZ09_./-+@x", "k: azAZ09_./-+@x\n"},
        {"/run/sluice.sock", "k: /run/sluice.sock\n"},
        {"z", "k: z\n"},
        {"A", "k: A\n"},
        {"9a", "k: \"9a\"\n"},
        {"", "k: \"\"\n"},
        {"null", "k: \"null\"\n"},
        {"True", "k: \"True\"\n"},
        {"a b", "k: \"a b\"\n"},
        {"a:b", "k: \"a:b\"\n"},
        {"gr\xc3\xbcn", "k: \"gr\xc3\xbcn\"\n"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_buf out;
        sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
        assert_ok(sl_conf_print(table, &cases[i].text, &out));
        assert_span_text(sl_buf_span(&out), cases[i].yaml);
        sl_buf_finish(&out);
    }
}

/* ---------------------------------------------------------------------------- limits and memory */

static void print_is_all_or_nothing(void **state SL_UNUSED)
{
    struct sample v;
    struct sl_conf *conf;
    parse(sl_span_str(""), &v, &conf);
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 100);
    assert_ok(sl_buf_append(&out, "kept", 4));
    assert_status(sl_conf_print(sample_table, &v, &out), SL_ETOOBIG);
    assert_span_text(sl_buf_span(&out), "kept");
    sl_buf_finish(&out);
    sl_conf_destroy(conf);
}

static void no_memory_at_any_place(void **state SL_UNUSED)
{
    struct sample v;
    struct sl_conf *conf;
    parse(sl_span_str("tiers: {a: {daily: 1s}}"), &v, &conf);
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct sl_buf out;
        sl_buf_init(&out, &f.alloc, 1 << 16);
        sl_status s = sl_conf_print(sample_table, &v, &out);
        assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
        if (s == SL_OK) {
            s = sl_conf_reference(sample_table, &out);
            assert_status(s, f.failures > 0 ? SL_ENOMEM : SL_OK);
        }
        sl_buf_finish(&out);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    sl_conf_destroy(conf);
}

/* ------------------------------------------------------------------------------------ reference */

static void reference_page(void **state SL_UNUSED)
{
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 16);
    assert_ok(sl_conf_reference(sample_table, &out));
    assert_span_text(
        sl_buf_span(&out),
        "| Key | Value | Default | Reload | Meaning |\n"
        "|---|---|---|---|---|\n"
        "| `listen.grpc` | a text of at most 4096 bytes | `127.0.0.1:8001` | no | "
        "Where gRPC \\| HTTP/2 is served. |\n"
        "| `queue.max_calls` | a whole number from 1 to 65536 | `1000` | yes | "
        "Most calls that wait. |\n"
        "| `listen.tls.use` | true or false | `false` | no | Serve TLS. |\n"
        "| `listen.http` | a text of at most 4096 bytes | empty | no | Where HTTP is served. |\n"
        "| `timeout` | a duration from 1ms to 1h | `60s` | no | "
        "A duration. |\n"
        "| `memory` | a size of at least 4KiB | `64MiB` | no | "
        "A size. |\n"
        "| `log.level` | one of debug, info, warn | `info` | yes | Least level. |\n"
        "| `cache` | a size | `0B` | no | A size from nothing on. |\n"
        "| `hosts` | a list of at most 3 items | `[a, 'b c']` | no | Names of hosts. |\n"
        "| `tiers` | a section of at most 4 names | empty | no | Tiers by name. |\n"
        "| `tiers.NAME.daily` | a duration | **required** | no | "
        "GPU time of a day. |\n"
        "| `tiers.NAME.weight` | a whole number from 1 to 100 | `1` | no | "
        "Share of the queue. |\n"
        "| `inputs` | a list of at most 8 items | empty | no | Inputs. |\n"
        "| `inputs[].name` | a text of at most 16 bytes | **required** | no | "
        "The input's name. |\n"
        "| `inputs[].type.data` | one of FP32, INT64 | `FP32` | no | The datatype. |\n"
        "| `inputs[].type.shape` | a list of at most 4 items | `[-1, 4]` | no | The shape. |\n"
        "| `inputs[].type.shape[]` | a whole number of at least -1 | - | no | "
        "A dimension, -1: free. |\n");
    sl_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_printed_with_their_units),
        cmocka_unit_test(lists_and_maps_are_printed),
        cmocka_unit_test(any_values_round_trip),
        cmocka_unit_test(sections_are_gathered),
        cmocka_unit_test(texts_are_quoted_only_where_it_matters),
        cmocka_unit_test(print_is_all_or_nothing),
        cmocka_unit_test(no_memory_at_any_place),
        cmocka_unit_test(reference_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
