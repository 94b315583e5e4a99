/* test_ex_jobs.c - the story of a job against a fake gateway and fake workers: scenes one by one, then
 * long random plays in which every call must end exactly once. */
#include "fail_alloc.h"
#include "fake_world.h"
#include "sl_test.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_finish(&w);
    return 0;
}

static void begin(uint32_t slice, uint32_t model)
{
    w.workers[slice][model].has_begun = true;
}

static void expect_end(uint64_t lease, enum sl_reason reason, bool started, sl_gpu_us held)
{
    const struct fake_lease *l = &w.leases[lease];
    assert_int_equal(l->ends, 1);
    if (l->reason != reason)
        fail_msg("%s: %s", sl_reason_name(l->reason), l->text);
    assert_false(l->is_returned);
    assert_int_equal(l->result_started, started);
    assert_int_equal(l->held_us, held);
}

static void expect_returned(uint64_t lease, enum sl_reason reason)
{
    assert_true(w.leases[lease].is_returned);
    assert_int_equal(w.leases[lease].reason, reason);
}

/* ---- the plain story */

static void test_a_call_runs_and_ends(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    assert_true(w.leases[1].was_started);
    w.now += 5000;
    world_complete(&w, 0, 0, 3);
    expect_end(1, SL_REASON_OK, true, 5);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_bulk_comes_before_the_line(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, true, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    assert_false(w.leases[1].was_started);
    assert_true(w.leases[2].was_started);
    assert_status(world_bulk(&w, 2), SL_ENOENT);
    assert_ok(world_bulk(&w, 1));
    assert_status(world_bulk(&w, 1), SL_ENOENT);
    world_complete(&w, 0, 0, 0);
    assert_true(w.leases[1].was_started);
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 0);
}

static void test_bulk_out_of_order_is_refused(void **state)
{
    static const uint8_t bytes[48] = {0};
    (void)state;
    world_call(&w, 1, 0, 0, true, 1000);
    assert_status(ex_jobs_bulk(w.jobs, 1, 20, 48, sl_span_of(bytes, 20), 0), SL_EPROTO);
    assert_status(ex_jobs_bulk(w.jobs, 1, 0, 49, sl_span_of(bytes, 20), 0), SL_EPROTO);
    assert_status(ex_jobs_bulk(w.jobs, 1, 0, 48, sl_span_of(bytes, 0), 0), SL_EPROTO);
    assert_ok(ex_jobs_bulk(w.jobs, 1, 0, 48, sl_span_of(bytes, 20), 0));
    assert_status(ex_jobs_bulk(w.jobs, 1, 20, 48, sl_span_of(bytes, 29), 0), SL_EPROTO);
    w.now += 1000;
    ex_jobs_tick(w.jobs, w.now);
    expect_returned(1, SL_REASON_NO_CAPACITY);
    assert_int_equal(ex_jobs_stats(w.jobs).refused_messages, 4);
}

static void test_no_memory_for_bulk_returns_the_call(void **state)
{
    (void)state;
    w.has_no_memory = true;
    world_call(&w, 1, 0, 0, true, 1000);
    expect_returned(1, SL_REASON_NO_CAPACITY);
}

static void test_models_of_a_slice_take_turns(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 0, 1, false, 1000);
    world_call(&w, 4, 0, 0, false, 1000);
    assert_int_equal(w.workers[0][0].ring_count, 2); /* 4 must not pass 3 */
    world_complete(&w, 0, 0, 0);
    assert_int_equal(w.workers[0][1].ring_count, 0);
    world_complete(&w, 0, 0, 0);
    assert_true(w.leases[3].was_started);
    assert_int_equal(w.workers[0][0].ring_count, 0);
    world_complete(&w, 0, 1, 0);
    assert_true(w.leases[4].was_started);
}

static void test_a_loading_model_does_not_hold_up_others(void **state)
{
    (void)state;
    w.workers[0][0].is_ready = false;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 1, false, 1000);
    assert_true(w.leases[2].was_started);
    world_ready(&w, 0, 0);
    assert_false(w.leases[1].was_started);
    world_complete(&w, 0, 1, 0);
    assert_true(w.leases[1].was_started);
}

