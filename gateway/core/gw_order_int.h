/* gw_order_int.h - nodes and their pool, for the files of gw_order alone. */
#ifndef GW_ORDER_INT_H
#define GW_ORDER_INT_H

#include "gw_order.h"

enum {
    GW_ORDER_NONE =
        0, /* slot 0: no node; its count and work are always 0, so it can be asked like one */
    GW_ORDER_BALANCE = 3, /* a subtree weighs at most so many times its sibling */
    GW_ORDER_SINGLE =
        2, /* one rotation does while the inner grandchild weighs less than so many outer ones */
};

struct gw_order_node {
    struct gw_order_item item;
    int64_t work_us; /* of the subtree */
    uint32_t count;  /* of the subtree; 0: a free slot */
    uint32_t left;   /* of a free slot: the next one */
    uint32_t right, parent;
    uint32_t tree;
    uint32_t generation;
};

struct gw_order_pool {
    const struct sl_alloc *alloc;
    void *block;
    struct gw_order_node *nodes; /* in it, at the beginning of a cache line */
    size_t max_count, count;
    uint32_t used;      /* slots that were ever taken are 1 to used */
    uint32_t free_slot; /* of them, the one that was freed last */
    uint32_t tree_count;
};

#endif
