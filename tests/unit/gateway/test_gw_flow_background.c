/* test_gw_flow_background.c - calls over quota in a tier that runs when idle: let in, behind everybody, uncharged, ended when
 * somebody has waited too long for their slice. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "gw_receipt_code.h"
#include "sl_log.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sl_text.h"

#define S SL_US_PER_S

/* Calls of "m" declare 60 s. Everybody is of the first tier, until a test says otherwise. */
static struct gw_tiers tiers;

static struct gw_fleet_node *begin(struct fake_world *w, size_t slices)
{
    tiers = (struct gw_tiers){
        .tiers = {{"idle", 70 * S, 1, 12, 0, true}},
        .tier_count = 1,
        .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
        .size_count = 1,
    };
    flow_begin(w);
    w->conf.tiers = &tiers;
    w->conf.background_grace_ns = 2 * SL_NS_PER_S;
    w->has_store = true;
    flow_start(w);
    gw_flow_set_wall(w->flow, 1800000000 * S);
    return fake_join(w, "n1", slices, "m");
}

static struct fake_exchange *call_for(struct fake_world *w, const char *duration)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    e->x.req.duration = sl_span_str(duration);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static size_t background(struct fake_world *w)
{
    return gw_fleet_totals(gw_flow_fleet(w->flow)).background;
}

static void finish(struct fake_world *w)
{
    gw_flow_end_all(w->flow, w->now);
    fake_turn(w);
    fake_stored(w, FAKE_SENT_MAX, SL_OK);
    flow_finish(w);
}

static void what_is_over_quota_runs_uncharged(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_receipt r;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *e = call_for(&w, "71"); /* more than a day has */
    assert_int_equal(w.sent_count, 1);
    assert_int_equal(background(&w), 1);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_stored(&w, 10, SL_OK);
    flow_assert_good_reply(e);
    assert_string_equal(flow_trailer(e, "sluice-charged-ms"), "0.000");
    assert_string_equal(flow_trailer(e, "sluice-left-ms"), "70000.000");
    assert_string_equal(flow_trailer(e, "sluice-exec-ms"), "12.345");
    assert_int_equal(w.entry_count, 1); /* no window was opened */
    assert_ok(gw_receipt_decode(sl_span_of(w.entries[0].bytes, w.entries[0].len), &r));
    assert_true(r.used_us == 12345 && r.held_us == 0 && r.charged_us == 0);
    assert_int_equal(background(&w), 0);
    finish(&w);
}

static void other_tiers_refuse(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, 1);
    tiers.tiers[0].runs_when_idle = false;
    flow_assert_replied(call_for(&w, "71"), SL_REASON_DURATION_TOO_LONG, NULL);
    finish(&w);
}

static void a_full_queue_refuses_as_for_quota(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, 1)->is_draining = true;
    tiers.tiers[0].in_flight = 100;
    for (int i = 0; i < 16; i++)
        assert_int_equal(call_for(&w, "70.5")->replies, 0);
    flow_assert_replied(call_for(&w, "70.5"), SL_REASON_DURATION_TOO_LONG, NULL);
    assert_int_equal(call_for(&w, "1")->replies, 0); /* its own queue has room */
    finish(&w);
}

static void it_starts_when_nobody_else_can(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    call_for(&w, "1"); /* has the slice */
    struct fake_exchange *idle = call_for(&w, "70");
    struct fake_exchange *paid = call_for(&w, "2");
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    assert_true(w.sent[1].limit_us == 2 * S); /* though it came later */
    assert_int_equal(background(&w), 0);
    fake_result(&w, n, w.sent[1].lease, false);
    fake_turn(&w);
    assert_int_equal(background(&w), 1);
    assert_int_equal(idle->replies, 0);
    (void)paid;
    finish(&w);
}

/* Of a model that takes a millisecond, calls are sent ahead; not behind these. */
static void nobody_is_fed_behind_it(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->mean_exec_us = 1;
    gw_fleet_find(gw_flow_fleet(w.flow), sl_span_str("m"))->samples = 100;
    call_for(&w, "1");
    call_for(&w, "1");
    assert_int_equal(w.sent_count, 2); /* one is ahead */
    call_for(&w, "69.5");
    assert_int_equal(w.sent_count, 2);
    fake_result(&w, n, w.sent[0].lease, false);
    fake_result(&w, n, w.sent[1].lease, false);
    fake_turn(&w);
    assert_int_equal(background(&w), 1);
    call_for(&w, "1");
    assert_int_equal(w.sent_count, 3);
    finish(&w);
}

