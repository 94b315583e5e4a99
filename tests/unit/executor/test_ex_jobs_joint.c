/* test_ex_jobs_joint.c - calls that run together, scene by scene. A call brings 1, 2 or 3 rows: 1 + lease % 3. */
#include "fake_world.h"
#include "sl_test.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_init(&w, &sl_alloc_malloc);
    world_set_batch(&w, 8, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_check(&w);
    world_check_journal(&w);
    world_finish(&w);
    return 0;
}

static void call(uint64_t lease, uint64_t limit_us)
{
    world_call(&w, lease, 0, 0, false, limit_us);
}

static void end_turn(void)
{
    ex_jobs_tick(w.jobs, w.now);
}

/* Nobody who waits for others waits any more. */
static void pass_delay(void)
{
    w.now += 2000;
    end_turn();
}

/* Lease 1 runs (2 rows), first to last wait behind it. */
static void call_behind_another(uint64_t first, uint64_t last)
{
    call(1, 1000000);
    end_turn();
    for (uint64_t lease = first; lease <= last; lease++)
        call(lease, 1000000);
    end_turn();
}

static const struct fake_worker *worker(void)
{
    return &w.workers[0][0];
}

static void complete(void)
{
    world_complete(&w, 0, 0, 0);
}

static void begin(void)
{
    w.workers[0][0].has_begun = true;
}

static void expect(uint64_t lease, enum sl_reason reason, sl_gpu_us held)
{
    assert_int_equal(w.leases[lease].ends, 1);
    assert_string_equal(sl_reason_name(w.leases[lease].reason), sl_reason_name(reason));
    assert_int_equal(w.leases[lease].held_us, held);
}

/* ---- joining */

static void test_calls_of_one_turn_run_together(void **state)
{
    (void)state;
    for (uint64_t lease = 2; lease <= 4; lease++) /* 3, 1 and 2 rows */
        call(lease, 1000000);
    assert_int_equal(worker()->ring_count, 0); /* there may be more in this turn */
    end_turn();
    assert_int_equal(worker()->ring_count, 1);
    assert_int_equal(worker()->ring[0].rows, 6);
    assert_true(w.leases[2].was_started && w.leases[3].was_started && w.leases[4].was_started);
    w.now += 10000;
    complete();
    expect(2, SL_REASON_OK, 6); /* 10 us: 5, 1.67, 3.33; what is left goes to the first */
    expect(3, SL_REASON_OK, 1);
    expect(4, SL_REASON_OK, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(w.leases[2 + i].run_us, 10);
        assert_int_equal(w.leases[2 + i].run_calls, 3);
        assert_int_equal(w.leases[2 + i].run_place, i);
    }
    assert_int_equal(ex_jobs_stats(w.jobs).joints, 1);
}

static void test_a_run_is_no_larger_than_the_model_allows(void **state)
{
    (void)state;
    call_behind_another(2, 8); /* 3 1 2 3 1 2 3 rows: 2 to 4 are 6, 6 fits in, 5 does not */
    assert_int_equal(worker()->ring_count, 1);
    complete();
    assert_int_equal(worker()->ring[0].rows, 7);
    assert_false(w.leases[5].was_started);
    assert_true(w.leases[6].was_started);
    complete();
    assert_int_equal(worker()->ring[0].rows, 8);
}

static void test_other_models_and_other_durations_do_not_join(void **state)
{
    (void)state;
    call(1, 1000);
    call(2, 2000);
    call(3, 2001); /* more than twice what 1 declares */
    world_call(&w, 4, 0, 1, false, 1000);
    call(5, 1000); /* behind a call of another model, which it does not pass */
    end_turn();
    assert_int_equal(worker()->ring[0].rows, 5);
    assert_true(w.leases[1].was_started && w.leases[2].was_started);
    complete();
    pass_delay();
    assert_true(w.leases[3].was_started);
    complete();
    assert_true(w.leases[4].was_started);
    assert_false(w.leases[5].was_started);
}

