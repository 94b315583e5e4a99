/* test_gw_flow_kept.c - the same call twice: run once, charged once, answered alike; and results that are kept. */
#include "fail_alloc.h"
#include "flow_rig.h"
#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_log.h"
#include "sl_test.h"

#define S SL_US_PER_S

static const sl_wall_us noon = 1800000000 * S;

static struct gw_fleet_node *start(struct fake_world *w)
{
    flow_start(w);
    gw_flow_set_wall(w->flow, noon);
    return fake_join(w, "n1", 1, "m");
}

static struct gw_fleet_node *begin(struct fake_world *w)
{
    flow_begin(w);
    return start(w);
}

/* Large ones are whatever has more than nothing. */
static struct gw_fleet_node *begin_with_disk(struct fake_world *w)
{
    flow_begin(w);
    w->conf.results.in_memory.one_bytes = 15;
    w->has_disk = true;
    return start(w);
}

static struct fake_exchange *call_with(struct fake_world *w, const char *key, const char *ending,
                                       struct gw_body *body)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    if (key != NULL)
        e->x.req.idempotency_key = sl_span_str(key);
    if (ending != NULL)
        e->x.req.on_disconnect = sl_span_str(ending);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, body);
    fake_turn(w);
    return e;
}

static struct fake_exchange *call(struct fake_world *w, const char *key)
{
    return call_with(w, key, NULL, flow_request());
}

static void lose(struct fake_world *w, struct fake_exchange *e)
{
    e->x.is_disconnect = true;
    fake_event(w, e, GW_EV_GONE);
}

static void reset(struct fake_world *w, struct fake_exchange *e)
{
    fake_event(w, e, GW_EV_GONE);
}

static sl_gpu_us spent(struct fake_world *w)
{
    const struct gw_principal who = {.purse_count = 1, .purses = {{"ip:192.0.2.1", GW_FACTOR_ONE}}};
    struct gw_quota q;
    gw_ledger_quota(gw_flow_ledger(w->flow), &who, w->conf.tiers, noon + S, &q);
    return q.spent_us;
}

static void assert_told_alike(const struct fake_exchange *a, const struct fake_exchange *b)
{
    static const char *const names[] = {"sluice-call-id",    "sluice-charged-ms", "sluice-queue-ms",
                                        "sluice-exec-ms",    "sluice-node",       "sluice-visitor",
                                        "sluice-fetch-token"};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        assert_non_null(flow_trailer(a, names[i]));
        assert_non_null(flow_trailer(b, names[i]));
        assert_string_equal(flow_trailer(a, names[i]), flow_trailer(b, names[i]));
    }
}

/* ---- twice */

static void the_second_waits_for_the_first(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k");
    assert_int_equal(w.sent_count, 1);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(first);
    flow_assert_good_reply(second);
    assert_told_alike(first, second);
    assert_string_equal(flow_trailer(second, "sluice-charged-ms"), "12.345");
    assert_int_equal(spent(&w), 12345);
    flow_finish(&w);
}

