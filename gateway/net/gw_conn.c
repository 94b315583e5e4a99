/* gw_conn.c - libuv's side of a connection. */
#include "gw_conn_int.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "sl_log.h"

enum {
    VECTORS_MAX = 64,
    WRITE_TURN_BYTES = 8 << 20, /* of all connections: nodes and other callers wait for its end */
    READ_TURN_BYTES = 2 << 20,  /* of one connection */
};

static sl_mono_ns now_of(const struct gw_conn *c)
{
    return c->host->now(c->host->ctx);
}

/* ---- the end ---- */

static void on_close(uv_handle_t *handle)
{
    struct gw_conn *c = handle->data;
    struct gw_conn_host *host = c->host;
    gw_h2_destroy(c->h2);
    gw_tls_destroy(c->tls);
    DL_DELETE(host->conns, c);
    if (c->is_dirty)
        LL_DELETE2(host->dirty, c, dirty_next);
    if (!c->is_ready)
        host->unready_count--;
    host->conn_count--;
    host->counts.connections--;
    free(c);
    host->on_room(host->ctx);
}

void gw_conn_close(struct gw_conn *c)
{
    if (c->state == CLOSING)
        return;
    c->state = CLOSING;
    uv_close((uv_handle_t *)&c->tcp, on_close);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct gw_conn *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)c->host->read_buffer, (unsigned)c->host->read_buffer_bytes);
}

/* SL_EPROTO shows at the end of the turn, when the GOAWAY has been written. */
static void take_plain(void *ctx, struct sl_span bytes)
{
    struct gw_conn *c = ctx;
    (void)!gw_h2_input(c->h2, bytes, c->input_at);
}

static void name_peer(struct gw_conn *c, uint16_t port)
{
    struct gw_h2_peer *p = &c->peer;
    char host[GW_ADDRESS_TEXT_MAX + 1];
    gw_address_format(&p->from.address, host);
    snprintf(p->text, sizeof p->text, p->from.address.family == 6 ? "[%s]:%u" : "%s:%u", host,
             port);
}

/* From now on it is the visitor's connection. A proxy that speaks for itself (a health check) stays. */
static void take_proxied(struct gw_conn *c)
{
    struct gw_origin *from = &c->peer.from;
    c->awaits_proxy = false;
    c->host->counts.proxy_headers++;
    if (c->proxy.source.family == 0)
        return;
    from->address = c->proxy.source;
    from->is_local = from->is_local && gw_address_is_loopback(&from->address);
    name_peer(c, c->proxy.source_port);
}

/* false: nothing is left for whoever comes next. */
static bool pass_proxy_header(struct gw_conn *c, struct sl_span *bytes)
{
    switch (gw_proxy_v2_take(&c->proxy, bytes)) {
    case GW_PROXY_V2_MORE:
        break;
    case GW_PROXY_V2_DONE:
        take_proxied(c);
        break;
    case GW_PROXY_V2_BAD:
        c->host->counts.proxy_faults++;
        sl_log(SL_LOG_INFO,
               "connection refused: no good PROXY v2 header, which proxy_protocol wants",
               SL_S("peer", c->peer.text), SL_S("why", c->proxy.fault));
        gw_conn_close(c);
        break;
    }
    return !c->awaits_proxy && bytes->len > 0;
}

static void take_input(struct gw_conn *c, struct sl_span bytes)
{
    if (c->awaits_proxy && !pass_proxy_header(c, &bytes))
        return;
    if (c->tls == NULL)
        take_plain(c, bytes);
    else if (gw_tls_input(c->tls, bytes, take_plain, c) != SL_OK)
        sl_log(SL_LOG_DEBUG, "TLS connection ends", SL_S("peer", c->peer.text),
               SL_S("why", gw_tls_problem(c->tls)));
}

static void note_ready(struct gw_conn *c)
{
    if (c->is_ready || !gw_h2_is_ready(c->h2))
        return;
    c->is_ready = true;
    c->host->unready_count--;
    c->host->on_room(c->host->ctx);
}

/* libuv would read on as long as there is something; the turn's end goes on with it. */
static void pause_for_others(struct gw_conn *c, size_t bytes)
{
    c->turn_read_bytes += bytes;
    if (c->turn_read_bytes < READ_TURN_BYTES || c->state != OPEN || !c->is_reading)
        return;
    c->is_reading = false;
    uv_read_stop((uv_stream_t *)&c->tcp);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct gw_conn *c = stream->data;
    if (n < 0)
        gw_conn_close(c);
    if (n <= 0 || c->state != OPEN)
        return;
    c->host->counts.received_bytes += n;
    c->input_at = now_of(c);
    take_input(c, sl_span_of(buf->base, (size_t)n));
    note_ready(c);
    gw_conn_mark(c);
    pause_for_others(c, (size_t)n);
}

