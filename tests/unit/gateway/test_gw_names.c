/* test_gw_names.c - names are found as a list would find them, those who share an id from the newest on. */
#include "gw_names.h"

#include <string.h>

#include "fail_alloc.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { COUNT = 60, IDS = 20 };

static const struct sl_hash_seed seed = {1, 2};

static void make_id(uint64_t which, uint8_t out[GW_NAME_BYTES])
{
    memset(out, (int)which, GW_NAME_BYTES);
}

/* order: when each was added; 0: it is not there. */
static int newest_before(const uint64_t *order, const uint64_t *ids, uint64_t id, uint64_t before)
{
    int found = -1;
    for (int i = 0; i < COUNT; i++)
        if (order[i] > 0 && ids[i] == id && order[i] < before &&
            (found < 0 || order[i] > order[found]))
            found = i;
    return found;
}

static void names_are_found_as_in_a_list(void **state SL_UNUSED)
{
    static struct gw_name names[COUNT];
    uint64_t order[COUNT] = {0}, ids[COUNT] = {0}, clock = 0;
    struct gw_names n;
    struct sl_rng rng;
    sl_rng_seed(&rng, 7);
    assert_ok(gw_names_init(&n, &sl_alloc_malloc, 5, seed)); /* chains are long */
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)sl_rng_below(&rng, COUNT);
        uint8_t id[GW_NAME_BYTES];
        if (order[i] == 0) {
            ids[i] = sl_rng_below(&rng, IDS);
            order[i] = ++clock;
            make_id(ids[i], id);
            gw_names_add(&n, &names[i], id);
        } else {
            gw_names_remove(&names[i]);
            gw_names_remove(&names[i]); /* nothing */
            order[i] = 0;
        }
        uint64_t wanted = sl_rng_below(&rng, IDS + 1), before = UINT64_MAX;
        make_id(wanted, id);
        const struct gw_name *got = gw_names_find(&n, id);
        for (int expected; (expected = newest_before(order, ids, wanted, before)) >= 0;) {
            assert_ptr_equal(got, &names[expected]);
            before = order[expected];
            got = gw_names_next(got);
        }
        assert_null(got);
    }
    gw_names_finish(&n);
}

static void without_memory_there_is_no_table(void **state SL_UNUSED)
{
    struct fail_alloc memory;
    struct gw_names n;
    fail_alloc_init(&memory);
    memory.fail_at = 1;
    assert_int_equal(gw_names_init(&n, &memory.alloc, 100, seed), SL_ENOMEM);
    gw_names_finish(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_as_in_a_list),
        cmocka_unit_test(without_memory_there_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
