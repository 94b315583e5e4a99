/* test_gw_grpc_meta.c - header rules of requests as tables, and the header lists of replies. */
#include <stdio.h>

#include "fail_alloc.h"
#include "gw_forwarded.h"
#include "gw_grpc_meta.h"
#include "sl_base.h"
#include "sl_test.h"

#define INFER GW_INFERENCE "ModelInfer"
enum { BYTES_MAX = 2000, HEADERS_MAX = 12, NOW = 1000 };

struct header {
    const char *name, *value;
};

/* What every request has; those of a case come after, and replace one of the same name. */
static const struct header usual[] = {
    {":method", "POST"}, {":scheme", "http"},
    {":path", INFER},    {"content-type", "application/grpc"},
    {"te", "trailers"},
};

struct request {
    struct gw_grpc_meta meta;
    struct gw_request req;
    struct gw_reply refusal;
    struct sl_arena arena;
    bool is_accepted;
};

static bool is_replaced(const struct header *usual_one, const struct header *own)
{
    for (; own->name != NULL; own++)
        if (strcmp(own->name, usual_one->name) == 0)
            return true;
    return false;
}

static void put(struct request *r, const struct header *h)
{
    if (h->value != NULL)
        gw_grpc_meta_header(&r->meta, sl_span_str(h->name), sl_span_str(h->value));
}

static void begin(struct request *r)
{
    sl_arena_init(&r->arena, &sl_alloc_malloc, 1 << 16);
    gw_grpc_meta_begin(&r->meta, &r->req, &r->refusal, &r->arena, BYTES_MAX);
}

/* own ends with a NULL name; a NULL value takes a usual header away. */
static void read_request(struct request *r, const struct header *own)
{
    begin(r);
    for (size_t i = 0; i < SL_ARRAY_LEN(usual); i++)
        if (!is_replaced(&usual[i], own))
            put(r, &usual[i]);
    for (; own->name != NULL; own++)
        put(r, own);
    r->is_accepted = gw_grpc_meta_end(&r->meta, NOW);
}

static void finish(struct request *r)
{
    sl_arena_finish(&r->arena);
}

struct verdict {
    struct header own[HEADERS_MAX];
    int http_status;
    enum sl_reason reason; /* OK: accepted */
    const char *says;
};

