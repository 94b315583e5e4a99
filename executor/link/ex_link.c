/* ex_link.c - a session's life with the gateway, and the batches that go up. */
#include "ex_link.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include <zmq.h>

#include "ex_link_bulk.h"
#include "ex_link_shared.h"
#include "ex_link_socket.h"
#include "ex_starts.h"
#include "sl_log.h"
#include "sl_patience.h"

enum state { DOWN, GREETING, UP };

/* Sockets as tags of events, and as bits. */
enum { CONTROL = 1, BULK = 2 };

/* ZeroMQ's I/O threads, as bits of an affinity: what is said on the control connection never waits while the
 * other encrypts and moves tensors. */
enum { CONTROL_IO = 1, BULK_IO = 2, IO_THREADS = 2 };

enum {
    MESSAGE_SLACK = 4096,
    ARENA_FIRST_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 16 << 20,
    CONTROL_HIGH_WATER = 4096,
    BULK_HIGH_WATER = 256,
    RECEIVE_MAX = 256,         /* messages of a turn */
    RECEIVE_BULK_MAX = 2,      /* of up to 1 MiB each, which are copied while others wait */
    COPY_TURN_BYTES = 2 << 20, /* of what the gateway shares */
    INLINE_MAX = EX_LINK_MESSAGE_MAX / 2,
    ENDED_COUNT = 256,
    EARLY_CUTS_MAX = 3, /* so many in a row: it is no accident */
};

static const char no_room[] = "there is no memory for what the gateway says";

static const int64_t answer_patience_ns = 5 * SL_NS_PER_S;
static const int64_t refused_pause_ns = SL_NS_PER_S;
static const int64_t refusal_log_pause_ns = 30 * SL_NS_PER_S;
static const int64_t reopen_pause_ns = 100 * SL_NS_PER_MS;
static const int64_t early_patience_ns = 5 * SL_NS_PER_S;
static const int64_t log_pause_ns = 10 * SL_NS_PER_S;
static const int64_t start_patience_ns = 1 * SL_NS_PER_MS;
static const uint64_t ack_step_bytes = 4 << 20;

struct ex_link {
    const struct sl_alloc *alloc;
    struct ex_link_conf conf;
    struct ex_link_events events;
    void *context;
    int epoll;
    struct ex_link_socket control;
    struct ex_link_socket bulk;
    unsigned touched;        /* sockets that were used since their events were last read */
    unsigned readable;       /* those that had something then */
    struct sl_arena arena;   /* of one message */
    struct sl_buf batch;     /* NodeBatch under construction; empty: nothing to say */
    struct ex_starts starts; /* not in a batch yet */
    struct sl_buf gathered;  /* payload of a result with several outputs */
    struct ex_link_stats stats;
    sl_mono_ns log_at; /* when the next broken message may be logged */
    sl_mono_ns refusal_log_at;
    bool is_draining;
    bool has_complained; /* that nobody answers; once until somebody does */
    unsigned early_cuts; /* in a row */
    const char *broken;  /* why the session must end; NULL: it need not */

    enum state state;
    uint64_t session;
    sl_mono_ns opened_at;
    sl_mono_ns wake_at;          /* DOWN: try again; GREETING: no answer; UP: next heartbeat */
    struct sl_patience patience; /* UP */
    int64_t heard_ns;            /* patience.waited_ns when the gateway was last heard */
    bool batch_is_news;          /* it has what the gateway should not miss */
    sl_mono_ns news_at;          /* when such a batch was last sent */
    sl_mono_ns flush_at;         /* the last one */
    struct ex_welcome welcome;
    uint64_t heartbeat_count;
    struct ex_bulk_out out;
    struct ex_bulk_early early;
    struct ex_link_shared shared;
    size_t copy_left_bytes; /* of this turn */
    uint64_t taken_bytes;
    uint64_t told_bytes;         /* of taken_bytes, the gateway knows */
    uint64_t ended[ENDED_COUNT]; /* leases that ended unstarted: late pieces are dropped */
    size_t ended_next;
};

/* ---- making and ending */

