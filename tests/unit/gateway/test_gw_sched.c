/* test_gw_sched.c - whose turn it is, in groups of slices; who must wait blocks nobody else; what is
 * charged, and to whom. */
#include "gw_sched.h"

#include "sl_base.h"
#include "sl_rng.h"
#include "sl_test.h"

enum { ITEMS = 40, MODELS = 3 };
#define PATIENCE_US (30 * SL_US_PER_S)
static const char *const names[MODELS] = {"a", "b", "c"};

static const struct gw_tiers tiers = {.tiers = {{.name = "low", .weight = 1},
                                                {.name = "middle", .weight = 4},
                                                {.name = "high", .weight = 16},
                                                {.name = "other", .weight = 4}},
                                      .tier_count = 4,
                                      .sizes = {{"large", 500, 1, 1000}, {"xlarge", 1000, 1, 2000}},
                                      .size_count = 2};
enum { SIZE_LARGE, SIZE_XLARGE };

struct rig {
    struct gw_fleet *fleet;
    struct gw_sched sched;
    struct gw_queue_item items[ITEMS];
    struct gw_fleet_node *nodes[4];
    size_t node_count;
    bool has_wide; /* of nodes that join: all their slices are one, too */
    sl_mono_ns now;
};

static void begin(struct rig *r, enum gw_sched_policy policy)
{
    static const struct gw_fleet_conf conf = {
        .max_nodes = 4, .max_models = 8, .max_leases = 100, .feed_ahead_max = 64};
    *r = (struct rig){.now = 1};
    assert_ok(gw_fleet_create(&sl_alloc_malloc, &conf, &r->fleet));
    const struct gw_sched_limits limits = {policy, ITEMS, ITEMS, 2, PATIENCE_US};
    assert_ok(gw_sched_init(&r->sched, &sl_alloc_malloc, &tiers, &limits, ITEMS, conf.max_nodes));
}

static void finish(struct rig *r)
{
    assert_ok(gw_sched_check(&r->sched, r->fleet));
    gw_fleet_destroy(r->fleet);
    gw_sched_finish(&r->sched);
}

/* A node with these models (a bit set) and so many slices. */
static void join(struct rig *r, unsigned models, size_t slices)
{
    char name[] = "n0";
    struct gw_hello_slice list[5] = {{.id = 0}, {.id = 1}, {.id = 2}, {.id = 3}};
    struct gw_model_spec specs[MODELS];
    size_t count = 0;
    name[1] = (char)('0' + r->node_count);
    for (size_t i = 0; i < 4; i++)
        list[i].device = list[i].kind = "cpu";
    for (size_t i = 0; r->has_wide && i < slices; i++)
        list[i].share_thousandths = 500;
    if (r->has_wide)
        list[slices] =
            (struct gw_hello_slice){9, "cpu", "cpu", 0, 1000, (UINT64_C(1) << slices) - 1};
    for (unsigned m = 0; m < MODELS; m++)
        if (models & 1u << m)
            specs[count++] = (struct gw_model_spec){.name = names[m],
                                                    .version = "1",
                                                    .engine = "fake",
                                                    .duration_us = SL_US_PER_S,
                                                    .max_duration_us = SL_US_PER_S,
                                                    .problem = ""};
    struct gw_hello hello = {.session = r->node_count + 1,
                             .name = name,
                             .version = "v",
                             .slices = list,
                             .slice_count = slices,
                             .wide_count = r->has_wide,
                             .models = specs,
                             .model_count = count};
    struct sl_error err;
    struct gw_fleet_node **n = &r->nodes[r->node_count++];
    assert_ok(gw_fleet_join(r->fleet, &hello, r->now, n, &err));
    assert_ok(gw_sched_join(&r->sched, *n));
}

static struct gw_fleet_model *model(struct rig *r, size_t m)
{
    return gw_fleet_find(r->fleet, sl_span_str(names[m]));
}

struct call {
    size_t item, model;
    uint16_t tier;
    int64_t key_us;
    uint8_t size;
    const char *app;
    int64_t expected_us; /* 0: 1000 */
    int64_t limit_us;    /* 0: longer than that of any item before it */
};

