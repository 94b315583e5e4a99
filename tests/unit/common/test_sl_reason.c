/* test_sl_reason.c - the table that callers rely on, and sentences that stay UTF-8. */
#include "sl_reason.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

/* The contract, written out a second time on purpose: a row that moves must be noticed. */
static const struct {
    const char *name;
    int grpc;
    int http;
} contract[] = {
    {"OK", 0, 200},
    {"QUOTA_EXCEEDED", 8, 429},
    {"DURATION_TOO_LONG", 3, 400},
    {"SIZE_UNAVAILABLE", 9, 409},
    {"QUEUE_FULL", 8, 429},
    {"ALLOCATION_TIMEOUT", 14, 503},
    {"DURATION_EXCEEDED", 4, 504},
    {"OUT_OF_MEMORY", 8, 507},
    {"MODEL_ERROR", 13, 500},
    {"EXECUTOR_LOST", 14, 503},
    {"DEVICE_FAULT", 14, 503},
    {"NO_CAPACITY", 14, 503},
    {"DRAINING", 14, 503},
    {"MODEL_NOT_FOUND", 5, 404},
    {"BAD_INPUT", 3, 400},
    {"TOO_LARGE", 8, 413},
    {"UNAUTHENTICATED", 16, 401},
    {"NOT_TRUSTED", 7, 403},
    {"HOSTING_LIMIT", 9, 409},
    {"RESULT_GONE", 5, 410},
    {"PREEMPTED", 14, 503},
    {"CANCELLED", 1, 499},
    {"DEADLINE_EXCEEDED", 4, 504},
    {"UNIMPLEMENTED", 12, 501},
    {"INTERNAL", 13, 500},
    {"SERVICE_NOT_FOUND", 5, 404},
    {"BLOCKED", 7, 403},
    {"ALREADY_EXISTS", 6, 409},
};

static void table_is_the_contract(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(contract); i++) {
        enum sl_reason r = sl_reason_from_name(contract[i].name);
        assert_string_equal(sl_reason_name(r), contract[i].name);
        assert_int_equal(sl_reason_grpc(r), contract[i].grpc);
        assert_int_equal(sl_reason_http(r), contract[i].http);
    }
}

static void every_reason_has_its_own_name(void **state SL_UNUSED)
{
    for (int r = 0; r < SL_REASON_COUNT; r++)
        assert_int_equal(sl_reason_from_name(sl_reason_name((enum sl_reason)r)), r);
}

static void unknown_reasons_are_internal(void **state SL_UNUSED)
{
    assert_int_equal(sl_reason_from_name("NO_SUCH_REASON"), SL_REASON_INTERNAL);
    assert_int_equal(sl_reason_from_name(""), SL_REASON_INTERNAL);
    assert_string_equal(sl_reason_name(SL_REASON_COUNT), "INTERNAL");
    assert_string_equal(sl_reason_name((enum sl_reason) - 1), "INTERNAL");
    assert_int_equal(sl_reason_http((enum sl_reason)1000), 500);
    assert_int_equal(sl_reason_grpc((enum sl_reason)1000), SL_GRPC_INTERNAL);
}

static void error_holds_reason_and_sentence(void **state SL_UNUSED)
{
    struct sl_error e = {0};
    assert_false(sl_error_is_set(&e));
    sl_error_set(&e, SL_REASON_TOO_LARGE, "message has %d bytes, the limit is %d", 7, 5);
    assert_true(sl_error_is_set(&e));
    assert_int_equal(e.reason, SL_REASON_TOO_LARGE);
    assert_string_equal(e.text, "message has 7 bytes, the limit is 5");
}

static void error_may_be_made_from_itself(void **state SL_UNUSED)
{
    struct sl_error e;
    sl_error_set(&e, SL_REASON_MODEL_ERROR, "boom");
    sl_error_set(&e, SL_REASON_MODEL_ERROR, "model m: %s", e.text);
    assert_string_equal(e.text, "model m: boom");
}

