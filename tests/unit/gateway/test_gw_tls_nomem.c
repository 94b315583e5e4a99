/* test_gw_tls_nomem.c - allocations of OpenSSL on the server's side fail, every STEPth in its turn: while
 * certificates are loaded, and in a connection from its handshake to its last word. Leaks are the sanitizer's
 * to find. */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "sl_test.h"
#include "tls_peer.h"

/* Of some 5000 allocations: a few seconds. 1 for all of them. */
enum { STEP = 7 };

/* ---- OpenSSL's memory ---- */

static struct {
    bool is_armed;
    size_t calls; /* while armed */
    size_t fail_at;
} memory;

static bool should_fail(void)
{
    return memory.is_armed && ++memory.calls == memory.fail_at;
}

static void *get(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return should_fail() ? NULL : malloc(bytes);
}

static void *resize(void *p, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    if (bytes == 0) {
        free(p);
        return NULL;
    }
    return should_fail() ? NULL : realloc(p, bytes);
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void on_server(bool begins)
{
    memory.is_armed = begins;
}

/* Begins the run in which allocation i fails; false: the run before needed fewer. */
static bool begin_run(size_t i)
{
    bool is_over = i > 1 && memory.calls < memory.fail_at;
    memory.calls = 0;
    memory.fail_at = i;
    return !is_over;
}

/* ---- the sweeps ---- */

/* What OpenSSL makes once for the process is there before memory fails. */
static void call_once(struct tls_pair *p)
{
    struct iovec reply = {.iov_base = "and to you", .iov_len = 10};
    tls_pair_run(p);
    if (!gw_tls_is_ready(p->tls) || p->client_error != 0)
        return;
    tls_pair_send(p, "hello", 5);
    if (!gw_tls_is_over(p->tls))
        tls_pair_reply(p, &reply, 1);
    on_server(true);
    gw_tls_end(p->tls);
    on_server(false);
    tls_pair_run(p);
}

static bool was_answered(const struct tls_pair *p)
{
    return p->server_took.len == 5 && p->client_took.len == 10;
}

static void sweep_connection(int version)
{
    size_t failed_count = 0, i;
    struct tls_pair p;
    tls_pair_init(&p);
    p.version = version;
    p.conf.client_ca = tls_file("ca.pem");
    p.conf.client_auth = GW_TLS_CLIENT_REQUIRED;
    p.certificate = "client";
    tls_pair_open(&p);
    call_once(&p);
    assert_true(was_answered(&p));
    tls_pair_close_client(&p);
    p.on_server = on_server;
    for (i = 1; begin_run(i); i += STEP) {
        if (tls_pair_try_open(&p) == SL_OK)
            call_once(&p);
        else
            assert_null(p.tls);
        failed_count += !was_answered(&p);
        p.client_error = 0;
        tls_pair_close_client(&p);
    }
    assert_true(i > 1000);
    assert_true(failed_count > 50); /* OpenSSL can do without most of them */
    tls_pair_close(&p);
}

static void test_connections_of_1_2(void **state)
{
    (void)state;
    sweep_connection(TLS1_2_VERSION);
}

static void test_connections_of_1_3(void **state)
{
    (void)state;
    sweep_connection(TLS1_3_VERSION);
}

static void test_loading_leaves_what_was_there(void **state)
{
    struct sl_error error = {0};
    struct tls_pair p;
    size_t failed_count = 0;
    (void)state;
    tls_pair_init(&p);
    p.conf.client_ca = tls_file("ca.pem");
    p.conf.client_auth = GW_TLS_CLIENT_OPTIONAL;
    tls_pair_open_server(&p);
    struct gw_tls_conf other = p.conf;
    other.certificate = tls_file("server2.pem");
    other.key = tls_file("server2.key");
    for (size_t i = 1; begin_run(i); i += STEP) {
        struct gw_tls_certificate before, after;
        gw_tls_server_certificate(p.server, &before);
        on_server(true);
        sl_status s = gw_tls_server_load(p.server, &other, &error);
        on_server(false);
        gw_tls_server_certificate(p.server, &after);
        if (s != SL_OK) {
            failed_count++;
            assert_true(error.text[0] != '\0');
            assert_string_equal(before.fingerprint, after.fingerprint);
        } else {
            assert_ok(gw_tls_server_load(p.server, &p.conf, &error));
        }
    }
    assert_true(failed_count > 10);
    tls_pair_open(&p);
    call_once(&p);
    assert_true(was_answered(&p));
    tls_pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_of_1_2),
        cmocka_unit_test(test_connections_of_1_3),
        cmocka_unit_test(test_loading_leaves_what_was_there),
    };
    if (CRYPTO_set_mem_functions(get, resize, release) != 1)
        return 1;
    return cmocka_run_group_tests(tests, tls_files_set_up, tls_files_tear_down);
}