static void push_as(struct rig *r, struct call c, bool is_background)
{
    const struct gw_queue_ask ask = {
        .key_us = c.key_us,
        .arrival = c.item + 1,
        .expected_us = c.expected_us > 0 ? c.expected_us : 1000,
        .limit_us = c.limit_us > 0 ? c.limit_us : SL_US_PER_S * (int64_t)(c.item + 1),
        .factor_thousandths = tiers.sizes[c.size].factor_thousandths,
        .tier = c.tier,
        .size = c.size,
        .app = c.app != NULL ? c.app : ""};
    assert_ok(gw_sched_push(&r->sched, model(r, c.model), &r->items[c.item], &ask, is_background));
}

static void push(struct rig *r, struct call c)
{
    push_as(r, c, false);
}

/* Places the next call; -1: none can start. Its lease is *out. */
static int place(struct rig *r, struct gw_fleet_lease **out)
{
    struct gw_queue_item *item = NULL;
    struct gw_fleet_slice *slice = NULL;
    if (!gw_sched_next(&r->sched, r->fleet, &item, &slice))
        return -1;
    struct gw_fleet_model *m = SL_CONTAINER_OF(item->model, struct gw_fleet_model, waiting);
    assert_ok(gw_fleet_lease(r->fleet, slice, m, 1, ++r->now, out));
    gw_sched_start(&r->sched, item, *out);
    assert_ok(gw_sched_check(&r->sched, r->fleet));
    return (int)(item - r->items);
}

static void end(struct rig *r, struct gw_fleet_lease *lease, int64_t used_us)
{
    gw_sched_end(&r->sched, lease, used_us);
    gw_fleet_end_lease(r->fleet, lease, -1, ++r->now);
    assert_ok(gw_sched_check(&r->sched, r->fleet));
}

/* Starts and ends one after the other; each has its slice as long as was expected. */
static void assert_order(struct rig *r, const int *wanted, size_t count)
{
    struct gw_fleet_lease *lease;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(place(r, &lease), wanted[i]);
        if (wanted[i] >= 0)
            end(r, lease, 1000);
    }
}
#define assert_places(r, ...)                                                                      \
    assert_order(r, (const int[]){__VA_ARGS__}, SL_ARRAY_LEN(((const int[]){__VA_ARGS__})))

/* One call of each of three tiers, the lowest first, and one more of the lowest. */
static void push_some(struct rig *r)
{
    push(r, (struct call){.item = 0, .tier = 0, .key_us = 50});
    push(r, (struct call){.item = 1, .tier = 0, .key_us = 40});
    push(r, (struct call){.item = 2, .tier = 1, .key_us = 30});
    push(r, (struct call){.item = 3, .tier = 2, .key_us = 90});
    push(r, (struct call){.item = 4, .tier = 2, .key_us = 80});
    push(r, (struct call){.item = 5, .tier = 3, .key_us = 20});
}

static void policies_differ_in_the_class_alone(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, GW_SCHED_STRICT);
    join(&r, 1, 1);
    push_some(&r);
    assert_places(&r, 4, 3, 5, 2, 1, 0, -1);
    r.sched.limits.policy = GW_SCHED_FIFO; /* of the first in each class, who came first */
    push_some(&r);
    assert_places(&r, 1, 0, 4, 3, 5, 2, -1);
    r.sched.limits.policy =
        GW_SCHED_FAIR; /* of equal tags who ran longest ago; then 1/16 < 1/4 < 1 */
    push_some(&r);
    assert_places(&r, 1, 4, 5, 3, 2, 0, -1);
    finish(&r);
}

static void a_pool_that_must_wait_blocks_nobody(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    join(&r, 2, 2);
    for (size_t i = 0; i < 5; i++)
        push(&r, (struct call){.item = i, .model = i == 2 || i == 4, .key_us = (int64_t)i});
    int placed[5], count = 0;
    while ((placed[count] = place(&r, &lease)) >= 0)
        count++;
    assert_int_equal(count, 3); /* 1 and 3 wait for the first node */
    assert_int_equal(placed[0] + placed[1] + placed[2], 0 + 2 + 4);
    assert_int_equal(r.sched.queue.counts[0], 2);
    finish(&r);
}

