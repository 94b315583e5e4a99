#include "gw_wire_visitor.h"

#include "gw_answer_facts.h"
#include "gw_receipt_code.h"
#include "gw_wire_text.h"
#include "sl_pack.h"
#include "sl_text.h"
#include "sluice/v1/visitor.pb-c.h"

typedef Sluice__V1__Purse pb_purse;
typedef Sluice__V1__Receipt pb_receipt;

/* ---- GetQuota */

static void fill_purse(const char *account, const struct gw_quota *q, pb_purse *out)
{
    sluice__v1__purse__init(out);
    out->account = gw_wire_text(account);
    out->shared = q->is_shared;
    out->blocked = q->is_blocked;
    out->limit_us = q->limit_us;
    out->granted_us = q->granted_us;
    out->spent_us = q->spent_us;
    out->held_us = q->held_us;
    out->left_us = q->left_us;
    out->window_opened_at_us = q->window_opened_at;
    out->resets_at_us = q->resets_at;
}

struct sl_span gw_wire_quota(struct sl_arena *arena, const struct gw_quota_facts *facts)
{
    Sluice__V1__GetQuotaResponse m = SLUICE__V1__GET_QUOTA_RESPONSE__INIT;
    pb_purse purses[GW_PURSES_MAX], *list[GW_PURSES_MAX];
    const struct gw_principal *who = facts->who;
    m.visitor = gw_wire_text(gw_principal_name(who));
    m.tier = gw_wire_text(facts->tier);
    m.app = gw_wire_text(who->app);
    m.organisation = gw_wire_text(who->organisation);
    m.admin = who->is_admin;
    m.left_us = facts->least.left_us;
    m.resets_at_us = facts->least.resets_at;
    m.in_flight = facts->least.in_flight;
    m.in_flight_max = facts->least.in_flight_max;
    m.sign_in_url = gw_wire_text(facts->sign_in_url);
    m.now_us = facts->now;
    m.purses = list;
    for (; m.n_purses < who->purse_count; m.n_purses++) {
        size_t i = m.n_purses;
        fill_purse(who->purses[i].account, &facts->purses[i], &purses[i]);
        list[i] = &purses[i];
    }
    return sl_pack(arena, &m.base);
}

/* ---- ListReceipts */

static bool fill_accounts(struct sl_arena *arena, const struct gw_receipt *r, pb_receipt *out)
{
    out->accounts = sl_arena_zero(arena, GW_PURSES_MAX, sizeof *out->accounts);
    for (size_t i = 0; out->accounts != NULL && i < r->account_count; i++)
        if ((out->accounts[out->n_accounts++] = gw_wire_copy(arena, r->accounts[i])) == NULL)
            return false;
    return out->accounts != NULL;
}

static bool fill_names(struct sl_arena *arena, const struct gw_receipt *r, pb_receipt *out)
{
    char id[SL_UUID_TEXT_LEN + 1];
    sl_text_format_uuid(r->call_id, id);
    out->call_id = sl_arena_str(arena, sl_span_str(id));
    out->tier = gw_wire_copy(arena, r->tier);
    out->organisation = gw_wire_copy(arena, r->organisation);
    out->app = gw_wire_copy(arena, r->app);
    out->model = gw_wire_copy(arena, r->model);
    out->size = gw_wire_copy(arena, r->size);
    out->node = gw_wire_copy(arena, r->node);
    out->idempotency_key = gw_wire_copy(arena, r->idempotency_key);
    return out->call_id != NULL && out->tier != NULL && out->organisation != NULL &&
           out->app != NULL && out->model != NULL && out->size != NULL && out->node != NULL &&
           out->idempotency_key != NULL;
}

