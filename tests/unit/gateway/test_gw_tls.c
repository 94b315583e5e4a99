/* test_gw_tls.c - a TLS client and gw_tls in memory: handshakes, refusals, bytes both ways, reload, lack of
 * memory. */
#include <openssl/err.h>
#include <stdlib.h>

#include "fail_alloc.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "tls_peer.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const size_t chunks[] = {0, 1, 5, 1000, 16384};

static uint8_t *noise(size_t len)
{
    uint8_t *bytes = malloc(len);
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)sl_rng_u64(&rng);
    return bytes;
}

static void expect_bytes(const struct sl_buf *got, const void *wanted, size_t len)
{
    assert_int_equal(got->len, len);
    assert_memory_equal(got->data, wanted, len);
}

/* ---- handshakes ---- */

static void exchange_hellos(struct tls_pair *p)
{
    struct iovec reply = {.iov_base = "and to you", .iov_len = 10};
    tls_pair_open(p);
    tls_pair_run(p);
    assert_ok(p->input_status);
    assert_true(gw_tls_is_ready(p->tls));
    tls_pair_send(p, "hello", 5);
    tls_pair_reply(p, &reply, 1);
    expect_bytes(&p->server_took, "hello", 5);
    expect_bytes(&p->client_took, "and to you", 10);
}

static void test_both_versions_in_all_chunkings(void **state)
{
    (void)state;
    for (size_t v = 0; v < SL_ARRAY_LEN(versions); v++)
        for (size_t c = 0; c < SL_ARRAY_LEN(chunks); c++) {
            struct tls_pair p;
            const unsigned char *alpn;
            unsigned alpn_len;
            tls_pair_init(&p);
            p.version = versions[v];
            p.chunk_bytes = chunks[c];
            exchange_hellos(&p);
            assert_int_equal(SSL_version(p.client), versions[v]);
            SSL_get0_alpn_selected(p.client, &alpn, &alpn_len);
            assert_int_equal(alpn_len, 2);
            assert_memory_equal(alpn, "h2", 2);
            assert_int_equal(p.counts.tls_handshakes, 1);
            tls_pair_close(&p);
        }
}

static void test_h2_is_found_among_others(void **state)
{
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    p.alpn = "\x08http/1.1\x02h2";
    exchange_hellos(&p);
    tls_pair_close(&p);
}

/* The client is told by an alert, and nothing of it reaches HTTP/2. */
static void expect_refusal(struct tls_pair *p, const char *problem, int alert)
{
    tls_pair_open(p);
    tls_pair_run(p);
    assert_status(p->input_status, SL_EPROTO);
    assert_true(gw_tls_is_over(p->tls));
    assert_false(gw_tls_is_ready(p->tls));
    assert_string_equal(gw_tls_problem(p->tls), problem);
    assert_int_equal(p->client_error, SSL_ERROR_SSL);
    assert_int_equal(p->client_reason, SSL_AD_REASON_OFFSET + alert);
    assert_int_equal(p->server_took.len, 0);
    assert_int_equal(p->counts.tls_handshakes + p->counts.tls_unfinished, 0);
}

static void test_without_h2_there_is_no_connection(void **state)
{
    static const char *const others[] = {NULL, "\x08http/1.1", "\x03h2c\x03h21"};
    (void)state;
    for (size_t v = 0; v < SL_ARRAY_LEN(versions); v++)
        for (size_t i = 0; i < SL_ARRAY_LEN(others); i++) {
            struct tls_pair p;
            tls_pair_init(&p);
            p.version = versions[v];
            p.alpn = others[i];
            expect_refusal(&p, "the client does not offer h2 by ALPN",
                           SSL_AD_NO_APPLICATION_PROTOCOL);
            assert_int_equal(p.counts.tls_no_h2, 1);
            tls_pair_close(&p);
        }
}

static void test_min_version(void **state)
{
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    p.conf.min_version = GW_TLS_1_3;
    p.version = TLS1_2_VERSION;
    expect_refusal(&p, "unsupported protocol", SSL_AD_PROTOCOL_VERSION);
    assert_int_equal(p.counts.tls_protocol, 1);
    tls_pair_close(&p);
}

static void test_a_client_that_does_not_trust_us(void **state)
{
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    p.conf.certificate = tls_file("elsewhere.pem");
    p.conf.key = tls_file("elsewhere.key");
    tls_pair_open(&p);
    tls_pair_run(&p);
    assert_status(p.input_status, SL_EPROTO);
    assert_int_equal(p.counts.tls_alerts, 1);
    tls_pair_close(&p);
}

