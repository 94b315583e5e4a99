#include "gw_order.h"

#include <stdbool.h>
#include <string.h>

#include "gw_order_int.h"

enum { CACHE_LINE = 64 };

_Static_assert(sizeof(struct gw_order_node) == CACHE_LINE, "a node is a cache line");

/* ---- the pool */

sl_status gw_order_pool_create(const struct sl_alloc *alloc, size_t max_count,
                               struct gw_order_pool **out)
{
    if (max_count == 0 || max_count > GW_ORDER_COUNT_MAX)
        return SL_EINVAL;
    struct gw_order_pool *p = sl_alloc_zero(alloc, 1, sizeof *p);
    if (p == NULL)
        return SL_ENOMEM;
    p->block = sl_alloc_get(alloc, (max_count + 1) * sizeof *p->nodes + CACHE_LINE);
    if (p->block == NULL) {
        sl_alloc_free(alloc, p);
        return SL_ENOMEM;
    }
    size_t past_line = (uintptr_t)p->block % CACHE_LINE;
    p->nodes = (void *)((char *)p->block + (past_line == 0 ? 0 : CACHE_LINE - past_line));
    memset(&p->nodes[GW_ORDER_NONE], 0, sizeof *p->nodes);
    p->alloc = alloc;
    p->max_count = max_count;
    *out = p;
    return SL_OK;
}

void gw_order_pool_destroy(struct gw_order_pool *p)
{
    if (p == NULL)
        return;
    sl_alloc_free(p->alloc, p->block);
    sl_alloc_free(p->alloc, p);
}

size_t gw_order_pool_count(const struct gw_order_pool *p)
{
    return p->count;
}

/* The caller has seen that there is room. */
static uint32_t take_slot(struct gw_order_pool *p)
{
    uint32_t i = p->free_slot;
    if (i != GW_ORDER_NONE) {
        p->free_slot = p->nodes[i].left;
    } else {
        i = ++p->used;
        p->nodes[i].generation = 0;
    }
    p->count++;
    return i;
}

static void free_slot(struct gw_order_pool *p, uint32_t i)
{
    struct gw_order_node *n = &p->nodes[i];
    n->generation++;
    n->count = 0;
    n->left = p->free_slot;
    p->free_slot = i;
    p->count--;
}

/* ---- nodes */

static struct gw_order_node *node(const struct gw_order *o, uint32_t i)
{
    return &o->pool->nodes[i];
}

static gw_order_id id_of(const struct gw_order *o, uint32_t i)
{
    return i == GW_ORDER_NONE ? 0 : (gw_order_id)node(o, i)->generation << 32 | i;
}

/* GW_ORDER_NONE: it is not in this tree. */
static uint32_t find(const struct gw_order *o, gw_order_id id)
{
    uint32_t i = (uint32_t)id;
    if (i == GW_ORDER_NONE || i > o->pool->used)
        return GW_ORDER_NONE;
    const struct gw_order_node *n = node(o, i);
    bool is_here = n->count > 0 && n->tree == o->number && n->generation == id >> 32;
    return is_here ? i : GW_ORDER_NONE;
}

static int compare(const struct gw_order_item *a, int64_t key_us, uint64_t arrival)
{
    if (a->key_us != key_us)
        return a->key_us < key_us ? -1 : 1;
    return a->arrival == arrival ? 0 : a->arrival < arrival ? -1 : 1;
}

static uint32_t leftmost(const struct gw_order *o, uint32_t i)
{
    while (node(o, i)->left != GW_ORDER_NONE)
        i = node(o, i)->left;
    return i;
}

static uint32_t rightmost(const struct gw_order *o, uint32_t i)
{
    while (node(o, i)->right != GW_ORDER_NONE)
        i = node(o, i)->right;
    return i;
}

static uint32_t after(const struct gw_order *o, uint32_t i)
{
    if (node(o, i)->right != GW_ORDER_NONE)
        return leftmost(o, node(o, i)->right);
    uint32_t up = node(o, i)->parent;
    while (up != GW_ORDER_NONE && node(o, up)->right == i) {
        i = up;
        up = node(o, i)->parent;
    }
    return up;
}

/* ---- balance */

/* What lies above `old` now has `fresh` there, which may be none. */
static void replace(struct gw_order *o, uint32_t old, uint32_t fresh)
{
    uint32_t up = node(o, old)->parent;
    if (up == GW_ORDER_NONE)
        o->root = fresh;
    else if (node(o, up)->left == old)
        node(o, up)->left = fresh;
    else
        node(o, up)->right = fresh;
    if (fresh != GW_ORDER_NONE)
        node(o, fresh)->parent = up;
}

