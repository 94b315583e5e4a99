/* sluice_tls.c - OpenSSL on a socket that does not block. */
#include "sluice_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sl_clock.h"
#include "sluice_status.h"

struct sluice_tls_context {
    SSL_CTX *ssl_ctx;
    BIO_METHOD *method;
    char *name;      /* what the certificate must be for */
    bool is_address; /* name is an IP address */
};

struct sluice_tls {
    SSL *ssl;
    const char *problem;
};

/* ---- the socket as OpenSSL sees it ---- */

static int fd_of(BIO *bio)
{
    return (int)(intptr_t)BIO_get_data(bio);
}

static int on_bio_read(BIO *bio, char *to, int max)
{
    ssize_t n = recv(fd_of(bio), to, (size_t)max, MSG_DONTWAIT);
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static int on_bio_write(BIO *bio, const char *bytes, int len)
{
    ssize_t n = send(fd_of(bio), bytes, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long on_bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice socket");
    if (m == NULL || BIO_meth_set_read(m, on_bio_read) != 1 ||
        BIO_meth_set_write(m, on_bio_write) != 1 || BIO_meth_set_ctrl(m, on_bio_ctrl) != 1) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* ---- what a channel trusts ---- */

/* Instead of OpenSSL's own, which asks the terminal. */
static int on_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

/* The oldest error in OpenSSL's queue is the cause. */
static const char *cause(char *text, size_t text_bytes)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror_r(ERR_GET_REASON(code), text, text_bytes);
    return reason != NULL ? reason : "it cannot be read";
}

static int refuse_file(struct sluice_status *status, const char *what, const char *path)
{
    char text[128];
    return sluice_status_set(status, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                             "%s %.300s cannot be used: %s", what, path, cause(text, sizeof(text)));
}

static int no_memory(struct sluice_status *status)
{
    ERR_clear_error();
    return sluice_status_set(status, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                             "no memory for TLS");
}

static int use_files(SSL_CTX *ctx, const struct sluice_channel_options *o,
                     struct sluice_status *status)
{
    if (o->ca_file == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
        return no_memory(status);
    if (o->ca_file != NULL && SSL_CTX_load_verify_file(ctx, o->ca_file) != 1)
        return refuse_file(status, "ca_file", o->ca_file);
    if (o->certificate_file == NULL)
        return SLUICE_OK;
    if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate_file) != 1)
        return refuse_file(status, "certificate_file", o->certificate_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, o->key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return refuse_file(status, "key_file", o->key_file);
    return SLUICE_OK;
}

static bool set_rules(SSL_CTX *ctx)
{
    static const unsigned char h2[] = {2, 'h', '2'};

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(ctx, h2, sizeof(h2)) == 0;
}

static bool is_address(const char *name)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, name, &ignored) == 1 || inet_pton(AF_INET6, name, &ignored) == 1;
}

int sluice_tls_context_create(const struct sluice_channel_options *options, const char *host,
                              struct sluice_tls_context **out, struct sluice_status *status)
{
    struct sluice_tls_context *c = calloc(1, sizeof(*c));
    int code = SLUICE_OK;

    ERR_clear_error();
    if (c != NULL) {
        c->name = strdup(options->server_name != NULL ? options->server_name : host);
        c->method = make_method();
        c->ssl_ctx = SSL_CTX_new(TLS_client_method());
    }
    if (c == NULL || c->name == NULL || c->method == NULL || c->ssl_ctx == NULL ||
        !set_rules(c->ssl_ctx))
        code = no_memory(status);
    else
        code = use_files(c->ssl_ctx, options, status);
    if (code != SLUICE_OK) {
        sluice_tls_context_destroy(c);
        return code;
    }
    c->is_address = is_address(c->name);
    *out = c;
    return SLUICE_OK;
}

void sluice_tls_context_destroy(struct sluice_tls_context *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ssl_ctx);
    BIO_meth_free(c->method);
    free(c->name);
    free(c);
}

/* ---- the handshake ---- */

static bool expect_name(SSL *ssl, const struct sluice_tls_context *c)
{
    if (c->is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), c->name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, c->name) == 1 && SSL_set_tlsext_host_name(ssl, c->name) == 1;
}

static struct sluice_tls *make_connection(struct sluice_tls_context *c, int fd)
{
    struct sluice_tls *t = calloc(1, sizeof(*t));
    BIO *bio = BIO_new(c->method);

