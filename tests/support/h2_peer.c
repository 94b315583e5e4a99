/* h2_peer.c - client, wire and flow of the tests of gw_h2. */
#include "h2_peer.h"

#include <stdlib.h>

#include "sl_base.h"
#include "sl_test.h"

static const struct gw_h2_peer peer = {.text = "1.2.3.4:5"};

enum { UPLOAD_MAX = 64 << 20, VECTORS_MAX = 64 };

/* ---- flow ---- */

static void note_event(struct h2_flow *f, unsigned events)
{
    for (unsigned bit = 0; bit < SL_ARRAY_LEN(f->events); bit++)
        f->events[bit] += events >> bit & 1;
}

unsigned h2_flow_count(const struct h2_pair *p, unsigned event)
{
    return p->flow.events[__builtin_ctz(event)];
}

static void post(void *ctx, struct gw_exchange *x, unsigned events)
{
    struct h2_flow *f = &((struct h2_pair *)ctx)->flow;
    assert_true(f->queued < H2_FLOW_QUEUE_MAX);
    f->queue[f->queued++] = (struct flow_mail){x, events};
    note_event(f, events);
}

enum { REPLIED = 1 };

static void send_reply(struct h2_pair *p, struct gw_exchange *x)
{
    assert_int_not_equal(x->flow_call, REPLIED);
    x->flow_call = REPLIED;
    p->flow.replies++;
    gw_h2_reply(gw_stream_of(x), &p->port);
}

struct held {
    struct h2_pair *pair;
    struct gw_body *body;
};

static void release(void *ctx)
{
    struct held *h = ctx;
    h->pair->flow.released++;
    gw_body_release(h->body);
    free(h);
}

/* x's message, when it has one, is held until the reply has left. */
static void hold(struct h2_pair *p, struct gw_exchange *x)
{
    struct held *h = malloc(sizeof *h);
    *h = (struct held){p, x->body};
    x->body = NULL;
    x->reply.release = release;
    x->reply.release_ctx = h;
}

void h2_flow_reply(struct h2_pair *p, struct gw_exchange *x, const struct sl_span *pieces,
                   size_t count)
{
    x->reply.pieces = pieces;
    x->reply.piece_count = count;
    for (size_t i = 0; i < count; i++)
        x->reply.message_bytes += pieces[i].len;
    hold(p, x);
    send_reply(p, x);
}

void h2_flow_refuse(struct h2_pair *p, struct gw_exchange *x, enum sl_reason reason)
{
    sl_error_set(&x->reply.error, reason, "refused by the test");
    hold(p, x);
    send_reply(p, x);
}

void h2_flow_grant(struct h2_pair *p, struct gw_exchange *x)
{
    (void)p;
    gw_h2_grant(gw_stream_of(x));
}

void h2_flow_head(struct gw_exchange *x, const char *name, const char *value)
{
    x->head_fields[x->head_field_count++] = (struct gw_trailer){name, value};
    gw_h2_head(gw_stream_of(x));
}

void h2_flow_update(struct gw_exchange *x, const struct sl_alloc *alloc, struct sl_span message)
{
    struct gw_body *b = gw_body_create(alloc != NULL ? alloc : &sl_alloc_malloc, message.len);
    if (b == NULL) /* as a flow without memory */
        return;
    memcpy(b->data, message.data, message.len);
    gw_exchange_put_update(x, b);
    gw_h2_update(gw_stream_of(x));
}

static void echo(struct h2_pair *p, struct gw_exchange *x)
{
    struct sl_span *piece = sl_arena_get(&x->arena, sizeof *piece);
    if (piece == NULL) {
        h2_flow_refuse(p, x, SL_REASON_NO_CAPACITY);
        return;
    }
    *piece = sl_span_of(x->body->data, x->body->len);
    h2_flow_reply(p, x, piece, 1);
}

static void answer(struct h2_pair *p, struct gw_exchange *x, unsigned events)
{
    if ((events & GW_EV_LENGTH) != 0 && !p->flow.keeps_grants)
        h2_flow_grant(p, x);
    if (x->flow_call == REPLIED) {
        gw_body_release(x->body); /* a message that came after the reply */
        x->body = NULL;
        return;
    }
    if ((events & GW_EV_GONE) != 0)
        h2_flow_refuse(p, x, SL_REASON_CANCELLED);
    else if ((events & GW_EV_MESSAGE) != 0)
        echo(p, x);
}