/* A call that wants a model that is not running must not wait for ever behind a stream of one that
 * is. */
static void nobody_is_fed_past_the_next_one(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease, *ahead;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 3, 1);
    r.nodes[0]->slice_backlog_max = 8;
    model(&r, 0)->samples = model(&r, 1)->samples = 100;
    push(&r, (struct call){.item = 0, .model = 0, .key_us = 1});
    push(&r, (struct call){.item = 1, .model = 0, .key_us = 2});
    push(&r, (struct call){.item = 2, .model = 1, .key_us = 3});
    push(&r, (struct call){.item = 3, .model = 0, .key_us = 4});
    assert_int_equal(place(&r, &lease), 0);
    assert_int_equal(place(&r, &ahead), 1);
    assert_int_equal(place(&r, &lease), -1); /* 3 would be fed, but 2 is next */
    end(&r, ahead, 1000);
    end(&r, r.nodes[0]->slices[0].leases, 1000);
    assert_int_equal(place(&r, &lease), 2);
    end(&r, lease, 1000);
    assert_places(&r, 3, -1);
    finish(&r);
}

static void a_start_is_charged_where_it_runs(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    join(&r, 2, 1);
    const struct gw_shares *first = &r.nodes[0]->group->shares,
                           *second = &r.nodes[1]->group->shares;
    push(&r, (struct call){.item = 0, .tier = 0});
    push(&r, (struct call){.item = 1, .tier = 0, .key_us = 1});
    assert_int_equal(place(&r, &lease), 0);
    assert_true(first->classes[0].ahead == 1000 * 1000);
    assert_true(second->running_count == 0 && second->waiting == 0);
    end(&r, lease, 400);
    assert_true(first->classes[0].ahead == 400 * 1000);
    gw_sched_end(&r.sched, lease, 7); /* was told already */
    finish(&r);
}

static void a_call_that_returns_has_its_old_place(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    for (size_t i = 0; i < 3; i++)
        push(&r, (struct call){.item = i, .key_us = (int64_t)i});
    assert_int_equal(place(&r, &lease), 0);
    end(&r, lease, 0);
    assert_ok(gw_sched_return(&r.sched, model(&r, 0), &r.items[0]));
    assert_true(r.nodes[0]->group->shares.classes[0].ahead == 0);
    assert_places(&r, 0, 1, 2, -1);
    finish(&r);
}

static void calls_stay_where_they_are_while_their_nodes_are_gone(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    join(&r, 2, 1);
    push(&r, (struct call){.item = 0, .model = 0});
    gw_sched_leave(&r.sched, r.nodes[0]);
    gw_fleet_leave(r.fleet, r.nodes[0], NULL, NULL);
    assert_places(&r, -1);
    assert_ok(gw_sched_check(&r.sched, r.fleet));
    join(&r, 3, 1); /* another set of models */
    assert_places(&r, 0, -1);
    finish(&r);
}

static void limits_count_by_tier(void **state SL_UNUSED)
{
    struct rig r;
    size_t limit;
    bool is_of_tier;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    r.sched.limits.max_queued_of_tier = 2;
    r.sched.limits.max_queued = 3;
    push(&r, (struct call){.item = 0, .tier = 1});
    push(&r, (struct call){.item = 1, .tier = 1});
    assert_status(gw_sched_room(&r.sched, 1, &limit, &is_of_tier), SL_EFULL);
    assert_true(is_of_tier && limit == 2);
    assert_ok(gw_sched_room(&r.sched, 3, &limit, &is_of_tier)); /* of the same class */
    push(&r, (struct call){.item = 2, .tier = 3});
    assert_status(gw_sched_room(&r.sched, 3, &limit, &is_of_tier), SL_EFULL);
    assert_true(!is_of_tier && limit == 3);
    push_as(&r, (struct call){.item = 3, .tier = 0}, true); /* these have their own */
    gw_sched_remove(&r.sched, &r.items[0]);
    assert_ok(gw_sched_room(&r.sched, 1, &limit, &is_of_tier));
    finish(&r);
}