/* Hangs child below i, on the left or right; it may be none. */
static void hang(struct gw_order *o, uint32_t i, uint32_t child, bool is_left)
{
    *(is_left ? &node(o, i)->left : &node(o, i)->right) = child;
    if (child != GW_ORDER_NONE)
        node(o, child)->parent = i;
}

static void count_anew(struct gw_order *o, uint32_t i)
{
    struct gw_order_node *n = node(o, i);
    const struct gw_order_node *left = node(o, n->left), *right = node(o, n->right);
    n->count = left->count + right->count + 1;
    n->work_us = left->work_us + right->work_us + n->item.work_us;
}

/* The left (right) child takes the place of i, which goes down to its right (left). Returns the
 * child. */
static uint32_t rotate(struct gw_order *o, uint32_t i, bool is_left_up)
{
    uint32_t up = is_left_up ? node(o, i)->left : node(o, i)->right;
    uint32_t inner = is_left_up ? node(o, up)->right : node(o, up)->left;
    replace(o, i, up);
    hang(o, i, inner, is_left_up);
    hang(o, up, i, !is_left_up);
    count_anew(o, i);
    count_anew(o, up);
    return up;
}

static uint32_t weight(const struct gw_order *o, uint32_t i)
{
    return node(o, i)->count + 1;
}

/* A child of i has become too heavy: mends that. Returns what stands in the place of i then. */
static uint32_t rebalance(struct gw_order *o, uint32_t i)
{
    const struct gw_order_node *n = node(o, i);
    bool is_left = weight(o, n->left) > weight(o, n->right);
    uint32_t heavy = is_left ? n->left : n->right;
    uint32_t inner = is_left ? node(o, heavy)->right : node(o, heavy)->left;
    uint32_t outer = is_left ? node(o, heavy)->left : node(o, heavy)->right;
    if (weight(o, inner) >= GW_ORDER_SINGLE * weight(o, outer))
        rotate(o, heavy, !is_left);
    return rotate(o, i, is_left);
}

/* The subtree at `child`, below i, has been made larger or smaller by one item: tells all nodes
 * from i up to, and without, `stop`. The sibling's weight is what is left, so siblings are not
 * touched. Returns what stands below `stop` then. */
static uint32_t climb(struct gw_order *o, uint32_t i, uint32_t child, int32_t count,
                      int64_t work_us, uint32_t stop)
{
    while (i != stop) {
        struct gw_order_node *n = node(o, i);
        n->count += (uint32_t)count;
        n->work_us += work_us;
        uint32_t one = weight(o, child), other = n->count + 1 - one;
        if (one > GW_ORDER_BALANCE * other || other > GW_ORDER_BALANCE * one)
            i = rebalance(o, i);
        child = i;
        i = node(o, i)->parent;
    }
    return child;
}

/* ---- trees */

void gw_order_init(struct gw_order *o, struct gw_order_pool *pool)
{
    *o = (struct gw_order){.pool = pool, .number = ++pool->tree_count};
}

/* Where a new item belongs. */
struct gap {
    uint32_t parent;
    bool is_left, is_first, is_taken;
};

static struct gap find_gap(const struct gw_order *o, const struct gw_order_item *item)
{
    struct gap g = {.is_first = true};
    uint32_t i = o->root;
    while (i != GW_ORDER_NONE) {
        const struct gw_order_node *n = node(o, i);
        int order = compare(&n->item, item->key_us, item->arrival);
        g.is_taken |= order == 0;
        g.parent = i;
        g.is_left = order > 0;
        g.is_first &= g.is_left;
        i = g.is_left ? n->left : n->right;
    }
    return g;
}

static bool is_good_work(int64_t work_us)
{
    return work_us >= 0 && work_us <= GW_ORDER_WORK_MAX_US;
}

sl_status gw_order_insert(struct gw_order *o, const struct gw_order_item *item, gw_order_id *out)
{
    if (!is_good_work(item->work_us))
        return SL_EINVAL;
    if (o->pool->count >= o->pool->max_count)
        return SL_EFULL;
    struct gap g = find_gap(o, item);
    if (g.is_taken)
        return SL_EEXIST;
    uint32_t i = take_slot(o->pool);
    struct gw_order_node *n = node(o, i);
    *n = (struct gw_order_node){.item = *item,
                                .work_us = item->work_us,
                                .count = 1,
                                .tree = o->number,
                                .generation = n->generation};
    if (g.parent == GW_ORDER_NONE)
        o->root = i;
    else
        hang(o, g.parent, i, g.is_left);
    if (g.is_first)
        o->first = i;
    climb(o, g.parent, i, 1, item->work_us, GW_ORDER_NONE);
    *out = id_of(o, i);
    return SL_OK;
}

/* i has at most one child, which comes in its place. Returns it. */
static uint32_t unhook(struct gw_order *o, uint32_t i)
{
    const struct gw_order_node *n = node(o, i);
    uint32_t child = n->left != GW_ORDER_NONE ? n->left : n->right;
    replace(o, i, child);
    return child;
}

