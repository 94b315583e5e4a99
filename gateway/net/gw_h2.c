/* gw_h2.c - the connection: its session, its bytes, its end. */
#include "gw_h2.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "gw_h2_int.h"
#include "sl_text.h"

/* Bounds that nghttp2 keeps for us. */
enum {
    RESETS_BURST = 1000, /* by the peer ("Rapid Reset") */
    RESETS_PER_S = 100,
    CONTINUATIONS_MAX = 8,
    SETTINGS_MAX = 32,
    UNSENT_ACKS_MAX = 1000,
};

/* Room for one frame beyond the bound at which frames are no longer made. */
enum { GATHERED_SLACK_BYTES = 64 * 1024 };

/* ---- making a session ---- */

static int create_session(struct gw_h2 *h, nghttp2_session_callbacks *c, nghttp2_option *o)
{
    nghttp2_mem mem = gw_h2_mem_functions(&h->mem);
    gw_h2_set_request_callbacks(c);
    gw_h2_set_reply_callbacks(c);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, RESETS_BURST, RESETS_PER_S);
    nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
    nghttp2_option_set_max_settings(o, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(o, UNSENT_ACKS_MAX);
    return nghttp2_session_server_new3(&h->session, c, h, o, &mem);
}

static int submit_settings(struct gw_h2 *h)
{
    const nghttp2_settings_entry s[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->conf.max_streams},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, GW_H2_FRAME_BYTES_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h->conf.header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int rv = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, s, SL_ARRAY_LEN(s));
    if (rv != 0)
        return rv;
    return nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                 GW_H2_CONNECTION_WINDOW_BYTES);
}

static int open_session(struct gw_h2 *h)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rv = nghttp2_session_callbacks_new(&callbacks);
    if (rv == 0)
        rv = nghttp2_option_new(&option);
    if (rv == 0)
        rv = create_session(h, callbacks, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rv != 0 ? rv : submit_settings(h);
}

/* Written by hand, since nghttp2 may be in no state to do it. */
static void append_goaway(struct gw_h2 *h)
{
    enum { HEAD_BYTES = 9, FIXED_BYTES = 8, TEXT_MAX = 120, GOAWAY_TYPE = 7 };
    size_t text_len = strnlen(h->last_words, TEXT_MAX);
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(h->session);
    uint8_t f[HEAD_BYTES + FIXED_BYTES + TEXT_MAX] = {0, 0, (uint8_t)(FIXED_BYTES + text_len),
                                                      GOAWAY_TYPE};
    for (int i = 0; i < 4; i++) {
        f[HEAD_BYTES + i] = (uint8_t)(last >> (24 - 8 * i));
        f[HEAD_BYTES + 4 + i] = (uint8_t)(h->last_code >> (24 - 8 * i));
    }
    memcpy(f + HEAD_BYTES + FIXED_BYTES, h->last_words, text_len);
    /* Without memory the connection just ends. */
    (void)!gw_h2_out_copy(&h->out, f, HEAD_BYTES + FIXED_BYTES + text_len);
    h->last_words = NULL;
}

/* Is it dead? Of what nghttp2 lacked memory for, this is the first to speak. */
static bool is_lost(struct gw_h2 *h)
{
    if (h->mem.is_starved)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
    return h->is_dead;
}

static void make_frames(struct gw_h2 *h)
{
    while (!is_lost(h) && gw_h2_has_room(h)) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(h->session, &frame);
        if (len == 0)
            break;
        if (len < 0 || gw_h2_out_copy(&h->out, frame, (size_t)len) != SL_OK)
            gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory for output");
    }
    if (is_lost(h) && h->last_words != NULL)
        append_goaway(h);
}

sl_status gw_h2_create(const struct gw_h2_conf *conf, const struct gw_h2_port *port,
                       const struct gw_h2_peer *peer, void *user, sl_mono_ns now,
                       struct gw_h2 **out)
{
    const struct sl_alloc *alloc = port->pool->alloc;
    struct gw_h2 *h = sl_alloc_zero(alloc, 1, sizeof *h);
    if (h == NULL)
        return SL_ENOMEM;
    h->conf = *conf;
    h->port = port;
    h->peer = peer;
    h->number = port->pool->next_connection++;
    h->user = user;
    h->now = h->idle_since = now;
    h->block_began_at = SL_MONO_NEVER;
    gw_h2_mem_init(&h->mem, alloc);
    gw_h2_guard_init(&h->guard, now);
    gw_h2_out_init(&h->out, alloc, conf->outbound_max_bytes + GATHERED_SLACK_BYTES);
    if (open_session(h) != 0) {
        gw_h2_destroy(h);
        return SL_ENOMEM;
    }
    make_frames(h); /* SETTINGS go first, whatever comes */
    *out = h;
    return SL_OK;
}