static void test_results_at_once_share_the_time(void **state)
{
    (void)state;
    for (uint64_t lease = 1; lease <= 3; lease++)
        world_call(&w, lease, 0, 0, false, 1000000);
    w.now = 100 * SL_NS_PER_US;
    world_complete(&w, 0, 0, 30);
    world_complete(&w, 0, 0, 40);
    world_complete(&w, 0, 0, 5);
    expect_end(1, SL_REASON_OK, true, 30);
    expect_end(2, SL_REASON_OK, true, 40);
    expect_end(3, SL_REASON_OK, true, 30); /* what is left of 100, whatever the worker says */
}

static void test_a_worker_cannot_claim_more_time_than_passed(void **state)
{
    (void)state;
    for (uint64_t lease = 1; lease <= 2; lease++)
        world_call(&w, lease, 0, 0, false, 1000000);
    w.now = 100 * SL_NS_PER_US;
    world_complete(&w, 0, 0, INT64_MAX);
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 100);
    expect_end(2, SL_REASON_OK, true, 0);
}

/* ---- what is refused */

static void test_refusals(void **state)
{
    (void)state;
    world_call(&w, 1, 7, 0, false, 1000);
    expect_returned(1, SL_REASON_NO_CAPACITY);
    world_call(&w, 2, 0, 2, false, 1000);
    expect_returned(2, SL_REASON_MODEL_NOT_FOUND);
    world_call(&w, 3, 0, 0, false, 0);
    expect_end(3, SL_REASON_BAD_INPUT, false, 0);
    world_call(&w, 4, 0, 0, false, UINT64_MAX);
    expect_end(4, SL_REASON_BAD_INPUT, false, 0);
    ex_jobs_refuse_new(w.jobs);
    world_call(&w, 5, 0, 0, false, 1000);
    expect_returned(5, SL_REASON_DRAINING);
}

static void call_with(const struct ex_input *inputs, size_t input_count, const char *output,
                      uint64_t payload_bytes)
{
    static uint64_t lease = 100;
    const struct ex_call call = {.lease = ++lease,
                                 .model = "m0",
                                 .version = "1",
                                 .limit_us = 1000,
                                 .inputs = inputs,
                                 .input_count = input_count,
                                 .outputs = &output,
                                 .output_count = output != NULL,
                                 .payload_bytes = payload_bytes,
                                 .call_id = ""};
    w.leases[lease] = (struct fake_lease){.is_open = true};
    ex_jobs_accept(w.jobs, &call, w.now);
    assert_int_equal(w.leases[lease].ends, 1);
    assert_int_equal(w.leases[lease].reason,
                     payload_bytes > 1000 ? SL_REASON_TOO_LARGE : SL_REASON_BAD_INPUT);
    w.leases[lease].is_open = false;
}

static void test_bad_inputs(void **state)
{
    static const int64_t dims[] = {3, 4};
    const struct ex_input good = {"X", SL_DTYPE_FP32, dims, 2, 0, 48};
    struct ex_input bad[65];
    (void)state;
    call_with(&good, 1, NULL, 1001);
    call_with(&good, 0, NULL, 48);
    bad[0] = bad[1] = good;
    call_with(bad, 2, NULL, 96);
    bad[0].name = "Y";
    call_with(bad, 1, NULL, 48);
    bad[0] = good;
    bad[0].dtype = SL_DTYPE_INT32;
    call_with(bad, 1, NULL, 48);
    bad[0] = good;
    bad[0].rank = 1;
    call_with(bad, 1, NULL, 48);
    bad[0] = good;
    bad[0].offset_bytes = 1;
    call_with(bad, 1, NULL, 48);
    bad[0].offset_bytes = UINT64_MAX;
    call_with(bad, 1, NULL, 48);
    bad[0] = good;
    bad[0].length_bytes = 47;
    call_with(bad, 1, NULL, 48);
    for (size_t i = 0; i < 65; i++)
        bad[i] = good;
    call_with(bad, 65, NULL, 48);
    call_with(&good, 1, "Z", 48);
}

static void test_a_lease_that_is_known_or_zero_is_dropped(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    const struct fake_lease before = w.leases[1];
    world_call(&w, 1, 0, 0, false, 1000);
    w.leases[1] = before;
    world_call(&w, 0, 0, 0, false, 1000);
    assert_int_equal(ex_jobs_stats(w.jobs).refused_messages, 2);
    assert_int_equal(ex_jobs_open_count(w.jobs), 1);
}

