/* test_gw_place.c - lone short calls are held where it pays; never while calls overlap; bounded in all it tries. */
#include "gw_place.h"
#include "sl_rng.h"
#include "sl_test.h"

/* A visitor, and a machine on which a call takes so long free and held. */
struct world {
    struct gw_place place;
    sl_mono_ns now;
    uint64_t arrived, open;
    int64_t free_ns, held_ns, gap_ns;
    uint64_t held_calls, switches;
    bool was_held;
};

static struct world world(int64_t free_us, int64_t held_us)
{
    struct world w = {.now = 1000 * SL_NS_PER_S,
                      .free_ns = free_us * SL_NS_PER_US,
                      .held_ns = held_us * SL_NS_PER_US,
                      .gap_ns = 20 * SL_NS_PER_US};
    gw_place_init(&w.place);
    return w;
}

static bool see(struct world *w)
{
    bool is_held = gw_place_see(&w->place, w->arrived, w->open, w->now);
    w->switches += is_held != w->was_held;
    w->was_held = is_held;
    return is_held;
}

static void arrive(struct world *w)
{
    w->arrived++;
    w->open++;
    see(w);
}

static void reply(struct world *w)
{
    w->open--;
    see(w);
}

/* One call, alone. */
static void call(struct world *w)
{
    arrive(w);
    w->held_calls += w->was_held;
    w->now += w->was_held ? w->held_ns : w->free_ns;
    reply(w);
    w->now += w->gap_ns;
}

static void calls(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        call(w);
}

static void overlap(struct world *w)
{
    arrive(w);
    arrive(w);
    assert_false(w->was_held);
    reply(w);
    reply(w);
    w->now += w->gap_ns;
}

enum { TRIAL = GW_PLACE_BLOCKS * (GW_PLACE_BLOCK + GW_PLACE_SETTLE) };

static void held_after_a_trial_that_pays(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, GW_PLACE_NEED_MIN);
    assert_int_equal(w.held_calls, 0);
    calls(&w, TRIAL + 2);
    assert_int_equal(w.place.phase, GW_PLACE_HELD);
    assert_true(w.was_held);
    assert_int_equal(w.switches, 3); /* free, held, free, held and so it stays */
}

static void free_where_it_does_not_pay(void **state SL_UNUSED)
{
    static const int64_t held_us[] = {150, 143, 300};
    for (size_t i = 0; i < SL_ARRAY_LEN(held_us); i++) {
        struct world w = world(150, held_us[i]);
        calls(&w, GW_PLACE_NEED_MIN + TRIAL + 2);
        assert_false(w.was_held);
        assert_int_equal(w.place.phase, GW_PLACE_FREE);
    }
}

static void how_soon_the_visitor_is_back_counts_too(void **state SL_UNUSED)
{
    struct world w = world(100, 100);
    for (unsigned i = 0; i < GW_PLACE_NEED_MIN + TRIAL + 2; i++) {
        w.gap_ns = (w.was_held ? 20 : 60) * SL_NS_PER_US;
        call(&w);
    }
    assert_true(w.was_held);
}

/* Who comes when he likes says nothing by that. */
static void long_pauses_do_not_count(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    for (unsigned i = 0; i < GW_PLACE_NEED_MIN + TRIAL + 2; i++) {
        w.gap_ns = SL_NS_PER_MS + (int64_t)sl_rng_below(&rng, 100) * SL_NS_PER_MS;
        call(&w);
    }
    assert_true(w.was_held);
}

static void let_go_when_a_second_call_comes(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    assert_true(w.was_held);
    arrive(&w);
    assert_true(w.was_held);
    arrive(&w);
    assert_false(w.was_held);
    reply(&w);
    reply(&w);
    assert_false(w.was_held);
}

/* The next one came in the turn in which the first ended: they did overlap. */
static void let_go_when_calls_change_places_in_a_turn(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    arrive(&w);
    w.arrived++;
    assert_false(see(&w));
}

static void let_go_when_two_came_and_went_in_a_turn(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    w.arrived += 2;
    assert_false(see(&w));
}

static void let_go_when_nothing_comes(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    w.now += GW_PLACE_IDLE_NS;
    assert_true(w.was_held);
    assert_false(see(&w));
    calls(&w, 1000); /* and it comes back */
    assert_true(w.was_held);
}

static void let_go_when_it_does_not_pay_any_more(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    assert_true(w.was_held);
    w.held_ns = 200 * SL_NS_PER_US; /* somebody else is on that processor now */
    calls(&w, GW_PLACE_REST_MIN + TRIAL + 2);
    assert_false(w.was_held);
    w.held_ns = 80 * SL_NS_PER_US;
    calls(&w, GW_PLACE_REST_MIN + GW_PLACE_NEED_MIN + TRIAL + 2);
    assert_true(w.was_held);
}

static void slow_calls_are_not_held(void **state SL_UNUSED)
{
    struct world w = world(600, 500);
    calls(&w, 5000);
    assert_int_equal(w.held_calls, 0);
    w = world(150, 80);
    calls(&w, 1000);
    w.held_ns = 600 * SL_NS_PER_US;
    calls(&w, 3);
    assert_false(w.was_held);
}

