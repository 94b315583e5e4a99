/* h2_peer.c - an HTTP/2 server in memory for tests of libsluice. */
#include "h2_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS_MAX = 64, HEADERS_MAX = 32, BODY_BYTES_MAX = 1 << 28, TEXT_MAX = 8192 };

struct stream {
    struct h2_request request;
    struct sl_buf in;
    struct sl_buf out;
    size_t out_at;
    char trailers[TEXT_MAX];
    bool is_trailers_due;
};

struct h2_peer {
    nghttp2_session *session;
    h2_handler handler;
    void *user;
    struct stream *streams[STREAMS_MAX];
    size_t reset_count;
    uint32_t last_reset;
};

static struct stream *stream_of(struct h2_peer *p, int32_t id)
{
    size_t i = (size_t)(id - 1) / 2 % STREAMS_MAX;
    if (p->streams[i] == NULL) {
        p->streams[i] = calloc(1, sizeof(struct stream));
        sl_buf_init(&p->streams[i]->in, &sl_alloc_malloc, BODY_BYTES_MAX);
        sl_buf_init(&p->streams[i]->out, &sl_alloc_malloc, BODY_BYTES_MAX);
    }
    return p->streams[i];
}

static void drop_stream(struct h2_peer *p, int32_t id)
{
    struct stream **s = &p->streams[(size_t)(id - 1) / 2 % STREAMS_MAX];
    if (*s == NULL)
        return;
    sl_buf_finish(&(*s)->in);
    sl_buf_finish(&(*s)->out);
    free(*s);
    *s = NULL;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_request *r = &stream_of(user, frame->hd.stream_id)->request;
    struct sl_span n = sl_span_of(name, name_len);

    (void)session;
    (void)flags;
    if (sl_span_eq_str(n, ":path"))
        snprintf(r->path, sizeof(r->path), "%.*s", (int)value_len, (const char *)value);
    if (sl_span_eq_str(n, "grpc-timeout"))
        snprintf(r->timeout, sizeof(r->timeout), "%.*s", (int)value_len, (const char *)value);
    if (sl_span_eq_str(n, "authorization"))
        snprintf(r->authorization, sizeof(r->authorization), "%.*s", (int)value_len,
                 (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user)
{
    (void)session;
    (void)flags;
    if (sl_buf_append(&stream_of(user, stream_id)->in, data, len) != SL_OK)
        abort();
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_peer *p = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        p->reset_count++;
        p->last_reset = frame->rst_stream.error_code;
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        struct stream *s = stream_of(p, frame->hd.stream_id);
        s->request.stream_id = frame->hd.stream_id;
        if (s->in.len >= 5)
            s->request.message = sl_span_of(s->in.data + 5, s->in.len - 5);
        p->handler(p, &s->request, p->user);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
    (void)session;
    (void)code;
    drop_stream(user, stream_id);
    return 0;
}

struct h2_peer *h2_peer_create(h2_handler handler, void *user, uint32_t max_frame_bytes,
                               int32_t window_bytes)
{
    struct h2_peer *p = calloc(1, sizeof(*p));
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, max_frame_bytes},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window_bytes}};

    p->handler = handler;
    p->user = user;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_server_new(&p->session, callbacks, p) != 0)
        abort();
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(p->session, 0, settings, 2);
    nghttp2_session_set_local_window_size(p->session, 0, 0, window_bytes);
    return p;
}

void h2_peer_destroy(struct h2_peer *p)
{
    if (p == NULL)
        return;
    nghttp2_session_del(p->session);
    for (int32_t i = 0; i < STREAMS_MAX; i++)
        drop_stream(p, 2 * i + 1);
    free(p);
}

bool h2_peer_receive(struct h2_peer *p, struct sl_span bytes)
{
    return nghttp2_session_mem_recv(p->session, bytes.data, bytes.len) == (ssize_t)bytes.len;
}

void h2_peer_output(struct h2_peer *p, struct sl_buf *out)
{
    const uint8_t *data;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(p->session, &data)) > 0) {
        if (sl_buf_append(out, data, (size_t)n) != SL_OK)
            abort();
    }
}