static void test_the_line_has_an_end(void **state)
{
    (void)state;
    for (uint64_t lease = 1; lease <= 14; lease++)
        world_call(&w, lease, 0, 0, false, 1000);
    assert_int_equal(w.leases[13].ends, 0);
    expect_returned(14, SL_REASON_NO_CAPACITY);
    for (uint64_t lease = 15; lease <= 22; lease++)
        world_call(&w, lease, 1, 0, false, 1000);
    assert_int_equal(w.leases[21].ends, 0);
    expect_returned(22, SL_REASON_NO_CAPACITY); /* 20 on the node */
}

/* ---- time, cancel, death */

static void test_over_its_limit(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 60000000);
    world_call(&w, 2, 0, 0, false, 1000);
    begin(0, 0);
    assert_int_equal(ex_jobs_next_at(w.jobs), 60 * SL_NS_PER_S);
    w.now = 60 * SL_NS_PER_S - 1;
    ex_jobs_tick(w.jobs, w.now);
    assert_false(w.workers[0][0].is_dying);
    w.now = 60 * SL_NS_PER_S;
    ex_jobs_tick(w.jobs, w.now);
    assert_true(w.workers[0][0].is_dying);
    assert_int_equal(w.leases[1].ends, 0); /* the slice is not free yet */
    w.now += 2 * SL_NS_PER_MS;
    world_die(&w, 0, 0, "was killed");
    expect_end(1, SL_REASON_DURATION_EXCEEDED, true, 60002000);
    assert_non_null(strstr(w.leases[1].text, "Duration exceeded: the call used its "));
    world_ready(&w, 0, 0);
    assert_true(w.leases[2].was_started);
    world_complete(&w, 0, 0, 0);
    expect_end(2, SL_REASON_OK, true, 0);
}

static void test_the_clock_stops_when_the_result_came(void **state)
{
    (void)state;
    world_ready(&w, 0, 0);
    world_call(&w, 1, 0, 0, false, 1000000);
    begin(0, 0);
    w.now += 900 * SL_NS_PER_MS;
    const uint64_t seq = w.workers[0][0].ring[0].seq;
    ex_jobs_result_came(w.jobs, 0, 0, seq + 1, w.now); /* of nobody */
    ex_jobs_result_came(w.jobs, 0, 0, seq, w.now);
    w.now += SL_NS_PER_S; /* it is copied for longer than what was left */
    ex_jobs_result_came(w.jobs, 0, 0, seq, w.now);
    ex_jobs_tick(w.jobs, w.now);
    assert_false(w.workers[0][0].is_dying);
    world_complete(&w, 0, 0, 1);
    expect_end(1, SL_REASON_OK, true, 900000);
}

static void test_a_result_too_late_does_not_count(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 10);
    world_call(&w, 2, 0, 0, false, 10);
    begin(0, 0);
    w.now = SL_NS_PER_S;
    ex_jobs_tick(w.jobs, w.now);
    struct ex_outcome late = {.reason = SL_REASON_OK};
    ex_jobs_result(w.jobs, 0, 0, 1, &late, 5, w.now);
    assert_int_equal(w.leases[1].ends, 0);
    world_die(&w, 0, 0, "was killed");
    expect_end(1, SL_REASON_DURATION_EXCEEDED, true, 1000000);
    assert_int_equal(w.leases[2].ends, 0);
}

static void test_cancel_in_each_state(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 0, 1, false, 1000);
    world_call(&w, 4, 0, 1, true, 1000);
    begin(0, 0);
    for (uint64_t lease = 2; lease <= 4; lease++) {
        ex_jobs_cancel(w.jobs, lease, w.now);
        expect_end(lease, SL_REASON_CANCELLED, false, 0);
    }
    ex_jobs_cancel(w.jobs, 1, w.now);
    ex_jobs_cancel(w.jobs, 1, w.now + 50);
    ex_jobs_cancel(w.jobs, 999, w.now);
    assert_int_equal(w.leases[1].ends, 0);
    assert_int_equal(ex_jobs_next_at(w.jobs), w.now + 75); /* of 100 ns of grace */
    ex_jobs_tick(w.jobs, w.now + 74);
    assert_false(w.workers[0][0].is_dying);
    ex_jobs_tick(w.jobs, w.now + 75);
    assert_true(w.workers[0][0].is_dying);
    w.now += 7000;
    world_die(&w, 0, 0, "was killed");
    expect_end(1, SL_REASON_CANCELLED, true, 7);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_call_back_in_each_state(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 0, 1, false, 1000);
    world_call(&w, 4, 0, 1, true, 1000);
    begin(0, 0);
    for (uint64_t lease = 1; lease <= 4; lease++)
        ex_jobs_call_back(w.jobs, lease, w.now);
    ex_jobs_call_back(w.jobs, 2, w.now);
    ex_jobs_call_back(w.jobs, 999, w.now);
    assert_int_equal(w.leases[1].ends, 0); /* it runs, and goes on */
    assert_false(w.workers[0][0].is_dying);
    for (uint64_t lease = 2; lease <= 4; lease++)
        expect_returned(lease, SL_REASON_DRAINING);
    assert_int_equal(w.workers[0][0].cancelled_count, 1); /* of the ring: it is passed over */
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 0);
    world_complete(&w, 0, 0, 0);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
    assert_int_equal(ex_jobs_stats(w.jobs).returned, 3);
}

