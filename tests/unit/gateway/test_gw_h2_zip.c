/* test_gw_h2_zip.c - compressed requests and replies through a gw_h2 in memory. */
#include <stdlib.h>

#include "gw_zip.h"
#include "h2_peer.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct gw_h2_peer peer = {.text = "1.2.3.4:5"};

enum { BIG = 3 << 20, LIMIT = 32 << 20 };

static struct h2_pair pair;
static uint8_t plain[BIG], packed[LIMIT];

static int fill(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 1);
    for (size_t i = 0; i < BIG; i++)
        plain[i] = (uint8_t)(sl_rng_u64(&rng) & 15); /* to a half */
    return 0;
}

static size_t pack(const char *encoding, const uint8_t *from, size_t len)
{
    enum gw_encoding e;
    size_t n;
    struct sl_span piece = sl_span_of(from, len);
    assert_true(gw_encoding_from_name(sl_span_str(encoding), &e));
    assert_ok(gw_zip_deflate(&sl_alloc_malloc, e, &piece, 1, packed, sizeof packed, &n));
    return n;
}

/* ModelInfer with these bytes as its message, under the flag. */
static struct h2_call *call(const char *encoding, const char *accepts, bool flag,
                            const uint8_t *message, size_t len)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    nghttp2_nv nv[] = {
        H2_NV(":method", "POST"),
        H2_NV(":scheme", "http"),
        H2_NV(":path", "/inference.GRPCInferenceService/ModelInfer"),
        H2_NV(":authority", "test"),
        H2_NV("content-type", "application/grpc"),
        H2_NV("te", "trailers"),
        H2_NV("grpc-encoding", ""),
        H2_NV("grpc-accept-encoding", ""),
    };
    nv[6].value = (uint8_t *)(uintptr_t)encoding;
    nv[6].valuelen = strlen(encoding);
    nv[7].value = (uint8_t *)(uintptr_t)accepts;
    nv[7].valuelen = strlen(accepts);
    gw_grpc_frame_prefix(flag, (uint32_t)len, prefix);
    struct h2_call *c = h2_call_headers(&pair, nv, SL_ARRAY_LEN(nv), prefix, sizeof prefix);
    assert_ok(sl_buf_append(&c->upload, message, len));
    return c;
}

static void expect_packed(const struct h2_call *c, const char *encoding, size_t len)
{
    enum gw_encoding e;
    uint8_t *back = malloc(len);
    assert_int_equal(c->grpc_status, 0);
    assert_string_equal(c->encoding, encoding);
    assert_int_equal(c->download.data[0], 1);
    assert_true(gw_encoding_from_name(sl_span_str(encoding), &e));
    assert_ok(gw_zip_inflate(&sl_alloc_malloc, e,
                             sl_span_of(c->download.data + 5, c->download.len - 5), back, len));
    assert_memory_equal(back, plain, len);
    free(back);
}

static void echo(const char *encoding, size_t len, size_t chunk_bytes, uint32_t window)
{
    assert_true(h2_pair_open(&pair, NULL, window));
    pair.chunk_bytes = chunk_bytes;
    size_t n = pack(encoding, plain, len);
    struct h2_call *c = call(encoding, "gzip, deflate", true, packed, n);
    h2_pair_run(&pair);
    if (len >= 256)
        expect_packed(c, encoding, len);
    else
        h2_call_expect_message(c, plain, len);
    assert_int_equal(h2_flow_count(&pair, GW_EV_LENGTH), (n > 65530) + (len > 32768));
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 1);
    assert_int_equal(pair.pool.held_bytes, 0);
    h2_pair_close(&pair);
}

static void messages_of_all_sizes_come_back(void **state SL_UNUSED)
{
    static const size_t sizes[] = {0,     1,     255,   256,    1000,   32767,   32768,
                                   32769, 65536, 99999, 131072, 300000, 1 << 20, BIG};
    for (size_t i = 0; i < SL_ARRAY_LEN(sizes); i++) {
        echo("gzip", sizes[i], 0, 0);
        echo("deflate", sizes[i], 1000, 0);
        echo("gzip", sizes[i], 0, 1 << 20);
    }
    echo("gzip", 3000, 1, 0);
}

static void the_flag_of_the_message_counts(void **state SL_UNUSED)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    struct h2_call *c = call("gzip", "identity", false, plain, 2000);
    struct h2_call *mirrored = call("gzip", "gzip", false, plain, 2000);
    h2_pair_run(&pair);
    h2_call_expect_message(c, plain, 2000);
    assert_string_equal(c->encoding, "");
    expect_packed(mirrored, "gzip", 2000);
    h2_pair_close(&pair);
}

