/* gw_fleet_size.c - which slices are for calls of which size, and wide slices: made of others, free when those are. */
#include <inttypes.h>
#include <stdio.h>
#include <utlist.h>

#include "gw_fleet_int.h"
#include "sl_text.h"

/* Parts of a device that was divided by three are 333 of 1000. */
enum { ROUNDED_OFF = 1 };

static bool is_enough(const struct gw_fleet_extent *e, const struct gw_size *size)
{
    return e->share_thousandths + ROUNDED_OFF >= size->share_thousandths &&
           (e->memory_bytes == 0 || e->memory_bytes >= size->memory_bytes);
}

static bool is_wide(const struct gw_fleet_slice *s)
{
    return s->part_extent.share_thousandths > 0;
}

bool gw_fleet_slice_serves(const struct gw_fleet_slice *slice, const struct gw_size *size)
{
    return is_enough(&slice->extent, size) &&
           !(is_wide(slice) && is_enough(&slice->part_extent, size));
}

bool gw_fleet_slice_helps(const struct gw_fleet_slice *slice, const struct gw_size *size)
{
    const struct gw_fleet_node *node = slice->node;
    size_t i = 0;
    while (i < gw_fleet_all_slices(node) && ((node->slices[i].parts & slice->parts) == 0 ||
                                             !gw_fleet_slice_serves(&node->slices[i], size)))
        i++;
    return i < gw_fleet_all_slices(node);
}

bool gw_fleet_slice_is_held(const struct gw_fleet_slice *slice)
{
    return (slice->node->held_parts & slice->parts) != 0;
}

size_t gw_fleet_part_count(const struct gw_fleet_slice *slice)
{
    return (size_t)__builtin_popcountll(slice->parts);
}

static void enlarge(struct gw_fleet_extent *e, const struct gw_fleet_extent *other)
{
    bool is_unlimited = e->share_thousandths > 0 && e->memory_bytes == 0;
    if (other->memory_bytes > e->memory_bytes && !is_unlimited)
        e->memory_bytes = other->memory_bytes;
    if (other->memory_bytes == 0)
        e->memory_bytes = 0;
    if (other->share_thousandths > e->share_thousandths)
        e->share_thousandths = other->share_thousandths;
}

/* What a slice of the processors may allocate is no memory of a device. */
void gw_fleet_measure(struct gw_fleet_slice *slice, uint64_t parts)
{
    const struct gw_fleet_node *node = slice->node;
    bool is_device = strcmp(slice->kind, "cpu") != 0;
    slice->extent.share_thousandths =
        slice->share_thousandths > 0 ? slice->share_thousandths : GW_FACTOR_ONE;
    slice->extent.memory_bytes = is_device ? slice->memory_bytes : 0;
    slice->parts = parts != 0 ? parts : UINT64_C(1) << (slice - node->slices);
    for (size_t i = 0; parts != 0 && i < node->slice_count; i++)
        if ((parts >> i & 1) != 0)
            enlarge(&slice->part_extent, &node->slices[i].extent);
}

/* ---- never is not "not now" */

/* The largest slice of all stands for the node: whatever is smaller is served by it or by its parts. */
void gw_fleet_remember_extent(struct gw_fleet_model *m, const struct gw_fleet_node *node)
{
    struct gw_fleet_extent largest = {0};
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
        enlarge(&largest, &node->slices[i].extent);
    if (m->gone_node[0] != '\0' && largest.share_thousandths < m->gone_extent.share_thousandths)
        return;
    snprintf(m->gone_node, sizeof m->gone_node, "%s", node->name);
    m->gone_extent = largest;
}

static bool node_serves(const struct gw_fleet_node *node, const struct gw_size *size)
{
    size_t i = 0;
    while (i < gw_fleet_all_slices(node) && !gw_fleet_slice_serves(&node->slices[i], size))
        i++;
    return i < gw_fleet_all_slices(node);
}

