/* gw_tls.c - OpenSSL between two lists of bytes. */
#include "gw_tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "gw_tls_int.h"
#include "sl_base.h"

enum {
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH,
    RECORD_OVERHEAD_MAX = 64, /* of the AEAD ciphers that we allow */
    BLOCK_BYTES = RECORD_BYTES + RECORD_OVERHEAD_MAX,
    ALERTS_BYTES = 1024, /* there is always room for last words */
};

struct block {
    struct block *next;
    size_t begin, end;
    uint8_t bytes[BLOCK_BYTES];
};

struct gw_tls {
    SSL *ssl;
    const struct sl_alloc *alloc;
    struct gw_net_counts *counts;
    struct sl_span in; /* of the gw_tls_input under way, what OpenSSL has not read yet */
    struct block *first, *last;
    size_t out_bytes;
    bool is_ready;
    bool is_ended; /* by us */
    bool is_over;  /* by the peer, or broken */
    const char *problem;
};

/* ---- records on their way out ---- */

static struct block *add_block(struct gw_tls *t)
{
    struct block *b = sl_alloc_get(t->alloc, sizeof *b);
    if (b == NULL)
        return NULL;
    b->next = NULL;
    b->begin = b->end = 0;
    if (t->first == NULL)
        t->first = b;
    else
        t->last->next = b;
    t->last = b;
    return b;
}

static void drop_first(struct gw_tls *t)
{
    struct block *b = t->first;
    t->first = b->next;
    sl_alloc_free(t->alloc, b);
}

static bool append(struct gw_tls *t, const char *bytes, size_t len)
{
    while (len > 0) {
        struct block *b = t->first != NULL && t->last->end < BLOCK_BYTES ? t->last : add_block(t);
        if (b == NULL)
            return false;
        size_t n = BLOCK_BYTES - b->end < len ? BLOCK_BYTES - b->end : len;
        memcpy(b->bytes + b->end, bytes, n);
        b->end += n;
        t->out_bytes += n;
        bytes += n;
        len -= n;
    }
    return true;
}

size_t gw_tls_pending(const struct gw_tls *t, struct iovec *out, size_t max)
{
    size_t n = 0;
    for (struct block *b = t->first; b != NULL && n < max; b = b->next)
        out[n++] = (struct iovec){.iov_base = b->bytes + b->begin, .iov_len = b->end - b->begin};
    return n;
}

void gw_tls_sent(struct gw_tls *t, size_t bytes)
{
    t->out_bytes -= bytes;
    while (bytes > 0) {
        struct block *b = t->first;
        size_t n = b->end - b->begin < bytes ? b->end - b->begin : bytes;
        b->begin += n;
        bytes -= n;
        if (b->begin == b->end)
            drop_first(t);
    }
}

/* ---- what OpenSSL takes for a socket ---- */

static int on_bio_read(BIO *bio, char *to, int max)
{
    struct gw_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (max <= 0)
        return 0;
    if (t->in.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = t->in.len < (size_t)max ? t->in.len : (size_t)max;
    memcpy(to, t->in.data, n);
    t->in = sl_span_of(t->in.data + n, t->in.len - n);
    return (int)n;
}

/* No retry: whoever writes has looked for room before, so that its lack, like that of memory, is an error. */
static int on_bio_write(BIO *bio, const char *bytes, int len)
{
    struct gw_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if ((size_t)len > GW_TLS_OUT_BYTES - t->out_bytes || !append(t, bytes, (size_t)len))
        return -1;
    return len;
}

static long on_bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *gw_tls_new_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sluice bytes");
    if (m == NULL || BIO_meth_set_read(m, on_bio_read) != 1 ||
        BIO_meth_set_write(m, on_bio_write) != 1 || BIO_meth_set_ctrl(m, on_bio_ctrl) != 1) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}

/* ---- life ---- */

static bool join(struct gw_tls *t, const BIO_METHOD *method)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL) {
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio); /* takes bio */
    return true;
}

sl_status gw_tls_create(struct gw_tls_server *server, const struct sl_alloc *alloc,
                        struct gw_net_counts *counts, struct gw_tls **out)
{
    struct gw_tls *t = sl_alloc_zero(alloc, 1, sizeof *t);
    if (t == NULL)
        return SL_ENOMEM;
    t->alloc = alloc;
    t->counts = counts;
    t->problem = "";
    t->ssl = gw_tls_server_open(server);
    if (t->ssl == NULL || !join(t, gw_tls_server_bio_method(server))) {
        SSL_free(t->ssl);
        sl_alloc_free(alloc, t);
        return SL_ENOMEM;
    }
    *out = t;
    return SL_OK;
}

void gw_tls_destroy(struct gw_tls *t)
{
    if (t == NULL)
        return;
    if (!t->is_ready && *t->problem == '\0')
        t->counts->tls_unfinished++;
    SSL_free(t->ssl);
    while (t->first != NULL)
        drop_first(t);
    sl_alloc_free(t->alloc, t);
}

/* ---- failures ---- */

