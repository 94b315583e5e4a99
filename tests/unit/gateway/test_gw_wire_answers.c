/* test_gw_wire_answers.c - the answers of sluice.v1 about money, read back by protobuf-c; usage as text. */
#include "gw_answer_facts.h"
#include "gw_receipt_code.h"
#include "gw_wire_admin.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"
#include "sluice/v1/visitor.pb-c.h"

static const struct gw_answer_port *const answers = &gw_wire_answers;

static void begin(struct sl_arena *arena)
{
    sl_arena_init(arena, &sl_alloc_malloc, 1 << 20);
}

static void a_quota_has_all_its_purses(void **state SL_UNUSED)
{
    const struct gw_principal who = {.purse_count = 2,
                                     .purses = {{"cookie:c", 1000}, {"ip:1.2.3.4", 5000}},
                                     .app = "demo",
                                     .organisation = "lab"};
    const struct gw_quota_facts facts = {
        .who = &who,
        .tier = "free",
        .least = {.left_us = 3, .resets_at = 9, .in_flight = 1, .in_flight_max = 4},
        .purses = {{.limit_us = 10, .spent_us = 2, .held_us = 5, .left_us = 3},
                   {.limit_us = 50, .is_shared = true, .granted_us = -7, .is_blocked = true}},
        .sign_in_url = "https://x/",
        .now = 8};
    struct sl_arena arena;
    begin(&arena);
    struct sl_span got = answers->quota(&arena, &facts);
    Sluice__V1__GetQuotaResponse *m =
        sluice__v1__get_quota_response__unpack(NULL, got.len, got.data);
    assert_string_equal(m->visitor, "cookie:c");
    assert_string_equal(m->app, "demo");
    assert_string_equal(m->organisation, "lab");
    assert_true(m->left_us == 3 && m->resets_at_us == 9 && m->now_us == 8);
    assert_true(m->in_flight == 1 && m->in_flight_max == 4);
    assert_int_equal(m->n_purses, 2);
    assert_true(m->purses[0]->spent_us == 2 && m->purses[0]->held_us == 5);
    assert_string_equal(m->purses[1]->account, "ip:1.2.3.4");
    assert_true(m->purses[1]->shared && m->purses[1]->blocked && m->purses[1]->granted_us == -7);
    sluice__v1__get_quota_response__free_unpacked(m, NULL);
    sl_arena_finish(&arena);
}

static struct sl_span encode(const struct gw_receipt *r, uint8_t out[GW_RECEIPT_BYTES_MAX])
{
    size_t len;
    assert_ok(gw_receipt_encode(r, out, GW_RECEIPT_BYTES_MAX, &len));
    return sl_span_of(out, len);
}

static void receipts_are_told_without_what_is_private(void **state SL_UNUSED)
{
    const struct gw_receipt r = {.call_id = {0xab, 1},
                                 .ended_at = 5,
                                 .accounts = {sl_span_str("user:a")},
                                 .account_count = 1,
                                 .model = sl_span_str("m"),
                                 .organisation = sl_span_str("lab"),
                                 .idempotency_key = sl_span_str("secret-key"),
                                 .charged_us = 7,
                                 .reason = SL_REASON_MODEL_ERROR};
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    struct gw_store_row rows[2] = {{.n = 2, .receipt = encode(&r, bytes)},
                                   {.n = 1, .receipt = sl_span_str("garbled")}};
    const struct gw_store_answer a = {.row_count = 2, .rows = rows, .next_n = 1};
    for (int keys_are_told = 0; keys_are_told < 2; keys_are_told++) {
        struct sl_arena arena;
        begin(&arena);
        struct sl_span got = answers->receipts(&arena, &a, keys_are_told);
        Sluice__V1__ListReceiptsResponse *m =
            sluice__v1__list_receipts_response__unpack(NULL, got.len, got.data);
        assert_int_equal(m->n_receipts, 1); /* what cannot be read is left out */
        assert_int_equal(m->next_page, 1);
        assert_string_equal(m->receipts[0]->call_id, "ab010000-0000-0000-0000-000000000000");
        assert_string_equal(m->receipts[0]->accounts[0], "user:a");
        assert_string_equal(m->receipts[0]->reason, "MODEL_ERROR");
        assert_string_equal(m->receipts[0]->organisation, "lab");
        assert_string_equal(m->receipts[0]->idempotency_key, keys_are_told ? "secret-key" : "");
        assert_int_equal(m->receipts[0]->charged_us, 7);
        sluice__v1__list_receipts_response__free_unpacked(m, NULL);
        sl_arena_finish(&arena);
    }
}

