/* ex_link.h - the executor's connection to its gateway: hello, batches, payloads, heartbeats, and
 * starting over when the gateway is gone.
 *
 *   DOWN --time--> GREETING --Welcome--> UP
 *    ^                 |                  |
 *    `-- Refuse, -- no answer -- silence, connection lost
 *
 * Every session has fresh sockets and a fresh random number, so nothing of an older one can arrive. A
 * hello names the session before, so that the gateway gives its place up at once.
 *
 * On the way   a turn of the loop: ex_link_receive -> (jobs, workers) -> ex_link_flush. What is
 *          reported in between leaves in one batch, at most EX_LINK_MESSAGE_MAX bytes.
 * Units    Time is sl_mono_ns, given by the caller.
 * Errors   Messages that break the protocol are dropped and counted, and logged now and then.
 * Silence  Counted while the gateway could be heard (sl_patience.h).
 * Threads  One; ZeroMQ has two I/O threads, one for each connection, and that of bulk releases result blobs.
 * Memory   The batch, one arena for messages, results on their way out (by reference) and early
 *          payload pieces (at most the bulk window).
 */
#ifndef EX_LINK_H
#define EX_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "ex_call.h"
#include "ex_link_socket.h"
#include "ex_link_wire.h"
#include "ex_ports.h"
#include "sl_alloc.h"
#include "sl_status.h"
#include "sl_time.h"

struct sl_shm_pool;

struct ex_link_conf {
    const char *control; /* ZeroMQ endpoints of the gateway */
    const char *bulk;
    const struct ex_link_keys *keys; /* borrowed, completed; NULL: no CURVE */
    bool bulk_is_plain;              /* although control is not */
    struct ex_hello hello;           /* borrowed whole: what it points to is read at every hello */
    struct sl_shm_pool *results; /* where blobs of results lie; borrowed; NULL: nowhere special */
    struct ex_journal *journal;  /* of what the gateway has to acknowledge; borrowed; NULL: none */
};

/* What the gateway says; called from ex_link_receive and ex_link_flush. */
struct ex_link_events {
    void *ctx;
    void (*call)(void *ctx, const struct ex_call *call);
    void (*cancel)(void *ctx, uint64_t lease);
    /* Wanted back, unless it has started. */
    void (*call_back)(void *ctx, uint64_t lease);
    /* SL_ENOENT: no such job waits for bulk (perhaps not yet). */
    sl_status (*bulk)(void *ctx, uint64_t lease, uint64_t offset, uint64_t total,
                      struct sl_span bytes);
    /* The session is over: its jobs are nobody's. */
    void (*lost)(void *ctx);
};

struct ex_link_stats {
    uint64_t sessions; /* welcomed */
    uint64_t messages_down;
    uint64_t messages_up;
    uint64_t bulk_bytes_down;
    uint64_t bulk_bytes_up;
    uint64_t shared_bytes_down;
    uint64_t shared_bytes_up;
    uint64_t dropped;       /* messages that broke the protocol */
    uint64_t untold_leases; /* that a gateway of protocol 1 will not hear of */
};

struct ex_link;

/* conf's strings and events' ctx are borrowed for the link's life. Errors: SL_ENOMEM, SL_EINVAL (an
 * endpoint that ZeroMQ does not take). */
SL_MUST_CHECK sl_status ex_link_create(const struct sl_alloc *alloc,
                                       const struct ex_link_conf *conf,
                                       const struct ex_link_events *events, struct ex_link **out);
/* Gives what was sent to a gateway that is there linger_ms to leave. NULL is fine. */
void ex_link_destroy(struct ex_link *l, int linger_ms);

/* First hello. */
void ex_link_start(struct ex_link *l, sl_mono_ns now);
/* An epoll descriptor that is readable when ex_link_receive has something to do. */
int ex_link_fd(const struct ex_link *l);
/* Takes what has arrived, if is_ready (the descriptor is, or the last flush said so), and looks at the
 * clock. */
void ex_link_receive(struct ex_link *l, bool is_ready, sl_mono_ns now);
/* Sends what was reported. True: more has arrived meanwhile, or is half taken: come back without waiting. */
bool ex_link_flush(struct ex_link *l, sl_mono_ns now);
sl_mono_ns ex_link_next_at(const struct ex_link *l);

/* Ends the session and says hello again: the catalogue has changed. */
void ex_link_restart(struct ex_link *l, sl_mono_ns now);
/* From the next batch on the gateway is told that the node is stopping. */
void ex_link_set_draining(struct ex_link *l);

bool ex_link_is_up(const struct ex_link *l);
/* Is everything that was reported on its way, and every payload taken? */
bool ex_link_is_idle(const struct ex_link *l);
struct ex_link_stats ex_link_stats(const struct ex_link *l);

/* For ex_jobs: reports go to this link, or nowhere while it is not up. */
struct ex_report_port ex_link_report_port(struct ex_link *l);

#endif