static void flow_takes(struct h2_pair *p, struct flow_mail m)
{
    if ((m.events & GW_EV_OPEN) != 0)
        p->flow.last = m.x;
    if (p->flow.mode == FLOW_REFUSE && (m.events & GW_EV_OPEN) != 0)
        h2_flow_refuse(p, m.x, SL_REASON_NOT_TRUSTED);
    else if (p->flow.mode == FLOW_ECHO || p->flow.mode == FLOW_REFUSE)
        answer(p, m.x, m.events);
    if ((m.events & GW_EV_SENT) != 0) {
        assert_int_equal(m.x->flow_call, REPLIED);
        gw_stream_give(&p->pool, gw_stream_of(m.x));
    }
}

void h2_pair_run_flow(struct h2_pair *p)
{
    for (size_t i = 0; i < p->flow.queued; i++) /* it may grow on the way */
        flow_takes(p, p->flow.queue[i]);
    p->flow.queued = 0;
}

/* ---- client ---- */

static struct h2_call *call_of(struct h2_pair *p, int32_t id)
{
    for (size_t i = p->call_count; i > 0; i--)
        if (p->calls[i - 1].id == id)
            return &p->calls[i - 1];
    return NULL;
}

static bool is_name(const uint8_t *name, size_t len, const char *wanted)
{
    return sl_span_eq_str(sl_span_of(name, len), wanted);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct h2_call *c = call_of(user_data, frame->hd.stream_id);
    (void)session, (void)flags;
    if (c == NULL)
        return 0;
    if (is_name(name, name_len, ":status"))
        c->http_status = atoi((const char *)value);
    else if (is_name(name, name_len, "grpc-status"))
        c->grpc_status = atoi((const char *)value);
    else if (is_name(name, name_len, "grpc-message"))
        snprintf(c->grpc_message, sizeof c->grpc_message, "%.*s", (int)value_len, value);
    else if (is_name(name, name_len, "sluice-reason"))
        snprintf(c->reason, sizeof c->reason, "%.*s", (int)value_len, value);
    else if (is_name(name, name_len, "sluice-call-id"))
        snprintf(c->call_id, sizeof c->call_id, "%.*s", (int)value_len, value);
    else if (is_name(name, name_len, "x-early"))
        snprintf(c->early, sizeof c->early, "%.*s", (int)value_len, value);
    else if (is_name(name, name_len, "grpc-encoding"))
        snprintf(c->encoding, sizeof c->encoding, "%.*s", (int)value_len, value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user_data)
{
    struct h2_call *c = call_of(user_data, id);
    (void)session, (void)flags;
    assert_non_null(c);
    assert_ok(sl_buf_append(&c->download, data, len));
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct h2_pair *p = user_data;
    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct h2_call *c = call_of(p, frame->hd.stream_id);
        if (c != NULL)
            c->header_blocks++;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        p->client_saw_goaway = true;
        p->goaway_code = frame->goaway.error_code;
        p->goaway_last_id = frame->goaway.last_stream_id;
        snprintf(p->goaway_text, sizeof p->goaway_text, "%.*s", (int)frame->goaway.opaque_data_len,
                 (const char *)frame->goaway.opaque_data);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
    struct h2_call *c = call_of(user_data, id);
    (void)session;
    if (c != NULL) {
        c->is_closed = true;
        c->close_code = code;
    }
    return 0;
}

static int open_client(struct h2_pair *p, uint32_t initial_window)
{
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, initial_window};
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_option_new(&o);
    nghttp2_option_set_peer_max_concurrent_streams(o, 1 << 20);
    nghttp2_option_set_max_outbound_ack(o, 1 << 20);
    int rv = nghttp2_session_client_new2(&p->client, c, p, o);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    if (rv == 0)
        rv = nghttp2_submit_settings(p->client, NGHTTP2_FLAG_NONE, &window, initial_window > 0);
    return rv;
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *buf, size_t max,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct h2_call *c = call_of(user_data, id);
    (void)session, (void)source;
    size_t end = c->holds_at > 0 ? c->holds_at : c->upload.len;
    size_t n = end - c->uploaded < max ? end - c->uploaded : max;
    if (n > 0)
        memcpy(buf, c->upload.data + c->uploaded, n);
    c->uploaded += n;
    if (c->uploaded == c->upload.len && !c->holds_end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

struct h2_call *h2_call_headers(struct h2_pair *p, const nghttp2_nv *nv, size_t count,
                                const void *upload, size_t len)
{
    nghttp2_data_provider source = {.read_callback = read_upload};
    assert_true(p->call_count < H2_CALLS_MAX);
    struct h2_call *c = &p->calls[p->call_count++];
    *c = (struct h2_call){.grpc_status = -1};
    sl_buf_init(&c->upload, &sl_alloc_malloc, UPLOAD_MAX);
    sl_buf_init(&c->download, &sl_alloc_malloc, UPLOAD_MAX);
    assert_ok(sl_buf_append(&c->upload, upload, len));
    c->id =
        nghttp2_submit_request(p->client, NULL, nv, count, upload != NULL ? &source : NULL, NULL);
    assert_true(c->id > 0);
    return c;
}

static const nghttp2_nv infer_headers[] = {
    H2_NV(":method", "POST"),
    H2_NV(":scheme", "http"),
    H2_NV(":path", "/inference.GRPCInferenceService/ModelInfer"),
    H2_NV(":authority", "test"),
    H2_NV("content-type", "application/grpc"),
    H2_NV("te", "trailers"),
};

struct h2_call *h2_call(struct h2_pair *p, const void *message, size_t len)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    gw_grpc_frame_prefix(false, (uint32_t)len, prefix);
    struct h2_call *c =
        h2_call_headers(p, infer_headers, SL_ARRAY_LEN(infer_headers), prefix, sizeof prefix);
    assert_ok(sl_buf_append(&c->upload, message, len));
    return c;
}

struct h2_call *h2_call_partly(struct h2_pair *p, const void *message, size_t len, size_t first)
{
    struct h2_call *c = h2_call(p, message, len);
    c->holds_at = first;
    return c;
}

void h2_call_resume(struct h2_pair *p, struct h2_call *c)
{
    c->holds_at = 0;
    c->holds_end = false;
    nghttp2_session_resume_data(p->client, c->id);
}

void h2_call_reset(struct h2_pair *p, struct h2_call *c)
{
    assert_int_equal(nghttp2_submit_rst_stream(p->client, NGHTTP2_FLAG_NONE, c->id, NGHTTP2_CANCEL),
                     0);
}

void h2_call_expect_message(const struct h2_call *c, const void *message, size_t len)
{
    uint8_t prefix[GW_GRPC_PREFIX_BYTES];
    gw_grpc_frame_prefix(false, (uint32_t)len, prefix);
    if (c->grpc_status != 0)
        fail_msg("status %d %s", c->grpc_status, c->grpc_message);
    assert_int_equal(c->http_status, 200);
    assert_int_equal(c->header_blocks, 2);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, 0);
    assert_int_equal(c->download.len, sizeof prefix + len);
    assert_memory_equal(c->download.data, prefix, sizeof prefix);
    assert_memory_equal(c->download.data + sizeof prefix, message, len);
}

