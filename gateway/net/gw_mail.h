/* gw_mail.h - one direction of the mail between a net thread and the flow thread.
 *
 * The sender posts into its outbox, without a lock, and flushes once per loop turn; the receiver takes
 * from the inbox. One lock and at most one wake per batch. Several events for one exchange become one mail;
 * mails arrive in the order in which exchanges were first posted, and the events of one exchange are
 * never taken before those flushed earlier.
 *
 * Bound    By construction: the lists go through links inside the exchanges, and an exchange is at most once
 *          in each box. So posting needs no memory and cannot fail.
 * Threads  post, flush, is_overdue: the sender. take: the receiver. On one loop both are the same thread;
 *          the lock is never contended then.
 * Memory   Orders it: what the sender wrote before the flush is seen by the receiver after the take.
 * Lazy     Events that nobody waits for (a "sent", an exchange that comes home) do not wake the
 *          receiver: they are taken with the next others, or when gw_mail_is_overdue says so.
 */
#ifndef GW_MAIL_H
#define GW_MAIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "gw_exchange.h"
#include "sl_base.h"

struct gw_mail_list {
    struct gw_exchange *head;
    struct gw_exchange *tail;
};

struct gw_mail {
    size_t link_offset;         /* of the two links in struct gw_exchange */
    unsigned lazy_events;       /* constant */
    struct gw_mail_list outbox; /* the sender's */
    bool outbox_is_urgent;      /* the sender's */
    pthread_mutex_t lock;       /* guards the rest */
    struct gw_mail_list inbox;
    bool is_woken; /* the receiver has been told and has not taken since */
};

/* link_offset: offsetof(struct gw_exchange, to_flow) or to_net. */
void gw_mail_init(struct gw_mail *m, size_t link_offset, unsigned lazy_events);
void gw_mail_finish(struct gw_mail *m);

void gw_mail_post(struct gw_mail *m, struct gw_exchange *x, unsigned events);
/* Moves the outbox to the inbox. true: wake the receiver. */
SL_MUST_CHECK bool gw_mail_flush(struct gw_mail *m);
/* Lazy mail lies there and the receiver does not know: true once, then the caller wakes it. */
SL_MUST_CHECK bool gw_mail_is_overdue(struct gw_mail *m);

/* Hands over everything in the inbox, also what is flushed meanwhile by on_mail itself. on_mail may
 * post to the other direction, or end the exchange. Returns the number of mails. */
typedef void (*gw_mail_fn)(void *ctx, struct gw_exchange *x, unsigned events);
size_t gw_mail_take(struct gw_mail *m, gw_mail_fn on_mail, void *ctx);

#endif
