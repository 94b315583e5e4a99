/* gw_fleet_join.c - a node's announcement: checked, copied, and merged into the catalogue of
 * models. */
#include <stdio.h>
#include <utlist.h>

#include "gw_fleet_int.h"
#include "gw_infer_peek.h"
#include "sl_text.h"

enum { NAME_MAX_BYTES = 127 };

static char *copy_text(struct gw_fleet *f, const char *text)
{
    return sl_alloc_copy(f->alloc, text, strlen(text));
}

static bool is_name(const char *text, size_t max)
{
    size_t len = strlen(text);
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return len >= 1 && len <= max && strspn(text, allowed) == len;
}

/* ---- models */

static void free_tensors(struct gw_fleet *f, const struct gw_tensor_spec *specs, size_t count)
{
    for (size_t i = 0; specs != NULL && i < count; i++)
        sl_alloc_free(f->alloc, (void *)(uintptr_t)specs[i].name);
    sl_alloc_free(f->alloc, (void *)(uintptr_t)specs);
}

void gw_fleet_model_finish(struct gw_fleet *f, struct model_slot *m)
{
    struct gw_model_spec *s = &m->model.spec;
    sl_alloc_free(f->alloc, (void *)(uintptr_t)s->name);
    sl_alloc_free(f->alloc, (void *)(uintptr_t)s->version);
    sl_alloc_free(f->alloc, (void *)(uintptr_t)s->engine);
    sl_alloc_free(f->alloc, (void *)(uintptr_t)s->duration);
    if (m->model.duration != NULL)
        f->conf.durations->destroy(m->model.duration);
    m->model.duration = NULL;
    sl_alloc_free(f->alloc, (void *)(uintptr_t)s->size);
    free_tensors(f, s->inputs, s->input_count);
    free_tensors(f, s->outputs, s->output_count);
    *s = (struct gw_model_spec){0};
}

static bool copy_tensors(struct gw_fleet *f, const struct gw_tensor_spec *from, size_t count,
                         const struct gw_tensor_spec **out)
{
    struct gw_tensor_spec *to = sl_alloc_zero(f->alloc, count > 0 ? count : 1, sizeof *to);
    *out = to;
    if (to == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        to[i].name = copy_text(f, from[i].name);
        if (to[i].name == NULL)
            return false;
    }
    return true;
}

static const char *duration_text(const struct gw_model_spec *spec)
{
    return spec->duration != NULL ? spec->duration : "";
}

static bool copy_spec(struct gw_fleet *f, struct model_slot *m, const struct gw_model_spec *from)
{
    struct gw_model_spec *to = &m->model.spec;
    to->duration_us = from->duration_us;
    to->max_duration_us = from->max_duration_us;
    to->max_batch = from->max_batch;
    to->input_count = from->input_count;
    to->output_count = from->output_count;
    to->problem = "";
    to->size = copy_text(f, from->size != NULL ? from->size : "");
    to->name = copy_text(f, from->name);
    to->version = copy_text(f, from->version);
    to->engine = copy_text(f, from->engine);
    to->duration = copy_text(f, duration_text(from));
    return to->name != NULL && to->version != NULL && to->engine != NULL && to->duration != NULL &&
           to->size != NULL && copy_tensors(f, from->inputs, from->input_count, &to->inputs) &&
           copy_tensors(f, from->outputs, from->output_count, &to->outputs);
}

static bool same_tensors(const struct gw_tensor_spec *a, const struct gw_tensor_spec *b,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(a[i].name, b[i].name) != 0 || a[i].dtype != b[i].dtype ||
            a[i].rank != b[i].rank ||
            memcmp(a[i].dims, b[i].dims, a[i].rank * sizeof a[i].dims[0]) != 0)
            return false;
    return true;
}

