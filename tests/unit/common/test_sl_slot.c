/* test_sl_slot.c - ids are never followed to another object, objects never move. */
#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_slot.h"
#include "sl_test.h"

struct thing {
    uint64_t number;
    char padding[5];
};

static struct sl_slot_table *make(size_t max_count)
{
    struct sl_slot_table *t;
    assert_ok(sl_slot_create(&sl_alloc_malloc, sizeof(struct thing), max_count, &t));
    return t;
}

static sl_slot_id take(struct sl_slot_table *t, uint64_t number)
{
    sl_slot_id id;
    void *p;
    assert_ok(sl_slot_take(t, &id, &p));
    struct thing *thing = p;
    assert_int_equal(thing->number, 0);
    thing->number = number;
    memset(thing->padding, 0xff, sizeof(thing->padding));
    return id;
}

static void create_checks_its_arguments(void **state SL_UNUSED)
{
    struct sl_slot_table *t = NULL;
    assert_status(sl_slot_create(&sl_alloc_malloc, 0, 1, &t), SL_EINVAL);
    assert_status(sl_slot_create(&sl_alloc_malloc, 1, 0, &t), SL_EINVAL);
    assert_status(sl_slot_create(&sl_alloc_malloc, 1, UINT32_MAX, &t), SL_EINVAL);
    assert_status(sl_slot_create(&sl_alloc_malloc, SIZE_MAX, 1, &t), SL_ENOMEM);
    assert_null(t);
    assert_ok(sl_slot_create(&sl_alloc_malloc, 1, UINT32_MAX - 1, &t));
    sl_slot_destroy(t);
    sl_slot_destroy(NULL);
}

static void take_get_put(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(10);
    sl_slot_id id = take(t, 5);
    assert_true(id != 0);
    assert_int_equal(((struct thing *)sl_slot_get(t, id))->number, 5);
    assert_int_equal(sl_slot_count(t), 1);
    assert_ok(sl_slot_put(t, id));
    assert_null(sl_slot_get(t, id));
    assert_status(sl_slot_put(t, id), SL_ESTALE);
    assert_int_equal(sl_slot_count(t), 0);
    sl_slot_destroy(t);
}

static void reused_place_has_another_id_and_is_zeroed(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(1);
    sl_slot_id last = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        sl_slot_id id = take(t, i);
        assert_true(id != last);
        assert_null(sl_slot_get(t, last));
        assert_status(sl_slot_put(t, last), SL_ESTALE);
        assert_ok(sl_slot_put(t, id));
        last = id;
    }
    sl_slot_destroy(t);
}

static void ids_never_issued_are_refused(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(100);
    assert_null(sl_slot_get(t, 0));
    assert_null(sl_slot_get(t, 1));
    sl_slot_id id = take(t, 1);
    assert_null(sl_slot_get(t, 0));
    assert_null(sl_slot_get(t, id + 1));
    assert_null(sl_slot_get(t, id + (UINT64_C(1) << 32)));
    assert_null(sl_slot_get(t, UINT32_MAX));
    assert_null(sl_slot_get(t, UINT64_MAX));
    assert_status(sl_slot_put(t, UINT64_MAX), SL_ESTALE);
    sl_slot_destroy(t);
}

static void full_is_exact_and_passes(void **state SL_UNUSED)
{
    static const size_t limits[] = {1, 2, 63, 64, 65, 128, 300};
    for (size_t i = 0; i < SL_ARRAY_LEN(limits); i++) {
        struct sl_slot_table *t = make(limits[i]);
        sl_slot_id id = 0;
        void *p;
        for (size_t n = 0; n < limits[i]; n++)
            id = take(t, n);
        assert_status(sl_slot_take(t, &id, &p), SL_EFULL);
        assert_ok(sl_slot_put(t, id));
        assert_ok(sl_slot_take(t, &id, &p));
        assert_status(sl_slot_take(t, &id, &p), SL_EFULL);
        sl_slot_destroy(t);
    }
}

static void objects_never_move_and_are_aligned(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(1000);
    static struct thing *places[1000];
    static sl_slot_id ids[1000];
    for (size_t i = 0; i < 1000; i++) {
        ids[i] = take(t, i);
        places[i] = sl_slot_get(t, ids[i]);
        assert_int_equal((uintptr_t)places[i] % _Alignof(max_align_t), 0);
    }
    for (size_t i = 0; i < 1000; i++) {
        assert_ptr_equal(sl_slot_get(t, ids[i]), places[i]);
        assert_int_equal(places[i]->number, i);
    }
    sl_slot_destroy(t);
}