static void test_garbage_instead_of_tls(void **state)
{
    static const char *const others[] = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                         "GET / HTTP/1.1\r\n\r\n"};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(others); i++) {
        struct tls_pair p;
        tls_pair_init(&p);
        tls_pair_open(&p);
        tls_pair_raw(&p, others[i], strlen(others[i]));
        assert_status(p.input_status, SL_EPROTO);
        assert_int_equal(p.counts.tls_not_tls, 1);
        p.input_status = SL_OK;
        tls_pair_raw(&p, "more", 4);
        assert_status(p.input_status, SL_EPROTO);
        assert_int_equal(p.counts.tls_not_tls, 1);
        tls_pair_close(&p);
    }
}

static void test_noise_never_gets_through(void **state)
{
    enum { BYTES = 4096, ROUNDS = 200 };
    uint8_t *bytes = noise(BYTES + ROUNDS);
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct tls_pair p;
        tls_pair_init(&p);
        tls_pair_open(&p);
        bytes[i] = 22; /* every second one begins like a handshake record */
        bytes[i + 1] = 3;
        bytes[i + 2] = i % 2 == 0 ? 1 : bytes[i + 2];
        tls_pair_raw(&p, bytes + i, BYTES);
        assert_int_equal(p.server_took.len, 0);
        assert_false(gw_tls_is_ready(p.tls));
        tls_pair_close(&p);
    }
    free(bytes);
}

/* Cut after each byte of the client's first flight. */
static void test_a_handshake_that_is_cut_is_counted(void **state)
{
    struct tls_pair p;
    uint8_t hello[2048];
    (void)state;
    tls_pair_init(&p);
    tls_pair_open(&p);
    assert_true(SSL_do_handshake(p.client) < 0);
    int len = BIO_read(SSL_get_wbio(p.client), hello, sizeof hello);
    assert_true(len > 100);
    for (int cut = 0; cut < len; cut++) {
        tls_pair_close_client(&p);
        p.counts.tls_unfinished = 0;
        tls_pair_open(&p);
        tls_pair_raw(&p, hello, (size_t)cut);
        assert_ok(p.input_status);
        tls_pair_close_client(&p);
        assert_int_equal(p.counts.tls_unfinished, 1);
    }
    tls_pair_close(&p);
}

/* ---- client certificates ---- */

static void set_client_auth(struct tls_pair *p, int version, int auth, const char *certificate)
{
    tls_pair_init(p);
    p->version = version;
    p->conf.client_ca = tls_file("ca.pem");
    p->conf.client_auth = auth;
    p->certificate = certificate;
}

static void test_client_certificates_that_are_taken(void **state)
{
    (void)state;
    for (size_t v = 0; v < SL_ARRAY_LEN(versions); v++) {
        struct tls_pair p;
        set_client_auth(&p, versions[v], GW_TLS_CLIENT_REQUIRED, "client");
        exchange_hellos(&p);
        tls_pair_close(&p);
        set_client_auth(&p, versions[v], GW_TLS_CLIENT_OPTIONAL, "client");
        exchange_hellos(&p);
        tls_pair_close(&p);
        set_client_auth(&p, versions[v], GW_TLS_CLIENT_OPTIONAL, NULL);
        exchange_hellos(&p);
        tls_pair_close(&p);
    }
}

static void test_client_certificates_that_are_refused(void **state)
{
    static const struct {
        int auth;
        const char *certificate, *problem;
        int alerts[2]; /* of the versions */
    } cases[] = {
        {GW_TLS_CLIENT_REQUIRED,
         NULL,
         "the client shows no certificate",
         {SSL_AD_HANDSHAKE_FAILURE, SSL_AD_CERTIFICATE_REQUIRED}},
        {GW_TLS_CLIENT_REQUIRED,
         "stranger",
         "unable to get local issuer certificate",
         {SSL_AD_UNKNOWN_CA, SSL_AD_UNKNOWN_CA}},
        {GW_TLS_CLIENT_OPTIONAL,
         "stranger",
         "unable to get local issuer certificate",
         {SSL_AD_UNKNOWN_CA, SSL_AD_UNKNOWN_CA}},
        {GW_TLS_CLIENT_REQUIRED,
         "server2",
         "unsuitable certificate purpose",
         {SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE}},
    };
    (void)state;
    for (size_t v = 0; v < SL_ARRAY_LEN(versions); v++)
        for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
            struct tls_pair p;
            set_client_auth(&p, versions[v], cases[i].auth, cases[i].certificate);
            expect_refusal(&p, cases[i].problem, cases[i].alerts[v]);
            assert_int_equal(p.counts.tls_bad_certificates, 1);
            tls_pair_close(&p);
        }
}

