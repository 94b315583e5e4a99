/* test_gw_h2.c - calls through a gw_h2 in memory: the ways that a call may go. Abuse is in
 * test_gw_h2_abuse.c. */
#include <stdlib.h>

#include "h2_peer.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct gw_h2_peer peer = {.text = "1.2.3.4:5"};

enum { BIG = 3 << 20 };

static struct h2_pair pair;
static uint8_t bytes[BIG];

static int fill(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)sl_rng_u64(&rng);
    return 0;
}

static void open_pair(enum flow_mode mode)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    pair.flow.mode = mode;
}

/* ---- whole calls ---- */

static void echo_once(size_t len, size_t chunk, uint32_t window)
{
    assert_true(h2_pair_open(&pair, NULL, window));
    pair.chunk_bytes = chunk;
    struct h2_call *c = h2_call(&pair, bytes, len);
    h2_pair_run(&pair);
    h2_call_expect_message(c, bytes, len);
    assert_int_equal(h2_flow_count(&pair, GW_EV_LENGTH), len > 65530);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 0);
    assert_true(gw_h2_is_idle(pair.server));
    assert_true(gw_h2_is_ready(pair.server));
    h2_pair_close(&pair);
}

static void messages_of_all_sizes_come_back(void **state SL_UNUSED)
{
    static const size_t sizes[] = {0,     1,     2,     100,   2043,   2047,    2048,  2049,
                                   4096,  16379, 16384, 20000, 65529,  65530,   65531, 65535,
                                   65536, 65537, 70000, 99999, 131072, 1 << 20, BIG};
    for (size_t i = 0; i < SL_ARRAY_LEN(sizes); i++) {
        echo_once(sizes[i], 0, 0);
        echo_once(sizes[i], 1000, 0);
        echo_once(sizes[i], 0, 1 << 20);
    }
}

static void bytes_may_come_one_by_one(void **state SL_UNUSED)
{
    echo_once(300, 1, 0);
    echo_once(70000, 1, 0);
    echo_once(70000, 7, 0);
}

static void a_client_with_tiny_windows_gets_everything(void **state SL_UNUSED)
{
    for (uint32_t window = 1; window < 12; window++)
        echo_once(100, 0, window); /* the prefix itself is cut */
    echo_once(100000, 0, 1000);
}

static void many_streams_at_once(void **state SL_UNUSED)
{
    enum { CALLS = 100 };
    struct h2_call *calls[CALLS];
    open_pair(FLOW_ECHO);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < CALLS; i++)
            calls[i] = h2_call(&pair, bytes + i, i * 37);
        h2_pair_run(&pair);
        for (size_t i = 0; i < CALLS; i++)
            h2_call_expect_message(calls[i], bytes + i, i * 37);
    }
    assert_int_equal(pair.counts.requests, 3 * CALLS);
    h2_pair_close(&pair);
}

static void small_calls_share_few_writes(void **state SL_UNUSED)
{
    enum { CALLS = 50 };
    struct iovec v[64];
    open_pair(FLOW_ECHO);
    h2_pair_run(&pair);
    for (size_t i = 0; i < CALLS; i++)
        h2_call(&pair, bytes, 200);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    assert_int_equal(gw_h2_output(pair.server, v, 64, pair.now), 1);
    h2_pair_run(&pair);
    h2_pair_close(&pair);
}

static void a_large_reply_is_not_copied(void **state SL_UNUSED)
{
    struct iovec v[64];
    bool is_borrowed = false;
    open_pair(FLOW_HOLD);
    h2_call(&pair, bytes, 10);
    h2_pair_run(&pair);
    struct sl_span piece = sl_span_of(bytes, 16000);
    h2_flow_reply(&pair, pair.flow.last, &piece, 1);
    size_t n = gw_h2_output(pair.server, v, 64, pair.now);
    for (size_t i = 0; i < n; i++)
        is_borrowed |= v[i].iov_base == bytes && v[i].iov_len == 16000;
    assert_true(is_borrowed);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    h2_call_expect_message(&pair.calls[0], bytes, 16000);
    h2_pair_close(&pair);
}