    if (t != NULL) {
        t->problem = "";
        t->ssl = SSL_new(c->ssl_ctx);
    }
    if (t == NULL || bio == NULL || t->ssl == NULL || !expect_name(t->ssl, c)) {
        BIO_free(bio);
        sluice_tls_destroy(t);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_connect_state(t->ssl);
    return t;
}

static const char *text_of(const SSL *ssl, unsigned long code)
{
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
        return "the server does not speak TLS";
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "no memory";
}

/* What OpenSSL's -1 means: true: wait for *out_events; false: it is broken, and t->problem says why if that is
 * not the network's doing. */
static bool should_wait(struct sluice_tls *t, int rv, short *out_events)
{
    int error = SSL_get_error(t->ssl, rv);

    *out_events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return true;
    if (error == SSL_ERROR_SSL && *t->problem == '\0')
        t->problem = text_of(t->ssl, ERR_peek_error());
    ERR_clear_error();
    return false;
}

/* SLUICE_OK, SLUICE_CANCELLED or SLUICE_DEADLINE_EXCEEDED. */
static int wait_for(int fd, short events, sl_mono_ns until, int cancel_fd)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};
        int64_t left = until - sl_clock_mono(&sl_clock_real);
        struct timespec wait = {.tv_sec = left > 0 ? left / SL_NS_PER_S : 0,
                                .tv_nsec = left > 0 ? left % SL_NS_PER_S : 0};
        int n = ppoll(fds, SL_ARRAY_LEN(fds), &wait, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0 && fds[1].revents != 0)
            return SLUICE_CANCELLED;
        return n > 0 ? SLUICE_OK : SLUICE_DEADLINE_EXCEEDED;
    }
}

static int fail(struct sluice_status *status, const struct sluice_tls_context *c, const char *why)
{
    return sluice_status_set(status, SLUICE_UNAVAILABLE, "TLS_FAILED",
                             "no TLS connection to %.200s: %s", c->name, why);
}

static int shake_hands(struct sluice_tls_context *c, struct sluice_tls *t, int fd,
                       sl_mono_ns connect_by, int cancel_fd, struct sluice_status *status)
{
    const unsigned char *protocol;
    unsigned protocol_len;
    short events;
    int rv;

    while (ERR_clear_error(), (rv = SSL_do_handshake(t->ssl)) != 1) {
        if (!should_wait(t, rv, &events))
            return fail(status, c, *t->problem != '\0' ? t->problem : "the server hung up");
        int code = wait_for(fd, events, connect_by, cancel_fd);
        if (code == SLUICE_CANCELLED)
            return sluice_status_set(status, SLUICE_CANCELLED, "CANCELLED",
                                     "cancelled while connecting");
        if (code != SLUICE_OK)
            return fail(status, c, "the server's answer to the handshake did not come in time");
    }
    SSL_get0_alpn_selected(t->ssl, &protocol, &protocol_len);
    return protocol_len == 2 ? SLUICE_OK : fail(status, c, "the server does not choose h2 by ALPN");
}

int sluice_tls_open(struct sluice_tls_context *c, int fd, sl_mono_ns connect_by, int cancel_fd,
                    struct sluice_tls **out, struct sluice_status *status)
{
    ERR_clear_error();
    struct sluice_tls *t = make_connection(c, fd);
    if (t == NULL)
        return no_memory(status);
    int code = shake_hands(c, t, fd, connect_by, cancel_fd, status);
    if (code == SLUICE_OK)
        *out = t;
    else
        sluice_tls_destroy(t);
    return code;
}

void sluice_tls_destroy(struct sluice_tls *t)
{
    if (t == NULL)
        return;
    ERR_clear_error();
    if (t->ssl != NULL && SSL_is_init_finished(t->ssl) && *t->problem == '\0')
        (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
    SSL_free(t->ssl);
    free(t);
}

/* ---- bytes ---- */

/* 0, or -1 with errno: what a call that gave no bytes means. */
static ssize_t outcome(struct sluice_tls *t, int rv)
{
    short ignored;

    if (SSL_get_error(t->ssl, rv) == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = should_wait(t, rv, &ignored) ? EAGAIN : EPIPE;
    return -1;
}

ssize_t sluice_tls_read(struct sluice_tls *t, uint8_t *out, size_t room)
{
    size_t total = 0;

    while (room - total >= SLUICE_TLS_RECORD_BYTES) {
        ERR_clear_error();
        int n = SSL_read(t->ssl, out + total, (int)(room - total));
        if (n <= 0) {
            ssize_t end = outcome(t, n);
            return total > 0 ? (ssize_t)total : end;
        }
        total += (size_t)n;
    }
    return (ssize_t)total;
}

/* The first bytes of the pieces, one record of them: where they lie if they lie together. */
static const void *first_record(const struct iovec *pieces, size_t count, uint8_t *gathered,
                                size_t *out_len)
{
    size_t len = 0;

    if (pieces[0].iov_len >= SLUICE_TLS_RECORD_BYTES) {
        *out_len = SLUICE_TLS_RECORD_BYTES;
        return pieces[0].iov_base;
    }
    for (size_t i = 0; i < count && len < SLUICE_TLS_RECORD_BYTES; i++) {
        size_t room = SLUICE_TLS_RECORD_BYTES - len;
        size_t n = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(gathered + len, pieces[i].iov_base, n);
        len += n;
    }
    *out_len = len;
    return gathered;
}

/* A record that the socket did not take whole stays with OpenSSL; the next call has the same bytes in front
 * again, and goes on with it. */
ssize_t sluice_tls_write(struct sluice_tls *t, const struct iovec *pieces, size_t count)
{
    uint8_t gathered[SLUICE_TLS_RECORD_BYTES];
    size_t len;
    const void *record = first_record(pieces, count, gathered, &len);

    ERR_clear_error();
    int n = SSL_write(t->ssl, record, (int)len);
    return n > 0 ? n : outcome(t, n);
}

const char *sluice_tls_problem(const struct sluice_tls *t)
{
    return t != NULL ? t->problem : "";
}