void h2_call_expect_refusal(const struct h2_call *c, int grpc_status, const char *reason)
{
    if (c->grpc_status != grpc_status || strcmp(c->reason, reason) != 0)
        fail_msg("status %d %s: %s", c->grpc_status, c->reason, c->grpc_message);
    assert_int_equal(c->header_blocks, 1); /* trailers-only */
    assert_int_equal(c->download.len, 0);
    assert_true(c->is_closed);
    assert_int_equal(c->close_code, 0);
}

/* ---- wire ---- */

/* In memory of its own, so that reading past it is seen. */
static void input(struct h2_pair *p, const uint8_t *bytes, size_t len)
{
    uint8_t *own = malloc(len);
    memcpy(own, bytes, len);
    p->input_status = gw_h2_input(p->server, sl_span_of(own, len), p->now);
    free(own);
}

void h2_pair_raw(struct h2_pair *p, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    while (len > 0) {
        size_t n = p->chunk_bytes > 0 && p->chunk_bytes < len ? p->chunk_bytes : len;
        input(p, from, n);
        from += n;
        len -= n;
    }
}

size_t h2_pair_client_to_server(struct h2_pair *p)
{
    const uint8_t *bytes;
    size_t total = 0;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(p->client, &bytes)) > 0) {
        h2_pair_raw(p, bytes, (size_t)n);
        total += (size_t)n;
    }
    assert_int_equal(n, 0);
    return total;
}