bool gw_fleet_may_serve(const struct gw_fleet_model *m, const struct gw_size *size)
{
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    if (node_serves(offer->node, size))
        return true;
    return m->gone_node[0] != '\0' && is_enough(&m->gone_extent, size);
}

void gw_fleet_refuse_size(const struct gw_fleet_model *m, const struct gw_size *size,
                          const struct gw_tiers *tiers, struct sl_error *err)
{
    struct gw_tiers can = {.size_count = 0}; /* what the model can have */
    char names[GW_SIZES_MAX * (GW_TIER_NAME_MAX + 2) + 1], memory[32];
    for (size_t i = 0; i < tiers->size_count; i++)
        if (gw_fleet_may_serve(m, &tiers->sizes[i]))
            can.sizes[can.size_count++] = tiers->sizes[i];
    gw_tiers_size_names(&can, names, sizeof names);
    sl_text_format_bytes(size->memory_bytes, memory);
    sl_error_set(err, SL_REASON_SIZE_UNAVAILABLE,
                 "size '%s' is %" PRIu32 ".%" PRIu32
                 " %% of a device and %s: no device that has model "
                 "'%s' gives that; there is %s",
                 size->name, size->share_thousandths / 10, size->share_thousandths % 10, memory,
                 m->spec.name, names[0] != '\0' ? names : "no size that it can have");
    sl_error_set_field(err, "sluice-size");
}

const struct gw_size *gw_fleet_size_of(const struct gw_fleet_model *m, const struct gw_tiers *tiers)
{
    const struct gw_size *size = NULL;
    if (m->spec.size[0] != '\0')
        size = gw_tiers_find_size(tiers, sl_span_str(m->spec.size));
    return size != NULL ? size : &tiers->sizes[0];
}

/* ---- room for wide slices */

uint64_t gw_fleet_kept_parts(const struct gw_fleet *f, const struct gw_fleet_node *node)
{
    return node->kept_in_round == f->round ? node->kept_parts : 0;
}

/* How far a wide slice is from being free; less is nearer. */
struct distance {
    bool is_new; /* it was not kept in the round before: to keep on with one comes to an end */
    size_t busy_parts;
    int64_t expected_us; /* of the part that has most to do */
};

static struct distance distance_of(const struct gw_fleet *f, const struct gw_fleet_slice *wide)
{
    const struct gw_fleet_node *node = wide->node;
    struct distance d = {.is_new = node->kept_in_round + 1 != f->round ||
                                   (node->kept_parts & wide->parts) != wide->parts,
                         .busy_parts =
                             (size_t)__builtin_popcountll(node->held_parts & wide->parts)};
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++) {
        const struct gw_fleet_slice *s = &node->slices[i];
        if ((s->parts & wide->parts) != 0 && s->expected_us > d.expected_us)
            d.expected_us = s->expected_us;
    }
    return d;
}

static bool is_nearer(const struct distance *a, const struct distance *b)
{
    if ((a->busy_parts == 0) != (b->busy_parts == 0))
        return a->busy_parts == 0;
    if (a->is_new != b->is_new)
        return b->is_new;
    if (a->busy_parts != b->busy_parts)
        return a->busy_parts < b->busy_parts;
    return a->expected_us < b->expected_us;
}

static void look_at(const struct gw_fleet *f, struct gw_fleet_node *node,
                    const struct gw_size *size, struct gw_fleet_slice **best,
                    struct distance *best_distance)
{
    uint64_t kept = gw_fleet_kept_parts(f, node);
    for (size_t i = node->slice_count; i < gw_fleet_all_slices(node); i++) {
        struct gw_fleet_slice *s = &node->slices[i];
        if ((s->parts & kept) != 0 || !gw_fleet_slice_serves(s, size))
            continue;
        struct distance d = distance_of(f, s);
        if (*best == NULL || is_nearer(&d, best_distance)) {
            *best = s;
            *best_distance = d;
        }
    }
}