static bool same_spec(const struct gw_model_spec *a, const struct gw_model_spec *b)
{
    return strcmp(a->version, b->version) == 0 && strcmp(a->engine, b->engine) == 0 &&
           strcmp(a->size, b->size != NULL ? b->size : "") == 0 &&
           a->duration_us == b->duration_us && a->max_duration_us == b->max_duration_us &&
           a->max_batch == b->max_batch && strcmp(duration_text(a), duration_text(b)) == 0 &&
           a->input_count == b->input_count && a->output_count == b->output_count &&
           same_tensors(a->inputs, b->inputs, a->input_count) &&
           same_tensors(a->outputs, b->outputs, a->output_count);
}

struct gw_fleet_model *gw_fleet_find(struct gw_fleet *f, struct sl_span name)
{
    struct model_slot *m;
    HASH_FIND(hh, f->by_name, name.data, name.len, m);
    return m == NULL ? NULL : &m->model;
}

void gw_fleet_hold(struct gw_fleet_model *m)
{
    m->holders++;
}

static void put_model(struct gw_fleet *f, struct model_slot *m)
{
    gw_fleet_model_finish(f, m);
    sl_status s = sl_slot_put(f->models, m->model.id);
    (void)s; /* a model that we have is in the table */
}

void gw_fleet_unhold(struct gw_fleet *f, struct gw_fleet_model *m)
{
    m->holders--;
    if (!m->is_current && m->holders == 0)
        put_model(f, (struct model_slot *)m);
}

/* The catalogue forgets a model that no node has; it lives on for the calls that were checked by
 * its spec. */
static void retire(struct gw_fleet *f, struct gw_fleet_model *m)
{
    struct model_slot *slot = (struct model_slot *)m;
    HASH_DEL(f->by_name, slot);
    slot->is_hashed = false;
    f->totals.models--;
    m->is_current = false;
    if (m->holders == 0)
        put_model(f, slot);
}

/* The first model that nobody has or uses gives up its place. */
static bool make_room(struct gw_fleet *f)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(f, &cursor)) != NULL)
        if (m->node_count == 0 && m->holders == 0) {
            retire(f, m);
            return true;
        }
    return false;
}

static sl_status take_slot(struct gw_fleet *f, struct model_slot **out)
{
    sl_slot_id id;
    void *object;
    sl_status s = sl_slot_take(f->models, &id, &object);
    if (s == SL_EFULL && make_room(f))
        s = sl_slot_take(f->models, &id, &object);
    if (s != SL_OK)
        return s;
    *out = object;
    (*out)->model.id = (*out)->model.waiting.model = (*out)->model.background.model = id;
    return SL_OK;
}

static sl_status new_model(struct gw_fleet *f, const struct gw_model_spec *spec, sl_slot_id made_by,
                           struct gw_fleet_model **out)
{
    struct model_slot *m;
    sl_status s = take_slot(f, &m);
    if (s != SL_OK)
        return s;
    m->model.made_by = made_by;
    if (copy_spec(f, m, spec)) {
        m->is_hashed = true; /* until the table says no */
        HASH_ADD_KEYPTR(hh, f->by_name, m->model.spec.name, strlen(m->model.spec.name), m);
    }
    if (!m->is_hashed) {
        put_model(f, m);
        return SL_ENOMEM;
    }
    m->model.is_current = true;
    f->totals.models++;
    *out = &m->model;
    return SL_OK;
}

static bool are_usable(const struct gw_tensor_spec *specs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(specs[i].name);
        if (len == 0 || len > GW_PEEK_NAME_MAX || specs[i].dtype == SL_DTYPE_INVALID ||
            specs[i].rank > SL_RANK_MAX || gw_tensor_find(specs, i, sl_span_str(specs[i].name)) < i)
            return false;
        for (size_t k = 0; k < specs[i].rank; k++)
            if (specs[i].dims[k] < -1)
                return false;
    }
    return true;
}

static bool is_size(const struct gw_fleet *f, const char *name)
{
    return name == NULL || name[0] == '\0' || f->conf.tiers == NULL ||
           gw_tiers_find_size(f->conf.tiers, sl_span_str(name)) != NULL;
}

