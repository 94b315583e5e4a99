/* test_gw_receipt_code.c - receipts come back from their bytes as they were, and what is not the bytes of a
 * receipt is refused, wherever it is wrong. */
#include "gw_receipt_code.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ROUNDS = 20000 };

static struct gw_receipt sample(void)
{
    return (struct gw_receipt){.call_id = {0x01, 0x02, 0xff},
                               .ended_at = INT64_C(1789000000000000),
                               .windows_opened_at = {INT64_C(1788999000000000), 1},
                               .accounts = {sl_span_str("cookie:abc"), sl_span_str("ip:1.2.3.4")},
                               .account_count = 2,
                               .tier = sl_span_str("anonymous"),
                               .app = sl_span_str("portraits"),
                               .model = sl_span_str("sdxl"),
                               .size = sl_span_str("large"),
                               .node = sl_span_str("node-1"),
                               .idempotency_key = sl_span_str("k-1"),
                               .declared_us = 60000000,
                               .held_us = 120000000,
                               .used_us = 1234567,
                               .charged_us = 2469134,
                               .queue_us = 321,
                               .lease_journal = UINT64_MAX,
                               .lease_record = 65536,
                               .cause = GW_CAUSE_REASON,
                               .reason = SL_REASON_DURATION_EXCEEDED};
}

static void assert_same_text(struct sl_span a, struct sl_span b)
{
    assert_true(sl_span_eq(a, b));
}

static void assert_same(const struct gw_receipt *a, const struct gw_receipt *b)
{
    assert_memory_equal(a->call_id, b->call_id, sizeof a->call_id);
    assert_int_equal(a->ended_at, b->ended_at);
    assert_int_equal(a->account_count, b->account_count);
    for (size_t i = 0; i < a->account_count; i++) {
        assert_same_text(a->accounts[i], b->accounts[i]);
        assert_int_equal(a->windows_opened_at[i], b->windows_opened_at[i]);
    }
    assert_same_text(a->tier, b->tier);
    assert_same_text(a->app, b->app);
    assert_same_text(a->model, b->model);
    assert_same_text(a->size, b->size);
    assert_same_text(a->node, b->node);
    assert_same_text(a->idempotency_key, b->idempotency_key);
    assert_same_text(a->organisation, b->organisation);
    assert_int_equal(a->declared_us, b->declared_us);
    assert_int_equal(a->held_us, b->held_us);
    assert_int_equal(a->used_us, b->used_us);
    assert_int_equal(a->charged_us, b->charged_us);
    assert_int_equal(a->queue_us, b->queue_us);
    assert_int_equal(a->lease_journal, b->lease_journal);
    assert_int_equal(a->lease_record, b->lease_record);
    assert_int_equal(a->cause, b->cause);
    assert_int_equal(a->reason, b->reason);
}

/* Of one whose organisation pays. */
static struct gw_receipt sample_of_member(void)
{
    struct gw_receipt r = sample();
    r.organisation = sl_span_str("Example Ltd.");
    return r;
}

static size_t encode(const struct gw_receipt *r, uint8_t out[GW_RECEIPT_BYTES_MAX])
{
    size_t bytes = 0;
    assert_ok(gw_receipt_encode(r, out, GW_RECEIPT_BYTES_MAX, &bytes));
    return bytes;
}

static void a_receipt_comes_back_as_it_was(void **state SL_UNUSED)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = sample(), back;
    size_t len = encode(&r, bytes);
    assert_ok(gw_receipt_decode(sl_span_of(bytes, len), &back));
    assert_same(&r, &back);
    assert_true(len < 150);
    r = sample_of_member();
    len = encode(&r, bytes);
    assert_ok(gw_receipt_decode(sl_span_of(bytes, len), &back));
    assert_same(&r, &back);
    struct gw_receipt nothing = {0};
    len = encode(&nothing, bytes);
    assert_ok(gw_receipt_decode(sl_span_of(bytes, len), &back));
    assert_same(&nothing, &back);
}

