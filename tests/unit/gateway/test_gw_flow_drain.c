/* test_gw_flow_drain.c - nodes that an operator drains: nothing new goes there, what runs ends, what was sent comes back,
 * and the name stays drained until it is undone. */
#include "flow_rig.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__DrainNodeResponse pb_answer;

static const struct gw_principal somebody = {
    .kind = GW_PRINCIPAL_USER, .purse_count = 1, .purses = {{"user:ana", GW_FACTOR_ONE}}};

static struct fake_exchange *ask(struct fake_world *w, enum gw_method m, const char *node)
{
    uint8_t message[256] = {0x0a, (uint8_t)strlen(node)};
    memcpy(message + 2, node, strlen(node));
    struct fake_exchange *e = flow_ask(w, m, sl_span_of(message, 2 + strlen(node)));
    fake_turn(w);
    return e;
}

/* The calls that are at the node, as it is answered; how many were called back in *out. */
static unsigned change(struct fake_world *w, enum gw_method m, const char *node, unsigned *out)
{
    struct fake_exchange *e = ask(w, m, node);
    flow_assert_replied(e, SL_REASON_OK, NULL);
    const struct sl_span got = e->x.reply.pieces[0];
    pb_answer *a = sluice__v1__drain_node_response__unpack(NULL, got.len, got.data);
    assert_non_null(a);
    assert_string_equal(a->node->name, node);
    assert_int_equal(a->node->drained, m == GW_METHOD_DRAIN_NODE);
    unsigned calls = a->node->calls;
    if (out != NULL)
        *out = a->called_back;
    sluice__v1__drain_node_response__free_unpacked(a, NULL);
    return calls;
}

static struct fake_exchange *call(struct fake_world *w)
{
    return fake_call(w, flow_request());
}

static void end(struct fake_world *w)
{
    assert_ok(gw_fleet_check(gw_flow_fleet(w->flow)));
    gw_flow_end_all(w->flow, w->now);
    flow_finish(w);
}

static void what_runs_ends_and_what_was_sent_goes_elsewhere(void **state SL_UNUSED)
{
    struct fake_world w;
    unsigned called_back;
    flow_begin(&w);
    flow_start(&w);
    struct gw_fleet_node *n1 = fake_join(&w, "n1", 2, "m");
    struct fake_exchange *runs = call(&w), *sent = call(&w);
    fake_started(&w, n1, w.sent[0].lease);
    struct gw_fleet_node *n2 = fake_join(&w, "n2", 1, "m");
    assert_int_equal(change(&w, GW_METHOD_DRAIN_NODE, "n1", &called_back), 2);
    assert_int_equal(called_back, 1);
    assert_int_equal(w.called_back_count, 1);
    assert_true(w.called_back[0] == w.sent[1].lease);
    assert_int_equal(change(&w, GW_METHOD_DRAIN_NODE, "n1", &called_back), 2); /* again is fine */
    assert_int_equal(called_back, 0);
    fake_returned(&w, n1, w.sent[1].lease);
    fake_turn(&w);
    assert_string_equal(w.sent[2].node, "n2");
    fake_result(&w, n2, w.sent[2].lease, false);
    flow_assert_good_reply(sent);
    fake_result(&w, n1, w.sent[0].lease, false);
    flow_assert_good_reply(runs);
    for (size_t i = 0; i < 3; i++) { /* three slices are free, and one takes calls */
        call(&w);
        assert_int_equal(w.sent_count, 4);
    }
    assert_string_equal(w.sent[3].node, "n2");
    assert_int_equal(w.cancel_count, 0);
    end(&w);
}

/* The node had started it when it was called back: it goes on there. */
static void who_starts_meanwhile_is_not_disturbed(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w);
    change(&w, GW_METHOD_DRAIN_NODE, "n1", NULL);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    flow_assert_good_reply(e);
    assert_int_equal(w.cancel_count, 0);
    end(&w);
}

/* A call that has been given back too often by nodes ends; by operators, it does not. */
static void a_call_may_be_called_back_often(void **state SL_UNUSED)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4", "n5"};
    struct fake_world w;
    flow_begin(&w);
    w.conf.fleet.max_nodes = SL_ARRAY_LEN(names);
    flow_start(&w);
    struct fake_exchange *e = NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        struct gw_fleet_node *n = fake_join(&w, names[i], 1, "m");
        if (e == NULL)
            e = call(&w);
        else
            fake_turn(&w);
        assert_int_equal(w.sent_count, i + 1);
        assert_string_equal(w.sent[i].node, names[i]);
        change(&w, GW_METHOD_DRAIN_NODE, names[i], NULL);
        fake_returned(&w, n, w.sent[i].lease);
        fake_turn(&w);
    }
    assert_int_equal(e->replies, 0);
    assert_int_equal(flow_in_state(&w, GW_CALL_QUEUED), 1); /* not now is not never */
    change(&w, GW_METHOD_UNDRAIN_NODE, "n3", NULL);
    assert_string_equal(w.sent[6].node, "n3");
    end(&w);
}

