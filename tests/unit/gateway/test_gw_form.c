/* test_gw_form.c - requests of sluice.v1 as protobuf-c packs them, read by hand; limits, and what is no request. */
#include "gw_form.h"

#include "gw_principal.h"
#include "gw_token.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"
#include "sluice/v1/visitor.pb-c.h"

enum { PACKED_MAX = 4096 };

struct rig {
    struct sl_arena arena;
    struct gw_form form;
    struct sl_error err;
    uint8_t packed[PACKED_MAX];
};

static void begin(struct rig *r)
{
    *r = (struct rig){.err = {.reason = SL_REASON_OK}};
    sl_arena_init(&r->arena, &sl_alloc_malloc, 1 << 16);
}

static void end(struct rig *r)
{
    sl_arena_finish(&r->arena);
}

static bool read_packed(struct rig *r, enum gw_method m, const ProtobufCMessage *message)
{
    assert_true(protobuf_c_message_get_packed_size(message) <= PACKED_MAX);
    size_t len = protobuf_c_message_pack(message, r->packed);
    return gw_form_read(m, sl_span_of(r->packed, len), &r->arena, &r->form, &r->err);
}

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static void fields_are_found_where_protobuf_puts_them(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    Sluice__V1__CreateTokenRequest token = SLUICE__V1__CREATE_TOKEN_REQUEST__INIT;
    token.user = text("ana");
    token.tier = text("pro");
    token.app = text("demo");
    token.admin = true;
    token.lifetime_s = 3600;
    assert_true(read_packed(&r, GW_METHOD_CREATE_TOKEN, &token.base));
    assert_string_equal(r.form.user, "ana");
    assert_string_equal(r.form.tier, "pro");
    assert_string_equal(r.form.app, "demo");
    assert_int_equal(r.form.is_admin, 1);
    assert_int_equal(r.form.lifetime_s, 3600);
    assert_string_equal(r.form.account, ""); /* it has none */

    Sluice__V1__GrantTimeRequest grant = SLUICE__V1__GRANT_TIME_REQUEST__INIT;
    grant.account = text("user:ana");
    grant.amount_us = -7;
    grant.reason = text("\xc3\xa9t\xc3\xa9");
    assert_true(read_packed(&r, GW_METHOD_GRANT_TIME, &grant.base));
    assert_int_equal(r.form.amount_us, -7);
    assert_string_equal(r.form.reason, "\xc3\xa9t\xc3\xa9");

    Sluice__V1__ExportUsageRequest usage = SLUICE__V1__EXPORT_USAGE_REQUEST__INIT;
    usage.from_us = 5;
    usage.until_us = 6;
    usage.by = SLUICE__V1__EXPORT_USAGE_REQUEST__BY__BY_VISITOR;
    usage.format = SLUICE__V1__EXPORT_USAGE_REQUEST__FORMAT__JSON;
    usage.account = text("user:a");
    usage.app = text("demo");
    usage.page_size = 7;
    usage.page = 8;
    assert_true(read_packed(&r, GW_METHOD_EXPORT_USAGE, &usage.base));
    assert_true(r.form.from == 5 && r.form.until == 6 && r.form.page_rows == 7 && r.form.page == 8);
    assert_int_equal(r.form.by, GW_FORM_BY_VISITOR);
    assert_int_equal(r.form.format, GW_FORM_JSON);

    Sluice__V1__ListReceiptsRequest receipts = SLUICE__V1__LIST_RECEIPTS_REQUEST__INIT;
    receipts.since_us = 1;
    receipts.call_id = text("c");
    receipts.account = text("a");
    receipts.everybody = true;
    assert_true(read_packed(&r, GW_METHOD_LIST_RECEIPTS, &receipts.base));
    assert_true(r.form.from == 1 && r.form.is_of_everybody == 1);
    assert_string_equal(r.form.call_id, "c");
    assert_string_equal(r.form.account, "a");
    assert_int_equal(r.form.page_rows, GW_FORM_PAGE_ROWS);
    end(&r);
}

