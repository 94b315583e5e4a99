/* test_gw_fleet_size.c - which slices are for which size, wide slices beside their parts, and what is never rather than
 * not now. */
#include "gw_fleet.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

static const struct gw_tiers tiers = {
    .sizes = {{"large", 500, 70, 1000}, {"xlarge", 1000, 140, 2000}, {"small", 125, 10, 250}},
    .size_count = 3};
static const struct gw_size *const large = &tiers.sizes[0];
static const struct gw_size *const xlarge = &tiers.sizes[1];
static const struct gw_size *const small = &tiers.sizes[2];

enum { SLICES = 4, WIDE = 2, ALL = SLICES + WIDE };

/* Two devices of two halves each, and each device as a whole. */
static const struct gw_hello_slice halves[ALL] = {
    {10, "cpu0", "cpu", 0, 500, 0},  {11, "cpu0", "cpu", 0, 500, 0},
    {12, "cpu1", "cpu", 0, 500, 0},  {13, "cpu1", "cpu", 0, 500, 0},
    {14, "cpu0", "cpu", 0, 1000, 3}, {15, "cpu1", "cpu", 0, 1000, 12},
};

static sl_status try_join(struct gw_fleet *f, const char *name, const char *model_size,
                          const struct gw_hello_slice *slices, size_t count, size_t wide,
                          struct gw_fleet_node **out, struct sl_error *err)
{
    struct gw_model_spec m = {.name = "m",
                              .version = "1",
                              .engine = "fake",
                              .duration_us = 1000,
                              .max_duration_us = 1000,
                              .size = model_size,
                              .problem = ""};
    struct gw_hello_slice list[ALL];
    for (size_t i = 0; i < count + wide; i++)
        list[i] = slices[i];
    const struct gw_hello hello = {.session = 1,
                                   .name = name,
                                   .version = "v",
                                   .slice_backlog_max = 63,
                                   .slices = list,
                                   .slice_count = count,
                                   .wide_count = wide,
                                   .models = &m,
                                   .model_count = 1};
    return gw_fleet_join(f, &hello, 1, out, err);
}

static struct gw_fleet_node *join(struct gw_fleet *f, const char *name,
                                  const struct gw_hello_slice *slices, size_t count, size_t wide)
{
    struct gw_fleet_node *node = NULL;
    struct sl_error err;
    assert_ok(try_join(f, name, "", slices, count, wide, &node, &err));
    return node;
}

static struct gw_fleet *make(void)
{
    static const struct gw_fleet_conf conf = {.max_nodes = 4,
                                              .max_models = 4,
                                              .max_leases = 200,
                                              .feed_ahead_us = 0,
                                              .feed_ahead_max = 5,
                                              .tiers = &tiers};
    struct gw_fleet *f = NULL;
    assert_ok(gw_fleet_create(&sl_alloc_malloc, &conf, &f));
    return f;
}

static struct gw_fleet_model *model(struct gw_fleet *f)
{
    return gw_fleet_find(f, sl_span_str("m"));
}

static struct gw_fleet_lease *take(struct gw_fleet *f, struct gw_fleet_slice *slice)
{
    struct gw_fleet_lease *lease;
    assert_non_null(slice);
    assert_ok(gw_fleet_lease(f, slice, model(f), 1, 1, &lease));
    assert_ok(gw_fleet_check(f));
    return lease;
}

static void end(struct gw_fleet *f, struct gw_fleet_lease *lease)
{
    gw_fleet_end_lease(f, lease, -1, 2);
    assert_ok(gw_fleet_check(f));
}

static struct gw_fleet_slice slice_of(uint32_t share, uint64_t memory, uint32_t part_share)
{
    return (struct gw_fleet_slice){.extent = {share, memory}, .part_extent = {part_share, 0}};
}

static void a_size_takes_what_is_large_enough_and_no_more(void **state SL_UNUSED)
{
    const struct {
        struct gw_fleet_slice slice;
        bool small, large, xlarge;
    } cases[] = {
        {slice_of(500, 0, 0), true, true, false},
        {slice_of(1000, 0, 0), true, true, true},
        {slice_of(1000, 0, 500), false, false, true}, /* its halves serve the smaller ones */
        {slice_of(1000, 0, 250), false, true, true},
        {slice_of(999, 0, 333), false, true, true}, /* three thirds */
        {slice_of(142, 0, 0), true, false, false},
        {slice_of(500, 70, 0), true, true, false},
        {slice_of(500, 69, 0), true, false, false},
        {slice_of(1000, 139, 0), true, true, false},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        assert_int_equal(gw_fleet_slice_serves(&cases[i].slice, small), cases[i].small);
        assert_int_equal(gw_fleet_slice_serves(&cases[i].slice, large), cases[i].large);
        assert_int_equal(gw_fleet_slice_serves(&cases[i].slice, xlarge), cases[i].xlarge);
    }
}

