/* gw_receipts.c - what lasts of a call: its receipt goes to the store, and what waits for that goes on when it is there.
 *
 *   settled > [receipt] > append ... stored > reply, and the executor may forget the lease
 *
 * Receipts are numbered as they are made, and stored in that order. One that finds no room in the store's queue waits
 * in its call, those made after it behind it. What the store gave up is answered, and never acknowledged. While nothing
 * can be stored and `store.when_broken` is `serve`, nobody waits, and receipts gather until there is no room for more.
 */
#include <inttypes.h>
#include <string.h>
#include <utlist.h>

#include "gw_kept.h"
#include "gw_receipt_code.h"
#include "sl_log.h"

static bool is_kept(const struct gw_flow *f)
{
    return f->ports.store.append != NULL;
}

/* ---- windows come before the receipts that name them */

static sl_status keep_opening(struct gw_flow *f, const struct gw_account_row *row)
{
    uint8_t bytes[GW_RECORD_BYTES_MAX];
    size_t len;
    const struct gw_record r = {
        .kind = GW_RECORD_WINDOW,
        .window = {.account = row->name, .opened_at = row->window_opened_at},
    };
    sl_status s = gw_record_encode(&r, bytes, &len);
    if (s != SL_OK)
        return s;
    return f->ports.store.append(f->ports.store.ctx, GW_RECORD_WINDOW, sl_span_of(bytes, len), 0);
}

/* One for which there is no room is not lost: a receipt opens the window that it names. */
static void keep_openings(struct gw_flow *f)
{
    struct gw_account_row row;
    while (gw_ledger_next_opened(f->ledger, &row))
        if (keep_opening(f, &row) != SL_OK)
            return;
}

/* ---- receipts */

static void fill_purses(const struct gw_call *c, struct gw_receipt *r)
{
    r->account_count = c->who.purse_count;
    for (size_t i = 0; i < r->account_count; i++) {
        r->accounts[i] = sl_span_str(c->who.purses[i].account);
        r->windows_opened_at[i] = c->settled.windows_opened_at[i];
    }
}

static void fill(const struct gw_flow *f, const struct gw_call *c, struct gw_receipt *r)
{
    bool was_started = c->usage.was_started;
    *r = (struct gw_receipt){
        .ended_at = c->ended_wall,
        .tier = sl_span_str(f->conf.tiers->tiers[c->who.tier].name),
        .organisation = sl_span_str(c->who.organisation),
        .app = sl_span_str(c->who.app),
        .model = sl_span_str(c->model->spec.name),
        .size = sl_span_str(gw_money_size(f, c)->name),
        .node = sl_span_str(c->node),
        .idempotency_key = gw_idem_key(f->idem, c->entry),
        .declared_us = c->limit_us,
        .held_us = c->settled.held_us,
        .used_us = was_started ? c->usage.used_us : 0,
        .charged_us = c->settled.charged_us,
        .queue_us = gw_call_queue_us(c),
        .lease_journal = c->lease_journal,
        .lease_record = c->lease_record,
        .reason = c->usage.reason,
    };
    memcpy(r->call_id, c->name.id, sizeof r->call_id);
    fill_purses(c, r);
}

static sl_status append(struct gw_flow *f, const struct gw_receipt *r, uint64_t ticket)
{
    uint8_t bytes[GW_RECEIPT_BYTES_MAX];
    size_t len;
    keep_openings(f);
    sl_status s = gw_receipt_encode(r, bytes, sizeof bytes, &len);
    if (s != SL_OK)
        return s;
    return f->ports.store.append(f->ports.store.ctx, GW_RECORD_RECEIPT, sl_span_of(bytes, len),
                                 ticket);
}

static bool may_pass(sl_status s)
{
    return s == SL_EFULL || s == SL_ENOMEM;
}

static sl_status append_of(struct gw_flow *f, const struct gw_call *c)
{
    struct gw_receipt r;
    fill(f, c, &r);
    sl_status s = append(f, &r, c->id);
    if (s != SL_OK && !may_pass(s))
        sl_log(SL_LOG_ERROR, "a receipt was not kept", SL_S("call", c->call_id),
               SL_S("why", sl_status_text(s)));
    return s;
}

/* ---- replies wait for them, while the operator wants it so */

static bool must_wait(const struct gw_flow *f)
{
    return f->ports.store.must_wait(f->ports.store.ctx);
}

static bool is_answered(const struct gw_call *c)
{
    return c->exchange == NULL || c->exchange->flow_replied;
}

static void reply_now(struct gw_flow *f, struct gw_call *c)
{
    if (!is_answered(c))
        gw_call_reply(f, c);
    gw_kept_conclude(f, c);
}

bool gw_receipts_hold_reply(const struct gw_flow *f, const struct gw_call *c)
{
    return c->awaits_store || (c->awaits_room && must_wait(f));
}

/* What came of its receipt; lost: nobody will store it. */
static void go_on(struct gw_flow *f, struct gw_call *c, sl_status s)
{
    bool is_wanted = !is_answered(c) || gw_kept_is_open(c); /* others may wait for its outcome */
    c->awaits_store = s == SL_OK && is_wanted && must_wait(f);
    c->awaits_room = may_pass(s);
    f->receipts_lost |= s != SL_OK && !c->awaits_room;
    if (c->awaits_store)
        DL_APPEND2(f->store_waiting, c, room_prev, room_next);
    else if (c->awaits_room)
        DL_APPEND2(f->receipts_waiting, c, room_prev, room_next);
}