static bool make_parts(struct ex_link *l)
{
    sl_arena_init(&l->arena, l->alloc, ARENA_MAX_BYTES);
    sl_buf_init(&l->batch, l->alloc, EX_LINK_MESSAGE_MAX);
    sl_buf_init(&l->gathered, l->alloc, INLINE_MAX);
    ex_starts_init(&l->starts);
    l->out.alloc = l->early.alloc = l->alloc;
    l->control = l->bulk = (struct ex_link_socket){.fd = -1, .monitor_fd = -1};
    l->context = zmq_ctx_new();
    if (l->context)
        zmq_ctx_set(l->context, ZMQ_IO_THREADS, IO_THREADS);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    return l->context && l->epoll >= 0;
}

sl_status ex_link_create(const struct sl_alloc *alloc, const struct ex_link_conf *conf,
                         const struct ex_link_events *events, struct ex_link **out)
{
    struct ex_link *l = sl_alloc_zero(alloc, 1, sizeof(*l));
    if (!l)
        return SL_ENOMEM;
    l->alloc = alloc;
    l->conf = *conf;
    l->events = *events;
    l->wake_at = SL_MONO_NEVER;
    ex_link_shared_init(&l->shared, alloc, conf->results);
    if (!make_parts(l)) {
        ex_link_destroy(l, 0);
        return SL_ENOMEM;
    }
    *out = l;
    return SL_OK;
}

static void close_session(struct ex_link *l, int linger_ms)
{
    ex_link_socket_close(&l->control, linger_ms);
    ex_link_socket_close(&l->bulk, linger_ms);
    ex_bulk_out_clear(&l->out);
    ex_link_shared_close(&l->shared);
    ex_bulk_early_clear(&l->early);
    sl_buf_clear(&l->batch);
    ex_starts_init(&l->starts);
    l->batch_is_news = false;
    l->news_at = 0;
    l->taken_bytes = l->told_bytes = 0;
    l->heartbeat_count = 0;
    l->broken = NULL;
}

/* What was sent longer ago has left, or nobody takes it. */
static bool has_fresh_news(const struct ex_link *l, int linger_ms)
{
    return l->state == UP && l->news_at > 0 && l->flush_at - l->news_at < linger_ms * SL_NS_PER_MS;
}

void ex_link_destroy(struct ex_link *l, int linger_ms)
{
    if (!l)
        return;
    close_session(l, has_fresh_news(l, linger_ms) ? linger_ms : 0);
    if (l->context)
        zmq_ctx_term(l->context);
    if (l->epoll >= 0)
        close(l->epoll);
    sl_buf_finish(&l->gathered);
    sl_buf_finish(&l->batch);
    sl_arena_finish(&l->arena);
    sl_alloc_free(l->alloc, l);
}

/* ---- the batch */

static bool open_batch(struct ex_link *l)
{
    if (l->batch.len > 0)
        return true;
    sl_status st = ex_link_put_session(&l->batch, l->session);
    if (st == SL_OK && l->is_draining)
        st = ex_link_put_draining(&l->batch);
    if (st != SL_OK)
        l->broken = "there is no memory for messages";
    return st == SL_OK;
}

static void send_batch(struct ex_link *l)
{
    if (l->batch.len == 0)
        return;
    l->touched |= CONTROL;
    if (zmq_send(l->control.zmq, l->batch.data, l->batch.len, ZMQ_DONTWAIT) < 0)
        l->broken = "the gateway does not read";
    l->stats.messages_up++;
    sl_buf_clear(&l->batch);
}

/* After a put: true when the batch was full, has been sent, and the put should be tried again. */
static bool may_try_again(struct ex_link *l, sl_status put)
{
    if (put == SL_OK)
        return false;
    if (put == SL_ETOOBIG) {
        send_batch(l);
        return open_batch(l);
    }
    l->broken = "there is no memory for messages";
    return false;
}

static void give_up_if(struct ex_link *l, sl_status put)
{
    if (put != SL_OK)
        l->broken = "a message is larger than a batch";
}

/* ---- reports */

static bool may_report(struct ex_link *l)
{
    if (l->state != UP || !open_batch(l))
        return false;
    l->batch_is_news = true;
    return true;
}

/* Does the gateway say which leases it has accounted for? */
static bool acknowledges(const struct ex_link *l)
{
    return l->welcome.protocol >= 2;
}

static void put_started(struct ex_link *l, uint64_t lease)
{
    if (may_report(l) && may_try_again(l, ex_link_put_started(&l->batch, lease)))
        give_up_if(l, ex_link_put_started(&l->batch, lease));
}