static const struct verdict verdicts[] = {
    {{{0}}, 200, SL_REASON_OK, ""},
    {{{"te", NULL}}, 200, SL_REASON_OK, ""},
    {{{"content-type", "application/grpc+proto"}}, 200, SL_REASON_OK, ""},
    {{{"content-type", "application/grpc;charset=utf-8"}}, 200, SL_REASON_OK, ""},
    {{{"content-type", "application/grpc+proto; x=1"}}, 200, SL_REASON_OK, ""},
    {{{"grpc-encoding", "identity"}}, 200, SL_REASON_OK, ""},
    {{{"grpc-accept-encoding", "gzip, identity"}}, 200, SL_REASON_OK, ""},
    {{{"unknown", "\xff\x01 is not ours"}}, 200, SL_REASON_OK, ""},
    {{{"x-bin", ""}}, 200, SL_REASON_OK, ""},
    {{{"x-bin", "AAEC"}, {"x-bin", "AA"}}, 200, SL_REASON_OK, ""},
    {{{"grpc-trace-bin", "AA==,AA, AAE= ,AAEC,,//+/"}}, 200, SL_REASON_OK, ""},
    {{{"-bin", "*"}}, 200, SL_REASON_OK, ""},
    {{{"x-bin", "AAEC*"}}, 200, SL_REASON_BAD_INPUT, "x-bin is not base64"},
    {{{"x-bin", "AAEC,A"}}, 200, SL_REASON_BAD_INPUT, "x-bin"},
    {{{"x-bin", "\xff\xff"}}, 200, SL_REASON_BAD_INPUT, "x-bin"},
    {{{"x-bin", "A A="}}, 200, SL_REASON_BAD_INPUT, "x-bin"},
    {{{":method", "GET"}}, 405, SL_REASON_BAD_INPUT, "POST"},
    {{{":method", "post"}}, 405, SL_REASON_BAD_INPUT, "POST"},
    {{{"content-type", NULL}}, 415, SL_REASON_BAD_INPUT, "application/grpc"},
    {{{"content-type", "application/json"}}, 415, SL_REASON_BAD_INPUT, "application/grpc"},
    {{{"content-type", "application/grpc-web"}}, 415, SL_REASON_BAD_INPUT, ""},
    {{{"content-type", "application/grpc+json"}}, 415, SL_REASON_BAD_INPUT, ""},
    {{{"content-type", "application/grpc+protobuf"}}, 415, SL_REASON_BAD_INPUT, ""},
    {{{"content-type", "application/grp"}}, 415, SL_REASON_BAD_INPUT, ""},
    {{{":path", "/no.Such/Method"}}, 200, SL_REASON_UNIMPLEMENTED, "\"/no.Such/Method\""},
    {{{":path", ""}}, 200, SL_REASON_UNIMPLEMENTED, "\"\""},
    {{{":path", INFER "x"}}, 200, SL_REASON_UNIMPLEMENTED, "ModelInferx"},
    {{{"grpc-encoding", "gzip"}}, 200, SL_REASON_OK, ""},
    {{{"grpc-encoding", "deflate"}}, 200, SL_REASON_OK, ""},
    {{{"grpc-encoding", "zstd"}}, 200, SL_REASON_UNIMPLEMENTED, "identity,deflate,gzip"},
    {{{"grpc-timeout", "5"}}, 200, SL_REASON_BAD_INPUT, "\"5\""},
    {{{"grpc-timeout", "-5S"}}, 200, SL_REASON_BAD_INPUT, "\"-5S\""},
    {{{"grpc-timeout", "123456789n"}}, 200, SL_REASON_BAD_INPUT, "8 digits"},
    {{{"grpc-timeout", "1S"}, {"grpc-timeout", "1S"}}, 200, SL_REASON_BAD_INPUT, "twice"},
    {{{"content-type", "application/grpc"}, {"content-type", "application/grpc"}},
     200,
     SL_REASON_BAD_INPUT,
     "content-type stands there twice"},
    {{{"grpc-encoding", "identity"}, {"grpc-encoding", "identity"}},
     200,
     SL_REASON_BAD_INPUT,
     "grpc-encoding stands there twice"},
    {{{"authorization", "Bearer a"}, {"authorization", "Bearer b"}},
     200,
     SL_REASON_BAD_INPUT,
     "authorization stands there twice"},
    {{{"sluice-call-id", ""}, {"sluice-call-id", ""}}, 200, SL_REASON_BAD_INPUT, "twice"},
    {{{"authorization", "Bearer \x80"}}, 200, SL_REASON_BAD_INPUT, "authorization"},
    {{{"sluice-size", "a\tb"}}, 200, SL_REASON_BAD_INPUT, "sluice-size"},
    /* The first broken rule is told, but not being gRPC comes before all. */
    {{{"grpc-timeout", "x"}, {"grpc-encoding", "br"}}, 200, SL_REASON_BAD_INPUT, "grpc-timeout"},
    {{{"grpc-timeout", "x"}, {":method", "GET"}}, 405, SL_REASON_BAD_INPUT, "POST"},
};

static void rules_of_requests(void **state SL_UNUSED)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(verdicts); i++) {
        const struct verdict *v = &verdicts[i];
        struct request r;
        read_request(&r, v->own);
        const struct sl_error *e = &r.refusal.error;
        if (r.is_accepted != (v->reason == SL_REASON_OK) || e->reason != v->reason ||
            r.meta.http_status != v->http_status || strstr(e->text, v->says) == NULL)
            fail_msg("case %zu (%s): http %d, %s: %s", i, v->own[0].name, r.meta.http_status,
                     sl_reason_name(e->reason), e->text);
        finish(&r);
    }
}

static void known_headers_are_kept(void **state SL_UNUSED)
{
    static const struct header own[] = {{"authorization", "Bearer abc"},
                                        {"x-ip-token", "t"},
                                        {"sluice-call-id", "id"},
                                        {"idempotency-key", "k"},
                                        {"sluice-duration", "5s"},
                                        {"sluice-size", "large"},
                                        {"sluice-max-wait", "30s"},
                                        {"sluice-on-disconnect", "keep"},
                                        {"sluice-watch", "1"},
                                        {"traceparent", "00-1"},
                                        {"user-agent", "me/1"},
                                        {"grpc-timeout", "2S"},
                                        {NULL, NULL}};
    struct request r;
    read_request(&r, own);
    assert_true(r.is_accepted);
    assert_int_equal(r.req.method, GW_METHOD_MODEL_INFER);
    assert_int_equal(r.req.arrived_at, NOW);
    assert_int_equal(r.req.deadline_at, NOW + 2 * SL_NS_PER_S);
    assert_span_text(r.req.path, INFER);
    const struct sl_span kept[] = {r.req.authorization,   r.req.x_ip_token,    r.req.call_id,
                                   r.req.idempotency_key, r.req.duration,      r.req.size,
                                   r.req.max_wait,        r.req.on_disconnect, r.req.watch,
                                   r.req.traceparent,     r.req.user_agent};
    for (size_t i = 0; i < SL_ARRAY_LEN(kept); i++)
        assert_span_text(kept[i], own[i].value);
    finish(&r);
}

