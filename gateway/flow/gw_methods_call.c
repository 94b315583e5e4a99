/* gw_methods_call.c - sluice.v1.Visitor: GetCall, WatchCall, CancelCall, of calls that wait or run, and of those that
 * have ended where that is remembered. */
#include "gw_kept.h"
#include "gw_receipt_code.h"
#include "gw_services.h"
#include "gw_watch.h"
#include "sl_log.h"

/* ---- whose call it is */

/* Callers choose ids: of those who chose one and the same so many are looked at. */
enum { NAMESAKES_MAX = 64 };

static bool has_token_of(const struct gw_inquiry *q, const struct gw_call *c)
{
    const char *token = q->form.fetch_token;
    size_t len = strlen(token);
    unsigned differs = len != sizeof c->fetch_token - 1;
    for (size_t i = 0; i < len && i < sizeof c->fetch_token - 1; i++)
        differs |= (unsigned)(token[i] ^ c->fetch_token[i]);
    return differs == 0;
}

/* Where a call has a token its address is not enough: others may come from there. */
static bool may_see(const struct gw_inquiry *q, const struct gw_call *c)
{
    if (!c->is_known)
        return false;
    if (q->who.is_admin)
        return true;
    if (c->fetch_token[0] != '\0')
        return has_token_of(q, c);
    return strcmp(gw_principal_name(&q->who), gw_principal_name(&c->who)) == 0;
}

/* The newest of the caller's calls of that id that has not ended, else the newest; NULL: he has none that the flow
 * still has. */
static struct gw_call *find_call(struct gw_flow *f, const struct gw_inquiry *q,
                                 const uint8_t call_id[GW_NAME_BYTES])
{
    struct gw_call *found = NULL;
    struct gw_name *n = gw_names_find(&f->names, call_id);
    for (int i = 0; n != NULL && i < NAMESAKES_MAX; i++, n = gw_names_next(n)) {
        struct gw_call *c = SL_CONTAINER_OF(n, struct gw_call, name);
        if (!may_see(q, c))
            continue;
        if (c->state != GW_CALL_ENDED)
            return c;
        if (found == NULL)
            found = c;
    }
    return found;
}

/* ---- answers */

static void answer(struct gw_flow *f, struct gw_inquiry *q, const struct gw_call_facts *facts)
{
    gw_inquiry_answer(f, q, f->ports.answers.call(&q->exchange->arena, facts));
}

static void say_unknown(struct gw_flow *f, struct gw_inquiry *q)
{
    gw_services_refuse(f, q, SL_REASON_NOT_FOUND, "call_id", "%s has no call %s",
                       gw_principal_name(&q->who), q->form.call_id);
}

static bool is_receipt_of(const struct gw_inquiry *q, const struct gw_receipt *r)
{
    return q->who.is_admin ||
           (r->account_count > 0 && sl_span_eq_str(r->accounts[0], gw_principal_name(&q->who)));
}

static void on_receipt(struct gw_flow *f, struct gw_inquiry *q, const struct gw_store_answer *a)
{
    struct gw_receipt r;
    if (a->row_count != 1 || gw_receipt_decode(a->rows[0].receipt, &r) != SL_OK ||
        !is_receipt_of(q, &r)) {
        say_unknown(f, q);
        return;
    }
    const struct gw_call_facts facts = {
        .call_id = q->form.call_id,
        .state = GW_CALL_ENDED,
        .model = r.model,
        .node = r.node,
        .queue_us = r.queue_us,
        .run_us = r.used_us,
        .limit_us = r.declared_us,
        .reason = r.reason,
        .text = "",
        .delayed_by = "",
        .charged_us = r.charged_us,
        .ended_at = r.ended_at,
        .now = f->wall_now,
    };
    answer(f, q, &facts);
}

/* What is remembered of calls that may be asked for again. */
static bool answer_from_kept(struct gw_flow *f, struct gw_inquiry *q,
                             const uint8_t call_id[GW_NAME_BYTES])
{
    struct gw_idem_found found;
    uint8_t token[GW_IDEM_TOKEN_BYTES];
    bool has_token = gw_services_read_token(q->form.fetch_token, token);
    if (!gw_idem_fetch(f->idem, call_id, sl_span_str(gw_principal_name(&q->who)),
                       has_token ? token : NULL, q->now, &found) ||
        found.verdict == GW_IDEM_RUNNING)
        return false;
    const struct gw_call_facts facts = {
        .call_id = q->form.call_id,
        .state = GW_CALL_ENDED,
        .reason = found.outcome.reason,
        .text = "",
        .delayed_by = "",
        .charged_us = found.outcome.charged_us,
        .ended_at = found.outcome.ended_at,
        .now = f->wall_now,
    };
    answer(f, q, &facts);
    return true;
}

/* It has ended, or never was. */
static void answer_ended(struct gw_flow *f, struct gw_inquiry *q,
                         const uint8_t call_id[GW_NAME_BYTES])
{
    struct gw_store_question what = {.kind = GW_STORE_RECEIPT, .rows_max = 1};
    bool has_token = q->form.fetch_token[0] != '\0';
    bool has_store = f->ports.store.append != NULL;
    if ((has_token || !has_store) && answer_from_kept(f, q, call_id))
        return;
    if (!has_store) {
        say_unknown(f, q);
        return;
    }
    memcpy(what.call_id, call_id, sizeof what.call_id);
    gw_inquiry_ask(f, q, &what, on_receipt);
}

/* ---- the methods */

/* The call that is named. NULL: the inquiry has been served. */
static struct gw_call *named_call(struct gw_flow *f, struct gw_inquiry *q)
{
    uint8_t call_id[GW_NAME_BYTES];
    if (!gw_services_call_id(f, q, call_id))
        return NULL;
    struct gw_call *c = find_call(f, q, call_id);
    if (c == NULL)
        answer_ended(f, q, call_id);
    return c;
}

static void answer_view(struct gw_flow *f, struct gw_inquiry *q, struct gw_call *c)
{
    struct gw_call_facts facts;
    gw_call_view(f, c, q->now, &facts);
    answer(f, q, &facts);
}

void gw_visitor_call(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_call *c = named_call(f, q);
    if (c != NULL)
        answer_view(f, q, c);
}

void gw_visitor_watch(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_call *c = named_call(f, q);
    if (c == NULL)
        return;
    if (c->is_sent || c->exchange->flow_replied)
        answer_view(f, q, c); /* nothing comes any more that would end the watch */
    else
        gw_watch_begin(f, q, c);
}

void gw_visitor_cancel(struct gw_flow *f, struct gw_inquiry *q)
{
    struct gw_call *c = named_call(f, q);
    if (c == NULL)
        return;
    if (c->state != GW_CALL_ENDED) {
        sl_log(SL_LOG_INFO, "call cancelled", SL_S("call", c->call_id), GW_BY(q));
        gw_call_fail_with(f, c, SL_REASON_CANCELLED, "the call was cancelled by CancelCall");
    }
    answer_view(f, q, c);
}
