/* test_sluice_h2.c - the client's HTTP/2 joined in memory with a server's, with bytes cut anywhere. */
#include <stdlib.h>

#include "h2_peer.h"
#include "sl_base.h"
#include "sl_test.h"
#include "sluice_h2.h"
#include "sluice_reply.h"
#include "sluice_status.h"

/* A client and a server, and one exchange between them. */
struct pair {
    struct sluice_h2 *client;
    struct h2_peer *server;
    struct sluice_body body;
    struct sluice_result *result;
    struct sluice_exchange x;
    struct sl_buf seen; /* the message that the server got */
    void (*answer)(struct h2_peer *p, const struct h2_request *r);
    size_t answers;
};

static void on_request(struct h2_peer *p, const struct h2_request *r, void *user)
{
    struct pair *pair = user;
    sl_buf_clear(&pair->seen);
    assert_ok(sl_buf_append(&pair->seen, r->message.data, r->message.len));
    pair->answers++;
    if (pair->answer != NULL)
        pair->answer(p, r);
}

static void echo(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply(p, r->stream_id, r->message, 0, "sluice-exec-ms: 1.5\n");
}

static void init_pair(struct pair *pair,
                      void (*answer)(struct h2_peer *, const struct h2_request *),
                      struct sl_span message, uint32_t frame, int32_t window)
{
    *pair = (struct pair){.answer = answer};
    assert_ok(sluice_h2_create(&pair->client));
    pair->server = h2_peer_create(on_request, pair, frame, window);
    sl_buf_init(&pair->seen, &sl_alloc_malloc, 1 << 26);
    sluice_body_init(&pair->body);
    assert_ok(sluice_body_of_bytes(&pair->body, message, 1 << 26));
    pair->result = sluice_result_create();
    sluice_exchange_init(&pair->x, &pair->body, pair->result, NULL, 1 << 26);
}

static void finish_pair(struct pair *pair)
{
    sluice_h2_destroy(pair->client);
    h2_peer_destroy(pair->server);
    sl_buf_finish(&pair->seen);
    sluice_body_finish(&pair->body);
    sluice_result_destroy(pair->result);
}