static void absent_headers_are_null(void **state SL_UNUSED)
{
    struct request r;
    read_request(&r, (const struct header[]){{NULL, NULL}});
    assert_null(r.req.authorization.data);
    assert_null(r.req.call_id.data);
    assert_int_equal(r.req.deadline_at, SL_MONO_NEVER);
    finish(&r);
}

static void an_empty_header_is_not_absent(void **state SL_UNUSED)
{
    struct request r;
    read_request(&r, (const struct header[]){{"sluice-size", ""}, {NULL, NULL}});
    assert_true(r.is_accepted);
    assert_non_null(r.req.size.data);
    assert_int_equal(r.req.size.len, 0);
    finish(&r);
}

static void decoded_bytes_are_counted(void **state SL_UNUSED)
{
    struct request r;
    struct header own[] = {{"cookie", "crumb"}, {NULL, NULL}};
    read_request(&r, own);
    size_t base = r.meta.bytes;
    assert_true(r.is_accepted);
    /* Crumbs of a few bytes: each costs 32 more. */
    while (gw_grpc_meta_header(&r.meta, sl_span_str("cookie"), sl_span_str("a")))
        assert_true(r.meta.bytes <= BYTES_MAX);
    assert_true(r.meta.bytes > BYTES_MAX && r.meta.bytes <= BYTES_MAX + 39);
    assert_true((r.meta.bytes - base) % 39 == 0);
    assert_false(gw_grpc_meta_end(&r.meta, NOW));
    assert_int_equal(r.refusal.error.reason, SL_REASON_TOO_LARGE);
    assert_non_null(strstr(r.refusal.error.text, "2000"));
    assert_int_equal(r.meta.http_status, 200);
    finish(&r);
}

static void too_many_bytes_hide_what_was_cut(void **state SL_UNUSED)
{
    struct request r;
    char big[BYTES_MAX];
    begin(&r);
    memset(big, 'a', sizeof big);
    assert_false(gw_grpc_meta_header(&r.meta, sl_span_str("x"), sl_span_of(big, sizeof big)));
    assert_false(gw_grpc_meta_end(&r.meta, NOW)); /* not 405, though no method was seen */
    assert_int_equal(r.meta.http_status, 200);
    assert_int_equal(r.refusal.error.reason, SL_REASON_TOO_LARGE);
    finish(&r);
}

static void cookies_come_in_crumbs(void **state SL_UNUSED)
{
    struct request r;
    read_request(&r, (const struct header[]){{"cookie", "theme=\xc3\xa4"},
                                             {"cookie", "a=b; sluice-visitor=1.2; c=d"},
                                             {"cookie", "sluice-visitor=3"},
                                             {NULL, NULL}});
    assert_true(r.is_accepted);
    assert_span_text(r.req.cookie, "1.2");
    finish(&r);
    read_request(&r, (const struct header[]){{"cookie", "a=b"}, {NULL, NULL}});
    assert_null(r.req.cookie.data);
    finish(&r);
}

static void lines_of_proxies_are_joined(void **state SL_UNUSED)
{
    struct request r;
    char most[GW_FORWARDED_MAX + 2];
    read_request(&r, (const struct header[]){{"x-forwarded-for", "1.2.3.4"},
                                             {"x-forwarded-for", ""},
                                             {"x-forwarded-for", "5.6.7.8, ::1"},
                                             {NULL, NULL}});
    assert_true(r.is_accepted);
    assert_span_text(r.req.forwarded, "1.2.3.4,,5.6.7.8, ::1");
    finish(&r);
    memset(most, '1', sizeof most);
    most[GW_FORWARDED_MAX] = '\0';
    read_request(&r, (const struct header[]){{"x-forwarded-for", most}, {NULL, NULL}});
    assert_true(r.is_accepted);
    finish(&r);
    read_request(&r, (const struct header[]){
                         {"x-forwarded-for", ""}, {"x-forwarded-for", most}, {NULL, NULL}});
    assert_false(r.is_accepted);
    assert_string_equal(r.refusal.error.text,
                        "The header x-forwarded-for has more than 1024 bytes.");
    finish(&r);
}