/* What lies on disks does not change when the program does. */
static void each_version_has_its_bytes(void **state SL_UNUSED)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = {.call_id = {0xab},
                           .ended_at = -1,
                           .windows_opened_at = {1},
                           .accounts = {sl_span_str("user:a")},
                           .account_count = 1,
                           .tier = sl_span_str("pro"),
                           .used_us = 150,
                           .lease_journal = 300,
                           .cause = GW_CAUSE_ORPHAN};
    static const uint8_t wanted[] = "\x01\xab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* version, id */
                                    "\x01"                                   /* cause */
                                    "\x01\0\0\xac\x02\0\0"                   /* times */
                                    "\xac\x02\0"                             /* lease */
                                    "\x01\x06user:a\x02"                     /* accounts */
                                    "\x03pro\0\0\0\0\0\x02OK"                /* texts */
                                    "\x03lab";                               /* of version 2 */
    size_t len = encode(&r, bytes);
    assert_int_equal(len, sizeof wanted - sizeof "\x03lab");
    assert_memory_equal(bytes, wanted, len);
    r.organisation = sl_span_str("lab");
    len = encode(&r, bytes);
    assert_int_equal(len, sizeof wanted - 1);
    assert_int_equal(bytes[0], 2);
    assert_memory_equal(bytes + 1, wanted + 1, len - 1);
}

static void the_largest_fits_and_larger_is_refused(void **state SL_UNUSED)
{
    static uint8_t text[GW_RECEIPT_TEXT_MAX + 1];
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = sample(), back;
    memset(text, 'x', sizeof text);
    struct sl_span longest = sl_span_of(text, GW_RECEIPT_TEXT_MAX);
    for (size_t i = 0; i < GW_PURSES_MAX; i++) {
        r.accounts[i] = longest;
        r.windows_opened_at[i] = INT64_MIN;
    }
    r.account_count = GW_PURSES_MAX;
    r.tier = r.app = r.model = r.size = r.node = r.idempotency_key = r.organisation = longest;
    r.ended_at = r.declared_us = r.held_us = INT64_MIN;
    r.used_us = r.charged_us = r.queue_us = INT64_MAX;
    r.lease_record = UINT64_MAX;
    size_t len = encode(&r, bytes);
    assert_ok(gw_receipt_decode(sl_span_of(bytes, len), &back));
    assert_same(&r, &back);

    struct gw_receipt bad = r;
    size_t ignored;
    bad.model = sl_span_of(text, sizeof text);
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
    bad = r;
    bad.organisation = sl_span_of(text, sizeof text);
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
    bad = r;
    bad.accounts[2] = sl_span_of(text, sizeof text);
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
    bad = r;
    bad.account_count = GW_PURSES_MAX + 1;
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
    bad = r;
    bad.reason = SL_REASON_COUNT;
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
    bad = r;
    bad.cause = (enum gw_cause)2;
    assert_status(gw_receipt_encode(&bad, bytes, sizeof bytes, &ignored), SL_EINVAL);
}

static void too_little_room_is_not_written_over(void **state SL_UNUSED)
{
    uint8_t whole[GW_RECEIPT_BYTES_MAX], part[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = sample_of_member();
    size_t len = encode(&r, whole), got = 0;
    for (size_t room = 0; room < len; room++) {
        memset(part, 0xee, sizeof part);
        assert_status(gw_receipt_encode(&r, part, room, &got), SL_ETOOBIG);
        assert_int_equal(part[room], 0xee);
        assert_int_equal(got, 0);
    }
    assert_ok(gw_receipt_encode(&r, part, len, &got));
    assert_int_equal(got, len);
    assert_memory_equal(part, whole, len);
}

static void every_cut_and_every_addition_is_refused(void **state SL_UNUSED)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX + 1];
    const struct gw_receipt all[] = {sample(), sample_of_member()};
    struct gw_receipt back;
    for (size_t i = 0; i < SL_ARRAY_LEN(all); i++) {
        size_t len = encode(&all[i], bytes);
        for (size_t cut = 0; cut < len; cut++)
            assert_status(gw_receipt_decode(sl_span_of(bytes, cut), &back), SL_EPROTO);
        bytes[len] = 0;
        assert_status(gw_receipt_decode(sl_span_of(bytes, len + 1), &back), SL_EPROTO);
        bytes[0] ^= 1 ^ 2; /* the other version */
        assert_status(gw_receipt_decode(sl_span_of(bytes, len), &back), SL_EPROTO);
        bytes[0] = 3;
        assert_status(gw_receipt_decode(sl_span_of(bytes, len), &back), SL_ENEVER);
    }
}

