/* ex_link_int.h - what the files of ex_link share.
 *
 *   ex_link.c          the link, and a turn of the loop
 *   ex_link_session.c  hello, welcome, refusal, loss
 *   ex_link_up.c       what is said to the gateway
 *   ex_link_down.c     what the gateway says
 *
 * What finds the session beyond help in the middle of something sets `broken`; the flush of the turn ends it.
 */
#ifndef EX_LINK_INT_H
#define EX_LINK_INT_H

#include "ex_link.h"
#include "ex_link_bulk.h"
#include "ex_link_shared.h"
#include "ex_link_socket.h"
#include "ex_starts.h"
#include "sl_patience.h"

enum ex_link_state { EX_LINK_DOWN, EX_LINK_GREETING, EX_LINK_UP };

/* Sockets as tags of events, and as bits. */
enum { EX_LINK_CONTROL = 1, EX_LINK_BULK = 2 };

enum {
    EX_LINK_INLINE_MAX = EX_LINK_MESSAGE_MAX / 2, /* bytes of a payload in a batch */
    EX_LINK_ENDED_COUNT = 256,
};

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

    enum ex_link_state state;
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
    uint64_t told_bytes;                 /* of taken_bytes, the gateway knows */
    uint64_t ended[EX_LINK_ENDED_COUNT]; /* leases that ended unstarted: late pieces are dropped */
    size_t ended_next;
};

/* ---- ex_link_session.c */

/* Says hello from fresh sockets, or tries again before long. */
void ex_link_session_open(struct ex_link *l, sl_mono_ns now);
/* Forgets all that belongs to the session; what was sent has linger_ms to leave. */
void ex_link_session_close(struct ex_link *l, int linger_ms);
/* The gateway is gone, or is as good as gone. */
void ex_link_session_lose(struct ex_link *l, const char *why, sl_mono_ns now);
void ex_link_session_welcome(struct ex_link *l, const struct ex_welcome *w, sl_mono_ns now);
void ex_link_session_refuse(struct ex_link *l, const char *text, sl_mono_ns now);
void ex_link_session_cut(struct ex_link *l, enum ex_link_cut cut, sl_mono_ns now);
/* What is due: the gateway was silent for too long, or does not answer; the next hello. */
void ex_link_session_watch(struct ex_link *l, sl_mono_ns now);

/* ---- ex_link_up.c */

/* Begins a batch, if there is none. False: the session is broken. */
bool ex_link_up_open(struct ex_link *l);
void ex_link_up_send(struct ex_link *l);
/* Of a session that is up: all that is to be said leaves. */
void ex_link_up_flush(struct ex_link *l, sl_mono_ns now);
/* ctx: the link; as ex_report_port says. */
void ex_link_up_returned(void *ctx, uint64_t lease, enum sl_reason reason, const char *text);
/* The gateway may use its memory again. */
void ex_link_up_shared_done(struct ex_link *l, const struct sl_shm_ref *use);

/* ---- ex_link_down.c */

/* Takes one message. False: there was none. */
bool ex_link_down_control(struct ex_link *l, sl_mono_ns now);
bool ex_link_down_bulk(struct ex_link *l, sl_mono_ns now);
/* Goes on copying what an earlier turn did not end. */
void ex_link_down_copy(struct ex_link *l);
/* Pieces of payloads whose calls have not come. */
void ex_link_down_drop_stale(struct ex_link *l, sl_mono_ns now);

#endif
