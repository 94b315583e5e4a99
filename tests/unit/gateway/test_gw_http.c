/* test_gw_http.c - the HTTP port, asked over a socket as curl would, and as nobody should. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gw_http.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

enum { REPLY_MAX = 64 * 1024 };

static struct gw_http *http;
static struct sl_metric_registry *registry;
static bool ready;
static const char *jwks = "{\"keys\":[]}";
static char reply[REPLY_MAX];

static bool is_ready(void *ctx SL_UNUSED)
{
    return ready;
}

static sl_status copy_jwks(void *ctx SL_UNUSED, struct sl_buf *out)
{
    return jwks == NULL ? SL_ENOMEM : sl_buf_append(out, jwks, strlen(jwks));
}

/* What the last visitor brought, and what he is told. */
static struct gw_visit_answer told;
static struct sl_error refusal;
static char came[512];

static sl_status visit(void *ctx SL_UNUSED, const struct gw_visit *v, struct gw_visit_answer *out,
                       struct sl_error *err)
{
    char peer[GW_ADDRESS_TEXT_MAX + 1];
    gw_address_format(&v->peer, peer);
    snprintf(came, sizeof came, "%s|%.*s|%.*s|%.*s", peer, (int)v->forwarded.len, v->forwarded.data,
             (int)v->forwarded_proto.len, v->forwarded_proto.data, (int)v->cookie.len,
             v->cookie.data);
    *out = told;
    *err = refusal;
    return sl_error_is_set(&refusal) ? SL_EINVAL : SL_OK;
}

static int set_up(void **state SL_UNUSED)
{
    struct gw_http_conf conf;
    struct sl_error error;
    gw_http_conf_defaults(&conf);
    conf.address = "127.0.0.1";
    conf.max_connections = 4;
    conf.timeout_s = 1;
    assert_ok(sl_metric_registry_create(&sl_alloc_malloc, &registry));
    sl_metric_add(sl_metric_counter(registry, "test_total", "", "A test."), 7);
    struct gw_http_port port = {is_ready, copy_jwks, visit, NULL, registry};
    assert_ok(gw_http_create(&conf, &port, &error, &http));
    assert_true(gw_http_bound_port(http) > 0);
    return 0;
}

static int tear_down(void **state SL_UNUSED)
{
    gw_http_destroy(http);
    sl_metric_registry_destroy(registry);
    return 0;
}

static int connect_http(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(gw_http_bound_port(http))};
    struct timeval limit = {.tv_sec = 10};
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void read_reply(int fd)
{
    size_t len = 0;
    ssize_t n;
    while (len < REPLY_MAX - 1 && (n = read(fd, reply + len, REPLY_MAX - 1 - len)) > 0)
        len += (size_t)n;
    reply[len] = '\0';
}

static void ask(const char *request)
{
    int fd = connect_http();
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    read_reply(fd);
    close(fd);
}

static void expect(const char *status, const char *ending)
{
    size_t len = strlen(reply), end = strlen(ending);
    if (strncmp(reply, status, strlen(status)) != 0 || len < end ||
        strcmp(reply + len - end, ending) != 0)
        fail_msg("wanted %s ... %s, got:\n%s", status, ending, reply);
}

#define CLOSE " HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"

static void health(void **state SL_UNUSED)
{
    ask("GET /v2/health/live" CLOSE);
    expect("HTTP/1.1 200", "{\"live\":true}");
    ready = false;
    ask("GET /v2/health/ready" CLOSE);
    expect("HTTP/1.1 503", "{\"ready\":false}");
    ready = true;
    ask("GET /v2/health/ready?x=1" CLOSE);
    expect("HTTP/1.1 200", "{\"ready\":true}");
    assert_non_null(strstr(reply, "application/json"));
}

static void metrics(void **state SL_UNUSED)
{
    ask("GET /metrics" CLOSE);
    expect("HTTP/1.1 200", "test_total 7\n");
    assert_non_null(strstr(reply, "text/plain; version=0.0.4"));
}