static bool fill_receipt(struct sl_arena *arena, const struct gw_receipt *r, pb_receipt *out)
{
    sluice__v1__receipt__init(out);
    out->ended_at_us = r->ended_at;
    out->declared_us = r->declared_us;
    out->held_us = r->held_us;
    out->used_us = r->used_us;
    out->charged_us = r->charged_us;
    out->queue_us = r->queue_us;
    out->reason = gw_wire_text(sl_reason_name(r->reason));
    out->orphan = r->cause == GW_CAUSE_ORPHAN;
    return fill_accounts(arena, r, out) && fill_names(arena, r, out);
}

/* What this program cannot read is of a later one, or damaged: the log has said so when it was built. */
struct sl_span gw_wire_receipts(struct sl_arena *arena, const struct gw_store_answer *a,
                                bool keys_are_told)
{
    Sluice__V1__ListReceiptsResponse m = SLUICE__V1__LIST_RECEIPTS_RESPONSE__INIT;
    pb_receipt *items = sl_arena_zero(arena, a->row_count + 1, sizeof *items);
    m.receipts = sl_arena_zero(arena, a->row_count + 1, sizeof *m.receipts);
    if (items == NULL || m.receipts == NULL)
        return GW_WIRE_NOTHING;
    for (size_t i = 0; i < a->row_count; i++) {
        struct gw_receipt r;
        if (gw_receipt_decode(a->rows[i].receipt, &r) != SL_OK)
            continue;
        if (!keys_are_told)
            r.idempotency_key = sl_span_str("");
        if (!fill_receipt(arena, &r, &items[i]))
            return GW_WIRE_NOTHING;
        m.receipts[m.n_receipts++] = &items[i];
    }
    m.next_page = a->next_n;
    return sl_pack(arena, &m.base);
}

/* ---- GetCall, WatchCall, CancelCall */

typedef Sluice__V1__CallStatus pb_call;
#define SAME_STATE(name)                                                                           \
    _Static_assert((int)GW_CALL_##name == (int)SLUICE__V1__CALL_STATUS__STATE__STATE_##name,       \
                   "states are told by the numbers that they have here")
SAME_STATE(RECEIVING);
SAME_STATE(QUEUED);
SAME_STATE(DISPATCHED);
SAME_STATE(RUNNING);
SAME_STATE(ENDED);

struct sl_span gw_wire_call(struct sl_arena *arena, const struct gw_call_facts *facts)
{
    pb_call m = SLUICE__V1__CALL_STATUS__INIT;
    bool has_ended = facts->state == GW_CALL_ENDED;
    m.call_id = gw_wire_text(facts->call_id);
    m.state = (Sluice__V1__CallStatus__State)facts->state;
    m.model = gw_wire_copy(arena, facts->model);
    m.node = gw_wire_copy(arena, facts->node);
    m.position = (int64_t)facts->position;
    m.waiting = (int64_t)facts->waiting;
    m.eta_p50_us = facts->eta.p50_us;
    m.eta_p90_us = facts->eta.p90_us;
    m.delayed_by = gw_wire_text(facts->delayed_by);
    m.queue_us = facts->queue_us;
    m.run_us = facts->run_us;
    m.limit_us = facts->limit_us;
    m.reason = gw_wire_text(has_ended ? sl_reason_name(facts->reason) : "");
    m.text = gw_wire_text(facts->text);
    m.charged_us = facts->charged_us;
    m.ended_at_us = facts->ended_at;
    m.now_us = facts->now;
    return m.model != NULL && m.node != NULL ? sl_pack(arena, &m.base) : GW_WIRE_NOTHING;
}

/* ---- IssueVisitorToken */

struct sl_span gw_wire_visitor_token(struct sl_arena *arena,
                                     const struct gw_visitor_token_facts *facts)
{
    Sluice__V1__IssueVisitorTokenResponse m = SLUICE__V1__ISSUE_VISITOR_TOKEN_RESPONSE__INIT;
    m.token = gw_wire_text(facts->token);
    m.expires_at_us = facts->expires_at;
    m.account = gw_wire_text(facts->account);
    m.tier = gw_wire_text(facts->tier);
    return sl_pack(arena, &m.base);
}
