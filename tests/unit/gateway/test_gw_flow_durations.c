/* test_gw_flow_durations.c - how long a call may take that does not say: a model's expression, which
 * sees the call, and `auto`, which learns from those before. With the real Lua. */
#include <stdio.h>

#include "flow_rig.h"
#include "gw_duration_lua.h"
#include "sl_base.h"
#include "sl_test.h"

#define S SL_US_PER_S

/* Of "m" and a node with one slice; a model's calls may take 120 s, all calls 300 s. */
static struct gw_fleet_node *begin(struct fake_world *w, const char *duration)
{
    flow_begin(w);
    w->durations = &gw_duration_lua;
    w->duration = duration;
    flow_start(w);
    return fake_join(w, "n1", 1, "m");
}

static struct fake_exchange *call_for(struct fake_world *w, const char *asked)
{
    struct fake_exchange *e = fake_exchange(w, GW_METHOD_MODEL_INFER);
    if (asked != NULL)
        e->x.req.duration = sl_span_str(asked);
    fake_event(w, e, GW_EV_OPEN);
    fake_message(w, e, flow_request());
    fake_turn(w);
    return e;
}

static int64_t last_limit_us(const struct fake_world *w)
{
    return w->sent[w->sent_count - 1].limit_us;
}

/* A call that its node is done with at once, and what it was allowed. */
static int64_t run(struct fake_world *w, struct gw_fleet_node *n, const char *asked)
{
    struct fake_exchange *e = call_for(w, asked);
    fake_result(w, n, w->sent[w->sent_count - 1].lease, false);
    flow_assert_good_reply(e);
    return last_limit_us(w);
}

static void an_expression_sees_the_call(void **state SL_UNUSED)
{
    struct fake_world w; /* its input has 3 floats */
    struct gw_fleet_node *n = begin(&w, "2 + inputs.IN.shape[1] + inputs.IN.bytes / 24");
    assert_true(run(&w, n, NULL) == 5500000);
    assert_true(run(&w, n, "7") == 7 * S); /* what the caller says counts */
    flow_finish(&w);
}

static void an_expression_that_fails_refuses_the_call_with_its_line(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, "1\n+ parameters.steps");
    struct fake_exchange *e = call_for(&w, NULL);
    flow_assert_replied(e, SL_REASON_BAD_INPUT,
                        "the duration of model 'm' (line 2) cannot be told for this call: attempt "
                        "to perform arithmetic on a nil value (field 'steps'); sluice-duration "
                        "asks for one");
    assert_int_equal(w.sent_count, 0);
    assert_true(run(&w, n, "1") == S);
    flow_finish(&w);
}

static void an_expression_is_held_to_the_lower_maximum(void **state SL_UNUSED)
{
    struct fake_world w;
    begin(&w, "inputs.IN.shape[1] * 60");
    flow_assert_replied(call_for(&w, NULL), SL_REASON_DURATION_TOO_LONG,
                        "the duration of model 'm' (line 1) comes to 180s for this call: it may "
                        "run for at most 2m");
    flow_finish(&w);
}

static void an_expression_that_is_none_is_told_at_the_node(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, "1 +");
    assert_string_equal(n->offers[0].problem, "duration, line 1: unexpected symbol near <eof>");
    flow_assert_replied(call_for(&w, NULL), SL_REASON_MODEL_NOT_FOUND, NULL);
    flow_finish(&w);
}

/* fake_result says 12,345 us. */
static void auto_is_the_default_until_it_has_learned(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, "auto");
    for (int i = 0; i < 5; i++)
        assert_true(run(&w, n, NULL) == 60 * S);
    assert_true(run(&w, n, NULL) == S);
    assert_true(run(&w, n, "30") == 30 * S);
    flow_finish(&w);
}

static void auto_of_a_call_learns_beside_an_expression(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, "inputs.IN.shape[1]");
    for (int i = 0; i < 5; i++)
        assert_true(run(&w, n, "auto") == 3 * S);
    assert_true(run(&w, n, "auto") == S);
    assert_true(run(&w, n, NULL) == 3 * S);
    flow_finish(&w);
}

static void overrun(struct fake_world *w, struct gw_fleet_node *n, int64_t held_us)
{
    struct fake_exchange *e = call_for(w, NULL);
    const struct gw_result r = {.lease = w->sent[w->sent_count - 1].lease,
                                .reason = SL_REASON_DURATION_EXCEEDED,
                                .text = sl_span_str("too long"),
                                .was_started = true,
                                .held_us = held_us};
    gw_flow_on_result(w->flow, n, &r, w->now);
    fake_turn(w);
    flow_assert_replied(e, SL_REASON_DURATION_EXCEEDED, "too long");
}

/* Calls get longer than they were: each that is ended at what was learned gives the next one more, up to the most
 * that the model allows. */
