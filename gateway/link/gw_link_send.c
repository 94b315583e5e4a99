/* gw_link_send.c - what goes down to a node: one batch for each turn, and payloads by bulk under
 * its window. */
#include <errno.h>
#include <utlist.h>

#include "gw_link_int.h"
#include "sl_log.h"

/* At least what one thing said about shared memory takes in a batch. */
enum { DONE_ROOM = 64 };

struct gw_peer *gw_link_peer_of(struct gw_link *l, uint64_t session)
{
    struct gw_peer *p;
    HASH_FIND(hh, l->peers, &session, sizeof session, p);
    return p;
}

/* ---- control */

static sl_status open_batch(struct gw_peer *p)
{
    return p->batch.len > 0 ? SL_OK : gw_link_put_session(&p->batch, p->session);
}

static sl_status send_frames(struct gw_link *l, const struct gw_identity *to, const void *data,
                             size_t len)
{
    void *socket = l->control_socket;
    l->control_is_stirred = true;
    if (zmq_send(socket, to->bytes, to->len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno == EHOSTUNREACH ? SL_ENOENT : SL_EAGAIN;
    return zmq_send(socket, data, len, ZMQ_DONTWAIT) < 0 ? SL_EAGAIN : SL_OK;
}

/* Errors: SL_ENOENT (the node's connection is gone), SL_EAGAIN (its queue is full; the batch is
 * kept). */
static sl_status send_batch(struct gw_link *l, struct gw_peer *p)
{
    if (p->batch.len == 0)
        return SL_OK;
    sl_status s = send_frames(l, &p->control, p->batch.data, p->batch.len);
    if (s == SL_OK)
        sl_buf_clear(&p->batch);
    return s;
}

void gw_link_send_welcome(struct gw_link *l, struct gw_peer *p)
{
    struct gw_welcome w = {
        .protocol = p->protocol,
        .bulk_token = sl_span_of(p->token, sizeof p->token),
        .bulk_window_bytes = l->conf.bulk_window_bytes,
        .inline_max_bytes = l->conf.inline_max_bytes,
        .heartbeat_every_ms = (uint64_t)(l->conf.heartbeat_every_ns / SL_NS_PER_MS),
        .lost_after_ms = (uint64_t)(l->conf.lost_after_ns / SL_NS_PER_MS),
        .shared_path = p->wants_shared ? l->gate.path : "",
        .run = l->run,
    };
    sl_status s = open_batch(p);
    if (s == SL_OK)
        s = gw_link_put_welcome(&p->batch, &w);
    (void)s; /* a node without its welcome says hello again */
}

static void send_refuse(struct gw_link *l, const struct gw_identity *to, uint64_t session,
                        const char *text, bool greet_again)
{
    struct sl_buf b;
    sl_buf_init(&b, l->alloc, 4096);
    if (gw_link_put_session(&b, session) == SL_OK &&
        gw_link_put_refuse(&b, text, greet_again) == SL_OK) {
        sl_status s = send_frames(l, to, b.data, b.len);
        (void)s; /* it will ask again */
    }
    sl_buf_finish(&b);
}

void gw_link_send_refuse(struct gw_link *l, const struct gw_identity *to, uint64_t session,
                         const char *text)
{
    send_refuse(l, to, session, text, false);
}

void gw_link_send_unknown(struct gw_link *l, const struct gw_identity *to, uint64_t session)
{
    send_refuse(l, to, session, "the gateway does not know this session any more", true);
}

bool gw_link_is_connected(struct gw_link *l, struct gw_peer *p)
{
    if (open_batch(p) != SL_OK || gw_link_put_heartbeat(&p->batch, ++p->heartbeats) != SL_OK)
        return true; /* it cannot be asked */
    return send_batch(l, p) != SL_ENOENT;
}

/* A dispatch that does not fit behind the others goes into a batch of its own. */
static sl_status put_dispatch(struct gw_link *l, struct gw_peer *p, const struct gw_dispatch *d,
                              const struct sl_shm_ref *shared)
{
    uint64_t inline_max = p->inline_max_bytes < l->conf.inline_max_bytes ? p->inline_max_bytes
                                                                         : l->conf.inline_max_bytes;
    sl_arena_reset(&l->arena);
    sl_status s = open_batch(p);
    if (s == SL_OK)
        s = gw_link_put_dispatch(&p->batch, d, shared, inline_max, &l->arena);
    if (s != SL_ETOOBIG)
        return s;
    s = send_batch(l, p);
    if (s != SL_OK)
        return s == SL_EAGAIN ? SL_EFULL : s;
    s = open_batch(p);
    return s == SL_OK ? gw_link_put_dispatch(&p->batch, d, shared, inline_max, &l->arena) : s;
}

static void add_part(struct gw_outgoing *o, struct gw_body *body, size_t offset, size_t length)
{
    if (length == 0)
        return;
    o->parts[o->part_count].body = gw_body_share(body);
    o->parts[o->part_count++].bytes = sl_span_of(body->data + offset, length);
    o->total_bytes += length;
}

static struct gw_outgoing *make_outgoing(const struct gw_peer *p, const struct gw_dispatch *d)
{
    struct gw_outgoing *o = sl_alloc_zero(p->alloc, 1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->lease = d->lease;
    add_part(o, d->message, d->plan->message_part.offset, d->plan->message_part.length);
    add_part(o, d->converted, 0, (size_t)d->plan->converted_bytes);
    return o;
}

static void free_outgoing(struct gw_peer *p, struct gw_outgoing *o)
{
    DL_DELETE(p->outgoing, o);
    p->unsent_bytes -= o->total_bytes - o->sent_bytes;
    for (size_t i = 0; i < o->part_count; i++)
        gw_body_release(o->parts[i].body);
    sl_alloc_free(p->alloc, o);
}

void gw_link_drop_outgoing(struct gw_peer *p, sl_slot_id lease)
{
    struct gw_outgoing *o, *next;
    DL_FOREACH_SAFE (p->outgoing, o, next) {
        if (lease == 0 || o->lease == lease)
            free_outgoing(p, o);
    }
}

/* The whole payload in one piece of memory that the node can be shown? Then it is lent. */
static bool lend(struct gw_link *l, struct gw_peer *p, const struct gw_dispatch *d,
                 struct sl_shm_ref *out)
{
    struct gw_range part = d->plan->message_part;
    struct gw_shared *s = gw_link_shared_of(l, p);
    if (s == NULL || (part.length > 0 && d->plan->converted_bytes > 0))
        return false;
    if (part.length > 0)
        return gw_shared_lend(s, d->message, part.offset, part.length, out);
    return gw_shared_lend(s, d->converted, 0, (size_t)d->plan->converted_bytes, out);
}

static sl_status dispatch_shared(struct gw_link *l, struct gw_peer *p, const struct gw_dispatch *d,
                                 const struct sl_shm_ref *shared)
{
    sl_status s = put_dispatch(l, p, d, shared);
    if (s == SL_OK)
        sl_metric_add(l->metrics.sent_shared_bytes, (int64_t)shared->length_bytes);
    else
        (void)gw_shared_returned(p->shared, shared);
    if (s == SL_ENOENT)
        p->node = NULL;
    return s;
}

sl_status gw_link_dispatch(void *ctx, const struct gw_fleet_node *node, const struct gw_dispatch *d)
{
    struct gw_link *l = ctx;
    struct gw_peer *p = gw_link_peer_of(l, node->session);
    uint64_t bytes = gw_plan_payload_bytes(d->plan);
    uint64_t inline_max = l->conf.inline_max_bytes;
    struct gw_outgoing *o = NULL;
    if (p == NULL || p->node == NULL)
        return SL_ENOENT;
    bool by_bulk = bytes > inline_max || bytes > p->inline_max_bytes;
    struct sl_shm_ref shared;
    if (by_bulk && lend(l, p, d, &shared))
        return dispatch_shared(l, p, d, &shared);
    if (by_bulk && p->unsent_bytes > 0 && p->unsent_bytes + bytes > l->conf.max_unsent_bytes)
        return SL_EFULL;
    if (by_bulk && (o = make_outgoing(p, d)) == NULL)
        return SL_ENOMEM;
    if (o != NULL) {
        DL_APPEND(p->outgoing, o);
        p->unsent_bytes += o->total_bytes;
    }
    sl_status s = put_dispatch(l, p, d, NULL);
    if (s != SL_OK && o != NULL)
        free_outgoing(p, o);
    if (s == SL_ENOENT)
        p->node = NULL;
    return s;
}

typedef sl_status (*put_fn)(struct sl_buf *out, sl_slot_id lease);

static void say_of_lease(struct gw_link *l, struct gw_peer *p, put_fn put, sl_slot_id lease)
{
    sl_status s = open_batch(p);
    if (s == SL_OK)
        s = put(&p->batch, lease);
    if (s == SL_ETOOBIG && send_batch(l, p) == SL_OK && open_batch(p) == SL_OK)
        s = put(&p->batch, lease);
    if (s != SL_OK) /* nothing that was to be said is left unsaid */
        p->broken = "it does not take in what it is told";
}

void gw_link_cancel(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease)
{
    struct gw_link *l = ctx;
    struct gw_peer *p = gw_link_peer_of(l, node->session);
    if (p == NULL || p->node == NULL)
        return;
    gw_link_drop_outgoing(p, lease);
    say_of_lease(l, p, gw_link_put_cancel, lease);
}

/* Its payload goes on until the node has given the call back: an older one will not. */
void gw_link_call_back(void *ctx, const struct gw_fleet_node *node, sl_slot_id lease)
{
    struct gw_link *l = ctx;
    struct gw_peer *p = gw_link_peer_of(l, node->session);
    if (p != NULL && p->node != NULL)
        say_of_lease(l, p, gw_link_put_call_back, lease);
}

/* A node forgets a lease when it is told this: by then the log has it, should this process end now. */
static sl_status put_acks(struct gw_peer *p)
{
    sl_log_flush();
    sl_status s = open_batch(p);
    if (s == SL_OK)
        s = gw_link_put_acknowledged(&p->batch, p->acks, p->ack_count);
    if (s == SL_OK)
        p->ack_count = 0;
    return s;
}

/* Said with what goes anyway, at the latest with the next heartbeat, and by itself when many wait. */
void gw_link_acknowledge(void *ctx, const struct gw_fleet_node *node, uint64_t record)
{
    struct gw_link *l = ctx;
    struct gw_peer *p = gw_link_peer_of(l, node->session);
    if (p == NULL || p->node == NULL || p->protocol < 2)
        return;
    if (p->ack_count == GW_LINK_ACKS_MAX && put_acks(p) == SL_ETOOBIG &&
        send_batch(l, p) == SL_OK) {
        sl_status s = put_acks(p);
        (void)s; /* seen below */
    }
    if (p->ack_count == GW_LINK_ACKS_MAX)
        p->broken = "it does not take in what it is told";
    else
        p->acks[p->ack_count++] = record;
}

/* ---- bulk */

static void release_body(void *data, void *hint)
{
    (void)data;
    gw_body_release(hint);
}

static uint64_t window_left(const struct gw_peer *p)
{
    uint64_t ahead = p->bulk_sent_bytes - p->bulk_acked_bytes;
    return ahead >= p->window_bytes ? 0 : p->window_bytes - ahead;
}

/* The next bytes of a payload: of one part, at most a chunk, at most the window. */
static struct sl_span next_chunk(const struct gw_outgoing *o, uint64_t window,
                                 struct gw_body **out_body)
{
    uint64_t skip = o->sent_bytes;
    size_t i = 0;
    while (skip >= o->parts[i].bytes.len)
        skip -= o->parts[i++].bytes.len;
    uint64_t len = o->parts[i].bytes.len - skip;
    if (len > GW_LINK_CHUNK_MAX)
        len = GW_LINK_CHUNK_MAX;
    if (len > window)
        len = window;
    *out_body = o->parts[i].body;
    return sl_span_of(o->parts[i].bytes.data + skip, (size_t)len);
}

static sl_status send_chunk(struct gw_link *l, struct gw_peer *p, struct gw_outgoing *o)
{
    struct gw_body *body;
    struct sl_span chunk = next_chunk(o, window_left(p), &body);
    struct gw_bulk_header h = {.session = p->session,
                               .lease = o->lease,
                               .offset_bytes = o->sent_bytes,
                               .total_bytes = o->total_bytes};
    uint8_t header[GW_BULK_HEADER_MAX];
    size_t header_len = gw_link_write_bulk(&h, header);
    zmq_msg_t m; /* made first: a message that was begun must be ended */
    l->bulk_is_stirred = true;
    if (zmq_msg_init_data(&m, (void *)(uintptr_t)chunk.data, chunk.len, release_body,
                          gw_body_share(body)) != 0) {
        gw_body_release(body);
        return SL_ENOMEM;
    }
    if (zmq_send(l->bulk_socket, p->bulk.bytes, p->bulk.len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
        sl_status s = errno == EHOSTUNREACH ? SL_ENOENT : SL_EAGAIN;
        zmq_msg_close(&m);
        return s;
    }
    if (zmq_send(l->bulk_socket, header, header_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_msg_send(&m, l->bulk_socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&m);
        return SL_EAGAIN;
    }
    o->sent_bytes += chunk.len;
    p->unsent_bytes -= chunk.len;
    p->bulk_sent_bytes += chunk.len;
    sl_metric_add(l->metrics.sent_bulk_bytes, (int64_t)chunk.len);
    return SL_OK;
}

static sl_status send_bulk(struct gw_link *l, struct gw_peer *p)
{
    while (p->outgoing != NULL && p->bulk.len > 0 && window_left(p) > 0) {
        struct gw_outgoing *o = p->outgoing;
        sl_status s = send_chunk(l, p, o);
        if (s != SL_OK)
            return s;
        if (o->sent_bytes == o->total_bytes)
            free_outgoing(p, o);
    }
    return SL_OK;
}

static void acknowledge_bulk(struct gw_peer *p)
{
    if (p->bulk_taken_bytes == p->bulk_told_bytes)
        return;
    if (open_batch(p) == SL_OK && gw_link_put_taken(&p->batch, p->bulk_taken_bytes) == SL_OK)
        p->bulk_told_bytes = p->bulk_taken_bytes;
}

/* Results that have left: the node may use their memory again. What the batch has no room for is said by
 * the next one. */
static void return_shared(struct gw_peer *p)
{
    struct sl_shm_ref use;
    while (p->shared != NULL && open_batch(p) == SL_OK &&
           p->batch.len < GW_LINK_BATCH_MAX - DONE_ROOM && gw_shared_next_done(p->shared, &use)) {
        sl_status s = gw_link_put_shared_done(&p->batch, &use);
        (void)s; /* without memory even for this the node keeps one block less */
    }
}

bool gw_link_flush_peer(struct gw_link *l, struct gw_peer *p)
{
    acknowledge_bulk(p);
    if (p->shared != NULL && gw_shared_has_done(p->shared))
        return_shared(p);
    if (p->ack_count > 0 && p->batch.len > 0 && put_acks(p) == SL_ENOMEM)
        p->broken = "there is no memory for what it is told";
    sl_status s = send_batch(l, p);
    if (s == SL_OK)
        s = send_bulk(l, p);
    return s != SL_ENOENT;
}
