#include "gw_fleet.h"

#include <stdio.h>
#include <utlist.h>

#include "gw_fleet_int.h"
#include "gw_learn_work.h"
#include "sl_text.h"

sl_status gw_fleet_create(const struct sl_alloc *alloc, const struct gw_fleet_conf *conf,
                          struct gw_fleet **out)
{
    struct gw_fleet *f = sl_alloc_zero(alloc, 1, sizeof *f);
    if (f == NULL)
        return SL_ENOMEM;
    f->alloc = alloc;
    f->conf = *conf;
    f->round = 1;
    sl_status s = sl_slot_create(alloc, sizeof(struct gw_fleet_node), conf->max_nodes, &f->nodes);
    if (s == SL_OK)
        s = sl_slot_create(alloc, sizeof(struct model_slot), conf->max_models, &f->models);
    if (s == SL_OK)
        s = sl_slot_create(alloc, sizeof(struct gw_fleet_lease), conf->max_leases, &f->leases);
    if (s != SL_OK) {
        gw_fleet_destroy(f);
        return s;
    }
    *out = f;
    return SL_OK;
}

void gw_fleet_destroy(struct gw_fleet *f)
{
    if (f == NULL)
        return;
    size_t cursor = 0;
    struct gw_fleet_node *node;
    while (f->nodes != NULL && (node = sl_slot_next(f->nodes, &cursor, NULL)) != NULL)
        gw_fleet_node_finish(f, node);
    HASH_CLEAR(hh, f->by_name);
    cursor = 0;
    struct model_slot *m;
    while (f->models != NULL && (m = sl_slot_next(f->models, &cursor, NULL)) != NULL)
        gw_fleet_model_finish(f, m);
    sl_slot_destroy(f->leases);
    sl_slot_destroy(f->models);
    sl_slot_destroy(f->nodes);
    sl_alloc_free(f->alloc, f);
}

struct gw_fleet_node *gw_fleet_node(struct gw_fleet *f, sl_slot_id id)
{
    return sl_slot_get(f->nodes, id);
}

struct gw_fleet_node *gw_fleet_next_node(struct gw_fleet *f, size_t *cursor)
{
    return sl_slot_next(f->nodes, cursor, NULL);
}

struct gw_fleet_node *gw_fleet_node_by_session(struct gw_fleet *f, uint64_t session)
{
    size_t cursor = 0;
    struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(f, &cursor)) != NULL && node->session != session)
        ;
    return node;
}

struct gw_fleet_node *gw_fleet_node_by_name(struct gw_fleet *f, const char *name)
{
    size_t cursor = 0;
    struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(f, &cursor)) != NULL && strcmp(node->name, name) != 0)
        ;
    return node;
}

struct gw_fleet_model *gw_fleet_next_model(struct gw_fleet *f, size_t *cursor)
{
    struct model_slot *m;
    while ((m = sl_slot_next(f->models, cursor, NULL)) != NULL && !m->model.is_current)
        ;
    return m == NULL ? NULL : &m->model;
}

bool gw_fleet_model_is_ready(const struct gw_fleet_model *m)
{
    return m->node_count > 0;
}

bool gw_fleet_is_ready(struct gw_fleet *f)
{
    return f->totals.nodes > 0 && f->totals.models_ready == f->totals.models;
}

/* ---- leases */

/* Idle slices: warm ones first, then the one that has been idle longest. */
static bool is_better_idle(const struct gw_fleet_slice *a, const struct gw_fleet_slice *b,
                           const struct gw_fleet_model *m)
{
    if (b == NULL || (a->last_model == m) != (b->last_model == m))
        return b == NULL || a->last_model == m;
    return a->last_used_at < b->last_used_at;
}

/* Do calls wait there to run together, and is there room for one more? It adds little to their time. */
static bool has_open_batch(const struct gw_fleet_slice *s, const struct gw_fleet_model *m)
{
    const struct gw_fleet_lease *lease;
    uint32_t unstarted = 0;
    if (m->spec.max_batch < 2)
        return false;
    DL_FOREACH (s->leases, lease)
        unstarted += !lease->is_started;
    return unstarted > 0 && unstarted < m->spec.max_batch;
}