static void it_gives_way_after_the_grace(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    struct fake_exchange *idle = call_for(&w, "71");
    fake_started(&w, n, w.sent[0].lease);
    fake_advance(&w, 10 * SL_NS_PER_S);
    struct fake_exchange *paid = call_for(&w, "1"), *other = call_for(&w, "1");
    sl_mono_ns came_at = w.now;
    assert_true(gw_flow_next_at(w.flow) == came_at + 2 * SL_NS_PER_S);
    fake_advance(&w, 2 * SL_NS_PER_S - 1);
    assert_int_equal(idle->replies, 0);
    fake_advance(&w, 1);
    flow_assert_replied(idle, SL_REASON_PREEMPTED, NULL);
    assert_string_equal(flow_trailer(idle, "sluice-charged-ms"), "0.000");
    assert_int_equal(w.cancel_count, 1);
    fake_advance(&w, SL_NS_PER_S);
    assert_int_equal(w.cancel_count, 1);
    fake_failure(&w, n, w.sent[0].lease, true, SL_REASON_CANCELLED, "");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    assert_int_equal(paid->replies + other->replies, 0);
    assert_true(gw_flow_next_at(w.flow) > w.now + 10 * SL_NS_PER_S); /* nothing to give way */
    finish(&w);
}

static void one_slice_for_each_who_waits(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 3);
    for (int i = 0; i < 3; i++)
        call_for(&w, "71");
    assert_int_equal(background(&w), 3);
    call_for(&w, "1");
    call_for(&w, "1");
    fake_advance(&w, 2 * SL_NS_PER_S);
    assert_int_equal(w.cancel_count, 2);
    assert_true(w.cancels[0] == w.sent[2].lease && w.cancels[1] == w.sent[1].lease); /* youngest */
    fake_advance(&w, 5 * SL_NS_PER_S);
    assert_int_equal(w.cancel_count, 2);
    fake_failure(&w, n, w.sent[2].lease, true, SL_REASON_CANCELLED, "");
    fake_failure(&w, n, w.sent[1].lease, false, SL_REASON_CANCELLED, "");
    fake_turn(&w);
    assert_int_equal(w.sent_count, 5);
    assert_int_equal(background(&w), 1);
    finish(&w);
}

static void another_nodes_work_is_left_alone(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, 1);
    fake_join(&w, "n2", 1, "other");
    fake_turn(&w);
    call_for(&w, "71");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    fake_event(&w, e, GW_EV_OPEN);
    e->x.req.duration = sl_span_str("1");
    fake_message(&w, e, flow_request_of("other", 0));
    fake_turn(&w);
    call_for(&w, "71"); /* waits: n1 has one slice */
    e = fake_exchange(&w, GW_METHOD_MODEL_INFER);
    fake_event(&w, e, GW_EV_OPEN);
    fake_message(&w, e, flow_request_of("other", 0));
    fake_advance(&w, 60 * SL_NS_PER_S - 1);
    assert_int_equal(w.cancel_count, 0);
    finish(&w);
}

static void what_was_given_back_waits_there_again(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, 1);
    call_for(&w, "71");
    struct fake_exchange *paid = call_for(&w, "3");
    fake_returned(&w, n, w.sent[0].lease);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    assert_true(w.sent[1].limit_us == 3 * S);
    fake_result(&w, n, w.sent[1].lease, false);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    assert_int_equal(background(&w), 1);
    fake_stored(&w, 10, SL_OK);
    flow_assert_good_reply(paid);
    finish(&w);
}

/* ---- any program */

enum { PLAYS = 300, STEPS = 200, PAID_MAX = FAKE_SENT_MAX };