static void a_wide_slice_has_its_parts_alone(void **state SL_UNUSED)
{
    struct gw_fleet *f = make();
    struct gw_fleet_node *n = join(f, "n", halves, SLICES, WIDE);
    assert_true(n->slice_count == SLICES && n->wide_count == WIDE);
    assert_int_equal(gw_fleet_totals(f).slices, SLICES);
    struct gw_fleet_lease *half = take(f, gw_fleet_pick(f, model(f), large, NULL));
    assert_ptr_equal(half->slice, &n->slices[0]);
    struct gw_fleet_lease *wide = take(f, gw_fleet_pick(f, model(f), xlarge, NULL));
    assert_ptr_equal(wide->slice, &n->slices[5]); /* the other device */
    assert_int_equal(gw_fleet_totals(f).slices_busy, 3);
    assert_true(gw_fleet_slice_is_held(&n->slices[2]));
    struct gw_fleet_lease *rest = take(f, gw_fleet_pick(f, model(f), large, NULL));
    assert_ptr_equal(rest->slice, &n->slices[1]);
    assert_null(gw_fleet_pick_idle(f, model(f), large));
    assert_null(gw_fleet_pick_idle(f, model(f), xlarge));
    struct gw_fleet_lease *refused;
    assert_status(gw_fleet_lease(f, &n->slices[2], model(f), 1, 1, &refused), SL_EAGAIN);
    assert_status(gw_fleet_lease(f, &n->slices[4], model(f), 1, 1, &refused), SL_EAGAIN);
    end(f, half);
    assert_null(gw_fleet_pick_idle(f, model(f), xlarge)); /* the other half is still out */
    end(f, rest);
    assert_ptr_equal(gw_fleet_pick_idle(f, model(f), xlarge), &n->slices[4]);
    end(f, wide);
    assert_int_equal(n->held_parts, 0);
    gw_fleet_destroy(f);
}

struct lost {
    size_t count;
};

static void on_lost(void *ctx, struct gw_fleet_lease *lease SL_UNUSED)
{
    ((struct lost *)ctx)->count++;
}

static void a_node_that_leaves_takes_its_wide_leases_along(void **state SL_UNUSED)
{
    struct gw_fleet *f = make();
    struct lost lost = {0};
    struct gw_fleet_node *n = join(f, "n", halves, SLICES, WIDE);
    take(f, &n->slices[4]);
    take(f, &n->slices[2]);
    assert_int_equal(gw_fleet_lease_count(n), 2);
    gw_fleet_leave(f, n, on_lost, &lost);
    assert_int_equal(lost.count, 2);
    assert_int_equal(gw_fleet_totals(f).slices_busy, 0);
    assert_ok(gw_fleet_check(f));
    gw_fleet_destroy(f);
}

static void what_is_kept_goes_to_nobody_until_the_next_round(void **state SL_UNUSED)
{
    struct gw_fleet *f = make();
    struct gw_fleet_node *n = join(f, "n", halves, SLICES, WIDE);
    take(f, &n->slices[0]);
    struct gw_fleet_lease *second = take(f, &n->slices[2]);
    take(f, &n->slices[3]);
    gw_fleet_keep(f, model(f), xlarge); /* one half to wait for there, two at the other device */
    assert_null(gw_fleet_pick_idle(f, model(f), large));
    gw_fleet_new_round(f, 1);
    assert_ptr_equal(gw_fleet_pick_idle(f, model(f), large), &n->slices[1]);
    gw_fleet_keep(f, model(f), xlarge);
    gw_fleet_new_round(f, 1);
    end(f, second);
    gw_fleet_keep(f, model(f), xlarge); /* both are as near now: it stays with the first */
    assert_ptr_equal(gw_fleet_pick_idle(f, model(f), large), &n->slices[2]);
    gw_fleet_keep(f, model(f), xlarge); /* for a second one */
    assert_null(gw_fleet_pick_idle(f, model(f), large));
    gw_fleet_new_round(f, 1);
    gw_fleet_keep(f, model(f), large); /* no wide slice serves it */
    assert_ptr_equal(gw_fleet_pick_idle(f, model(f), large), &n->slices[2]);
    gw_fleet_new_round(f, 1);
    gw_fleet_new_round(f, 1); /* what was kept is forgotten */
    join(f, "n2", halves, SLICES, WIDE);
    gw_fleet_keep(f, model(f), xlarge); /* it can start at the other node */
    assert_ptr_equal(gw_fleet_pick_idle(f, model(f), large), &n->slices[2]);
    assert_non_null(gw_fleet_pick_idle(f, model(f), xlarge));
    gw_fleet_destroy(f);
}

