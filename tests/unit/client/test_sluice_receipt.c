/* test_sluice_receipt.c - what a call cost, out of its trailers: good ones, none, and garbage. */
#include "sl_base.h"
#include "sl_test.h"
#include "sluice_result.h"

static struct sluice_result *result_of(const char *const (*trailers)[2], size_t count)
{
    struct sluice_result *r = sluice_result_create();
    assert_non_null(r);
    for (size_t i = 0; i < count; i++)
        assert_ok(sluice_pairs_add(&r->pairs[SLUICE_TRAILERS], sl_span_str(trailers[i][0]),
                                   sl_span_str(trailers[i][1])));
    return r;
}

static bool read_one(const char *name, const char *value, struct sluice_receipt *out)
{
    const char *const pair[1][2] = {{name, value}};
    struct sluice_result *r = result_of(pair, 1);

    *out = (struct sluice_receipt)SLUICE_RECEIPT_INIT;
    bool is_told = sluice_result_receipt(r, out);
    sluice_result_destroy(r);
    return is_told;
}

static void a_whole_receipt(void **state SL_UNUSED)
{
    static const char *const trailers[][2] = {
        {"sluice-call-id", "25f48597-d956-4559-a8be-9a62e67ddb4f"},
        {"sluice-visitor", "user:a%20b%3Bc; tier=pro"},
        {"sluice-charged-ms", "0.055"},
        {"sluice-left-ms", "1499999.945"},
        {"sluice-resets-at", "2026-11-21T15:40:00Z"},
        {"sluice-queue-ms", "12.5"},
        {"sluice-exec-ms", "2"},
        {"sluice-node", "local"},
    };
    struct sluice_result *r = result_of(trailers, SL_ARRAY_LEN(trailers));
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;

    assert_true(sluice_result_receipt(r, &receipt));
    assert_int_equal(receipt.charged_us, 55);
    assert_int_equal(receipt.left_us, 1499999945);
    assert_int_equal(receipt.resets_at_s, 1795275600);
    assert_int_equal(receipt.queue_us, 12500);
    assert_int_equal(receipt.exec_us, 2000);
    assert_string_equal(receipt.call_id, "25f48597-d956-4559-a8be-9a62e67ddb4f");
    assert_string_equal(receipt.visitor, "user:a b;c");
    assert_string_equal(receipt.tier, "pro");
    assert_string_equal(receipt.node, "local");
    sluice_result_destroy(r);
}

static void nothing_told(void **state SL_UNUSED)
{
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;

    receipt.charged_us = 7;
    assert_false(sluice_result_receipt(NULL, &receipt));
    assert_int_equal(receipt.charged_us, -1);
    assert_int_equal(receipt.resets_at_s, -1);
    assert_string_equal(receipt.visitor, "");
    assert_false(read_one("sluice-node", "n1", &receipt));
    assert_string_equal(receipt.node, "n1");
    assert_int_equal(receipt.exec_us, -1);
}

static void garbage_is_not_told(void **state SL_UNUSED)
{
    static const char *const numbers[] = {"",       "-1",
                                          "1.2345", "1.-5",
                                          ".5",     "1e3",
                                          "0x1",    " 1",
                                          "1 ",     "9223372036854775807",
                                          "nan",    "1,5",
                                          "1..5",   "99999999999999999999"};
    static const char *const instants[] = {"", "2026-11-21", "2026-11-21T15:40:00Z ", "tomorrow",
                                           "2026-11-21T15:40:00+01:00"};
    struct sluice_receipt receipt;

    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++) {
        read_one("sluice-charged-ms", numbers[i], &receipt);
        if (receipt.charged_us != -1)
            fail_msg("'%s' was taken for %lld us", numbers[i], (long long)receipt.charged_us);
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(instants); i++) {
        read_one("sluice-resets-at", instants[i], &receipt);
        assert_int_equal(receipt.resets_at_s, -1);
    }
}

static void long_names_are_cut_at_a_character(void **state SL_UNUSED)
{
    struct sluice_receipt receipt;
    char text[1024];

    memset(text, 'x', sizeof(text));
    memcpy(text + SLUICE_RECEIPT_VISITOR_BYTES - 2, "\xc3\xa4", 2);
    text[sizeof(text) - 1] = '\0';
    assert_true(read_one("sluice-visitor", text, &receipt));
    assert_int_equal(strlen(receipt.visitor), SLUICE_RECEIPT_VISITOR_BYTES - 2);
    assert_string_equal(receipt.tier, "");
    assert_true(read_one("sluice-visitor", "user:%zz%4; tier=", &receipt));
    assert_string_equal(receipt.visitor, "user:%zz%4");
    assert_string_equal(receipt.tier, "");
}

/* A program of an older header: what lies behind its struct is not ours. */
static void an_older_callers_struct(void **state SL_UNUSED)
{
    static const char *const trailers[][2] = {{"sluice-charged-ms", "1"}, {"sluice-left-ms", "2"}};
    struct sluice_result *r = result_of(trailers, 2);
    struct sluice_receipt receipt = SLUICE_RECEIPT_INIT;

    receipt.struct_bytes = offsetof(struct sluice_receipt, left_us);
    receipt.left_us = 77;
    sluice_result_receipt(r, &receipt);
    assert_int_equal(receipt.charged_us, 1000);
    assert_int_equal(receipt.left_us, 77);
    assert_int_equal(receipt.struct_bytes, offsetof(struct sluice_receipt, left_us));
    sluice_result_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_receipt),
        cmocka_unit_test(nothing_told),
        cmocka_unit_test(garbage_is_not_told),
        cmocka_unit_test(long_names_are_cut_at_a_character),
        cmocka_unit_test(an_older_callers_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
