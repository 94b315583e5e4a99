/* gw_h2_reply.c - what goes: replies and refusals become frames; payload leaves by reference. */
#include <utlist.h>

#include "gw_h2_int.h"
#include "sl_text.h"

/* ---- header lists ---- */

static size_t to_nv(const struct gw_grpc_fields *f, nghttp2_nv *out)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct gw_grpc_field *from = &f->at[i];
        unsigned flags = from->recurs ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
        if (from->is_static)
            flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
        out[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)from->name, (uint8_t *)(uintptr_t)from->value,
                              from->name_len, from->value_len, (uint8_t)flags};
    }
    return f->count;
}

static void submit_trailers_only(struct gw_h2 *h, struct gw_stream *s, int http_status,
                                 const struct gw_reply *r)
{
    struct gw_grpc_fields fields;
    nghttp2_nv nv[GW_GRPC_FIELDS_MAX];
    gw_grpc_fields_trailers_only(&fields, http_status, r);
    if (nghttp2_submit_response(h->session, s->id, nv, to_nv(&fields, nv), NULL) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

/* ---- refusals ---- */

/* Every reply names its request: what a caller complains of can be found. Flow may be reading the request. */
static void tell_call_id(struct gw_h2 *h, struct gw_stream *s, struct gw_reply *refusal)
{
    const char *id = (const char *)s->x.req.call_id.data;
    if (!sl_text_is_uuid(s->x.req.call_id)) {
        gw_stream_name(h->port->pool, s);
        id = s->call_id;
    }
    refusal->trailers[refusal->trailer_count++] = (struct gw_trailer){"sluice-call-id", id};
}

void gw_h2_refuse(struct gw_h2 *h, struct gw_stream *s, int http_status, struct gw_reply *refusal)
{
    tell_call_id(h, s, refusal);
    h->port->counts->refused_early++;
    s->is_refused = true;
    gw_stream_drop_body(h->port->pool, s);
    gw_h2_post_gone(h, s);
    submit_trailers_only(h, s, http_status, refusal);
}

void gw_h2_refuse_error(struct gw_h2 *h, struct gw_stream *s, const struct sl_error *error)
{
    struct gw_reply refusal = {.error = *error};
    gw_h2_refuse(h, s, 200, &refusal);
}

/* ---- replies ---- */

_Static_assert((int)GW_UPDATE_BYTES_MAX <= (int)GW_H2_COPIED_MAX,
               "an update is never sent by reference: it may go as soon as it is in frames");

/* How many of at most max bytes can leave in one frame: the prefix and a few pieces. */
static size_t frame_bytes(const struct gw_stream *s, size_t max)
{
    uint64_t sent = GW_GRPC_PREFIX_BYTES + s->out_bytes - s->left_bytes;
    uint64_t n = sent < GW_GRPC_PREFIX_BYTES ? GW_GRPC_PREFIX_BYTES - sent : 0;
    size_t offset = s->piece_offset, pieces = 0;
    for (size_t i = s->piece; i < s->piece_count && pieces < GW_H2_PIECES_PER_FRAME; i++) {
        n += s->pieces[i].len - offset;
        pieces += s->pieces[i].len > 0;
        offset = 0;
    }
    if (n > s->left_bytes)
        n = s->left_bytes;
    return n < max ? (size_t)n : max;
}

static void submit_trailers(struct gw_h2 *h, struct gw_stream *s)
{
    struct gw_grpc_fields fields;
    nghttp2_nv nv[GW_GRPC_FIELDS_MAX];
    gw_grpc_fields_trailers(&fields, &s->x.reply);
    if (nghttp2_submit_trailer(h->session, s->id, nv, to_nv(&fields, nv)) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static void begin_message(struct gw_stream *s, const struct sl_span *pieces, size_t piece_count,
                          uint64_t bytes)
{
    s->pieces = pieces;
    s->piece_count = piece_count;
    s->out_bytes = bytes;
    s->piece = 0;
    s->piece_offset = 0;
    s->left_bytes = GW_GRPC_PREFIX_BYTES + bytes;
}

/* The reply's, after which there is none; an error has none. */
static void begin_last_message(struct gw_stream *s)
{
    const struct gw_reply *r = &s->x.reply;
    s->is_last = true;
    if (!sl_error_is_set(&r->error))
        begin_message(s, r->pieces, r->piece_count, r->message_bytes);
}

/* What is sent after a message that has been sent: the last one, or the newest update, if there is one. */
static void begin_next_message(struct gw_h2 *h, struct gw_stream *s)
{
    gw_body_release(s->update);
    s->update = NULL;
    if (s->is_replied) {
        begin_last_message(s);
    } else if ((s->update = gw_exchange_take_update(&s->x)) != NULL) {
        s->update_piece = sl_span_of(s->update->data, s->update->len);
        begin_message(s, &s->update_piece, 1, s->update->len);
        gw_pace_begin(&s->pace, h->now);
    }
}

static ssize_t on_read_reply(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max,
                             uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct gw_h2 *h = user_data;
    struct gw_stream *s = source->ptr;
    (void)session, (void)id, (void)buf;
    if (s->left_bytes == 0 && !s->is_last)
        begin_next_message(h, s);
    s->is_deferred = s->left_bytes == 0 && !s->is_last;
    if (s->is_deferred)
        return NGHTTP2_ERR_DEFERRED;
    size_t n = frame_bytes(s, max);
    if (n == 0 && s->left_bytes > 0)
        /* the pieces are less than out_bytes: flow's mistake, the stream is reset */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n == s->left_bytes && s->is_last) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        submit_trailers(h, s);
    }
    return gw_h2_is_dead(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)n;
}

static sl_status put_prefix(struct gw_h2 *h, struct gw_stream *s, size_t *left)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    uint64_t sent = GW_GRPC_PREFIX_BYTES + s->out_bytes - s->left_bytes;
    if (sent >= GW_GRPC_PREFIX_BYTES)
        return SL_OK;
    size_t n = GW_GRPC_PREFIX_BYTES - (size_t)sent;
    if (n > *left)
        n = *left;
    gw_grpc_frame_prefix(s->packed != NULL, (uint32_t)s->out_bytes, prefix);
    *left -= n;
    return gw_h2_out_copy(&h->out, prefix + sent, n);
}

static sl_status put_piece(struct gw_h2 *h, struct gw_stream *s, size_t *left)
{
    const struct sl_span *p = &s->pieces[s->piece];
    const uint8_t *from = p->data + s->piece_offset;
    size_t n = p->len - s->piece_offset;
    if (n > *left)
        n = *left;
    *left -= n;
    s->piece_offset += n;
    if (s->piece_offset == p->len) {
        s->piece++;
        s->piece_offset = 0;
    }
    return n <= GW_H2_COPIED_MAX ? gw_h2_out_copy(&h->out, from, n)
                                 : gw_h2_out_borrow(&h->out, from, n);
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *user_data)
{
    enum { HEAD_BYTES = 9 };
    struct gw_h2 *h = user_data;
    struct gw_stream *s = source->ptr;
    (void)session, (void)frame; /* no padding: no such callback is set */
    size_t left = len;
    sl_status status = gw_h2_out_copy(&h->out, head, HEAD_BYTES);
    if (status == SL_OK)
        status = put_prefix(h, s, &left);
    while (status == SL_OK && left > 0)
        status = put_piece(h, s, &left);
    if (status != SL_OK)
        return gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory for output");
    s->left_bytes -= len;
    gw_pace_move(&s->pace, len, h->now);
    return gw_h2_has_room(h) ? 0 : NGHTTP2_ERR_PAUSE;
}

/* What follows the headers is asked for by on_read_reply. */
static void submit_head(struct gw_h2 *h, struct gw_stream *s, enum gw_encoding encoding)
{
    struct gw_grpc_fields fields;
    nghttp2_nv nv[GW_GRPC_FIELDS_MAX];
    nghttp2_data_provider source = {.source.ptr = s, .read_callback = on_read_reply};
    s->is_begun = true;
    gw_grpc_fields_head(&fields, encoding);
    gw_grpc_fields_add(&fields, s->x.head_fields, s->x.head_field_count);
    if (nghttp2_submit_response(h->session, s->id, nv, to_nv(&fields, nv), &source) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static void submit_message(struct gw_h2 *h, struct gw_stream *s)
{
    gw_h2_pack(h, s);
    begin_last_message(s);
    submit_head(h, s, s->packed != NULL ? s->x.req.encoding : GW_ENCODING_IDENTITY);
}

/* There is something to send after the headers. */
static void wake(struct gw_h2 *h, struct gw_stream *s)
{
    if (!s->is_deferred)
        return;
    s->is_deferred = false;
    if (nghttp2_session_resume_data(h->session, s->id) == NGHTTP2_ERR_NOMEM)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static bool takes_reply(const struct gw_stream *s)
{
    return !s->is_closed && !s->is_refused && s->h2 != NULL && !gw_h2_is_dead(s->h2);
}

void gw_h2_head(struct gw_stream *s)
{
    if (takes_reply(s) && !s->is_begun)
        submit_head(s->h2, s, GW_ENCODING_IDENTITY);
}

void gw_h2_update(struct gw_stream *s)
{
    gw_h2_head(s);
    if (takes_reply(s))
        wake(s->h2, s);
}

static void submit_reply(struct gw_h2 *h, struct gw_stream *s)
{
    gw_pace_begin(&s->pace, h->now);
    if (s->is_begun)
        wake(h, s);
    else if (sl_error_is_set(&s->x.reply.error))
        submit_trailers_only(h, s, 200, &s->x.reply);
    else
        submit_message(h, s);
}

static void end_orphan(struct gw_stream *s, const struct gw_h2_port *port)
{
    if (s->h2 != NULL) {
        DL_DELETE(s->h2->orphans, s);
        gw_h2_close_one(s->h2);
    }
    gw_h2_depart(s, port);
}

void gw_h2_reply(struct gw_stream *s, const struct gw_h2_port *port)
{
    s->is_replied = true;
    gw_stream_drop_body(port->pool, s); /* the reply may be earlier than the request's end */
    if (s->is_closed)
        end_orphan(s, port);
    else if (takes_reply(s))
        submit_reply(s->h2, s);
}

/* ---- frames ---- */

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct gw_h2 *h = user_data;
    int32_t id = frame->hd.stream_id;
    int rv = 0;
    if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
        gw_h2_guard_forgive_pings(&h->guard);
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        h->port->counts->resets_sent++;
        uint32_t code = frame->rst_stream.error_code;
        bool is_provoked = code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL;
        if (is_provoked && !gw_h2_guard_take(&h->guard, GW_H2_ABUSE_RESETS_PROVOKED, h->now))
            return gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM,
                              gw_h2_guard_text(GW_H2_ABUSE_RESETS_PROVOKED));
    } else if (frame->hd.type == NGHTTP2_HEADERS &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
               nghttp2_session_get_stream_remote_close(session, id) == 0) {
        /* Answered before the request was whole: the peer may stop sending it. */
        rv = nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        gw_h2_note_fault(h, sl_span_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
    }
    return rv == 0 ? 0 : gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static ssize_t on_read_length(nghttp2_session *session, uint8_t type, int32_t id,
                              int32_t connection_window, int32_t stream_window,
                              uint32_t peer_frame_max, void *user_data)
{
    int32_t n = GW_H2_FRAME_BYTES_MAX;
    (void)session, (void)type, (void)id, (void)user_data;
    if (n > connection_window)
        n = connection_window;
    if (n > stream_window)
        n = stream_window;
    return (uint32_t)n > peer_frame_max ? (ssize_t)peer_frame_max : n;
}

void gw_h2_set_reply_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_data_source_read_length_callback(c, on_read_length);
}