/* Its worker lives, and the next one follows; a result that came in spite of all is none. */
static void test_what_stops_when_it_is_asked_to_keeps_its_worker(void **state)
{
    struct ex_outcome stopped = {.reason = SL_REASON_CANCELLED, .text = "in the middle"};
    (void)state;
    for (uint64_t lease = 1; lease <= 2; lease++) {
        world_call(&w, lease, 0, 0, false, 1000);
        begin(0, 0);
        ex_jobs_cancel(w.jobs, lease, w.now);
        assert_int_equal(w.workers[0][0].cancelled_count, 1);
        w.now += 3000;
        if (lease == 1)
            world_end(&w, 0, 0, &stopped, 3);
        else
            world_complete(&w, 0, 0, 3);
        expect_end(lease, SL_REASON_CANCELLED, true, 3);
        assert_string_equal(w.leases[lease].text, "cancelled after its start");
        assert_false(w.workers[0][0].is_dying);
    }
    assert_int_equal(ex_jobs_next_at(w.jobs), SL_MONO_NEVER);
    world_check_journal(&w);
    assert_int_equal(ex_journal_totals(w.journal).held_us, 6);
}

/* Not back to those that wait: nobody waits for it. */
static void test_a_worker_that_dies_under_a_cancelled_call_ends_it(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    ex_jobs_cancel(w.jobs, 1, w.now); /* told as started, and not begun by its worker */
    w.now += 2000;
    world_die(&w, 0, 0, "went away");
    expect_end(1, SL_REASON_CANCELLED, true, 2);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_an_orphan_that_began_has_its_grace(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    world_call(&w, 2, 0, 0, false, 1000000);
    ex_jobs_cancel(w.jobs, 2, w.now);
    world_complete(&w, 0, 0, 0);
    begin(0, 0); /* the worker had taken it just before it was cancelled */
    assert_int_equal(ex_jobs_next_at(w.jobs), w.now + 75);
    w.now += 75;
    ex_jobs_tick(w.jobs, w.now);
    assert_true(w.workers[0][0].is_dying);
    world_die(&w, 0, 0, "was killed");
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_a_death_ends_what_had_begun_only(void **state)
{
    (void)state;
    for (uint64_t lease = 1; lease <= 3; lease++)
        world_call(&w, lease, 0, 0, false, 1000);
    begin(0, 0);
    w.now += 3000;
    world_die(&w, 0, 0, "was killed by signal 11");
    expect_end(1, SL_REASON_MODEL_ERROR, true, 3);
    assert_non_null(strstr(w.leases[1].text, "signal 11"));
    assert_int_equal(w.leases[2].ends, 0);
    world_ready(&w, 0, 0);
    assert_int_equal(w.workers[0][0].ring_count, 2);
    world_complete(&w, 0, 0, 0);
    world_complete(&w, 0, 0, 0);
    expect_end(2, SL_REASON_OK, true, 0);
    expect_end(3, SL_REASON_OK, true, 0);
}

static void test_a_call_outlives_two_workers_not_three(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    for (int i = 0; i < EX_DEATHS_MAX; i++) {
        assert_int_equal(w.leases[1].ends, 0);
        world_die(&w, 0, 0, "went away");
        world_ready(&w, 0, 0);
    }
    expect_end(1, SL_REASON_EXECUTOR_LOST, false, 0); /* it was announced as started */
    expect_returned(2, SL_REASON_NO_CAPACITY);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_deaths_by_our_hand_do_not_count(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        world_call(&w, 10 + i, 0, 0, false, 1000);
        if (i == 0)
            world_call(&w, 1, 0, 0, false, 1000);
        begin(0, 0);
        ex_jobs_cancel(w.jobs, 10 + i, w.now);
        w.now += 100;
        ex_jobs_tick(w.jobs, w.now);
        if (w.leases[10 + i].was_started)
            world_die(&w, 0, 0, "was killed");
    }
    assert_int_equal(w.leases[1].ends, 0);
    world_ready(&w, 0, 0);
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 0);
}

static void test_a_failed_model_returns_its_calls(void **state)
{
    (void)state;
    w.workers[0][0].is_ready = false;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 1, false, 1000);
    w.workers[0][0].is_failed = true;
    ex_jobs_worker_failed(w.jobs, 0, 0, "no weights", w.now);
    expect_returned(1, SL_REASON_NO_CAPACITY);
    assert_int_equal(w.leases[2].ends, 0);
    world_call(&w, 3, 0, 0, false, 1000);
    assert_int_equal(w.leases[3].ends, 0); /* behind m1, which runs */
    world_complete(&w, 0, 1, 0);
    expect_returned(3, SL_REASON_NO_CAPACITY);
}