static void other_weights_begin_anew(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease;
    struct gw_tiers fresh = tiers;
    begin(&r, GW_SCHED_FAIR);
    r.sched.tiers = &fresh;
    join(&r, 1, 1);
    push_some(&r);
    assert_int_equal(place(&r, &lease), 4);
    fresh.tiers[fresh.tier_count++] = (struct gw_tier){.name = "more", .weight = 4};
    gw_sched_set_tiers(&r.sched, r.fleet); /* nothing changes for those that are there */
    assert_true(lease->is_charged);
    fresh.tiers[0].weight = 1000;
    gw_sched_set_tiers(&r.sched, r.fleet);
    assert_false(lease->is_charged);
    end(&r, lease, 50000);
    assert_places(&r, 1, 3, 5, 0, 2, -1);
    finish(&r);
}

/* ---- sizes */

static void who_wants_a_whole_device_is_waited_for_on_one(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *half, *other, *wide, *later;
    begin(&r, GW_SCHED_FAIR);
    r.has_wide = true;
    join(&r, 1, 2);
    push(&r, (struct call){.item = 0, .key_us = 1});
    push(&r, (struct call){.item = 1, .key_us = 2});
    assert_int_equal(place(&r, &half), 0);
    assert_int_equal(place(&r, &other), 1);
    push(&r, (struct call){.item = 2, .key_us = 3, .size = SIZE_XLARGE});
    push(&r, (struct call){.item = 3, .key_us = 4});
    end(&r, half, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &later), -1); /* one half is free, for item 2 */
    end(&r, other, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &wide), 2);
    assert_int_equal(wide->slice->id, 9);
    end(&r, wide, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &later), 3);
    end(&r, later, 1000);
    finish(&r);
}

static void who_is_over_before_starts_on_what_is_kept(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *half, *other, *small, *wide;
    begin(&r, GW_SCHED_FAIR);
    r.has_wide = true;
    join(&r, 1, 2);
    push(&r, (struct call){.item = 0, .key_us = 1});
    push(&r, (struct call){.item = 1, .key_us = 2, .limit_us = 10 * SL_US_PER_S});
    assert_int_equal(place(&r, &half), 0);
    assert_int_equal(place(&r, &other), 1);
    push(&r, (struct call){.item = 2, .key_us = 3, .size = SIZE_XLARGE});
    push(&r, (struct call){.item = 3, .key_us = 4, .limit_us = 11 * SL_US_PER_S});
    push(&r, (struct call){.item = 4, .key_us = 5, .limit_us = 9 * SL_US_PER_S});
    end(&r, half, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &small), 4); /* 3 is before it, and too long */
    assert_int_equal(place(&r, &half), -1);
    end(&r, other, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &half), -1); /* now that one is waited for */
    end(&r, small, 1000);
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &wide), 2);
    end(&r, wide, 1000);
    finish(&r);
}

/* ---- a day with reservations */

struct day {
    struct rig r;
    struct sl_rng rng;
    struct {
        struct gw_fleet_lease *lease;
        sl_mono_ns ends_at;
    } jobs[8];
    size_t job_count;
    sl_mono_ns promised; /* to who wants a whole device; 0: nobody waits for one */
    uint64_t arrivals;
    size_t promises, gaps;
};

static void run_job(struct day *d, struct gw_fleet_lease *lease)
{
    int64_t used_us = 1 + (int64_t)sl_rng_below(&d->rng, (uint64_t)lease->limit_us);
    lease->is_started = true;
    lease->started_at = d->r.now;
    d->jobs[d->job_count].lease = lease;
    d->jobs[d->job_count++].ends_at = d->r.now + used_us * SL_NS_PER_US;
}

/* The first that ends does. */
static void go_on(struct day *d)
{
    size_t first = 0;
    for (size_t i = 1; i < d->job_count; i++)
        if (d->jobs[i].ends_at < d->jobs[first].ends_at)
            first = i;
    struct gw_fleet_lease *lease = d->jobs[first].lease;
    d->r.now = d->jobs[first].ends_at;
    d->jobs[first] = d->jobs[--d->job_count];
    end(&d->r, lease, (d->r.now - lease->started_at) / SL_NS_PER_US);
}

