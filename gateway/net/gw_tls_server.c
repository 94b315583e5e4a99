/* gw_tls_server.c - an SSL_CTX made from configuration, and its replacement. */
#include "gw_tls_server.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw_tls_int.h"
#include "sl_base.h"

/* HTTP/2 over TLS 1.2 needs ephemeral keys and AEAD (RFC 9113, 9.2.2). */
static const char ciphers_of_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
/* The first that the client has too: the quickest strong one. */
static const char ciphers_of_1_3[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const unsigned char session_context[] = "sluice";

struct gw_tls_server {
    pthread_mutex_t lock; /* guards current and certificate */
    SSL_CTX *current;
    struct gw_tls_certificate certificate;
    BIO_METHOD *bio_method;
};

/* ---- sentences ---- */

/* The oldest error in OpenSSL's queue is the cause; those after it say who passed it on. */
static const char *cause(char *text, size_t text_bytes)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror_r(ERR_GET_REASON(code), text, text_bytes);
    return code == 0 ? "no memory" : reason != NULL ? reason : "unknown";
}

static sl_status refuse(struct sl_error *error, const char *key, const char *path)
{
    char text[128];
    sl_error_set(error, SL_REASON_BAD_INPUT, "%s: '%s' cannot be used: %s", key, path,
                 cause(text, sizeof text));
    return SL_EINVAL;
}

static sl_status no_memory(struct sl_error *error)
{
    ERR_clear_error();
    sl_error_set(error, SL_REASON_INTERNAL, "no memory for TLS");
    return SL_ENOMEM;
}

/* ---- rules ---- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, h2, sizeof h2, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = h2 + 1; /* chosen points into what the client sent when nothing matches */
    return SSL_TLSEXT_ERR_OK;
}

/* Without the extension on_alpn is not asked, and the client would learn only later that we do not talk to it. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *ignored;
    size_t ignored_len;
    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ignored,
                                  &ignored_len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Instead of OpenSSL's own, which asks the terminal. */
static int on_passphrase(char *buf, int size, int is_writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

static bool set_rules(SSL_CTX *ctx, const struct gw_tls_conf *conf)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only */
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
    int min = conf->min_version == GW_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    return SSL_CTX_set_min_proto_version(ctx, min) == 1 && SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_cipher_list(ctx, ciphers_of_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, ciphers_of_1_3) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1) == 1;
}

/* ---- files ---- */

static size_t chain_bytes(SSL_CTX *ctx)
{
    STACK_OF(X509) *chain = NULL;
    size_t bytes = (size_t)i2d_X509(SSL_CTX_get0_certificate(ctx), NULL);
    SSL_CTX_get0_chain_certs(ctx, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++)
        bytes += (size_t)i2d_X509(sk_X509_value(chain, i), NULL);
    return bytes;
}

static size_t names_bytes(const STACK_OF(X509_NAME) * names)
{
    size_t bytes = 0;
    for (int i = 0; i < sk_X509_NAME_num(names); i++)
        bytes += (size_t)i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);
    return bytes;
}

static sl_status too_large(struct sl_error *error, const char *key, const char *path, size_t bytes)
{
    sl_error_set(error, SL_REASON_BAD_INPUT,
                 "%s: '%s' puts %zu bytes into each handshake; %d are possible", key, path, bytes,
                 GW_TLS_CHAIN_BYTES_MAX);
    return SL_EINVAL;
}

