/* ex_link_session.c - a session with the gateway: its sockets and hello, the gateway's welcome or refusal, its end,
 * and the next one. */
#include <stdio.h>
#include <sys/random.h>
#include <zmq.h>

#include "ex_link_int.h"
#include "sl_log.h"

/* ZeroMQ's I/O threads, as bits of an affinity: what is said on the control connection never waits while the
 * other encrypts and moves tensors. */
enum { CONTROL_IO = 1, BULK_IO = 2 };

enum {
    MESSAGE_SLACK = 4096,
    CONTROL_HIGH_WATER = 4096,
    BULK_HIGH_WATER = 256,
    EARLY_CUTS_MAX = 3, /* so many in a row: it is no accident */
};

static const int64_t answer_patience_ns = 5 * SL_NS_PER_S;
static const int64_t refused_pause_ns = SL_NS_PER_S;
static const int64_t refusal_log_pause_ns = 30 * SL_NS_PER_S;
static const int64_t reopen_pause_ns = 100 * SL_NS_PER_MS;

/* ---- hello */

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
    const bool is_control = tag == EX_LINK_CONTROL;
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
    if (!ex_link_up_open(l))
        return SL_ENOMEM;
    const sl_status st = ex_link_put_hello(&l->batch, &l->conf.hello, &l->arena);
    if (st == SL_OK)
        ex_link_up_send(l);
    return st;
}

void ex_link_session_open(struct ex_link *l, sl_mono_ns now)
{
    l->conf.hello.previous_session = l->session;
    l->session = random_session();
    l->opened_at = now;
    sl_status st = open_socket(l, &l->control, EX_LINK_CONTROL);
    if (st == SL_OK)
        st = open_socket(l, &l->bulk, EX_LINK_BULK);
    if (st == SL_OK)
        st = send_hello(l);
    if (st == SL_OK) {
        l->state = EX_LINK_GREETING;
        l->wake_at = sl_sat_add(now, answer_patience_ns);
        return;
    }
    sl_log(SL_LOG_ERROR, "cannot say hello to the gateway", SL_S("why", sl_status_text(st)),
           SL_S("control", l->conf.control), SL_S("bulk", l->conf.bulk));
    ex_link_session_close(l, 0);
    l->state = EX_LINK_DOWN;
    l->wake_at = sl_sat_add(now, refused_pause_ns);
}

/* ---- the end */

void ex_link_session_close(struct ex_link *l, int linger_ms)
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

/* Ends the session; the next one begins after pause, and never at once after the last. */
static void end_session(struct ex_link *l, int64_t pause, sl_mono_ns now)
{
    const bool was_up = l->state == EX_LINK_UP;
    const sl_mono_ns earliest = sl_sat_add(l->opened_at, reopen_pause_ns);
    ex_link_session_close(l, 0);
    l->state = EX_LINK_DOWN;
    l->wake_at = sl_sat_add(now, pause);
    if (l->wake_at < earliest)
        l->wake_at = earliest;
    if (was_up)
        l->events.lost(l->events.ctx);
}

void ex_link_session_lose(struct ex_link *l, const char *why, sl_mono_ns now)
{
    if (l->state == EX_LINK_UP)
        sl_log(SL_LOG_WARN, "gateway lost", SL_S("why", why));
    end_session(l, 0, now);
}

void ex_link_start(struct ex_link *l, sl_mono_ns now)
{
    if (l->state == EX_LINK_DOWN)
        ex_link_session_open(l, now);
}

void ex_link_restart(struct ex_link *l, sl_mono_ns now)
{
    if (l->state != EX_LINK_DOWN)
        end_session(l, 0, now);
}

/* ---- what the gateway answers */

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
    l->touched |= EX_LINK_BULK;
    if (zmq_send(l->bulk.zmq, header, ex_link_write_bulk(&h, header), ZMQ_SNDMORE | ZMQ_DONTWAIT) <
            0 ||
        zmq_send(l->bulk.zmq, "", 0, ZMQ_DONTWAIT) < 0)
        l->broken = "the bulk connection takes nothing";
}

void ex_link_session_welcome(struct ex_link *l, const struct ex_welcome *w, sl_mono_ns now)
{
    if (l->state != EX_LINK_GREETING)
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
    l->welcome.inline_max_bytes = clamp(w->inline_max_bytes, 0, EX_LINK_INLINE_MAX);
    l->out.window_bytes = clamp(w->bulk_window_bytes, 1, UINT64_MAX);
    if (l->conf.journal)
        ex_journal_tell_again(l->conf.journal);
    l->state = EX_LINK_UP;
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
void ex_link_session_refuse(struct ex_link *l, const char *text, sl_mono_ns now)
{
    if (now >= l->refusal_log_at)
        sl_log(SL_LOG_WARN, "refused by the gateway", SL_S("why", text));
    if (now >= l->refusal_log_at)
        l->refusal_log_at = sl_sat_add(now, refusal_log_pause_ns);
    end_session(l, refused_pause_ns, now);
}

void ex_link_session_cut(struct ex_link *l, enum ex_link_cut cut, sl_mono_ns now)
{
    const bool is_accident = cut == EX_LINK_CUT_EARLY && ++l->early_cuts < EARLY_CUTS_MAX;
    if (cut == EX_LINK_KEY_REFUSED)
        ex_link_session_refuse(l, "this node's public key is not in its link.allow", now);
    else if (cut >= EX_LINK_CUT_EARLY && !is_accident)
        ex_link_session_refuse(
            l,
            "the handshake failed: link.gateway_public_key is not its key, or link.security "
            "or link.bulk_security is not the same at both ends",
            now);
    else
        ex_link_session_lose(l, "the connection broke", now);
}

/* ---- silence */

static bool is_silent(const struct ex_link *l)
{
    return l->state == EX_LINK_UP && sl_patience_is_over(&l->patience, l->heard_ns);
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

void ex_link_session_watch(struct ex_link *l, sl_mono_ns now)
{
    if (is_silent(l))
        ex_link_session_lose(l, "it was silent for too long", now);
    if (now < l->wake_at)
        return;
    if (l->state == EX_LINK_GREETING)
        give_up_greeting(l, now);
    if (l->state == EX_LINK_DOWN)
        ex_link_session_open(l, now);
}