/* "name: value\n..." to headers; the text is cut up. */
static size_t cut_headers(char *text, nghttp2_nv *out)
{
    size_t n = 0;

    for (char *line = strtok(text, "\n"); line != NULL && n < HEADERS_MAX;
         line = strtok(NULL, "\n")) {
        char *colon = strstr(line, ": ");
        if (colon == NULL)
            abort();
        *colon = '\0';
        out[n++] = (nghttp2_nv){.name = (uint8_t *)line,
                                .value = (uint8_t *)(colon + 2),
                                .namelen = strlen(line),
                                .valuelen = strlen(colon + 2)};
    }
    return n;
}

static ssize_t on_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t len,
                       uint32_t *data_flags, nghttp2_data_source *source, void *user)
{
    struct stream *s = stream_of(user, stream_id);
    nghttp2_nv trailers[HEADERS_MAX];
    size_t n = s->out.len - s->out_at;

    (void)source;
    n = n < len ? n : len;
    if (n > 0)
        memcpy(buf, s->out.data + s->out_at, n);
    s->out_at += n;
    if (s->out_at == s->out.len) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, stream_id, trailers, cut_headers(s->trailers, trailers));
    }
    return (ssize_t)n;
}

void h2_peer_reply_raw(struct h2_peer *p, int32_t stream_id, struct sl_span body,
                       const char *trailers)
{
    struct stream *s = stream_of(p, stream_id);
    nghttp2_data_provider provider = {.read_callback = on_read};
    char text[] = ":status: 200\ncontent-type: application/grpc\nx-early: 1\n";
    nghttp2_nv headers[HEADERS_MAX];

    if (body.len > 0 && sl_buf_append(&s->out, body.data, body.len) != SL_OK)
        abort();
    snprintf(s->trailers, sizeof(s->trailers), "%s", trailers);
    size_t n = cut_headers(text, headers);
    if (nghttp2_submit_response(p->session, stream_id, headers, n, &provider) != 0)
        abort();
}

void h2_peer_reply(struct h2_peer *p, int32_t stream_id, struct sl_span message, int grpc_status,
                   const char *trailers)
{
    struct sl_buf body;
    char all[TEXT_MAX];
    uint8_t prefix[5] = {0, (uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                         (uint8_t)(message.len >> 8), (uint8_t)message.len};

    snprintf(all, sizeof(all), "grpc-status: %d\n%s", grpc_status, trailers);
    sl_buf_init(&body, &sl_alloc_malloc, BODY_BYTES_MAX);
    if (grpc_status == 0 &&
        (sl_buf_append(&body, prefix, 5) != SL_OK ||
         (message.len > 0 && sl_buf_append(&body, message.data, message.len) != SL_OK)))
        abort();
    h2_peer_reply_raw(p, stream_id, sl_buf_span(&body), all);
    sl_buf_finish(&body);
}

void h2_peer_reply_headers(struct h2_peer *p, int32_t stream_id, const char *headers)
{
    char text[TEXT_MAX];
    nghttp2_nv nv[HEADERS_MAX];

    snprintf(text, sizeof(text), "%s", headers);
    size_t n = cut_headers(text, nv);
    if (nghttp2_submit_headers(p->session, NGHTTP2_FLAG_END_STREAM, stream_id, NULL, nv, n, NULL) !=
        0)
        abort();
}

void h2_peer_reset(struct h2_peer *p, int32_t stream_id, uint32_t error_code)
{
    nghttp2_submit_rst_stream(p->session, 0, stream_id, error_code);
}

void h2_peer_goaway(struct h2_peer *p, int32_t last_stream_id)
{
    nghttp2_submit_goaway(p->session, 0, last_stream_id, NGHTTP2_NO_ERROR, NULL, 0);
}

size_t h2_peer_reset_count(const struct h2_peer *p)
{
    return p->reset_count;
}

uint32_t h2_peer_last_reset(const struct h2_peer *p)
{
    return p->last_reset;
}