static void fill_queue(struct day *d)
{
    for (size_t i = 0; i < ITEMS; i++) {
        if (d->r.items[i].model != NULL)
            continue;
        d->arrivals++;
        push(&d->r,
             (struct call){.item = i,
                           .model = (size_t)sl_rng_below(&d->rng, 2),
                           .key_us = (int64_t)d->arrivals,
                           .size = sl_rng_below(&d->rng, 12) == 0,
                           .limit_us = 1 + (int64_t)sl_rng_below(&d->rng, 60 * SL_US_PER_S)});
    }
}

static bool is_first_a_whole(const struct day *d)
{
    const struct gw_queue_item *first = NULL;
    for (size_t i = 0; i < ITEMS; i++) {
        const struct gw_queue_item *item = &d->r.items[i];
        if (item->model != NULL && (first == NULL || gw_queue_is_before(item, first)))
            first = item;
    }
    return first != NULL && first->ask.size == SIZE_XLARGE;
}

/* What the first call of all is promised is to be kept. */
static void note_promise(struct day *d)
{
    const struct gw_fleet_node *const *n = (const struct gw_fleet_node *const *)d->r.nodes;
    if (!is_first_a_whole(d) || !gw_fleet_has_kept(d->r.fleet) || d->promised != 0)
        return;
    d->promised = n[n[1]->kept_in_round > n[0]->kept_in_round]->kept_until; /* the last kept */
    d->promises++;
}

static void fill_slices(struct day *d)
{
    struct gw_fleet_lease *lease;
    gw_sched_new_round(&d->r.sched, d->r.fleet, d->r.now);
    for (int i; (i = place(&d->r, &lease)) >= 0; run_job(d, lease)) {
        if (d->r.items[i].ask.size == SIZE_XLARGE && d->promised != 0) {
            assert_true(d->r.now <= d->promised);
            d->promised = 0;
        }
        d->gaps += d->promised != 0 && lease->slice->node->kept_parts & lease->slice->parts;
    }
    note_promise(d);
}

static void who_fits_into_a_gap_delays_nobody(void **state SL_UNUSED)
{
    struct day d = {.promises = 0};
    sl_rng_seed(&d.rng, 89);
    begin(&d.r, GW_SCHED_FAIR);
    d.r.sched.limits.patience_us = INT64_MAX;
    d.r.has_wide = true;
    join(&d.r, 3, 2);
    join(&d.r, 3, 2);
    for (int i = 0; i < 3000; i++) {
        fill_queue(&d);
        fill_slices(&d);
        go_on(&d);
    }
    assert_true(d.promises > 50 && d.gaps > 50);
    while (d.job_count > 0)
        go_on(&d);
    finish(&d.r);
}

/* The first group has no room for it; the second one has, and is not kept from it. */
static void who_wants_a_whole_device_has_the_one_that_is_free(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *half, *wide;
    begin(&r, GW_SCHED_FAIR);
    r.has_wide = true;
    join(&r, 1, 2);
    push(&r, (struct call){.item = 0, .key_us = 1});
    assert_int_equal(place(&r, &half), 0);
    join(&r, 3, 2);
    push(&r, (struct call){.item = 1, .key_us = 2, .size = SIZE_XLARGE});
    gw_sched_new_round(&r.sched, r.fleet, r.now);
    assert_int_equal(place(&r, &wide), 1);
    assert_ptr_equal(wide->slice->node, r.nodes[1]);
    end(&r, wide, 1000);
    end(&r, half, 1000);
    finish(&r);
}

static void those_who_pay_nothing_go_by_arrival_and_on_idle_slices(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    struct gw_fleet_lease *lease;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 1);
    join(&r, 2, 1);
    push(&r, (struct call){.item = 0, .model = 0});
    push_as(&r, (struct call){.item = 2, .model = 1}, true);
    push_as(&r, (struct call){.item = 1, .model = 0}, true);
    assert_true(gw_sched_next_idle(&r.sched, r.fleet, &item, &slice));
    assert_ptr_equal(item, &r.items[1]);
    assert_places(&r, 0, -1); /* the others are no calls of the scheduler's classes */
    push(&r, (struct call){.item = 0, .model = 0});
    assert_int_equal(place(&r, &lease), 0);
    assert_true(gw_sched_next_idle(&r.sched, r.fleet, &item, &slice));
    assert_ptr_equal(item, &r.items[2]);
    gw_sched_remove(&r.sched, item);
    assert_false(gw_sched_next_idle(&r.sched, r.fleet, &item, &slice));
    finish(&r);
}