/* ---- usage */

static struct gw_store_row usage_rows[] = {
    {.usage = {0, {(const uint8_t *)"plain", 5}, 1, 2, 3}},
    {.usage = {604800000000, {(const uint8_t *)"a\"b,\\c\n", 7}, INT64_MAX, 0, INT64_MIN}},
    {.usage = {604800000000, {(const uint8_t *)"", 0}, 0, 0, 0}},
};

static void expect_text(enum gw_form_format format, bool is_first, const char *wanted)
{
    const struct gw_store_answer a = {.row_count = 3, .rows = usage_rows};
    struct sl_arena arena;
    begin(&arena);
    struct sl_span got = answers->usage(&arena, &a, GW_FORM_BY_VISITOR, format, is_first);
    Sluice__V1__ExportUsageResponse *m =
        sluice__v1__export_usage_response__unpack(NULL, got.len, got.data);
    assert_string_equal(m->text, wanted);
    assert_int_equal(m->n_rows, 0);
    sluice__v1__export_usage_response__free_unpacked(m, NULL);
    sl_arena_finish(&arena);
}

#define CSV_ROWS                                                                                   \
    "1970-01-01,\"plain\",1,2,3\r\n"                                                               \
    "1970-01-08,\"a\"\"b,\\c\n\",9223372036854775807,0,-9223372036854775808\r\n"                   \
    "1970-01-08,\"\",0,0,0\r\n"

static void usage_is_told_as_text(void **state SL_UNUSED)
{
    expect_text(GW_FORM_CSV, true, "week,visitor,calls,used_us,charged_us\r\n" CSV_ROWS);
    expect_text(GW_FORM_CSV, false, CSV_ROWS);
    expect_text(GW_FORM_JSON, true,
                "{\"week\":\"1970-01-01\",\"visitor\":\"plain\",\"calls\":1,\"used_us\":2,"
                "\"charged_us\":3}\n"
                "{\"week\":\"1970-01-08\",\"visitor\":\"a\\\"b,\\\\c\\u000a\",\"calls\":"
                "9223372036854775807,\"used_us\":0,\"charged_us\":-9223372036854775808}\n"
                "{\"week\":\"1970-01-08\",\"visitor\":\"\",\"calls\":0,\"used_us\":0,"
                "\"charged_us\":0}\n");
}

/* ---- room */

enum { ROWS = GW_FORM_PAGE_ROWS_MAX };

/* A page of the longest receipts fits into what an exchange may have. */
static void the_largest_page_has_room(void **state SL_UNUSED)
{
    static uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    static struct gw_store_row rows[ROWS];
    char name[GW_ACCOUNT_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    struct sl_span longest = sl_span_of(name, GW_ACCOUNT_NAME_MAX);
    const struct gw_receipt r = {.accounts = {longest, longest, longest},
                                 .account_count = 3,
                                 .tier = sl_span_of(name, 31),
                                 .app = sl_span_of(name, 63),
                                 .model = longest,
                                 .size = sl_span_of(name, 31),
                                 .node = sl_span_of(name, 63),
                                 .idempotency_key = longest,
                                 .organisation = sl_span_of(name, GW_ORGANISATION_MAX),
                                 .charged_us = INT64_MAX,
                                 .used_us = INT64_MAX};
    for (size_t i = 0; i < ROWS; i++)
        rows[i].receipt = encode(&r, bytes);
    const struct gw_store_answer a = {.row_count = ROWS, .rows = rows};
    struct sl_arena arena;
    begin(&arena);
    assert_non_null(answers->receipts(&arena, &a, true).data);
    sl_arena_finish(&arena);
    for (size_t i = 0; i < ROWS; i++)
        rows[i].usage = (struct gw_store_usage_row){.key = longest};
    begin(&arena);
    assert_non_null(answers->usage(&arena, &a, GW_FORM_BY_VISITOR, GW_FORM_JSON, true).data);
    sl_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_has_all_its_purses),
        cmocka_unit_test(receipts_are_told_without_what_is_private),
        cmocka_unit_test(usage_is_told_as_text),
        cmocka_unit_test(the_largest_page_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