static void objects_of_any_size_are_aligned_and_apart(void **state SL_UNUSED)
{
    for (size_t bytes = 1; bytes < 100; bytes++) {
        struct sl_slot_table *t;
        sl_slot_id ids[10];
        void *p;
        assert_ok(sl_slot_create(&sl_alloc_malloc, bytes, 10, &t));
        for (int i = 0; i < 10; i++) {
            assert_ok(sl_slot_take(t, &ids[i], &p));
            assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
            memset(p, i + 1, bytes);
        }
        for (int i = 0; i < 10; i++) {
            const unsigned char *object = sl_slot_get(t, ids[i]);
            for (size_t j = 0; j < bytes; j++)
                assert_int_equal(object[j], i + 1);
        }
        sl_slot_destroy(t);
    }
}

static void walk_sees_all_in_index_order(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(200);
    sl_slot_id ids[150];
    for (uint64_t i = 0; i < 150; i++)
        ids[i] = take(t, i);
    for (uint64_t i = 0; i < 150; i += 2)
        assert_ok(sl_slot_put(t, ids[i]));
    size_t cursor = 0;
    sl_slot_id id;
    const struct thing *thing;
    for (uint64_t i = 1; i < 150; i += 2) {
        thing = sl_slot_next(t, &cursor, &id);
        assert_non_null(thing);
        assert_int_equal(thing->number, i);
        assert_true(id == ids[i]);
    }
    assert_null(sl_slot_next(t, &cursor, &id));
    assert_null(sl_slot_next(t, &cursor, &id));
    cursor = 0;
    assert_ptr_equal(sl_slot_next(t, &cursor, NULL), sl_slot_get(t, ids[1]));
    sl_slot_destroy(t);
}

static void walk_may_put_back_what_it_sees(void **state SL_UNUSED)
{
    struct sl_slot_table *t = make(200);
    for (uint64_t i = 0; i < 150; i++)
        take(t, i);
    size_t cursor = 0;
    size_t seen = 0;
    sl_slot_id id;
    while (sl_slot_next(t, &cursor, &id)) {
        assert_ok(sl_slot_put(t, id));
        seen++;
    }
    assert_int_equal(seen, 150);
    assert_int_equal(sl_slot_count(t), 0);
    sl_slot_destroy(t);
}

static void no_memory_then_memory_again(void **state SL_UNUSED)
{
    struct fail_alloc f;
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct sl_slot_table *t = NULL;
        sl_slot_id id;
        void *p;
        if (sl_slot_create(&f.alloc, 100, 1000, &t) == SL_OK) {
            size_t refused = 0;
            for (size_t n = 0; n < 1000; n++) {
                sl_status s = sl_slot_take(t, &id, &p);
                assert_true(s == SL_OK || s == SL_ENOMEM);
                refused += s == SL_ENOMEM;
            }
            assert_int_equal(refused, f.failures);
            assert_int_equal(sl_slot_count(t), 1000 - refused);
        }
        sl_slot_destroy(t);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* Against a plain list of what was issued: ids live and dead, in random order. */
static void random_operations(void **state SL_UNUSED)
{
    enum { MAX = 150, IDS = 50000 };
    static sl_slot_id ids[IDS];
    static bool is_live[IDS];
    struct sl_rng rng;
    sl_rng_seed(&rng, 8);
    struct sl_slot_table *t = make(MAX);
    size_t issued = 0;
    size_t live = 0;
    while (issued < IDS) {
        if (sl_rng_below(&rng, 2) == 0 && live < MAX) {
            ids[issued] = take(t, issued);
            is_live[issued++] = true;
            live++;
        } else if (issued > 0) {
            size_t recent = issued < 400 ? issued : 400;
            size_t i = issued - 1 - sl_rng_below(&rng, recent);
            const struct thing *thing = sl_slot_get(t, ids[i]);
            assert_true((thing != NULL) == is_live[i]);
            assert_true(!thing || thing->number == i);
            assert_status(sl_slot_put(t, ids[i]), is_live[i] ? SL_OK : SL_ESTALE);
            live -= is_live[i];
            is_live[i] = false;
        }
        assert_int_equal(sl_slot_count(t), live);
    }
    sl_slot_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_checks_its_arguments),
        cmocka_unit_test(take_get_put),
        cmocka_unit_test(reused_place_has_another_id_and_is_zeroed),
        cmocka_unit_test(ids_never_issued_are_refused),
        cmocka_unit_test(full_is_exact_and_passes),
        cmocka_unit_test(objects_never_move_and_are_aligned),
        cmocka_unit_test(objects_of_any_size_are_aligned_and_apart),
        cmocka_unit_test(walk_sees_all_in_index_order),
        cmocka_unit_test(walk_may_put_back_what_it_sees),
        cmocka_unit_test(no_memory_then_memory_again),
        cmocka_unit_test(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
