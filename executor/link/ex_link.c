/* ex_link.c - the link made and ended, and its part in a turn of the loop: what has arrived is taken, what was said
 * leaves. */
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#include "ex_link_int.h"

enum {
    IO_THREADS = 2,
    ARENA_MAX_BYTES = 16 << 20,
    RECEIVE_MAX = 256,    /* messages of a turn */
    RECEIVE_BULK_MAX = 2, /* of up to 1 MiB each, which are copied while others wait */
};

/* ---- making and ending */

static bool make_parts(struct ex_link *l)
{
    sl_arena_init(&l->arena, l->alloc, ARENA_MAX_BYTES);
    sl_buf_init(&l->batch, l->alloc, EX_LINK_MESSAGE_MAX);
    sl_buf_init(&l->gathered, l->alloc, EX_LINK_INLINE_MAX);
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

/* What was sent longer ago has left, or nobody takes it. */
static bool has_fresh_news(const struct ex_link *l, int linger_ms)
{
    return l->state == EX_LINK_UP && l->news_at > 0 &&
           l->flush_at - l->news_at < linger_ms * SL_NS_PER_MS;
}

void ex_link_destroy(struct ex_link *l, int linger_ms)
{
    if (!l)
        return;
    ex_link_session_close(l, has_fresh_news(l, linger_ms) ? linger_ms : 0);
    if (l->context)
        zmq_ctx_term(l->context);
    if (l->epoll >= 0)
        close(l->epoll);
    sl_buf_finish(&l->gathered);
    sl_buf_finish(&l->batch);
    sl_arena_finish(&l->arena);
    sl_alloc_free(l->alloc, l);
}

/* ---- receiving */

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
        if (tag == (EX_LINK_CONTROL | EX_LINK_MONITOR))
            note_cut(out_cut, ex_link_socket_was_cut(&l->control));
        else if (tag == (EX_LINK_BULK | EX_LINK_MONITOR))
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
    if ((ready & EX_LINK_CONTROL) && receive_some(l, ex_link_down_control, RECEIVE_MAX, now))
        l->touched |= EX_LINK_CONTROL;
    if ((ready & EX_LINK_BULK) && receive_some(l, ex_link_down_bulk, RECEIVE_BULK_MAX, now))
        l->touched |= EX_LINK_BULK;
    if (cut != EX_LINK_UNCUT)
        ex_link_session_cut(l, cut, now);
}

void ex_link_receive(struct ex_link *l, bool is_ready, sl_mono_ns now)
{
    sl_patience_turn(&l->patience, now);
    ex_link_down_copy(l);
    if (is_ready)
        receive_all(l, now);
    ex_link_down_drop_stale(l, now);
    ex_link_session_watch(l, now);
}

/* ---- sending */

/* What arrived while a socket was used may have used up its signal. */
static void read_events(struct ex_link *l)
{
    l->readable &= ~l->touched;
    if ((l->touched & EX_LINK_CONTROL) && ex_link_socket_is_readable(&l->control))
        l->readable |= EX_LINK_CONTROL;
    if ((l->touched & EX_LINK_BULK) && ex_link_socket_is_readable(&l->bulk))
        l->readable |= EX_LINK_BULK;
    l->touched = 0;
}

bool ex_link_flush(struct ex_link *l, sl_mono_ns now)
{
    l->flush_at = now;
    if (l->state == EX_LINK_UP)
        ex_link_up_flush(l, now);
    if (l->broken)
        ex_link_session_lose(l, l->broken, now);
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
    if (l->state == EX_LINK_UP)
        next = earlier(next, sl_patience_next_at(&l->patience, l->heard_ns));
    if (l->early.pieces)
        next = earlier(next, l->early.pieces->drop_at);
    return next;
}

/* ---- looking */

int ex_link_fd(const struct ex_link *l)
{
    return l->epoll;
}

bool ex_link_is_up(const struct ex_link *l)
{
    return l->state == EX_LINK_UP;
}

bool ex_link_is_idle(const struct ex_link *l)
{
    return l->batch.len == 0 && !l->out.items && l->out.acked_bytes == l->out.sent_bytes;
}

struct ex_link_stats ex_link_stats(const struct ex_link *l)
{
    return l->stats;
}