static void report_started(void *ctx, uint64_t lease)
{
    struct ex_link *l = ctx;
    if (l->state == UP && !ex_starts_add(&l->starts, lease))
        put_started(l, lease);
}

/* With whatever leaves anyway, and without it when they have waited long enough. */
static void put_starts(struct ex_link *l, sl_mono_ns now)
{
    if (!ex_starts_are_due(&l->starts, now, start_patience_ns) && l->batch.len == 0)
        return;
    for (size_t i = 0; i < l->starts.count; i++)
        put_started(l, l->starts.leases[i]);
    ex_starts_init(&l->starts);
}

static void remember_ended(struct ex_link *l, uint64_t lease)
{
    l->ended[l->ended_next++ % ENDED_COUNT] = lease;
}

static void report_returned(void *ctx, uint64_t lease, enum sl_reason reason, const char *text)
{
    struct ex_link *l = ctx;
    ex_starts_drop(&l->starts, lease);
    remember_ended(l, lease);
    if (may_report(l) && may_try_again(l, ex_link_put_returned(&l->batch, lease, reason, text)))
        give_up_if(l, ex_link_put_returned(&l->batch, lease, reason, text));
}

static uint64_t outputs_bytes(const struct ex_outcome *outcome)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < outcome->output_count; i++)
        sum += outcome->outputs[i].bytes.len;
    return sum;
}

/* The outputs' bytes in a row: one output as it lies, several as a copy. */
static bool gather_payload(struct ex_link *l, const struct ex_outcome *outcome, struct sl_span *out)
{
    *out = sl_span_of(NULL, 0);
    if (outcome->output_count == 1)
        *out = outcome->outputs[0].bytes;
    if (outcome->output_count <= 1)
        return true;
    sl_buf_clear(&l->gathered);
    for (size_t i = 0; i < outcome->output_count; i++) {
        const struct sl_span bytes = outcome->outputs[i].bytes;
        if (sl_buf_append(&l->gathered, bytes.data, bytes.len) != SL_OK)
            return false;
    }
    *out = sl_buf_span(&l->gathered);
    return true;
}

/* A gateway of the first version acknowledges nothing: what it is told it has. */
static void note_told(struct ex_link *l, uint64_t record)
{
    if (acknowledges(l))
        ex_journal_told(l->conf.journal, record);
    else
        (void)ex_journal_acknowledge(l->conf.journal, record);
}

/* Leases whose results nobody has heard of, or nobody of this session. */
static void put_ended(struct ex_link *l)
{
    const struct ex_journal_entry *e;
    while (!l->broken && (e = ex_journal_next_untold(l->conf.journal)) != NULL) {
        l->stats.untold_leases += !acknowledges(l);
        if (acknowledges(l) && may_report(l) && may_try_again(l, ex_link_put_ended(&l->batch, e)))
            give_up_if(l, ex_link_put_ended(&l->batch, e));
        note_told(l, e->record);
    }
}

static void report_result(void *ctx, uint64_t lease, const struct ex_outcome *outcome)
{
    struct ex_link *l = ctx;
    struct ex_link_payload payload = {.bulk_bytes = 0};
    ex_starts_drop(&l->starts, lease);
    if (!outcome->started)
        remember_ended(l, lease);
    if (!may_report(l))
        return;
    const uint64_t bytes = outputs_bytes(outcome);
    if (bytes > l->welcome.inline_max_bytes) {
        if (ex_link_shared_give(&l->shared, outcome, &payload.shared))
            l->stats.shared_bytes_up += bytes;
        else if (ex_bulk_out_add(&l->out, lease, outcome) != SL_OK)
            l->broken = "there is no memory for a result";
        payload.bulk_bytes = bytes;
    } else if (!gather_payload(l, outcome, &payload.inside)) {
        l->broken = "there is no memory for a result";
    }
    if (!l->broken && may_try_again(l, ex_link_put_result(&l->batch, lease, outcome, &payload)))
        give_up_if(l, ex_link_put_result(&l->batch, lease, outcome, &payload));
    if (!l->broken && outcome->record != 0)
        note_told(l, outcome->record);
}

struct ex_report_port ex_link_report_port(struct ex_link *l)
{
    return (struct ex_report_port){l, report_started, report_result, report_returned};
}

