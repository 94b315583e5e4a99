/* test_gw_call_state.c - every move between two states against the picture in the header, and the
 * counts. */
#include "gw_call_state.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

/* The arrows of the picture, written out once more. */
static const enum gw_call_state arrows[][2] = {
    {GW_CALL_NEW, GW_CALL_RECEIVING},     {GW_CALL_RECEIVING, GW_CALL_QUEUED},
    {GW_CALL_QUEUED, GW_CALL_DISPATCHED}, {GW_CALL_DISPATCHED, GW_CALL_RUNNING},
    {GW_CALL_DISPATCHED, GW_CALL_QUEUED}, {GW_CALL_RECEIVING, GW_CALL_ENDED},
    {GW_CALL_QUEUED, GW_CALL_ENDED},      {GW_CALL_DISPATCHED, GW_CALL_ENDED},
    {GW_CALL_RUNNING, GW_CALL_ENDED},
};

static bool is_arrow(enum gw_call_state from, enum gw_call_state to)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(arrows); i++)
        if (arrows[i][0] == from && arrows[i][1] == to)
            return true;
    return false;
}

static void every_pair_is_as_in_the_picture(void **state SL_UNUSED)
{
    for (int from = 0; from <= GW_CALL_STATE_COUNT; from++)
        for (int to = 0; to <= GW_CALL_STATE_COUNT; to++) {
            enum gw_call_state s = (enum gw_call_state)from;
            struct gw_call_counts counts = {{5, 5, 5, 5, 5, 5}}, before = counts;
            bool is_legal = is_arrow(s, (enum gw_call_state)to);
            assert_int_equal(gw_call_may_move(s, (enum gw_call_state)to), is_legal);
            if (from == GW_CALL_STATE_COUNT)
                continue;
            if (!is_legal) {
                assert_status(gw_call_move(&s, (enum gw_call_state)to, &counts), SL_EBROKEN);
                assert_int_equal(s, from);
                assert_memory_equal(&counts, &before, sizeof counts);
                continue;
            }
            assert_ok(gw_call_move(&s, (enum gw_call_state)to, &counts));
            assert_int_equal(s, to);
            before.in[to]++;
            if (from != GW_CALL_NEW)
                before.in[from]--;
            assert_memory_equal(&counts, &before, sizeof counts);
        }
}

static void only_an_ended_call_can_go(void **state SL_UNUSED)
{
    for (int from = 0; from < GW_CALL_STATE_COUNT; from++) {
        enum gw_call_state s = (enum gw_call_state)from;
        struct gw_call_counts counts = {{1, 1, 1, 1, 1, 1}};
        assert_status(gw_call_gone(&s, &counts), from == GW_CALL_ENDED ? SL_OK : SL_EBROKEN);
        assert_int_equal(counts.in[GW_CALL_ENDED], from != GW_CALL_ENDED);
        assert_int_equal(s, from == GW_CALL_ENDED ? GW_CALL_NEW : from);
    }
}

static void counts_are_the_states_after_any_walk(void **state SL_UNUSED)
{
    enum { CALLS = 50 };
    enum gw_call_state calls[CALLS] = {GW_CALL_NEW};
    struct gw_call_counts counts = {{0}};
    struct sl_rng rng;
    sl_rng_seed(&rng, 41);
    for (int round = 0; round < 20000; round++) {
        enum gw_call_state *s = &calls[sl_rng_below(&rng, CALLS)];
        if (*s == GW_CALL_ENDED && sl_rng_below(&rng, 2))
            assert_ok(gw_call_gone(s, &counts));
        else if (gw_call_move(s, (enum gw_call_state)sl_rng_below(&rng, 6), &counts) != SL_OK)
            continue;
        uint64_t in[GW_CALL_STATE_COUNT] = {0};
        for (int i = 0; i < CALLS; i++)
            in[calls[i]] += calls[i] != GW_CALL_NEW;
        assert_memory_equal(in, counts.in, sizeof in);
    }
}

static void states_have_names(void **state SL_UNUSED)
{
    assert_string_equal(gw_call_state_name(GW_CALL_QUEUED), "queued");
    assert_string_equal(gw_call_state_name(GW_CALL_STATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_as_in_the_picture),
        cmocka_unit_test(only_an_ended_call_can_go),
        cmocka_unit_test(counts_are_the_states_after_any_walk),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
