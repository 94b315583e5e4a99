/* tls_peer.c - two ends of TLS and the bytes between them. */
#include "tls_peer.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "sl_test.h"

enum { PLAIN_BYTES_MAX = 64 << 20, FILES_MAX = 64 };

static char folder[64];

static void run_or_fail(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

void tls_files_make(void)
{
    char command[512];
    strcpy(folder, "/tmp/test_tls.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "'%s' '%s'", GEN_CERTS, folder);
    run_or_fail(command);
}

void tls_files_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    run_or_fail(command);
}

int tls_files_set_up(void **state SL_UNUSED)
{
    tls_files_make();
    return 0;
}

int tls_files_tear_down(void **state SL_UNUSED)
{
    tls_files_remove();
    return 0;
}

const char *tls_file(const char *name)
{
    static char paths[FILES_MAX][128];
    char wanted[128];
    size_t i = 0;
    snprintf(wanted, sizeof wanted, "%s/%s", folder, name);
    while (paths[i][0] != '\0' && strcmp(paths[i], wanted) != 0)
        assert_true(++i < FILES_MAX);
    return strcpy(paths[i], wanted);
}

void tls_pair_init(struct tls_pair *p)
{
    *p = (struct tls_pair){
        .conf = {.certificate = tls_file("server.pem"),
                 .key = tls_file("server.key"),
                 .client_ca = ""},
        .alloc = &sl_alloc_malloc,
        .alpn = "\x02h2",
    };
    sl_buf_init(&p->server_took, &sl_alloc_malloc, PLAIN_BYTES_MAX);
    sl_buf_init(&p->client_took, &sl_alloc_malloc, PLAIN_BYTES_MAX);
}

/* ---- the client ---- */

static void set_client_files(struct tls_pair *p)
{
    char name[64];
    assert_int_equal(SSL_CTX_load_verify_file(p->context, tls_file("ca.pem")), 1);
    if (p->certificate == NULL)
        return;
    snprintf(name, sizeof name, "%s.pem", p->certificate);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(p->context, tls_file(name)), 1);
    snprintf(name, sizeof name, "%s.key", p->certificate);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(p->context, tls_file(name), SSL_FILETYPE_PEM), 1);
}

