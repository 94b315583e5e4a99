/* test_sluice_stream.c - the messages of a stream, however their bytes are cut, until their reader wants no more. */
#include <string.h>

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice_exchange.h"
#include "sluice_reply.h"

enum { MESSAGES_MAX = 8, BYTES_MAX = 4096 };

struct taken {
    size_t count, wanted; /* wanted 0: all */
    size_t len[MESSAGES_MAX];
    uint8_t bytes[MESSAGES_MAX][BYTES_MAX];
};

static bool take(void *user, struct sluice_bytes message)
{
    struct taken *t = user;
    assert_true(t->count < MESSAGES_MAX && message.bytes <= BYTES_MAX);
    t->len[t->count] = message.bytes;
    if (message.bytes > 0)
        memcpy(t->bytes[t->count], message.data, message.bytes);
    t->count++;
    return t->count != t->wanted;
}

struct stream {
    struct taken taken;
    struct sluice_reader reader;
    struct sluice_body body;
    struct sluice_result *result;
    struct sluice_exchange x;
};

static void begin(struct stream *s, size_t wanted)
{
    memset(s, 0, sizeof *s);
    s->taken.wanted = wanted;
    s->reader = (struct sluice_reader){take, &s->taken};
    sluice_body_init(&s->body);
    s->result = sluice_result_create();
    assert_non_null(s->result);
    sluice_exchange_init(&s->x, &s->body, s->result, &s->reader, BYTES_MAX);
    sluice_exchange_on_header(&s->x, sl_span_str(":status"), sl_span_str("200"));
    sluice_exchange_on_headers_end(&s->x, false);
}

static void finish(struct stream *s)
{
    sluice_result_destroy(s->result);
    sluice_body_finish(&s->body);
}

static int end(struct stream *s, const char *grpc_status, struct sluice_status *status)
{
    sluice_exchange_on_header(&s->x, sl_span_str("grpc-status"), sl_span_str(grpc_status));
    sluice_exchange_on_headers_end(&s->x, true);
    s->x.has_end_stream = true;
    return sluice_reply_status(&s->x, status);
}

static size_t put(uint8_t *out, size_t len, uint8_t fill)
{
    const uint8_t prefix[SLUICE_GRPC_PREFIX_BYTES] = {0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    memcpy(out, prefix, sizeof prefix);
    memset(out + sizeof prefix, fill, len);
    return sizeof prefix + len;
}

static void messages_come_however_they_are_cut(void **state SL_UNUSED)
{
    static const size_t lens[] = {3, 0, 700, 1, 0};
    static uint8_t all[BYTES_MAX];
    static struct stream s;
    struct sluice_status status;
    struct sl_rng rng;
    size_t total = 0;
    sl_rng_seed(&rng, 5);
    for (size_t i = 0; i < SL_ARRAY_LEN(lens); i++)
        total += put(all + total, lens[i], (uint8_t)('a' + i));
    for (int round = 0; round < 300; round++) {
        begin(&s, 0);
        for (size_t at = 0; at < total;) {
            size_t n = 1 + (size_t)sl_rng_below(&rng, round % 3 == 0 ? 2 : 400);
            n = n < total - at ? n : total - at;
            sluice_exchange_on_data(&s.x, sl_span_of(all + at, n));
            at += n;
        }
        assert_int_equal(end(&s, "0", &status), SLUICE_OK);
        assert_int_equal(s.taken.count, SL_ARRAY_LEN(lens));
        for (size_t i = 0; i < SL_ARRAY_LEN(lens); i++) {
            assert_int_equal(s.taken.len[i], lens[i]);
            for (size_t k = 0; k < lens[i]; k++)
                assert_int_equal(s.taken.bytes[i][k], 'a' + i);
        }
        finish(&s);
    }
}

static void a_reader_may_have_enough(void **state SL_UNUSED)
{
    static struct stream s;
    uint8_t all[64];
    struct sluice_status status;
    size_t total = put(all, 4, 'x');
    total += put(all + total, 5, 'y');
    total += put(all + total, 6, 'z');
    begin(&s, 2);
    sluice_exchange_on_data(&s.x, sl_span_of(all, total));
    assert_int_equal(s.taken.count, 2);
    assert_true(sluice_exchange_is_over(&s.x));
    assert_int_equal(sluice_reply_status(&s.x, &status), SLUICE_OK);
    finish(&s);
}

static void an_empty_stream_is_one(void **state SL_UNUSED)
{
    static struct stream s;
    struct sluice_status status;
    begin(&s, 0);
    assert_int_equal(end(&s, "0", &status), SLUICE_OK);
    assert_int_equal(s.taken.count, 0);
    finish(&s);
}

static void a_part_of_a_message_is_none(void **state SL_UNUSED)
{
    static struct stream s;
    uint8_t all[64];
    struct sluice_status status;
    size_t total = put(all, 4, 'x');
    for (size_t cut = 1; cut < total; cut++) {
        begin(&s, 0);
        sluice_exchange_on_data(&s.x, sl_span_of(all, cut));
        assert_int_equal(end(&s, "0", &status), SLUICE_INTERNAL);
        assert_string_equal(status.reason, "BAD_REPLY");
        finish(&s);
    }
}

static void an_error_comes_after_messages(void **state SL_UNUSED)
{
    static struct stream s;
    uint8_t all[64];
    struct sluice_status status;
    begin(&s, 0);
    sluice_exchange_on_data(&s.x, sl_span_of(all, put(all, 4, 'x')));
    assert_int_equal(end(&s, "4", &status), SLUICE_DEADLINE_EXCEEDED);
    assert_int_equal(s.taken.count, 1);
    finish(&s);
}

static void what_is_too_large_is_refused(void **state SL_UNUSED)
{
    static struct stream s;
    const uint8_t prefix[] = {0, 0, 1, 0, 0};
    begin(&s, 0);
    sluice_exchange_on_data(&s.x, sl_span_of(prefix, sizeof prefix));
    assert_string_equal(s.x.failure.reason, "TOO_LARGE");
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_however_they_are_cut),
        cmocka_unit_test(a_reader_may_have_enough),
        cmocka_unit_test(an_empty_stream_is_one),
        cmocka_unit_test(a_part_of_a_message_is_none),
        cmocka_unit_test(an_error_comes_after_messages),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