static void test_large_inputs_are_joined_in_a_segment(void **state)
{
    (void)state;
    w.ring_bytes = 50;
    world_call(&w, 2, 0, 0, true, 1000);
    world_call(&w, 5, 0, 0, false, 1000);
    assert_ok(world_bulk(&w, 2));
    end_turn();
    assert_int_equal(worker()->ring[0].rows, 6);
    assert_int_equal(w.segments, 2); /* its own, and theirs */
    complete();
    assert_int_equal(w.segments, 0);
    expect(2, SL_REASON_OK, 0);
}

static void test_without_memory_calls_run_alone(void **state)
{
    (void)state;
    w.ring_bytes = 50;
    w.has_no_memory = true;
    call(2, 1000);
    call(5, 1000);
    end_turn();
    assert_int_equal(worker()->ring[0].rows, 3);
    complete();
    pass_delay();
    complete();
    expect(5, SL_REASON_OK, 0);
}

/* ---- waiting for company */

static void test_who_was_alone_waits_for_nobody(void **state)
{
    (void)state;
    call(1, 1000);
    end_turn();
    complete();
    call(2, 1000);
    end_turn();
    assert_true(w.leases[2].was_started);
}

static void test_as_many_as_last_time_are_waited_for(void **state)
{
    (void)state;
    call(1, 1000);
    call(2, 1000);
    end_turn();
    complete(); /* two ran together */
    w.now = 5000;
    call(3, 1000);
    end_turn();
    assert_false(w.leases[3].was_started);
    assert_int_equal(ex_jobs_next_at(w.jobs), 7000);
    call(4, 1000);
    end_turn();
    assert_true(w.leases[3].was_started && w.leases[4].was_started);
    complete();
    w.now = 20000;
    call(5, 1000); /* the other one does not come again */
    w.now = 21999;
    end_turn();
    assert_false(w.leases[5].was_started);
    w.now = 22000;
    end_turn();
    assert_true(w.leases[5].was_started);
    complete();
    call(6, 1000);
    end_turn();
    assert_true(w.leases[6].was_started); /* who was alone waits for nobody */
}

static void test_who_waited_meanwhile_counts(void **state)
{
    (void)state;
    call_behind_another(2, 2);
    complete();
    assert_false(w.leases[2].was_started); /* there were two: the other one may be back at once */
    call(4, 1000000);
    end_turn();
    assert_true(w.leases[2].was_started && w.leases[4].was_started);
}

/* ---- ends */

static void test_a_run_that_fails_is_nobodys_and_its_calls_run_alone(void **state)
{
    (void)state;
    w.leases[3].is_bad = true;
    for (uint64_t lease = 2; lease <= 4; lease++)
        call(lease, 1000000);
    end_turn();
    w.now += 9000;
    complete();
    assert_int_equal(worker()->ring_count, 3);
    const struct ex_journal_entry *e = ex_journal_next_untold(w.journal);
    assert_non_null(e);
    assert_int_equal(e->held_us, 9);
    assert_string_equal(e->cause, "MODEL_ERROR");
    for (int i = 0; i < 3; i++) {
        w.now += 4000;
        world_complete(&w, 0, 0, 4);
    }
    expect(2, SL_REASON_OK, 4);
    expect(3, SL_REASON_MODEL_ERROR, 4);
    expect(4, SL_REASON_OK, 4);
    assert_int_equal(w.leases[2].run_calls, 0);
    assert_int_equal(ex_jobs_stats(w.jobs).joints_failed, 1);
}

static void test_after_a_failure_runs_grow_again(void **state)
{
    static const int64_t rows[] = {1, 2, 4, 3};
    (void)state;
    w.leases[3].is_bad = true;
    call(3, 1000000);
    call(6, 1000000);
    end_turn();
    complete();
    complete();
    complete();
    for (uint64_t i = 9; i <= 36; i += 3) /* 1 row each */
        call(i, 1000000);
    for (size_t i = 0; i < 4; i++) {
        pass_delay();
        assert_int_equal(worker()->ring[0].rows, rows[i]);
        complete();
    }
}