static sl_status use_certificate(SSL_CTX *ctx, const struct gw_tls_conf *conf,
                                 struct sl_error *error)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, conf->certificate) != 1)
        return refuse(error, "tls.certificate", conf->certificate);
    size_t bytes = chain_bytes(ctx);
    if (bytes > GW_TLS_CHAIN_BYTES_MAX)
        return too_large(error, "tls.certificate", conf->certificate, bytes);
    if (SSL_CTX_use_PrivateKey_file(ctx, conf->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return refuse(error, "tls.key", conf->key);
    return SL_OK;
}

static sl_status use_client_ca(SSL_CTX *ctx, const struct gw_tls_conf *conf, struct sl_error *error)
{
    if (conf->client_auth == GW_TLS_CLIENT_NONE)
        return SL_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(conf->client_ca);
    if (names == NULL || SSL_CTX_load_verify_file(ctx, conf->client_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return refuse(error, "tls.client_ca", conf->client_ca);
    }
    size_t bytes = names_bytes(names);
    SSL_CTX_set_client_CA_list(ctx, names); /* takes names */
    if (bytes > GW_TLS_CHAIN_BYTES_MAX)
        return too_large(error, "tls.client_ca", conf->client_ca, bytes);
    SSL_CTX_set_verify(ctx,
                       conf->client_auth == GW_TLS_CLIENT_REQUIRED
                           ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : SSL_VERIFY_PEER,
                       NULL);
    return SL_OK;
}

static sl_status make_context(const struct gw_tls_conf *conf, SSL_CTX **out, struct sl_error *error)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || !set_rules(ctx, conf)) {
        SSL_CTX_free(ctx);
        return no_memory(error);
    }
    sl_status s = use_certificate(ctx, conf, error);
    if (s == SL_OK)
        s = use_client_ca(ctx, conf, error);
    if (s == SL_OK)
        *out = ctx;
    else
        SSL_CTX_free(ctx);
    return s;
}

static void describe(SSL_CTX *ctx, struct gw_tls_certificate *out)
{
    const X509 *own = SSL_CTX_get0_certificate(ctx);
    unsigned char digest[32];
    unsigned len = 0;
    struct tm end;
    *out = (struct gw_tls_certificate){0};
    if (X509_digest(own, EVP_sha256(), digest, &len) == 1)
        for (unsigned i = 0; i < len; i++)
            snprintf(out->fingerprint + 2 * i, 3, "%02x", digest[i]);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(own), &end) == 1)
        out->expires_at = timegm(&end) * SL_US_PER_S;
}

/* ---- life ---- */

sl_status gw_tls_server_create(const struct gw_tls_conf *conf, struct gw_tls_server **out,
                               struct sl_error *error)
{
    struct gw_tls_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return no_memory(error);
    pthread_mutex_init(&s->lock, NULL);
    s->bio_method = gw_tls_new_bio_method();
    sl_status status =
        s->bio_method == NULL ? no_memory(error) : gw_tls_server_load(s, conf, error);
    if (status == SL_OK)
        *out = s;
    else
        gw_tls_server_destroy(s);
    return status;
}

void gw_tls_server_destroy(struct gw_tls_server *s)
{
    if (s == NULL)
        return;
    SSL_CTX_free(s->current);
    BIO_meth_free(s->bio_method);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

sl_status gw_tls_server_load(struct gw_tls_server *s, const struct gw_tls_conf *conf,
                             struct sl_error *error)
{
    SSL_CTX *fresh = NULL;
    struct gw_tls_certificate certificate;
    sl_status status = make_context(conf, &fresh, error);
    if (status != SL_OK)
        return status;
    describe(fresh, &certificate);
    pthread_mutex_lock(&s->lock);
    SSL_CTX *old = s->current;
    s->current = fresh;
    s->certificate = certificate;
    pthread_mutex_unlock(&s->lock);
    SSL_CTX_free(old); /* its connections hold it still */
    return SL_OK;
}

void gw_tls_server_certificate(struct gw_tls_server *s, struct gw_tls_certificate *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->certificate;
    pthread_mutex_unlock(&s->lock);
}

SSL *gw_tls_server_open(struct gw_tls_server *s)
{
    pthread_mutex_lock(&s->lock);
    SSL *ssl = SSL_new(s->current);
    pthread_mutex_unlock(&s->lock);
    if (ssl == NULL)
        ERR_clear_error();
    else
        SSL_set_accept_state(ssl);
    return ssl;
}

const BIO_METHOD *gw_tls_server_bio_method(const struct gw_tls_server *s)
{
    return s->bio_method;
}