/* ---- opening and losing a session */

static uint64_t random_session(void)
{
    uint64_t session = 0;
    while (session == 0) {
        if (getrandom(&session, sizeof(session), 0) != sizeof(session))
            session = 0;
    }
    return session;
}

static sl_status open_socket(struct ex_link *l, struct ex_link_socket *s, uint32_t tag)
{
    char routing_id[128];
    const bool is_control = tag == CONTROL;
    snprintf(routing_id, sizeof(routing_id), "%.63s/%016llx/%s", l->conf.hello.node,
             (unsigned long long)l->session, is_control ? "c" : "b");
    const struct ex_link_socket_conf conf = {
        .endpoint = is_control ? l->conf.control : l->conf.bulk,
        .routing_id = routing_id,
        .keys = is_control || !l->conf.bulk_is_plain ? l->conf.keys : NULL,
        .io = is_control ? CONTROL_IO : BULK_IO,
        .message_max = EX_LINK_MESSAGE_MAX + MESSAGE_SLACK,
        .high_water = is_control ? CONTROL_HIGH_WATER : BULK_HIGH_WATER,
    };
    return ex_link_socket_open(s, l->context, l->epoll, tag, &conf);
}

static sl_status send_hello(struct ex_link *l)
{
    sl_arena_reset(&l->arena);
    if (!open_batch(l))
        return SL_ENOMEM;
    const sl_status st = ex_link_put_hello(&l->batch, &l->conf.hello, &l->arena);
    if (st == SL_OK)
        send_batch(l);
    return st;
}

static void open_session(struct ex_link *l, sl_mono_ns now)
{
    l->conf.hello.previous_session = l->session;
    l->session = random_session();
    l->opened_at = now;
    sl_status st = open_socket(l, &l->control, CONTROL);
    if (st == SL_OK)
        st = open_socket(l, &l->bulk, BULK);
    if (st == SL_OK)
        st = send_hello(l);
    if (st == SL_OK) {
        l->state = GREETING;
        l->wake_at = sl_sat_add(now, answer_patience_ns);
        return;
    }
    sl_log(SL_LOG_ERROR, "cannot say hello to the gateway", SL_S("why", sl_status_text(st)),
           SL_S("control", l->conf.control), SL_S("bulk", l->conf.bulk));
    close_session(l, 0);
    l->state = DOWN;
    l->wake_at = sl_sat_add(now, refused_pause_ns);
}

/* Ends the session; the next one begins after pause, and never at once after the last. */
static void end_session(struct ex_link *l, int64_t pause, sl_mono_ns now)
{
    const bool was_up = l->state == UP;
    const sl_mono_ns earliest = sl_sat_add(l->opened_at, reopen_pause_ns);
    close_session(l, 0);
    l->state = DOWN;
    l->wake_at = sl_sat_add(now, pause);
    if (l->wake_at < earliest)
        l->wake_at = earliest;
    if (was_up)
        l->events.lost(l->events.ctx);
}

static void lose_gateway(struct ex_link *l, const char *why, sl_mono_ns now)
{
    if (l->state == UP)
        sl_log(SL_LOG_WARN, "gateway lost", SL_S("why", why));
    end_session(l, 0, now);
}

void ex_link_start(struct ex_link *l, sl_mono_ns now)
{
    if (l->state == DOWN)
        open_session(l, now);
}

void ex_link_restart(struct ex_link *l, sl_mono_ns now)
{
    if (l->state != DOWN)
        end_session(l, 0, now);
}

/* ---- what the gateway says */

static void count_dropped(struct ex_link *l, const char *what, sl_mono_ns now)
{
    l->stats.dropped++;
    if (now < l->log_at)
        return;
    l->log_at = sl_sat_add(now, log_pause_ns);
    sl_log(SL_LOG_WARN, "message of the gateway dropped", SL_S("why", what),
           SL_U("dropped", l->stats.dropped));
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    return value < min ? min : value > max ? max : value;
}