static const char *spec_problem(const struct gw_fleet *f, const struct gw_model_spec *spec)
{
    if (!is_name(spec->name, NAME_MAX_BYTES) || !is_name(spec->version, NAME_MAX_BYTES))
        return "its name or version is not 1 to 127 of A-Z a-z 0-9 . _ -";
    if (spec->input_count > GW_TENSORS_MAX || spec->output_count > GW_TENSORS_MAX)
        return "it has more than 64 inputs or outputs";
    if (!are_usable(spec->inputs, spec->input_count) ||
        !are_usable(spec->outputs, spec->output_count))
        return "a tensor's name is empty, over 255 bytes or there twice, its datatype is not "
               "known, or "
               "its shape has over 16 dimensions or one below -1";
    if (spec->duration_us <= 0 || spec->max_duration_us < spec->duration_us)
        return "its duration is not positive, or above its max_duration";
    if (!is_size(f, spec->size))
        return "its size is none of those that the gateway's configuration has";
    return NULL;
}

/* *out is NULL for a duration that is no expression; *problem is not when it cannot be compiled, and may lie in
 * err. Errors: SL_ENOMEM. */
static sl_status compile_duration(struct gw_fleet *f, const struct gw_model_spec *spec,
                                  struct gw_duration **out, const char **problem,
                                  struct sl_error *err)
{
    *out = NULL;
    *problem = NULL;
    if (!gw_model_has_expression(spec))
        return SL_OK;
    if (f->conf.durations == NULL) {
        *problem = "its duration is an expression, and this gateway takes none";
        return SL_OK;
    }
    if (f->conf.durations->compile(sl_span_str(spec->duration), f->alloc, out, err))
        return SL_OK;
    *problem = err->text;
    return err->reason == SL_REASON_NO_CAPACITY ? SL_ENOMEM : SL_OK;
}

/* A model that the catalogue does not have so, in place of one that no node has any more. */
static sl_status add_model(struct gw_fleet *f, const struct gw_model_spec *spec, sl_slot_id node,
                           struct gw_fleet_model *known, struct gw_fleet_model **out,
                           const char **problem, struct sl_error *err)
{
    struct gw_duration *duration;
    sl_status s = compile_duration(f, spec, &duration, problem, err);
    if (s != SL_OK || *problem != NULL)
        return s;
    if (known != NULL)
        retire(f, known);
    s = new_model(f, spec, node, out);
    if (s == SL_OK)
        (*out)->duration = duration;
    else if (duration != NULL)
        f->conf.durations->destroy(duration);
    if (s != SL_EFULL)
        return s;
    *problem = "the gateway's limit of models is reached";
    return SL_OK;
}

/* The catalogue's entry for a ready model, made or found. *out is NULL with the problem told (perhaps in
 * err) when the model is not usable. Errors: SL_ENOMEM. */
static sl_status merge(struct gw_fleet *f, const struct gw_model_spec *spec, sl_slot_id node,
                       struct gw_fleet_model **out, const char **problem, struct sl_error *err)
{
    *out = NULL;
    *problem = spec_problem(f, spec);
    if (*problem != NULL)
        return SL_OK;
    struct gw_fleet_model *known = gw_fleet_find(f, sl_span_str(spec->name));
    if (known != NULL && same_spec(&known->spec, spec)) {
        *out = known;
        return SL_OK;
    }
    if (known != NULL && known->node_count > 0) {
        *problem = "another node has a model of this name with another interface";
        return SL_OK;
    }
    return add_model(f, spec, node, known, out, problem, err);
}

/* ---- nodes */

static void link_offer(struct gw_fleet *f, struct gw_fleet_offer *offer, struct gw_fleet_model *m)
{
    offer->model = m;
    DL_APPEND2(m->offers, offer, model_prev, model_next);
    f->totals.models_ready += m->node_count++ == 0;
}

static void unlink_offer(struct gw_fleet *f, struct gw_fleet_offer *offer)
{
    struct gw_fleet_model *m = offer->model;
    DL_DELETE2(m->offers, offer, model_prev, model_next);
    offer->model = NULL;
    f->totals.models_ready -= --m->node_count == 0;
}

/* A node's offers are linked one after the other, so its own would be the last. */
static bool already_offered(const struct gw_fleet_node *node, const struct gw_fleet_model *m)
{
    return m->offers != NULL && m->offers->model_prev->node == node;
}

