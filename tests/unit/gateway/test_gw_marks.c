/* test_gw_marks.c - a record is accounted for the first time and never again. */
#include <stdlib.h>

#include "fail_alloc.h"
#include "gw_marks.h"
#include "sl_rng.h"
#include "sl_test.h"

static uint64_t record(uint64_t serial, uint64_t place)
{
    return serial << GW_MARKS_PLACE_BITS | place;
}

static struct gw_marks *make(size_t max)
{
    struct gw_marks *m;
    assert_ok(gw_marks_create(&sl_alloc_malloc, max, &m));
    return m;
}

static struct gw_mark *join(struct gw_marks *m, uint64_t journal)
{
    struct gw_mark *mark;
    assert_ok(gw_marks_join(m, journal, &mark));
    assert_int_equal(gw_mark_journal(mark), journal);
    return mark;
}

static void test_a_record_is_taken_once_in_any_order(void **state)
{
    struct gw_marks *m = make(1);
    struct gw_mark *mark = join(m, 9);
    (void)state;
    assert_true(gw_mark_take(mark, record(5, 1)));
    assert_true(gw_mark_take(mark, record(3, 2)));
    assert_true(gw_mark_take(mark, record(4, 3)));
    assert_false(gw_mark_take(mark, record(3, 2)));
    assert_false(gw_mark_take(mark, record(5, 7))); /* the serial counts, wherever it lay */
    assert_true(gw_mark_take(mark, record(1, 0)));
    gw_marks_destroy(m);
}

static void test_what_is_given_back_is_taken_again(void **state)
{
    struct gw_marks *m = make(1);
    struct gw_mark *mark = join(m, 9);
    (void)state;
    assert_true(gw_mark_take(mark, record(5, 1)));
    assert_true(gw_mark_take(mark, record(6, 1)));
    gw_mark_give_back(mark, record(5, 1));
    assert_true(gw_mark_take(mark, record(5, 1)));
    assert_false(gw_mark_take(mark, record(6, 1)));
    gw_mark_give_back(mark, record(7, 1)); /* it never was */
    assert_true(gw_mark_take(mark, record(7, 1)));
    assert_true(gw_mark_take(mark, record(7 + GW_MARKS_SPAN, 0)));
    gw_mark_give_back(mark, record(7, 1)); /* its bit is another's by now */
    assert_false(gw_mark_take(mark, record(7 + GW_MARKS_SPAN, 0)));
    gw_marks_destroy(m);
}

static void test_what_lies_before_the_window_was_taken(void **state)
{
    struct gw_marks *m = make(1);
    struct gw_mark *mark = join(m, 9);
    (void)state;
    assert_true(gw_mark_take(mark, record(1000, 0)));
    assert_true(gw_mark_take(mark, record(1000 + GW_MARKS_SPAN - 1, 0)));
    assert_false(gw_mark_take(mark, record(1000, 0)));
    assert_true(gw_mark_take(mark, record(1001, 0)));
    assert_true(gw_mark_take(mark, record(1000 + GW_MARKS_SPAN, 0)));
    assert_false(gw_mark_take(mark, record(999, 0)));
    assert_true(gw_mark_take(mark, UINT64_MAX));
    assert_false(gw_mark_take(mark, UINT64_MAX));
    assert_false(gw_mark_take(mark, record(2000, 0)));
    gw_marks_destroy(m);
}

static void test_a_journal_is_remembered_and_has_one_user(void **state)
{
    struct gw_marks *m = make(2);
    struct gw_mark *a = join(m, 1), *again;
    (void)state;
    assert_true(gw_mark_take(a, record(1, 0)));
    assert_status(gw_marks_join(m, 1, &again), SL_EEXIST);
    gw_marks_leave(m, a);
    again = join(m, 1);
    assert_false(gw_mark_take(again, record(1, 0)));
    gw_marks_leave(m, NULL);
    gw_marks_destroy(m);
    gw_marks_destroy(NULL);
}

static void test_the_one_left_longest_makes_room(void **state)
{
    struct gw_marks *m = make(2);
    struct gw_mark *a = join(m, 1), *b = join(m, 2), *c;
    (void)state;
    assert_true(gw_mark_take(a, record(1, 0)));
    assert_true(gw_mark_take(b, record(1, 0)));
    assert_status(gw_marks_join(m, 3, &c), SL_EFULL);
    gw_marks_leave(m, b);
    gw_marks_leave(m, a);
    c = join(m, 3); /* in b's place */
    assert_false(gw_mark_take(join(m, 1), record(1, 0)));
    gw_marks_leave(m, c);
    assert_true(gw_mark_take(join(m, 2), record(1, 0)));
    gw_marks_destroy(m);
}

static void test_receipts_that_are_read_again_count(void **state)
{
    struct gw_marks *m = make(2);
    (void)state;
    assert_ok(gw_marks_note(m, 1, record(4, 0)));
    assert_ok(gw_marks_note(m, 1, record(2, 0)));
    assert_ok(gw_marks_note(m, 1, record(2, 0)));
    assert_ok(gw_marks_note(m, 2, record(1, 0)));
    struct gw_mark *mark = join(m, 1);
    assert_false(gw_mark_take(mark, record(4, 0)));
    assert_false(gw_mark_take(mark, record(2, 0)));
    assert_true(gw_mark_take(mark, record(3, 0)));
    assert_ok(gw_marks_note(m, 3, record(1, 0))); /* instead of journal 2, which nobody uses */
    (void)join(m, 3);
    assert_status(gw_marks_note(m, 4, record(1, 0)), SL_EFULL);
    gw_marks_destroy(m);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
    struct fail_alloc f;
    (void)state;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct gw_marks *m;
        struct gw_mark *mark;
        if (gw_marks_create(&f.alloc, 1, &m) != SL_OK)
            continue;
        if (gw_marks_join(m, 1, &mark) == SL_OK)
            assert_true(gw_mark_take(mark, record(1, 0)));
        gw_marks_destroy(m);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* Serials that come within the window, in disorder and again, against a plain array. */
static void test_any_order_against_an_array(void **state)
{
    enum { COUNT = 3 * GW_MARKS_SPAN, NEAR = GW_MARKS_SPAN - 1 };
    struct gw_marks *m = make(1);
    struct gw_mark *mark = join(m, 9);
    struct sl_rng rng;
    uint64_t newest = 1;
    (void)state;
    bool *taken = calloc(2 * COUNT, sizeof *taken);
    assert_non_null(taken);
    sl_rng_seed(&rng, 7);
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t serial = newest + 1;
        if (sl_rng_below(&rng, 3) == 0)
            serial = newest - sl_rng_below(&rng, newest < NEAR ? newest : NEAR);
        assert_int_equal(gw_mark_take(mark, record(serial, i & 0xffff)), !taken[serial]);
        taken[serial] = true;
        newest = serial > newest ? serial : newest;
    }
    assert_true(newest > GW_MARKS_SPAN);
    free(taken);
    gw_marks_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_is_taken_once_in_any_order),
        cmocka_unit_test(test_what_is_given_back_is_taken_again),
        cmocka_unit_test(test_what_lies_before_the_window_was_taken),
        cmocka_unit_test(test_a_journal_is_remembered_and_has_one_user),
        cmocka_unit_test(test_the_one_left_longest_makes_room),
        cmocka_unit_test(test_receipts_that_are_read_again_count),
        cmocka_unit_test(test_a_failed_allocation_changes_nothing),
        cmocka_unit_test(test_any_order_against_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