static void reply_with_pieces(const size_t *lens, size_t count)
{
    struct sl_span *pieces = malloc(count * sizeof *pieces);
    size_t total = 0;
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, 10);
    h2_pair_run(&pair);
    for (size_t i = 0; i < count; i++) {
        pieces[i] = sl_span_of(bytes + total, lens[i]);
        total += lens[i];
    }
    h2_flow_reply(&pair, pair.flow.last, pieces, count);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    h2_call_expect_message(c, bytes, total);
    h2_pair_close(&pair);
    free(pieces);
}

static void replies_of_many_pieces(void **state SL_UNUSED)
{
    enum { PIECES = 300 };
    size_t lens[PIECES] = {0};
    reply_with_pieces(lens, 0);
    reply_with_pieces(lens, PIECES); /* all empty */
    struct sl_rng rng;
    sl_rng_seed(&rng, 5);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < PIECES; i++)
            lens[i] = sl_rng_below(&rng, 3) == 0 ? 0 : (size_t)sl_rng_below(&rng, 5000);
        reply_with_pieces(lens, 1 + (size_t)sl_rng_below(&rng, PIECES));
    }
}

/* Flow's mistake must not become a connection that hangs or memory that is read past its end. */
static void reply_that_lies(uint64_t says, size_t has, uint32_t close_code)
{
    struct sl_span piece = sl_span_of(bytes, has);
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, 10);
    h2_pair_run(&pair);
    pair.flow.last->reply.message_bytes = says - has; /* the sum is added */
    h2_flow_reply(&pair, pair.flow.last, &piece, 1);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, close_code);
    assert_int_equal(c->download.len, close_code == 0 ? 5 + says : 5 + has);
    h2_pair_close(&pair);
}

static void replies_that_lie_about_their_length(void **state SL_UNUSED)
{
    reply_that_lies(100, 200, 0);
    reply_that_lies(5000, 20000, 0);
    reply_that_lies(200, 100, NGHTTP2_INTERNAL_ERROR);
    reply_that_lies(1 << 20, 20000, NGHTTP2_INTERNAL_ERROR);
}

/* ---- the window of a large message ---- */

static void a_large_message_waits_for_its_grant(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    pair.flow.keeps_grants = true;
    struct h2_call *large = h2_call(&pair, bytes, BIG);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_LENGTH), 1);
    assert_int_equal(pair.flow.last->message_bytes, BIG);
    assert_int_equal(large->uploaded, 65535); /* the first window and no byte more */
    assert_false(large->is_closed);

    struct h2_call *small = h2_call(&pair, bytes, 60000); /* the connection's window is open */
    h2_pair_run(&pair);
    h2_call_expect_message(small, bytes, 60000);

    struct h2_call *other = h2_call(&pair, bytes, 100);
    struct gw_exchange *x = NULL;
    for (struct gw_stream *s = pair.pool.all; s != NULL; s = s->all_next)
        if (s->is_announced)
            x = &s->x;
    h2_flow_grant(&pair, x);
    h2_pair_run(&pair);
    h2_call_expect_message(large, bytes, BIG);
    h2_call_expect_message(other, bytes, 100);
    h2_pair_close(&pair);
}

static void a_grant_opens_the_window_for_all_at_once(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call(&pair, bytes, BIG);
    h2_pair_client_to_server(&pair);
    h2_pair_server_to_client(&pair);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair); /* LENGTH, GRANT */
    h2_pair_server_to_client(&pair);
    h2_pair_client_to_server(&pair); /* all the rest, without another word from the server */
    assert_int_equal(c->uploaded, BIG + GW_GRPC_PREFIX_BYTES);
    h2_pair_run(&pair);
    h2_pair_close(&pair);
}

static void the_connection_s_credit_never_ends(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    for (size_t sent = 0; sent < (size_t)80 << 20; sent += BIG) {
        struct h2_call *c = h2_call(&pair, bytes, BIG);
        h2_pair_run(&pair);
        h2_call_expect_message(c, bytes, BIG);
        sl_buf_finish(&c->upload);
        sl_buf_finish(&c->download);
    }
    h2_pair_close(&pair);
}

static void a_waiting_message_may_be_refused(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    pair.flow.keeps_grants = true;
    struct h2_call *c = h2_call(&pair, bytes, BIG);
    h2_pair_run(&pair);
    h2_flow_refuse(&pair, pair.flow.last, SL_REASON_NO_CAPACITY);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_UNAVAILABLE, "NO_CAPACITY");
    h2_pair_close(&pair);
}