static bool add_offer(struct gw_fleet *f, struct gw_fleet_node *node,
                      const struct gw_model_spec *spec)
{
    const char *problem = spec->problem;
    struct sl_error err;
    struct gw_fleet_model *m = NULL;
    struct gw_fleet_offer *offer = &node->offers[node->offer_count++];
    offer->node = node;
    if (problem[0] == '\0' && merge(f, spec, node->id, &m, &problem, &err) != SL_OK)
        return false;
    if (m != NULL && already_offered(node, m)) {
        m = NULL;
        problem = "it is announced twice";
    }
    if (m != NULL)
        link_offer(f, offer, m);
    offer->name = copy_text(f, spec->name);
    offer->problem = copy_text(f, m != NULL ? "" : problem);
    return offer->name != NULL && offer->problem != NULL;
}

static bool add_slices(struct gw_fleet *f, struct gw_fleet_node *node, const struct gw_hello *hello)
{
    const size_t count = hello->slice_count + hello->wide_count;
    node->slices = sl_alloc_zero(f->alloc, count, sizeof *node->slices);
    if (node->slices == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct gw_fleet_slice *s = &node->slices[i];
        *(i < hello->slice_count ? &node->slice_count : &node->wide_count) += 1;
        s->node = node;
        s->id = hello->slices[i].id;
        s->memory_bytes = hello->slices[i].memory_bytes;
        s->share_thousandths = hello->slices[i].share_thousandths;
        s->device = copy_text(f, hello->slices[i].device);
        s->kind = copy_text(f, hello->slices[i].kind);
        if (s->device == NULL || s->kind == NULL)
            return false;
        gw_fleet_measure(s, hello->slices[i].parts);
    }
    return true;
}

static bool fill_node(struct gw_fleet *f, struct gw_fleet_node *node, const struct gw_hello *hello)
{
    node->name = copy_text(f, hello->name);
    node->version = copy_text(f, hello->version);
    node->offers = sl_alloc_zero(f->alloc, hello->model_count + 1, sizeof *node->offers);
    if (node->name == NULL || node->version == NULL || node->offers == NULL ||
        !add_slices(f, node, hello))
        return false;
    for (size_t i = 0; i < hello->model_count; i++)
        if (!add_offer(f, node, &hello->models[i]))
            return false;
    return true;
}

void gw_fleet_node_withdraw(struct gw_fleet *f, struct gw_fleet_node *node)
{
    for (size_t i = 0; i < node->offer_count; i++)
        if (node->offers[i].model != NULL)
            unlink_offer(f, &node->offers[i]);
}

/* Models that came with a join that failed. */
static void forget_made_by(struct gw_fleet *f, sl_slot_id node)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(f, &cursor)) != NULL)
        if (m->made_by == node)
            retire(f, m);
}

/* A node that comes back without a model that it alone had has it no more: nobody waits for
 * that. Nor for slices that it had. */
static void forget_left_by(struct gw_fleet *f, const char *node_name)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(f, &cursor)) != NULL)
        if (m->node_count == 0 && strcmp(m->last_node, node_name) == 0)
            retire(f, m);
        else if (strcmp(m->gone_node, node_name) == 0)
            m->gone_node[0] = '\0';
}

void gw_fleet_node_finish(struct gw_fleet *f, struct gw_fleet_node *node)
{
    for (size_t i = 0; i < gw_fleet_all_slices(node); i++) {
        sl_alloc_free(f->alloc, node->slices[i].device);
        sl_alloc_free(f->alloc, node->slices[i].kind);
    }
    for (size_t i = 0; i < node->offer_count; i++) {
        sl_alloc_free(f->alloc, node->offers[i].name);
        sl_alloc_free(f->alloc, node->offers[i].problem);
    }
    sl_alloc_free(f->alloc, node->slices);
    sl_alloc_free(f->alloc, node->offers);
    sl_alloc_free(f->alloc, node->name);
    sl_alloc_free(f->alloc, node->version);
}