static bool may_feed(const struct gw_fleet *f, const struct gw_fleet_slice *s,
                     const struct gw_fleet_model *m)
{
    uint64_t most = (uint64_t)s->node->slice_backlog_max + 1;
    return s->leases->model == m && !s->leases->is_background &&
           s->lease_count < f->conf.feed_ahead_max && s->lease_count < most &&
           (s->expected_us <= f->conf.feed_ahead_us || has_open_batch(s, m));
}

static void consider(const struct gw_fleet *f, struct gw_fleet_slice *s,
                     const struct gw_fleet_model *m, struct gw_fleet_slice **idle,
                     struct gw_fleet_slice **fed)
{
    if (!gw_fleet_slice_is_held(s)) {
        if (is_better_idle(s, *idle, m))
            *idle = s;
    } else if (s->lease_count == 0) {
        return; /* for who has a part in common with it */
    } else if (may_feed(f, s, m) && (*fed == NULL || s->expected_us < (*fed)->expected_us)) {
        *fed = s;
    }
}

static bool runs_another(const struct gw_fleet_slice *s, const struct gw_fleet_model *m)
{
    return s->leases != NULL && s->leases->model != m;
}

static void pick(struct gw_fleet *f, const struct gw_fleet_model *m, const struct gw_size *size,
                 const struct gw_group *group, struct gw_fleet_slice **idle,
                 struct gw_fleet_slice **fed)
{
    *idle = *fed = NULL;
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    {
        struct gw_fleet_node *node = offer->node;
        if (!gw_fleet_node_takes(node) || node->full_in_round == f->round ||
            (group != NULL && node->group != group))
            continue;
        uint64_t kept = gw_fleet_kept_parts(f, node);
        for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
            if (!runs_another(&node->slices[i], m) && (node->slices[i].parts & kept) == 0 &&
                gw_fleet_slice_serves(&node->slices[i], size))
                consider(f, &node->slices[i], m, idle, fed);
    }
}

struct gw_fleet_slice *gw_fleet_pick(struct gw_fleet *f, const struct gw_fleet_model *m,
                                     const struct gw_size *size, const struct gw_group *group)
{
    struct gw_fleet_slice *idle, *fed;
    pick(f, m, size, group, &idle, &fed);
    return idle != NULL ? idle : fed;
}

struct gw_fleet_slice *gw_fleet_pick_idle(struct gw_fleet *f, const struct gw_fleet_model *m,
                                          const struct gw_size *size)
{
    struct gw_fleet_slice *idle, *fed;
    pick(f, m, size, NULL, &idle, &fed);
    return idle;
}

void gw_fleet_new_round(struct gw_fleet *f, sl_mono_ns now)
{
    f->now = now;
    f->round++;
}

void gw_fleet_set_full(struct gw_fleet *f, struct gw_fleet_node *node)
{
    node->full_in_round = f->round;
}

/* What was learned in an earlier life counts until this one knows more. */
static int64_t mean_us(const struct gw_fleet_model *m, int64_t unknown_us)
{
    return m->samples >= GW_FLEET_SAMPLES_MIN ? m->mean_exec_us
                                              : gw_learn_work(&m->learn, unknown_us);
}

static int64_t expected_us(const struct gw_fleet_model *m)
{
    return mean_us(m, m->spec.duration_us);
}

bool gw_fleet_knows_time(const struct gw_fleet_model *m)
{
    return m->samples >= GW_FLEET_SAMPLES_MIN || m->learn.count >= GW_LEARN_SAMPLES_MIN;
}

int64_t gw_fleet_expected_us(const struct gw_fleet_model *m, int64_t declared_us)
{
    int64_t us = mean_us(m, declared_us);
    return us < declared_us ? us : declared_us;
}