static void a_late_grant_is_harmless(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, BIG);
    h2_pair_run(&pair);
    struct gw_exchange *x = pair.flow.last;
    h2_call_reset(&pair, c);
    h2_pair_run(&pair);
    h2_flow_grant(&pair, x);
    h2_flow_refuse(&pair, x, SL_REASON_CANCELLED);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    h2_pair_close(&pair);
}

/* Flow may be reading the head on its own thread, whatever happens to the stream. */
static void the_head_stays_until_the_reply(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, BIG);
    h2_pair_run(&pair);
    struct gw_exchange *x = pair.flow.last;
    assert_true(x->head.len > 0);
    assert_true(pair.pool.held_bytes > 0);
    h2_call_reset(&pair, c);
    h2_pair_run(&pair);
    assert_memory_equal(x->head.data, bytes, x->head.len);
    gw_h2_destroy(pair.server);
    pair.server = NULL;
    assert_memory_equal(x->head.data, bytes, x->head.len);
    h2_flow_refuse(&pair, x, SL_REASON_CANCELLED);
    assert_int_equal(pair.pool.held_bytes, 0);
    h2_pair_close(&pair);
}

/* ---- refusals ---- */

static void a_refusal_does_not_wait_for_the_body(void **state SL_UNUSED)
{
    open_pair(FLOW_REFUSE);
    struct h2_call *c = h2_call_partly(&pair, bytes, 50000, 1000);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_PERMISSION_DENIED,
                           "NOT_TRUSTED"); /* closed by RST NO_ERROR */
    assert_int_equal(pair.counts.resets_sent, 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_SENT), 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 0);
    h2_pair_close(&pair);
}

static void a_refusal_after_the_body_needs_no_reset(void **state SL_UNUSED)
{
    open_pair(FLOW_REFUSE);
    struct h2_call *c = h2_call(&pair, bytes, 1000);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_PERMISSION_DENIED, "NOT_TRUSTED");
    assert_int_equal(pair.counts.resets_sent, 0);
    h2_pair_close(&pair);
}

#define GRPC_HEADERS H2_NV(":scheme", "http"), H2_NV(":authority", "t"), H2_NV("te", "trailers")

static struct h2_call *call_path(const char *path, const char *type, const void *up, size_t len)
{
    nghttp2_nv nv[] = {
        H2_NV(":method", "POST"),
        GRPC_HEADERS,
        H2_NV(":path", ""),
        H2_NV("content-type", ""),
    };
    nv[4].value = (uint8_t *)(uintptr_t)path;
    nv[4].valuelen = strlen(path);
    nv[5].value = (uint8_t *)(uintptr_t)type;
    nv[5].valuelen = strlen(type);
    /* Pseudo headers first. */
    nghttp2_nv sorted[] = {nv[0], nv[1], nv[4], nv[2], nv[3], nv[5]};
    return h2_call_headers(&pair, sorted, SL_ARRAY_LEN(sorted), up, len);
}

static void what_is_not_grpc_is_told_in_http(void **state SL_UNUSED)
{
    const nghttp2_nv get[] = {H2_NV(":method", "GET"), H2_NV(":scheme", "http"),
                              H2_NV(":path", "/"), H2_NV(":authority", "t")};
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call_headers(&pair, get, SL_ARRAY_LEN(get), NULL, 0);
    struct h2_call *j = call_path("/x", "application/json", "{}", 2);
    h2_pair_run(&pair);
    assert_int_equal(c->http_status, 405);
    assert_int_equal(j->http_status, 415);
    assert_int_equal(h2_flow_count(&pair, GW_EV_OPEN), 0);
    assert_int_equal(pair.counts.refused_early, 2);
    h2_pair_close(&pair);
}

static void an_unknown_method_is_unimplemented(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = call_path("/a.B/C", "application/grpc", "\0\0\0\0\0", 5);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_UNIMPLEMENTED, "UNIMPLEMENTED");
    assert_non_null(strstr(c->grpc_message, "/a.B/C"));
    h2_pair_close(&pair);
}