static void long_sentence_is_cut_at_a_character(void **state SL_UNUSED)
{
    char text[SL_ERROR_TEXT_MAX + 8];
    struct sl_error e;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t at = shift; at + 4 < sizeof(text); at += 4)
            memcpy(text + at, "\xf0\x9f\x9a\xb0", 5);
        sl_error_set(&e, SL_REASON_INTERNAL, "%s", text);
        size_t len = strlen(e.text);
        assert_true(sl_text_is_utf8(sl_span_str(e.text)));
        assert_int_equal((len - shift) % 4, 0);
        assert_true(len > SL_ERROR_TEXT_MAX - 5);
    }
}

static void sentence_of_exactly_the_limit_is_whole(void **state SL_UNUSED)
{
    char text[SL_ERROR_TEXT_MAX];
    struct sl_error e;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    sl_error_set(&e, SL_REASON_INTERNAL, "%s", text);
    assert_string_equal(e.text, text);
}

static void bytes_that_are_no_utf8_become_question_marks(void **state SL_UNUSED)
{
    struct sl_error e;
    sl_error_set(&e, SL_REASON_BAD_INPUT,
                 "a\xff"
                 "b\xc3\xa9\xc3");
    assert_string_equal(e.text, "a?b\xc3\xa9?");
}

static void any_bytes_make_a_valid_sentence(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 1);
    for (int round = 0; round < 2000; round++) {
        char text[600];
        size_t len = sl_rng_below(&rng, sizeof(text));
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(1 + sl_rng_below(&rng, 255));
        text[len] = '\0';
        struct sl_error e;
        sl_error_set(&e, SL_REASON_INTERNAL, "%s", text);
        assert_true(sl_text_is_utf8(sl_span_str(e.text)));
    }
}

static void a_new_error_has_no_field(void **state SL_UNUSED)
{
    struct sl_error e;
    memset(&e, 'x', sizeof e);
    sl_error_set(&e, SL_REASON_BAD_INPUT, "bad");
    assert_string_equal(e.field, "");
    sl_error_set_field(&e, "inputs.%s", "A");
    assert_string_equal(e.field, "inputs.A");
    assert_string_equal(e.text, "bad");
    sl_error_set_field(&e, "%0300d", 7);
    assert_int_equal(strlen(e.field), SL_ERROR_FIELD_MAX - 1);
    sl_error_set(&e, SL_REASON_BAD_INPUT, "bad again");
    assert_string_equal(e.field, "");
}

/* "Not now" may be tried again, and nothing else: never what the caller must change first. */
static void only_not_now_is_tried_again(void **state SL_UNUSED)
{
    for (int r = 0; r < SL_REASON_COUNT; r++) {
        int64_t ms = sl_reason_retry_after_ms((enum sl_reason)r);
        enum sl_grpc_code code = sl_reason_grpc((enum sl_reason)r);
        assert_true(ms == -1 || ms > 0);
        if (code == SL_GRPC_UNAVAILABLE || r == SL_REASON_QUEUE_FULL)
            assert_true(ms > 0);
        else
            assert_int_equal(ms, -1);
    }
    assert_true(sl_reason_forbids_retry(SL_REASON_ALLOCATION_TIMEOUT));
    assert_true(sl_reason_forbids_retry(SL_REASON_DURATION_EXCEEDED));
    assert_false(sl_reason_forbids_retry(SL_REASON_QUEUE_FULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_contract),
        cmocka_unit_test(every_reason_has_its_own_name),
        cmocka_unit_test(unknown_reasons_are_internal),
        cmocka_unit_test(error_holds_reason_and_sentence),
        cmocka_unit_test(error_may_be_made_from_itself),
        cmocka_unit_test(long_sentence_is_cut_at_a_character),
        cmocka_unit_test(sentence_of_exactly_the_limit_is_whole),
        cmocka_unit_test(bytes_that_are_no_utf8_become_question_marks),
        cmocka_unit_test(any_bytes_make_a_valid_sentence),
        cmocka_unit_test(a_new_error_has_no_field),
        cmocka_unit_test(only_not_now_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