/* The bulk connection tells whose it is, now that the gateway knows the session. */
static void introduce_bulk(struct ex_link *l)
{
    const struct ex_bulk_header h = {
        .session = l->session,
        .token = sl_span_of(l->welcome.token.bytes, l->welcome.token.len),
    };
    uint8_t header[EX_BULK_HEADER_MAX];
    l->touched |= BULK;
    if (zmq_send(l->bulk.zmq, header, ex_link_write_bulk(&h, header), ZMQ_SNDMORE | ZMQ_DONTWAIT) <
            0 ||
        zmq_send(l->bulk.zmq, "", 0, ZMQ_DONTWAIT) < 0)
        l->broken = "the bulk connection takes nothing";
}

static void on_welcome(struct ex_link *l, const struct ex_welcome *w, sl_mono_ns now)
{
    if (l->state != GREETING)
        return;
    if (w->protocol < EX_LINK_PROTOCOL_MIN || w->protocol > EX_LINK_PROTOCOL_MAX) {
        sl_log(SL_LOG_ERROR, "the gateway speaks another protocol", SL_U("its", w->protocol),
               SL_U("ours_min", EX_LINK_PROTOCOL_MIN), SL_U("ours_max", EX_LINK_PROTOCOL_MAX));
        end_session(l, refused_pause_ns, now);
        return;
    }
    l->welcome = *w;
    l->welcome.shared_path = NULL; /* lies in the message */
    l->welcome.heartbeat_every_ms = clamp(w->heartbeat_every_ms, 10, 60000);
    l->welcome.lost_after_ms =
        clamp(w->lost_after_ms, 2 * l->welcome.heartbeat_every_ms, 10 * 60000);
    l->welcome.inline_max_bytes = clamp(w->inline_max_bytes, 0, INLINE_MAX);
    l->out.window_bytes = clamp(w->bulk_window_bytes, 1, UINT64_MAX);
    if (l->conf.journal)
        ex_journal_tell_again(l->conf.journal);
    l->state = UP;
    l->wake_at = now;
    l->heard_ns = 0;
    sl_patience_init(&l->patience, (int64_t)l->welcome.lost_after_ms * SL_NS_PER_MS, now);
    l->stats.sessions++;
    l->has_complained = false;
    l->early_cuts = 0;
    l->refusal_log_at = now;
    introduce_bulk(l);
    ex_link_shared_open(&l->shared, w->shared_path, l->session);
    sl_log(SL_LOG_INFO, "welcomed by the gateway", SL_S("node", l->conf.hello.node),
           SL_U("heartbeat_ms", l->welcome.heartbeat_every_ms),
           SL_U("lost_after_ms", l->welcome.lost_after_ms));
}

/* Tries again before long; says why now and then. */
static void on_refused(struct ex_link *l, const char *text, sl_mono_ns now)
{
    if (now >= l->refusal_log_at)
        sl_log(SL_LOG_WARN, "refused by the gateway", SL_S("why", text));
    if (now >= l->refusal_log_at)
        l->refusal_log_at = sl_sat_add(now, refusal_log_pause_ns);
    end_session(l, refused_pause_ns, now);
}

static void on_cut(struct ex_link *l, enum ex_link_cut cut, sl_mono_ns now)
{
    const bool is_accident = cut == EX_LINK_CUT_EARLY && ++l->early_cuts < EARLY_CUTS_MAX;
    if (cut == EX_LINK_KEY_REFUSED)
        on_refused(l, "this node's public key is not in its link.allow", now);
    else if (cut >= EX_LINK_CUT_EARLY && !is_accident)
        on_refused(l,
                   "the handshake failed: link.gateway_public_key is not its key, or link.security "
                   "or link.bulk_security is not the same at both ends",
                   now);
    else
        lose_gateway(l, "the connection broke", now);
}

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

/* The gateway may use its memory again. */
static void put_shared_done(struct ex_link *l, const struct sl_shm_ref *use)
{
    if (open_batch(l) && may_try_again(l, ex_link_put_shared_done(&l->batch, use)))
        give_up_if(l, ex_link_put_shared_done(&l->batch, use));
}

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
    put_shared_done(l, &r->use);
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
    report_returned(l, call->lease, SL_REASON_NO_CAPACITY, "its payload cannot be read");
    put_shared_done(l, &call->shared);
}

