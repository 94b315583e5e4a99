/* ex_link_down.c - what the gateway says: calls, cancels and acknowledgements on the control connection, payloads on
 * the other one or in shared memory. */
#include <zmq.h>

#include "ex_link_int.h"
#include "sl_log.h"

enum { COPY_TURN_BYTES = 2 << 20 /* of what the gateway shares */ };

static const char no_room[] = "there is no memory for what the gateway says";

static const int64_t early_patience_ns = 5 * SL_NS_PER_S;
static const int64_t log_pause_ns = 10 * SL_NS_PER_S;

static void count_dropped(struct ex_link *l, const char *what, sl_mono_ns now)
{
    l->stats.dropped++;
    if (now < l->log_at)
        return;
    l->log_at = sl_sat_add(now, log_pause_ns);
    sl_log(SL_LOG_WARN, "message of the gateway dropped", SL_S("why", what),
           SL_U("dropped", l->stats.dropped));
}

/* ---- payloads on the bulk connection */

static sl_status hand_over(struct ex_link *l, const struct ex_bulk_header *h, zmq_msg_t *bytes)
{
    return l->events.bulk(l->events.ctx, h->lease, h->offset_bytes, h->total_bytes,
                          sl_span_of(zmq_msg_data(bytes), zmq_msg_size(bytes)));
}

static void take_bulk(struct ex_link *l, size_t len)
{
    l->taken_bytes += len;
    l->stats.bulk_bytes_down += len;
}

/* Pieces that came before the call. */
static void deliver_early(struct ex_link *l, uint64_t lease, sl_mono_ns now)
{
    struct ex_bulk_piece *p;
    while (l->early.count > 0 && (p = ex_bulk_early_take(&l->early, lease, now)) != NULL) {
        if (hand_over(l, &p->header, &p->bytes) != SL_OK)
            count_dropped(l, "a payload's piece that does not fit its call", now);
        take_bulk(l, zmq_msg_size(&p->bytes));
        ex_bulk_piece_free(p);
    }
}

void ex_link_down_drop_stale(struct ex_link *l, sl_mono_ns now)
{
    struct ex_bulk_piece *p;
    while (l->early.count > 0 && (p = ex_bulk_early_take(&l->early, 0, now)) != NULL) {
        count_dropped(l, "a payload's piece without a call", now);
        take_bulk(l, zmq_msg_size(&p->bytes));
        ex_bulk_piece_free(p);
    }
}

static bool has_ended(const struct ex_link *l, uint64_t lease)
{
    for (size_t i = 0; i < EX_LINK_ENDED_COUNT; i++) {
        if (l->ended[i] == lease)
            return true;
    }
    return false;
}

static void on_piece(struct ex_link *l, const struct ex_bulk_header *h, zmq_msg_t *bytes,
                     sl_mono_ns now)
{
    const size_t len = zmq_msg_size(bytes);
    const sl_status st = hand_over(l, h, bytes);
    if (st == SL_ENOENT && !has_ended(l, h->lease) &&
        ex_bulk_early_keep(&l->early, h, bytes, sl_sat_add(now, early_patience_ns)))
        return; /* not taken yet: the window bounds what waits */
    if (st == SL_EPROTO)
        count_dropped(l, "a payload's piece that does not fit its call", now);
    take_bulk(l, len);
}

static void on_bulk(struct ex_link *l, zmq_msg_t *header, zmq_msg_t *bytes, sl_mono_ns now)
{
    struct ex_bulk_header h;
    sl_arena_reset(&l->arena);
    const struct sl_span head = sl_span_of(zmq_msg_data(header), zmq_msg_size(header));
    const sl_status st = ex_link_read_bulk(head, &l->arena, &h);
    if (st == SL_ENOMEM)
        l->broken = no_room;
    else if (st != SL_OK)
        count_dropped(l, "no valid bulk header", now);
    else if (h.session != l->session || l->state != EX_LINK_UP)
        count_dropped(l, "bulk for another session", now);
    else if (zmq_msg_size(bytes) > EX_BULK_CHUNK_MAX)
        count_dropped(l, "a chunk of more than 1 MiB", now);
    else
        on_piece(l, &h, bytes, now);
}

/* ---- payloads in shared memory */

/* One request's next bytes, as many as the turn has left; what was refused or cancelled meanwhile has been
 * answered. */
static void copy_request(struct ex_link *l, struct ex_link_request *r)
{
    const size_t offset = r->done_bytes;
    const struct sl_span piece = ex_link_shared_step(r, l->copy_left_bytes);
    const sl_status st = l->events.bulk(l->events.ctx, r->lease, offset, r->bytes.len, piece);
    l->copy_left_bytes -= piece.len;
    if (st == SL_OK)
        l->stats.shared_bytes_down += piece.len;
    if (st == SL_OK && r->done_bytes < r->bytes.len)
        return;
    ex_link_up_shared_done(l, &r->use);
    ex_link_shared_end(&l->shared, r);
}

/* A call whose payload lies in the gateway's memory: it is copied into memory of the call's own, what is large in
 * several turns. */
