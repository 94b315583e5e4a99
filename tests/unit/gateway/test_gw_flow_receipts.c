/* test_gw_flow_receipts.c - what lasts: receipts before replies, windows before receipts, and executors may forget a
 * lease only when its receipt is there. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_base.h"
#include "sl_test.h"
#include "sl_text.h"

#define S SL_US_PER_S

enum { RECORD = 7 << 16 };

static struct gw_fleet_node *begin(struct fake_world *w)
{
    flow_begin(w);
    w->has_store = true;
    w->journal = 99;
    w->record = RECORD;
    flow_start(w);
    gw_flow_set_wall(w->flow, 1800000000 * S);
    return fake_join(w, "n1", 1, "m");
}

static struct gw_receipt receipt_of(const struct fake_entry *e)
{
    struct gw_receipt r;
    assert_int_equal(e->kind, GW_RECORD_RECEIPT);
    assert_ok(gw_receipt_decode(sl_span_of(e->bytes, e->len), &r));
    return r;
}

static struct fake_exchange *run_one(struct fake_world *w, struct gw_fleet_node *n)
{
    struct fake_exchange *e = fake_call(w, flow_request());
    sl_slot_id lease = w->sent[w->sent_count - 1].lease;
    fake_started(w, n, lease);
    fake_turn(w);
    gw_flow_set_wall(w->flow, 1800000001 * S);
    fake_result(w, n, lease, false);
    fake_turn(w);
    return e;
}

static void a_reply_waits_for_its_receipt(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e = run_one(&w, n);
    assert_int_equal(e->replies, 0);
    assert_int_equal(w.ack_count, 0);
    assert_int_equal(w.entry_count, 2); /* the window that opened, and the receipt */
    assert_int_equal(w.entries[0].kind, GW_RECORD_WINDOW);
    fake_stored(&w, 1, SL_OK);
    assert_int_equal(e->replies, 0);
    fake_stored(&w, 1, SL_OK);
    flow_assert_good_reply(e);
    assert_int_equal(w.ack_count, 1);
    assert_int_equal(w.acks[0], RECORD);
    flow_finish(&w);
}

static void a_receipt_tells_it_all(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e = run_one(&w, n);
    struct gw_receipt r = receipt_of(&w.entries[1]);
    char call_id[SL_UUID_TEXT_LEN + 1];
    sl_text_format_uuid(r.call_id, call_id);
    assert_string_equal(call_id, flow_trailer(e, "sluice-call-id"));
    assert_true(r.ended_at == 1800000001 * S);
    assert_int_equal(r.account_count, 1);
    assert_true(sl_span_eq_str(r.accounts[0], "ip:192.0.2.1"));
    assert_true(r.windows_opened_at[0] == 1800000000 * S);
    assert_true(r.app.len == 0 && r.organisation.len == 0);
    assert_true(sl_span_eq_str(r.model, "m"));
    assert_true(sl_span_eq_str(r.node, "n1"));
    assert_true(sl_span_eq_str(r.size, "large"));
    assert_true(r.declared_us == 60 * S && r.held_us == 60 * S);
    assert_true(r.used_us == 12345 && r.charged_us == 12345);
    assert_true(r.lease_journal == 99 && r.lease_record == RECORD);
    assert_int_equal(r.cause, GW_CAUSE_REASON);
    assert_int_equal(r.reason, SL_REASON_OK);
    fake_stored(&w, 2, SL_OK);
    flow_finish(&w);
}

static void a_receipt_names_app_and_organisation(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    w.who = &flow_member;
    run_one(&w, n);
    struct gw_receipt r = receipt_of(&w.entries[1]);
    assert_true(sl_span_eq_str(r.accounts[0], "user:idp#7"));
    assert_true(sl_span_eq_str(r.app, "demo"));
    assert_true(sl_span_eq_str(r.organisation, "Example Ltd."));
    fake_stored(&w, 2, SL_OK);
    flow_finish(&w);
}

static void a_refusal_leaves_none(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *e = fake_call(&w, flow_request_of("other", 0));
    fake_advance(&w, 10 * SL_NS_PER_S);
    flow_assert_replied(e, SL_REASON_MODEL_NOT_FOUND, NULL);
    assert_int_equal(w.entry_count, 0);
    flow_finish(&w);
}

static void nothing_begins_that_cannot_be_recorded(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    w.store_refuses = true;
    struct fake_exchange *e = fake_call(&w, flow_request());
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "nothing can be recorded now");
    assert_int_equal(w.sent_count, 0);
    flow_finish(&w);
}

static void a_receipt_without_room_waits_for_it(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    w.append_answer = SL_EFULL;
    struct fake_exchange *first = run_one(&w, n);
    w.record += 1 << 16;
    struct fake_exchange *second = run_one(&w, n);
    assert_int_equal(first->replies + second->replies, 0);
    w.append_answer = SL_OK;
    fake_turn(&w);
    assert_int_equal(w.entry_count, 2);
    assert_true(receipt_of(&w.entries[0]).lease_record == RECORD); /* in their order */
    assert_int_equal(w.ack_count, 0);
    fake_stored(&w, 1, SL_OK);
    flow_assert_good_reply(first);
    assert_int_equal(w.ack_count, 1);
    assert_int_equal(second->replies, 0);
    fake_stored(&w, 1, SL_OK);
    flow_assert_good_reply(second);
    assert_int_equal(w.ack_count, 2);
    flow_finish(&w);
}