void *gw_h2_user(const struct gw_h2 *h)
{
    return h->user;
}

/* ---- the end of streams ---- */

void gw_h2_depart(struct gw_stream *s, const struct gw_h2_port *port)
{
    gw_stream_release_reply(port->pool, s);
    s->h2 = NULL;
    if (s->is_opened)
        port->post(port->ctx, &s->x, GW_EV_SENT);
    else
        gw_stream_give(port->pool, s);
}

static void let_depart(struct gw_h2 *h)
{
    while (h->leaving != NULL && h->leaving->leaves_at <= h->out.out_bytes) {
        struct gw_stream *s = h->leaving;
        DL_DELETE(h->leaving, s);
        gw_h2_depart(s, h->port);
    }
}

void gw_h2_post_gone(struct gw_h2 *h, struct gw_stream *s)
{
    if (s->is_opened && !s->is_replied && !s->is_gone) {
        s->is_gone = true;
        h->port->post(h->port->ctx, &s->x, GW_EV_GONE);
    }
}

void gw_h2_close_stream(struct gw_h2 *h, struct gw_stream *s)
{
    DL_DELETE(h->live, s);
    gw_stream_drop_body(h->port->pool, s);
    s->is_closed = true;
    if (h->in_headers == s)
        h->in_headers = NULL;
    if (s->is_opened && !s->is_replied) {
        gw_h2_post_gone(h, s);
        DL_APPEND(h->orphans, s);
        return;
    }
    gw_h2_close_one(h);
    s->leaves_at = h->out.in_bytes;
    DL_APPEND(h->leaving, s);
    let_depart(h);
}

/* By the end of the connection; flow is told that, unless it was told of another end before. */
static void lose_stream(struct gw_h2 *h, struct gw_stream *s)
{
    if (!s->is_gone)
        s->x.is_disconnect = true;
    gw_h2_close_stream(h, s);
}

void gw_h2_destroy(struct gw_h2 *h)
{
    if (h == NULL)
        return;
    struct gw_stream *s, *next;
    while (h->live != NULL)
        lose_stream(h, h->live);
    DL_FOREACH_SAFE (h->leaving, s, next) {
        DL_DELETE(h->leaving, s);
        gw_h2_depart(s, h->port);
    }
    DL_FOREACH_SAFE (h->orphans, s, next) {
        DL_DELETE(h->orphans, s);
        s->h2 = NULL;
    }
    if (!h->mem.is_starved)
        nghttp2_session_del(h->session);
    gw_h2_mem_finish(&h->mem);
    gw_h2_out_finish(&h->out);
    sl_alloc_free(h->port->pool->alloc, h);
}

/* ---- bytes ---- */

void gw_h2_note_fault(struct gw_h2 *h, struct sl_span text)
{
    h->port->counts->protocol_errors += !h->is_counted;
    h->is_counted = true;
    snprintf(h->fault, sizeof h->fault, "%.*s", (int)text.len, (const char *)text.data);
}

const char *gw_h2_fault(const struct gw_h2 *h)
{
    return h->fault;
}

int gw_h2_kill(struct gw_h2 *h, uint32_t code, const char *text)
{
    if (!h->is_dead) {
        h->is_dead = true;
        gw_h2_note_fault(h, sl_span_str(text));
        h->last_code = code;
        h->last_words = text;
    }
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void kill_for(struct gw_h2 *h, int rv)
{
    if (rv == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        gw_h2_kill(h, NGHTTP2_PROTOCOL_ERROR, "this port speaks HTTP/2 with prior knowledge");
    else if (rv == NGHTTP2_ERR_FLOODED)
        gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames to answer");
    else
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror(rv));
}

static void close_all(struct gw_h2 *h)
{
    while (h->live != NULL)
        lose_stream(h, h->live);
}

sl_status gw_h2_input(struct gw_h2 *h, struct sl_span bytes, sl_mono_ns now)
{
    h->now = now;
    if (!is_lost(h)) {
        ssize_t rv = nghttp2_session_mem_recv(h->session, bytes.data, bytes.len);
        if (rv < 0)
            kill_for(h, (int)rv);
        else if (h->ends_after_input)
            gw_h2_begin_end(h);
    }
    if (!is_lost(h))
        return SL_OK;
    close_all(h);
    return SL_EPROTO;
}

bool gw_h2_wants_input(const struct gw_h2 *h)
{
    return gw_h2_out_pending(&h->out) < h->conf.outbound_max_bytes;
}

bool gw_h2_is_over(const struct gw_h2 *h)
{
    return gw_h2_is_dead(h) || (nghttp2_session_want_read(h->session) == 0 &&
                                nghttp2_session_want_write(h->session) == 0);
}

size_t gw_h2_output(struct gw_h2 *h, struct iovec *out, size_t max, sl_mono_ns now)
{
    h->now = now;
    make_frames(h);
    if (gw_h2_is_over(h)) /* also when nghttp2 has ended it: flow should not learn it later */
        close_all(h);
    return gw_h2_pending(h, out, max);
}

size_t gw_h2_pending(const struct gw_h2 *h, struct iovec *out, size_t max)
{
    return gw_h2_out_view(&h->out, out, max);
}

void gw_h2_sent(struct gw_h2 *h, size_t bytes)
{
    gw_h2_out_consume(&h->out, bytes);
    let_depart(h);
}

/* ---- drain and time ---- */

static const uint8_t end_ping[8] = "the end";

void gw_h2_announce_end(struct gw_h2 *h)
{
    if (!gw_h2_is_dead(h) && (nghttp2_submit_shutdown_notice(h->session) != 0 ||
                              nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, end_ping) != 0))
        gw_h2_kill(h, NGHTTP2_NO_ERROR, "shutting down");
}

