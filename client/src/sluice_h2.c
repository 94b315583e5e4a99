/* sluice_h2.c - the client's side of HTTP/2 with one call at a time. */
#include "sluice_h2.h"

#include <stdlib.h>

#include "sluice_outbox.h"

enum {
    WINDOW_BYTES = 32 << 20,
    FRAME_BYTES_MAX = 1 << 20,
    HEADER_LIST_BYTES_MAX = SLUICE_PAIRS_BYTES_MAX + 64 * SLUICE_PAIRS_MAX,
    FRAME_HEAD_BYTES = 9,
};

struct sluice_h2 {
    nghttp2_session *session;
    bool has_settings; /* of the peer */
    bool has_goaway;
    struct sluice_outbox outbox;
};

static struct sluice_exchange *exchange_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* A failed exchange is reset at once: nothing the server says can help it. */
static int reset_if_failed(nghttp2_session *session, const struct sluice_exchange *x)
{
    if (x->failure.code == SLUICE_OK)
        return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, x->stream_id, NGHTTP2_CANCEL);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct sluice_exchange *x = exchange_of(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (x == NULL || x->failure.code != SLUICE_OK)
        return 0;
    sluice_exchange_on_header(x, sl_span_of(name, name_len), sl_span_of(value, value_len));
    return reset_if_failed(session, x);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user)
{
    struct sluice_exchange *x = exchange_of(session, stream_id);

    (void)flags;
    (void)user;
    if (x == NULL || x->failure.code != SLUICE_OK)
        return 0;
    sluice_exchange_on_data(x, sl_span_of(data, len));
    return reset_if_failed(session, x);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sluice_h2 *h = user;
    bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    h->has_settings = h->has_settings || frame->hd.type == NGHTTP2_SETTINGS;
    h->has_goaway = h->has_goaway || frame->hd.type == NGHTTP2_GOAWAY;
    struct sluice_exchange *x = exchange_of(session, frame->hd.stream_id);
    if (x == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        sluice_exchange_on_headers_end(x, end_stream);
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        x->has_end_stream = x->has_end_stream || end_stream;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user)
{
    struct sluice_exchange *x = exchange_of(session, stream_id);

    (void)user;
    if (x == NULL)
        return 0;
    x->is_closed = true;
    x->reset_code = error_code;
    return 0;
}

/* Control frames and headers: as many bytes as the outbox has room for. */
static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    struct sluice_h2 *h = user;
    size_t n = sluice_outbox_copy(&h->outbox, sl_span_of(data, len));

    (void)session;
    (void)flags;
    return n > 0 ? (ssize_t)n : NGHTTP2_ERR_WOULDBLOCK;
}

/* How much of the body the next DATA frame takes; the bytes themselves are taken in on_send_data. */
static ssize_t on_read_body(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t len,
                            uint32_t *data_flags, nghttp2_data_source *source, void *user)
{
    struct sluice_exchange *x = exchange_of(session, stream_id);

    (void)buf;
    (void)source;
    (void)user;
    if (x == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* stopped meanwhile */
    size_t n = len < x->unsent_bytes ? len : (size_t)x->unsent_bytes;
    x->unsent_bytes -= n;
    *data_flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (x->unsent_bytes == 0)
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* One DATA frame: its head copied, the body's pieces by reference. All of it or nothing. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *user)
{
    struct sluice_h2 *h = user;
    struct sluice_exchange *x = exchange_of(session, frame->hd.stream_id);

    (void)source;
    if (x == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!sluice_outbox_has_room(&h->outbox, FRAME_HEAD_BYTES, sluice_exchange_count_pieces(x, len)))
        return NGHTTP2_ERR_WOULDBLOCK;
    sluice_outbox_copy(&h->outbox, sl_span_of(head, FRAME_HEAD_BYTES));
    while (len > 0) {
        struct sl_span piece = sluice_exchange_take_piece(x, len);
        sluice_outbox_borrow(&h->outbox, piece);
        len -= piece.len;
    }
    return 0;
}

/* DATA frames as large as the peer allows, up to our own bound. */
static ssize_t on_frame_bytes(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                              int32_t session_window, int32_t stream_window, uint32_t peer_max,
                              void *user)
{
    int32_t bytes = session_window < stream_window ? session_window : stream_window;

    (void)session;
    (void)frame_type;
    (void)stream_id;
    (void)user;
    if (peer_max < (uint32_t)bytes)
        bytes = (int32_t)peer_max;
    return bytes < FRAME_BYTES_MAX ? bytes : FRAME_BYTES_MAX;
}

static int create_session(struct sluice_h2 *h)
{
    nghttp2_session_callbacks *callbacks;
    int rc = nghttp2_session_callbacks_new(&callbacks);
    if (rc != 0)
        return rc;
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_frame_bytes);
    rc = nghttp2_session_client_new(&h->session, callbacks, h);
    nghttp2_session_callbacks_del(callbacks);
    return rc;
}

static int submit_settings(struct sluice_h2 *h)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES_MAX},
    };
    int rc =
        nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, SL_ARRAY_LEN(settings));
    if (rc == 0)
        rc = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES);
    return rc;
}