int64_t gw_fleet_backlog_us(const struct gw_fleet_model *m)
{
    const struct gw_fleet_offer *o;
    int64_t slices = 0;
    DL_FOREACH2(m->offers, o, model_next)
    slices += gw_fleet_node_takes(o->node) ? (int64_t)o->node->slice_count : 0;
    return slices == 0 ? -1 : sl_sat_mul(expected_us(m), (int64_t)m->waiting.count) / slices;
}

sl_status gw_fleet_lease(struct gw_fleet *f, struct gw_fleet_slice *slice, struct gw_fleet_model *m,
                         uint64_t call, sl_mono_ns now, struct gw_fleet_lease **out)
{
    if (slice->lease_count == 0 && gw_fleet_slice_is_held(slice))
        return SL_EAGAIN;
    sl_slot_id id;
    void *object;
    sl_status s = sl_slot_take(f->leases, &id, &object);
    if (s != SL_OK)
        return s;
    struct gw_fleet_lease *lease = object;
    *lease = (struct gw_fleet_lease){
        .id = id, .slice = slice, .model = m, .call = call, .expected_us = expected_us(m)};
    gw_fleet_hold(m);
    DL_APPEND(slice->leases, lease);
    f->totals.leases++;
    f->changes++;
    if (slice->lease_count++ == 0) {
        slice->node->held_parts |= slice->parts;
        f->totals.slices_busy += gw_fleet_part_count(slice);
    }
    slice->expected_us = sl_sat_add(slice->expected_us, lease->expected_us);
    slice->last_model = m;
    slice->last_used_at = now;
    *out = lease;
    return SL_OK;
}

void gw_fleet_set_background(struct gw_fleet *f, struct gw_fleet_lease *lease)
{
    f->totals.background += !lease->is_background;
    lease->is_background = true;
}

struct gw_fleet_lease *gw_fleet_find_lease(struct gw_fleet *f, sl_slot_id id)
{
    return sl_slot_get(f->leases, id);
}

/* A running mean of the first samples, then an exponential one that forgets within some 64
 * calls. */
static void learn(struct gw_fleet_model *m, int64_t used_us)
{
    m->samples++;
    int64_t weight = m->samples < 64 ? (int64_t)m->samples : 64;
    m->mean_exec_us += (used_us - m->mean_exec_us) / weight;
    if (m->mean_exec_us <= 0)
        m->mean_exec_us = 1;
}

void gw_fleet_end_lease(struct gw_fleet *f, struct gw_fleet_lease *lease, int64_t learned_us,
                        sl_mono_ns now)
{
    struct gw_fleet_slice *slice = lease->slice;
    struct gw_fleet_model *m = lease->model;
    DL_DELETE(slice->leases, lease);
    f->totals.leases--;
    f->changes++;
    f->totals.background -= lease->is_background;
    if (--slice->lease_count == 0) {
        slice->node->held_parts &= ~slice->parts;
        f->totals.slices_busy -= gw_fleet_part_count(slice);
    }
    slice->expected_us -= lease->expected_us;
    slice->last_used_at = now;
    if (learned_us >= 0)
        learn(m, learned_us);
    sl_status s = sl_slot_put(f->leases, lease->id);
    (void)s; /* a lease that is listed is in the table */
    gw_fleet_unhold(f, m);
}

/* Whose models they were that nobody has now; see gw_fleet_join. */
static void remember_last_node(struct gw_fleet_node *node)
{
    for (size_t i = 0; i < node->offer_count; i++) {
        struct gw_fleet_model *m = node->offers[i].model;
        if (m != NULL && m->node_count == 1)
            snprintf(m->last_node, sizeof m->last_node, "%s", node->name);
        if (m != NULL)
            gw_fleet_remember_extent(m, node);
    }
}