static void set_reading(struct gw_conn *c, bool wanted)
{
    if (c->is_reading == wanted)
        return;
    c->is_reading = wanted;
    if (!wanted) {
        c->host->counts.read_pauses++;
        uv_read_stop((uv_stream_t *)&c->tcp);
    } else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        gw_conn_close(c);
    }
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    if (status != 0 && status != UV_ECANCELED)
        gw_conn_close(req->data);
}

static void linger(struct gw_conn *c)
{
    if (gw_h2_fault(c->h2)[0] != '\0')
        sl_log(SL_LOG_DEBUG, "connection ended for the peer's fault", SL_S("peer", c->peer.text),
               SL_S("fault", gw_h2_fault(c->h2)));
    c->state = LINGERING;
    c->lingers_since = now_of(c);
    c->shutdown.data = c;
    set_reading(c, true);
    if (c->state == LINGERING &&
        uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0)
        gw_conn_close(c);
}

/* ---- writing ---- */

static bool is_over(const struct gw_conn *c)
{
    return gw_h2_is_over(c->h2) || (c->tls != NULL && gw_tls_is_over(c->tls));
}

/* Frames become records, as many as a buffer of records takes; after the last frame, the last record. */
static void encrypt(struct gw_conn *c)
{
    struct iovec v[VECTORS_MAX];
    size_t count, taken;
    do {
        count = gw_h2_output(c->h2, v, VECTORS_MAX, now_of(c));
        taken = gw_tls_write(c->tls, v, count);
        gw_h2_sent(c->h2, taken);
    } while (taken > 0);
    if (gw_tls_is_over(c->tls) || (count == 0 && gw_h2_is_over(c->h2)))
        gw_tls_end(c->tls);
}

/* What the socket should take; new frames are made first. */
static size_t make_output(struct gw_conn *c, struct iovec *v)
{
    if (c->tls == NULL)
        return gw_h2_output(c->h2, v, VECTORS_MAX, now_of(c));
    encrypt(c);
    return gw_tls_pending(c->tls, v, VECTORS_MAX);
}

static size_t pending_output(struct gw_conn *c, struct iovec *v)
{
    return c->tls == NULL ? gw_h2_pending(c->h2, v, VECTORS_MAX)
                          : gw_tls_pending(c->tls, v, VECTORS_MAX);
}

static void on_left(struct gw_conn *c, size_t bytes)
{
    c->host->counts.sent_bytes += (int64_t)bytes;
    if (c->tls == NULL)
        gw_h2_sent(c->h2, bytes);
    else
        gw_tls_sent(c->tls, bytes);
}

static void on_written(uv_write_t *req, int status)
{
    struct gw_conn *c = req->data;
    c->is_writing = false;
    if (status != 0) {
        gw_conn_close(c);
        return;
    }
    on_left(c, c->write_bytes);
    gw_conn_mark(c);
}

static size_t to_bufs(const struct iovec *v, size_t count, uv_buf_t *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = uv_buf_init(v[i].iov_base, (unsigned)v[i].iov_len);
        bytes += v[i].iov_len;
    }
    return bytes;
}

/* What the socket did not take now is libuv's to send when it can. */
static void leave_to_libuv(struct gw_conn *c)
{
    struct iovec v[VECTORS_MAX];
    uv_buf_t bufs[VECTORS_MAX];
    size_t count = pending_output(c, v);
    c->write_bytes = to_bufs(v, count, bufs);
    c->write.data = c;
    c->is_writing = true;
    c->write_left_bytes = c->write_bytes;
    gw_pace_begin(&c->write_pace, now_of(c));
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, bufs, (unsigned)count, on_written) != 0) {
        c->is_writing = false;
        gw_conn_close(c);
    }
}

/* Bytes that left; 0: there is nothing to send, or the socket is full, or the connection is closing. */
static size_t write_some(struct gw_conn *c)
{
    struct iovec v[VECTORS_MAX];
    uv_buf_t bufs[VECTORS_MAX];
    size_t count = make_output(c, v);
    if (count == 0)
        return 0;
    size_t offered = to_bufs(v, count, bufs);
    int rv = uv_try_write((uv_stream_t *)&c->tcp, bufs, (unsigned)count);
    if (rv < 0 && rv != UV_EAGAIN) {
        gw_conn_close(c);
        return 0;
    }
    size_t sent = rv > 0 ? (size_t)rv : 0;
    if (sent > 0)
        on_left(c, sent);
    if (sent == offered)
        return sent;
    leave_to_libuv(c);
    return 0;
}