static void test_a_death_ends_nobody_who_ran_with_others(void **state)
{
    (void)state;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    begin();
    w.now += 3000;
    world_die(&w, 0, 0, "crashed");
    assert_int_equal(w.leases[2].ends + w.leases[3].ends, 0);
    world_ready(&w, 0, 0);
    assert_int_equal(worker()->ring_count, 2);
    complete();
    begin();
    world_die(&w, 0, 0, "crashed again");
    expect(2, SL_REASON_OK, 0);
    expect(3, SL_REASON_MODEL_ERROR, 0);
}

static void test_before_it_began_nothing_is_lost(void **state)
{
    (void)state;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    w.now += 3000;
    world_die(&w, 0, 0, "crashed");
    assert_int_equal(ex_journal_totals(w.journal).leases, 0);
    world_ready(&w, 0, 0);
    assert_int_equal(worker()->ring[0].rows, 4); /* together again */
    complete();
    expect(2, SL_REASON_OK, 0);
}

static void test_over_the_shortest_limit_they_run_alone(void **state)
{
    (void)state;
    call(2, 10);
    call(3, 6);
    end_turn();
    w.now += 6000;
    end_turn();
    assert_true(worker()->is_dying);
    begin();
    world_die(&w, 0, 0, "was killed");
    world_ready(&w, 0, 0);
    assert_int_equal(worker()->ring_count, 2);
    w.now += 5000;
    world_complete(&w, 0, 0, 5);
    expect(2, SL_REASON_OK, 5);
    w.now += 6000;
    end_turn();
    begin();
    world_die(&w, 0, 0, "was killed");
    expect(3, SL_REASON_DURATION_EXCEEDED, 6);
}

static void test_who_leaves_pays_his_part_and_stops_nobody(void **state)
{
    (void)state;
    call(2, 1000000); /* 3 rows, and it is the first */
    call(3, 1000000); /* 1 row */
    end_turn();
    ex_jobs_cancel(w.jobs, 2, w.now);
    assert_false(worker()->is_dying);
    w.now += 4000;
    complete();
    expect(2, SL_REASON_CANCELLED, 3);
    expect(3, SL_REASON_OK, 1);
    assert_int_equal(w.leases[3].run_place, 0); /* of those that are told its outputs */
    assert_true(w.leases[2].run_us == 4 && w.leases[2].run_place == w.leases[2].run_calls);
}

static void test_when_all_have_left_the_worker_ends(void **state)
{
    (void)state;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    begin();
    ex_jobs_cancel(w.jobs, 3, w.now);
    ex_jobs_cancel(w.jobs, 3, w.now);
    assert_false(worker()->is_dying);
    ex_jobs_cancel(w.jobs, 2, w.now);
    assert_int_equal(worker()->cancelled_count, 1); /* asked to stop, which it does not */
    w.now += 75;
    end_turn();
    assert_true(worker()->is_dying);
    w.now += 8000 - 75;
    world_die(&w, 0, 0, "was killed");
    expect(2, SL_REASON_CANCELLED, 6);
    expect(3, SL_REASON_CANCELLED, 2);
}

static void test_when_all_have_left_a_run_may_stop_in_time(void **state)
{
    struct ex_outcome outcome = {.reason = SL_REASON_CANCELLED, .text = "cancelled"};
    (void)state;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    begin();
    ex_jobs_cancel(w.jobs, 2, w.now);
    assert_int_equal(worker()->cancelled_count, 0);
    ex_jobs_cancel(w.jobs, 3, w.now);
    w.now += 4000;
    world_end(&w, 0, 0, &outcome, 4);
    expect(2, SL_REASON_CANCELLED, 3);
    expect(3, SL_REASON_CANCELLED, 1);
    assert_int_equal(ex_jobs_stats(w.jobs).joints_failed, 0);
}

