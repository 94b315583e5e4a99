/* test_gw_tier.c - after a reload what is known by name keeps its index, with its new numbers. */
#include "gw_tier.h"

#include <stdio.h>

#include "sl_base.h"
#include "sl_test.h"

static const struct gw_tiers before = {
    .tiers = {{.name = "a", .weight = 1}, {.name = "b", .weight = 2}},
    .tier_count = 2,
    .sizes = {{.name = "large", .factor_thousandths = 1000}},
    .size_count = 1};

static void names_keep_their_indexes(void **state SL_UNUSED)
{
    struct gw_tiers t = before;
    const struct gw_tiers fresh = {
        .tiers = {{.name = "c", .weight = 30}, {.name = "b", .weight = 20}},
        .tier_count = 2,
        .sizes = {{.name = "small"}, {.name = "large", .factor_thousandths = 2000}},
        .size_count = 2};
    assert_ok(gw_tiers_renew(&t, &fresh));
    assert_int_equal(t.tier_count, 3);
    assert_int_equal(t.tiers[0].weight, 1); /* gone from the table, and still somebody's */
    assert_int_equal(t.tiers[1].weight, 20);
    assert_string_equal(t.tiers[2].name, "c");
    assert_int_equal(t.size_count, 2);
    assert_int_equal(t.sizes[0].factor_thousandths, 2000);
    assert_string_equal(t.sizes[1].name, "small");
}

static void too_many_change_nothing(void **state SL_UNUSED)
{
    struct gw_tiers t = before, fresh = {.tier_count = GW_TIERS_MAX - 1};
    for (size_t i = 0; i < fresh.tier_count; i++)
        snprintf(fresh.tiers[i].name, sizeof fresh.tiers[i].name, "t%zu", i);
    assert_status(gw_tiers_renew(&t, &fresh), SL_EFULL);
    assert_memory_equal(&t, &before, sizeof t);
    fresh.tier_count--;
    assert_ok(gw_tiers_renew(&t, &fresh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_their_indexes),
        cmocka_unit_test(too_many_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