static void who_comes_later_gets_what_was_kept(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k");
    fake_result(&w, n, w.sent[0].lease, true);
    fake_advance(&w, 599 * SL_NS_PER_S);
    struct fake_exchange *second = call(&w, "k");
    flow_assert_good_reply(second);
    assert_told_alike(first, second);
    fake_leave(&w, first);
    assert_int_equal(w.releases, 1); /* what the node lent goes with the first reply */
    flow_assert_good_reply(second);
    fake_advance(&w, SL_NS_PER_S);
    struct fake_exchange *third = call(&w, "k"); /* as if it had never been */
    assert_int_equal(third->replies, 0);
    assert_int_equal(w.sent_count, 2);
    flow_assert_good_reply(second); /* although it is forgotten */
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_key_stands_for_one_request(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *first = call(&w, "k");
    struct fake_exchange *other = call_with(&w, "k", NULL, flow_request_of("m", 1));
    char text[256];
    snprintf(text, sizeof text,
             "idempotency-key 'k' was used with another request, by call %s: a key stands for one "
             "request",
             w.sent[0].call_id);
    flow_assert_replied(other, SL_REASON_ALREADY_EXISTS, text);
    assert_string_equal(flow_trailer(other, "sluice-charged-ms"), "0.000");
    assert_null(flow_trailer(other, "sluice-fetch-token"));
    assert_int_equal(first->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void keys_have_a_form(void **state SL_UNUSED)
{
    struct fake_world w;
    char longest[257];
    begin(&w);
    memset(longest, 'x', sizeof longest - 1);
    longest[256] = '\0';
    flow_assert_replied(call(&w, ""), SL_REASON_BAD_INPUT,
                        "idempotency-key has 0 bytes; it may have 1 to 255");
    flow_assert_replied(call(&w, longest), SL_REASON_BAD_INPUT,
                        "idempotency-key has 256 bytes; it may have 1 to 255");
    flow_assert_replied(call(&w, "a b"), SL_REASON_BAD_INPUT,
                        "idempotency-key 'a b' holds a byte that is not visible ASCII");
    assert_int_equal(call(&w, longest + 1)->replies, 0);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_name_is_one_calls(void **state SL_UNUSED)
{
    static const char id[] = "0190c2a4-0000-4000-8000-000000000001";
    struct fake_world w;
    struct fake_exchange *e[2];
    begin(&w);
    for (int i = 0; i < 2; i++) {
        e[i] = fake_exchange(&w, GW_METHOD_MODEL_INFER);
        e[i]->x.req.call_id = sl_span_str(id);
        e[i]->x.req.idempotency_key = sl_span_str(i == 0 ? "k" : "l");
        fake_event(&w, e[i], GW_EV_OPEN);
        fake_message(&w, e[i], flow_request());
    }
    flow_assert_replied(
        e[1], SL_REASON_ALREADY_EXISTS,
        "sluice-call-id 0190c2a4-0000-4000-8000-000000000001 is the name of another call");
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void so_many_may_wait(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *e[18];
    for (int i = 0; i < 18; i++)
        e[i] = call(&w, "k");
    flow_assert_replied(
        e[17], SL_REASON_QUEUE_FULL,
        "16 calls with this idempotency-key wait for the first one, which is the limit");
    fake_result(&w, n, w.sent[0].lease, false);
    for (int i = 0; i < 17; i++)
        flow_assert_good_reply(e[i]);
    flow_finish(&w);
}

/* ---- whose caller leaves */

static void a_key_outlives_its_connection(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k");
    lose(&w, first);
    struct fake_exchange *second = call(&w, "k");
    lose(&w, second);
    flow_assert_replied(second, SL_REASON_CANCELLED, NULL);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_leave(&w, first);
    flow_assert_good_reply(call(&w, "k"));
    assert_int_equal(w.sent_count, 1);
    assert_int_equal(w.cancel_count, 0);

    struct fake_exchange *said = call_with(&w, "l", "cancel", flow_request());
    lose(&w, said);
    flow_assert_replied(said, SL_REASON_CANCELLED, NULL);
    flow_finish(&w);
}

static void it_goes_on_while_anybody_waits(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k"), *third = call(&w, "k");
    fake_started(&w, n, w.sent[0].lease);
    reset(&w, first);
    reset(&w, second);
    flow_assert_replied(second, SL_REASON_CANCELLED, NULL);
    assert_int_equal(first->replies + third->replies, 0);
    assert_int_equal(w.cancel_count, 0);
    reset(&w, third); /* the last one */
    flow_assert_replied(third, SL_REASON_CANCELLED, NULL);
    flow_assert_replied(first, SL_REASON_CANCELLED, "all who waited for the call have gone");
    assert_int_equal(w.cancel_count, 1);
    flow_finish(&w);
}

static struct fake_exchange *call_until(struct fake_world *w, const char *key, sl_mono_ns at)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.idempotency_key = sl_span_str(key);
    e->x.req.deadline_at = at;
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static void deadlines_are_ones_own(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call_until(&w, "k", w.now + 5 * SL_NS_PER_S);
    struct fake_exchange *second = call_until(&w, "k", w.now + 3 * SL_NS_PER_S);
    struct fake_exchange *third = call_until(&w, "k", w.now + 9 * SL_NS_PER_S);
    fake_started(&w, n, w.sent[0].lease);
    fake_advance(&w, 3 * SL_NS_PER_S);
    flow_assert_replied(second, SL_REASON_DEADLINE_EXCEEDED, NULL);
    fake_advance(&w, 3 * SL_NS_PER_S);
    assert_int_equal(w.cancel_count, 0); /* the third one waits */
    struct fake_exchange *fourth = call_until(&w, "k", w.now + 60 * SL_NS_PER_S);
    fake_advance(&w, 3 * SL_NS_PER_S);
    flow_assert_replied(third, SL_REASON_DEADLINE_EXCEEDED, NULL);
    assert_int_equal(w.cancel_count, 0);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(fourth);
    assert_int_equal(first->replies, 1);
    flow_finish(&w);
}

static void the_last_ones_deadline_ends_it(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *first = call_until(&w, "k", w.now + 2 * SL_NS_PER_S);
    struct fake_exchange *second = call_until(&w, "k", w.now + 4 * SL_NS_PER_S);
    fake_advance(&w, 3 * SL_NS_PER_S);
    assert_int_equal(first->replies, 0);
    fake_advance(&w, SL_NS_PER_S);
    flow_assert_replied(first, SL_REASON_DEADLINE_EXCEEDED, NULL);
    flow_assert_replied(second, SL_REASON_DEADLINE_EXCEEDED, NULL);
    flow_finish(&w);
}

/* Its connection was lost, which it outlives; its deadline is not. */
static void a_deadline_holds_for_who_has_gone_too(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *first = call_until(&w, "k", w.now + 2 * SL_NS_PER_S);
    lose(&w, first);
    struct fake_exchange *second = call_until(&w, "k", w.now + 4 * SL_NS_PER_S);
    fake_advance(&w, 2 * SL_NS_PER_S);
    assert_int_equal(first->replies, 0);
    reset(&w, second);
    flow_assert_replied(second, SL_REASON_CANCELLED, NULL);
    flow_assert_replied(first, SL_REASON_DEADLINE_EXCEEDED, NULL);

    first = call_until(&w, "l", w.now + 9 * SL_NS_PER_S);
    lose(&w, first);
    reset(&w, call(&w, "l"));
    assert_int_equal(first->replies, 0); /* it is still to be asked for */
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* ---- how the first one ended */

static void what_cost_nothing_runs_again(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k");
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_DEVICE_FAULT, "the device");
    flow_assert_replied(first, SL_REASON_DEVICE_FAULT, "the device");
    flow_assert_replied(second, SL_REASON_DEVICE_FAULT, "the device");
    assert_null(flow_trailer(second, "sluice-fetch-token"));
    struct fake_exchange *retry = call(&w, "k");
    assert_int_equal(w.sent_count, 2);
    fake_result(&w, n, w.sent[1].lease, false);
    flow_assert_good_reply(retry);
    flow_finish(&w);
}

static void a_failure_that_was_charged_is_the_outcome(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k");
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_MODEL_ERROR, "no");
    struct fake_exchange *retry = call(&w, "k");
    flow_assert_replied(retry, SL_REASON_MODEL_ERROR, "no");
    assert_string_equal(flow_trailer(retry, "sluice-charged-ms"), "0.777");
    assert_string_equal(flow_trailer(retry, "sluice-call-id"),
                        flow_trailer(first, "sluice-call-id"));
    assert_int_equal(w.sent_count, 1);
    flow_finish(&w);
}

static void a_refusal_is_for_all_who_wait_and_no_longer(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct fake_exchange *e = call_with(&w, "k", NULL, flow_request_of("none", 0));
    flow_assert_replied(e, SL_REASON_MODEL_NOT_FOUND, NULL);
    call(&w, "k"); /* even with another body */
    assert_int_equal(w.sent_count, 1);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

/* Its caller has been answered; what it costs is not known yet. */
static void who_comes_while_it_owes_waits_for_the_price(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    struct fake_exchange *first = call(&w, "k"), *second;
    fake_started(&w, n, w.sent[0].lease);
    reset(&w, first);
    flow_assert_replied(first, SL_REASON_CANCELLED, NULL);
    fake_leave(&w, first);
    second = call(&w, "k");
    assert_int_equal(second->replies, 0);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    flow_assert_replied(second, SL_REASON_CANCELLED, NULL);
    assert_string_equal(flow_trailer(second, "sluice-charged-ms"), "0.777");
    assert_int_equal(w.sent_count, 1);
    flow_finish(&w);
}

static size_t receipts_with_key(struct fake_world *w, const char *key)
{
    size_t count = 0;
    struct gw_receipt r;
    for (size_t i = 0; i < w->entry_count; i++) {
        const struct fake_entry *e = &w->entries[i];
        if (e->kind != GW_RECORD_RECEIPT)
            continue;
        assert_ok(gw_receipt_decode(sl_span_of(e->bytes, e->len), &r));
        count += sl_span_eq_str(r.idempotency_key, key);
    }
    return count;
}

static void all_wait_for_one_receipt(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.has_store = true;
    struct gw_fleet_node *n = start(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k");
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    struct fake_exchange *third = call(&w, "k"); /* it has ended, but not for good */
    assert_int_equal(first->replies + second->replies + third->replies, 0);
    fake_stored(&w, 100, SL_OK);
    flow_assert_good_reply(first);
    flow_assert_good_reply(second);
    flow_assert_good_reply(third);
    assert_int_equal(receipts_with_key(&w, "k"), 1);
    flow_finish(&w);
}

/* ---- what is kept, and what is not any more */

static void what_is_gone_is_told_and_never_run_again(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w);
    static const char *const keys[] = {"1", "2", "3", "4", "5"}; /* of which there is room for 4 */
    for (size_t i = 0; i < SL_ARRAY_LEN(keys); i++) {
        call(&w, keys[i]);
        fake_result(&w, n, w.sent[i].lease, false);
        fake_turn(&w);
    }
    struct fake_exchange *e = call(&w, "1");
    char text[256];
    snprintf(text, sizeof text,
             "call %s has run: it ended with OK at 2027-01-15T08:00:00Z and was charged 12.345 ms; "
             "its result is not kept any more",
             w.sent[0].call_id);
    flow_assert_replied(e, SL_REASON_RESULT_GONE, text);
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "12.345");
    assert_string_equal(flow_trailer(e, "sluice-call-id"), w.sent[0].call_id);
    flow_assert_good_reply(call(&w, "2"));
    assert_int_equal(w.sent_count, 5);
    flow_finish(&w);
}

static void a_large_one_is_shared_but_not_kept(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin_with_disk(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k");
    fake_result(&w, n, w.sent[0].lease, true);
    flow_assert_good_reply(second);
    fake_leave(&w, first);
    assert_int_equal(w.releases, 0);
    flow_assert_good_reply(second);
    fake_leave(&w, second);
    assert_int_equal(w.releases, 1);
    assert_int_equal(w.file_count, 0);
    flow_assert_replied(call(&w, "k"), SL_REASON_RESULT_GONE, NULL);
    flow_finish(&w);
}

static void a_large_one_goes_to_disk_for_who_asks(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin_with_disk(&w);
    struct fake_exchange *first = call_with(&w, "k", "keep", flow_request());
    fake_result(&w, n, w.sent[0].lease, true);
    assert_int_equal(w.file_count, 1);
    struct fake_exchange *meanwhile = call(&w, "k");
    flow_assert_good_reply(meanwhile); /* from where it lies */
    fake_leave(&w, first);
    fake_errands(&w);
    assert_int_equal(w.releases, 0);
    flow_assert_good_reply(meanwhile);
    fake_leave(&w, meanwhile);
    assert_int_equal(w.releases, 1);
    struct fake_exchange *later = call(&w, "k");
    assert_int_equal(later->replies, 0);
    fake_errands(&w);
    flow_assert_good_reply(later);
    assert_string_equal(flow_trailer(later, "sluice-charged-ms"), "12.345");
    struct fake_exchange *gone = call(&w, "k"); /* whose caller leaves while it is read */
    reset(&w, gone);
    fake_leave(&w, gone);
    fake_errands(&w);
    flow_finish(&w);
}

static void a_disk_that_fails_loses_the_result_alone(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin_with_disk(&w);
    struct fake_exchange *first = call_with(&w, "k", "keep", flow_request());
    fake_result(&w, n, w.sent[0].lease, true);
    w.disk_answer = SL_EIO;
    fake_errands(&w);
    flow_assert_good_reply(first);
    flow_assert_replied(call(&w, "k"), SL_REASON_RESULT_GONE, NULL);
    fake_leave(&w, first);
    assert_int_equal(w.file_count, 0);
    assert_int_equal(w.releases, 1);

    w.disk_answer = SL_OK;
    struct fake_exchange *second = call_with(&w, "l", "keep", flow_request());
    fake_result(&w, n, w.sent[1].lease, false);
    fake_errands(&w);
    fake_leave(&w, second);
    struct fake_exchange *e = call(&w, "l");
    w.disk_answer = SL_EIO;
    fake_errands(&w);
    flow_assert_replied(e, SL_REASON_NO_CAPACITY, "the result that was kept cannot be read now");
    flow_finish(&w);
}

static void the_oldest_leave_the_disk(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin_with_disk(&w);
    for (size_t i = 0; i < 12; i++) { /* of 16 bytes; there is room for 9 of a visitor's */
        struct fake_exchange *e = call_with(&w, NULL, "keep", flow_request());
        fake_result(&w, n, w.sent[i].lease, false);
        fake_leave(&w, e);
        fake_errands(&w);
        fake_turn(&w);
    }
    assert_int_equal(w.file_count, 9);
    flow_finish(&w);
}

static void the_oldest_files_make_room(void **state SL_UNUSED)
{
    struct fake_world w;
    static const char *const keys[] = {"1", "2", "3"};
    struct gw_fleet_node *n = begin_with_disk(&w);
    w.file_max = 2;
    for (size_t i = 0; i < SL_ARRAY_LEN(keys); i++) {
        struct fake_exchange *e = call_with(&w, keys[i], "keep", flow_request());
        fake_result(&w, n, w.sent[i].lease, false);
        fake_leave(&w, e);
        fake_errands(&w);
        fake_turn(&w);
    }
    flow_assert_replied(call(&w, "1"), SL_REASON_RESULT_GONE, NULL);
    struct fake_exchange *kept[] = {call(&w, "2"), call(&w, "3")};
    fake_errands(&w);
    flow_assert_good_reply(kept[0]);
    flow_assert_good_reply(kept[1]);
    w.file_max = 0;
    flow_finish(&w);
}

/* ---- digests of large requests take their time */

static void a_digest_may_come_later(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.digests_later = true;
    struct gw_fleet_node *n = start(&w);
    struct fake_exchange *first = call(&w, "k"), *second = call(&w, "k"), *gone = call(&w, "k");
    assert_int_equal(w.sent_count, 0);
    reset(&w, gone);
    flow_assert_replied(gone, SL_REASON_CANCELLED, NULL);
    fake_leave(&w, gone);
    fake_errands(&w);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 1);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(first);
    flow_assert_good_reply(second);
    struct fake_exchange *unlucky = call(&w, "l");
    w.disk_answer = SL_EIO;
    fake_errands(&w);
    flow_assert_replied(unlucky, SL_REASON_NO_CAPACITY, "the request's digest could not be made");
    flow_finish(&w);
}

/* ---- memory */

/* Two at once, one later, one that is refused, one whose caller has gone; any step may meet a failed allocation. */
static void whole_story(const struct sl_alloc *alloc, bool has_disk)
{
    struct fake_world w;
    struct fake_exchange *e[5];
    fake_world_init(&w, alloc);
    w.has_disk = w.digests_later = has_disk;
    w.conf.results.in_memory.one_bytes = has_disk ? 15 : 16;
    if (fake_world_start(&w) != SL_OK)
        return;
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    e[0] = call_with(&w, "k", "keep", flow_request());
    e[1] = call(&w, "k");
    fake_errands(&w);
    fake_turn(&w);
    if (w.sent_count > 0)
        fake_result(&w, n, w.sent[0].lease, true);
    fake_errands(&w);
    e[2] = call(&w, "k");
    e[3] = call_with(&w, "k", NULL, flow_request_of("m", 1));
    fake_errands(&w);
    e[4] = call(&w, "k");
    lose(&w, e[4]);
    gw_flow_end_all(w.flow, w.now);
    for (size_t i = 0; i < SL_ARRAY_LEN(e); i++)
        assert_int_equal(e[i]->replies, 1);
    flow_finish(&w);
}

static void each_allocation_may_fail(void **state SL_UNUSED)
{
    for (int has_disk = 0; has_disk <= 1; has_disk++) {
        struct fail_alloc f;
        size_t at = 1;
        for (; fail_alloc_start(&f, at); at++) {
            whole_story(&f.alloc, has_disk != 0);
            assert_int_equal(fail_alloc_finish(&f), 0);
        }
        assert_true(at > 40);
    }
}

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_waits_for_the_first),
        cmocka_unit_test(who_comes_later_gets_what_was_kept),
        cmocka_unit_test(a_key_stands_for_one_request),
        cmocka_unit_test(keys_have_a_form),
        cmocka_unit_test(a_name_is_one_calls),
        cmocka_unit_test(so_many_may_wait),
        cmocka_unit_test(a_key_outlives_its_connection),
        cmocka_unit_test(it_goes_on_while_anybody_waits),
        cmocka_unit_test(deadlines_are_ones_own),
        cmocka_unit_test(the_last_ones_deadline_ends_it),
        cmocka_unit_test(a_deadline_holds_for_who_has_gone_too),
        cmocka_unit_test(what_cost_nothing_runs_again),
        cmocka_unit_test(a_failure_that_was_charged_is_the_outcome),
        cmocka_unit_test(a_refusal_is_for_all_who_wait_and_no_longer),
        cmocka_unit_test(who_comes_while_it_owes_waits_for_the_price),
        cmocka_unit_test(all_wait_for_one_receipt),
        cmocka_unit_test(what_is_gone_is_told_and_never_run_again),
        cmocka_unit_test(a_large_one_is_shared_but_not_kept),
        cmocka_unit_test(a_large_one_goes_to_disk_for_who_asks),
        cmocka_unit_test(a_disk_that_fails_loses_the_result_alone),
        cmocka_unit_test(the_oldest_leave_the_disk),
        cmocka_unit_test(the_oldest_files_make_room),
        cmocka_unit_test(a_digest_may_come_later),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
