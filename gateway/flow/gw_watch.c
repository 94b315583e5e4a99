/* gw_watch.c - who watches a call: what they are told, and when. */
#include "gw_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "gw_call_eta.h"

/* Of one message while it is made. */
enum { SCRATCH_BYTES = 16 << 10 };

sl_status gw_watches_init(struct gw_flow *f)
{
    struct gw_watches *all = &f->watches;
    gw_timers_init(&all->timers, f->alloc, f->conf.max_watches);
    sl_arena_init(&all->scratch, f->alloc, SCRATCH_BYTES);
    return sl_slot_create(f->alloc, sizeof(struct gw_watch), f->conf.max_watches, &all->table);
}

void gw_watches_finish(struct gw_flow *f)
{
    if (f->watches.table == NULL) /* nothing was begun, or it had no memory */
        return;
    gw_timers_finish(&f->watches.timers);
    sl_arena_finish(&f->watches.scratch);
    sl_slot_destroy(f->watches.table);
}

static void publish(struct gw_flow *f)
{
    sl_metric_set(f->metrics.watches, (int64_t)sl_slot_count(f->watches.table));
}

/* ---- beginning */

static size_t count_of(struct gw_flow *f, const char *account)
{
    size_t cursor = 0, n = 0;
    const struct gw_watch *w;
    while ((w = sl_slot_next(f->watches.table, &cursor, NULL)) != NULL)
        n += strcmp(w->account, account) == 0;
    return n;
}

/* NULL: *err says why not. */
static struct gw_watch *take(struct gw_flow *f, const char *account, struct sl_error *err)
{
    sl_slot_id id;
    void *object;
    sl_status s = SL_EFULL;
    if (count_of(f, account) >= f->conf.max_visitor_watches) {
        sl_error_set(err, SL_REASON_QUEUE_FULL, "%s watches %zu calls, which is the limit", account,
                     f->conf.max_visitor_watches);
        return NULL;
    }
    if ((s = sl_slot_take(f->watches.table, &id, &object)) != SL_OK) {
        if (s == SL_EFULL)
            sl_error_set(err, SL_REASON_NO_CAPACITY,
                         "%zu calls are watched now, which is the limit; GetCall asks once",
                         f->conf.max_watches);
        else
            sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory to watch the call");
        return NULL;
    }
    struct gw_watch *w = object;
    w->id = id;
    snprintf(w->account, sizeof w->account, "%s", account);
    return w;
}

void gw_watch_drop(struct gw_flow *f, struct gw_exchange *x)
{
    struct gw_watch *w = x->flow_watch == 0 ? NULL : sl_slot_get(f->watches.table, x->flow_watch);
    x->flow_watch = 0;
    if (w == NULL)
        return;
    gw_timers_clear(&f->watches.timers, &w->timer);
    DL_DELETE(w->call->watches, w);
    sl_status s = sl_slot_put(f->watches.table, w->id);
    (void)s; /* it was in its place */
    publish(f);
}

/* ---- telling */

static void fail(struct gw_flow *f, struct gw_watch *w, enum sl_reason reason, const char *text)
{
    struct sl_error err;
    sl_error_set(&err, reason, "%s", text);
    gw_exchange_refuse(f, w->exchange, &err);
}

/* A message that is not the last; NULL: no memory. */
static struct gw_body *make_update(struct gw_flow *f, const struct gw_call_facts *facts)
{
    struct gw_body *body = NULL;
    struct sl_span m = f->ports.answers.call(&f->watches.scratch, facts);
    if (m.data != NULL && m.len <= GW_UPDATE_BYTES_MAX)
        body = gw_body_create(f->alloc, m.len);
    if (body != NULL)
        memcpy(body->data, m.data, m.len);
    sl_arena_reset(&f->watches.scratch);
    return body;
}

static bool arm(struct gw_flow *f, struct gw_watch *w, sl_mono_ns at)
{
    sl_mono_ns deadline = w->exchange->req.deadline_at;
    return gw_timers_set(&f->watches.timers, &w->timer, at < deadline ? at : deadline) == SL_OK;
}

/* A place in the queue changes without a word. */
static sl_mono_ns next_look(const struct gw_watch *w, sl_mono_ns now)
{
    return w->call->state == GW_CALL_QUEUED ? sl_sat_add(now, GW_WATCH_LOOK_NS) : SL_MONO_NEVER;
}

static void remember(struct gw_watch *w, const struct gw_call_facts *facts, sl_mono_ns now)
{
    w->told_at = now;
    w->told = facts->state;
    w->told_position = facts->position;
    w->told_eta = facts->eta;
    w->told_delayed_by = facts->delayed_by;
}

static void tell(struct gw_flow *f, struct gw_watch *w, const struct gw_call_facts *facts,
                 sl_mono_ns now)
{
    struct gw_body *update = make_update(f, facts);
    if (update == NULL || !arm(f, w, next_look(w, now))) {
        gw_body_release(update);
        fail(f, w, SL_REASON_NO_CAPACITY, "no memory to watch the call");
        return;
    }
    remember(w, facts, now);
    gw_exchange_put_update(w->exchange, update);
    f->ports.net.post(f->ports.net.ctx, w->exchange, GW_TO_NET_UPDATE);
}

