/* test_gw_record.c - records as bytes: what goes in comes out, and nothing else does. */
#include "gw_record.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct gw_record samples[] = {
    {.kind = GW_RECORD_WINDOW,
     .window = {{(const uint8_t *)"ip:203.0.113.7", 14}, 1767225600000000}},
    {.kind = GW_RECORD_GRANT,
     .grant = {{(const uint8_t *)"user:ann", 8},
               {(const uint8_t *)"user:root", 9},
               {(const uint8_t *)"thesis", 6},
               .at = 1,
               .amount_us = INT64_MIN}},
    {.kind = GW_RECORD_ACCOUNT, .account = {{(const uint8_t *)"user:ann", 8}, -1, INT64_MAX, 127}},
    {.kind = GW_RECORD_TOKEN,
     .token = {.hash = {1, 2, 255}, .prefix = {(const uint8_t *)"sl_abcd", 7}, .is_admin = true}},
    {.kind = GW_RECORD_APP,
     .app = {{(const uint8_t *)"demo", 4}, {(const uint8_t *)"ann", 3}, GW_APP_REMOVED, 128}},
    {.kind = GW_RECORD_BLOCK,
     .block = {.account = {(const uint8_t *)"user:b", 6}, .is_blocked = true}},
    {.kind = GW_RECORD_LOSS, .loss = {7, 9, 64}},
    {.kind = GW_RECORD_LEARNED,
     .learned = {{(const uint8_t *)"m", 1},
                 {(const uint8_t *)"2", 1},
                 5,
                 {(const uint8_t *)"\1\2\3\0", 4}}},
};

static void what_goes_in_comes_out(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(samples); i++) {
        uint8_t bytes[GW_RECORD_BYTES_MAX], again[GW_RECORD_BYTES_MAX];
        size_t count, count_again;
        struct gw_record r;
        assert_ok(gw_record_encode(&samples[i], bytes, &count));
        assert_ok(gw_record_decode((int)samples[i].kind, sl_span_of(bytes, count), &r));
        assert_ok(gw_record_encode(&r, again, &count_again));
        assert_int_equal(count, count_again);
        assert_memory_equal(bytes, again, count);
        if (r.kind == GW_RECORD_GRANT) {
            assert_span_text(r.grant.reason, "thesis");
            assert_int_equal(r.grant.amount_us, INT64_MIN);
        }
        if (r.kind == GW_RECORD_TOKEN) {
            assert_memory_equal(r.token.hash, samples[i].token.hash, GW_TOKEN_HASH_BYTES);
            assert_true(r.token.is_admin);
        }
    }
}

static void no_part_of_a_record_is_one(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(samples); i++) {
        uint8_t bytes[GW_RECORD_BYTES_MAX + 1] = {0};
        size_t count;
        struct gw_record r;
        int kind = (int)samples[i].kind;
        assert_ok(gw_record_encode(&samples[i], bytes, &count));
        for (size_t len = 0; len < count; len++)
            assert_status(gw_record_decode(kind, sl_span_of(bytes, len), &r), SL_EPROTO);
        assert_status(gw_record_decode(kind, sl_span_of(bytes, count + 1), &r), SL_EPROTO);
        bytes[0] = 2;
        assert_status(gw_record_decode(kind, sl_span_of(bytes, count), &r), SL_ENEVER);
        bytes[0] = 0;
        assert_status(gw_record_decode(kind, sl_span_of(bytes, count), &r), SL_EPROTO);
    }
}

/* Whatever decodes is exactly what would be encoded. */
static void one_value_has_one_form(void **state SL_UNUSED)
{
    struct sl_rng rng;
    size_t decoded = 0;
    sl_rng_seed(&rng, 5);
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[GW_RECORD_BYTES_MAX], again[GW_RECORD_BYTES_MAX];
        size_t count, count_again;
        struct gw_record r;
        const struct gw_record *sample = &samples[sl_rng_below(&rng, SL_ARRAY_LEN(samples))];
        assert_ok(gw_record_encode(sample, bytes, &count));
        bytes[sl_rng_below(&rng, count)] = (uint8_t)sl_rng_u64(&rng);
        bytes[sl_rng_below(&rng, count)] ^= (uint8_t)(1U << sl_rng_below(&rng, 8));
        if (gw_record_decode((int)sample->kind, sl_span_of(bytes, count), &r) != SL_OK)
            continue;
        decoded++;
        assert_ok(gw_record_encode(&r, again, &count_again));
        assert_int_equal(count, count_again);
        assert_memory_equal(bytes, again, count);
    }
    assert_true(decoded > 10000);
}

static void too_much_and_unknown_are_refused(void **state SL_UNUSED)
{
    static uint8_t text[GW_RECORD_TEXT_MAX + 1];
    uint8_t bytes[GW_RECORD_BYTES_MAX];
    size_t count;
    struct gw_record r = {.kind = GW_RECORD_GRANT};
    r.grant.account = r.grant.by = r.grant.reason = sl_span_of(text, GW_RECORD_TEXT_MAX);
    assert_ok(gw_record_encode(&r, bytes, &count));
    r.grant.reason = sl_span_of(text, sizeof text);
    assert_status(gw_record_encode(&r, bytes, &count), SL_ETOOBIG);
    r.kind = GW_RECORD_RECEIPT;
    assert_status(gw_record_encode(&r, bytes, &count), SL_EINVAL);
    bytes[0] = 1;
    assert_status(gw_record_decode(99, sl_span_of(bytes, 1), &r), SL_ENEVER);
    assert_string_equal(gw_record_name(GW_RECORD_LOSS), "loss");
    assert_string_equal(gw_record_name(GW_RECORD_LEARNED), "learned");
    assert_string_equal(gw_record_name(99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(no_part_of_a_record_is_one),
        cmocka_unit_test(one_value_has_one_form),
        cmocka_unit_test(too_much_and_unknown_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
