/* test_gw_h2_abuse.c - what a hostile peer may send, as bytes: the connection ends with a reason, what it
 * could hold stays bounded, and nothing is left over. And a server without memory. */
#include <stdlib.h>

#include "fail_alloc.h"
#include "h2_peer.h"
#include "sl_base.h"
#include "sl_test.h"

static const struct gw_h2_peer peer = {.text = "x"};

static struct h2_pair pair;

static void open_pair(enum flow_mode mode)
{
    assert_true(h2_pair_open(&pair, NULL, 0));
    pair.flow.mode = mode;
}

/* ---- frames by hand ---- */

static void frame(uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t len)
{
    uint8_t *f = malloc(9 + len);
    const uint8_t head[9] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
        (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    memcpy(f, head, 9);
    memcpy(f + 9, payload, len);
    h2_pair_raw(&pair, f, 9 + len);
    free(f);
}

static void handshake(void)
{
    static const char magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    h2_pair_raw(&pair, magic, sizeof magic - 1);
    frame(NGHTTP2_SETTINGS, 0, 0, "", 0);
    frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
    assert_status(pair.input_status, SL_OK);
}

/* HPACK without a table: POST, http, an authority, the path, the content type. */
static const uint8_t infer_block[] = "\x83\x86\x01\x01t"
                                     "\x04\x2a/inference.GRPCInferenceService/ModelInfer"
                                     "\x0f\x10\x10"
                                     "application/grpc";
enum { INFER_BLOCK_LEN = sizeof infer_block - 1 };

static void headers(uint32_t id, uint8_t flags)
{
    frame(NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, id, infer_block, INFER_BLOCK_LEN);
}

static void reset(uint32_t id)
{
    frame(NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x8", 4);
}

/* What the server has to say goes to nghttp2's client, which did not send what it answers; only GOAWAY
 * matters here, so frames are read by hand. */
static void read_server(void)
{
    struct iovec v[64];
    size_t n;
    struct sl_buf all;
    sl_buf_init(&all, &sl_alloc_malloc, 64 << 20);
    while ((n = gw_h2_output(pair.server, v, 64, pair.now)) > 0) {
        size_t total = 0;
        for (size_t i = 0; i < n; total += v[i++].iov_len)
            assert_ok(sl_buf_append(&all, v[i].iov_base, v[i].iov_len));
        gw_h2_sent(pair.server, total);
    }
    for (size_t at = 0; at < all.len;) {
        const uint8_t *f = all.data + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        assert_true(at + 9 + len <= all.len);
        if (f[3] == NGHTTP2_GOAWAY) {
            pair.client_saw_goaway = true;
            pair.goaway_code =
                (uint32_t)f[13] << 24 | (uint32_t)f[14] << 16 | (uint32_t)f[15] << 8 | f[16];
            snprintf(pair.goaway_text, sizeof pair.goaway_text, "%.*s", (int)(len - 8), f + 17);
        }
        at += 9 + len;
    }
    sl_buf_finish(&all);
}

static void expect_goaway(uint32_t code, const char *says)
{
    read_server();
    assert_true(pair.client_saw_goaway);
    if (pair.goaway_code != code || strstr(pair.goaway_text, says) == NULL)
        fail_msg("GOAWAY %u \"%s\"", pair.goaway_code, pair.goaway_text);
    assert_true(gw_h2_is_over(pair.server));
    assert_int_equal(pair.counts.protocol_errors, 1);
}

/* ---- the beginning ---- */

static void a_bad_preface_ends_it(void **state SL_UNUSED)
{
    static const char *const prefaces[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02",
                                           "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"};
    for (size_t i = 0; i < SL_ARRAY_LEN(prefaces); i++) {
        open_pair(FLOW_ECHO);
        h2_pair_raw(&pair, prefaces[i], strlen(prefaces[i]));
        assert_status(pair.input_status, SL_EPROTO);
        expect_goaway(NGHTTP2_PROTOCOL_ERROR, "prior knowledge");
        assert_false(gw_h2_is_ready(pair.server));
        h2_pair_close(&pair);
    }
}

static void after_the_end_nothing_is_taken(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    h2_pair_raw(&pair, "nonsense", 8);
    h2_pair_raw(&pair, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    assert_status(pair.input_status, SL_EPROTO);
    expect_goaway(NGHTTP2_PROTOCOL_ERROR, "");
    h2_pair_close(&pair);
}

/* ---- floods ---- */

static void rapid_resets_end_it(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    uint32_t id = 1;
    for (; id < 2 * 5000 && pair.input_status == SL_OK; id += 2) {
        headers(id, 0);
        reset(id);
        h2_pair_run_flow(&pair);
        read_server();
        if (gw_h2_is_over(pair.server))
            break;
    }
    assert_true(id > 2 * 900 && id < 2 * 1200);
    expect_goaway(NGHTTP2_INTERNAL_ERROR, "");
    h2_pair_close(&pair);
}

static void resets_do_not_pass_the_bound_on_what_flow_has(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD); /* flow is slow to let go */
    handshake();
    for (uint32_t id = 1; id < 2 * 900; id += 2) {
        headers(id, 0);
        reset(id);
    }
    assert_int_equal(h2_flow_count(&pair, GW_EV_OPEN), 2 * 100);
    assert_int_equal(pair.pool.taken_count, 2 * 100);
    h2_pair_close(&pair);
}

static void more_streams_than_allowed_are_refused(void **state SL_UNUSED)
{
    open_pair(FLOW_HOLD);
    handshake();
    for (uint32_t id = 1; id < 2 * 300; id += 2)
        headers(id, 0);
    assert_true(h2_flow_count(&pair, GW_EV_OPEN) <= 100);
    h2_pair_close(&pair);
}

static void continuation_floods_end_it(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    frame(NGHTTP2_HEADERS, 0, 1, infer_block, INFER_BLOCK_LEN);
    for (int i = 0; i < 1000 && pair.input_status == SL_OK; i++) {
        frame(NGHTTP2_CONTINUATION, 0, 1, "", 0);
        read_server();
        if (gw_h2_is_over(pair.server))
            break;
        assert_true(i < 20);
    }
    expect_goaway(NGHTTP2_INTERNAL_ERROR, "Too many CONTINUATION");
    h2_pair_close(&pair);
}

static void expect_end_after(uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                             size_t len, int at_least, int at_most)
{
    int i = 0;
    for (; i < at_most + 1 && pair.input_status == SL_OK; i++) {
        frame(type, flags, id, payload, len);
        struct iovec v[64];
        size_t total = 0;
        size_t n = gw_h2_output(pair.server, v, 64, pair.now);
        for (size_t k = 0; k < n && pair.input_status == SL_OK; k++)
            total += v[k].iov_len;
        gw_h2_sent(pair.server, total);
    }
    if (i < at_least || i > at_most)
        fail_msg("type %u: it ended after %d frames", type, i);
}

static void cheap_frames_end_it(void **state SL_UNUSED)
{
    static const struct {
        uint8_t type;
        const char *payload;
        size_t len;
    } cases[] = {
        {NGHTTP2_PING, "12345678", 8},
        {NGHTTP2_SETTINGS, "", 0},
        {NGHTTP2_PRIORITY, "\0\0\0\0\1", 5},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        open_pair(FLOW_ECHO);
        handshake();
        uint32_t id = cases[i].type == NGHTTP2_PRIORITY ? 3 : 0;
        expect_end_after(cases[i].type, 0, id, cases[i].payload, cases[i].len, 1900, 2100);
        expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "without a purpose");
        h2_pair_close(&pair);
    }
}

static void empty_data_ends_it(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    headers(1, 0);
    expect_end_after(NGHTTP2_DATA, 0, 1, "", 0, 1900, 2100);
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "without a purpose");
    h2_pair_run_flow(&pair);
    assert_int_equal(h2_flow_count(&pair, GW_EV_GONE), 1);
    h2_pair_close(&pair);
}