/* ---- bytes ---- */

static void test_large_data_both_ways(void **state)
{
    enum { BYTES = 5 << 20, PIECES = 7 };
    uint8_t *bytes = noise(BYTES);
    (void)state;
    for (size_t v = 0; v < SL_ARRAY_LEN(versions); v++)
        for (size_t c = 0; c < 2; c++) {
            struct tls_pair p;
            struct iovec pieces[PIECES];
            tls_pair_init(&p);
            p.version = versions[v];
            p.chunk_bytes = c == 0 ? 0 : 7919;
            tls_pair_open(&p);
            tls_pair_run(&p);
            for (size_t i = 0; i < PIECES; i++) {
                size_t begin = i * (BYTES / PIECES);
                size_t end = i + 1 == PIECES ? BYTES : begin + BYTES / PIECES;
                pieces[i] = (struct iovec){.iov_base = bytes + begin, .iov_len = end - begin};
            }
            tls_pair_send(&p, bytes, BYTES);
            expect_bytes(&p.server_took, bytes, BYTES);
            tls_pair_reply(&p, pieces, PIECES);
            expect_bytes(&p.client_took, bytes, BYTES);
            tls_pair_close(&p);
        }
    free(bytes);
}

/* Frames' heads and bodies by turns, as gw_h2 shows them, lie in full records. */
static void test_small_pieces_share_records(void **state)
{
    enum { HEAD = 9, PAIRS = 4, TOTAL = PAIRS * (HEAD + SSL3_RT_MAX_PLAIN_LENGTH) };
    uint8_t *bytes = noise(TOTAL);
    struct iovec v[2 * PAIRS], out[16];
    struct tls_pair p;
    size_t at = 0, sent = 0;
    (void)state;
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        v[i] = (struct iovec){bytes + at, i % 2 == 0 ? HEAD : SSL3_RT_MAX_PLAIN_LENGTH};
        at += v[i].iov_len;
    }
    tls_pair_init(&p);
    p.version = TLS1_3_VERSION;
    tls_pair_open(&p);
    tls_pair_run(&p);
    assert_int_equal(gw_tls_write(p.tls, v, 2 * PAIRS), TOTAL);
    size_t count = gw_tls_pending(p.tls, out, SL_ARRAY_LEN(out));
    for (size_t i = 0; i < count; i++)
        sent += out[i].iov_len;
    enum { OVERHEAD = 22, RECORDS = PAIRS + 1 };
    assert_int_equal(sent, TOTAL + RECORDS * OVERHEAD);
    tls_pair_run(&p);
    expect_bytes(&p.client_took, bytes, TOTAL);
    tls_pair_close(&p);
    free(bytes);
}

static void test_output_is_bounded_and_does_not_move(void **state)
{
    uint8_t *bytes = noise(1 << 20);
    struct iovec v = {bytes, 1 << 20}, shown, again;
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    tls_pair_open(&p);
    tls_pair_run(&p);
    size_t first = gw_tls_write(p.tls, &v, 1);
    assert_in_range(first, 1, GW_TLS_OUT_BYTES);
    assert_int_equal(gw_tls_write(p.tls, &v, 1), 0);
    assert_int_equal(gw_tls_pending(p.tls, &shown, 1), 1);
    gw_tls_end(p.tls); /* room is kept for it */
    assert_int_equal(gw_tls_pending(p.tls, &again, 1), 1);
    assert_ptr_equal(shown.iov_base, again.iov_base);
    tls_pair_run(&p);
    expect_bytes(&p.client_took, bytes, first);
    assert_int_equal(p.client_error, SSL_ERROR_ZERO_RETURN);
    tls_pair_close(&p);
    free(bytes);
}

static void test_before_the_handshake_nothing_is_written(void **state)
{
    struct iovec v = {"early", 5};
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    tls_pair_open(&p);
    assert_int_equal(gw_tls_write(p.tls, &v, 1), 0);
    gw_tls_end(p.tls);
    assert_int_equal(gw_tls_pending(p.tls, &v, 1), 0);
    tls_pair_close(&p);
}

static void test_last_words_of_both_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(versions); i++) {
        struct tls_pair p;
        tls_pair_init(&p);
        p.version = versions[i];
        exchange_hellos(&p);
        SSL_shutdown(p.client);
        tls_pair_run(&p);
        assert_ok(p.input_status);
        assert_true(gw_tls_is_over(p.tls));
        assert_string_equal(gw_tls_problem(p.tls), "");
        gw_tls_end(p.tls);
        gw_tls_end(p.tls);
        tls_pair_run(&p);
        assert_int_equal(SSL_shutdown(p.client), 1);
        tls_pair_close(&p);
    }
}