static void test_who_left_a_run_that_fails_pays_nothing(void **state)
{
    (void)state;
    w.leases[3].is_bad = true;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    ex_jobs_cancel(w.jobs, 2, w.now);
    w.now += 4000;
    complete();
    expect(2, SL_REASON_CANCELLED, 0);
    complete();
    expect(3, SL_REASON_MODEL_ERROR, 0);
}

static void test_a_call_that_waits_leaves_at_once(void **state)
{
    (void)state;
    call_behind_another(2, 3);
    ex_jobs_cancel(w.jobs, 2, w.now);
    expect(2, SL_REASON_CANCELLED, 0);
    complete();
    pass_delay();
    assert_int_equal(worker()->ring[0].rows, 1);
}

static void test_a_lost_gateway_and_a_stop(void **state)
{
    (void)state;
    call(2, 1000000);
    call(3, 1000000);
    end_turn();
    begin();
    world_lose_gateway(&w);
    w.now += 100;
    end_turn();
    assert_true(worker()->is_dying);
    world_die(&w, 0, 0, "was killed");
    assert_int_equal(ex_jobs_open_count(w.jobs), 0);
    world_ready(&w, 0, 0);
    call(4, 1000000);
    call(5, 1000000);
    w.now += 2000;
    end_turn();
    begin();
    w.now += 5000;
    ex_jobs_abandon(w.jobs, w.now);
    world_die(&w, 0, 0, "was killed");
    expect(4, SL_REASON_EXECUTOR_LOST, 2);
    expect(5, SL_REASON_EXECUTOR_LOST, 3);
}

static void test_outputs_that_are_not_the_items(void **state)
{
    static const int64_t dims[] = {3, 4};
    static const uint8_t bytes[48];
    const struct ex_output output = {"X", SL_DTYPE_FP32, dims, 2, sl_span_of(bytes, 48), NULL};
    struct ex_outcome outcome = {.reason = SL_REASON_OK, .outputs = &output, .output_count = 1};
    (void)state;
    call(2, 1000000);
    call(3, 1000000); /* 4 rows in all */
    end_turn();
    ex_jobs_result(w.jobs, 0, 0, 1, &outcome, 0, w.now);
    assert_int_equal(worker()->ring_count, 3); /* the fake one's ring still has the first */
    assert_int_equal(ex_jobs_stats(w.jobs).joints_failed, 1);
    w.workers[0][0].ring_count = 0;
}

#define scene(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene(test_calls_of_one_turn_run_together),
        scene(test_a_run_is_no_larger_than_the_model_allows),
        scene(test_other_models_and_other_durations_do_not_join),
        scene(test_large_inputs_are_joined_in_a_segment),
        scene(test_without_memory_calls_run_alone),
        scene(test_who_was_alone_waits_for_nobody),
        scene(test_as_many_as_last_time_are_waited_for),
        scene(test_who_waited_meanwhile_counts),
        scene(test_a_run_that_fails_is_nobodys_and_its_calls_run_alone),
        scene(test_after_a_failure_runs_grow_again),
        scene(test_a_death_ends_nobody_who_ran_with_others),
        scene(test_before_it_began_nothing_is_lost),
        scene(test_over_the_shortest_limit_they_run_alone),
        scene(test_who_leaves_pays_his_part_and_stops_nobody),
        scene(test_when_all_have_left_the_worker_ends),
        scene(test_when_all_have_left_a_run_may_stop_in_time),
        scene(test_who_left_a_run_that_fails_pays_nothing),
        scene(test_a_call_that_waits_leaves_at_once),
        scene(test_a_lost_gateway_and_a_stop),
        scene(test_outputs_that_are_not_the_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