/* Whoever asks gets his answer; the next run hears of the lease again. */
static void what_is_given_up_is_not_acknowledged(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e = run_one(&w, n);
    fake_stored(&w, 2, SL_EIO);
    flow_assert_good_reply(e);
    assert_int_equal(w.ack_count, 0);
    flow_finish(&w);
}

static void a_cancelled_calls_receipt_comes_with_its_slice(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[0].lease);
    fake_turn(&w);
    fake_event(&w, e, GW_EV_GONE);
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_leave(&w, e);
    assert_int_equal(w.entry_count, 1);
    assert_true(gw_flow_is_empty(w.flow) && !gw_flow_is_settled(w.flow));
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    assert_true(gw_flow_is_settled(w.flow));
    assert_int_equal(w.entry_count, 2);
    struct gw_receipt r = receipt_of(&w.entries[1]);
    assert_true(r.used_us == 777 && r.charged_us == 777);
    assert_int_equal(r.reason, SL_REASON_CANCELLED);
    assert_true(sl_span_eq_str(r.model, "m"));
    assert_int_equal(w.ack_count, 0);
    fake_stored(&w, 2, SL_OK);
    assert_int_equal(w.ack_count, 1);
    flow_finish(&w);
}

static void orphans_leave_receipts(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    const struct gw_ended ended = {.record = RECORD,
                                   .model = sl_span_str("m"),
                                   .held_us = 55,
                                   .reason = SL_REASON_OK,
                                   .ended_at = 1700000000 * S};
    w.append_answer = SL_EFULL;
    gw_flow_on_ended(w.flow, n, &ended); /* no room: it is told again */
    w.append_answer = SL_OK;
    fake_turn(&w);
    assert_int_equal(w.ack_count, 0);
    gw_flow_on_ended(w.flow, n, &ended);
    assert_int_equal(w.entry_count, 1);
    struct gw_receipt r = receipt_of(&w.entries[0]);
    assert_int_equal(r.cause, GW_CAUSE_ORPHAN);
    assert_true(r.used_us == 55 && r.charged_us == 0 && r.account_count == 0);
    gw_flow_on_ended(w.flow, n, &ended); /* told twice before it was stored */
    assert_int_equal(w.entry_count, 1);
    assert_int_equal(w.ack_count, 0);
    fake_stored(&w, 1, SL_OK);
    assert_int_equal(w.ack_count, 2);
    flow_finish(&w);
}

static void what_was_stored_is_known(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.has_store = true;
    w.journal = 99;
    flow_start(&w);
    assert_ok(gw_flow_note_lease(w.flow, 99, RECORD));
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    gw_flow_on_ended(w.flow, n, &(struct gw_ended){.record = RECORD, .held_us = 55});
    assert_int_equal(w.entry_count, 0);
    assert_int_equal(w.ack_count, 1);
    flow_finish(&w);
}

/* ---- a store that cannot be written, where the operator wants calls served */

static void who_need_not_wait_does_not(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    w.store_is_passed_by = true;
    struct fake_exchange *e = run_one(&w, n);
    flow_assert_good_reply(e);
    assert_int_equal(w.entry_count, 2);
    assert_int_equal(w.ack_count, 0); /* the node keeps the lease until it is stored */
    fake_leave(&w, e);
    fake_stored(&w, 2, SL_OK);
    assert_int_equal(w.ack_count, 1);
    flow_finish(&w);
}

static void who_waits_when_it_breaks_is_answered(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = run_one(&w, n);
    w.append_answer = SL_EFULL;
    struct fake_exchange *second = run_one(&w, n);
    assert_int_equal(first->replies + second->replies, 0);
    w.store_is_passed_by = true;
    fake_turn(&w);
    flow_assert_good_reply(first);
    flow_assert_good_reply(second);
    fake_leave(&w, second); /* its receipt waits on */
    assert_false(gw_flow_is_settled(w.flow));
    w.store_is_passed_by = false;
    w.append_answer = SL_OK;
    fake_turn(&w);
    assert_int_equal(w.entry_count, 3);
    fake_stored(&w, 3, SL_OK);
    assert_int_equal(first->replies, 1);
    assert_int_equal(w.ack_count, 2);
    flow_finish(&w);
}

static void beyond_the_room_for_receipts_nothing_begins(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    w.store_is_passed_by = true;
    w.append_answer = SL_EFULL;
    flow_assert_good_reply(run_one(&w, n));
    flow_assert_replied(fake_call(&w, flow_request()), SL_REASON_NO_CAPACITY,
                        "what calls cost cannot be recorded now, and there is no room left to "
                        "remember it until it can; please try again later");
    w.append_answer = SL_OK;
    fake_turn(&w);
    flow_assert_good_reply(run_one(&w, n));
    fake_stored(&w, 3, SL_OK);
    flow_finish(&w);
}