struct play {
    struct fake_world w;
    struct sl_rng rng;
    struct gw_fleet_node *node;
    bool is_over[FAKE_SENT_MAX]; /* leases */
    struct {
        struct fake_exchange *e;
        char call_id[SL_UUID_TEXT_LEN + 1];
        sl_mono_ns came_at;
    } paid[PAID_MAX];
    size_t paid_count;
};

static struct play p;

static void pay(void)
{
    if (p.paid_count == PAID_MAX)
        return;
    struct fake_exchange *e = fake_exchange(&p.w, GW_METHOD_MODEL_INFER);
    char *id = p.paid[p.paid_count].call_id;
    sl_text_make_uuid(5, p.paid_count, id);
    e->x.req.call_id = sl_span_str(id);
    e->x.req.duration = sl_span_str("1");
    p.paid[p.paid_count].e = e;
    p.paid[p.paid_count++].came_at = p.w.now;
    fake_event(&p.w, e, GW_EV_OPEN);
    fake_message(&p.w, e, flow_request());
}

static bool was_sent(const char *call_id)
{
    for (size_t i = 0; i < p.w.sent_count; i++)
        if (strcmp(p.w.sent[i].call_id, call_id) == 0)
            return true;
    return false;
}

static bool somebody_waits_too_long(void)
{
    for (size_t i = 0; i < p.paid_count; i++)
        if (p.paid[i].e->replies == 0 && !was_sent(p.paid[i].call_id) &&
            p.w.now - p.paid[i].came_at >= p.w.conf.background_grace_ns)
            return true;
    return false;
}

static void end_some(void)
{
    size_t k = sl_rng_below(&p.rng, p.w.sent_count + 1);
    if (k == p.w.sent_count || p.is_over[k])
        return;
    p.is_over[k] = true;
    if (sl_rng_below(&p.rng, 5) == 0)
        fake_returned(&p.w, p.node, p.w.sent[k].lease);
    else
        fake_result(&p.w, p.node, p.w.sent[k].lease, false);
}

static void clear_slices(void)
{
    for (size_t c = 0; c < p.w.cancel_count; c++)
        for (size_t i = 0; i < p.w.sent_count; i++)
            if (p.w.sent[i].lease == p.w.cancels[c] && !p.is_over[i]) {
                p.is_over[i] = true;
                fake_failure(&p.w, p.node, p.w.sent[i].lease, true, SL_REASON_CANCELLED, "");
            }
    fake_turn(&p.w);
}

static void step(void)
{
    switch (sl_rng_below(&p.rng, 6)) {
    case 0:
        call_for(&p.w, "71");
        break;
    case 1:
        pay();
        break;
    case 2:
        fake_advance(&p.w, (int64_t)sl_rng_below(&p.rng, 1500) * SL_NS_PER_MS);
        break;
    case 3:
        fake_stored(&p.w, 3, SL_OK);
        break;
    default:
        end_some();
    }
    fake_turn(&p.w);
    clear_slices();
    assert_ok(gw_fleet_check(gw_flow_fleet(p.w.flow)));
    assert_true(background(&p.w) == 0 || !somebody_waits_too_long());
}

static void random_programs_give_way(void **state SL_UNUSED)
{
    for (uint64_t seed = 1; seed <= PLAYS; seed++) {
        p = (struct play){.paid_count = 0};
        sl_rng_seed(&p.rng, seed);
        p.node = begin(&p.w, 1 + sl_rng_below(&p.rng, 3));
        for (int i = 0; i < STEPS && p.w.sent_count < FAKE_SENT_MAX - 8; i++)
            step();
        finish(&p.w);
    }
}

int main(void)
{
    sl_log_set_level(SL_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_over_quota_runs_uncharged),
        cmocka_unit_test(other_tiers_refuse),
        cmocka_unit_test(a_full_queue_refuses_as_for_quota),
        cmocka_unit_test(it_starts_when_nobody_else_can),
        cmocka_unit_test(nobody_is_fed_behind_it),
        cmocka_unit_test(it_gives_way_after_the_grace),
        cmocka_unit_test(one_slice_for_each_who_waits),
        cmocka_unit_test(another_nodes_work_is_left_alone),
        cmocka_unit_test(what_was_given_back_waits_there_again),
        cmocka_unit_test(random_programs_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