/* ---- apps */

static void calls_of_an_app_at_its_limit_block_nobody(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease[4];
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 4);
    for (size_t i = 0; i < 5; i++)
        push(&r, (struct call){.item = i, .key_us = (int64_t)i, .app = "x"});
    push(&r, (struct call){.item = 5, .key_us = 90});
    push(&r, (struct call){.item = 6, .key_us = 91, .tier = 1, .app = "y"});
    static const int wanted[] = {6, 0, 1, 5}; /* 6 is of another class, and app */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(place(&r, &lease[i]), wanted[i]);
    end(&r, lease[0], 1000);
    assert_int_equal(place(&r, &lease[0]), -1); /* there is a slice, but not for x */
    gw_sched_remove(&r.sched, &r.items[3]);     /* whoever stands aside may leave */
    end(&r, lease[1], 1000);
    assert_int_equal(place(&r, &lease[0]), 2);
    assert_int_equal(place(&r, &lease[1]), -1);
    const struct gw_sched_limits more = {GW_SCHED_FAIR, ITEMS, ITEMS, 3, PATIENCE_US};
    gw_sched_set_limits(&r.sched, &more);
    assert_int_equal(place(&r, &lease[1]), 4);
    finish(&r);
}

static void an_app_waits_for_one_node_and_runs_on_another(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *first, *second;
    begin(&r, GW_SCHED_FAIR);
    r.sched.limits.max_app_running = 1;
    join(&r, 1, 1);
    join(&r, 2, 1);
    push(&r, (struct call){.item = 0, .model = 0});
    assert_int_equal(place(&r, &first), 0); /* the first node is busy */
    push(&r, (struct call){.item = 1, .model = 0, .key_us = 1, .app = "x"});
    push(&r, (struct call){.item = 2, .model = 1, .key_us = 2, .app = "x"});
    push(&r, (struct call){.item = 3, .model = 1, .key_us = 3, .app = "x"});
    assert_int_equal(place(&r, &second), 2);
    end(&r, first, 1000);
    assert_int_equal(place(&r, &first), -1); /* now it has one */
    end(&r, second, 1000);
    assert_true(place(&r, &first) > 0);
    finish(&r);
}

/* ---- age */

/* Short calls keep coming and are first by their keys; a long one of 10 is old. Returns how many
 * of them started before it. */
static size_t starts_before_the_long_one(struct rig *r, int64_t long_us)
{
    struct gw_fleet_lease *lease;
    size_t count = 0;
    join(r, 1, 1);
    push(r, (struct call){.item = 0, .key_us = 9000, .expected_us = long_us});
    r->now = PATIENCE_US * SL_NS_PER_US;
    for (size_t i = 1; count < 1000; count++) {
        while (r->items[i].model == NULL || r->sched.queue.counts[0] < 3) {
            if (r->items[i].model == NULL)
                push(r, (struct call){.item = i});
            i = i % (ITEMS - 1) + 1;
        }
        gw_sched_new_round(&r->sched, r->fleet, r->now);
        if (place(r, &lease) == 0)
            break;
        end(r, lease, 1000);
    }
    return count;
}

static void who_is_old_enough_starts_when_it_is_earned(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r, GW_SCHED_FAIR);
    assert_int_equal(starts_before_the_long_one(&r, 10000), 10 * (GW_SCHED_AGE_PARTS - 1));
    finish(&r);
    begin(&r, GW_SCHED_STRICT);
    assert_int_equal(starts_before_the_long_one(&r, 1000), GW_SCHED_AGE_PARTS - 1);
    finish(&r);
    begin(&r, GW_SCHED_FAIR);
    r.sched.limits.patience_us *= 2;
    assert_int_equal(starts_before_the_long_one(&r, 1000), 1000); /* not yet */
    finish(&r);
}

/* ---- places */

static void assert_place(struct rig *r, size_t item, size_t before, size_t waiting)
{
    struct gw_sched_place p;
    gw_sched_place(&r->sched, &r->items[item], &p);
    assert_int_equal(p.before, before);
    assert_int_equal(p.waiting, waiting);
}