static size_t take(struct h2_pair *p, const struct iovec *v)
{
    size_t n = v->iov_len < p->client_takes_max ? v->iov_len : p->client_takes_max;
    if (n > 0 && !p->client_failed)
        p->client_failed = nghttp2_session_mem_recv(p->client, v->iov_base, n) < 0;
    if (p->client_takes_max != SIZE_MAX)
        p->client_takes_max -= n;
    return n;
}

size_t h2_pair_server_to_client(struct h2_pair *p)
{
    struct iovec v[VECTORS_MAX];
    size_t total = 0, n;
    while ((n = gw_h2_output(p->server, v, VECTORS_MAX, p->now)) > 0) {
        size_t taken = 0, offered = 0;
        for (size_t i = 0; i < n; i++) {
            offered += v[i].iov_len;
            taken += take(p, &v[i]);
        }
        gw_h2_sent(p->server, taken);
        total += taken;
        if (taken < offered)
            break;
    }
    return total;
}

void h2_pair_run(struct h2_pair *p)
{
    size_t moved;
    do {
        moved = h2_pair_client_to_server(p);
        moved += p->flow.queued;
        h2_pair_run_flow(p);
        moved += h2_pair_server_to_client(p);
        moved += p->flow.queued;
        h2_pair_run_flow(p);
    } while (moved > 0);
}

void h2_pair_join(struct h2_pair *p, struct gw_h2 *server, uint32_t initial_window)
{
    memset(p, 0, sizeof *p);
    p->server = server;
    p->client_takes_max = SIZE_MAX;
    p->now = SL_NS_PER_S;
    p->calls = calloc(H2_CALLS_MAX, sizeof *p->calls);
    assert_non_null(p->calls);
    assert_int_equal(open_client(p, initial_window), 0);
}

bool h2_pair_open(struct h2_pair *p, const struct sl_alloc *alloc, uint32_t initial_window)
{
    h2_pair_join(p, NULL, initial_window);
    p->conf = (struct gw_h2_conf){
        .max_streams = 100,
        .max_message_bytes = 32 << 20,
        .header_bytes_max = 8192,
        .held_bytes_max = 16 << 20,
        .outbound_max_bytes = 64 * 1024,
        .pace = {.interval_ns = 30 * SL_NS_PER_S},
        .mirrors_encoding = true,
    };
    gw_stream_pool_init(&p->pool, alloc != NULL ? alloc : &sl_alloc_malloc, 64, NULL);
    p->port = (struct gw_h2_port){post, p, &p->pool, &p->counts};
    return gw_h2_create(&p->conf, &p->port, &peer, p, p->now, &p->server) == SL_OK;
}

/* What flow still holds is answered, so that nothing may be left over. */
void h2_pair_close(struct h2_pair *p)
{
    gw_h2_destroy(p->server);
    p->flow.mode = FLOW_ECHO;
    h2_pair_run_flow(p);
    if (p->flow.mode == FLOW_ECHO)
        assert_int_equal(p->flow.replies, p->flow.released);
    assert_int_equal(h2_flow_count(p, GW_EV_OPEN), h2_flow_count(p, GW_EV_SENT));
    assert_int_equal(p->pool.taken_count, 0);
    assert_int_equal(p->pool.held_bytes, 0);
    gw_stream_pool_finish(&p->pool);
    h2_pair_leave(p);
}

void h2_pair_leave(struct h2_pair *p)
{
    nghttp2_session_del(p->client);
    for (size_t i = 0; i < p->call_count; i++) {
        sl_buf_finish(&p->calls[i].upload);
        sl_buf_finish(&p->calls[i].download);
    }
    free(p->calls);
}