static void test_a_result_of_nobody_is_refused(void **state)
{
    struct ex_outcome outcome = {.reason = SL_REASON_OK};
    (void)state;
    ex_jobs_result(w.jobs, 0, 0, 1, &outcome, 0, 0);
    world_call(&w, 1, 0, 0, false, 1000);
    ex_jobs_result(w.jobs, 0, 0, 2, &outcome, 0, 0);
    ex_jobs_result(w.jobs, 0, 1, 1, &outcome, 0, 0);
    assert_int_equal(ex_jobs_stats(w.jobs).refused_messages, 3);
    assert_int_equal(w.leases[1].ends, 0);
}

static void test_outputs_over_the_limit(void **state)
{
    static const uint8_t bytes[1001];
    const struct ex_output output = {.name = "X", .bytes = sl_span_of(bytes, sizeof(bytes))};
    struct ex_outcome outcome = {.reason = SL_REASON_OK, .outputs = &output, .output_count = 1};
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    ex_jobs_result(w.jobs, 0, 0, 1, &outcome, 0, 2000);
    expect_end(1, SL_REASON_TOO_LARGE, true, 2);
}

/* ---- ends */

static void test_a_lost_gateway_frees_its_lease_numbers(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 1, 0, true, 1000);
    world_call(&w, 4, 0, 1, false, 1000);
    begin(0, 0);
    world_lose_gateway(&w);
    world_check(&w);
    world_call(&w, 1, 0, 0, false, 1000); /* of the next gateway */
    assert_false(w.leases[1].was_started);
    w.now += 100;
    ex_jobs_tick(w.jobs, w.now);
    world_die(&w, 0, 0, "was killed");
    world_ready(&w, 0, 0);
    assert_true(w.leases[1].was_started);
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 0);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void test_abandon(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 0, 1, false, 1000);
    world_call(&w, 4, 1, 0, true, 1000);
    begin(0, 0);
    ex_jobs_abandon(w.jobs, w.now);
    for (uint64_t lease = 2; lease <= 4; lease++)
        expect_returned(lease, SL_REASON_DRAINING);
    world_die(&w, 0, 0, "was killed");
    expect_end(1, SL_REASON_EXECUTOR_LOST, true, 0);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

/* ---- leases are written down */

static void test_a_lease_is_in_the_journal_when_it_held_its_slice(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    world_call(&w, 2, 0, 0, false, 1000000);
    ex_jobs_cancel(w.jobs, 2, w.now); /* unstarted: its worker passes it over */
    w.now += 5000;
    world_complete(&w, 0, 0, 5);
    w.now += 7000;
    world_complete(&w, 0, 0, 0);
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
    assert_int_equal(ex_journal_totals(w.journal).leases, 1);
    assert_int_equal(ex_journal_totals(w.journal).held_us, 5);
    world_check_journal(&w);
}

static void test_a_lease_whose_gateway_is_gone_is_left_to_be_told(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    begin(0, 0);
    world_lose_gateway(&w);
    w.now += 9000;
    world_complete(&w, 0, 0, 0);
    const struct ex_journal_entry *e = ex_journal_next_untold(w.journal);
    assert_non_null(e);
    assert_int_equal(e->lease, 1);
    assert_int_equal(e->held_us, 9);
    assert_string_equal(e->model, "m0");
    world_check_journal(&w);
}

