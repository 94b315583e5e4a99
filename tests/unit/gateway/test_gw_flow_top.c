/* test_gw_flow_top.c - GetStatus and GetTop: what waits by tier, what runs where for whom, and who uses most. */
#include "flow_rig.h"
#include "gw_ledger.h"
#include "sl_log.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"

typedef Sluice__V1__GetStatusResponse pb_status;
typedef Sluice__V1__GetStatusResponse__Line pb_line;
typedef Sluice__V1__GetTopResponse pb_top;

#define S  SL_US_PER_S
#define T0 (20000 * 86400 * S)

static struct gw_tiers tiers;
static struct gw_principal callers[3]; /* ana and bob of the first tier, eve of the second */

static void make_caller(size_t i, const char *account, uint16_t tier)
{
    callers[i] = (struct gw_principal){.kind = GW_PRINCIPAL_USER, .tier = tier, .purse_count = 1};
    snprintf(callers[i].purses[0].account, sizeof callers[i].purses[0].account, "%s", account);
    callers[i].purses[0].limit_thousandths = 1000;
}

static void begin(struct fake_world *w)
{
    tiers = (struct gw_tiers){
        .tiers = {{"free", 1000 * S, 4, 8, 0, false}, {"pro", 100 * S, 16, 8, 0, true}},
        .tier_count = 2,
        .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
        .size_count = 1,
    };
    make_caller(0, "user:ana", 0);
    make_caller(1, "user:bob", 0);
    make_caller(2, "user:eve", 1);
    flow_begin(w);
    w->conf.tiers = &tiers;
    flow_start(w);
    gw_flow_set_wall(w->flow, T0 + 5 * S);
}

static void end(struct fake_world *w)
{
    gw_flow_end_all(w->flow, w->now);
    flow_finish(w);
}

static struct fake_exchange *call_by(struct fake_world *w, size_t i)
{
    w->who = &callers[i];
    struct fake_exchange *e = fake_call(w, flow_request());
    w->who = NULL;
    return e;
}

static struct sl_span ask(struct fake_world *w, enum gw_method m, struct sl_span message)
{
    w->who = &flow_admin;
    struct fake_exchange *e = flow_ask(w, m, message);
    w->who = NULL;
    flow_assert_replied(e, SL_REASON_OK, NULL);
    return e->x.reply.pieces[0];
}

static pb_status *get_status(struct fake_world *w)
{
    struct sl_span got = ask(w, GW_METHOD_GET_STATUS, sl_span_of("", 0));
    pb_status *m = sluice__v1__get_status_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    return m;
}

/* rows 0: as many as there are by default */
static pb_top *get_top(struct fake_world *w, uint8_t rows)
{
    const uint8_t message[] = {0x08, rows};
    struct sl_span got = ask(w, GW_METHOD_GET_TOP, sl_span_of(message, rows > 0 ? 2 : 0));
    pb_top *m = sluice__v1__get_top_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    return m;
}

static void expect_line(const pb_status *s, size_t i, const char *tier, uint64_t waiting,
                        int64_t longest_us, uint64_t placed)
{
    const pb_line *l = s->lines[i];
    assert_string_equal(l->tier, tier);
    assert_int_equal(l->background, tier[0] == '\0');
    assert_int_equal(l->waiting, waiting);
    assert_int_equal(l->longest_wait_us, longest_us);
    assert_int_equal(l->placed, placed);
}

static void calls_are_counted_by_tier(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    call_by(&w, 0);
    fake_started(&w, n, w.sent[0].lease);
    call_by(&w, 1);
    fake_advance(&w, 2 * SL_NS_PER_S);
    struct fake_exchange *second = call_by(&w, 1);
    call_by(&w, 2);
    fake_advance(&w, 3 * SL_NS_PER_S);
    pb_status *m = get_status(&w);
    assert_int_equal(m->n_lines, 2);
    expect_line(m, 0, "free", 2, 5 * S, 1);
    expect_line(m, 1, "pro", 1, 3 * S, 0);
    assert_int_equal(m->lines[1]->weight, 16);
    /* what runs has 55 s left; pro's call is next, and free's last one waits for it and for one more */
    assert_true(m->lines[1]->newest_eta_p50_us >= 54 * S);
    assert_true(m->lines[0]->newest_eta_p50_us > m->lines[1]->newest_eta_p50_us);
    assert_true(m->lines[0]->newest_eta_p90_us >= m->lines[0]->newest_eta_p50_us);
    assert_int_equal(m->calls_queued, 3);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    fake_event(&w, second, GW_EV_GONE); /* one that is not the oldest leaves */
    m = get_status(&w);
    expect_line(m, 0, "free", 1, 5 * S, 1);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    end(&w);
}

/* A call that is given back is the oldest again. */
static void who_comes_back_has_waited_since_it_came(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    call_by(&w, 0);
    for (int i = 0; i < 3; i++) {
        fake_advance(&w, SL_NS_PER_S);
        call_by(&w, 0);
    }
    pb_status *m = get_status(&w);
    expect_line(m, 0, "free", 3, 2 * S, 1);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    n->is_draining = true;
    fake_returned(&w, n, w.sent[0].lease);
    fake_turn(&w);
    m = get_status(&w);
    expect_line(m, 0, "free", 4, 3 * S, 0);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    end(&w);
}