static void patience_comes_back_with_time(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    for (int s = 0; s < 100; s++) {
        for (int i = 0; i < 200; i++)
            frame(NGHTTP2_PING, 0, 0, "12345678", 8);
        assert_status(pair.input_status, SL_OK);
        read_server();
        pair.now += SL_NS_PER_S;
    }
    h2_pair_close(&pair);
}

static void open_with_ping_rule(bool is_without_calls)
{
    open_pair(FLOW_HOLD);
    gw_h2_destroy(pair.server);
    pair.conf.pings = (struct gw_h2_ping_rule){10 * SL_NS_PER_S, is_without_calls};
    assert_ok(gw_h2_create(&pair.conf, &pair.port, &peer, &pair, pair.now, &pair.server));
    handshake();
}

/* How many pings, each so long after the one before, are answered. */
static int pings_until_the_end(int64_t apart_ns)
{
    int n = 0;
    while (n < 100 && pair.input_status == SL_OK) {
        pair.now += apart_ns;
        frame(NGHTTP2_PING, 0, 0, "12345678", 8);
        read_server();
        n += pair.input_status == SL_OK;
    }
    return n;
}

static void pings_too_close_end_it_as_grpc_does(void **state SL_UNUSED)
{
    open_with_ping_rule(true);
    assert_int_equal(pings_until_the_end(9 * SL_NS_PER_S), 3); /* the first, and two strikes */
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    h2_pair_close(&pair);

    open_with_ping_rule(true);
    assert_int_equal(pings_until_the_end(10 * SL_NS_PER_S), 100);
    h2_pair_close(&pair);
}

