/* micro_order.c - what a place in the queue costs: insert, place, removal and taking out the first,
 * with so many calls in one tree, each at random: with real calls, whose keys grow with time, more
 * of the way is in the caches.
 *
 *   micro_order [COUNT...]     1000, 100000 and 1000000 when not given
 *
 * Of a million calls most are in no cache; what a cache line from memory costs here decides then.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gw_order.h"
#include "sl_base.h"
#include "sl_rng.h"
#include "sl_time.h"

enum { ROUNDS_MIN = 1000000 }; /* of each deed, in all */

struct bench {
    size_t count;
    struct gw_order_pool *pool;
    struct gw_order order;
    gw_order_id *ids;
    uint64_t arrivals;
    struct sl_rng rng;
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "micro_order: %s\n", what);
    exit(1);
}

/* CPU time of this process: what others do meanwhile does not count. */
static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * SL_NS_PER_S + t.tv_nsec;
}

/* ---- memory, counted as it is asked for */

static void *counted_alloc(void *ctx, size_t bytes)
{
    *(size_t *)ctx += bytes;
    return sl_alloc_malloc.alloc(NULL, bytes);
}

static void insert(struct bench *b, size_t i)
{
    struct gw_order_item item = {.key_us = (int64_t)(sl_rng_u64(&b->rng) >> 16),
                                 .arrival = ++b->arrivals,
                                 .work_us = 1000,
                                 .call = i};
    require(gw_order_insert(&b->order, &item, &b->ids[i]) == SL_OK, "an insert was refused");
}

/* ---- each deed, as often as there are calls */

static void insert_all(struct bench *b)
{
    for (size_t i = 0; i < b->count; i++)
        insert(b, i);
}

static void find_places(struct bench *b)
{
    struct gw_order_sum before;
    for (size_t i = 0; i < b->count; i++) {
        gw_order_id id = b->ids[sl_rng_below(&b->rng, b->count)];
        require(gw_order_before(&b->order, id, &before) == SL_OK, "a call was not found");
        require(before.work_us == 1000 * (int64_t)before.count, "a place is wrong");
    }
}

/* Every other one, in the order of their coming, which is none in the tree. */
static void remove_half(struct bench *b)
{
    for (size_t i = 0; i < b->count; i += 2)
        require(gw_order_remove(&b->order, b->ids[i]) == SL_OK, "a call was not found");
}

static void pop_half(struct bench *b)
{
    for (size_t i = 1; i < b->count; i += 2)
        require(gw_order_remove(&b->order, gw_order_first(&b->order)) == SL_OK, "no first");
}

enum { INSERT, PLACE, REMOVE, POP, DEEDS };

static int64_t time_of(struct bench *b, void (*deed)(struct bench *b))
{
    int64_t from = now_ns();
    deed(b);
    return now_ns() - from;
}

static void run(size_t count)
{
    void (*deeds[DEEDS])(struct bench *) = {insert_all, find_places, remove_half, pop_half};
    struct bench b = {.count = count, .ids = malloc(count * sizeof *b.ids)};
    int64_t spent_ns[DEEDS] = {0};
    size_t bytes = 0;
    struct sl_alloc alloc = sl_alloc_malloc;
    double done = 0;
    alloc.alloc = counted_alloc;
    alloc.ctx = &bytes;
    sl_rng_seed(&b.rng, 1);
    require(b.ids != NULL, "no memory");
    require(gw_order_pool_create(&alloc, count, &b.pool) == SL_OK,
            "no memory, or beyond the limit");
    gw_order_init(&b.order, b.pool);
    for (; done < ROUNDS_MIN; done += (double)count) {
        for (size_t d = 0; d < DEEDS; d++)
            spent_ns[d] += time_of(&b, deeds[d]);
        require(gw_order_pool_count(b.pool) == 0, "calls are left");
    }
    printf("%9zu", count);
    for (size_t d = 0; d < DEEDS; d++)
        printf(" %9.0f", (double)spent_ns[d] / done * (d >= REMOVE ? 2 : 1));
    printf(" %9zu\n", bytes / count);
    gw_order_pool_destroy(b.pool);
    free(b.ids);
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {1000, 100000, 1000000};
    printf("    calls    insert     place    remove take first bytes each\n");
    printf("                 ns        ns        ns        ns\n");
    for (size_t i = 0; argc < 2 && i < SL_ARRAY_LEN(usual); i++)
        run(usual[i]);
    for (int i = 1; i < argc; i++) {
        char *end;
        unsigned long count = strtoul(argv[i], &end, 10);
        require(*end == '\0' && count > 0 && count <= GW_ORDER_COUNT_MAX,
                "usage: micro_order [COUNT...], each from 1 to 4194304");
        run(count);
    }
    return 0;
}
