/* test_cli_texts.c - what the command shows and reads beside tensors: times, receipts, tables. */
#include <stdlib.h>

#include "cli_pb_json.h"
#include "cli_receipt.h"
#include "cli_table.h"
#include "cli_text.h"
#include "cli_time.h"
#include "sl_base.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"

static void spans(void **state SL_UNUSED)
{
    static const struct {
        int64_t us;
        const char *gpu;
    } cases[] = {
        {0, "nothing"},
        {1, "0.001 ms"},
        {55, "0.055 ms"},
        {999999, "999.999 ms"},
        {1000000, "1.000 s"},
        {59999999, "59.999 s"},
        {60000000, "1m 0s"},
        {1499999945, "24m 59s"},
        {3600000000, "1h 0m"},
        {-1500000, "-1.500 s"},
        {31536000000000, "365d 0h"},
    };
    char text[CLI_TIME_BYTES];

    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        cli_format_gpu(cases[i].us, text);
        assert_string_equal(text, cases[i].gpu);
    }
    cli_format_gpu(INT64_MIN, text);
    cli_format_gpu(INT64_MAX, text);
    cli_format_ms(INT64_MAX, text);
    cli_format_ms(120, text);
    assert_string_equal(text, "120ms");
    cli_format_ms(13040, text);
    assert_string_equal(text, "13.0s");
}

static void instants(void **state SL_UNUSED)
{
    char text[CLI_TIME_BYTES];

    assert_int_equal(cli_next_second_us(7000000), 7000000);
    assert_int_equal(cli_next_second_us(7000001), 8000000);
    assert_int_equal(cli_next_second_us(0), 0);
    assert_int_equal(cli_next_second_us(INT64_MAX), INT64_MAX);
    cli_format_instant(1795275600, text);
    assert_string_equal(text, "2026-11-21 15:40:00 UTC");
    cli_format_rfc3339(1795275600, text);
    assert_string_equal(text, "2026-11-21T15:40:00Z");
    cli_format_instant(INT64_MAX, text);
    assert_string_equal(text, "?");
}

static void moments(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        int direction;
        int64_t at_s; /* -1: refused */
    } cases[] = {
        {"2026-11-21", -1, 1795219200},
        {"2026-11-21T15:40:00Z", -1, 1795275600},
        {"2026-11-21 15:40", 1, 1795275600},
        {"24h", -1, 1000000 - 86400},
        {"30d", 1, 1000000 + 30 * 86400},
        {"0s", 1, 1000000},
        {"5", 1, -1},
        {"", 1, -1},
        {"2026-02-30", 1, -1},
        {"2026-13-01", 1, -1},
        {"1969-12-31", 1, -1},
        {"2026-11-21x", 1, -1},
        {"yesterday", 1, -1},
    };

    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        int64_t at_s = -1;
        sl_status s = cli_parse_when(cases[i].text, 1000000, cases[i].direction, &at_s);
        if (s != (cases[i].at_s < 0 ? SL_EINVAL : SL_OK) || (s == SL_OK && at_s != cases[i].at_s))
            fail_msg("'%s': %s, %lld", cases[i].text, sl_status_text(s), (long long)at_s);
    }
}

static void assert_text(sl_status (*format)(const struct sluice_receipt *, struct sl_buf *),
                        const struct sluice_receipt *r, const char *wanted)
{
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 4096);
    assert_ok(format(r, &out));
    assert_span_text(sl_buf_span(&out), wanted);
    sl_buf_finish(&out);
}

static void receipts(void **state SL_UNUSED)
{
    struct sluice_receipt r = SLUICE_RECEIPT_INIT;

    assert_text(cli_receipt_money, &r, "");
    assert_text(cli_receipt_way, &r, "");
    strcpy(r.node, "n1");
    assert_text(cli_receipt_way, &r, "node n1");
    r.queue_us = 125;
    r.exec_us = 1500;
    strcpy(r.call_id, "0f8f");
    assert_text(cli_receipt_way, &r, "queue 0.125 ms, execution 1.500 ms, node n1, call 0f8f");
    strcpy(r.visitor, "user:al\x1b[31mice");
    strcpy(r.tier, "pro");
    r.charged_us = 55;
    assert_text(cli_receipt_money, &r, "0.055 ms charged to user:al?[31mice (tier pro)");
    r.left_us = 1499999945;
    r.resets_at_s = 1795275600;
    r.charged_us = 0;
    assert_text(cli_receipt_money, &r,
                "nothing charged to user:al?[31mice (tier pro); 24m 59s left until 2026-11-21 "
                "15:40:00 UTC");
}