static void pings_without_calls_may_be_forbidden(void **state SL_UNUSED)
{
    open_with_ping_rule(false);
    assert_int_equal(pings_until_the_end(7199 * SL_NS_PER_S), 3);
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    h2_pair_close(&pair);

    open_with_ping_rule(false);
    headers(1, 0); /* an open call: the shorter time holds */
    assert_int_equal(pings_until_the_end(10 * SL_NS_PER_S), 100);
    h2_pair_close(&pair);
}

/* Clients measure the line by pings while replies come; those are no abuse. */
static void pings_between_replies_are_fine(void **state SL_UNUSED)
{
    open_with_ping_rule(false);
    pair.flow.mode = FLOW_REFUSE;
    for (uint32_t id = 1; id < 200; id += 2) {
        headers(id, NGHTTP2_FLAG_END_STREAM);
        h2_pair_run_flow(&pair);
        read_server();
        for (int i = 0; i < 3; i++)
            frame(NGHTTP2_PING, 0, 0, "12345678", 8);
        read_server();
    }
    assert_status(pair.input_status, SL_OK);
    h2_pair_close(&pair);
}

static void our_ping_is_one_frame(void **state SL_UNUSED)
{
    struct iovec v[4];
    open_pair(FLOW_ECHO);
    handshake();
    read_server();
    gw_h2_ping(pair.server);
    assert_int_equal(gw_h2_output(pair.server, v, 4, pair.now), 1);
    assert_int_equal(v[0].iov_len, 17);
    assert_int_equal(((const uint8_t *)v[0].iov_base)[3], NGHTTP2_PING);
    gw_h2_sent(pair.server, 17);
    h2_pair_close(&pair);
}

static void provoked_resets_end_it(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    uint32_t id = 1;
    for (; id < 2 * 1000 && !pair.client_saw_goaway; id += 2) {
        headers(id, 0);
        frame(NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff", 4); /* over 2^31 - 1 */
        read_server();
        h2_pair_run_flow(&pair); /* lets go of them */
        if (gw_h2_is_over(pair.server))
            break;
    }
    if (id < 2 * 190 || id > 2 * 210)
        fail_msg("it ended at stream %u", id);
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "reset for errors");
    h2_pair_close(&pair);
}

