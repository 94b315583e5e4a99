/* test_gw_learned.c - what models had learned waits for them, each in its version, and no more than there is room
 * for. */
#include "gw_learned.h"

#include <stdio.h>

#include "fail_alloc.h"
#include "gw_learn_code.h"
#include "sl_base.h"
#include "sl_test.h"

enum { MODELS_MAX = 3 };

struct samples {
    uint8_t bytes[GW_LEARN_BYTES_MAX];
    size_t len;
};

static struct samples samples_of(sl_gpu_us us, int count)
{
    struct gw_learn l = {.count = 0};
    struct samples s;
    while (count-- > 0)
        gw_learn_add(&l, us);
    s.len = gw_learn_encode(&l, s.bytes);
    return s;
}

static sl_status note(struct gw_learned *l, const char *model, sl_gpu_us us)
{
    struct samples s = samples_of(us, 7);
    return gw_learned_note(l, sl_span_str(model), sl_span_str("1"), sl_span_of(s.bytes, s.len));
}

static bool take(struct gw_learned *l, const char *model, const char *version, struct gw_learn *out)
{
    return gw_learned_take(l, sl_span_str(model), sl_span_str(version), out);
}

static struct gw_learned *make(const struct sl_alloc *alloc)
{
    struct gw_learned *l = NULL;
    assert_ok(gw_learned_create(alloc, MODELS_MAX, &l));
    return l;
}

static void what_is_known_is_given_once(void **state SL_UNUSED)
{
    struct gw_learned *l = make(&sl_alloc_malloc);
    struct gw_learn learn = {.count = 0};
    assert_ok(note(l, "m", 500));
    assert_ok(note(l, "n", 900));
    assert_ok(note(l, "m", 100)); /* the first one counts: it is the newest */
    assert_false(take(l, "mm", "1", &learn));
    assert_true(take(l, "m", "1", &learn));
    assert_int_equal(learn.count, 7);
    assert_int_equal(gw_learn_percentile(&learn, 50), 500);
    assert_false(take(l, "m", "1", &learn));
    gw_learned_destroy(l);
    gw_learned_destroy(NULL);
}

static void another_version_learns_anew(void **state SL_UNUSED)
{
    struct gw_learned *l = make(&sl_alloc_malloc);
    struct gw_learn learn = {.count = 0};
    assert_ok(note(l, "m", 500));
    assert_false(take(l, "m", "2", &learn));
    assert_int_equal(learn.count, 0);
    assert_false(take(l, "m", "1", &learn));
    gw_learned_destroy(l);
}

static void there_is_room_for_so_many(void **state SL_UNUSED)
{
    struct gw_learned *l = make(&sl_alloc_malloc);
    struct gw_learn learn;
    assert_ok(note(l, "a", 1));
    assert_ok(note(l, "b", 2));
    assert_ok(note(l, "c", 3));
    assert_status(note(l, "d", 4), SL_EFULL);
    assert_true(take(l, "b", "1", &learn));
    assert_ok(note(l, "d", 4));
    gw_learned_destroy(l);
}

static void what_is_no_such_thing_is_refused(void **state SL_UNUSED)
{
    struct gw_learned *l = make(&sl_alloc_malloc);
    struct samples s = samples_of(5, 3);
    struct sl_span good = sl_span_of(s.bytes, s.len), m = sl_span_str("m");
    assert_status(gw_learned_note(l, m, m, sl_span_of(s.bytes, s.len - 1)), SL_EPROTO);
    assert_status(gw_learned_note(l, sl_span_str(""), m, good), SL_EPROTO);
    assert_status(gw_learned_note(l, m, sl_span_str(""), good), SL_EPROTO);
    s.bytes[0] = 99;
    assert_status(gw_learned_note(l, m, m, good), SL_ENEVER);
    gw_learned_destroy(l);
}

static void no_memory_changes_nothing(void **state SL_UNUSED)
{
    for (size_t at = 1;; at++) {
        struct fail_alloc f;
        fail_alloc_init(&f);
        struct gw_learned *l = make(&f.alloc);
        struct gw_learn learn;
        f.fail_at = f.calls + at;
        sl_status s = note(l, "m", 1);
        f.fail_at = 0;
        assert_true(s == SL_OK || s == SL_ENOMEM);
        assert_int_equal(take(l, "m", "1", &learn), s == SL_OK);
        assert_ok(note(l, "m", 1));
        gw_learned_destroy(l);
        assert_int_equal(fail_alloc_finish(&f), 0);
        if (s == SL_OK)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_given_once),
        cmocka_unit_test(another_version_learns_anew),
        cmocka_unit_test(there_is_room_for_so_many),
        cmocka_unit_test(what_is_no_such_thing_is_refused),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