static void open_client(struct tls_pair *p)
{
    p->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(p->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(p->context, p->version);
    SSL_CTX_set_max_proto_version(p->context, p->version);
    set_client_files(p);
    p->client = SSL_new(p->context);
    if (p->alpn != NULL)
        SSL_set_alpn_protos(p->client, (const uint8_t *)p->alpn, (unsigned)strlen(p->alpn));
    SSL_set1_host(p->client, "localhost");
    if (p->session != NULL)
        assert_int_equal(SSL_set_session(p->client, p->session), 1);
    SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(p->client);
    p->client_error = 0;
}

void tls_pair_open_server(struct tls_pair *p)
{
    struct sl_error error;
    if (gw_tls_server_create(&p->conf, &p->server, &error) != SL_OK)
        fail_msg("%s", error.text);
}

static void tell(const struct tls_pair *p, bool begins)
{
    if (p->on_server != NULL)
        p->on_server(begins);
}

sl_status tls_pair_try_open(struct tls_pair *p)
{
    if (p->server == NULL)
        tls_pair_open_server(p);
    tell(p, true);
    sl_status s = gw_tls_create(p->server, p->alloc, &p->counts, &p->tls);
    tell(p, false);
    p->input_status = SL_OK;
    open_client(p);
    return s;
}

void tls_pair_open(struct tls_pair *p)
{
    assert_ok(tls_pair_try_open(p));
}

void tls_pair_close_client(struct tls_pair *p)
{
    gw_tls_destroy(p->tls);
    SSL_free(p->client);
    SSL_CTX_free(p->context);
    p->tls = NULL;
    p->client = NULL;
    p->context = NULL;
    sl_buf_clear(&p->server_took);
    sl_buf_clear(&p->client_took);
}

void tls_pair_close(struct tls_pair *p)
{
    tls_pair_close_client(p);
    gw_tls_server_destroy(p->server);
    sl_buf_finish(&p->server_took);
    sl_buf_finish(&p->client_took);
}

/* ---- bytes ---- */

static void take_plain(void *ctx, struct sl_span plain)
{
    struct tls_pair *p = ctx;
    assert_ok(sl_buf_append(&p->server_took, plain.data, plain.len));
}

void tls_pair_raw(struct tls_pair *p, const void *bytes, size_t len)
{
    size_t step = p->chunk_bytes != 0 ? p->chunk_bytes : len;
    for (size_t at = 0; at < len && p->input_status == SL_OK; at += step) {
        size_t n = len - at < step ? len - at : step;
        tell(p, true);
        p->input_status =
            gw_tls_input(p->tls, sl_span_of((const uint8_t *)bytes + at, n), take_plain, p);
        tell(p, false);
    }
}

/* Also takes the handshake along. */
static void client_reads(struct tls_pair *p)
{
    static uint8_t plain[65536];
    int n;
    while ((n = SSL_read(p->client, plain, sizeof plain)) > 0)
        assert_ok(sl_buf_append(&p->client_took, plain, (size_t)n));
    int error = SSL_get_error(p->client, n);
    if (error != SSL_ERROR_WANT_READ && p->client_error == 0) {
        p->client_error = error;
        p->client_reason = ERR_GET_REASON(ERR_peek_error());
    }
    ERR_clear_error();
}

static bool client_to_server(struct tls_pair *p)
{
    static uint8_t bytes[65536];
    int n = BIO_read(SSL_get_wbio(p->client), bytes, sizeof bytes);
    if (n > 0)
        tls_pair_raw(p, bytes, (size_t)n);
    return n > 0;
}

static bool server_to_client(struct tls_pair *p)
{
    struct iovec v[4];
    size_t count = gw_tls_pending(p->tls, v, SL_ARRAY_LEN(v)), moved = 0;
    for (size_t i = 0; i < count && (p->chunk_bytes == 0 || moved < p->chunk_bytes); i++) {
        size_t n = v[i].iov_len;
        if (p->chunk_bytes != 0 && n > p->chunk_bytes - moved)
            n = p->chunk_bytes - moved;
        assert_int_equal(BIO_write(SSL_get_rbio(p->client), v[i].iov_base, (int)n), n);
        moved += n;
    }
    gw_tls_sent(p->tls, moved);
    return moved > 0;
}

void tls_pair_run(struct tls_pair *p)
{
    bool has_moved = true;
    while (has_moved) {
        client_reads(p);
        has_moved = client_to_server(p);
        has_moved |= server_to_client(p);
    }
}

void tls_pair_send(struct tls_pair *p, const void *bytes, size_t len)
{
    enum { STEP = 50000 };
    for (size_t at = 0; at < len; at += STEP) {
        int n = (int)(len - at < STEP ? len - at : STEP);
        assert_int_equal(SSL_write(p->client, (const uint8_t *)bytes + at, n), n);
        tls_pair_run(p);
    }
}

void tls_pair_reply(struct tls_pair *p, const struct iovec *v, size_t count)
{
    struct iovec left[64];
    assert_true(count <= SL_ARRAY_LEN(left));
    memcpy(left, v, count * sizeof *v);
    for (size_t first = 0; first < count;) {
        tell(p, true);
        size_t n = gw_tls_write(p->tls, left + first, count - first);
        tell(p, false);
        if (gw_tls_is_over(p->tls))
            return;
        assert_true(n > 0);
        while (n > 0) {
            size_t here = n < left[first].iov_len ? n : left[first].iov_len;
            left[first].iov_base = (uint8_t *)left[first].iov_base + here;
            left[first].iov_len -= here;
            n -= here;
            if (left[first].iov_len == 0)
                first++;
        }
        tls_pair_run(p);
    }
}