static void on_shared_call(struct ex_link *l, const struct ex_call *call, sl_mono_ns now)
{
    const sl_status st = ex_link_shared_begin(&l->shared, call->lease, &call->shared);
    if (st == SL_OK) {
        l->events.call(l->events.ctx, call);
        if (l->copy_left_bytes > 0)
            copy_request(l, l->shared.requests->prev);
        return;
    }
    count_dropped(l, "a call whose shared memory cannot be read", now);
    ex_link_up_returned(l, call->lease, SL_REASON_NO_CAPACITY, "its payload cannot be read");
    ex_link_up_shared_done(l, &call->shared);
}

/* A large one lets the others pass first. */
void ex_link_down_copy(struct ex_link *l)
{
    l->copy_left_bytes = COPY_TURN_BYTES;
    while (l->shared.requests && l->copy_left_bytes > 0) {
        struct ex_link_request *r = l->shared.requests;
        ex_link_shared_to_end(&l->shared, r);
        copy_request(l, r);
    }
}

/* ---- a batch */

static void on_call(struct ex_link *l, struct ex_call *call, sl_mono_ns now)
{
    call->gateway_run = l->welcome.run;
    if (call->shared.number != 0) {
        on_shared_call(l, call, now);
        return;
    }
    l->events.call(l->events.ctx, call);
    deliver_early(l, call->lease, now);
}

/* What is accounted for makes room for other leases. */
static void forget(struct ex_link *l, const struct ex_gateway_batch *b, sl_mono_ns now)
{
    for (size_t i = 0; i < b->acknowledged_count; i++) {
        if (!l->conf.journal || !ex_journal_acknowledge(l->conf.journal, b->acknowledged[i]))
            count_dropped(l, "an acknowledgement of what does not wait", now);
    }
}

static void take_back(struct ex_link *l, const struct ex_gateway_batch *b, sl_mono_ns now)
{
    for (size_t i = 0; i < b->shared_done_count; i++) {
        if (!ex_link_shared_done(&l->shared, &b->shared_done[i]))
            count_dropped(l, "memory given back that was not lent", now);
    }
}

static void on_batch(struct ex_link *l, const struct ex_gateway_batch *b, sl_mono_ns now)
{
    l->heard_ns = l->patience.waited_ns;
    ex_bulk_out_ack(&l->out, b->bulk_taken_bytes);
    if (b->has_welcome)
        ex_link_session_welcome(l, &b->welcome, now);
    take_back(l, b, now);
    forget(l, b, now);
    for (size_t i = 0; l->state == EX_LINK_UP && i < b->call_count; i++)
        on_call(l, &b->calls[i], now);
    for (size_t i = 0; l->state == EX_LINK_UP && i < b->cancel_count; i++)
        l->events.cancel(l->events.ctx, b->cancels[i]);
    for (size_t i = 0; l->state == EX_LINK_UP && i < b->called_back_count; i++)
        l->events.call_back(l->events.ctx, b->called_back[i]);
    if (b->refusal && b->greet_again)
        ex_link_session_lose(l, b->refusal, now);
    else if (b->refusal)
        ex_link_session_refuse(l, b->refusal, now);
}

static void on_control(struct ex_link *l, zmq_msg_t *m, sl_mono_ns now)
{
    struct ex_gateway_batch batch;
    l->stats.messages_down++;
    sl_arena_reset(&l->arena);
    if (zmq_msg_more(m)) {
        count_dropped(l, "a control message of several frames", now);
        return;
    }
    const struct sl_span bytes = sl_span_of(zmq_msg_data(m), zmq_msg_size(m));
    const sl_status st = ex_link_read_batch(bytes, &l->arena, &batch);
    if (st == SL_ENOMEM)
        l->broken = no_room;
    else if (st != SL_OK)
        count_dropped(l, "no valid batch", now);
    else if (batch.session != l->session)
        count_dropped(l, "a batch for another session", now);
    else
        on_batch(l, &batch, now);
}

/* ---- messages */

bool ex_link_down_control(struct ex_link *l, sl_mono_ns now)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    const bool got = l->control.zmq && zmq_msg_recv(&m, l->control.zmq, ZMQ_DONTWAIT) >= 0;
    if (got)
        on_control(l, &m, now);
    zmq_msg_close(&m);
    return got;
}

/* All frames of a message are there with the first one; those behind the second are read away. */
static size_t receive_frames(void *socket, zmq_msg_t frames[2])
{
    size_t count = 0;
    zmq_msg_t m;
    bool more = true;
    while (more) {
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return count;
        }
        more = zmq_msg_more(&m) != 0;
        if (count < 2)
            zmq_msg_move(&frames[count], &m);
        zmq_msg_close(&m);
        count++;
    }
    return count;
}

bool ex_link_down_bulk(struct ex_link *l, sl_mono_ns now)
{
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    const size_t count = l->bulk.zmq ? receive_frames(l->bulk.zmq, frames) : 0;
    if (count == 2)
        on_bulk(l, &frames[0], &frames[1], now);
    else if (count > 0)
        count_dropped(l, "bulk that is not a header and a chunk", now);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    return count > 0;
}
