/* gw_order_check.c - are a tree and its pool what gw_order.h says that they always are? */
#include <stdbool.h>

#include "gw_order.h"
#include "gw_order_int.h"

static const struct gw_order_node *node(const struct gw_order *o, uint32_t i)
{
    return &o->pool->nodes[i];
}

static bool is_child(const struct gw_order *o, uint32_t child, uint32_t parent)
{
    if (child == GW_ORDER_NONE)
        return true;
    return child <= o->pool->used && node(o, child)->parent == parent &&
           node(o, child)->tree == o->number && node(o, child)->count > 0;
}

static bool is_node_good(const struct gw_order *o, uint32_t i)
{
    const struct gw_order_node *n = node(o, i);
    if (!is_child(o, n->left, i) || !is_child(o, n->right, i))
        return false;
    const struct gw_order_node *left = node(o, n->left), *right = node(o, n->right);
    uint32_t left_weight = left->count + 1, right_weight = right->count + 1;
    return n->count == left->count + right->count + 1 &&
           n->work_us == left->work_us + right->work_us + n->item.work_us &&
           left_weight <= GW_ORDER_BALANCE * right_weight &&
           right_weight <= GW_ORDER_BALANCE * left_weight;
}

static bool is_before(const struct gw_order_item *a, const struct gw_order_item *b)
{
    return a->key_us != b->key_us ? a->key_us < b->key_us : a->arrival < b->arrival;
}

/* Down the left from i; no farther than a tree of used nodes can be deep. */
static uint32_t lowest(const struct gw_order *o, uint32_t i)
{
    for (uint32_t n = o->pool->used; n > 0 && node(o, i)->left != GW_ORDER_NONE; n--)
        i = node(o, i)->left;
    return i;
}

static uint32_t next_of(const struct gw_order *o, uint32_t i)
{
    if (node(o, i)->right != GW_ORDER_NONE)
        return lowest(o, node(o, i)->right);
    uint32_t n = o->pool->used;
    for (; n > 0 && node(o, node(o, i)->parent)->right == i; n--)
        i = node(o, i)->parent;
    return node(o, i)->parent;
}

static bool is_tree_good(const struct gw_order *o)
{
    if (!is_child(o, o->root, GW_ORDER_NONE) || o->first != lowest(o, o->root))
        return false;
    uint32_t count = 0;
    const struct gw_order_item *before = NULL;
    for (uint32_t i = o->first; i != GW_ORDER_NONE && count <= o->pool->used; i = next_of(o, i)) {
        if (!is_node_good(o, i) || (before != NULL && !is_before(before, &node(o, i)->item)))
            return false;
        before = &node(o, i)->item;
        count++;
    }
    return count == node(o, o->root)->count;
}

static bool is_pool_good(const struct gw_order_pool *p)
{
    const struct gw_order_node *none = &p->nodes[GW_ORDER_NONE];
    size_t free_count = 0, taken_count = 0;
    for (uint32_t i = 1; i <= p->used; i++)
        taken_count += p->nodes[i].count > 0;
    for (uint32_t i = p->free_slot; i != GW_ORDER_NONE && free_count <= p->used;
         i = p->nodes[i].left) {
        if (i > p->used || p->nodes[i].count != 0)
            return false;
        free_count++;
    }
    return none->count == 0 && none->work_us == 0 && taken_count == p->count &&
           free_count + taken_count == p->used && p->used <= p->max_count;
}

sl_status gw_order_check(const struct gw_order *o)
{
    return is_pool_good(o->pool) && is_tree_good(o) ? SL_OK : SL_EBROKEN;
}