/* What is wrong with the message is told by the net side; flow hears GONE. */
static void refusals_tell_a_call_id(void **state SL_UNUSED)
{
    static const char mine[] = "123e4567-e89b-42d3-a456-426614174000";
    static const char *const said[] = {mine, "not-a-uuid", NULL};
    open_pair(FLOW_ECHO);
    for (size_t i = 0; i < SL_ARRAY_LEN(said); i++) {
        nghttp2_nv nv[] = {H2_NV(":method", "POST"), H2_NV(":path", "/a.B/C"), GRPC_HEADERS,
                           H2_NV("content-type", "application/grpc"), H2_NV("sluice-call-id", "")};
        nghttp2_nv *id = &nv[SL_ARRAY_LEN(nv) - 1];
        id->value = (uint8_t *)(uintptr_t)said[i];
        id->valuelen = said[i] != NULL ? strlen(said[i]) : 0;
        size_t count = SL_ARRAY_LEN(nv) - (said[i] == NULL);
        struct h2_call *by_headers = h2_call_headers(&pair, nv, count, NULL, 0);
        nv[1].value = (uint8_t *)(uintptr_t) "/inference.GRPCInferenceService/ModelInfer";
        nv[1].valuelen = strlen((const char *)nv[1].value);
        struct h2_call *by_body = h2_call_headers(&pair, nv, count, "\1\0\0\0\0", 5);
        h2_pair_run(&pair);
        for (int k = 0; k < 2; k++) {
            const struct h2_call *c = k == 0 ? by_headers : by_body;
            assert_true(sl_text_is_uuid(sl_span_str(c->call_id)));
            assert_true((strcmp(c->call_id, mine) == 0) == (said[i] == mine));
        }
        assert_true(said[i] == mine || strcmp(by_headers->call_id, by_body->call_id) != 0);
    }
    h2_pair_close(&pair);
}

static void check_bad_upload(const char *path, const void *up, size_t len, int status,
                             const char *reason)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = call_path(path, "application/grpc", up, len);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, status, reason);
    assert_int_equal(h2_flow_count(&pair, GW_EV_OPEN), 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 0);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    h2_pair_close(&pair);
}

static void broken_messages_are_refused(void **state SL_UNUSED)
{
    const char *infer = GW_INFERENCE "ModelInfer", *live = GW_INFERENCE "ServerLive";
    check_bad_upload(infer, "", 0, SL_GRPC_UNIMPLEMENTED, "UNIMPLEMENTED");
    check_bad_upload(infer, "\1\0\0\0\1a", 6, SL_GRPC_INTERNAL, "INTERNAL");
    check_bad_upload(infer, "\0\0\0\0\2a", 6, SL_GRPC_INVALID_ARGUMENT, "BAD_INPUT");
    check_bad_upload(infer, "\0\0\0\0\0x", 6, SL_GRPC_UNIMPLEMENTED, "UNIMPLEMENTED");
    check_bad_upload(infer, "\0\0\1\0\0abc", 8, SL_GRPC_INVALID_ARGUMENT, "BAD_INPUT");
    check_bad_upload(infer, "\0\2\0\0\1", 5, SL_GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    check_bad_upload(infer, "\0\xff\xff\xff\xff", 5, SL_GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    check_bad_upload(live, "\0\0\1\0\1", 5, SL_GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
}

static void headers_without_a_body_carry_no_message(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = call_path(GW_INFERENCE "ModelInfer", "application/grpc", NULL, 0);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_UNIMPLEMENTED, "UNIMPLEMENTED");
    h2_pair_close(&pair);
}

/* ---- going away ---- */

static void gone_is_told_once(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    call_path(GW_INFERENCE "ModelInfer", "application/grpc", "\1\0\0\0\0", 5);
    h2_pair_run(&pair); /* refused here: GONE; then the stream closes */
    gw_h2_destroy(pair.server);
    pair.server = NULL;
    h2_pair_run_flow(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    h2_flow_refuse(&pair, pair.flow.last, SL_REASON_CANCELLED);
    h2_pair_close(&pair);
}

static void a_reset_in_the_body_is_told(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call_partly(&pair, bytes, 50000, 20000);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 0);
    h2_call_reset(&pair, c);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_SENT), 1);
    assert_int_equal(pair.counts.resets_received, 1);
    assert_true(gw_h2_is_idle(pair.server));
    h2_pair_close(&pair);
}