static void replies_are_plain_where_nobody_asked(void **state SL_UNUSED)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    size_t n = pack("gzip", plain, 2000);
    struct h2_call *other = call("gzip", "identity,deflate", true, packed, n);
    struct h2_call *none = call("identity", "gzip", false, plain, 2000);
    h2_pair_run(&pair);
    h2_call_expect_message(other, plain, 2000);
    h2_call_expect_message(none, plain, 2000);
    h2_pair_close(&pair);
}

static void one_bomb(size_t len, const char *reason, int status)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    uint8_t *zeros = calloc(1, len);
    size_t n = pack("gzip", zeros, len);
    free(zeros);
    assert_true(n < len / 200);
    struct h2_call *c = call("gzip", "identity", true, packed, n);
    h2_pair_run(&pair);
    if (status == 0)
        assert_int_equal(c->grpc_status, 0);
    else
        h2_call_expect_refusal(c, status, reason);
    assert_true(status == 0 || strstr(c->grpc_message, "33554432") != NULL);
    h2_pair_close(&pair);
}

static void a_bomb_is_too_large(void **state SL_UNUSED)
{
    one_bomb(LIMIT, "", 0);
    one_bomb(LIMIT + 1, "TOO_LARGE", SL_GRPC_RESOURCE_EXHAUSTED);
}

static void no_room_is_taken_before_it_is_granted(void **state SL_UNUSED)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    pair.flow.keeps_grants = true;
    uint8_t *zeros = calloc(1, BIG);
    size_t n = pack("gzip", zeros, BIG);
    struct h2_call *c = call("gzip", "identity", true, packed, n);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_LENGTH), 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 0);
    assert_int_equal(pair.flow.last->message_bytes, BIG);
    assert_int_equal(pair.flow.last->head.len, 0);
    assert_int_equal(pair.pool.held_bytes, n); /* what was received, and no more */
    h2_flow_grant(&pair, pair.flow.last);
    h2_pair_run(&pair);
    h2_call_expect_message(c, zeros, BIG);
    free(zeros);
    h2_pair_close(&pair);
}

static void a_waiting_one_may_go(void **state SL_UNUSED)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    pair.flow.mode = FLOW_HOLD;
    size_t n = pack("gzip", plain, 100000);
    struct h2_call *c = call("gzip", "identity", true, packed, n);
    h2_pair_run(&pair);
    struct gw_exchange *x = pair.flow.last;
    h2_call_reset(&pair, c);
    h2_pair_run(&pair);
    h2_flow_grant(&pair, x); /* late */
    h2_flow_refuse(&pair, x, SL_REASON_CANCELLED);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 0);
    assert_int_equal(pair.pool.held_bytes, 0);
    h2_pair_close(&pair);
}

static void garbage_is_told(void **state SL_UNUSED)
{
    static const size_t lens[] = {0, 1, 2000, 200000};
    for (size_t i = 0; i < SL_ARRAY_LEN(lens); i++) {
        assert_true(h2_pair_open(&pair, NULL, 0));
        struct h2_call *c = call("gzip", "gzip", true, plain, lens[i]);
        h2_pair_run(&pair);
        h2_call_expect_refusal(c, SL_GRPC_INTERNAL, "INTERNAL");
        assert_non_null(strstr(c->grpc_message, "gzip"));
        assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
        h2_pair_close(&pair);
    }
}

static void never_means_never(void **state SL_UNUSED)
{
    struct h2_pair *p = &pair;
    assert_true(h2_pair_open(p, NULL, 0));
    gw_h2_destroy(p->server);
    p->conf.mirrors_encoding = false;
    assert_ok(gw_h2_create(&p->conf, &p->port, &peer, NULL, p->now, &p->server));
    size_t n = pack("gzip", plain, 2000);
    struct h2_call *c = call("gzip", "gzip", true, packed, n);
    h2_pair_run(p);
    h2_call_expect_message(c, plain, 2000);
    h2_pair_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_come_back),
        cmocka_unit_test(the_flag_of_the_message_counts),
        cmocka_unit_test(replies_are_plain_where_nobody_asked),
        cmocka_unit_test(a_bomb_is_too_large),
        cmocka_unit_test(no_room_is_taken_before_it_is_granted),
        cmocka_unit_test(a_waiting_one_may_go),
        cmocka_unit_test(garbage_is_told),
        cmocka_unit_test(never_means_never),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
