/* gw_inquiry.c - who asks, whether it is for him, and what an answer waits for. */
#include "gw_inquiry.h"

#include <utlist.h>

#include "gw_call.h"

sl_status gw_inquiries_init(struct gw_inquiries *i, const struct sl_alloc *alloc)
{
    gw_timers_init(&i->timers, alloc, GW_INQUIRIES_MAX);
    return sl_slot_create(alloc, sizeof(struct gw_inquiry), GW_INQUIRIES_MAX, &i->table);
}

void gw_inquiries_finish(struct gw_inquiries *i)
{
    gw_timers_finish(&i->timers);
    sl_slot_destroy(i->table);
}

static struct gw_inquiry *find(struct gw_flow *f, uint64_t id)
{
    return id == 0 ? NULL : sl_slot_get(f->inquiries.table, id);
}

/* ---- the end */

static void stop_waiting(struct gw_flow *f, struct gw_inquiry *q)
{
    gw_timers_clear(&f->inquiries.timers, &q->timer);
    if (q->waits_for == GW_INQUIRY_IDENTITY)
        DL_DELETE(f->inquiries.unidentified, q);
    q->waits_for = GW_INQUIRY_NOTHING;
}

void gw_inquiry_drop(struct gw_flow *f, struct gw_exchange *x)
{
    struct gw_inquiry *q = find(f, x->flow_inquiry);
    if (q == NULL)
        return;
    stop_waiting(f, q);
    x->flow_inquiry = 0;
    sl_status s = sl_slot_put(f->inquiries.table, q->id);
    (void)s; /* it was in its place */
}

void gw_inquiry_answer(struct gw_flow *f, struct gw_inquiry *q, struct sl_span message)
{
    gw_exchange_answer(f, q->exchange, message);
}

void gw_inquiry_answer_pieces(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_exchange *x = q->exchange;
    gw_inquiry_drop(f, x);
    gw_exchange_tell_name(f, x);
    x->flow_replied = true;
    f->ports.net.post(f->ports.net.ctx, x, GW_TO_NET_REPLY);
}

void gw_inquiry_refuse(struct gw_flow *f, struct gw_inquiry *q, const struct sl_error *err)
{
    gw_exchange_refuse(f, q->exchange, err);
}

/* ---- waiting */

static void refuse_for_memory(struct gw_flow *f, struct gw_inquiry *q)
{
    struct sl_error err;
    sl_error_set(&err, SL_REASON_NO_CAPACITY, "no memory for the request");
    gw_inquiry_refuse(f, q, &err);
}

struct waiting {
    size_t open, asking, of_one;
};

static struct waiting count_waiting(struct gw_flow *f, const struct gw_inquiry *q)
{
    struct waiting n = {0};
    size_t cursor = 0;
    const struct gw_inquiry *other;
    while ((other = sl_slot_next(f->inquiries.table, &cursor, NULL)) != NULL) {
        bool is_asking =
            other->waits_for == GW_INQUIRY_ANSWER || other->waits_for == GW_INQUIRY_RESULT;
        if (other->waits_for == GW_INQUIRY_NOTHING || other->who.is_admin)
            continue;
        n.open++;
        n.asking += is_asking;
        n.of_one +=
            is_asking && strcmp(gw_principal_name(&other->who), gw_principal_name(&q->who)) == 0;
    }
    return n;
}

/* A crowd of visitors leaves room to others and to administrators. false: *err says what is full. */
static bool may_wait(struct gw_flow *f, const struct gw_inquiry *q, enum gw_inquiry_wait what,
                     struct sl_error *err)
{
    bool is_known = what != GW_INQUIRY_IDENTITY;
    if (is_known && q->who.is_admin)
        return true;
    struct waiting n = count_waiting(f, q);
    if (is_known && n.of_one >= GW_INQUIRIES_OF_ONE_MAX)
        sl_error_set(err, SL_REASON_QUEUE_FULL,
                     "%s has %d requests of this kind under way, which is the limit",
                     gw_principal_name(&q->who), GW_INQUIRIES_OF_ONE_MAX);
    else if (n.open >= GW_INQUIRIES_OPEN_MAX || (is_known && n.asking >= GW_INQUIRIES_ASKING_MAX))
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "too many requests of this kind are under way; try again");
    else
        return true;
    return false;
}

/* false: it was refused. */
static bool wait_for(struct gw_flow *f, struct gw_inquiry *q, enum gw_inquiry_wait what,
                     int64_t at_most_ns)
{
    struct sl_error err;
    if (!may_wait(f, q, what, &err)) {
        gw_inquiry_refuse(f, q, &err);
        return false;
    }
    sl_mono_ns until = sl_sat_add(q->now, at_most_ns);
    sl_mono_ns deadline = q->exchange->req.deadline_at;
    if (gw_timers_set(&f->inquiries.timers, &q->timer, until < deadline ? until : deadline) !=
        SL_OK) {
        refuse_for_memory(f, q);
        return false;
    }
    q->waits_for = what;
    return true;
}