static void a_place_counts_who_starts_before(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_sched_place p;
    begin(&r, GW_SCHED_STRICT);
    join(&r, 1, 1);
    join(&r, 2, 1);
    push_some(&r);                                  /* 4, 3, 5, 2, 1, 0 */
    push(&r, (struct call){.item = 6, .model = 1}); /* elsewhere */
    static const size_t strict[] = {5, 4, 3, 1, 0, 2};
    for (size_t i = 0; i < SL_ARRAY_LEN(strict); i++)
        assert_place(&r, i, strict[i], 6);
    assert_place(&r, 6, 0, 1);
    gw_sched_place(&r.sched, &r.items[2], &p);
    assert_true(p.own_before == 1 && p.own_before_us == 1000 && p.work_before_us == 3000);
    r.sched.limits.policy = GW_SCHED_FIFO;
    assert_place(&r, 1, 2, 6); /* by keys: 5 and 2 */
    const struct gw_queue_ask ask = {.key_us = 45, .arrival = 99, .tier = 0};
    assert_true(gw_sched_place_of(&r.sched, model(&r, 0), &ask, &p));
    assert_true(p.before == 3 && p.waiting == 7);
    assert_int_equal(gw_sched_slice_count(&r.sched, model(&r, 0)), 1);
    finish(&r);
}

static void a_place_holds_for_who_stands_aside_and_who_pays_nothing(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_fleet_lease *lease;
    begin(&r, GW_SCHED_FAIR);
    join(&r, 1, 4);
    for (size_t i = 0; i < 4; i++)
        push(&r, (struct call){.item = i, .key_us = (int64_t)i, .app = "x"});
    while (place(&r, &lease) >= 0)
        ;
    assert_non_null(r.items[3].aside);
    assert_place(&r, 3, 0, 1);
    push(&r, (struct call){.item = 4, .key_us = 9});
    push_as(&r, (struct call){.item = 5}, true);
    push_as(&r, (struct call){.item = 6}, true);
    assert_place(&r, 6, 2, 3);
    finish(&r);
}

/* With one slice, and calls as long as expected, the order is as the places said: within a class
 * exactly, between classes as far as shares of calls go. */
static void calls_start_in_their_places(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 83);
    for (int round = 0; round < 200; round++) {
        struct rig r;
        struct gw_sched_place p;
        struct gw_fleet_lease *lease;
        size_t before[ITEMS];
        begin(&r, (enum gw_sched_policy)sl_rng_below(&rng, 2));
        join(&r, 7, 1);
        for (size_t i = 0; i < ITEMS; i++)
            push(&r, (struct call){.item = i,
                                   .model = (size_t)sl_rng_below(&rng, MODELS),
                                   .tier = (uint16_t)sl_rng_below(&rng, 3),
                                   .key_us = (int64_t)sl_rng_below(&rng, 20)});
        for (size_t i = 0; i < ITEMS; i++) {
            gw_sched_place(&r.sched, &r.items[i], &p);
            before[i] = p.before;
        }
        size_t slack = r.sched.limits.policy == GW_SCHED_FAIR ? 2 : 0; /* ties of tags */
        for (size_t n = 0; n < ITEMS; n++) {
            size_t i = (size_t)place(&r, &lease);
            assert_true(before[i] <= n + slack && n <= before[i] + slack);
            end(&r, lease, 1000);
        }
        finish(&r);
    }
}

static void nothing_changes_by_asking(void **state SL_UNUSED)
{
    struct rig r;
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    begin(&r, GW_SCHED_FAIR);
    assert_false(gw_sched_next(&r.sched, r.fleet, &item, &slice));
    join(&r, 7, 1);
    push_some(&r);
    for (int i = 0; i < 3; i++) {
        assert_true(gw_sched_next(&r.sched, r.fleet, &item, &slice));
        assert_ptr_equal(item, &r.items[4]);
        assert_int_equal(r.sched.queue.counts[0], 6);
    }
    finish(&r);
}

/* ---- against a plain search */

static bool is_at_limit(const struct rig *r, const struct gw_queue_item *item)
{
    return item->app != NULL && item->app->running_count >= r->sched.limits.max_app_running;
}

