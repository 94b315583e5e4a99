/* gw_order.h - calls that wait, in the order in which they shall start: order-statistics trees.
 * Pure.
 *
 * A tree holds items by (key, arrival): the virtual deadline (gw_deadline.h), and the arrival
 * number, which makes equal deadlines different, so that the same calls always lie in the same
 * order. Each node knows how many items are below it and how much work they are, so a call's place,
 * and the work before it, are answered without counting. Many trees share one pool of nodes, which
 * holds them all to one maximum.
 *
 * Source   Weight-balanced trees (Nievergelt and Reingold 1973) with the balance <3, 2> that Hirai
 *          and Yamamoto proved right for insertion and removal ("Balancing weight-balanced trees",
 *          2011). The counts that places are counted with are the balance, too; nothing else is
 *          stored, and nothing is random.
 * Cost     first, get: O(1). insert, remove, set_work, before, before_key, nth: O(log n), at most
 *          2.41 log2(n + 1) nodes on the way (32 for 10,000, 49 for a million), without recursion.
 *          next: O(1) on average over a walk.
 * Memory   64 bytes for an item, one cache line. The pool is one block, allocated once; a page of
 *          it costs memory from the first time on that so many items wait.
 * Units    Keys and work in microseconds.
 * Errors   All-or-nothing.
 * Threads  One.
 *
 * Invariants (gw_order_check)
 *   O1  (key, arrival) grows strictly from item to item
 *   O2  a node's count and work are those of its own item and its two subtrees
 *   O3  neither subtree of a node weighs more than three times the other; weight = count + 1
 *   O4  links lead down and back up; `first` is the least item; all nodes are this tree's
 *   O5  a slot of the pool is in a tree, or free, or was never used
 */
#ifndef GW_ORDER_H
#define GW_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "sl_alloc.h"
#include "sl_status.h"

enum { GW_ORDER_COUNT_MAX = 1 << 22 };          /* items of a pool */
#define GW_ORDER_WORK_MAX_US (INT64_C(1) << 40) /* of an item: so no sum overflows */

struct gw_order_item {
    int64_t key_us;
    uint64_t arrival;
    int64_t work_us; /* expected, from 0 to GW_ORDER_WORK_MAX_US */
    uint64_t call;   /* the caller's; not looked at */
};

typedef uint64_t gw_order_id; /* generation << 32 | slot; 0: none */

struct gw_order_pool;

/* A tree; its memory is the caller's, and empty it may be dropped. */
struct gw_order {
    struct gw_order_pool *pool;
    uint32_t number; /* of the pool's trees */
    uint32_t root, first;
};

struct gw_order_sum {
    size_t count;
    int64_t work_us;
};

/* Errors: SL_EINVAL (max_count is 0 or above GW_ORDER_COUNT_MAX), SL_ENOMEM. */
SL_MUST_CHECK sl_status gw_order_pool_create(const struct sl_alloc *alloc, size_t max_count,
                                             struct gw_order_pool **out);
void gw_order_pool_destroy(struct gw_order_pool *p); /* NULL is fine; its trees are gone */
size_t gw_order_pool_count(const struct gw_order_pool *p);

void gw_order_init(struct gw_order *o, struct gw_order_pool *pool);

/* Errors: SL_EFULL (of the pool), SL_EEXIST (an item of that key and arrival is there),
 * SL_EINVAL (work_us). */
SL_MUST_CHECK sl_status gw_order_insert(struct gw_order *o, const struct gw_order_item *item,
                                        gw_order_id *out);
/* Errors, here and below: SL_ESTALE (it is not, or no longer, in this tree). */
SL_MUST_CHECK sl_status gw_order_remove(struct gw_order *o, gw_order_id id);
/* What is expected of it has changed. Errors: SL_EINVAL (work_us), SL_ESTALE. */
SL_MUST_CHECK sl_status gw_order_set_work(struct gw_order *o, gw_order_id id, int64_t work_us);

/* NULL: it is not in this tree. Valid until it is removed. */
const struct gw_order_item *gw_order_get(const struct gw_order *o, gw_order_id id);
gw_order_id gw_order_first(const struct gw_order *o);                /* 0: empty */
gw_order_id gw_order_next(const struct gw_order *o, gw_order_id id); /* 0: the last, or stale */
gw_order_id gw_order_nth(const struct gw_order *o, size_t n);        /* from 0 on; 0: not so many */

struct gw_order_sum gw_order_total(const struct gw_order *o);
/* What is before an item, itself left out. */
SL_MUST_CHECK sl_status gw_order_before(const struct gw_order *o, gw_order_id id,
                                        struct gw_order_sum *out);
/* What would be before an item of that key and arrival. */
struct gw_order_sum gw_order_before_key(const struct gw_order *o, int64_t key_us, uint64_t arrival);

/* SL_OK, or SL_EBROKEN when one of O1-O5 fails. O(n + slots). For tests and the simulator. */
SL_MUST_CHECK sl_status gw_order_check(const struct gw_order *o);

#endif