static void keys_of_issued_tokens(void **state SL_UNUSED)
{
    ask("GET /.well-known/jwks.json" CLOSE);
    expect("HTTP/1.1 200", "\r\n\r\n{\"keys\":[]}");
    assert_non_null(strstr(reply, "application/json"));
    const char *was = jwks;
    jwks = NULL;
    ask("GET /.well-known/jwks.json" CLOSE);
    expect("HTTP/1.1 500", "\"INTERNAL\"}");
    jwks = was;
}

static void visitors_get_a_cookie(void **state SL_UNUSED)
{
    static const char body[] =
        "\r\n\r\n{\"tier\":\"free\",\"cookie\":\"new\",\"expires_at\":\"2023-11-14T22:13:20Z\"}";
    told = (struct gw_visit_answer){.what = GW_VISIT_NEW,
                                    .cookie = "00ff.1.2.aa",
                                    .expires_at = 1700000000 * SL_US_PER_S,
                                    .lifetime_s = 7776000,
                                    .tier = "free"};
    ask("GET /visitor" CLOSE);
    expect("HTTP/1.1 200", body);
    assert_non_null(strstr(reply, "Set-Cookie: sluice-visitor=00ff.1.2.aa; Path=/; Max-Age=7776000;"
                                  " HttpOnly; SameSite=Lax\r\n"));
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    assert_string_equal(came, "127.0.0.1|||");
    told.is_secure = true;
    ask("HEAD /visitor" CLOSE);
    expect("HTTP/1.1 200", "\r\n\r\n");
    assert_non_null(strstr(reply, "; SameSite=Lax; Secure\r\n"));
    told.what = GW_VISIT_KEPT;
    ask("GET /visitor" CLOSE);
    expect("HTTP/1.1 200", "\"cookie\":\"kept\",\"expires_at\":\"2023-11-14T22:13:20Z\"}");
    assert_null(strstr(reply, "Set-Cookie"));
    ask("POST /visitor" CLOSE);
    expect("HTTP/1.1 405", "\"METHOD_NOT_ALLOWED\"}");
}

/* All lines of a header count; of the cookies, ours. */
static void what_visitors_bring(void **state SL_UNUSED)
{
    ask("GET /visitor HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.1, "
        "192.0.2.2\r\nx-forwarded-for: 192.0.2.3\r\nX-Forwarded-Proto: https\r\nCookie: "
        "theme=dark\r\n"
        "Cookie: a=b; sluice-visitor=x.y\r\nCookie: sluice-visitor=z\r\n\r\n");
    expect("HTTP/1.1 200", "}");
    assert_string_equal(came, "127.0.0.1|192.0.2.1, 192.0.2.2,192.0.2.3|https|x.y");
}

static void visitors_are_refused(void **state SL_UNUSED)
{
    static char request[2048];
    sl_error_set(&refusal, SL_REASON_NOT_TRUSTED, "Not here.");
    ask("GET /visitor" CLOSE);
    expect("HTTP/1.1 403", "{\"error\":\"Not here.\",\"reason\":\"NOT_TRUSTED\"}");
    assert_non_null(strstr(reply, "Cache-Control: no-store\r\n"));
    refusal = (struct sl_error){.reason = SL_REASON_OK};
    snprintf(request, sizeof request,
             "GET /visitor HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: "
             "%01000d\r\nX-Forwarded-For: %023d\r\n\r\n",
             0, 0);
    ask(request);
    expect("HTTP/1.1 200", "}");
    char *end = strstr(request, "\r\n\r\n");
    strcpy(end, "0\r\n\r\n");
    ask(request);
    expect("HTTP/1.1 400", "longer than 1024 bytes.\",\"reason\":\"BAD_INPUT\"}");
}

static void what_is_not_there(void **state SL_UNUSED)
{
    ask("GET /" CLOSE);
    expect("HTTP/1.1 404", "{\"error\":\"There is nothing at /\",\"reason\":\"NOT_FOUND\"}");
    ask("GET /v2/health/live/" CLOSE);
    expect("HTTP/1.1 404", "\"NOT_FOUND\"}");
    ask("POST /nowhere" CLOSE);
    expect("HTTP/1.1 404", "\"NOT_FOUND\"}");
    ask("GET /a%22b%0ac" CLOSE);
    expect("HTTP/1.1 404", "/a\\\"b\\nc\",\"reason\":\"NOT_FOUND\"}");
    ask("GET /%ff%fe" CLOSE);
    expect("HTTP/1.1 404", "{\"error\":\"There is nothing at \",\"reason\":\"NOT_FOUND\"}");
}