static void test_a_try_that_never_began_is_not_written_down(void **state)
{
    (void)state;
    world_call(&w, 1, 0, 0, false, 1000000);
    w.now += 4000;
    world_die(&w, 0, 0, "crashed");
    assert_int_equal(ex_journal_totals(w.journal).leases, 0);
    world_ready(&w, 0, 0);
    w.now += 3000;
    world_complete(&w, 0, 0, 3);
    expect_end(1, SL_REASON_OK, true, 3);
    assert_int_equal(ex_journal_totals(w.journal).held_us, 3);
    world_check_journal(&w);
}

static void test_what_cannot_be_written_down_is_given_back(void **state)
{
    const uint32_t max = 2 * WORLD_LEASES; /* as fake_world.c makes it */
    (void)state;
    for (uint32_t i = 0; i < max - 1; i++) {
        const struct ex_journal_start start = {.lease = 1, .call_id = "", .model = "m0"};
        ex_journal_began(w.journal, &start);
        assert_int_not_equal(ex_journal_ended(w.journal, 0, 0, SL_REASON_OK), 0);
    }
    world_call(&w, 1, 0, 0, false, 1000000);
    world_call(&w, 2, 1, 0, false, 1000000);
    expect_returned(2, SL_REASON_NO_CAPACITY);
    assert_non_null(strstr(w.leases[2].text, "has not acknowledged"));
    assert_int_equal(ex_jobs_stats(w.jobs).unrecorded, 1);
    world_complete(&w, 0, 0, 0);
    expect_end(1, SL_REASON_OK, true, 0);
}

/* ---- wide slices */

static void test_a_wide_job_waits_for_both_halves_and_is_not_passed(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, WORLD_WIDE, 0, false, 1000);
    world_call(&w, 3, 1, 0, false, 1000); /* its slice is free, but the wide job came first */
    world_call(&w, 4, 0, 0, false, 1000);
    assert_true(w.leases[1].was_started);
    assert_false(w.leases[2].was_started || w.leases[3].was_started || w.leases[4].was_started);
    w.now += 10 * SL_NS_PER_US;
    world_complete(&w, 0, 0, -1);
    assert_true(w.leases[2].was_started);
    assert_false(w.leases[3].was_started || w.leases[4].was_started);
    w.now += 30 * SL_NS_PER_US;
    world_complete(&w, WORLD_WIDE, 0, -1);
    assert_int_equal(w.leases[2].held_us, 30);
    assert_true(w.leases[3].was_started && w.leases[4].was_started);
    world_complete(&w, 1, 0, -1);
    world_complete(&w, 0, 0, -1);
    world_check(&w);
    world_check_journal(&w);
    world_finish(&w);
}

static void test_a_wide_job_that_is_cancelled_lets_the_others_pass(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, WORLD_WIDE, 0, false, 1000);
    world_call(&w, 3, 1, 0, false, 1000);
    assert_false(w.leases[3].was_started);
    ex_jobs_cancel(w.jobs, 2, w.now);
    assert_true(w.leases[3].was_started);
    world_complete(&w, 0, 0, -1);
    world_complete(&w, 1, 0, -1);
    world_check(&w);
    world_finish(&w);
}

static void test_a_wide_job_that_is_called_back_lets_the_others_pass(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, WORLD_WIDE, 0, false, 1000);
    world_call(&w, 3, 1, 0, false, 1000);
    assert_false(w.leases[3].was_started);
    ex_jobs_call_back(w.jobs, 2, w.now);
    expect_returned(2, SL_REASON_DRAINING);
    assert_true(w.leases[3].was_started);
    world_complete(&w, 0, 0, -1);
    world_complete(&w, 1, 0, -1);
    world_check(&w);
    world_finish(&w);
}

static void test_a_killed_wide_job_frees_both_halves_when_its_process_is_gone(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    world_call(&w, 1, WORLD_WIDE, 0, false, 10);
    world_call(&w, 2, 0, 0, false, 1000);
    world_call(&w, 3, 1, 1, false, 1000);
    w.now += 10 * SL_NS_PER_US;
    ex_jobs_tick(w.jobs, w.now);
    assert_false(w.leases[2].was_started || w.leases[3].was_started);
    world_die(&w, WORLD_WIDE, 0, "was killed");
    assert_int_equal(w.leases[1].reason, SL_REASON_DURATION_EXCEEDED);
    assert_true(w.leases[2].was_started && w.leases[3].was_started);
    world_complete(&w, 0, 0, -1);
    world_complete(&w, 1, 1, -1);
    world_check(&w);
    world_check_journal(&w);
    world_finish(&w);
}