static const char *text_of(unsigned long code)
{
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "no memory";
}

/* Counts by the oldest error in OpenSSL's queue, which is the cause. */
static const char *judge(struct gw_tls *t, unsigned long code)
{
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    switch (reason) {
    case SSL_R_CALLBACK_FAILED: /* on_client_hello */
    case SSL_R_NO_APPLICATION_PROTOCOL:
        t->counts->tls_no_h2++;
        return "the client does not offer h2 by ALPN";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        t->counts->tls_bad_certificates++;
        return "the client shows no certificate";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        t->counts->tls_bad_certificates++;
        return X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
        t->counts->tls_not_tls++;
        return "the client does not speak TLS, which this port does";
    default:
        break;
    }
    if (reason > SSL_AD_REASON_OFFSET)
        t->counts
            ->tls_alerts++; /* the client's words: it does not like our certificate, or our rules */
    else
        t->counts->tls_protocol++;
    return text_of(code);
}

static sl_status fail(struct gw_tls *t)
{
    t->problem = judge(t, ERR_peek_error());
    t->is_over = t->is_ended = true;
    ERR_clear_error();
    return SL_EPROTO;
}

/* ---- bytes ---- */

static void look_if_ready(struct gw_tls *t)
{
    if (t->is_ready || !SSL_is_init_finished(t->ssl))
        return;
    t->is_ready = true;
    if (SSL_session_reused(t->ssl))
        t->counts->tls_resumed++;
    else
        t->counts->tls_handshakes++;
}

static sl_status read_all(struct gw_tls *t, gw_tls_take take, void *ctx)
{
    uint8_t plain[RECORD_BYTES];
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(t->ssl, plain, sizeof plain);
        look_if_ready(t);
        if (n > 0) {
            take(ctx, sl_span_of(plain, (size_t)n));
            continue;
        }
        switch (SSL_get_error(t->ssl, n)) {
        case SSL_ERROR_WANT_READ:
            return SL_OK;
        case SSL_ERROR_ZERO_RETURN:
            t->is_over = true;
            return SL_OK;
        default:
            return fail(t);
        }
    }
}

sl_status gw_tls_input(struct gw_tls *t, struct sl_span bytes, gw_tls_take take, void *ctx)
{
    if (t->is_over)
        return *t->problem == '\0' ? SL_OK : SL_EPROTO;
    t->in = bytes;
    sl_status s = read_all(t, take, ctx);
    t->in = sl_span_of(NULL, 0);
    return s;
}

/* Where in a list of vectors. */
struct cursor {
    const struct iovec *at, *end;
    size_t offset; /* in *at */
};

static void advance(struct cursor *c, size_t n)
{
    c->offset += n;
    if (c->offset == c->at->iov_len) {
        c->at++;
        c->offset = 0;
    }
}

/* The plain bytes of one record: where they lie if they lie together, else gathered. */
static struct sl_span next_record(struct cursor *c, uint8_t *gathered)
{
    size_t len = 0;
    if (c->at->iov_len - c->offset >= RECORD_BYTES) {
        struct sl_span s = sl_span_of((const uint8_t *)c->at->iov_base + c->offset, RECORD_BYTES);
        advance(c, RECORD_BYTES);
        return s;
    }
    while (c->at < c->end && len < RECORD_BYTES) {
        size_t here = c->at->iov_len - c->offset, room = RECORD_BYTES - len;
        size_t n = here < room ? here : room;
        memcpy(gathered + len, (const uint8_t *)c->at->iov_base + c->offset, n);
        len += n;
        advance(c, n);
    }
    return sl_span_of(gathered, len);
}

static bool has_room_for_record(const struct gw_tls *t)
{
    return t->out_bytes + BLOCK_BYTES + ALERTS_BYTES <= GW_TLS_OUT_BYTES;
}

size_t gw_tls_write(struct gw_tls *t, const struct iovec *plain, size_t count)
{
    struct cursor c = {plain, plain + count, 0};
    uint8_t gathered[RECORD_BYTES];
    size_t total = 0;
    while (t->is_ready && !t->is_ended && c.at < c.end && has_room_for_record(t)) {
        struct sl_span record = next_record(&c, gathered);
        if (record.len == 0)
            break;
        ERR_clear_error();
        int n = SSL_write(t->ssl, record.data, (int)record.len);
        if (n != (int)record.len)
            (void)fail(t);
        else
            total += record.len;
    }
    return total;
}

void gw_tls_end(struct gw_tls *t)
{
    if (!t->is_ready || t->is_ended)
        return;
    t->is_ended = true;
    ERR_clear_error();
    if (SSL_shutdown(t->ssl) < 0)
        ERR_clear_error(); /* no memory: the connection ends without it */
}

bool gw_tls_is_ready(const struct gw_tls *t)
{
    return t->is_ready;
}

bool gw_tls_is_over(const struct gw_tls *t)
{
    return t->is_over;
}

const char *gw_tls_problem(const struct gw_tls *t)
{
    return t->problem;
}