static void other_methods(void **state SL_UNUSED)
{
    ask("DELETE /metrics" CLOSE);
    expect("HTTP/1.1 405", "\"METHOD_NOT_ALLOWED\"}");
    assert_non_null(strstr(reply, "Allow: GET, HEAD"));
    ask("HEAD /v2/health/live" CLOSE);
    expect("HTTP/1.1 200", "\r\n\r\n");
}

static void bodies_are_not_waited_for(void **state SL_UNUSED)
{
    ask("POST /metrics HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\nabc");
    expect("HTTP/1.1 405", "\"METHOD_NOT_ALLOWED\"}");
}

static void connections_are_kept(void **state SL_UNUSED)
{
    static const char one[] = "GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n";
    int fd = connect_http();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(fd, one, sizeof one - 1), (ssize_t)sizeof one - 1);
        ssize_t n = read(fd, reply, sizeof reply - 1);
        assert_true(n > 0);
        reply[n] = '\0';
        expect("HTTP/1.1 200", "{\"live\":true}");
    }
    close(fd);
}

static void long_heads_are_refused(void **state SL_UNUSED)
{
    static char request[40 * 1024];
    int n = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: t\r\nX: ");
    memset(request + n, 'a', sizeof request - 1 - (size_t)n);
    int fd = connect_http();
    (void)!send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    read_reply(fd);
    close(fd);
    assert_true(reply[0] == '\0' || strncmp(reply, "HTTP/1.1 4", 10) == 0);
    health(NULL);
}

static void silence_ends_a_connection(void **state SL_UNUSED)
{
    int fd = connect_http();
    assert_int_equal(write(fd, "GET", 3), 3);
    assert_true(read(fd, reply, sizeof reply) <= 0); /* closed after timeout_s, not after 10 s */
    close(fd);
}

static void connections_are_limited(void **state SL_UNUSED)
{
    static const char one[] = "GET /v2/health/live" CLOSE;
    int held[4];
    for (size_t i = 0; i < SL_ARRAY_LEN(held); i++)
        held[i] = connect_http();
    usleep(100000);
    int fd = connect_http();
    assert_int_equal(write(fd, one, sizeof one - 1), (ssize_t)sizeof one - 1);
    usleep(200000);
    assert_true(recv(fd, reply, sizeof reply, MSG_DONTWAIT) <= 0); /* closed or not yet accepted */
    for (size_t i = 0; i < SL_ARRAY_LEN(held); i++)
        close(held[i]);
    close(fd);
    usleep(100000);
    health(NULL);
}

static void errors_of_create(void **state SL_UNUSED)
{
    struct gw_http_conf conf;
    struct sl_error error;
    struct gw_http *h;
    struct gw_http_port port = {.is_ready = is_ready, .metrics = registry};
    gw_http_conf_defaults(&conf);
    conf.address = "localhost";
    assert_status(gw_http_create(&conf, &port, &error, &h), SL_EINVAL);
    assert_non_null(strstr(error.text, "\"localhost\""));
    conf.address = "192.0.2.1"; /* nobody's */
    assert_status(gw_http_create(&conf, &port, &error, &h), SL_EIO);
    assert_non_null(strstr(error.text, "192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health),
        cmocka_unit_test(metrics),
        cmocka_unit_test(keys_of_issued_tokens),
        cmocka_unit_test(visitors_get_a_cookie),
        cmocka_unit_test(what_visitors_bring),
        cmocka_unit_test(visitors_are_refused),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(other_methods),
        cmocka_unit_test(bodies_are_not_waited_for),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(long_heads_are_refused),
        cmocka_unit_test(silence_ends_a_connection),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(errors_of_create),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