void gw_receipts_leave(struct gw_flow *f, struct gw_call *c)
{
    if (!is_kept(f))
        return;
    f->receipts_made++;
    go_on(f, c, f->receipts_waiting != NULL ? SL_EFULL : append_of(f, c));
}

static void stop_waiting_for_store(struct gw_flow *f, struct gw_call *c)
{
    c->awaits_store = false;
    DL_DELETE2(f->store_waiting, c, room_prev, room_next);
    reply_now(f, c);
    gw_call_let_go(f, c);
}

/* The file cannot be written, and calls are served nevertheless. */
static void answer_all(struct gw_flow *f)
{
    struct gw_call *c;
    while ((c = f->store_waiting) != NULL)
        stop_waiting_for_store(f, c);
    DL_FOREACH2(f->receipts_waiting, c, room_next)
    reply_now(f, c);
}

bool gw_receipts_leave_orphan(struct gw_flow *f, const struct gw_fleet_node *node, uint64_t journal,
                              const struct gw_ended *ended)
{
    struct gw_receipt r = {
        .ended_at = ended->ended_at != 0 ? ended->ended_at : f->wall_now,
        .model = ended->model,
        .node = sl_span_str(node->name),
        .used_us = ended->held_us,
        .lease_journal = journal,
        .lease_record = ended->record,
        .cause = GW_CAUSE_ORPHAN,
        .reason = ended->reason,
    };
    if (!is_kept(f))
        return true;
    memcpy(r.call_id, ended->call_id, sizeof r.call_id);
    if (f->receipts_waiting != NULL || append(f, &r, GW_TICKET_ORPHAN) != SL_OK)
        return false;
    f->receipts_made++;
    return true;
}

/* ---- acknowledgements wait for the receipts made before them */

static void acknowledge(struct gw_flow *f, const struct gw_pending_ack *a)
{
    struct gw_fleet_node *node = gw_fleet_node_by_session(f->fleet, a->session);
    if (node != NULL)
        f->ports.link.acknowledge(f->ports.link.ctx, node, a->record);
}

static void acknowledge_due(struct gw_flow *f)
{
    while (f->ack_count > 0 && f->acks[f->ack_first].after <= f->receipts_stored) {
        acknowledge(f, &f->acks[f->ack_first]);
        f->ack_first = (f->ack_first + 1) % f->ack_max;
        f->ack_count--;
    }
}

/* Beyond the bound its node tells the lease again in its next session. */
void gw_receipts_acknowledge(struct gw_flow *f, const struct gw_fleet_node *node, uint64_t record)
{
    if (f->receipts_lost || f->ack_count == f->ack_max)
        return;
    f->acks[(f->ack_first + f->ack_count++) % f->ack_max] =
        (struct gw_pending_ack){f->receipts_made, node->session, record};
    acknowledge_due(f);
}

/* ---- the store has answered */

void gw_flow_on_stored(struct gw_flow *f, uint64_t ticket, sl_status outcome)
{
    if (ticket == 0)
        return;
    if (ticket != GW_TICKET_ORPHAN && (ticket & GW_TICKET_INQUIRY) != 0) {
        gw_inquiries_on_stored(f, ticket, outcome);
        return;
    }
    f->receipts_lost |= outcome != SL_OK;
    f->receipts_stored += !f->receipts_lost;
    struct gw_call *c = ticket == GW_TICKET_ORPHAN ? NULL : gw_call_find(f, ticket);
    if (c != NULL && c->awaits_store)
        stop_waiting_for_store(f, c);
    acknowledge_due(f);
}

/* Its receipt has a place, or is lost. */
static void end_waiting_for_room(struct gw_flow *f, struct gw_call *c, sl_status s)
{
    DL_DELETE2(f->receipts_waiting, c, room_prev, room_next);
    go_on(f, c, s);
    if (!c->awaits_store)
        reply_now(f, c);
    gw_call_let_go(f, c);
}

static void retry(struct gw_flow *f)
{
    for (struct gw_call *c; (c = f->receipts_waiting) != NULL;) {
        sl_status s = append_of(f, c);
        if (may_pass(s))
            return;
        end_waiting_for_room(f, c, s);
    }
}

void gw_receipts_turn(struct gw_flow *f)
{
    if (!is_kept(f))
        return;
    retry(f);
    keep_openings(f);
    if ((f->store_waiting != NULL || f->receipts_waiting != NULL) && !must_wait(f))
        answer_all(f);
}

/* ---- may more begin? */

/* Whoever need not wait for the store is held up by nothing else. */
static bool is_store_passed_by_too_far(const struct gw_flow *f)
{
    return f->receipts_waiting != NULL && !must_wait(f);
}

bool gw_receipts_may_admit(struct gw_flow *f, struct sl_error *err)
{
    if (!is_kept(f))
        return true;
    if (!f->ports.store.may_admit(f->ports.store.ctx, err))
        return false;
    if (is_store_passed_by_too_far(f))
        sl_error_set(
            err, SL_REASON_NO_CAPACITY,
            "what calls cost cannot be recorded now, and there is no room left to remember "
            "it until it can; please try again later");
    else if (f->ack_count > f->ack_max / 2)
        sl_error_set(
            err, SL_REASON_NO_CAPACITY,
            "%zu leases wait until their receipts are stored, and the limit is %zu; please "
            "try again in a second",
            f->ack_count, f->ack_max / 2);
    else
        return true;
    return false;
}
