/* test_sl_patience.c - silence that was listened to, and time in which nobody listened. */
#include "sl_base.h"
#include "sl_patience.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { LOST_AFTER = 3000 };

/* Turns in time until it is over; when that was. */
static sl_mono_ns listen_to_the_end(struct sl_patience *p, int64_t heard)
{
    while (!sl_patience_is_over(p, heard))
        sl_patience_turn(p, sl_patience_next_at(p, heard));
    return p->turn_at;
}

static void is_over_right_after_its_time(void **state SL_UNUSED)
{
    struct sl_patience p;
    sl_patience_init(&p, LOST_AFTER, 500);
    assert_int_equal(listen_to_the_end(&p, 0), 500 + LOST_AFTER + 1);
}

static void whoever_is_heard_has_all_of_it_again(void **state SL_UNUSED)
{
    struct sl_patience p;
    sl_patience_init(&p, LOST_AFTER, 0);
    sl_patience_turn(&p, 900);
    const int64_t heard = p.waited_ns;
    assert_true(sl_patience_silence_ns(&p, heard) == 0);
    assert_int_equal(listen_to_the_end(&p, heard), 900 + LOST_AFTER + 1);
}

/* However long it stood still: what came meanwhile is read before anybody is lost. */
static void who_stood_still_listens_first(void **state SL_UNUSED)
{
    struct sl_patience p;
    sl_patience_init(&p, LOST_AFTER, 0);
    sl_patience_turn(&p, 1000 * LOST_AFTER);
    assert_false(sl_patience_is_over(&p, 0));
    assert_true(sl_patience_silence_ns(&p, 0) <= LOST_AFTER / 3 + 1);
    assert_true(listen_to_the_end(&p, 0) > 1000 * LOST_AFTER + LOST_AFTER / 2);
}

/* Time that stands or goes backwards adds nothing; of any other walk at most what went by counts. */
static void never_counts_more_than_went_by(void **state SL_UNUSED)
{
    struct sl_rng rng;
    struct sl_patience p;
    sl_mono_ns now = 0, latest = 0;
    sl_rng_seed(&rng, 3);
    sl_patience_init(&p, LOST_AFTER, now);
    for (int i = 0; i < 100000; i++) {
        const int64_t before = p.waited_ns;
        now += (int64_t)sl_rng_below(&rng, 2 * LOST_AFTER) - 100;
        latest = now > latest ? now : latest;
        sl_patience_turn(&p, now);
        assert_true(p.waited_ns >= before && p.waited_ns <= latest);
        assert_true(p.waited_ns - before <= LOST_AFTER / 3 + 1);
    }
}

static void an_endless_patience_is_never_over(void **state SL_UNUSED)
{
    struct sl_patience p;
    sl_patience_init(&p, SL_MONO_NEVER, 0);
    sl_patience_turn(&p, SL_MONO_NEVER);
    assert_false(sl_patience_is_over(&p, 0));
    assert_true(sl_patience_next_at(&p, 0) == SL_MONO_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_over_right_after_its_time),
        cmocka_unit_test(whoever_is_heard_has_all_of_it_again),
        cmocka_unit_test(who_stood_still_listens_first),
        cmocka_unit_test(never_counts_more_than_went_by),
        cmocka_unit_test(an_endless_patience_is_never_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