static const char *const waited_for[] = {
    [GW_INQUIRY_NOTHING] = "",
    [GW_INQUIRY_IDENTITY] = "the keys of this token's issuer were not there in time",
    [GW_INQUIRY_ANSWER] = "the store did not answer in time",
    [GW_INQUIRY_STORED] = ("this holds already, but could not be stored yet: the gateway's log and "
                           "sluice_store_writable say why"),
    [GW_INQUIRY_RESULT] = "the result was not read from disk in time",
};

void gw_inquiries_expire(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_timer *t;
    struct sl_error err;
    while ((t = gw_timers_pop(&f->inquiries.timers, now)) != NULL) {
        struct gw_inquiry *q = SL_CONTAINER_OF(t, struct gw_inquiry, timer);
        if (now >= q->exchange->req.deadline_at)
            sl_error_set(&err, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
        else
            sl_error_set(&err, SL_REASON_NO_CAPACITY, "%s", waited_for[q->waits_for]);
        gw_inquiry_refuse(f, q, &err);
    }
}

void gw_inquiries_end_all(struct gw_flow *f, const struct sl_error *err)
{
    size_t cursor = 0;
    struct gw_inquiry *q;
    while ((q = sl_slot_next(f->inquiries.table, &cursor, NULL)) != NULL)
        if (q->waits_for != GW_INQUIRY_STORED)
            gw_inquiry_refuse(f, q, err);
}

/* ---- message > identified > its form > served */

/* false: *err says for whom it is. */
static bool may_ask(const struct gw_inquiry *q, struct sl_error *err)
{
    enum gw_method m = q->exchange->req.method;
    if (gw_method_audience(m) != GW_FOR_ADMINS || q->who.is_admin)
        return true;
    sl_error_set(err, SL_REASON_NOT_TRUSTED,
                 "%s is for administrators, and %s is none; the first administrator's token is "
                 "the file admin.token of the gateway's state directory",
                 gw_method_path(m) + 1, gw_principal_name(&q->who));
    return false;
}

static void serve(struct gw_flow *f, struct gw_inquiry *q)
{
    struct sl_error err = {0};
    if (may_ask(q, &err) &&
        gw_form_read(q->exchange->req.method, q->message, &q->exchange->arena, &q->form, &err))
        gw_methods_serve(f, q);
    else
        gw_inquiry_refuse(f, q, &err);
}

/* The message goes when its handler returns. */
static bool keep_message(struct gw_inquiry *q)
{
    uint8_t *copy = sl_arena_get(&q->exchange->arena, q->message.len + 1);
    if (copy == NULL)
        return false;
    if (q->message.len > 0)
        memcpy(copy, q->message.data, q->message.len);
    q->message.data = copy;
    return true;
}

static void wait_for_identity(struct gw_flow *f, struct gw_inquiry *q)
{
    if (!keep_message(q))
        refuse_for_memory(f, q);
    else if (wait_for(f, q, GW_INQUIRY_IDENTITY, f->conf.identity_wait_ns))
        DL_APPEND(f->inquiries.unidentified, q);
}

static void identify(struct gw_flow *f, struct gw_inquiry *q)
{
    struct sl_error err = {0};
    switch (gw_exchange_identify(f, q->exchange, &q->who, &err)) {
    case GW_IDENTITY_KNOWN:
        serve(f, q);
        break;
    case GW_IDENTITY_REFUSED:
        gw_inquiry_refuse(f, q, &err);
        break;
    case GW_IDENTITY_LATER:
        wait_for_identity(f, q);
        break;
    }
}

/* Its patience is that of its beginning. */
static void identify_again(struct gw_flow *f, struct gw_inquiry *q)
{
    struct sl_error err = {0};
    enum gw_identity_answer answer = gw_exchange_identify(f, q->exchange, &q->who, &err);
    if (answer == GW_IDENTITY_LATER)
        return;
    stop_waiting(f, q);
    if (answer == GW_IDENTITY_KNOWN)
        serve(f, q);
    else
        gw_inquiry_refuse(f, q, &err);
}

void gw_inquiries_on_identities(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_inquiry *q, *next;
    DL_FOREACH_SAFE (f->inquiries.unidentified, q, next) {
        q->now = now;
        identify_again(f, q);
    }
}

void gw_inquiry_begin(struct gw_flow *f, struct gw_exchange *x, sl_mono_ns now)
{
    sl_slot_id id;
    void *object;
    struct sl_error err;
    if (sl_slot_take(f->inquiries.table, &id, &object) != SL_OK) {
        sl_error_set(&err, SL_REASON_NO_CAPACITY,
                     "%d requests of this kind are under way, which is the limit; try again",
                     GW_INQUIRIES_MAX);
        gw_exchange_refuse(f, x, &err);
        return;
    }
    struct gw_inquiry *q = object;
    q->id = x->flow_inquiry = id;
    q->exchange = x;
    q->now = now;
    q->message = sl_span_of(x->body->data, x->body->len);
    identify(f, q);
}

/* ---- asking the store */

void gw_inquiry_ask(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_question *what,
                    gw_inquiry_on_answer on_answer)
{
    const struct gw_store_port *store = &f->ports.store;
    struct sl_error err;
    if (store->append == NULL) {
        sl_error_set(&err, SL_REASON_UNIMPLEMENTED,
                     "this gateway keeps no records: its configuration has no store.path");
        gw_inquiry_refuse(f, q, &err);
        return;
    }
    q->on_answer = on_answer;
    if (!wait_for(f, q, GW_INQUIRY_ANSWER, GW_INQUIRY_WAIT_NS) ||
        store->ask(store->ctx, what, q->id) == SL_OK)
        return;
    sl_error_set(&err, SL_REASON_NO_CAPACITY,
                 "the store has too many questions to answer now; try again");
    gw_inquiry_refuse(f, q, &err);
}

void gw_inquiries_on_answer(struct gw_flow *f, uint64_t ticket, const struct gw_store_answer *a)
{
    struct sl_error err;
    struct gw_inquiry *q = find(f, ticket);
    if (q == NULL || q->waits_for != GW_INQUIRY_ANSWER)
        return;
    stop_waiting(f, q);
    if (a->status == SL_OK) {
        q->on_answer(f, q, a);
        return;
    }
    sl_error_set(&err, SL_REASON_NO_CAPACITY, "%s", a->why);
    gw_inquiry_refuse(f, q, &err);
}

/* ---- results that are read from disk */

bool gw_inquiry_await_result(struct gw_flow *f, struct gw_inquiry *q)
{
    return wait_for(f, q, GW_INQUIRY_RESULT, GW_INQUIRY_WAIT_NS);
}

struct gw_inquiry *gw_inquiry_of_result(struct gw_flow *f, uint64_t id)
{
    struct gw_inquiry *q = find(f, id);
    if (q == NULL || q->waits_for != GW_INQUIRY_RESULT)
        return NULL;
    stop_waiting(f, q);
    return q;
}

/* ---- keeping records */

static void say_not_kept(sl_status s, bool is_first, struct sl_error *err)
{
    if (s == SL_EIO)
        sl_error_set(err, SL_REASON_DRAINING, "the gateway is stopping and records nothing more");
    else
        sl_error_set(err, SL_REASON_NO_CAPACITY,
                     "%s was changed, since it cannot be recorded now (%s); try again",
                     is_first ? "nothing" : "not all", sl_status_text(s));
}

bool gw_inquiry_put(struct gw_flow *f, struct gw_inquiry *q, const struct gw_record *r,
                    struct sl_error *err)
{
    const struct gw_store_port *store = &f->ports.store;
    uint8_t bytes[GW_RECORD_BYTES_MAX];
    size_t len;
    if (store->append == NULL)
        return true;
    sl_status s = gw_record_encode(r, bytes, &len);
    if (s == SL_OK)
        s = store->append(store->ctx, r->kind, sl_span_of(bytes, len), q->id | GW_TICKET_INQUIRY);
    if (s != SL_OK) {
        say_not_kept(s, q->unstored_count == 0, err);
        return false;
    }
    q->unstored_count++;
    return true;
}

void gw_inquiry_keep(struct gw_flow *f, struct gw_inquiry *q, struct sl_span message)
{
    q->message = message;
    if (q->unstored_count == 0)
        gw_inquiry_answer(f, q, message);
    else
        wait_for(f, q, GW_INQUIRY_STORED, GW_INQUIRY_WAIT_NS);
}

void gw_inquiries_on_stored(struct gw_flow *f, uint64_t ticket, sl_status outcome)
{
    struct sl_error err;
    struct gw_inquiry *q = find(f, ticket & ~GW_TICKET_INQUIRY);
    if (q == NULL || q->waits_for != GW_INQUIRY_STORED)
        return;
    if (outcome != SL_OK) {
        sl_error_set(&err, SL_REASON_DRAINING,
                     "the gateway stopped before this was stored: look what there is before you "
                     "send it again");
        gw_inquiry_refuse(f, q, &err);
    } else if (--q->unstored_count == 0) {
        gw_inquiry_answer(f, q, q->message);
    }
}