/* Its line is looked at when a half of it is free; then it goes, and the other half's line must hear of it. */
static void test_a_wide_job_that_cannot_be_served_lets_the_others_pass(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    w.workers[WORLD_WIDE][0].is_failed = true;
    world_call(&w, 1, 0, 0, false, 1000);
    world_call(&w, 2, WORLD_WIDE, 0, false, 1000);
    world_call(&w, 3, 1, 0, false, 1000);
    assert_false(w.leases[3].was_started);
    world_complete(&w, 0, 0, -1);
    assert_true(w.leases[2].is_returned);
    assert_true(w.leases[3].was_started);
    world_complete(&w, 1, 0, -1);
    world_check(&w);
    world_finish(&w);
}

/* ---- random plays */

static void random_worker_step(struct sl_rng *rng)
{
    const uint32_t slice = (uint32_t)sl_rng_below(rng, WORLD_SLICES);
    const uint32_t model = (uint32_t)sl_rng_below(rng, WORLD_MODELS);
    struct fake_worker *k = &w.workers[slice][model];
    const uint64_t what = sl_rng_below(rng, 10);
    if (k->is_dying) {
        if (what < 5)
            world_die(&w, slice, model, "was killed");
    } else if (!k->is_ready) {
        if (what < 4)
            world_ready(&w, slice, model);
    } else if (k->ring_count > 0 && what < 6) {
        world_complete(&w, slice, model, (sl_gpu_us)sl_rng_below(rng, 50));
    } else if (k->ring_count > 0 && what < 9) {
        k->has_begun = true;
    } else if (what == 9 && sl_rng_below(rng, 3) == 0) {
        world_die(&w, slice, model, "crashed");
    }
}

/* Wide ones now and then: each has both halves. */
static uint32_t random_slice(struct sl_rng *rng)
{
    return sl_rng_below(rng, 12) == 0 ? WORLD_WIDE : (uint32_t)sl_rng_below(rng, WORLD_WIDE);
}

static void random_gateway_step(struct sl_rng *rng, uint64_t *next_lease)
{
    const uint64_t what = sl_rng_below(rng, 100);
    const uint64_t some = *next_lease > 30 ? *next_lease - 1 - sl_rng_below(rng, 30) : 1;
    if (what < 45) {
        w.leases[*next_lease].is_bad = w.specs[0].max_batch > 1 && sl_rng_below(rng, 20) == 0;
        world_call(&w, (*next_lease)++, random_slice(rng),
                   (uint32_t)sl_rng_below(rng, WORLD_MODELS), sl_rng_below(rng, 4) == 0,
                   1 + sl_rng_below(rng, 20));
    } else if (what < 65) {
        (void)world_bulk(&w, some);
    } else if (what < 80) {
        if (w.leases[some].is_open)
            ex_jobs_cancel(w.jobs, some, w.now);
    } else if (what < 85) {
        if (w.leases[some].is_open)
            ex_jobs_call_back(w.jobs, some, w.now);
    } else if (what < 99) {
        w.now += (sl_mono_ns)sl_rng_below(rng, 800);
        ex_jobs_tick(w.jobs, w.now);
    } else if (sl_rng_below(rng, 4) == 0) {
        world_lose_gateway(&w);
    }
}

/* Lets everything come to its end. */
static void play_out(void)
{
    for (int i = 0; i < 10000 && ex_jobs_open_count(w.jobs) > 0; i++) {
        for (uint32_t k = 0; k < WORLD_SLICES * WORLD_MODELS; k++) {
            const uint32_t slice = k / WORLD_MODELS, model = k % WORLD_MODELS;
            if (w.workers[slice][model].is_dying)
                world_die(&w, slice, model, "was killed");
            else if (!w.workers[slice][model].is_ready)
                world_ready(&w, slice, model);
            else if (w.workers[slice][model].ring_count > 0)
                world_complete(&w, slice, model, 1);
        }
        w.now += 500;
        ex_jobs_tick(w.jobs, w.now);
    }
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
}