static void test_a_changed_record_ends_the_connection(void **state)
{
    struct tls_pair p;
    uint8_t record[256];
    (void)state;
    tls_pair_init(&p);
    exchange_hellos(&p);
    assert_int_equal(SSL_write(p.client, "hello", 5), 5);
    int n = BIO_read(SSL_get_wbio(p.client), record, sizeof record);
    record[n - 1] ^= 1;
    tls_pair_raw(&p, record, (size_t)n);
    assert_status(p.input_status, SL_EPROTO);
    assert_int_equal(p.counts.tls_protocol, 1);
    assert_int_equal(p.server_took.len, 5); /* of the hello before */
    tls_pair_close(&p);
}

static void test_renegotiation_is_refused(void **state)
{
    struct tls_pair p;
    (void)state;
    tls_pair_init(&p);
    p.version = TLS1_2_VERSION;
    exchange_hellos(&p);
    SSL_renegotiate(p.client);
    tls_pair_run(&p);
    assert_int_equal(p.client_reason, SSL_R_NO_RENEGOTIATION);
    assert_int_equal(p.counts.tls_handshakes, 1);
    assert_int_equal(p.counts.tls_alerts, 1); /* this client gives up */
    tls_pair_close(&p);
}

static void test_key_updates_are_answered(void **state)
{
    struct tls_pair p;
    struct iovec reply = {.iov_base = "by new keys", .iov_len = 11};
    (void)state;
    tls_pair_init(&p);
    p.version = TLS1_3_VERSION;
    exchange_hellos(&p);
    assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_REQUESTED), 1);
    tls_pair_send(&p, "new keys", 8);
    tls_pair_reply(&p, &reply, 1);
    expect_bytes(&p.client_took, "and to youby new keys", 21);
    tls_pair_close(&p);
}

/* ---- sessions and reload ---- */

static void expect_peer(const struct tls_pair *p, const char *file)
{
    BIO *bio = BIO_new_file(tls_file(file), "r");
    X509 *wanted = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(p->client), wanted), 0);
    X509_free(wanted);
    BIO_free(bio);
}

static void test_sessions_are_resumed_until_a_reload(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(versions); i++) {
        struct tls_pair p;
        struct sl_error error;
        set_client_auth(&p, versions[i], GW_TLS_CLIENT_REQUIRED, "client");
        exchange_hellos(&p);
        SSL_SESSION *session = SSL_get1_session(p.client);
        SSL_shutdown(p.client); /* sessions of a broken connection are not resumed */
        tls_pair_close_client(&p);
        p.session = session;
        exchange_hellos(&p);
        assert_true(SSL_session_reused(p.client));
        assert_int_equal(p.counts.tls_resumed, 1);
        SSL_shutdown(p.client);
        tls_pair_close_client(&p);
        assert_ok(gw_tls_server_load(p.server, &p.conf, &error));
        exchange_hellos(&p);
        assert_false(SSL_session_reused(p.client));
        tls_pair_close(&p);
        SSL_SESSION_free(session);
    }
}