static void a_reset_before_the_reply_is_told_and_the_reply_dropped(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, 100);
    h2_pair_run(&pair);
    h2_call_reset(&pair, c);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_SENT), 0);
    assert_false(gw_h2_is_idle(pair.server)); /* counts until flow has let go */
    struct sl_span piece = sl_span_of(bytes, 5000);
    h2_flow_reply(&pair, pair.flow.last, &piece, 1);
    assert_int_equal(pair.flow.released, 1);
    assert_int_equal(h2_flow_count(&pair, GW_EV_SENT), 1);
    assert_true(gw_h2_is_idle(pair.server));
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    assert_int_equal(c->download.len, 0);
    h2_pair_close(&pair);
}

static void a_reset_in_the_reply_releases_it_once_unsent_bytes_are_gone(void **state SL_UNUSED)
{
    struct iovec v[64];
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, 100);
    h2_pair_run(&pair);
    struct sl_span piece = sl_span_of(bytes, BIG);
    h2_flow_reply(&pair, pair.flow.last, &piece, 1);
    size_t n = gw_h2_output(pair.server, v, 64, pair.now); /* a write is under way */
    assert_true(n > 1);
    h2_call_reset(&pair, c);
    h2_pair_client_to_server(&pair);
    assert_int_equal(pair.flow.released, 0);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 0); /* REPLY had come */
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i].iov_len;
    gw_h2_sent(pair.server, total - 1);
    assert_int_equal(pair.flow.released, 0);
    gw_h2_sent(pair.server, 1);
    assert_int_equal(pair.flow.released, 1);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_close(&pair);
}

static void a_lost_connection_is_told_to_all_calls(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    h2_call(&pair, bytes, 100);
    h2_call_partly(&pair, bytes, 100, 50);
    h2_call(&pair, bytes, BIG);
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_OPEN), 3);
    h2_pair_close(&pair); /* checks that each exchange came home */
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 3);
}

static void a_drain_lets_open_calls_end(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    struct h2_call *c = h2_call(&pair, bytes, 100);
    h2_pair_run(&pair);
    gw_h2_announce_end(pair.server);
    h2_pair_run(&pair); /* the client answers the PING: that was the round trip */
    assert_true(pair.client_saw_goaway);
    assert_int_equal(pair.goaway_code, 0);
    assert_int_equal(pair.goaway_last_id, c->id);
    assert_false(gw_h2_is_over(pair.server));
    struct sl_span piece = sl_span_of(bytes, 100);
    h2_flow_reply(&pair, pair.flow.last, &piece, 1);
    pair.flow.mode = FLOW_ECHO;
    h2_pair_run(&pair);
    h2_call_expect_message(c, bytes, 100);
    assert_true(gw_h2_is_over(pair.server));
    h2_pair_close(&pair);
}

/* ---- standing still ---- */

static void a_body_that_stands_still_is_refused(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call_partly(&pair, bytes, 50000, 100);
    h2_pair_run(&pair);
    pair.now += 30 * SL_NS_PER_S;
    assert_false(gw_h2_tick(pair.server, pair.now));
    pair.now += 1;
    assert_true(gw_h2_tick(pair.server, pair.now));
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED");
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    assert_int_equal(pair.counts.stalled_requests, 1);
    h2_pair_close(&pair);
}

static void remake_server(void)
{
    gw_h2_destroy(pair.server);
    assert_ok(gw_h2_create(&pair.conf, &pair.port, &peer, &pair, pair.now, &pair.server));
}