static void play(uint64_t seed, int64_t max_batch)
{
    struct sl_rng rng;
    uint64_t next_lease = 1;
    sl_rng_seed(&rng, seed);
    world_init(&w, &sl_alloc_malloc);
    world_set_batch(&w, max_batch, 1);
    w.ring_bytes = max_batch > 1 ? 60 : WORLD_JOB_BYTES; /* most runs of several are in segments */
    while (next_lease < WORLD_LEASES - 1) {
        if (sl_rng_below(&rng, 2) == 0)
            random_gateway_step(&rng, &next_lease);
        else
            random_worker_step(&rng);
        if (sl_rng_below(&rng, 8) == 0)
            world_check(&w);
    }
    play_out();
    for (size_t i = 0; i < WORLD_LEASES; i++) {
        assert_false(w.leases[i].is_open);
        assert_true(w.leases[i].is_bad || strcmp(w.leases[i].text, "a bad item") != 0);
    }
    world_check(&w);
    world_check_journal(&w);
    assert_true(ex_journal_totals(w.journal).leases > WORLD_LEASES / 4);
    world_finish(&w);
}

static void test_random_plays(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        play(seed, 1);
}

static void test_random_plays_of_calls_that_run_together(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        play(seed, 2 + (int64_t)(seed % 16));
        assert_true(w.run_calls > 1);
    }
}

/* ---- memory */

static void play_short(const struct sl_alloc *alloc, int64_t max_batch)
{
    if (world_try_init(&w, alloc) == SL_OK) {
        world_set_batch(&w, max_batch, 0);
        for (uint64_t lease = 1; lease <= 6; lease++)
            world_call(&w, lease, lease % 2, 0, lease % 3 == 0, 1000);
        (void)world_bulk(&w, 3);
        ex_jobs_tick(w.jobs, w.now);
        for (int i = 0; i < 3; i++) {
            if (w.workers[0][0].ring_count > 0)
                world_complete(&w, 0, 0, 0);
        }
        world_check(&w);
    }
    world_finish(&w);
}

static void test_each_allocation_may_fail(void **state)
{
    struct fail_alloc f;
    (void)state;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        play_short(&f.alloc, 1);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        play_short(&f.alloc, 8);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

#define scene(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene(test_a_call_runs_and_ends),
        scene(test_bulk_comes_before_the_line),
        scene(test_bulk_out_of_order_is_refused),
        scene(test_no_memory_for_bulk_returns_the_call),
        scene(test_models_of_a_slice_take_turns),
        scene(test_a_loading_model_does_not_hold_up_others),
        scene(test_results_at_once_share_the_time),
        scene(test_a_worker_cannot_claim_more_time_than_passed),
        scene(test_refusals),
        scene(test_bad_inputs),
        scene(test_a_lease_that_is_known_or_zero_is_dropped),
        scene(test_the_line_has_an_end),
        scene(test_over_its_limit),
        scene(test_the_clock_stops_when_the_result_came),
        scene(test_a_result_too_late_does_not_count),
        scene(test_cancel_in_each_state),
        scene(test_call_back_in_each_state),
        scene(test_what_stops_when_it_is_asked_to_keeps_its_worker),
        scene(test_a_worker_that_dies_under_a_cancelled_call_ends_it),
        scene(test_an_orphan_that_began_has_its_grace),
        scene(test_a_death_ends_what_had_begun_only),
        scene(test_a_call_outlives_two_workers_not_three),
        scene(test_deaths_by_our_hand_do_not_count),
        scene(test_a_failed_model_returns_its_calls),
        scene(test_a_result_of_nobody_is_refused),
        scene(test_outputs_over_the_limit),
        scene(test_a_lost_gateway_frees_its_lease_numbers),
        scene(test_abandon),
        scene(test_a_lease_is_in_the_journal_when_it_held_its_slice),
        scene(test_a_lease_whose_gateway_is_gone_is_left_to_be_told),
        scene(test_a_try_that_never_began_is_not_written_down),
        scene(test_what_cannot_be_written_down_is_given_back),
        cmocka_unit_test(test_a_wide_job_waits_for_both_halves_and_is_not_passed),
        cmocka_unit_test(test_a_wide_job_that_is_cancelled_lets_the_others_pass),
        cmocka_unit_test(test_a_wide_job_that_is_called_back_lets_the_others_pass),
        cmocka_unit_test(test_a_killed_wide_job_frees_both_halves_when_its_process_is_gone),
        cmocka_unit_test(test_a_wide_job_that_cannot_be_served_lets_the_others_pass),
        cmocka_unit_test(test_random_plays),
        cmocka_unit_test(test_random_plays_of_calls_that_run_together),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
