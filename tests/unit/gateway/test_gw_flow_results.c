/* test_gw_flow_results.c - results need room until they were read. */
#include "flow_rig.h"

#include "sl_log.h"
#include "sl_test.h"

enum { RESULT = 4 * sizeof(float) }; /* what fake_result answers */

static void results_that_nobody_reads_hold_calls_back(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.max_result_bytes = 3 * RESULT;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    struct fake_exchange *e[4];
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, flow_request());
    fake_result(&w, n, w.sent[0].lease, true);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2); /* one result of three: less than half */
    fake_result(&w, n, w.sent[1].lease, true);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 2);
    assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 2);
    fake_leave(&w, e[0]);
    fake_turn(&w);
    assert_int_equal(w.sent_count, 3);
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

static void a_result_without_room_ends_its_call(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.max_result_bytes = RESULT + 1;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 3, "m");
    struct fake_exchange *e[3];
    for (int i = 0; i < 3; i++)
        e[i] = fake_call(&w, flow_request());
    for (int i = 0; i < 2; i++)
        fake_result(&w, n, w.sent[i].lease, i == 0);
    flow_assert_replied(e[0], SL_REASON_OK, NULL);
    flow_assert_replied(
        e[1], SL_REASON_NO_CAPACITY,
        "no room for a result of 16 bytes: all results that their callers have not read "
        "yet may have 17, and have 16");
    fake_leave(&w, e[0]);
    fake_result(&w, n, w.sent[2].lease, false);
    flow_assert_replied(e[2], SL_REASON_OK, NULL);
    flow_finish(&w);
}

/* Announced bytes hold their room from then on, and give it back however the lease ends. */
static void an_announced_result_has_its_room(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    w.conf.max_result_bytes = 2 * RESULT;
    flow_start(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 4, "m");
    struct fake_exchange *e[4];
    for (int i = 0; i < 4; i++)
        e[i] = fake_call(&w, flow_request());
    assert_true(gw_flow_expect_result(w.flow, w.sent[0].lease, RESULT));
    assert_true(gw_flow_expect_result(w.flow, w.sent[1].lease, RESULT));
    assert_false(gw_flow_expect_result(w.flow, w.sent[2].lease, 1));
    fake_returned(&w, n, w.sent[1].lease);
    assert_true(gw_flow_expect_result(w.flow, w.sent[2].lease, RESULT));
    fake_event(&w, e[2], GW_EV_GONE); /* what is on its way still holds its room */
    assert_false(gw_flow_expect_result(w.flow, w.sent[3].lease, 1));
    fake_result(&w, n, w.sent[2].lease, true);
    assert_true(gw_flow_expect_result(w.flow, w.sent[3].lease, RESULT));
    gw_flow_on_lost(w.flow, n, "gone", w.now);
    assert_false(gw_flow_expect_result(w.flow, w.sent[0].lease, 0)); /* no lease is left */
    gw_flow_end_all(w.flow, w.now);
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_that_nobody_reads_hold_calls_back),
        cmocka_unit_test(a_result_without_room_ends_its_call),
        cmocka_unit_test(an_announced_result_has_its_room),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
