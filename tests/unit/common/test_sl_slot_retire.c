/* test_sl_slot_retire.c - a place whose 2^32 ids were all issued is used no more. Built from the
 * source, to set a generation that takes minutes to reach. */
#include "../../../common/sl_slot.c"

#include "sl_base.h"
#include "sl_test.h"

static void last_generation_is_issued_once(void **state SL_UNUSED)
{
    struct sl_slot_table *t = NULL;
    sl_slot_id id;
    sl_slot_id other;
    void *p;
    assert_ok(sl_slot_create(&sl_alloc_malloc, 8, 2, &t));
    assert_ok(sl_slot_take(t, &id, &p));
    assert_ok(sl_slot_put(t, id));
    slot_at(t, 0)->generation = UINT32_MAX;

    assert_ok(sl_slot_take(t, &id, &p));
    assert_true(id == (UINT64_C(0xffffffff) << 32 | 1));
    assert_ok(sl_slot_take(t, &other, &p));
    assert_ok(sl_slot_put(t, id));
    assert_null(sl_slot_get(t, id));
    assert_status(sl_slot_put(t, id), SL_ESTALE);
    assert_status(sl_slot_take(t, &id, &p), SL_EFULL); /* the table is one smaller from now on */
    assert_ok(sl_slot_put(t, other));
    assert_ok(sl_slot_take(t, &other, &p));
    assert_int_equal(other & UINT32_MAX, 2);
    sl_slot_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_generation_is_issued_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