/* Headers in one turn, the message in the next: one call. */
static void turns_in_which_nothing_changes_say_nothing(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    for (unsigned i = 0; i < 1000; i++) {
        w.now += 50 * SL_NS_PER_MS; /* a visitor who takes his time */
        arrive(&w);
        see(&w);
        w.now += 50 * SL_NS_PER_US;
        see(&w);
        reply(&w);
        see(&w);
    }
    assert_true(w.switches > 0); /* tried, and never taken for calls that overlap */
    assert_int_equal(w.place.need_count, GW_PLACE_NEED_MIN);
}

static void let_go_while_a_long_one_runs(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    arrive(&w);
    w.now += GW_PLACE_LONG_NS;
    assert_true(see(&w));
    w.now++;
    assert_false(see(&w));
}

static void a_slow_one_now_and_then_is_borne(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    calls(&w, 1000);
    for (unsigned i = 0; i < 10; i++) {
        w.held_ns = 2 * SL_NS_PER_MS;
        call(&w);
        w.held_ns = 80 * SL_NS_PER_US;
        calls(&w, 50);
        assert_true(w.was_held);
    }
}

/* What trying costs, whatever is better: a few calls of a hundred. */
static void trials_are_few(void **state SL_UNUSED)
{
    enum { CALLS = 200000 };
    struct world w = world(100, 110);
    calls(&w, CALLS);
    assert_in_range(w.held_calls, 1, CALLS / 200); /* rarer each time */
    w = world(110, 100);
    calls(&w, CALLS);
    uint64_t free_calls = CALLS - w.held_calls;
    assert_in_range(free_calls, 1, CALLS / 20);
    print_message("%d calls: %llu free where held is better\n", CALLS,
                  (unsigned long long)free_calls);
}

/* Lone calls in rows of any one length between overlaps: each row a little longer than what is wanted is the
 * worst that a visitor can do. */
static void mixed_calls_do_not_make_it_flap(void **state SL_UNUSED)
{
    enum { CALLS = 100000 };
    uint64_t most = 0;
    for (unsigned row = 1; row <= 1024; row = row * 3 / 2 + 1) {
        struct world w = world(150, 80);
        while (w.arrived < CALLS) {
            calls(&w, row);
            overlap(&w);
        }
        most = w.switches > most ? w.switches : most;
    }
    print_message("%d calls: at most %llu switches\n", CALLS, (unsigned long long)most);
    assert_in_range(most, 1, CALLS / 500);
}

/* Any order of events: what is promised holds after each. */
static void never_held_while_calls_overlap(void **state SL_UNUSED)
{
    enum { SEEDS = 200, EVENTS = 20000 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w = world(150, 80);
        struct sl_rng rng;
        sl_rng_seed(&rng, seed);
        const uint64_t rarely = 1 + sl_rng_below(&rng, 2000);
        for (unsigned i = 0; i < EVENTS; i++) {
            call(&w);
            if (sl_rng_below(&rng, rarely) == 0) {
                uint64_t more = 1 + sl_rng_below(&rng, 4);
                for (uint64_t n = 0; n < more; n++)
                    arrive(&w);
                assert_true(more == 1 || !w.was_held);
                while (w.open > 0)
                    reply(&w);
            }
            if (sl_rng_below(&rng, 5000) == 0) {
                w.now += (int64_t)sl_rng_below(&rng, 3) * SL_NS_PER_S;
                see(&w);
            }
        }
        assert_in_range(w.switches, 0, w.arrived / 100);
    }
}

static void between_calls_only_while_held(void **state SL_UNUSED)
{
    struct world w = world(150, 80);
    call(&w);
    assert_false(gw_place_is_between(&w.place));
    calls(&w, 1000);
    assert_true(gw_place_is_between(&w.place));
    arrive(&w);
    assert_false(gw_place_is_between(&w.place));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_after_a_trial_that_pays),
        cmocka_unit_test(free_where_it_does_not_pay),
        cmocka_unit_test(how_soon_the_visitor_is_back_counts_too),
        cmocka_unit_test(long_pauses_do_not_count),
        cmocka_unit_test(let_go_when_a_second_call_comes),
        cmocka_unit_test(let_go_when_calls_change_places_in_a_turn),
        cmocka_unit_test(let_go_when_two_came_and_went_in_a_turn),
        cmocka_unit_test(let_go_when_nothing_comes),
        cmocka_unit_test(let_go_when_it_does_not_pay_any_more),
        cmocka_unit_test(slow_calls_are_not_held),
        cmocka_unit_test(turns_in_which_nothing_changes_say_nothing),
        cmocka_unit_test(let_go_while_a_long_one_runs),
        cmocka_unit_test(a_slow_one_now_and_then_is_borne),
        cmocka_unit_test(trials_are_few),
        cmocka_unit_test(mixed_calls_do_not_make_it_flap),
        cmocka_unit_test(never_held_while_calls_overlap),
        cmocka_unit_test(between_calls_only_while_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