sl_status sluice_h2_create(struct sluice_h2 **out)
{
    struct sluice_h2 *h = malloc(sizeof(*h));

    *out = NULL;
    if (h == NULL)
        return SL_ENOMEM;
    h->session = NULL;
    h->has_settings = false;
    h->has_goaway = false;
    sluice_outbox_init(&h->outbox);
    if (create_session(h) != 0 || submit_settings(h) != 0) {
        sluice_h2_destroy(h);
        return SL_ENOMEM;
    }
    *out = h;
    return SL_OK;
}

void sluice_h2_destroy(struct sluice_h2 *h)
{
    if (h == NULL)
        return;
    nghttp2_session_del(h->session);
    free(h);
}

bool sluice_h2_has_begun(const struct sluice_h2 *h)
{
    return h->has_settings;
}

bool sluice_h2_is_usable(const struct sluice_h2 *h)
{
    return !h->has_goaway && nghttp2_session_check_request_allowed(h->session) != 0;
}

sl_status sluice_h2_start(struct sluice_h2 *h, struct sluice_exchange *x, const nghttp2_nv *headers,
                          size_t count)
{
    nghttp2_data_provider body = {.source = {.ptr = x}, .read_callback = on_read_body};

    if (!sluice_h2_is_usable(h))
        return SL_ESTALE;
    x->stream_id = nghttp2_submit_request(h->session, NULL, headers, count, &body, x);
    if (x->stream_id == NGHTTP2_ERR_NOMEM)
        return SL_ENOMEM;
    return x->stream_id > 0 ? SL_OK : SL_ESTALE;
}

void sluice_h2_stop(struct sluice_h2 *h, struct sluice_exchange *x, uint32_t error_code)
{
    if (x->is_closed)
        return;
    nghttp2_session_set_stream_user_data(h->session, x->stream_id, NULL);
    /* Fails only without memory; then the session is closed by the next output. */
    nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, error_code);
}

sl_status sluice_h2_receive(struct sluice_h2 *h, struct sl_span bytes)
{
    ssize_t n = nghttp2_session_mem_recv(h->session, bytes.data, bytes.len);
    if (n == NGHTTP2_ERR_NOMEM)
        return SL_ENOMEM;
    return n == (ssize_t)bytes.len ? SL_OK : SL_EPROTO;
}

sl_status sluice_h2_output(struct sluice_h2 *h, const struct iovec **out_pieces, size_t *out_count)
{
    int rc = nghttp2_session_send(h->session);

    *out_pieces = sluice_outbox_pieces(&h->outbox, out_count);
    if (rc == NGHTTP2_ERR_NOMEM)
        return SL_ENOMEM;
    bool is_ended = *out_count == 0 && nghttp2_session_want_read(h->session) == 0;
    return rc == 0 && !is_ended ? SL_OK : SL_EPROTO;
}

void sluice_h2_sent(struct sluice_h2 *h, size_t n)
{
    sluice_outbox_sent(&h->outbox, n);
}

bool sluice_h2_has_output(const struct sluice_h2 *h)
{
    return h->outbox.queued_bytes > 0;
}