/* Nodes keep what is not acknowledged: there is a limit to what is. */
static void leases_that_wait_to_be_acknowledged_are_limited(void **state SL_UNUSED)
{
    enum { LIMIT = 4 * 32 / 2 };
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    w.store_is_passed_by = true;
    for (int i = 0; i <= LIMIT; i++, w.record += 1 << 16) {
        struct fake_exchange *e = run_one(&w, n);
        flow_assert_good_reply(e);
        fake_leave(&w, e);
    }
    flow_assert_replied(
        fake_call(&w, flow_request()), SL_REASON_NO_CAPACITY,
        "65 leases wait until their receipts are stored, and the limit is 64; please "
        "try again in a second");
    fake_stored(&w, w.entry_count, SL_OK);
    assert_int_equal(w.ack_count, LIMIT + 1);
    w.store_is_passed_by = false;
    run_one(&w, n);
    fake_stored(&w, 1, SL_OK);
    flow_finish(&w);
}

/* ---- cancelled where it is */

static void a_cancel_leaves_one_receipt_in_any_state(void **state SL_UNUSED)
{
    static const struct {
        enum gw_call_state state;
        bool is_started;
        int64_t used_us;
    } cases[] = {{GW_CALL_QUEUED, false, 0},
                 {GW_CALL_DISPATCHED, false, 0},
                 {GW_CALL_DISPATCHED, true, 777}, /* before its node had said so */
                 {GW_CALL_RUNNING, true, 777}};
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        struct fake_world w;
        struct gw_fleet_node *n = begin(&w);
        n->is_draining = cases[i].state == GW_CALL_QUEUED;
        struct fake_exchange *e = fake_call(&w, flow_request());
        if (cases[i].state == GW_CALL_RUNNING)
            fake_started(&w, n, w.sent[0].lease);
        assert_int_equal(flow_in_state(&w, cases[i].state), 1);
        fake_event(&w, e, GW_EV_GONE);
        if (w.sent_count > 0)
            fake_failure(&w, n, w.sent[0].lease, cases[i].is_started, SL_REASON_CANCELLED, "");
        fake_turn(&w);
        fake_stored(&w, w.entry_count, SL_OK);
        flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
        struct gw_receipt r = receipt_of(&w.entries[w.entry_count - 1]);
        assert_true(r.used_us == cases[i].used_us && r.charged_us == cases[i].used_us);
        assert_int_equal(r.reason, SL_REASON_CANCELLED);
        assert_int_equal(r.lease_record, cases[i].is_started ? RECORD : 0);
        assert_int_equal(w.ack_count, cases[i].is_started);
        flow_finish(&w);
    }
}

static void a_cancel_while_a_receipt_is_stored_changes_nothing(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e = run_one(&w, n);
    fake_event(&w, e, GW_EV_GONE);
    assert_int_equal(e->replies, 0);
    fake_stored(&w, 2, SL_OK);
    flow_assert_good_reply(e);
    assert_int_equal(w.entry_count, 2);
    flow_finish(&w);
}

/* The gateway stops: what waits is answered when the store has closed, stored or not. */
static void replies_that_wait_leave_at_the_end(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *waits = run_one(&w, n), *runs = fake_call(&w, flow_request());
    fake_started(&w, n, w.sent[1].lease);
    gw_flow_refuse(w.flow);
    gw_flow_end_all(w.flow, w.now);
    assert_int_equal(waits->replies, 0);
    flow_assert_replied(runs, SL_REASON_DRAINING, NULL); /* it owes until its slice is free */
    fake_stored(&w, w.entry_count, SL_EIO);
    flow_assert_good_reply(waits);
    w.append_answer = SL_EIO;
    fake_failure(&w, n, w.sent[1].lease, true, SL_REASON_CANCELLED, "");
    assert_int_equal(w.ack_count, 0); /* the next run hears of both */
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_waits_for_its_receipt),
        cmocka_unit_test(a_receipt_tells_it_all),
        cmocka_unit_test(a_receipt_names_app_and_organisation),
        cmocka_unit_test(a_refusal_leaves_none),
        cmocka_unit_test(nothing_begins_that_cannot_be_recorded),
        cmocka_unit_test(a_receipt_without_room_waits_for_it),
        cmocka_unit_test(what_is_given_up_is_not_acknowledged),
        cmocka_unit_test(a_cancelled_calls_receipt_comes_with_its_slice),
        cmocka_unit_test(orphans_leave_receipts),
        cmocka_unit_test(what_was_stored_is_known),
        cmocka_unit_test(who_need_not_wait_does_not),
        cmocka_unit_test(who_waits_when_it_breaks_is_answered),
        cmocka_unit_test(beyond_the_room_for_receipts_nothing_begins),
        cmocka_unit_test(leases_that_wait_to_be_acknowledged_are_limited),
        cmocka_unit_test(a_cancel_leaves_one_receipt_in_any_state),
        cmocka_unit_test(a_cancel_while_a_receipt_is_stored_changes_nothing),
        cmocka_unit_test(replies_that_wait_leave_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