/* i has two children: its neighbour from the heavier side comes in its place. The way up from where
 * that one was has lost its work as far as there, and the work of i from there on. */
static void remove_inner(struct gw_order *o, uint32_t i)
{
    struct gw_order_node *n = node(o, i);
    bool is_left = weight(o, n->left) > weight(o, n->right);
    uint32_t heir = is_left ? rightmost(o, n->left) : leftmost(o, n->right);
    struct gw_order_node *h = node(o, heir);
    uint32_t from = h->parent == i ? heir : h->parent;
    uint32_t child = unhook(o, heir);
    replace(o, i, heir);
    hang(o, heir, n->left, true);
    hang(o, heir, n->right, false);
    h->count = n->count;
    h->work_us = n->work_us;
    child = climb(o, from, child, -1, -h->item.work_us, heir);
    climb(o, heir, child, -1, -n->item.work_us, GW_ORDER_NONE);
}

sl_status gw_order_remove(struct gw_order *o, gw_order_id id)
{
    uint32_t i = find(o, id);
    if (i == GW_ORDER_NONE)
        return SL_ESTALE;
    struct gw_order_node *n = node(o, i);
    if (i == o->first)
        o->first = after(o, i);
    if (n->left != GW_ORDER_NONE && n->right != GW_ORDER_NONE)
        remove_inner(o, i);
    else
        climb(o, n->parent, unhook(o, i), -1, -n->item.work_us, GW_ORDER_NONE);
    free_slot(o->pool, i);
    return SL_OK;
}

sl_status gw_order_set_work(struct gw_order *o, gw_order_id id, int64_t work_us)
{
    if (!is_good_work(work_us))
        return SL_EINVAL;
    uint32_t i = find(o, id);
    if (i == GW_ORDER_NONE)
        return SL_ESTALE;
    int64_t more_us = work_us - node(o, i)->item.work_us;
    node(o, i)->item.work_us = work_us;
    for (; i != GW_ORDER_NONE; i = node(o, i)->parent)
        node(o, i)->work_us += more_us;
    return SL_OK;
}

/* ---- questions */

const struct gw_order_item *gw_order_get(const struct gw_order *o, gw_order_id id)
{
    uint32_t i = find(o, id);
    return i == GW_ORDER_NONE ? NULL : &node(o, i)->item;
}

gw_order_id gw_order_first(const struct gw_order *o)
{
    return id_of(o, o->first);
}

gw_order_id gw_order_next(const struct gw_order *o, gw_order_id id)
{
    uint32_t i = find(o, id);
    return i == GW_ORDER_NONE ? 0 : id_of(o, after(o, i));
}

gw_order_id gw_order_nth(const struct gw_order *o, size_t n)
{
    uint32_t i = o->root;
    for (;;) {
        if (i == GW_ORDER_NONE)
            return 0;
        size_t left_count = node(o, node(o, i)->left)->count;
        if (n == left_count)
            return id_of(o, i);
        if (n < left_count) {
            i = node(o, i)->left;
        } else {
            n -= left_count + 1;
            i = node(o, i)->right;
        }
    }
}

struct gw_order_sum gw_order_total(const struct gw_order *o)
{
    const struct gw_order_node *n = node(o, o->root);
    return (struct gw_order_sum){n->count, n->work_us};
}

/* Adds a node and all on its left, asking only the node and its right child. */
static void add_left_part(struct gw_order_sum *sum, const struct gw_order_node *n,
                          const struct gw_order_node *right)
{
    sum->count += n->count - right->count;
    sum->work_us += n->work_us - right->work_us;
}

sl_status gw_order_before(const struct gw_order *o, gw_order_id id, struct gw_order_sum *out)
{
    uint32_t i = find(o, id);
    if (i == GW_ORDER_NONE)
        return SL_ESTALE;
    const struct gw_order_node *n = node(o, i), *left = node(o, n->left);
    struct gw_order_sum sum = {left->count, left->work_us};
    for (uint32_t up; (up = n->parent) != GW_ORDER_NONE; i = up) {
        if (node(o, up)->right == i)
            add_left_part(&sum, node(o, up), n);
        n = node(o, up);
    }
    *out = sum;
    return SL_OK;
}

struct gw_order_sum gw_order_before_key(const struct gw_order *o, int64_t key_us, uint64_t arrival)
{
    struct gw_order_sum sum = {0};
    uint32_t i = o->root;
    while (i != GW_ORDER_NONE) {
        const struct gw_order_node *n = node(o, i);
        bool is_before = compare(&n->item, key_us, arrival) < 0;
        if (is_before)
            add_left_part(&sum, n, node(o, n->right));
        i = is_before ? n->right : n->left;
    }
    return sum;
}