/* ---- headers ---- */

static void headers_over_the_limit_are_refused(void **state SL_UNUSED)
{
    static char big[9000];
    memset(big, 'a', sizeof big);
    nghttp2_nv nv[] = {H2_NV(":method", "POST"),
                       H2_NV(":scheme", "http"),
                       H2_NV(":authority", "t"),
                       H2_NV(":path", "/inference.GRPCInferenceService/ModelInfer"),
                       H2_NV("content-type", "application/grpc"),
                       H2_NV("x-big", "")};
    nv[5].value = (uint8_t *)big;
    nv[5].valuelen = sizeof big;
    open_pair(FLOW_ECHO);
    struct h2_call *c = h2_call_headers(&pair, nv, 6, "\0\0\0\0\0", 5);
    h2_pair_run(&pair);
    h2_call_expect_refusal(c, SL_GRPC_RESOURCE_EXHAUSTED, "TOO_LARGE");
    assert_non_null(strstr(c->grpc_message, "8192"));
    assert_int_equal(h2_flow_count(&pair, GW_EV_OPEN), 0);
    h2_pair_close(&pair);
}

/* One long value in the table, then a byte for each time that it is told again. */
static void hpack_amplification_ends_it(void **state SL_UNUSED)
{
    enum { VALUE = 3000 };
    static uint8_t block[INFER_BLOCK_LEN + 8 + VALUE + 100];
    size_t len = INFER_BLOCK_LEN;
    memcpy(block, infer_block, len);
    block[len++] = 0x40; /* literal with indexing, new name */
    block[len++] = 6;
    memcpy(block + len, "cookie", 6);
    len += 6;
    block[len++] = 0x7f; /* 127 + ... */
    block[len++] = (uint8_t)(((VALUE - 127) & 0x7f) | 0x80);
    block[len++] = (VALUE - 127) >> 7;
    memset(block + len, 'c', VALUE);
    len += VALUE;
    for (int i = 0; i < 50; i++)
        block[len++] = 0x80 | 62; /* the entry of the table */
    open_pair(FLOW_ECHO);
    handshake();
    frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block, len);
    assert_status(pair.input_status, SL_EPROTO);
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "far over the limit");
    h2_pair_close(&pair);
}

static void a_huge_header_frame_is_not_read(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    h2_pair_raw(&pair, "\1\0\0\1\4\0\0\0\1", 9); /* 64 KiB of HEADERS: only said so */
    assert_status(pair.input_status, SL_EPROTO);
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "far over the limit");
    h2_pair_close(&pair);
}

static void a_header_block_that_stands_still_ends_it(void **state SL_UNUSED)
{
    open_pair(FLOW_ECHO);
    handshake();
    frame(NGHTTP2_HEADERS, 0, 1, infer_block, INFER_BLOCK_LEN);
    pair.now += 31 * SL_NS_PER_S;
    assert_true(gw_h2_tick(pair.server, pair.now));
    expect_goaway(NGHTTP2_ENHANCE_YOUR_CALM, "stood still");
    h2_pair_close(&pair);
}

/* ---- credit ---- */

static void more_data_than_credit_ends_it(void **state SL_UNUSED)
{
    static uint8_t data[16384];
    open_pair(FLOW_HOLD);
    handshake();
    headers(1, 0);
    memcpy(data, "\0\1\0\0\0", 5); /* 16 MiB, never granted */
    for (int i = 0; i < 4; i++)
        frame(NGHTTP2_DATA, 0, 1, data, i < 3 ? sizeof data : sizeof data - 1);
    read_server();
    assert_false(pair.client_saw_goaway);
    frame(NGHTTP2_DATA, 0, 1, data, 1); /* the 65536th byte */
    read_server();
    assert_int_equal(pair.counts.resets_sent + pair.counts.protocol_errors, 1);
    h2_pair_close(&pair);
}