/* Each text of each request: one that is as long as it may be, and one more. */
static void limits_are_those_of_the_definitions(void **state SL_UNUSED)
{
    static const struct {
        enum gw_method method;
        uint8_t number;
        const char *name;
        size_t max;
    } rows[] = {
        {GW_METHOD_LIST_RECEIPTS, 3, "app", GW_APP_NAME_MAX},
        {GW_METHOD_LIST_RECEIPTS, 7, "account", GW_ACCOUNT_NAME_MAX},
        {GW_METHOD_ISSUE_VISITOR_TOKEN, 1, "visitor", 128},
        {GW_METHOD_LIST_TOKENS, 1, "user", 200},
        {GW_METHOD_REVOKE_TOKEN, 1, "prefix", GW_TOKEN_PREFIX_LEN},
        {GW_METHOD_GET_ACCOUNT, 1, "account", GW_ACCOUNT_NAME_MAX},
        {GW_METHOD_LIST_APPS, 1, "owner", GW_ACCOUNT_NAME_MAX},
        {GW_METHOD_REMOVE_APP, 1, "name", GW_APP_NAME_MAX},
        {GW_METHOD_LIST_ACCOUNTS, 1, "begins", GW_ACCOUNT_NAME_MAX},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct rig r;
        char wanted[128];
        uint8_t message[3 + GW_ACCOUNT_NAME_MAX + 1];
        memset(message, 'a', sizeof message);
        for (size_t len = rows[i].max; len <= rows[i].max + 1; len++) {
            size_t head = len < 128 ? 2 : 3;
            message[0] = (uint8_t)(rows[i].number << 3 | 2);
            message[1] = (uint8_t)(len < 128 ? len : (len & 127) | 128);
            message[2] = (uint8_t)(len < 128 ? 'a' : len >> 7);
            begin(&r);
            bool is_good = gw_form_read(rows[i].method, sl_span_of(message, head + len), &r.arena,
                                        &r.form, &r.err);
            assert_int_equal(is_good, len == rows[i].max);
            snprintf(wanted, sizeof wanted, "%s has %zu bytes; the limit is %zu", rows[i].name, len,
                     rows[i].max);
            if (!is_good) {
                assert_string_equal(r.err.text, wanted);
                assert_string_equal(r.err.field, rows[i].name);
                assert_int_equal(r.err.reason, SL_REASON_BAD_INPUT);
            }
            end(&r);
        }
    }
}

static void expect_refusal(enum gw_method m, const char *bytes, size_t len, const char *wanted)
{
    struct rig r;
    begin(&r);
    assert_false(gw_form_read(m, sl_span_of(bytes, len), &r.arena, &r.form, &r.err));
    assert_string_equal(r.err.text, wanted);
    end(&r);
}

#define REFUSED(method, bytes, wanted)                                                             \
    expect_refusal(GW_METHOD_##method, bytes, sizeof(bytes) - 1, wanted)

static void what_is_no_request_is_refused(void **state SL_UNUSED)
{
    REFUSED(GET_ACCOUNT, "", "account is empty; it must have 1 to 255 bytes");
    REFUSED(GET_ACCOUNT,
            "\x0a\x02"
            "a",
            "the message of 3 bytes is not a valid request");
    REFUSED(GET_ACCOUNT, "\x08\x01", "the message of 2 bytes is not a valid request");
    REFUSED(GET_ACCOUNT,
            "\x0a\x02"
            "a\0",
            "account is not UTF-8 without control characters");
    REFUSED(GET_ACCOUNT,
            "\x0a\x02"
            "a\n",
            "account is not UTF-8 without control characters");
    REFUSED(GET_ACCOUNT,
            "\x0a\x02"
            "\xc2\x85",
            "account is not UTF-8 without control characters");
    REFUSED(GET_ACCOUNT,
            "\x0a\x01"
            "\xff",
            "account is not UTF-8 without control characters");
    REFUSED(LIST_BLOCKS, "\x08\xc9\x01", "page_size is 201; it may be 0 to 200");
    REFUSED(LIST_BLOCKS, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "page_size is -1; it may be 0 to 200");
    REFUSED(LIST_BLOCKS,
            "\x0a\x01"
            "a",
            "the message of 3 bytes is not a valid request");
    REFUSED(EXPORT_USAGE, "\x18\x03", "by is 3; it may be 0 to 2");
    REFUSED(CREATE_TOKEN,
            "\x12\x01"
            "t\x20\x02",
            "admin is 2; it may be 0 to 1");
}

static void unknown_fields_are_passed_over(void **state SL_UNUSED)
{
    static const char bytes[] = "\x0a\x01"
                                "a\x78\x01\xa2\x06\x02zz";
    struct rig r;
    begin(&r);
    assert_true(gw_form_read(GW_METHOD_GET_ACCOUNT, sl_span_of(bytes, sizeof bytes - 1), &r.arena,
                             &r.form, &r.err));
    assert_string_equal(r.form.account, "a");
    end(&r);
}

/* Whatever comes: no field is beyond its limit, and a refusal has its sentence. */
static void random_bytes_are_read_or_refused(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 11);
    for (int i = 0; i < 100000; i++) {
        struct rig r;
        uint8_t bytes[24];
        size_t len = sl_rng_u64(&rng) % (sizeof bytes + 1);
        for (size_t k = 0; k < len; k++) /* often a tag, a length, a letter */
            bytes[k] = (uint8_t)(sl_rng_u64(&rng) >> (sl_rng_u64(&rng) % 2 == 0 ? 58 : 56));
        enum gw_method m = (enum gw_method)(sl_rng_u64(&rng) % GW_METHOD_COUNT);
        begin(&r);
        if (gw_form_read(m, sl_span_of(bytes, len), &r.arena, &r.form, &r.err)) {
            assert_true(r.form.page_rows <= GW_FORM_PAGE_ROWS_MAX && r.form.page >= 0);
            assert_true(strlen(r.form.account) <= GW_ACCOUNT_NAME_MAX);
        } else {
            assert_true(r.err.text[0] != '\0');
        }
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_where_protobuf_puts_them),
        cmocka_unit_test(limits_are_those_of_the_definitions),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(random_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