static void encodings_are_kept(void **state SL_UNUSED)
{
    struct request r;
    read_request(&r, (const struct header[]){{"grpc-encoding", "deflate"},
                                             {"grpc-accept-encoding", "br ,identity,, gzip"},
                                             {"grpc-accept-encoding", "gzipped"},
                                             {NULL, NULL}});
    assert_true(r.is_accepted);
    assert_int_equal(r.req.encoding, GW_ENCODING_DEFLATE);
    assert_int_equal(r.req.accepts, 1 << GW_ENCODING_IDENTITY | 1 << GW_ENCODING_GZIP);
    finish(&r);
}

static void a_refusal_names_its_header(void **state SL_UNUSED)
{
    struct request r;
    read_request(&r, (const struct header[]){{"grpc-timeout", "x"}, {NULL, NULL}});
    assert_string_equal(r.refusal.error.field, "grpc-timeout");
    finish(&r);
    read_request(&r, (const struct header[]){{"sluice-size", "\x80"}, {NULL, NULL}});
    assert_string_equal(r.refusal.error.field, "sluice-size");
    finish(&r);
}

static void without_memory_the_request_is_refused(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct request r;
    fail_alloc_init(&f);
    f.fail_at = 1;
    sl_arena_init(&r.arena, &f.alloc, 1 << 16);
    gw_grpc_meta_begin(&r.meta, &r.req, &r.refusal, &r.arena, BYTES_MAX);
    for (size_t i = 0; i < SL_ARRAY_LEN(usual); i++)
        put(&r, &usual[i]);
    assert_false(gw_grpc_meta_end(&r.meta, NOW));
    assert_int_equal(r.refusal.error.reason, SL_REASON_NO_CAPACITY);
    finish(&r);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

static void timeouts(void **state SL_UNUSED)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } cases[] = {
        {"0n", 0},
        {"1n", 1},
        {"99999999n", 99999999},
        {"3u", 3000},
        {"7m", 7 * SL_NS_PER_MS},
        {"5S", 5 * SL_NS_PER_S},
        {"2M", 120 * SL_NS_PER_S},
        {"1H", 3600 * SL_NS_PER_S},
        {"00000001S", SL_NS_PER_S},
        {"000000001S", -1},

        {"99999999H", INT64_MAX},
        {"", -1},
        {"S", -1},
        {"5", -1},
        {"5s", -1},
        {"5h", -1},
        {"+5S", -1},
        {" 5S", -1},
        {"5S ", -1},
        {"1.5S", -1},
        {"5SS", -1},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        int64_t ns = -1;
        sl_status s = gw_grpc_timeout(sl_span_str(cases[i].text), &ns);
        if (ns != cases[i].ns || (s == SL_OK) != (cases[i].ns >= 0))
            fail_msg("\"%s\": %lld", cases[i].text, (long long)ns);
    }
}

static void check_encoding(const char *text, size_t out_bytes, const char *wanted)
{
    char out[64];
    memset(out, 'X', sizeof out);
    size_t len = gw_grpc_percent_encode(sl_span_str(text), out, out_bytes);
    assert_string_equal(out, wanted);
    assert_int_equal(len, strlen(wanted));
    assert_int_equal(out[out_bytes], 'X');
}

static void percent_encoding(void **state SL_UNUSED)
{
    check_encoding("", 32, "");
    check_encoding("plain text, ~!", 32, "plain text, ~!");
    check_encoding("100%", 32, "100%25");
    check_encoding("a\nb\tc", 32, "a%0Ab%09c");
    check_encoding("\x7f", 32, "%7F");
    check_encoding("\xc3\xbc", 32, "%C3%BC");
    check_encoding("\xe2\x82\xac\xf0\x9f\x98\x80", 32, "%E2%82%AC%F0%9F%98%80");
    /* A character that does not fit whole is left away. */
    check_encoding("ab\xc3\xbc", 9, "ab%C3%BC");
    check_encoding("ab\xc3\xbc", 8, "ab");
    check_encoding("abc", 3, "ab");
    check_encoding("abc", 1, "");
    /* Bytes that are no UTF-8 are encoded all the same. */
    check_encoding("\xff\xfe", 32, "%FF%FE");
    check_encoding("\xc3", 32, "%C3");
}