static void auto_learns_from_calls_that_it_ended_too_soon(void **state SL_UNUSED)
{
    struct fake_world w;
    struct gw_fleet_node *n = begin(&w, "auto");
    for (int i = 0; i < 5; i++)
        run(&w, n, NULL);
    int64_t limit_us = 0;
    for (int i = 0; i < 10 && limit_us < 120 * S; i++) {
        struct fake_exchange *e = call_for(&w, NULL);
        assert_true(last_limit_us(&w) > limit_us);
        limit_us = last_limit_us(&w);
        fake_failure(&w, n, w.sent[w.sent_count - 1].lease, true, SL_REASON_MODEL_ERROR, "no");
        flow_assert_replied(e, SL_REASON_MODEL_ERROR, "no"); /* which teaches nothing */
        overrun(&w, n, limit_us);
    }
    assert_true(limit_us == 120 * S);
    flow_finish(&w);
}

/* ---- over restarts */

static void begin_with_store(struct fake_world *w, const char *version)
{
    flow_begin(w);
    w->has_store = true;
    w->store_is_passed_by = true; /* nobody waits for it here */
    w->duration = "auto";
    w->version = version;
    flow_start(w);
}

static size_t learned_entries(const struct fake_world *w)
{
    size_t count = 0;
    for (size_t i = 0; i < w->entry_count; i++)
        count += w->entries[i].kind == GW_RECORD_LEARNED;
    return count;
}

static struct gw_record_learned last_learned(const struct fake_world *w)
{
    struct gw_record r;
    size_t i = w->entry_count;
    while (w->entries[i - 1].kind != GW_RECORD_LEARNED)
        i--;
    const struct fake_entry *e = &w->entries[i - 1];
    assert_ok(gw_record_decode(GW_RECORD_LEARNED, sl_span_of(e->bytes, e->len), &r));
    return r.learned;
}

static void what_is_learned_is_stored_now_and_then(void **state SL_UNUSED)
{
    struct fake_world w;
    begin_with_store(&w, "1");
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    for (int i = 1; i <= 20; i++) {
        run(&w, n, NULL);
        assert_int_equal(learned_entries(&w), i >= 5); /* as soon as it is enough to know */
    }
    fake_advance(&w, SL_NS_PER_S);
    run(&w, n, NULL);
    assert_int_equal(learned_entries(&w), 2);
    run(&w, n, NULL);
    assert_int_equal(learned_entries(&w), 2);
    gw_flow_keep_learned(w.flow, w.now);
    assert_int_equal(learned_entries(&w), 3);
    gw_flow_keep_learned(w.flow, w.now); /* there is nothing new */
    assert_int_equal(learned_entries(&w), 3);
    struct gw_record_learned r = last_learned(&w);
    assert_span_text(r.model, "m");
    assert_span_text(r.version, "1");
    flow_finish(&w);
}

static void what_the_store_had_no_room_for_is_stored_later(void **state SL_UNUSED)
{
    struct fake_world w;
    begin_with_store(&w, "1");
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    for (int i = 1; i <= 4; i++)
        run(&w, n, NULL);
    w.append_answer = SL_EFULL;
    run(&w, n, NULL);
    w.append_answer = SL_OK;
    fake_turn(&w); /* its receipt has waited, too */
    assert_int_equal(learned_entries(&w), 0);
    gw_flow_keep_learned(w.flow, w.now);
    assert_int_equal(learned_entries(&w), 1);
    flow_finish(&w);
}

static void a_new_gateway_knows_what_the_one_before_had_learned(void **state SL_UNUSED)
{
    static const char *const versions[] = {"1", "2"};
    for (size_t i = 0; i < SL_ARRAY_LEN(versions); i++) {
        struct fake_world before, after;
        begin_with_store(&before, "1");
        struct gw_fleet_node *n = fake_join(&before, "n1", 1, "m");
        for (int k = 0; k < 5; k++)
            run(&before, n, NULL);
        struct gw_record_learned r = last_learned(&before);
        begin_with_store(&after, versions[i]);
        assert_ok(gw_flow_note_learned(after.flow, &r));
        n = fake_join(&after, "n1", 1, "m");
        assert_true(run(&after, n, NULL) == (i == 0 ? S : 60 * S)); /* that version's */
        flow_finish(&before);
        flow_finish(&after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expression_sees_the_call),
        cmocka_unit_test(an_expression_that_fails_refuses_the_call_with_its_line),
        cmocka_unit_test(an_expression_is_held_to_the_lower_maximum),
        cmocka_unit_test(an_expression_that_is_none_is_told_at_the_node),
        cmocka_unit_test(auto_is_the_default_until_it_has_learned),
        cmocka_unit_test(auto_of_a_call_learns_beside_an_expression),
        cmocka_unit_test(auto_learns_from_calls_that_it_ended_too_soon),
        cmocka_unit_test(what_is_learned_is_stored_now_and_then),
        cmocka_unit_test(what_the_store_had_no_room_for_is_stored_later),
        cmocka_unit_test(a_new_gateway_knows_what_the_one_before_had_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
