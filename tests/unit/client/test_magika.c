/* test_magika.c - the magika example's pure parts: features against the package's own, decisions. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "magika_decide.h"
#include "sl_test.h"

static const struct magika_shape shape = {
    .beg_count = 1024, .end_count = 1024, .block_bytes = 4096, .min_file_bytes = 8, .padding = 256};

/* The made-up file: its parts' Latin-1 texts, repeated. free it. */
static uint8_t *build_file(const json_t *parts, size_t *out_len)
{
    uint8_t *file = malloc(1 << 16);
    size_t len = 0;

    assert_non_null(file);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *utf8 = json_string_value(json_array_get(part, 0));
        const char *end = utf8 + json_string_length(json_array_get(part, 0));
        json_int_t count = json_integer_value(json_array_get(part, 1));
        for (json_int_t n = 0; n < count; n++) {
            for (const char *c = utf8; c < end; c++) {
                bool is_lead = (*c & 0xC0) == 0xC0;
                file[len++] = is_lead ? (uint8_t)((*c & 3) << 6 | (c[1] & 0x3F)) : (uint8_t)*c;
                c += is_lead;
                assert_true(len < 1 << 16);
            }
        }
    }
    *out_len = len;
    return file;
}

static uint64_t hash_features(const int32_t *features)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < 2048; i++) {
        for (int shift = 0; shift < 32; shift += 8)
            h = (h ^ (uint8_t)((uint32_t)features[i] >> shift)) * 1099511628211U;
    }
    return h;
}

static void answer_of(const uint8_t *file, size_t len, char out[32])
{
    static int32_t features[2048];
    static const char *const names[] = {
        [MAGIKA_EMPTY] = "empty", [MAGIKA_TXT] = "txt", [MAGIKA_UNKNOWN] = "unknown"};
    size_t block = len < shape.block_bytes ? len : shape.block_bytes;
    struct magika_sample sample = {
        .size = len, .head = file, .tail = file + len - block, .block_len = block};

    enum magika_rule rule = magika_features(&shape, &sample, features);
    if (rule == MAGIKA_ASK)
        snprintf(out, 32, "ask %016" PRIx64, hash_features(features));
    else
        snprintf(out, 32, "%s", names[rule]);
}

static void features_are_those_of_the_package(void **state)
{
    json_t *golden = json_load_file(MAGIKA_GOLDEN, JSON_ALLOW_NUL, NULL);

    (void)state;
    assert_true(json_array_size(golden) > 20);
    for (size_t i = 0; i < json_array_size(golden); i++) {
        const json_t *c = json_array_get(golden, i);
        char answer[32];
        size_t len;
        uint8_t *file = build_file(json_object_get(c, "file"), &len);
        answer_of(file, len, answer);
        free(file);
        assert_string_equal(answer, json_string_value(json_object_get(c, "answer")));
    }
    json_decref(golden);
}

static const char config_text[] =
    "{\"config\": {\"beg_size\": 1024, \"mid_size\": 0, \"end_size\": 1024, \"block_size\": 4096,"
    " \"min_file_size_for_dl\": 8, \"padding_token\": 256, \"use_inputs_at_offsets\": false,"
    " \"medium_confidence_threshold\": 0.5, \"thresholds\": {\"sql\": 0.9},"
    " \"overwrite_map\": {\"randomtxt\": \"txt\", \"randombytes\": \"unknown\"},"
    " \"target_labels_space\": [\"sql\", \"png\", \"randomtxt\", \"randombytes\", \"c\"]},"
    " \"content_types\": {\"txt\": {\"is_text\": true, \"mime_type\": null},"
    " \"unknown\": {\"is_text\": false}, \"empty\": {\"is_text\": false},"
    " \"sql\": {\"is_text\": true, \"mime_type\": \"application/x-sql\", \"description\": \"SQL\"},"
    " \"png\": {\"is_text\": false}, \"c\": {\"is_text\": true},"
    " \"randomtxt\": {\"is_text\": true}, \"randombytes\": {\"is_text\": false}}}";

static void decisions_keep_thresholds_and_map(void **state)
{
    static const struct {
        float scores[5];
        const char *label, *model_label;
    } cases[] = {
        {{0.95F, 0.02F, 0, 0, 0}, "sql", "sql"},   {{0.85F, 0.1F, 0, 0, 0}, "txt", "sql"},
        {{0.1F, 0.5F, 0, 0, 0}, "png", "png"},     {{0.1F, 0.49F, 0, 0, 0}, "unknown", "png"},
        {{0, 0, 0.9F, 0, 0}, "txt", "randomtxt"},  {{0, 0, 0, 0.9F, 0}, "unknown", "randombytes"},
        {{0, 0.3F, 0, 0, 0.3F}, "unknown", "png"}, /* the first of equals */
        {{0, 0, 0, 0, 0.75F}, "c", "c"},
    };
    struct magika_config *c;

    (void)state;
    assert_null(magika_config_parse(config_text, strlen(config_text), &c));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct magika_answer a = magika_decide(c, cases[i].scores);
        assert_string_equal(a.kind->label, cases[i].label);
        assert_string_equal(a.model_kind->label, cases[i].model_label);
    }
    assert_string_equal(magika_decide_rule(c, MAGIKA_EMPTY).kind->label, "empty");
    assert_string_equal(magika_decide_rule(c, MAGIKA_TXT).kind->mime_type, "text/plain");
    magika_config_destroy(c);
}

static void broken_configurations_are_refused(void **state)
{
    struct magika_config *c;

    (void)state;
    assert_non_null(magika_config_parse("{", 1, &c));
    assert_non_null(magika_config_parse("{}", 2, &c));
    /* Every cut of a good one. */
    for (size_t len = 0; len < strlen(config_text); len++) {
        assert_non_null(magika_config_parse(config_text, len, &c));
        assert_null(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_the_package),
        cmocka_unit_test(decisions_keep_thresholds_and_map),
        cmocka_unit_test(broken_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