void gw_h2_on_pong(struct gw_h2 *h, const uint8_t opaque[8])
{
    if (memcmp(opaque, end_ping, sizeof end_ping) == 0)
        h->ends_after_input = true;
}

void gw_h2_begin_end(struct gw_h2 *h)
{
    if (gw_h2_is_dead(h) || h->is_ending)
        return;
    h->is_ending = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    if (nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) != 0)
        gw_h2_kill(h, NGHTTP2_NO_ERROR, "shutting down");
}

void gw_h2_ping(struct gw_h2 *h)
{
    if (!gw_h2_is_dead(h) && nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
}

static bool awaits_body(const struct gw_stream *s)
{
    return !s->is_complete && !s->is_announced && !s->is_refused && !s->is_replied;
}

/* The last message of a reply that was begun before may wait for the peer's window, and is not asked for. */
static bool is_to_be_taken(const struct gw_stream *s)
{
    return s->left_bytes > 0 || (s->is_replied && !s->is_last && s->is_begun);
}

static void refuse_pace(struct gw_h2 *h, struct gw_stream *s, enum gw_pace_verdict verdict)
{
    const struct gw_pace_rule *rule = &h->conf.pace;
    struct sl_error e;
    char interval[32];
    sl_text_format_duration(rule->interval_ns, interval);
    if (verdict == GW_PACE_STILL)
        sl_error_set(&e, SL_REASON_DEADLINE_EXCEEDED,
                     "The request's message stood still for %lld s; the limit is %s.",
                     (long long)((h->now - s->pace.moved_at) / SL_NS_PER_S), interval);
    else
        sl_error_set(&e, SL_REASON_DEADLINE_EXCEEDED,
                     "The request's message came too slowly: at least %" PRIu64
                     " bytes in %s are expected.",
                     rule->least_bytes, interval);
    gw_h2_refuse_error(h, s, &e);
}

static bool tick_stream(struct gw_h2 *h, struct gw_stream *s)
{
    bool is_in = awaits_body(s), is_out = !is_in && is_to_be_taken(s);
    enum gw_pace_verdict verdict = GW_PACE_FINE;
    if (is_in || is_out)
        verdict = gw_pace_judge(&s->pace, &h->conf.pace, h->now);
    if (verdict == GW_PACE_FINE)
        return false;
    if (verdict == GW_PACE_STILL)
        h->port->counts->stalled_requests++;
    else
        h->port->counts->slow_requests++;
    if (is_in) {
        refuse_pace(h, s, verdict);
        return true;
    }
    gw_pace_begin(&s->pace, h->now); /* once is enough */
    if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL) != 0)
        gw_h2_kill(h, NGHTTP2_INTERNAL_ERROR, "no memory");
    return true;
}

bool gw_h2_tick(struct gw_h2 *h, sl_mono_ns now)
{
    struct gw_stream *s, *next;
    bool has_output = false;
    h->now = now;
    if (gw_h2_is_dead(h))
        return false;
    if (h->block_began_at != SL_MONO_NEVER && now - h->block_began_at > h->conf.pace.interval_ns) {
        gw_h2_kill(h, NGHTTP2_ENHANCE_YOUR_CALM, "a header block stood still");
        close_all(h);
        return true;
    }
    DL_FOREACH_SAFE (h->live, s, next)
        has_output |= !gw_h2_is_dead(h) && tick_stream(h, s);
    return has_output;
}

bool gw_h2_is_ready(const struct gw_h2 *h)
{
    return h->is_ready;
}

bool gw_h2_is_idle(const struct gw_h2 *h)
{
    return h->open_count == 0;
}

sl_mono_ns gw_h2_idle_since(const struct gw_h2 *h)
{
    return h->idle_since;
}