void gw_watch_begin(struct gw_flow *f, struct gw_inquiry *q, struct gw_call *c)
{
    struct sl_error err = {0};
    struct gw_call_facts facts;
    struct gw_exchange *x = q->exchange;
    struct gw_watch *w = take(f, gw_principal_name(&q->who), &err);
    if (w == NULL) {
        gw_inquiry_refuse(f, q, &err);
        return;
    }
    sl_mono_ns now = q->now;
    gw_inquiry_drop(f, x);
    w->exchange = x;
    w->call = c;
    x->flow_watch = w->id;
    DL_APPEND(c->watches, w);
    publish(f);
    gw_call_view(f, c, now, &facts);
    tell(f, w, &facts, now);
}

/* ---- headers before the reply */

static void add_head(struct gw_exchange *x, const char *name, const char *value)
{
    if (value != NULL && x->head_field_count < GW_HEAD_FIELDS_MAX)
        x->head_fields[x->head_field_count++] = (struct gw_trailer){name, value};
}

static void add_head_number(struct gw_exchange *x, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    add_head(x, name, sl_arena_str(&x->arena, sl_span_str(text)));
}

void gw_watch_head(struct gw_flow *f, struct gw_call *c, sl_mono_ns now)
{
    struct gw_exchange *x = c->exchange;
    const struct gw_call_wait w = gw_call_wait_of(f, c, now);
    add_head(x, "sluice-call-id", c->call_id);
    add_head_number(x, "sluice-position", w.position);
    add_head_number(x, "sluice-waiting", w.waiting);
    if (w.eta.p50_us != GW_ETA_NEVER_US) {
        add_head(x, "sluice-eta-ms", gw_exchange_ms_text(x, w.eta.p50_us));
        add_head(x, "sluice-eta-p90-ms", gw_exchange_ms_text(x, w.eta.p90_us));
    }
    if (c->fetch_token[0] != '\0')
        add_head(x, "sluice-fetch-token", c->fetch_token);
    f->ports.net.post(f->ports.net.ctx, x, GW_TO_NET_HEAD);
}

/* ---- news */

/* What comes in quick succession is told at once, later. */
void gw_watch_note(struct gw_flow *f, struct gw_call *c)
{
    struct gw_watch *w;
    DL_FOREACH (c->watches, w) {
        bool is_set = arm(f, w, sl_sat_add(w->told_at, GW_WATCH_GAP_NS));
        (void)is_set; /* without memory it is told at the next news, or at the end */
    }
}

void gw_watch_end(struct gw_flow *f, struct gw_call *c)
{
    struct gw_call_facts facts;
    for (struct gw_watch *w; (w = c->watches) != NULL;) {
        struct gw_exchange *x = w->exchange;
        gw_call_view(f, c, f->turn_at, &facts);
        gw_exchange_answer(f, x, f->ports.answers.call(&x->arena, &facts)); /* drops w */
    }
}

/* Is one of the two another instant than what was told? By a second and a tenth of what is left, at least. */
static bool has_moved(int64_t told_us, int64_t passed_us, int64_t now_us)
{
    if (told_us < 0 || now_us < 0)
        return (told_us < 0) != (now_us < 0);
    int64_t expected_us = told_us > passed_us ? told_us - passed_us : 0;
    int64_t off_us = expected_us > now_us ? expected_us - now_us : now_us - expected_us;
    return off_us > SL_US_PER_S && off_us > now_us / 10;
}

static bool has_news(const struct gw_watch *w, const struct gw_call_facts *facts, sl_mono_ns now)
{
    int64_t passed_us = (now - w->told_at) / SL_NS_PER_US;
    return facts->state != w->told || facts->position != w->told_position ||
           facts->delayed_by != w->told_delayed_by ||
           has_moved(w->told_eta.p50_us, passed_us, facts->eta.p50_us) ||
           has_moved(w->told_eta.p90_us, passed_us, facts->eta.p90_us);
}

static void look(struct gw_flow *f, struct gw_watch *w, sl_mono_ns now)
{
    struct gw_call_facts facts;
    if (w->call->state == GW_CALL_ENDED) { /* that is told when its reply leaves */
        (void)!arm(f, w, SL_MONO_NEVER);
        return;
    }
    gw_call_view(f, w->call, now, &facts);
    if (has_news(w, &facts, now))
        tell(f, w, &facts, now);
    else if (!arm(f, w, next_look(w, now)))
        fail(f, w, SL_REASON_NO_CAPACITY, "no memory to watch the call");
}

void gw_watches_turn(struct gw_flow *f, sl_mono_ns now)
{
    struct gw_timer *t;
    while ((t = gw_timers_pop(&f->watches.timers, now)) != NULL) {
        struct gw_watch *w = SL_CONTAINER_OF(t, struct gw_watch, timer);
        if (now >= w->exchange->req.deadline_at)
            fail(f, w, SL_REASON_DEADLINE_EXCEEDED, "the caller's deadline has passed");
        else
            look(f, w, now);
    }
}