/* Of a class, what starts on a group's slice is the first of all that could. */
static void assert_first_of_its_class(struct rig *r, const struct gw_queue_item *got,
                                      const struct gw_fleet_node *node)
{
    for (size_t i = 0; i < ITEMS; i++) {
        const struct gw_queue_item *other = &r->items[i];
        if (other->model == NULL || other->ask.class_index != got->ask.class_index ||
            is_at_limit(r, other))
            continue;
        if (gw_groups_has(other->pool->groups, node->group->index))
            assert_true(other == got || gw_queue_is_before(got, other));
    }
}

static bool could_start(struct rig *r)
{
    for (size_t i = 0; i < ITEMS; i++)
        if (r->items[i].model != NULL && !is_at_limit(r, &r->items[i]) &&
            gw_fleet_pick_idle(r->fleet,
                               SL_CONTAINER_OF(r->items[i].model, struct gw_fleet_model, waiting),
                               &tiers.sizes[0]))
            return true;
    return false;
}

static void whatever_waits_the_first_of_a_class_starts(void **state SL_UNUSED)
{
    struct sl_rng rng;
    sl_rng_seed(&rng, 71);
    for (int round = 0; round < 300; round++) {
        static const char *const apps[] = {"", "", "x", "y"};
        struct rig r;
        begin(&r, (enum gw_sched_policy)sl_rng_below(&rng, 3));
        join(&r, 7, 1); /* so that all are known */
        join(&r, (unsigned)sl_rng_below(&rng, 8), 1 + (size_t)sl_rng_below(&rng, 4));
        join(&r, (unsigned)sl_rng_below(&rng, 8), 1 + (size_t)sl_rng_below(&rng, 4));
        for (size_t i = 0; i < ITEMS; i++)
            push(&r, (struct call){.item = i,
                                   .model = (size_t)sl_rng_below(&rng, MODELS),
                                   .tier = (uint16_t)sl_rng_below(&rng, 4),
                                   .key_us = (int64_t)sl_rng_below(&rng, 20),
                                   .app = apps[sl_rng_below(&rng, 4)]});
        struct gw_queue_item *item;
        struct gw_fleet_slice *slice;
        struct gw_fleet_lease *lease;
        while (gw_sched_next(&r.sched, r.fleet, &item, &slice)) {
            assert_first_of_its_class(&r, item, slice->node);
            assert_true(place(&r, &lease) == item - r.items);
            if (sl_rng_below(&rng, 3) == 0)
                end(&r, lease, (int64_t)sl_rng_below(&rng, 3000));
        }
        assert_false(could_start(&r));
        finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_differ_in_the_class_alone),
        cmocka_unit_test(a_pool_that_must_wait_blocks_nobody),
        cmocka_unit_test(nobody_is_fed_past_the_next_one),
        cmocka_unit_test(a_start_is_charged_where_it_runs),
        cmocka_unit_test(a_call_that_returns_has_its_old_place),
        cmocka_unit_test(calls_stay_where_they_are_while_their_nodes_are_gone),
        cmocka_unit_test(limits_count_by_tier),
        cmocka_unit_test(other_weights_begin_anew),
        cmocka_unit_test(who_wants_a_whole_device_is_waited_for_on_one),
        cmocka_unit_test(who_is_over_before_starts_on_what_is_kept),
        cmocka_unit_test(who_fits_into_a_gap_delays_nobody),
        cmocka_unit_test(who_wants_a_whole_device_has_the_one_that_is_free),
        cmocka_unit_test(those_who_pay_nothing_go_by_arrival_and_on_idle_slices),
        cmocka_unit_test(calls_of_an_app_at_its_limit_block_nobody),
        cmocka_unit_test(an_app_waits_for_one_node_and_runs_on_another),
        cmocka_unit_test(who_is_old_enough_starts_when_it_is_earned),
        cmocka_unit_test(a_place_counts_who_starts_before),
        cmocka_unit_test(a_place_holds_for_who_stands_aside_and_who_pays_nothing),
        cmocka_unit_test(calls_start_in_their_places),
        cmocka_unit_test(nothing_changes_by_asking),
        cmocka_unit_test(whatever_waits_the_first_of_a_class_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
