/* test_gw_json.c - JSON is read, and where there is no memory for it nothing is spoiled and nothing left over. */
#include "fail_alloc.h"
#include "gw_json.h"
#include "gw_jwt.h"
#include "sl_base64url.h"
#include "sl_test.h"

/* Texts longer than the 16 bytes that jansson's buffer begins with, in each place where it gathers one. */
static const char *const texts[] = {
    "{\"alg\":\"RS256\",\"kid\":\"a name of more than sixteen characters\"}",
    "[12345678901234567, -0.12345678901234567e-12, true, false, null]",
    "{\"a long key, \\u00e4\\ud83d\\ude00 \\n and more of it\": [{\"x\": \"\xc3\xa4\"}, [[]], {}]}",
    "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\"]",
};

static int guard(void **state SL_UNUSED)
{
    gw_json_guard(&sl_alloc_malloc);
    return 0;
}

static void values(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        enum gw_json_fault fault;
        json_t *json = gw_json_read(sl_span_str(texts[i]), &fault);
        json_t *same = json_loads(texts[i], 0, NULL);
        assert_int_equal(fault, GW_JSON_FINE);
        assert_non_null(json);
        assert_true(json_equal(json, same));
        json_decref(json);
        json_decref(same);
    }
}

static void faults(void **state SL_UNUSED)
{
    static const char *const malformed[] = {"", "{", "7", "[1,]", "{}x", "[\"\xff\"]", "[1e999]"};
    enum gw_json_fault fault;
    for (size_t i = 0; i < SL_ARRAY_LEN(malformed); i++) {
        assert_null(gw_json_read(sl_span_str(malformed[i]), &fault));
        assert_int_equal(fault, GW_JSON_MALFORMED);
    }
    assert_null(gw_json_read(sl_span_str("{\"a\":1,\"a\":1}"), &fault));
    assert_int_equal(fault, GW_JSON_KEY_TWICE);
}

/* Once, and for good from there on. */
static void sweep(const char *text, bool keeps_failing)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        enum gw_json_fault fault;
        f.keeps_failing = keeps_failing;
        gw_json_guard(&f.alloc);
        json_t *json = gw_json_read(sl_span_str(text), &fault);
        assert_int_equal(fault, f.failures > 0 ? GW_JSON_NO_MEMORY : GW_JSON_FINE);
        assert_int_equal(json == NULL, f.failures > 0);
        json_decref(json);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    gw_json_guard(&sl_alloc_malloc);
}

static void no_memory(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        sweep(texts[i], false);
        sweep(texts[i], true);
    }
}

/* The worst place: it grows for the quote that ends a text, which is then not seen. */
static void no_memory_for_a_quote(void **state SL_UNUSED)
{
    for (int len = 1; len < 70; len++) {
        char text[128];
        snprintf(text, sizeof text, "[\"%0*d\"]", len, 7);
        sweep(text, false);
    }
}

/* What is written is not read: its caller is told, as ever. */
static void no_memory_to_write(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        gw_json_guard(&f.alloc);
        json_t *json = json_pack("{s:s, s:i}", "error", "a text", "code", 7);
        char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
        assert_true(text != NULL || f.failures > 0);
        json_decref(json);
        f.alloc.release(f.alloc.ctx, text);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    gw_json_guard(&sl_alloc_malloc);
}

/* Not the bearer's fault: an answer of "not now". */
static void tokens_without_memory(void **state SL_UNUSED)
{
    char token[512];
    size_t len = sl_base64url_encode(sl_span_str(texts[0]), token);
    token[len++] = '.';
    len += sl_base64url_encode(sl_span_str(texts[2]), token + len);
    len += (size_t)sprintf(token + len, ".c2ln");
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_jwt t;
        struct gw_finding finding = {.verdict = GW_VERDICT_GOOD};
        gw_json_guard(&f.alloc);
        bool is_parsed = gw_jwt_parse(sl_span_of(token, len), &t, &finding);
        if (is_parsed)
            gw_jwt_finish(&t);
        assert_int_equal(is_parsed, f.failures == 0);
        assert_int_equal(finding.verdict, is_parsed ? GW_VERDICT_GOOD : GW_VERDICT_UNAVAILABLE);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    gw_json_guard(&sl_alloc_malloc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(faults),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(no_memory_for_a_quote),
        cmocka_unit_test(no_memory_to_write),
        cmocka_unit_test(tokens_without_memory),
    };
    return cmocka_run_group_tests(tests, guard, NULL);
}