static void today_has_what_was_used_and_charged(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    call_by(&w, 0);
    fake_started(&w, n, w.sent[0].lease);
    fake_result(&w, n, w.sent[0].lease, false);
    pb_status *m = get_status(&w);
    assert_int_equal(m->today_used_us, 12345);
    assert_int_equal(m->today_charged_us, 12345);
    assert_int_equal(m->today_began_at_us, T0);
    assert_int_equal(m->started_at_us, T0 + 5 * S - m->uptime_ms * 1000);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    gw_flow_set_wall(w.flow, T0 + 86400 * S);
    m = get_status(&w);
    assert_int_equal(m->today_used_us + m->today_charged_us, 0);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    end(&w);
}

static void slices_tell_what_runs_there(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 4, "m");
    call_by(&w, 0);
    struct fake_exchange *clears = call_by(&w, 1);
    call_by(&w, 2);
    fake_started(&w, n, w.sent[0].lease);
    fake_advance(&w, 7 * SL_NS_PER_S);
    fake_event(&w, clears, GW_EV_GONE);
    pb_top *m = get_top(&w, 0);
    assert_int_equal(m->status->slices_busy, 3);
    assert_int_equal(m->n_slices, 4);
    const Sluice__V1__GetTopResponse__SliceUse *s = NULL;
    unsigned uses[4] = {0};
    for (size_t i = 0; i < 4; i++) {
        uses[m->slices[i]->use]++;
        if (m->slices[i]->use == SLUICE__V1__GET_TOP_RESPONSE__USE__RUNNING)
            s = m->slices[i];
    }
    assert_true(uses[0] == 1 && uses[1] == 1 && uses[2] == 1 && uses[3] == 1);
    assert_int_equal(m->slices[3]->use, SLUICE__V1__GET_TOP_RESPONSE__USE__IDLE); /* at the end */
    assert_string_equal(m->slices[3]->model, "");
    assert_string_equal(s->node, "n1");
    assert_string_equal(s->model, "m");
    assert_string_equal(s->visitor, "user:ana");
    assert_string_equal(s->tier, "free");
    assert_string_equal(s->size, "large");
    assert_string_equal(s->call_id, w.sent[0].call_id);
    assert_true(s->run_us == 7 * S && s->limit_us == 60 * S && s->behind == 0 && !s->background);
    assert_int_equal(m->n_nodes, 1);
    assert_true(m->nodes[0]->calls == 3 && m->nodes[0]->slices_busy == 3);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    m = get_top(&w, 2);
    assert_int_equal(m->n_slices, 2);
    assert_int_equal(m->status->slices, 4);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    end(&w);
}

static void visitors_are_those_with_calls(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    for (size_t i = 0; i < 2; i++) { /* bob uses some, eve more */
        call_by(&w, i + 1);
        fake_started(&w, n, w.sent[i].lease);
        if (i == 1)
            fake_failure(&w, n, w.sent[i].lease, true, SL_REASON_MODEL_ERROR, "x");
        else
            fake_result(&w, n, w.sent[i].lease, false);
    }
    pb_top *m = get_top(&w, 0);
    assert_true(m->n_visitors == 0 && m->visitors_open == 0);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    for (size_t i = 0; i < 3; i++)
        call_by(&w, i);
    call_by(&w, 0);
    m = get_top(&w, 0);
    assert_true(m->n_visitors == 3 && m->visitors_open == 3);
    assert_string_equal(m->visitors[0]->account, "user:bob");
    assert_int_equal(m->visitors[0]->spent_us, 12345);
    assert_string_equal(m->visitors[1]->account, "user:eve");
    assert_true(m->visitors[1]->spent_us > 0);
    assert_string_equal(m->visitors[2]->account, "user:ana");
    assert_true(m->visitors[2]->calls == 2 && m->visitors[2]->held_us == 120 * S);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    m = get_top(&w, 1);
    assert_true(m->n_visitors == 1 && m->visitors_open == 3);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    assert_ok(gw_ledger_check(gw_flow_ledger(w.flow)));
    end(&w);
}

static void background_calls_are_a_line_of_their_own(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w);
    tiers.tiers[1].daily_us = 10 * S; /* less than a call of m declares */
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    call_by(&w, 2);
    call_by(&w, 2);
    fake_started(&w, n, w.sent[0].lease);
    pb_top *m = get_top(&w, 0);
    assert_int_equal(m->status->slices_background, 1);
    assert_true(m->slices[0]->background);
    assert_int_equal(m->status->n_lines, 3);
    expect_line(m->status, 1, "pro", 0, 0, 0);
    expect_line(m->status, 2, "", 1, 0, 1);
    assert_int_equal(m->status->lines[1]->newest_eta_p50_us, -1);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_by_tier),
        cmocka_unit_test(who_comes_back_has_waited_since_it_came),
        cmocka_unit_test(today_has_what_was_used_and_charged),
        cmocka_unit_test(slices_tell_what_runs_there),
        cmocka_unit_test(visitors_are_those_with_calls),
        cmocka_unit_test(background_calls_are_a_line_of_their_own),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
