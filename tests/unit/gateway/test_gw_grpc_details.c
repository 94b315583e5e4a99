/* test_gw_grpc_details.c - what grpc-status-details-bin says, read back by libsluice's decoder. */
#include "gw_grpc_details.h"
#include "gw_pb.h"
#include "sl_test.h"
#include "sluice_pairs.h"
#include "sluice_status.h"
#include "sluice_text.h"
#include "sluice_wire.h"

struct decoded {
    struct sl_buf bytes;
    struct sluice_status status;
    struct sluice_pairs_list info;
};

static void decode(const struct gw_reply *r, struct decoded *d)
{
    char text[GW_GRPC_DETAILS_MAX + 1];
    size_t len = gw_grpc_details(r, text);
    assert_true(len > 0);
    assert_int_equal(len, strlen(text));
    sluice_status_clear(&d->status);
    sluice_pairs_init(&d->info);
    sl_buf_init(&d->bytes, &sl_alloc_malloc, 4096);
    assert_ok(sluice_base64_decode(sl_span_of(text, len), &d->bytes));
    sluice_wire_get_details(sl_buf_span(&d->bytes), &d->status, &d->info);
}

static void finish(struct decoded *d)
{
    sluice_pairs_finish(&d->info);
    sl_buf_finish(&d->bytes);
}

/* The n-th field of this number in a message; an empty span when there is none. */
static struct sl_span field_of(struct sl_span message, uint32_t number, unsigned n)
{
    struct gw_pb_reader r = gw_pb_reader_of(message);
    struct gw_pb_field f;
    while (gw_pb_next(&r, &f))
        if (f.number == number && f.type == GW_PB_BYTES && n-- == 0)
            return gw_pb_content(&r, &f);
    assert_false(r.bad);
    return sl_span_of(NULL, 0);
}

static void reason_ids_and_delay(void **state SL_UNUSED)
{
    struct gw_reply r = {.trailers = {{"sluice-call-id", "id-1"},
                                      {"sluice-exec-ms", "1.000"},
                                      {"sluice-node", "n1"}},
                         .trailer_count = 3};
    struct decoded d;
    sl_error_set(&r.error, SL_REASON_QUEUE_FULL, "full");
    decode(&r, &d);
    assert_string_equal(d.status.reason, "QUEUE_FULL");
    assert_int_equal(d.status.retry_after_ms, 1000);
    assert_string_equal(sluice_pairs_find(&d.info, "call_id"), "id-1");
    assert_string_equal(sluice_pairs_find(&d.info, "node"), "n1");
    assert_int_equal(d.info.count, 2);
    assert_span_text(field_of(sl_buf_span(&d.bytes), 2, 0), "full");
    finish(&d);
}

static void the_field_at_fault(void **state SL_UNUSED)
{
    struct gw_reply r = {.trailer_count = 0};
    struct decoded d;
    sl_error_set(&r.error, SL_REASON_BAD_INPUT, "input 'A' is given twice");
    sl_error_set_field(&r.error, "inputs.A");
    decode(&r, &d);
    assert_int_equal(d.status.retry_after_ms, -1);
    struct sl_span any = field_of(sl_buf_span(&d.bytes), 3, 1);
    assert_span_text(field_of(any, 1, 0), "type.googleapis.com/google.rpc.BadRequest");
    struct sl_span violation = field_of(field_of(any, 2, 0), 1, 0);
    assert_span_text(field_of(violation, 1, 0), "inputs.A");
    assert_span_text(field_of(violation, 2, 0), "input 'A' is given twice");
    assert_null(field_of(sl_buf_span(&d.bytes), 3, 2).data);
    finish(&d);
}

static void the_longest_texts_fit(void **state SL_UNUSED)
{
    struct gw_reply r = {.trailer_count = 2};
    char id[37], node[64];
    struct decoded d;
    memset(id, 'i', sizeof id - 1);
    memset(node, 'n', sizeof node - 1);
    id[36] = node[63] = '\0';
    r.trailers[0] = (struct gw_trailer){"sluice-call-id", id};
    r.trailers[1] = (struct gw_trailer){"sluice-node", node};
    sl_error_set(&r.error, SL_REASON_DURATION_TOO_LONG, "%0511d", 1);
    sl_error_set_field(&r.error, "%079d", 1);
    decode(&r, &d);
    assert_string_equal(d.status.reason, "DURATION_TOO_LONG");
    assert_string_equal(sluice_pairs_find(&d.info, "node"), node);
    finish(&d);
}

/* It is beside the others, with the longest subject that it tells, and without a longer one. */
static void whose_quota_it_is(void **state SL_UNUSED)
{
    for (size_t len = 300; len <= 301; len++) {
        struct gw_reply r = {.trailer_count = 1, .retry_after_ms = 86400000};
        char visitor[302];
        struct decoded d;
        memset(visitor, 'v', len);
        visitor[len] = '\0';
        r.trailers[0] = (struct gw_trailer){"sluice-visitor", visitor};
        sl_error_set(&r.error, SL_REASON_QUOTA_EXCEEDED, "%0511d", 1);
        decode(&r, &d);
        struct sl_span raw = sl_buf_span(&d.bytes);
        assert_string_equal(d.status.reason, "QUOTA_EXCEEDED");
        assert_non_null(memmem(raw.data, raw.len, "google.rpc.QuotaFailure", 23));
        assert_non_null(memmem(raw.data, raw.len, "google.rpc.RetryInfo", 20));
        assert_int_equal(memmem(raw.data, raw.len, visitor, len) != NULL, len == 300);
        finish(&d);
    }
}

static void what_does_not_fit_is_left_out_whole(void **state SL_UNUSED)
{
    struct gw_reply r = {.trailer_count = 1};
    char text[GW_GRPC_DETAILS_MAX + 1], node[2000];
    memset(node, 'n', sizeof node - 1);
    node[sizeof node - 1] = '\0';
    r.trailers[0] = (struct gw_trailer){"sluice-node", node};
    sl_error_set(&r.error, SL_REASON_INTERNAL, "x");
    assert_int_equal(gw_grpc_details(&r, text), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reason_ids_and_delay),
        cmocka_unit_test(the_field_at_fault),
        cmocka_unit_test(the_longest_texts_fit),
        cmocka_unit_test(whose_quota_it_is),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