/* It would have a second form. */
static void an_organisation_without_a_name_is_refused(void **state SL_UNUSED)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = sample(), back;
    size_t len = encode(&r, bytes);
    bytes[0] = 2;
    bytes[len++] = 0;
    assert_status(gw_receipt_decode(sl_span_of(bytes, len), &back), SL_EPROTO);
}

/* Whatever bytes are taken as a receipt are the ones that this receipt has. */
static void every_changed_bit_is_refused_or_another_receipt(void **state SL_UNUSED)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX], again[GW_RECEIPT_BYTES_MAX];
    struct gw_receipt r = sample_of_member(), back;
    size_t len = encode(&r, bytes);
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (gw_receipt_decode(sl_span_of(bytes, len), &back) == SL_OK) {
            assert_int_equal(encode(&back, again), len);
            assert_memory_equal(again, bytes, len);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static struct sl_span any_text(struct sl_rng *rng, const uint8_t *noise)
{
    size_t len = (size_t)sl_rng_below(rng, sl_rng_below(rng, 8) == 0 ? 256 : 20);
    return sl_span_of(noise + sl_rng_below(rng, 256), len);
}

static int64_t any_number(struct sl_rng *rng)
{
    return (int64_t)(sl_rng_u64(rng) >> sl_rng_below(rng, 64)) * (sl_rng_below(rng, 2) ? 1 : -1);
}

static struct gw_receipt any_receipt(struct sl_rng *rng, const uint8_t *noise)
{
    struct gw_receipt r = {.account_count = (size_t)sl_rng_below(rng, GW_PURSES_MAX + 1)};
    for (size_t i = 0; i < sizeof r.call_id; i++)
        r.call_id[i] = (uint8_t)sl_rng_below(rng, 256);
    for (size_t i = 0; i < r.account_count; i++) {
        r.accounts[i] = any_text(rng, noise);
        r.windows_opened_at[i] = any_number(rng);
    }
    struct sl_span *const texts[] = {&r.tier, &r.app,  &r.model,
                                     &r.size, &r.node, &r.idempotency_key};
    if (sl_rng_below(rng, 2) == 0)
        r.organisation = any_text(rng, noise);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        *texts[i] = any_text(rng, noise);
    int64_t *const numbers[] = {&r.ended_at, &r.declared_us, &r.held_us,
                                &r.used_us,  &r.charged_us,  &r.queue_us};
    for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
        *numbers[i] = any_number(rng);
    r.lease_journal = sl_rng_u64(rng);
    r.lease_record = sl_rng_u64(rng) >> sl_rng_below(rng, 64);
    r.cause = sl_rng_below(rng, 2) ? GW_CAUSE_ORPHAN : GW_CAUSE_REASON;
    r.reason = (enum sl_reason)sl_rng_below(rng, SL_REASON_COUNT);
    return r;
}

static void any_receipt_comes_back(void **state SL_UNUSED)
{
    uint8_t noise[512], bytes[GW_RECEIPT_BYTES_MAX];
    struct sl_rng rng;
    sl_rng_seed(&rng, 83);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)sl_rng_below(&rng, 256);
    for (int round = 0; round < ROUNDS; round++) {
        struct gw_receipt r = any_receipt(&rng, noise), back;
        size_t len = encode(&r, bytes);
        assert_ok(gw_receipt_decode(sl_span_of(bytes, len), &back));
        assert_same(&r, &back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_comes_back_as_it_was),
        cmocka_unit_test(each_version_has_its_bytes),
        cmocka_unit_test(the_largest_fits_and_larger_is_refused),
        cmocka_unit_test(too_little_room_is_not_written_over),
        cmocka_unit_test(every_cut_and_every_addition_is_refused),
        cmocka_unit_test(an_organisation_without_a_name_is_refused),
        cmocka_unit_test(every_changed_bit_is_refused_or_another_receipt),
        cmocka_unit_test(any_receipt_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
