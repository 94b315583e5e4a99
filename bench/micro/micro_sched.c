/* micro_sched.c - what deciding costs: with 1,000 slices and so many calls that wait, in three tiers
 * and of ten models, a slice becomes free, whose turn it is gets it, and another call comes; and
 * where a call stands.
 *
 *   micro_sched [COUNT...]     1000, 10000 and 100000 when not given
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gw_sched.h"
#include "sl_base.h"
#include "sl_rng.h"

enum { NODES = 16, SLICES = 63, MODELS = 10, ROUNDS = 100000 };

static const struct gw_tiers tiers = {.tiers = {{.name = "low", .weight = 1},
                                                {.name = "middle", .weight = 4},
                                                {"high", 1, 16, 1, 0, false}},
                                      .tier_count = 3,
                                      .sizes = {{"large", 500, 1, GW_FACTOR_ONE}},
                                      .size_count = 1};

struct bench {
    struct gw_fleet *fleet;
    struct gw_sched sched;
    struct gw_queue_item *items;
    struct gw_fleet_lease *leases[NODES * SLICES];
    size_t count, lease_count;
    uint64_t arrivals;
    sl_mono_ns now;
    struct sl_rng rng;
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_sched: %s\n", what);
    exit(1);
}

/* CPU time of this process: what others do meanwhile does not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * SL_NS_PER_S + t.tv_nsec;
}

/* ---- the fleet */

static void join(struct bench *b, size_t n)
{
    char name[16], names[MODELS][16];
    struct gw_hello_slice slices[SLICES];
    struct gw_model_spec models[MODELS];
    struct gw_fleet_node *node;
    struct sl_error err;
    snprintf(name, sizeof name, "node%zu", n);
    for (uint32_t i = 0; i < SLICES; i++)
        slices[i] = (struct gw_hello_slice){
            .id = i, .device = "cpu0", .kind = "cpu", .memory_bytes = 1, .share_thousandths = 500};
    for (size_t m = 0; m < MODELS; m++) {
        snprintf(names[m], sizeof names[m], "model%zu", m);
        models[m] = (struct gw_model_spec){.name = names[m],
                                           .version = "1",
                                           .engine = "bench",
                                           .duration_us = SL_US_PER_S,
                                           .max_duration_us = SL_US_PER_S,
                                           .problem = ""};
    }
    const struct gw_hello hello = {.session = n + 1,
                                   .name = name,
                                   .version = "1",
                                   .slices = slices,
                                   .slice_count = SLICES,
                                   .models = models,
                                   .model_count = MODELS};
    require(gw_fleet_join(b->fleet, &hello, 1, &node, &err) == SL_OK, "a node was refused");
    require(gw_sched_join(&b->sched, node) == SL_OK, "no memory");
}

static void begin(struct bench *b, size_t count)
{
    const struct gw_fleet_conf conf = {.max_nodes = NODES,
                                       .max_models = MODELS,
                                       .max_leases = NODES * SLICES,
                                       .feed_ahead_max = 1,
                                       .tiers = &tiers};
    const struct gw_sched_limits limits = {GW_SCHED_FAIR, count, count, 4, 30 * SL_US_PER_S};
    *b = (struct bench){.count = count, .items = calloc(count, sizeof *b->items)};
    sl_rng_seed(&b->rng, 1);
    require(b->items != NULL, "no memory");
    require(gw_fleet_create(&sl_alloc_malloc, &conf, &b->fleet) == SL_OK, "no memory");
    require(gw_sched_init(&b->sched, &sl_alloc_malloc, &tiers, &limits, count, NODES) == SL_OK,
            "no memory");
    for (size_t n = 0; n < NODES; n++)
        join(b, n);
}

static void finish(struct bench *b)
{
    require(gw_sched_check(&b->sched, b->fleet) == SL_OK, "an invariant is broken");
    gw_fleet_destroy(b->fleet);
    gw_sched_finish(&b->sched);
    free(b->items);
}

/* ---- the deeds */

static void push(struct bench *b, struct gw_queue_item *item)
{
    size_t cursor = (size_t)sl_rng_below(&b->rng, MODELS);
    int64_t now_us = b->now / SL_NS_PER_US;
    const struct gw_queue_ask ask = {.key_us = now_us + (int64_t)sl_rng_below(&b->rng, 30000000),
                                     .arrived_us = now_us,
                                     .arrival = ++b->arrivals,
                                     .expected_us = 1 + (int64_t)sl_rng_below(&b->rng, 1000000),
                                     .factor_thousandths = GW_FACTOR_ONE,
                                     .tier = (uint16_t)sl_rng_below(&b->rng, 3)};
    require(gw_sched_push(&b->sched, gw_fleet_next_model(b->fleet, &cursor), item, &ask, false) ==
                SL_OK,
            "no memory");
}

/* The next call starts. Returns its item; NULL: no slice is free. */
static struct gw_queue_item *place(struct bench *b)
{
    struct gw_queue_item *item;
    struct gw_fleet_slice *slice;
    struct gw_fleet_lease *lease;
    b->now += SL_NS_PER_MS;
    gw_sched_new_round(&b->sched, b->fleet, b->now);
    if (!gw_sched_next(&b->sched, b->fleet, &item, &slice))
        return NULL;
    struct gw_fleet_model *m = SL_CONTAINER_OF(item->model, struct gw_fleet_model, waiting);
    require(gw_fleet_lease(b->fleet, slice, m, 1, b->now, &lease) == SL_OK, "no lease");
    gw_sched_start(&b->sched, item, lease);
    b->leases[b->lease_count++] = lease;
    return item;
}

static void end_one(struct bench *b)
{
    size_t i = (size_t)sl_rng_below(&b->rng, b->lease_count);
    struct gw_fleet_lease *lease = b->leases[i];
    b->leases[i] = b->leases[--b->lease_count];
    gw_sched_end(&b->sched, lease, (int64_t)sl_rng_below(&b->rng, 1000000));
    gw_fleet_end_lease(b->fleet, lease, -1, b->now);
}

static void run(size_t count)
{
    struct bench b;
    struct gw_queue_item *item;
    struct gw_sched_place where;
    begin(&b, count);
    for (size_t i = 0; i < count; i++)
        push(&b, &b.items[i]);
    while ((item = place(&b)) != NULL)
        push(&b, item);
    int64_t from = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        end_one(&b);
        item = place(&b);
        require(item != NULL, "nobody started");
        push(&b, item);
    }
    int64_t turn_ns = (cpu_ns() - from) / ROUNDS;
    from = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        gw_sched_place(&b.sched, &b.items[sl_rng_below(&b.rng, count)], &where);
        require(where.before < count, "a place is wrong");
    }
    printf("%7zu wait  %5.2f us for an end, a decision and a call that comes (%.0f/s)  %5.2f us "
           "for a place\n",
           count, (double)turn_ns / 1e3, 1e9 / (double)turn_ns,
           (double)(cpu_ns() - from) / ROUNDS / 1e3);
    finish(&b);
}

int main(int argc, char **argv)
{
    static const size_t counts[] = {1000, 10000, 100000};
    printf("%d slices of %d nodes; %zu bytes for a call that waits\n", NODES * SLICES, NODES,
           sizeof(struct gw_queue_item) + 2 * 64);
    for (int i = 1; i < argc; i++)
        run((size_t)strtoull(argv[i], NULL, 10));
    for (size_t i = 0; argc == 1 && i < SL_ARRAY_LEN(counts); i++)
        run(counts[i]);
    return 0;
}