static void the_name_stays_drained(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    change(&w, GW_METHOD_DRAIN_NODE, "n1", NULL);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).drained, 1);
    gw_flow_on_lost(w.flow, n, "test", w.now);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).drained, 0);
    assert_int_equal(change(&w, GW_METHOD_DRAIN_NODE, "n1", NULL), 0); /* known, though gone */
    fake_join(&w, "n1", 1, "m");
    call(&w);
    assert_int_equal(w.sent_count, 0);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).drained, 1);
    change(&w, GW_METHOD_UNDRAIN_NODE, "n1", NULL);
    assert_int_equal(w.sent_count, 1);
    change(&w, GW_METHOD_UNDRAIN_NODE, "n1", NULL);
    end(&w);
}

/* Its slice is being cleared anyway: it is not asked for twice, and not started elsewhere. */
static void a_cancelled_call_is_not_called_back(void **state SL_UNUSED)
{
    struct fake_world w;
    unsigned called_back;
    struct gw_fleet_node *n = flow_begin_with_node(&w);
    struct fake_exchange *e = call(&w);
    fake_event(&w, e, GW_EV_GONE);
    assert_int_equal(w.cancel_count, 1);
    assert_int_equal(change(&w, GW_METHOD_DRAIN_NODE, "n1", &called_back), 1);
    assert_int_equal(called_back, 0);
    fake_failure(&w, n, w.sent[0].lease, false, SL_REASON_CANCELLED, "cancelled");
    assert_int_equal(change(&w, GW_METHOD_DRAIN_NODE, "n1", NULL), 0);
    end(&w);
}

static void strangers_and_unknown_names_are_refused(void **state SL_UNUSED)
{
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    flow_assert_replied(ask(&w, GW_METHOD_DRAIN_NODE, "n1"), SL_REASON_NOT_FOUND,
                        "no node is named 'n1'; none is connected");
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    fake_join(&w, "n2", 1, "m");
    change(&w, GW_METHOD_DRAIN_NODE, "n1", NULL);
    gw_flow_on_lost(w.flow, n, "test", w.now);
    flow_assert_replied(ask(&w, GW_METHOD_UNDRAIN_NODE, "n7"), SL_REASON_NOT_FOUND,
                        "no node is named 'n7'; there are n2, n1");
    flow_assert_replied(ask(&w, GW_METHOD_DRAIN_NODE, ""), SL_REASON_BAD_INPUT, NULL);
    w.who = &somebody;
    flow_assert_replied(ask(&w, GW_METHOD_DRAIN_NODE, "n2"), SL_REASON_NOT_TRUSTED, NULL);
    assert_int_equal(gw_fleet_totals(gw_flow_fleet(w.flow)).drained, 0);
    end(&w);
}

/* What is remembered of nodes that have left is bounded. */
static void so_many_are_remembered(void **state SL_UNUSED)
{
    struct fake_world w;
    char name[16] = "";
    flow_begin(&w);
    w.conf.fleet.max_nodes = 1;
    flow_start(&w);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "n%d", i);
        struct gw_fleet_node *n = fake_join(&w, name, 1, "m");
        if (i < 2) {
            change(&w, GW_METHOD_DRAIN_NODE, name, NULL);
            gw_flow_on_lost(w.flow, n, "test", w.now);
        }
    }
    flow_assert_replied(ask(&w, GW_METHOD_DRAIN_NODE, name), SL_REASON_NO_CAPACITY,
                        "2 nodes are drained, which is the limit; undo one that has left");
    change(&w, GW_METHOD_UNDRAIN_NODE, "n0", NULL);
    change(&w, GW_METHOD_DRAIN_NODE, name, NULL);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_ends_and_what_was_sent_goes_elsewhere),
        cmocka_unit_test(who_starts_meanwhile_is_not_disturbed),
        cmocka_unit_test(a_call_may_be_called_back_often),
        cmocka_unit_test(the_name_stays_drained),
        cmocka_unit_test(a_cancelled_call_is_not_called_back),
        cmocka_unit_test(strangers_and_unknown_names_are_refused),
        cmocka_unit_test(so_many_are_remembered),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