/* Takes what it writes from *left_bytes. true: that is used up, and perhaps there is more. */
static bool write_conn(struct gw_conn *c, size_t *left_bytes)
{
    size_t n = 0;
    c->turn_read_bytes = 0;
    while (c->state == OPEN && !c->is_writing && *left_bytes > 0 && (n = write_some(c)) > 0)
        *left_bytes -= n < *left_bytes ? n : *left_bytes;
    if (c->state != OPEN)
        return false;
    if (!c->is_writing && *left_bytes > 0 && is_over(c)) {
        linger(c);
        return false;
    }
    set_reading(c, gw_h2_wants_input(c->h2));
    return *left_bytes == 0 && !c->is_writing;
}

void gw_conn_mark(struct gw_conn *c)
{
    if (c->is_dirty)
        return;
    c->is_dirty = true;
    c->dirty_next = c->host->dirty;
    c->host->dirty = c;
}

bool gw_conn_write_dirty(struct gw_conn_host *host)
{
    struct gw_conn *todo = host->dirty;
    size_t left_bytes = WRITE_TURN_BYTES;
    bool is_more = false;
    host->dirty = NULL;
    while (todo != NULL) {
        struct gw_conn *c = todo;
        todo = c->dirty_next;
        c->is_dirty = false;
        if (write_conn(c, &left_bytes)) { /* whoever had nothing of it is the first next time */
            gw_conn_mark(c);
            is_more = true;
        }
    }
    return is_more;
}

/* ---- the beginning ---- */

static struct gw_address address_of(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return gw_address_of((const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr, 4);
    return gw_address_of((const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr,
                         a->ss_family == AF_INET6 ? 16 : 0);
}

static void find_peer(struct gw_conn *c)
{
    struct sockaddr_storage a = {0};
    int len = sizeof a;
    struct gw_origin *from = &c->peer.from;
    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&a, &len);
    from->address = address_of(&a);
    from->is_local = gw_address_is_loopback(&from->address);
    from->is_tls = c->host->tls != NULL;
    /* The port lies at the same place in both kinds. */
    name_peer(c, ntohs(((const struct sockaddr_in *)&a)->sin_port));
    c->awaits_proxy =
        c->host->proxies != NULL && gw_networks_find(c->host->proxies, &from->address) != NULL;
}

static void on_close_unborn(uv_handle_t *handle)
{
    struct gw_conn *c = handle->data;
    gw_h2_destroy(c->h2);
    gw_tls_destroy(c->tls);
    free(c);
}

static sl_status open_conn(struct gw_conn *c, struct gw_listener *l)
{
    struct gw_conn_host *host = c->host;
    sl_status s = gw_listener_accept(l, &c->tcp);
    if (s != SL_OK)
        return s;
    find_peer(c);
    c->opened_at = c->input_at = now_of(c);
    c->ends_at = gw_conn_end_time(c);
    s = gw_h2_create(&host->h2_conf, &host->h2_port, &c->peer, c, c->opened_at, &c->h2);
    if (s == SL_OK && host->tls != NULL)
        s = gw_tls_create(host->tls, host->h2_port.pool->alloc, &host->counts, &c->tls);
    if (s != SL_OK)
        return s;
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        return SL_EIO;
    c->is_reading = true;
    return SL_OK;
}

sl_status gw_conn_accept(struct gw_conn_host *host, struct gw_listener *l)
{
    struct gw_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return SL_ENOMEM;
    c->host = host;
    if (uv_tcp_init(host->loop, &c->tcp) != 0) {
        free(c);
        return SL_EIO;
    }
    c->tcp.data = c;
    sl_status s = open_conn(c, l);
    if (s != SL_OK) {
        uv_close((uv_handle_t *)&c->tcp, on_close_unborn);
        return s;
    }
    DL_APPEND(host->conns, c);
    host->conn_count++;
    host->unready_count++;
    host->counts.accepted++;
    host->counts.connections++;
    gw_conn_mark(c); /* SETTINGS */
    return SL_OK;
}

/* ---- drain ---- */

void gw_conn_announce_end_all(struct gw_conn_host *host)
{
    struct gw_conn *c;
    DL_FOREACH (host->conns, c) {
        gw_h2_announce_end(c->h2);
        gw_conn_mark(c);
    }
}

void gw_conn_begin_end_all(struct gw_conn_host *host)
{
    struct gw_conn *c;
    DL_FOREACH (host->conns, c) {
        gw_h2_begin_end(c->h2);
        gw_conn_mark(c);
    }
}

void gw_conn_close_all(struct gw_conn_host *host)
{
    struct gw_conn *c;
    DL_FOREACH (host->conns, c)
        gw_conn_close(c);
}
