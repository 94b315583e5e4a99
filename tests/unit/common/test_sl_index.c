/* test_sl_index.c - the index finds just what is in it, whatever comes and goes and however hashes collide. */
#include "sl_index.h"

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { OBJECTS = 200 };

struct object {
    uint32_t hash;
    int key;
    bool is_in;
};

static bool is(const void *object, const void *key)
{
    return ((const struct object *)object)->key == *(const int *)key;
}

static void any_mix_is_found(uint32_t hashes)
{
    struct sl_index ix;
    struct object objects[OBJECTS] = {{0}};
    struct sl_rng rng;
    sl_rng_seed(&rng, hashes);
    assert_ok(sl_index_init(&ix, &sl_alloc_malloc, OBJECTS, is));
    for (int i = 0; i < OBJECTS; i++)
        objects[i] = (struct object){(uint32_t)sl_rng_below(&rng, hashes), i, false};
    for (int round = 0; round < 3000; round++) {
        struct object *o = &objects[sl_rng_below(&rng, OBJECTS)];
        if (o->is_in)
            sl_index_remove(&ix, o->hash, o);
        else
            sl_index_add(&ix, o->hash, o);
        o->is_in = !o->is_in;
        for (int i = 0; i < OBJECTS; i++) {
            void *found = sl_index_find(&ix, objects[i].hash, &objects[i].key);
            assert_ptr_equal(found, objects[i].is_in ? &objects[i] : NULL);
        }
    }
    sl_index_finish(&ix);
}

static void few_hashes_collide_and_are_found(void **state SL_UNUSED)
{
    any_mix_is_found(1);
    any_mix_is_found(20);
}

static void many_hashes_are_found_across_the_end(void **state SL_UNUSED)
{
    any_mix_is_found(UINT32_MAX);
}

static void no_memory_is_told(void **state SL_UNUSED)
{
    struct fail_alloc f;
    struct sl_index ix;
    fail_alloc_start(&f, 1);
    assert_status(sl_index_init(&ix, &f.alloc, 10, is), SL_ENOMEM);
    sl_index_finish(&ix);
    assert_int_equal(fail_alloc_finish(&f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_hashes_collide_and_are_found),
        cmocka_unit_test(many_hashes_are_found_across_the_end),
        cmocka_unit_test(no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