static void never_is_not_not_now(void **state SL_UNUSED)
{
    static const struct gw_hello_slice one[] = {{0, "cpu0", "cpu", 0, 500, 0}};
    static const struct gw_hello_slice whole[] = {{0, "gpu0", "whole", 140, 1000, 0}};
    struct gw_fleet *f = make();
    struct sl_error err;
    struct lost lost = {0};
    join(f, "half", one, 1, 0);
    assert_true(gw_fleet_may_serve(model(f), large));
    assert_false(gw_fleet_may_serve(model(f), xlarge));
    gw_fleet_refuse_size(model(f), xlarge, &tiers, &err);
    assert_int_equal(err.reason, SL_REASON_SIZE_UNAVAILABLE);
    assert_string_equal(err.text,
                        "size 'xlarge' is 100.0 % of a device and 140B: no device that has "
                        "model 'm' gives that; there is large, small");
    struct gw_fleet_node *n = join(f, "whole", whole, 1, 0);
    assert_true(gw_fleet_may_serve(model(f), xlarge));
    take(f, &n->slices[0]);
    assert_true(gw_fleet_may_serve(model(f), xlarge)); /* not now */
    gw_fleet_leave(f, n, on_lost, &lost);
    assert_true(gw_fleet_may_serve(model(f), xlarge)); /* it may come back */
    join(f, "whole", one, 1, 0);
    assert_false(gw_fleet_may_serve(model(f), xlarge)); /* and has, without that slice */
    gw_fleet_destroy(f);
}

static void wide_slices_that_are_none_are_refused(void **state SL_UNUSED)
{
    static const uint64_t parts[] = {0, 1, 4, 5, 16, 3 | 16};
    struct gw_fleet *f = make();
    for (size_t i = 0; i < SL_ARRAY_LEN(parts); i++) {
        struct gw_hello_slice list[ALL];
        struct gw_fleet_node *node;
        struct sl_error err;
        for (size_t k = 0; k < ALL; k++)
            list[k] = halves[k];
        list[SLICES].parts = parts[i];
        assert_status(try_join(f, "n", "", list, SLICES, WIDE, &node, &err), SL_EINVAL);
        assert_string_equal(err.text,
                            "node 'n' announces a wide slice 14 that is not made of two or "
                            "more of its slices of one device");
    }
    assert_ok(gw_fleet_check(f));
    gw_fleet_destroy(f);
}

static void a_model_names_the_size_of_its_calls(void **state SL_UNUSED)
{
    struct gw_fleet *f = make();
    struct gw_fleet_node *node;
    struct sl_error err;
    assert_ok(try_join(f, "n", "xlarge", halves, SLICES, WIDE, &node, &err));
    assert_ptr_equal(gw_fleet_size_of(model(f), &tiers), xlarge);
    assert_ok(try_join(f, "n2", "", halves, SLICES, WIDE, &node, &err));
    assert_null(node->offers[0].model); /* another interface: another size */
    assert_ok(try_join(f, "n3", "huge", halves, SLICES, WIDE, &node, &err));
    assert_string_equal(node->offers[0].problem,
                        "its size is none of those that the gateway's configuration has");
    gw_fleet_destroy(f);
}

/* Whoever takes what pick offers, leases never overlap. */
static void random_leases_never_overlap(void **state SL_UNUSED)
{
    enum { OPEN = 12 };
    struct gw_fleet *f = make();
    struct sl_rng rng;
    struct gw_fleet_lease *open[OPEN] = {NULL};
    size_t wide = 0;
    sl_rng_seed(&rng, 11);
    join(f, "a", halves, SLICES, WIDE);
    join(f, "b", halves, SLICES, WIDE);
    for (size_t step = 0; step < 20000; step++) {
        size_t i = (size_t)sl_rng_below(&rng, OPEN);
        const struct gw_size *size = &tiers.sizes[sl_rng_below(&rng, tiers.size_count)];
        if (open[i] != NULL) {
            gw_fleet_end_lease(f, open[i], -1, 1);
            open[i] = NULL;
        } else {
            struct gw_fleet_slice *s = gw_fleet_pick(f, model(f), size, NULL);
            if (s == NULL)
                gw_fleet_keep(f, model(f), size);
            else
                assert_ok(gw_fleet_lease(f, s, model(f), 1, 1, &open[i]));
            wide += s != NULL && s->part_extent.share_thousandths > 0;
        }
        if (sl_rng_below(&rng, 4) == 0)
            gw_fleet_new_round(f, 1);
        assert_ok(gw_fleet_check(f));
    }
    assert_true(wide > 500);
    gw_fleet_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_takes_what_is_large_enough_and_no_more),
        cmocka_unit_test(a_wide_slice_has_its_parts_alone),
        cmocka_unit_test(a_node_that_leaves_takes_its_wide_leases_along),
        cmocka_unit_test(what_is_kept_goes_to_nobody_until_the_next_round),
        cmocka_unit_test(never_is_not_not_now),
        cmocka_unit_test(wide_slices_that_are_none_are_refused),
        cmocka_unit_test(a_model_names_the_size_of_its_calls),
        cmocka_unit_test(random_leases_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