static void test_a_new_certificate_is_for_new_connections(void **state)
{
    struct tls_pair old, fresh;
    struct sl_error error;
    struct gw_tls_certificate before, after;
    (void)state;
    tls_pair_init(&old);
    exchange_hellos(&old);
    gw_tls_server_certificate(old.server, &before);
    tls_pair_init(&fresh);
    fresh.conf.certificate = tls_file("server2.pem");
    fresh.conf.key = tls_file("server2.key");
    assert_ok(gw_tls_server_load(old.server, &fresh.conf, &error));
    gw_tls_server_certificate(old.server, &after);
    assert_string_not_equal(before.fingerprint, after.fingerprint);
    assert_int_equal(strlen(after.fingerprint), 64);
    assert_true(after.expires_at > 0);
    fresh.server = old.server;
    exchange_hellos(&fresh);
    expect_peer(&old, "server.pem");
    expect_peer(&fresh, "server2.pem");
    tls_pair_send(&old, ", still", 7);
    expect_bytes(&old.server_took, "hello, still", 12);
    fresh.server = NULL;
    tls_pair_close(&fresh);
    tls_pair_close(&old);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_what_cannot_be_loaded_changes_nothing(void **state)
{
    struct {
        const char *certificate, *key, *client_ca, *sentence;
    } cases[] = {
        {"none.pem", "server.key", "ca.pem", "No such file or directory"},
        {"server.pem", "none.key", "ca.pem", "No such file or directory"},
        {"server.pem", "server2.key", "ca.pem", "key values mismatch"},
        {"empty.pem", "server.key", "ca.pem", "no start line"},
        {"server.pem", "empty.pem", "ca.pem", "tls.key"},
        {"server.pem", "encrypted.key", "ca.pem", "tls.key"},
        {"server.key", "server.key", "ca.pem", "no start line"},
        {"server.pem", "server.key", "none.pem", "tls.client_ca"},
        {"server.pem", "server.key", "empty.pem", "tls.client_ca"},
    };
    struct tls_pair p;
    (void)state;
    write_file(tls_file("empty.pem"), "nothing of use\n");
    tls_pair_init(&p);
    tls_pair_open_server(&p);
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct sl_error error = {0};
        struct gw_tls_conf conf = {.certificate = tls_file(cases[i].certificate),
                                   .key = tls_file(cases[i].key),
                                   .client_ca = tls_file(cases[i].client_ca),
                                   .client_auth = GW_TLS_CLIENT_REQUIRED};
        assert_status(gw_tls_server_load(p.server, &conf, &error), SL_EINVAL);
        if (strstr(error.text, cases[i].sentence) == NULL)
            fail_msg("case %zu: '%s' is not in: %s", i, cases[i].sentence, error.text);
    }
    exchange_hellos(&p);
    expect_peer(&p, "server.pem");
    tls_pair_close(&p);
}

static void test_a_chain_that_is_too_long_is_refused(void **state)
{
    enum { COPIES = 300 };
    char command[512];
    struct sl_error error;
    struct gw_tls_server *server;
    struct gw_tls_conf conf = {tls_file("long.pem"), tls_file("server.key"), "", 0, 0};
    (void)state;
    snprintf(command, sizeof command,
             "cd $(dirname '%s') && for i in $(seq %d); do cat server.pem; done >long.pem",
             conf.certificate, COPIES);
    assert_int_equal(system(command), 0);
    assert_status(gw_tls_server_create(&conf, &server, &error), SL_EINVAL);
    assert_non_null(strstr(error.text, "65536 are possible"));
}

/* ---- lack of memory ---- */

/* OpenSSL has its own memory, from malloc; ours is the connection and its records. */
static void test_every_allocation_may_fail(void **state)
{
    static uint8_t bytes[40000];
    struct iovec v = {bytes, sizeof bytes};
    struct fail_alloc f;
    (void)state;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct tls_pair p;
        tls_pair_init(&p);
        p.alloc = &f.alloc;
        tls_pair_open_server(&p);
        if (i == 1) {
            assert_status(gw_tls_create(p.server, &f.alloc, &p.counts, &p.tls), SL_ENOMEM);
        } else {
            tls_pair_open(&p);
            tls_pair_run(&p);
            size_t sent = gw_tls_write(p.tls, &v, 1);
            assert_true(sent == sizeof bytes || gw_tls_is_over(p.tls));
            gw_tls_end(p.tls);
            tls_pair_run(&p);
        }
        tls_pair_close(&p);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_versions_in_all_chunkings),
        cmocka_unit_test(test_h2_is_found_among_others),
        cmocka_unit_test(test_without_h2_there_is_no_connection),
        cmocka_unit_test(test_min_version),
        cmocka_unit_test(test_a_client_that_does_not_trust_us),
        cmocka_unit_test(test_garbage_instead_of_tls),
        cmocka_unit_test(test_noise_never_gets_through),
        cmocka_unit_test(test_a_handshake_that_is_cut_is_counted),
        cmocka_unit_test(test_client_certificates_that_are_taken),
        cmocka_unit_test(test_client_certificates_that_are_refused),
        cmocka_unit_test(test_large_data_both_ways),
        cmocka_unit_test(test_small_pieces_share_records),
        cmocka_unit_test(test_output_is_bounded_and_does_not_move),
        cmocka_unit_test(test_before_the_handshake_nothing_is_written),
        cmocka_unit_test(test_last_words_of_both_ends),
        cmocka_unit_test(test_a_changed_record_ends_the_connection),
        cmocka_unit_test(test_renegotiation_is_refused),
        cmocka_unit_test(test_key_updates_are_answered),
        cmocka_unit_test(test_sessions_are_resumed_until_a_reload),
        cmocka_unit_test(test_a_new_certificate_is_for_new_connections),
        cmocka_unit_test(test_what_cannot_be_loaded_changes_nothing),
        cmocka_unit_test(test_a_chain_that_is_too_long_is_refused),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, tls_files_set_up, tls_files_tear_down);
}