/* Never still, but so few bytes that it would take a day. */
static void a_body_that_drips_is_refused(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    pair.conf.pace.least_bytes = 30 * 1024;
    remake_server();
    struct h2_call *slow = h2_call_partly(&pair, bytes, 40000, 100);
    struct h2_call *fair = h2_call_partly(&pair, bytes, 60000, 100);
    for (int s = 0; s < 40; s++) {
        slow->holds_at += 1;
        fair->holds_at += 1200;
        nghttp2_session_resume_data(pair.client, slow->id);
        nghttp2_session_resume_data(pair.client, fair->id);
        h2_pair_run(&pair);
        pair.now += SL_NS_PER_S;
        (void)!gw_h2_tick(pair.server, pair.now);
    }
    h2_pair_run(&pair);
    h2_call_expect_refusal(slow, SL_GRPC_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED");
    assert_non_null(strstr(slow->grpc_message, "30720 bytes in 30s"));
    assert_int_equal(pair.counts.slow_requests, 1);
    h2_call_resume(&pair, fair);
    h2_pair_run(&pair);
    h2_call_expect_message(fair, bytes, 60000);
    h2_pair_close(&pair);
}

static void calls_that_wait_for_us_do_not_stall(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    h2_call(&pair, bytes, 100);
    h2_call(&pair, bytes, BIG); /* waits for its grant */
    h2_pair_run(&pair);
    pair.now += 1000 * SL_NS_PER_S;
    assert_false(gw_h2_tick(pair.server, pair.now));
    h2_pair_close(&pair);
}

static void a_reply_that_nobody_takes_is_reset(void **state SL_UNUSED)
{
    assert_true(h2_pair_open(&pair, NULL, 10));
    struct h2_call *c = h2_call(&pair, bytes, 1000);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    h2_pair_server_to_client(&pair); /* 10 bytes, and the client's credit is not delivered */
    pair.now += 31 * SL_NS_PER_S;
    assert_true(gw_h2_tick(pair.server, pair.now));
    h2_pair_server_to_client(&pair);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, NGHTTP2_CANCEL);
    assert_int_equal(pair.flow.released, 1);
    h2_pair_run(&pair);
    h2_pair_close(&pair);
}

/* ---- odd but allowed ---- */

static void trailers_of_a_request_are_ignored(void **state SL_UNUSED)
{
    const nghttp2_nv trailer[] = {H2_NV("x-checksum", "1")};
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call(&pair, bytes, 100);
    c->holds_end = true;
    h2_pair_run(&pair);
    assert_int_equal(
        nghttp2_submit_headers(pair.client, NGHTTP2_FLAG_END_STREAM, c->id, NULL, trailer, 1, NULL),
        0);
    h2_pair_run(&pair);
    h2_call_expect_message(c, bytes, 100);
    h2_pair_close(&pair);
}

static void the_end_may_come_in_an_empty_frame(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call(&pair, bytes, 100);
    c->holds_end = true;
    h2_pair_run(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 0); /* a second message might come */
    h2_call_resume(&pair, c);
    h2_pair_run(&pair);
    h2_call_expect_message(c, bytes, 100);
    h2_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_come_back),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(a_client_with_tiny_windows_gets_everything),
        cmocka_unit_test(many_streams_at_once),
        cmocka_unit_test(small_calls_share_few_writes),
        cmocka_unit_test(a_large_reply_is_not_copied),
        cmocka_unit_test(replies_of_many_pieces),
        cmocka_unit_test(replies_that_lie_about_their_length),
        cmocka_unit_test(a_large_message_waits_for_its_grant),
        cmocka_unit_test(a_grant_opens_the_window_for_all_at_once),
        cmocka_unit_test(the_connection_s_credit_never_ends),
        cmocka_unit_test(a_waiting_message_may_be_refused),
        cmocka_unit_test(a_late_grant_is_harmless),
        cmocka_unit_test(the_head_stays_until_the_reply),
        cmocka_unit_test(a_refusal_does_not_wait_for_the_body),
        cmocka_unit_test(a_refusal_after_the_body_needs_no_reset),
        cmocka_unit_test(what_is_not_grpc_is_told_in_http),
        cmocka_unit_test(an_unknown_method_is_unimplemented),
        cmocka_unit_test(refusals_tell_a_call_id),
        cmocka_unit_test(broken_messages_are_refused),
        cmocka_unit_test(headers_without_a_body_carry_no_message),
        cmocka_unit_test(gone_is_told_once),
        cmocka_unit_test(a_reset_in_the_body_is_told),
        cmocka_unit_test(a_reset_before_the_reply_is_told_and_the_reply_dropped),
        cmocka_unit_test(a_reset_in_the_reply_releases_it_once_unsent_bytes_are_gone),
        cmocka_unit_test(a_lost_connection_is_told_to_all_calls),
        cmocka_unit_test(a_drain_lets_open_calls_end),
        cmocka_unit_test(a_body_that_stands_still_is_refused),
        cmocka_unit_test(a_body_that_drips_is_refused),
        cmocka_unit_test(calls_that_wait_for_us_do_not_stall),
        cmocka_unit_test(a_reply_that_nobody_takes_is_reset),
        cmocka_unit_test(trailers_of_a_request_are_ignored),
        cmocka_unit_test(the_end_may_come_in_an_empty_frame),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