static void receipts_for_programs(void **state SL_UNUSED)
{
    struct sluice_receipt r = SLUICE_RECEIPT_INIT;
    json_t *o = cli_receipt_json(&r);

    assert_int_equal(json_object_size(o), 9);
    assert_true(json_is_null(json_object_get(o, "charged_us")));
    assert_true(json_is_null(json_object_get(o, "resets_at_us")));
    json_decref(o);
    r.charged_us = 55;
    r.resets_at_s = 1795275600;
    strcpy(r.visitor, "user:alice");
    o = cli_receipt_json(&r);
    assert_int_equal(json_integer_value(json_object_get(o, "charged_us")), 55);
    assert_int_equal(json_integer_value(json_object_get(o, "resets_at_us")), 1795275600000000);
    assert_string_equal(json_string_value(json_object_get(o, "visitor")), "user:alice");
    json_decref(o);
}

static void texts_of_others_are_safe(void **state SL_UNUSED)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"\x1b[2J", "?[2J"},
        {"a\nb\tc\x7f", "a?b?c?"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xc2\x9b", "??"}, /* CSI in one character */
        {"\xff\xc3", "??"},
    };
    char text[32];

    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        strcpy(text, cases[i][0]);
        cli_text_make_safe(text);
        assert_string_equal(text, cases[i][1]);
    }
    assert_int_equal(cli_text_width("\xc3\xa4x"), 2);
}

static void assert_table(int line_width, const char *wanted)
{
    static const char *const heads[] = {"NAME", ">CALLS", "LAST"};
    struct cli_table t;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cli_table_init(&t, heads, SL_ARRAY_LEN(heads));
    cli_table_add(&t, "%s", "a\x1b[1m");
    cli_table_add(&t, "%d", 12345678);
    cli_table_add(&t, "%s", "x");
    cli_table_add(&t, "%s", "m\xc3\xbcller");
    cli_table_add(&t, "%d", 1);
    cli_table_add(&t, "%s", "");
    cli_table_write(&t, out, line_width);
    fclose(out);
    assert_string_equal(text, wanted);
    free(text);
}

static void tables_fit_their_terminal(void **state SL_UNUSED)
{
    static const char rows[] = "NAME       CALLS  LAST\n"
                               "a?[1m   12345678  x\n"
                               "m\xc3\xbcller         1  \n";
    static const char blocks[] = "NAME   a?[1m\n"
                                 "CALLS  12345678\n"
                                 "LAST   x\n"
                                 "\n"
                                 "NAME   m\xc3\xbcller\n"
                                 "CALLS  1\n"
                                 "LAST   \n";
    assert_table(0, rows);
    assert_table(22, rows);
    assert_table(21, blocks);
    assert_table(1, blocks);
}

static void any_message_is_json(void **state SL_UNUSED)
{
    Sluice__V1__GetStatusResponse__Outcome good = SLUICE__V1__GET_STATUS_RESPONSE__OUTCOME__INIT;
    Sluice__V1__GetStatusResponse m = SLUICE__V1__GET_STATUS_RESPONSE__INIT;
    Sluice__V1__GetStatusResponse__Outcome *outcomes[] = {&good, &good};
    char version[] = "1.2";
    char reason[] = "OK";

    good.reason = reason;
    good.calls = 9007199254740993;
    m.version = version;
    m.draining = true;
    m.nodes = 4000000000;
    m.uptime_ms = -5;
    m.n_outcomes = 2;
    m.outcomes = outcomes;
    json_t *o = cli_pb_json(&m.base);
    assert_string_equal(json_string_value(json_object_get(o, "version")), "1.2");
    assert_true(json_is_true(json_object_get(o, "draining")));
    assert_true(json_is_false(json_object_get(o, "ready")));
    assert_int_equal(json_integer_value(json_object_get(o, "nodes")), 4000000000);
    assert_int_equal(json_integer_value(json_object_get(o, "uptime_ms")), -5);
    json_t *second = json_array_get(json_object_get(o, "outcomes"), 1);
    assert_int_equal(json_integer_value(json_object_get(second, "calls")), 9007199254740993);
    json_decref(o);
    char not_utf8[] = "\xff";
    m.version = not_utf8;
    assert_null(cli_pb_json(&m.base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(instants),
        cmocka_unit_test(moments),
        cmocka_unit_test(receipts),
        cmocka_unit_test(receipts_for_programs),
        cmocka_unit_test(texts_of_others_are_safe),
        cmocka_unit_test(tables_fit_their_terminal),
        cmocka_unit_test(any_message_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
