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
    struct gw_http_port port = {is_ready, copy_jwks, NULL, registry};
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
