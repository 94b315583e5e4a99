/* gw_mail.c - two intrusive lists: link [0] of an exchange is in the outbox, link [1] in the inbox. */
#include "gw_mail.h"

enum { OUTBOX, INBOX };

/* Mails taken under one hold of the lock: enough to make its price small, few enough for the stack. */
enum { TAKEN_AT_ONCE = 128 };

struct taken {
    struct gw_exchange *x;
    unsigned events;
};

static struct gw_mail_link *link_of(const struct gw_mail *m, struct gw_exchange *x, int box)
{
    return (struct gw_mail_link *)((char *)x + m->link_offset) + box;
}

static void append(const struct gw_mail *m, struct gw_mail_list *l, int box, struct gw_exchange *x,
                   unsigned events)
{
    struct gw_mail_link *link = link_of(m, x, box);
    link->events |= events;
    if (link->posted)
        return;
    link->posted = true;
    link->next = NULL;
    if (l->tail == NULL)
        l->head = x;
    else
        link_of(m, l->tail, box)->next = x;
    l->tail = x;
}

static struct taken pop(const struct gw_mail *m, struct gw_mail_list *l, int box)
{
    struct gw_exchange *x = l->head;
    struct gw_mail_link *link = link_of(m, x, box);
    struct taken t = {x, link->events};
    l->head = link->next;
    if (l->head == NULL)
        l->tail = NULL;
    *link = (struct gw_mail_link){0};
    return t;
}

void gw_mail_init(struct gw_mail *m, size_t link_offset, unsigned lazy_events)
{
    *m = (struct gw_mail){.link_offset = link_offset, .lazy_events = lazy_events};
    pthread_mutex_init(&m->lock, NULL);
}

void gw_mail_finish(struct gw_mail *m)
{
    pthread_mutex_destroy(&m->lock);
}

void gw_mail_post(struct gw_mail *m, struct gw_exchange *x, unsigned events)
{
    append(m, &m->outbox, OUTBOX, x, events);
    if ((events & ~m->lazy_events) != 0)
        m->outbox_is_urgent = true;
}

bool gw_mail_flush(struct gw_mail *m)
{
    if (m->outbox.head == NULL)
        return false;
    pthread_mutex_lock(&m->lock);
    while (m->outbox.head != NULL) {
        struct taken t = pop(m, &m->outbox, OUTBOX);
        append(m, &m->inbox, INBOX, t.x, t.events);
    }
    bool wakes = m->outbox_is_urgent && !m->is_woken;
    m->is_woken |= wakes;
    pthread_mutex_unlock(&m->lock);
    m->outbox_is_urgent = false;
    return wakes;
}

bool gw_mail_is_overdue(struct gw_mail *m)
{
    pthread_mutex_lock(&m->lock);
    bool wakes = m->inbox.head != NULL && !m->is_woken;
    m->is_woken |= wakes;
    pthread_mutex_unlock(&m->lock);
    return wakes;
}

static size_t take_some(struct gw_mail *m, struct taken *out)
{
    size_t n = 0;
    pthread_mutex_lock(&m->lock);
    m->is_woken = false;
    while (n < TAKEN_AT_ONCE && m->inbox.head != NULL)
        out[n++] = pop(m, &m->inbox, INBOX);
    pthread_mutex_unlock(&m->lock);
    return n;
}

size_t gw_mail_take(struct gw_mail *m, gw_mail_fn on_mail, void *ctx)
{
    struct taken batch[TAKEN_AT_ONCE];
    size_t total = 0, n;
    while ((n = take_some(m, batch)) > 0) {
        for (size_t i = 0; i < n; i++)
            on_mail(ctx, batch[i].x, batch[i].events);
        total += n;
    }
    return total;
}