/* Bodies that never become whole, each within its first window. */
static void ungranted_bytes_are_bounded(void **state SL_UNUSED)
{
    enum { CALLS = 100 };
    static uint8_t message[60000];
    open_pair(FLOW_ECHO);
    gw_h2_destroy(pair.server);
    pair.conf.held_bytes_max = 10 * sizeof message;
    assert_ok(gw_h2_create(&pair.conf, &pair.port, &peer, &pair, pair.now, &pair.server));
    for (int i = 0; i < CALLS; i++)
        h2_call_partly(&pair, message, sizeof message, 1000);
    h2_pair_run(&pair);
    assert_int_equal(pair.pool.held_bytes, pair.conf.held_bytes_max);
    for (int i = 0; i < 10; i++)
        h2_call_resume(&pair, &pair.calls[i]);
    h2_pair_run(&pair);
    for (int i = 0; i < CALLS; i++)
        if (i < 10)
            h2_call_expect_message(&pair.calls[i], message, sizeof message);
        else
            h2_call_expect_refusal(&pair.calls[i], SL_GRPC_UNAVAILABLE, "NO_CAPACITY");
    assert_int_equal(pair.pool.held_bytes, 0);
    h2_pair_close(&pair);
}

static void a_slow_reader_holds_little(void **state SL_UNUSED)
{
    enum { CALLS = 50, SIZE = 60000 };
    static uint8_t message[SIZE];
    struct iovec v[64];
    assert_true(h2_pair_open(&pair, NULL, 1 << 30));
    assert_int_equal(nghttp2_session_set_local_window_size(pair.client, 0, 0, 1 << 30), 0);
    h2_pair_run(&pair);
    for (int i = 0; i < CALLS; i++)
        h2_call(&pair, message, SIZE);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    assert_true(gw_h2_wants_input(pair.server));
    for (int i = 0; i < 10; i++) /* asked again and again, while nothing leaves */
        gw_h2_output(pair.server, v, 64, pair.now);
    assert_false(gw_h2_wants_input(pair.server));
    size_t n = gw_h2_pending(pair.server, v, 64), total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i].iov_len;
    assert_true(total >= pair.conf.outbound_max_bytes);
    assert_true(total < pair.conf.outbound_max_bytes + 20000); /* one frame more at most */
    h2_pair_run(&pair);
    assert_true(gw_h2_wants_input(pair.server));
    for (int i = 0; i < CALLS; i++)
        h2_call_expect_message(&pair.calls[i], message, SIZE);
    h2_pair_close(&pair);
}

/* A reader that lets a byte through now and then does not keep the reply for ever. */
static void a_reply_that_drips_is_reset(void **state SL_UNUSED)
{
    static uint8_t request[5 + 30000] = {0, 0, 0, 30000 >> 8, 30000 & 0xff};
    open_pair(FLOW_ECHO);
    gw_h2_destroy(pair.server);
    pair.conf.pace.least_bytes = 1024;
    assert_ok(gw_h2_create(&pair.conf, &pair.port, &peer, &pair, pair.now, &pair.server));
    handshake();
    frame(NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\x64", 6); /* windows of 100 bytes */
    headers(1, 0);
    frame(NGHTTP2_DATA, 0, 1, request, 16384);
    frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, request + 16384, sizeof request - 16384);
    h2_pair_run_flow(&pair);
    int s = 0;
    for (; s < 100 && pair.flow.released == 0; s++) {
        read_server();
        frame(NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
        pair.now += SL_NS_PER_S;
        (void)!gw_h2_tick(pair.server, pair.now);
    }
    assert_in_range(s, 30, 32);
    read_server();
    assert_int_equal(pair.counts.slow_requests, 1);
    assert_int_equal(pair.counts.resets_sent, 1);
    h2_pair_run_flow(&pair);
    h2_pair_close(&pair);
}

/* Replies that the peer's window holds back are flow's memory, not output: reading goes on, else its credit
 * could never come. */
static void a_closed_window_does_not_stop_reading(void **state SL_UNUSED)
{
    static uint8_t message[60000];
    struct iovec v[64];
    assert_true(h2_pair_open(&pair, NULL, 1));
    for (int i = 0; i < 50; i++)
        h2_call(&pair, message, sizeof message);
    h2_pair_client_to_server(&pair);
    h2_pair_run_flow(&pair);
    size_t n = gw_h2_output(pair.server, v, 64, pair.now), total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i].iov_len;
    gw_h2_sent(pair.server, total);
    assert_true(gw_h2_wants_input(pair.server));
    h2_pair_close(&pair);
}