static void start(struct pair *pair)
{
    static const char *const headers[][2] = {
        {":method", "POST"},    {":scheme", "http"}, {":path", "/s/M"},
        {":authority", "test"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
    nghttp2_nv nv[SL_ARRAY_LEN(headers)];

    for (size_t i = 0; i < SL_ARRAY_LEN(headers); i++)
        nv[i] = (nghttp2_nv){.name = (uint8_t *)headers[i][0],
                             .value = (uint8_t *)headers[i][1],
                             .namelen = strlen(headers[i][0]),
                             .valuelen = strlen(headers[i][1])};
    assert_ok(sluice_h2_start(pair->client, &pair->x, nv, SL_ARRAY_LEN(headers)));
}

/* Sends what the client has, at most step bytes a time; were there any? */
static bool client_to_server(struct pair *pair, size_t step)
{
    const struct iovec *pieces;
    size_t count;

    sl_status s = sluice_h2_output(pair->client, &pieces, &count);
    if (count == 0) /* SL_EPROTO: the session is at its end */
        return false;
    assert_ok(s);
    size_t n = pieces[0].iov_len < step ? pieces[0].iov_len : step;
    assert_true(h2_peer_receive(pair->server, sl_span_of(pieces[0].iov_base, n)));
    sluice_h2_sent(pair->client, n);
    return true;
}

static bool server_to_client(struct pair *pair, size_t step)
{
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 27);
    h2_peer_output(pair->server, &out);
    bool any = out.len > 0;
    for (size_t at = 0; at < out.len; at += step) {
        size_t n = out.len - at < step ? out.len - at : step;
        assert_ok(sluice_h2_receive(pair->client, sl_span_of(out.data + at, n)));
    }
    sl_buf_finish(&out);
    return any;
}

static void pump(struct pair *pair, size_t step)
{
    bool any = true;
    while (any) {
        any = client_to_server(pair, step);
        any = server_to_client(pair, step) || any;
    }
}

static void bytes_may_be_cut_anywhere(void **state SL_UNUSED)
{
    static const size_t steps[] = {1, 2, 3, 7, 9, 10, 100, 1 << 20};
    char message[300];

    memset(message, 'm', sizeof(message));
    for (size_t i = 0; i < SL_ARRAY_LEN(steps); i++) {
        struct pair pair;
        struct sluice_status s;
        init_pair(&pair, echo, sl_span_of(message, sizeof(message)), 16384, 65535);
        start(&pair);
        pump(&pair, steps[i]);
        assert_true(pair.x.is_closed);
        assert_int_equal(sluice_reply_status(&pair.x, &s), SLUICE_OK);
        assert_true(s.from_server);
        assert_int_equal(pair.result->message_len, sizeof(message));
        assert_memory_equal(pair.result->message, message, sizeof(message));
        assert_string_equal(sluice_result_metadata(pair.result, "sluice-exec-ms"), "1.5");
        assert_string_equal(sluice_result_metadata(pair.result, "x-early"), "1");
        finish_pair(&pair);
    }
}

static void large_messages_pass_small_windows(void **state SL_UNUSED)
{
    enum { BYTES = 3 << 20 };
    uint8_t *message = malloc(BYTES);
    static const uint32_t frames[] = {16384, 1 << 20};

    for (size_t i = 0; i < BYTES; i++)
        message[i] = (uint8_t)(i * 7 >> 3);
    for (size_t i = 0; i < SL_ARRAY_LEN(frames); i++) {
        struct pair pair;
        struct sluice_status s;
        init_pair(&pair, echo, sl_span_of(message, BYTES), frames[i], i == 0 ? 65535 : 4 << 20);
        start(&pair);
        pump(&pair, 50000);
        assert_int_equal(sluice_reply_status(&pair.x, &s), SLUICE_OK);
        assert_int_equal(pair.seen.len, BYTES);
        assert_memory_equal(pair.seen.data, message, BYTES);
        assert_memory_equal(pair.result->message, message, BYTES);
        finish_pair(&pair);
    }
    free(message);
}

static void reply_error(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply(p, r->stream_id, sl_span_str(""), 5,
                  "grpc-message: no %22m%22\nsluice-reason: MODEL_NOT_FOUND\n");
}

static void reply_trailers_only(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_headers(p, r->stream_id,
                          ":status: 200\ncontent-type: application/grpc\ngrpc-status: 8\n"
                          "grpc-message: full\ngrpc-status-details-bin: not base64!\n");
}

static void reply_http_error(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_headers(p, r->stream_id, ":status: 503\n");
}

static void reply_reset(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reset(p, r->stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void reply_refused(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reset(p, r->stream_id, NGHTTP2_REFUSED_STREAM);
}

static void reply_ok_without_message(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_raw(p, r->stream_id, sl_span_str(""), "grpc-status: 0\n");
}

static void reply_two_messages(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_raw(p, r->stream_id, sl_span_of("\0\0\0\0\1a\0\0\0\0\1b", 12),
                      "grpc-status: 0\n");
}

static void reply_compressed(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_raw(p, r->stream_id, sl_span_of("\1\0\0\0\1a", 6), "grpc-status: 0\n");
}

static void reply_cut_message(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_raw(p, r->stream_id, sl_span_of("\0\0\0\0\5a", 6), "grpc-status: 0\n");
}

static void reply_huge_message(struct h2_peer *p, const struct h2_request *r)
{
    h2_peer_reply_raw(p, r->stream_id, sl_span_of("\0\xff\xff\xff\xff", 5), "grpc-status: 0\n");
}

static void reply_many_trailers(struct h2_peer *p, const struct h2_request *r)
{
    char text[8000] = "grpc-status: 0\nx: ";
    memset(text + strlen(text), 'y', 7900);
    h2_peer_reply_raw(p, r->stream_id, sl_span_of("\0\0\0\0\0", 5), text);
}

static void every_end_has_its_status(void **state SL_UNUSED)
{
    static const struct {
        void (*answer)(struct h2_peer *, const struct h2_request *);
        int code;
        bool from_server;
        const char *reason;
        const char *part;
    } cases[] = {
        {reply_error, SLUICE_NOT_FOUND, true, "MODEL_NOT_FOUND", "no \"m\""},
        {reply_trailers_only, SLUICE_RESOURCE_EXHAUSTED, true, "", "full"},
        {reply_http_error, SLUICE_UNAVAILABLE, false, "BAD_REPLY", "HTTP status 503"},
        {reply_reset, SLUICE_RESOURCE_EXHAUSTED, false, "", "ENHANCE_YOUR_CALM"},
        {reply_refused, SLUICE_UNAVAILABLE, false, "", "REFUSED_STREAM"},
        {reply_ok_without_message, SLUICE_INTERNAL, false, "BAD_REPLY", "0 bytes of a message"},
        {reply_two_messages, SLUICE_INTERNAL, false, "BAD_REPLY", "more than one message"},
        {reply_compressed, SLUICE_INTERNAL, false, "BAD_REPLY", "compressed"},
        {reply_cut_message, SLUICE_INTERNAL, false, "BAD_REPLY", "1 bytes of a message of 5"},
        {reply_huge_message, SLUICE_RESOURCE_EXHAUSTED, false, "TOO_LARGE", "4294967295"},
        {reply_many_trailers, SLUICE_OK, true, "", ""},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct pair pair;
        struct sluice_status s;
        init_pair(&pair, cases[i].answer, sl_span_str("hello"), 16384, 65535);
        start(&pair);
        pump(&pair, 1000);
        assert_true(sluice_exchange_is_over(&pair.x));
        assert_int_equal(sluice_reply_status(&pair.x, &s), cases[i].code);
        assert_string_equal(s.reason, cases[i].reason);
        if (strstr(s.message, cases[i].part) == NULL)
            fail_msg("%s is not in: %s", cases[i].part, s.message);
        assert_true(sluice_h2_is_usable(pair.client));
        finish_pair(&pair);
    }
}

static void a_stopped_call_is_reset_and_its_memory_let_go(void **state SL_UNUSED)
{
    struct pair pair;
    uint8_t *message = malloc(1 << 20);

    memset(message, 1, 1 << 20);
    /* The window takes only a part: the call is stopped in the middle of its body. */
    init_pair(&pair, NULL, sl_span_of(message, 1 << 20), 16384, 65535);
    start(&pair);
    for (int i = 0; i < 5; i++)
        client_to_server(&pair, 20000);
    sluice_h2_stop(pair.client, &pair.x, NGHTTP2_CANCEL);
    while (sluice_h2_has_output(pair.client)) /* these bytes may still be the message's */
        client_to_server(&pair, 1 << 20);
    free(message);
    pump(&pair, 1 << 20);
    assert_int_equal(h2_peer_reset_count(pair.server), 1);
    assert_int_equal(h2_peer_last_reset(pair.server), NGHTTP2_CANCEL);
    assert_int_equal(pair.answers, 0);
    assert_true(sluice_h2_is_usable(pair.client));
    finish_pair(&pair);
}

static void goaway_ends_what_was_not_begun(void **state SL_UNUSED)
{
    struct pair pair;
    struct sluice_status s;

    init_pair(&pair, NULL, sl_span_str("hello"), 16384, 65535);
    start(&pair);
    h2_peer_goaway(pair.server, 0);
    pump(&pair, 1 << 20);
    assert_true(pair.x.is_closed);
    assert_int_equal(pair.x.reset_code, NGHTTP2_REFUSED_STREAM);
    assert_int_equal(sluice_reply_status(&pair.x, &s), SLUICE_UNAVAILABLE);
    assert_false(sluice_h2_is_usable(pair.client));
    assert_status(sluice_h2_start(pair.client, &pair.x, NULL, 0), SL_ESTALE);
    finish_pair(&pair);
}

static void rubbish_is_a_protocol_error(void **state SL_UNUSED)
{
    struct pair pair;

    init_pair(&pair, NULL, sl_span_str("hello"), 16384, 65535);
    start(&pair);
    assert_false(sluice_h2_has_begun(pair.client));
    sl_status s = sluice_h2_receive(
        pair.client, sl_span_str("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    assert_false(sluice_h2_has_begun(pair.client));
    /* Nothing more is to be awaited once what is left is sent. */
    while (s == SL_OK) {
        const struct iovec *pieces;
        size_t count;
        s = sluice_h2_output(pair.client, &pieces, &count);
        if (s == SL_OK)
            sluice_h2_sent(pair.client, pieces[0].iov_len);
    }
    assert_int_equal(s, SL_EPROTO);
    finish_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_may_be_cut_anywhere),
        cmocka_unit_test(large_messages_pass_small_windows),
        cmocka_unit_test(every_end_has_its_status),
        cmocka_unit_test(a_stopped_call_is_reset_and_its_memory_let_go),
        cmocka_unit_test(goaway_ends_what_was_not_begun),
        cmocka_unit_test(rubbish_is_a_protocol_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