static void check_field(const struct gw_grpc_fields *f, size_t i, const char *name,
                        const char *value)
{
    assert_true(i < f->count);
    assert_span_text(sl_span_of(f->at[i].name, f->at[i].name_len), name);
    assert_span_text(sl_span_of(f->at[i].value, f->at[i].value_len), value);
}

static void a_good_reply(void **state SL_UNUSED)
{
    struct gw_grpc_fields f;
    struct gw_reply r = {.trailers = {{"sluice-call-id", "abc"}, {"sluice-node", "n1"}},
                         .trailer_count = 2};
    gw_grpc_fields_head(&f, GW_ENCODING_GZIP);
    assert_int_equal(f.count, 4);
    check_field(&f, 2, "grpc-accept-encoding", "identity,deflate,gzip");
    check_field(&f, 3, "grpc-encoding", "gzip");
    gw_grpc_fields_head(&f, GW_ENCODING_IDENTITY);
    assert_int_equal(f.count, 3);
    check_field(&f, 0, ":status", "200");
    check_field(&f, 1, "content-type", "application/grpc");
    gw_grpc_fields_trailers(&f, &r);
    assert_int_equal(f.count, 3);
    check_field(&f, 0, "grpc-status", "0");
    check_field(&f, 1, "sluice-call-id", "abc");
    check_field(&f, 2, "sluice-node", "n1");
    assert_false(f.at[1].recurs);
    assert_true(f.at[2].recurs);
}

static void every_reason_has_its_status(void **state SL_UNUSED)
{
    for (int reason = SL_REASON_OK + 1; reason < SL_REASON_COUNT; reason++) {
        struct gw_grpc_fields f;
        struct gw_reply r = {0};
        char status[8];
        sl_error_set(&r.error, (enum sl_reason)reason, "50%% of it");
        snprintf(status, sizeof status, "%d", (int)sl_reason_grpc((enum sl_reason)reason));
        gw_grpc_fields_trailers_only(&f, 200, &r);
        assert_int_equal(f.count, sl_reason_forbids_retry((enum sl_reason)reason) ? 8 : 7);
        check_field(&f, 0, ":status", "200");
        check_field(&f, 3, "grpc-status", status);
        check_field(&f, 4, "grpc-message", "50%25 of it");
        check_field(&f, 5, "sluice-reason", sl_reason_name((enum sl_reason)reason));
        assert_string_equal(f.at[6].name, "grpc-status-details-bin");
        if (sl_reason_forbids_retry((enum sl_reason)reason))
            check_field(&f, 7, "grpc-retry-pushback-ms", "-1");
    }
}

static void the_longest_reply_fits(void **state SL_UNUSED)
{
    struct gw_grpc_fields f;
    struct gw_reply r = {.trailer_count = GW_TRAILERS_MAX};
    for (size_t i = 0; i < GW_TRAILERS_MAX; i++)
        r.trailers[i] = (struct gw_trailer){"name", "value"};
    r.error.reason = SL_REASON_ALLOCATION_TIMEOUT;
    memset(r.error.text, 1, sizeof r.error.text - 1);
    gw_grpc_fields_trailers_only(&f, 415, &r);
    assert_int_equal(f.count, GW_GRPC_FIELDS_MAX);
    check_field(&f, 0, ":status", "415");
    assert_int_equal(f.at[4].value_len, 3 * (SL_ERROR_TEXT_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_of_requests),
        cmocka_unit_test(known_headers_are_kept),
        cmocka_unit_test(absent_headers_are_null),
        cmocka_unit_test(an_empty_header_is_not_absent),
        cmocka_unit_test(decoded_bytes_are_counted),
        cmocka_unit_test(too_many_bytes_hide_what_was_cut),
        cmocka_unit_test(cookies_come_in_crumbs),
        cmocka_unit_test(lines_of_proxies_are_joined),
        cmocka_unit_test(encodings_are_kept),
        cmocka_unit_test(a_refusal_names_its_header),
        cmocka_unit_test(without_memory_the_request_is_refused),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(percent_encoding),
        cmocka_unit_test(a_good_reply),
        cmocka_unit_test(every_reason_has_its_status),
        cmocka_unit_test(the_longest_reply_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