static void padding_is_given_back(void **state SL_UNUSED)
{
    enum { DATA = 300, PAD = 255, MESSAGE = 60000 };
    uint8_t payload[1 + DATA + PAD] = {PAD};
    open_pair(FLOW_HOLD);
    handshake();
    headers(1, 0);
    frame(NGHTTP2_DATA, 0, 1, "\0\0\0\xea\x60", 5);
    for (int sent = 0; sent < MESSAGE; sent += DATA) {
        frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED | (sent + DATA == MESSAGE), 1, payload,
              sizeof payload);
        read_server();
    }
    assert_int_equal(pair.counts.resets_sent + pair.counts.protocol_errors, 0);
    assert_int_equal(h2_flow_count(&pair, GW_EV_MESSAGE), 1);
    h2_flow_refuse(&pair, pair.flow.last != NULL ? pair.flow.last : &pair.pool.all->x,
                   SL_REASON_CANCELLED);
    pair.flow.mode = FLOW_ECHO;
    pair.flow.queued = 0;
    read_server();
    h2_pair_run_flow(&pair);
    h2_pair_close(&pair);
}

/* ---- no memory ---- */

static void run_with(const struct sl_alloc *alloc)
{
    static const uint8_t message[3000];
    if (h2_pair_open(&pair, alloc, 0)) {
        for (int i = 0; i < 3; i++)
            h2_call(&pair, message, sizeof message);
        struct h2_call *c = h2_call_partly(&pair, message, sizeof message, 100);
        h2_pair_run(&pair);
        h2_call_reset(&pair, c);
        h2_pair_run(&pair);
    }
    h2_pair_close(&pair);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    struct fail_alloc f;
    size_t i = 1;
    for (; fail_alloc_start(&f, i); i++) {
        run_with(&f.alloc);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    assert_true(i > 10); /* it did sweep */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_preface_ends_it),
        cmocka_unit_test(after_the_end_nothing_is_taken),
        cmocka_unit_test(rapid_resets_end_it),
        cmocka_unit_test(resets_do_not_pass_the_bound_on_what_flow_has),
        cmocka_unit_test(more_streams_than_allowed_are_refused),
        cmocka_unit_test(continuation_floods_end_it),
        cmocka_unit_test(cheap_frames_end_it),
        cmocka_unit_test(empty_data_ends_it),
        cmocka_unit_test(patience_comes_back_with_time),
        cmocka_unit_test(pings_too_close_end_it_as_grpc_does),
        cmocka_unit_test(pings_without_calls_may_be_forbidden),
        cmocka_unit_test(pings_between_replies_are_fine),
        cmocka_unit_test(our_ping_is_one_frame),
        cmocka_unit_test(provoked_resets_end_it),
        cmocka_unit_test(headers_over_the_limit_are_refused),
        cmocka_unit_test(hpack_amplification_ends_it),
        cmocka_unit_test(a_huge_header_frame_is_not_read),
        cmocka_unit_test(a_header_block_that_stands_still_ends_it),
        cmocka_unit_test(more_data_than_credit_ends_it),
        cmocka_unit_test(ungranted_bytes_are_bounded),
        cmocka_unit_test(a_slow_reader_holds_little),
        cmocka_unit_test(a_reply_that_drips_is_reset),
        cmocka_unit_test(a_closed_window_does_not_stop_reading),
        cmocka_unit_test(padding_is_given_back),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