/* Goes on with what an earlier turn did not end; a large one lets the others pass first. */
static void copy_on(struct ex_link *l)
{
    l->copy_left_bytes = COPY_TURN_BYTES;
    while (l->shared.requests && l->copy_left_bytes > 0) {
        struct ex_link_request *r = l->shared.requests;
        ex_link_shared_to_end(&l->shared, r);
        copy_request(l, r);
    }
}

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
        on_welcome(l, &b->welcome, now);
    take_back(l, b, now);
    forget(l, b, now);
    for (size_t i = 0; l->state == UP && i < b->call_count; i++)
        on_call(l, &b->calls[i], now);
    for (size_t i = 0; l->state == UP && i < b->cancel_count; i++)
        l->events.cancel(l->events.ctx, b->cancels[i]);
    if (b->refusal && b->greet_again)
        lose_gateway(l, b->refusal, now);
    else if (b->refusal)
        on_refused(l, b->refusal, now);
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

static bool has_ended(const struct ex_link *l, uint64_t lease)
{
    for (size_t i = 0; i < ENDED_COUNT; i++) {
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
    else if (h.session != l->session || l->state != UP)
        count_dropped(l, "bulk for another session", now);
    else if (zmq_msg_size(bytes) > EX_BULK_CHUNK_MAX)
        count_dropped(l, "a chunk of more than 1 MiB", now);
    else
        on_piece(l, &h, bytes, now);
}

/* ---- receiving */

static bool receive_control(struct ex_link *l, sl_mono_ns now)
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

static bool receive_bulk(struct ex_link *l, sl_mono_ns now)
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

static void drop_stale_early(struct ex_link *l, sl_mono_ns now)
{
    struct ex_bulk_piece *p;
    while (l->early.count > 0 && (p = ex_bulk_early_take(&l->early, 0, now)) != NULL) {
        count_dropped(l, "a payload's piece without a call", now);
        take_bulk(l, zmq_msg_size(&p->bytes));
        ex_bulk_piece_free(p);
    }
}

static bool is_silent(const struct ex_link *l)
{
    return l->state == UP && sl_patience_is_over(&l->patience, l->heard_ns);
}

/* Perhaps what listens there is not ready yet, or hangs, or nobody does. */
static void give_up_greeting(struct ex_link *l, sl_mono_ns now)
{
    if (!l->has_complained)
        sl_log(SL_LOG_WARN, "the gateway does not answer", SL_S("control", l->conf.control),
               SL_S("bulk", l->conf.bulk));
    l->has_complained = true;
    end_session(l, 0, now);
}

static void look_at_clock(struct ex_link *l, sl_mono_ns now)
{
    drop_stale_early(l, now);
    if (is_silent(l))
        lose_gateway(l, "it was silent for too long", now);
    if (now < l->wake_at)
        return;
    if (l->state == GREETING)
        give_up_greeting(l, now);
    if (l->state == DOWN)
        open_session(l, now);
}

/* Of two sockets' news the one that explains more. */
static void note_cut(enum ex_link_cut *cut, enum ex_link_cut found)
{
    if (found > *cut)
        *cut = found;
}

/* Which sockets have something to say, and whether a connection broke. */
static unsigned ready_sockets(struct ex_link *l, enum ex_link_cut *out_cut)
{
    struct epoll_event events[4];
    unsigned ready = l->readable;
    *out_cut = EX_LINK_UNCUT;
    const int n = epoll_wait(l->epoll, events, SL_ARRAY_LEN(events), 0);
    for (int i = 0; i < n; i++) {
        const uint32_t tag = events[i].data.u32;
        if (tag == (CONTROL | EX_LINK_MONITOR))
            note_cut(out_cut, ex_link_socket_was_cut(&l->control));
        else if (tag == (BULK | EX_LINK_MONITOR))
            note_cut(out_cut, ex_link_socket_was_cut(&l->bulk));
        else
            ready |= tag;
    }
    return ready;
}

/* True: perhaps there is more. False: there was nothing more, and what comes will be signalled. */
static bool receive_some(struct ex_link *l, bool (*receive)(struct ex_link *, sl_mono_ns), int max,
                         sl_mono_ns now)
{
    bool more = true;
    for (int i = 0; more && i < max; i++)
        more = receive(l, now);
    return more;
}

static void receive_all(struct ex_link *l, sl_mono_ns now)
{
    enum ex_link_cut cut;
    const unsigned ready = ready_sockets(l, &cut);
    l->readable = 0;
    if ((ready & CONTROL) && receive_some(l, receive_control, RECEIVE_MAX, now))
        l->touched |= CONTROL;
    if ((ready & BULK) && receive_some(l, receive_bulk, RECEIVE_BULK_MAX, now))
        l->touched |= BULK;
    if (cut != EX_LINK_UNCUT)
        on_cut(l, cut, now);
}

void ex_link_receive(struct ex_link *l, bool is_ready, sl_mono_ns now)
{
    sl_patience_turn(&l->patience, now);
    copy_on(l);
    if (is_ready)
        receive_all(l, now);
    look_at_clock(l, now);
}

/* ---- sending */

static void put_heartbeat(struct ex_link *l, sl_mono_ns now)
{
    l->wake_at = sl_sat_add(now, (int64_t)l->welcome.heartbeat_every_ms * SL_NS_PER_MS);
    l->heartbeat_count++;
    ex_link_shared_tick(&l->shared);
    if (open_batch(l) && may_try_again(l, ex_link_put_heartbeat(&l->batch, l->heartbeat_count)))
        give_up_if(l, ex_link_put_heartbeat(&l->batch, l->heartbeat_count));
}

/* With whatever leaves anyway, and without it when a good part of the window waits to be known. */
static void put_taken(struct ex_link *l)
{
    const uint64_t news = l->taken_bytes - l->told_bytes;
    if (news == 0 || (l->batch.len == 0 && news < ack_step_bytes))
        return;
    l->told_bytes = l->taken_bytes;
    if (open_batch(l) && may_try_again(l, ex_link_put_bulk_taken(&l->batch, l->taken_bytes)))
        give_up_if(l, ex_link_put_bulk_taken(&l->batch, l->taken_bytes));
}

static void send_bulk(struct ex_link *l)
{
    const uint64_t before = l->out.sent_bytes;
    if (!l->out.items)
        return;
    l->touched |= BULK;
    ex_bulk_out_send(&l->out, l->bulk.zmq, l->session);
    l->stats.bulk_bytes_up += l->out.sent_bytes - before;
}

/* What arrived while a socket was used may have used up its signal. */
static void read_events(struct ex_link *l)
{
    l->readable &= ~l->touched;
    if ((l->touched & CONTROL) && ex_link_socket_is_readable(&l->control))
        l->readable |= CONTROL;
    if ((l->touched & BULK) && ex_link_socket_is_readable(&l->bulk))
        l->readable |= BULK;
    l->touched = 0;
}

bool ex_link_flush(struct ex_link *l, sl_mono_ns now)
{
    l->flush_at = now;
    if (l->state == UP) {
        if (now >= l->wake_at)
            put_heartbeat(l, now);
        put_taken(l);
        put_starts(l, now);
        if (l->conf.journal)
            put_ended(l);
        if (l->batch_is_news)
            l->news_at = now;
        l->batch_is_news = false;
        send_batch(l);
        send_bulk(l);
    }
    if (l->broken)
        lose_gateway(l, l->broken, now);
    read_events(l);
    return l->readable != 0 || l->shared.requests != NULL;
}

static sl_mono_ns earlier(sl_mono_ns a, sl_mono_ns b)
{
    return a < b ? a : b;
}

sl_mono_ns ex_link_next_at(const struct ex_link *l)
{
    sl_mono_ns next = earlier(l->wake_at, l->starts.due_at);
    if (l->state == UP)
        next = earlier(next, sl_patience_next_at(&l->patience, l->heard_ns));
    if (l->early.pieces)
        next = earlier(next, l->early.pieces->drop_at);
    return next;
}

void ex_link_set_draining(struct ex_link *l)
{
    l->is_draining = true;
    if (l->state == UP && open_batch(l) && may_try_again(l, ex_link_put_draining(&l->batch)))
        give_up_if(l, ex_link_put_draining(&l->batch));
}

/* ---- looking */

int ex_link_fd(const struct ex_link *l)
{
    return l->epoll;
}

bool ex_link_is_up(const struct ex_link *l)
{
    return l->state == UP;
}

bool ex_link_is_idle(const struct ex_link *l)
{
    return l->batch.len == 0 && !l->out.items && l->out.acked_bytes == l->out.sent_bytes;
}

struct ex_link_stats ex_link_stats(const struct ex_link *l)
{
    return l->stats;
}