void gw_fleet_leave(struct gw_fleet *f, struct gw_fleet_node *node,
                    void (*on_lost)(void *ctx, struct gw_fleet_lease *lease), void *ctx)
{
    node->is_draining = true; /* whatever on_lost does, nothing is placed here any more */
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
        while (node->slices[i].leases != NULL) {
            struct gw_fleet_lease *lease = node->slices[i].leases;
            on_lost(ctx, lease);
            gw_fleet_end_lease(f, lease, -1, node->heard_at);
        }
    remember_last_node(node);
    gw_fleet_set_drained(f, node, false);
    f->totals.nodes--;
    f->changes++;
    f->totals.slices -= node->slice_count;
    gw_fleet_node_withdraw(f, node);
    gw_fleet_node_finish(f, node);
    sl_status s = sl_slot_put(f->nodes, node->id);
    (void)s;
}

size_t gw_fleet_lease_count(const struct gw_fleet_node *node)
{
    size_t count = 0;
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++)
        count += node->slices[i].lease_count;
    return count;
}

void gw_fleet_set_drained(struct gw_fleet *f, struct gw_fleet_node *node, bool is_drained)
{
    f->changes++;
    f->totals.drained += is_drained;
    f->totals.drained -= node->is_drained;
    node->is_drained = is_drained;
}

bool gw_fleet_node_takes(const struct gw_fleet_node *node)
{
    return !node->is_draining && !node->is_drained;
}

uint64_t gw_fleet_changes(const struct gw_fleet *f)
{
    return f->changes;
}

struct gw_fleet_totals gw_fleet_totals(const struct gw_fleet *f)
{
    return f->totals;
}

/* ---- invariants */

static bool slice_holds(const struct gw_fleet_slice *s, size_t *background)
{
    size_t count = 0;
    int64_t expected = 0;
    const struct gw_fleet_lease *lease;
    DL_FOREACH (s->leases, lease) {
        if (lease->slice != s || lease->model != s->leases->model)
            return false;
        count++;
        *background += lease->is_background;
        if (lease->is_background && s->lease_count > 1)
            return false;
        expected = sl_sat_add(expected, lease->expected_us);
    }
    return count == s->lease_count && expected == s->expected_us;
}

static bool model_holds(const struct gw_fleet_model *m)
{
    size_t count = 0;
    const struct gw_fleet_offer *offer;
    DL_FOREACH2(m->offers, offer, model_next)
    {
        if (offer->model != m)
            return false;
        count++;
    }
    return count == m->node_count;
}

/* The node's part of F1 to F3 and F5, added to what is counted for F4. */
static bool node_holds(const struct gw_fleet_node *node, struct gw_fleet_totals *counted,
                       size_t *offers)
{
    uint64_t held = 0;
    counted->nodes++;
    counted->drained += node->is_drained;
    counted->slices += node->slice_count;
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++) {
        const struct gw_fleet_slice *s = &node->slices[i];
        if (!slice_holds(s, &counted->background) || (s->lease_count > 0 && (held & s->parts) != 0))
            return false;
        counted->leases += s->lease_count;
        held |= s->lease_count > 0 ? s->parts : 0;
        counted->slices_busy += s->lease_count > 0 ? gw_fleet_part_count(s) : 0;
    }
    if (held != node->held_parts)
        return false;
    for (size_t i = 0; i < node->offer_count; i++)
        *offers += node->offers[i].model != NULL;
    return true;
}

sl_status gw_fleet_check(struct gw_fleet *f)
{
    struct gw_fleet_totals counted = {0};
    size_t cursor = 0, offers_of_nodes = 0, offers_of_models = 0;
    struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(f, &cursor)) != NULL)
        if (!node_holds(node, &counted, &offers_of_nodes))
            return SL_EBROKEN;
    cursor = 0;
    struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(f, &cursor)) != NULL) {
        if (!model_holds(m) || gw_fleet_find(f, sl_span_str(m->spec.name)) != m)
            return SL_EBROKEN;
        counted.models++;
        counted.models_ready += m->node_count > 0;
        offers_of_models += m->node_count;
    }
    bool holds = memcmp(&counted, &f->totals, sizeof counted) == 0 &&
                 HASH_COUNT(f->by_name) == counted.models && offers_of_nodes == offers_of_models;
    return holds ? SL_OK : SL_EBROKEN;
}