static bool has_slice_twice(const struct gw_hello *hello)
{
    for (size_t i = 0; i < hello->slice_count + hello->wide_count; i++)
        for (size_t j = 0; j < i; j++)
            if (hello->slices[i].id == hello->slices[j].id)
                return true;
    return false;
}

/* Two or more slices of one device. */
static bool is_wide_sound(const struct gw_hello *hello, const struct gw_hello_slice *wide)
{
    size_t count = 0;
    for (size_t i = 0; i < hello->slice_count; i++) {
        if ((wide->parts >> i & 1) == 0)
            continue;
        count++;
        if (strcmp(hello->slices[i].device, wide->device) != 0)
            return false;
    }
    return count >= 2 && count == (size_t)__builtin_popcountll(wide->parts);
}

static sl_status check_wide(const struct gw_hello *hello, struct sl_error *err)
{
    const struct gw_hello_slice *wide = hello->slices + hello->slice_count;
    size_t i = 0;
    while (i < hello->wide_count && is_wide_sound(hello, &wide[i]))
        i++;
    if (i == hello->wide_count)
        return SL_OK;
    sl_error_set(
        err, SL_REASON_BAD_INPUT,
        "node '%s' announces a wide slice %u that is not made of two or more of its slices "
        "of one device",
        hello->name, wide[i].id);
    return SL_EINVAL;
}

static sl_status check_hello(struct gw_fleet *f, const struct gw_hello *hello, struct sl_error *err)
{
    if (!is_name(hello->name, GW_FLEET_NODE_NAME_MAX)) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "the node's name is not 1 to %d of A-Z a-z 0-9 . _ -", GW_FLEET_NODE_NAME_MAX);
        return SL_EINVAL;
    }
    if (hello->session == 0 || hello->slice_count == 0 ||
        hello->slice_count > GW_FLEET_SLICES_MAX || hello->wide_count > GW_FLEET_SLICES_MAX ||
        has_slice_twice(hello) || hello->model_count > GW_FLEET_MODELS_OF_NODE_MAX) {
        sl_error_set(
            err, SL_REASON_BAD_INPUT,
            "node '%s' announces %zu slices and %zu models; 1 to %d slices with different ids "
            "and up to %d models are possible",
            hello->name, hello->slice_count, hello->model_count, GW_FLEET_SLICES_MAX,
            GW_FLEET_MODELS_OF_NODE_MAX);
        return SL_EINVAL;
    }
    if (gw_fleet_node_by_name(f, hello->name) != NULL) {
        sl_error_set(err, SL_REASON_BAD_INPUT, "a node named '%s' is connected already",
                     hello->name);
        return SL_EEXIST;
    }
    return check_wide(hello, err);
}

sl_status gw_fleet_join(struct gw_fleet *f, const struct gw_hello *hello, sl_mono_ns now,
                        struct gw_fleet_node **out, struct sl_error *err)
{
    sl_status s = check_hello(f, hello, err);
    if (s != SL_OK)
        return s;
    sl_slot_id id;
    void *object;
    s = sl_slot_take(f->nodes, &id, &object);
    if (s == SL_EFULL)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no room for node '%s'; the limit is %zu nodes",
                     hello->name, f->conf.max_nodes);
    else if (s != SL_OK)
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for node '%s'", hello->name);
    if (s != SL_OK)
        return s;
    struct gw_fleet_node *node = object;
    *node = (struct gw_fleet_node){.id = id,
                                   .session = hello->session,
                                   .joined_at = now,
                                   .heard_at = now,
                                   .slice_backlog_max = hello->slice_backlog_max};
    if (!fill_node(f, node, hello)) {
        gw_fleet_node_withdraw(f, node);
        forget_made_by(f, id);
        gw_fleet_node_finish(f, node);
        (void)!sl_slot_put(f->nodes, id); /* it was taken above */
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for node '%s'", hello->name);
        return SL_ENOMEM;
    }
    f->totals.nodes++;
    f->changes++;
    f->totals.slices += node->slice_count;
    forget_left_by(f, node->name);
    *out = node;
    return SL_OK;
}