/* Of one that is being cleared, when that ends. */
static sl_mono_ns lease_ends_at(const struct gw_fleet_lease *lease, sl_mono_ns begins_at)
{
    sl_mono_ns from = lease->is_started ? lease->started_at : begins_at;
    sl_mono_ns at = sl_sat_add(from, sl_sat_mul(lease->limit_us, SL_NS_PER_US));
    if (lease->is_recalled && lease->recalled_at < at)
        at = lease->recalled_at;
    return sl_sat_add(at, GW_FLEET_GRACE_NS);
}

static sl_mono_ns own_free_at(const struct gw_fleet *f, const struct gw_fleet_slice *s)
{
    sl_mono_ns at = f->now;
    const struct gw_fleet_lease *lease;
    DL_FOREACH (s->leases, lease) {
        sl_mono_ns ends_at = lease_ends_at(lease, at);
        at = ends_at > at ? ends_at : at;
    }
    return at;
}

sl_mono_ns gw_fleet_free_at(const struct gw_fleet *f, const struct gw_fleet_slice *slice)
{
    const struct gw_fleet_node *node = slice->node;
    sl_mono_ns at = f->now;
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++) {
        const struct gw_fleet_slice *s = &node->slices[i];
        sl_mono_ns own = (s->parts & slice->parts) != 0 ? own_free_at(f, s) : at;
        at = own > at ? own : at;
    }
    return at;
}

/* The earlier one, when several are kept of a node. */
static void reserve(struct gw_fleet *f, struct gw_fleet_slice *wide)
{
    struct gw_fleet_node *node = wide->node;
    uint64_t kept = gw_fleet_kept_parts(f, node);
    sl_mono_ns at = gw_fleet_free_at(f, wide);
    node->kept_until = kept == 0 || at < node->kept_until ? at : node->kept_until;
    node->kept_parts = wide->parts | kept;
    node->kept_in_round = f->kept_in_round = f->round;
}

bool gw_fleet_has_kept(const struct gw_fleet *f)
{
    return f->kept_in_round == f->round;
}

static bool may_backfill(const struct gw_fleet *f, const struct gw_fleet_node *node,
                         const struct gw_group *group, int64_t declared_us)
{
    sl_mono_ns ends_at = sl_sat_add(f->now, sl_sat_mul(declared_us, SL_NS_PER_US));
    return gw_fleet_kept_parts(f, node) != 0 && node->group == group &&
           node->full_in_round != f->round && gw_fleet_node_takes(node) &&
           sl_sat_add(ends_at, GW_FLEET_GRACE_NS) < node->kept_until;
}

/* A warm one when there is one. */
static void look_for_gap(const struct gw_fleet *f, struct gw_fleet_node *node,
                         const struct gw_fleet_model *m, const struct gw_size *size,
                         struct gw_fleet_slice **best)
{
    for (size_t i = 0; i < node->slice_count; i++) {
        struct gw_fleet_slice *s = &node->slices[i];
        bool is_kept = (s->parts & gw_fleet_kept_parts(f, node)) != 0;
        if (is_kept && !gw_fleet_slice_is_held(s) && gw_fleet_slice_serves(s, size) &&
            (*best == NULL || s->last_model == m))
            *best = s;
    }
}

struct gw_fleet_slice *gw_fleet_backfill(struct gw_fleet *f, const struct gw_fleet_model *m,
                                         const struct gw_size *size, const struct gw_group *group,
                                         int64_t declared_us)
{
    struct gw_fleet_slice *best = NULL;
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    if (may_backfill(f, offer->node, group, declared_us))
        look_for_gap(f, offer->node, m, size, &best);
    return best;
}

void gw_fleet_keep(struct gw_fleet *f, const struct gw_fleet_model *m, const struct gw_size *size)
{
    struct gw_fleet_slice *best = NULL;
    struct distance d;
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    if (gw_fleet_node_takes(offer->node))
        look_at(f, offer->node, size, &best, &d);
    if (best == NULL || d.busy_parts == 0) /* it can start there */
        return;
    reserve(f, best);
}
