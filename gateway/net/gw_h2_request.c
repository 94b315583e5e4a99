/* gw_h2_request.c - what comes: header blocks and DATA become exchanges and their events. */
#include <string.h>
#include <utlist.h>

#include "gw_h2_int.h"

/* A header block may pass the limit on one request's headers so many times before it is abuse instead of
 * a mistake that deserves an answer. */
enum { BLOCK_EXCESS = 4 };

static struct gw_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- headers ---- */

static int refuse_stream(struct gw_h2 *h, int32_t id)
{
    int rv = nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return rv == 0 ? 0 : gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static struct gw_stream *add_stream(struct gw_h2 *h, int32_t id)
{
    struct gw_stream *s = gw_stream_take(h->port->pool);
    if (s == NULL)
        return NULL;
    s->h2 = h;
    s->id = id;
    s->x.net_connection = h->number;
    gw_pace_begin(&s->pace, h->now);
    DL_APPEND(h->live, s);
    h->open_count++;
    gw_grpc_meta_begin(&s->meta, &s->x.req, &s->x.reply, &s->x.arena, h->conf.header_bytes_max);
    return s;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct gw_h2 *h = user_data;
    h->in_headers = NULL;
    h->block_bytes = 0;
    h->block_began_at = h->now;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* A reset stream counts until flow has let go of it: resetting fast gains nothing. */
    struct gw_stream *s = NULL;
    if (h->open_count < 2 * (size_t)h->conf.max_streams)
        s = add_stream(h, frame->hd.stream_id);
    if (s == NULL)
        return refuse_stream(h, frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
    h->in_headers = s;
    return 0;
}

static struct sl_span span_of(nghttp2_rcbuf *b)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(b);
    return sl_span_of(v.base, v.len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    struct gw_h2 *h = user_data;
    struct sl_span n = span_of(name), v = span_of(value);
    (void)session, (void)frame, (void)flags;
    /* Also of refused streams and of trailers: decoding is what costs. */
    h->block_bytes += n.len + v.len + 32;
    if (h->block_bytes > BLOCK_EXCESS * h->conf.header_bytes_max)
        return gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, "a header block is far over the limit");
    if (h->in_headers != NULL)
        gw_grpc_meta_header(&h->in_headers->meta, n, v);
    return 0;
}

static bool keep_peer(struct gw_h2 *h, struct gw_stream *s)
{
    struct sl_span text = sl_span_str(h->peer->text);
    char *copy = sl_arena_str(&s->x.arena, text);
    s->x.req.peer = sl_span_of(copy, copy != NULL ? text.len : 0);
    s->x.req.from = h->peer->from;
    return copy != NULL;
}

static void headers_complete(struct gw_h2 *h, struct gw_stream *s)
{
    h->port->counts->requests++;
    if (!gw_grpc_meta_end(&s->meta, h->now)) {
        gw_h2_refuse(h, s, s->meta.http_status, &s->x.reply);
        return;
    }
    if (s->x.req.call_id.data == NULL) {
        gw_stream_name(h->port->pool, s);
        s->x.req.call_id = sl_span_of(s->call_id, SL_UUID_TEXT_LEN);
    }
    if (!keep_peer(h, s)) {
        struct sl_error e;
        sl_error_set(&e, SL_REASON_NO_CAPACITY, "There is no memory for the request.");
        gw_h2_refuse_error(h, s, &e);
        return;
    }
    bool is_large = gw_method_carries_tensors(s->x.req.method);
    gw_grpc_frame_init(&s->frame, is_large ? h->conf.max_message_bytes : GW_SMALL_MESSAGE_MAX);
    s->frame.may_be_compressed = s->x.req.encoding != GW_ENCODING_IDENTITY;
    gw_pace_begin(&s->pace, h->now);
    s->is_opened = true;
    h->port->post(h->port->ctx, &s->x, GW_EV_OPEN);
}

/* ---- the message ---- */

static bool takes_bytes(const struct gw_stream *s)
{
    return s->is_opened && !s->is_refused && !s->is_replied && !s->is_closed;
}

static void refuse_no_memory(struct gw_h2 *h, struct gw_stream *s)
{
    struct sl_error e;
    sl_error_set(&e, SL_REASON_NO_CAPACITY, "There is no memory for a message of %u bytes.",
                 s->frame.message_bytes);
    gw_h2_refuse_error(h, s, &e);
}

/* Bytes that no reservation covers yet. */
static bool hold(struct gw_h2 *h, struct gw_stream *s, size_t bytes)
{
    if (gw_stream_hold(h->port->pool, s, bytes, h->conf.held_bytes_max))
        return true;
    refuse_no_memory(h, s);
    return false;
}

static bool lend_body(struct gw_h2 *h, struct gw_stream *s)
{
    s->body =
        gw_body_create_large(h->port->pool->alloc, h->port->pool->bodies, s->frame.message_bytes);
    if (s->body == NULL) {
        refuse_no_memory(h, s);
        return false;
    }
    gw_grpc_frame_lend(&s->frame, s->body->data);
    return true;
}

/* Only what fits into the first window can come before GRANT, so the buffer has that size: it never moves, and
 * flow may read its beginning while more is added. */
static void keep_early(struct gw_h2 *h, struct gw_stream *s, struct sl_span chunk)
{
    if (chunk.len == 0)
        return;
    if (s->early == NULL && !hold(h, s, GW_H2_FIRST_WINDOW_BYTES))
        return;
    if (s->early == NULL)
        s->early = sl_alloc_get(h->port->pool->alloc, GW_H2_FIRST_WINDOW_BYTES);
    if (s->early == NULL) {
        refuse_no_memory(h, s);
        return;
    }
    if (chunk.len > GW_H2_FIRST_WINDOW_BYTES - s->early_bytes) /* flow control does not let it */
        return;
    memcpy(s->early + s->early_bytes, chunk.data, chunk.len);
    s->early_bytes += chunk.len;
}

static void announce_length(struct gw_h2 *h, struct gw_stream *s)
{
    s->is_announced = true;
    s->x.message_bytes = s->frame.message_bytes;
    if (!s->frame.is_compressed) /* flow could not read it */
        s->x.head = sl_span_of(s->early, s->early_bytes);
    h->port->post(h->port->ctx, &s->x, GW_EV_LENGTH);
}

/* Bytes into the frame; false: the request has been refused. */
static bool take(struct gw_h2 *h, struct gw_stream *s, struct sl_span *chunk)
{
    struct sl_error e;
    if (gw_grpc_frame_take(&s->frame, chunk, &e) != GW_GRPC_FRAME_FAILED)
        return true;
    gw_h2_refuse_error(h, s, &e);
    return false;
}

static bool fits_first_window(const struct gw_stream *s)
{
    return s->frame.message_bytes <= GW_H2_FIRST_WINDOW_BYTES - GW_GRPC_PREFIX_BYTES;
}

static void feed(struct gw_h2 *h, struct gw_stream *s, struct sl_span chunk)
{
    gw_pace_move(&s->pace, chunk.len, h->now);
    if (s->frame.state != GW_GRPC_FRAME_WAITING && !take(h, s, &chunk))
        return;
    if (s->frame.state != GW_GRPC_FRAME_WAITING)
        return;
    if (fits_first_window(s)) {
        if (hold(h, s, s->frame.message_bytes) && lend_body(h, s))
            take(h, s, &chunk);
        return;
    }
    keep_early(h, s, chunk);
    if (!s->is_announced && !s->is_refused)
        announce_length(h, s);
}

/* The stream's window is given back only once the message has its memory, and not for its last bytes. */
static int give_back_windows(struct gw_h2 *h, int32_t id, const struct gw_stream *s, size_t len)
{
    int rv = nghttp2_session_consume_connection(h->session, len);
    if (rv == 0 && s != NULL && takes_bytes(s) && s->frame.state == GW_GRPC_FRAME_MESSAGE)
        rv = nghttp2_session_consume_stream(h->session, id, len);
    return rv == 0 ? 0 : gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user_data)
{
    struct gw_h2 *h = user_data;
    struct gw_stream *s = stream_of(session, id);
    (void)flags;
    if (s != NULL && takes_bytes(s))
        feed(h, s, sl_span_of(data, len));
    return give_back_windows(h, id, s, len);
}

static void deliver(struct gw_h2 *h, struct gw_stream *s)
{
    s->is_complete = true;
    s->x.message_bytes = s->body->len;
    s->x.body = s->body;
    s->body = NULL;
    gw_stream_unhold(h->port->pool, s);
    h->port->post(h->port->ctx, &s->x, GW_EV_MESSAGE);
}

/* A compressed message is whole. A small one is unpacked at once, a larger one waits for room. */
static void open_packed(struct gw_h2 *h, struct gw_stream *s)
{
    if (!gw_h2_measure(h, s))
        return;
    if (s->unpacked_bytes <= GW_SMALL_MESSAGE_MAX) {
        if (hold(h, s, (size_t)s->unpacked_bytes) && gw_h2_unpack(h, s))
            deliver(h, s);
        return;
    }
    s->is_packed = true;
    s->is_announced = true;
    s->x.message_bytes = s->unpacked_bytes;
    s->x.head = (struct sl_span){0};
    h->port->post(h->port->ctx, &s->x, GW_EV_LENGTH);
}

static void request_complete(struct gw_h2 *h, struct gw_stream *s)
{
    struct sl_error e;
    if (!takes_bytes(s))
        return;
    if (s->frame.state == GW_GRPC_FRAME_WAITING)
        s->frame.filled_bytes = (uint32_t)s->early_bytes;
    if (gw_grpc_frame_end(&s->frame, &e) == GW_GRPC_FRAME_FAILED) {
        gw_h2_refuse_error(h, s, &e);
        return;
    }
    if (s->frame.is_compressed)
        open_packed(h, s);
    else
        deliver(h, s);
}

void gw_h2_grant(struct gw_stream *s)
{
    struct gw_h2 *h = s->h2;
    if (h == NULL || gw_h2_is_dead(h) || !takes_bytes(s) || !s->is_announced)
        return;
    s->is_announced = false;
    gw_pace_begin(&s->pace, h->now);
    if (s->is_packed) {
        if (gw_h2_unpack(h, s))
            deliver(h, s);
        return;
    }
    if (!lend_body(h, s))
        return;
    struct sl_span early = sl_span_of(s->early, s->early_bytes);
    bool is_well = take(h, s, &early);
    gw_stream_drop_early(h->port->pool, s);
    int32_t whole = (int32_t)(GW_GRPC_PREFIX_BYTES + s->frame.message_bytes);
    if (is_well &&
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, s->id, whole) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

/* ---- frames ---- */

static int charge(struct gw_h2 *h, enum gw_h2_abuse what)
{
    if (gw_h2_guard_take(&h->guard, what, h->now))
        return 0;
    return gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, gw_h2_guard_text(what));
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user_data)
{
    struct gw_h2 *h = user_data;
    (void)session;
    switch (hd->type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        if (hd->length > BLOCK_EXCESS * h->conf.header_bytes_max)
            return gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, "a header frame is far over the limit");
        return 0;
    case NGHTTP2_DATA:
        if (hd->length == 0 && (hd->flags & NGHTTP2_FLAG_END_STREAM) == 0)
            return charge(h, GW_H2_ABUSE_CHEAP_FRAMES);
        return 0;
    case NGHTTP2_RST_STREAM:
        h->port->counts->resets_received++;
        return 0;
    case NGHTTP2_WINDOW_UPDATE:
        return 0;
    default:
        return charge(h, GW_H2_ABUSE_CHEAP_FRAMES);
    }
}

static void on_headers_received(struct gw_h2 *h, const nghttp2_frame *frame, struct gw_stream *s)
{
    h->block_began_at = SL_MONO_NEVER;
    h->in_headers = NULL;
    if (s != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        headers_complete(h, s);
}

static int on_ping(struct gw_h2 *h, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        gw_h2_on_pong(h, frame->ping.opaque_data);
    else if (!gw_h2_guard_ping(&h->guard, &h->conf.pings, h->open_count > 0, h->now))
        gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    return gw_h2_is_dead(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct gw_h2 *h = user_data;
    uint8_t type = frame->hd.type;
    if (type == NGHTTP2_SETTINGS)
        h->is_ready = true;
    if (type == NGHTTP2_PING)
        return on_ping(h, frame);
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA)
        return 0;
    struct gw_stream *s = stream_of(session, frame->hd.stream_id);
    if (type == NGHTTP2_HEADERS)
        on_headers_received(h, frame, s);
    if (s != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        request_complete(h, s);
    return gw_h2_is_dead(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct gw_h2 *h = user_data;
    struct gw_stream *s = stream_of(session, id);
    (void)code;
    if (s != NULL)
        gw_h2_close_stream(h, s);
    return 0;
}

void gw_h2_set_request_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_received);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}
