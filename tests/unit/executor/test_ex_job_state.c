/* test_ex_job_state.c - the table of legal moves, and counters that move along. */
#include "ex_job_state.h"
#include "sl_rng.h"
#include "sl_test.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ex_job_state_name(EX_JOB_RUNNING), "RUNNING");
    assert_string_equal(ex_job_state_name(EX_JOB_STATE_COUNT), "?");
}

static void test_ended_is_the_end_and_new_is_never_entered(void **state)
{
    (void)state;
    for (int s = 0; s < EX_JOB_STATE_COUNT; s++) {
        assert_false(ex_job_may_move(EX_JOB_ENDED, (enum ex_job_state)s));
        assert_false(ex_job_may_move((enum ex_job_state)s, EX_JOB_NEW));
    }
    assert_false(ex_job_may_move(EX_JOB_WAITING, EX_JOB_STATE_COUNT));
    assert_false(ex_job_may_move(EX_JOB_WAITING, EX_JOB_RUNNING));
    assert_false(ex_job_may_move(EX_JOB_STOPPING, EX_JOB_POSTED));
    assert_true(ex_job_may_move(EX_JOB_STOPPING, EX_JOB_WAITING)); /* after a run with others */
}

static void test_an_illegal_move_changes_nothing(void **state)
{
    struct ex_job_counts counts = {{0}};
    enum ex_job_state s = EX_JOB_NEW;
    (void)state;
    assert_status(ex_job_move(&counts, &s, EX_JOB_RUNNING), SL_EINVAL);
    assert_int_equal(s, EX_JOB_NEW);
    assert_int_equal(ex_job_open_count(&counts), 0);
}

/* However jobs walk, the counters are what one would count by hand. */
static void test_counters_follow_random_walks(void **state)
{
    enum { JOBS = 40 };
    enum ex_job_state states[JOBS] = {EX_JOB_NEW};
    struct ex_job_counts counts = {{0}};
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 7);
    for (int step = 0; step < 20000; step++) {
        const size_t i = sl_rng_below(&rng, JOBS);
        const enum ex_job_state to = (enum ex_job_state)sl_rng_below(&rng, EX_JOB_STATE_COUNT);
        const bool is_legal = ex_job_may_move(states[i], to);
        assert_status(ex_job_move(&counts, &states[i], to), is_legal ? SL_OK : SL_EINVAL);
        uint64_t by_hand[EX_JOB_STATE_COUNT] = {0};
        uint64_t open = 0;
        for (size_t k = 0; k < JOBS; k++) {
            by_hand[states[k]]++;
            open += states[k] != EX_JOB_NEW && states[k] != EX_JOB_ENDED;
        }
        for (int s = EX_JOB_RECEIVING; s < EX_JOB_ENDED; s++)
            assert_int_equal(counts.in[s], by_hand[s]);
        assert_int_equal(ex_job_open_count(&counts), open);
        if (states[i] == EX_JOB_ENDED)
            states[i] = EX_JOB_NEW;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_ended_is_the_end_and_new_is_never_entered),
        cmocka_unit_test(test_an_illegal_move_changes_nothing),
        cmocka_unit_test(test_counters_follow_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
