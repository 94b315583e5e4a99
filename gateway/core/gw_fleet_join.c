/* gw_fleet_join.c - a node's announcement: checked, copied, and merged into the catalogue of models. */
#include <stdio.h>

#include "gw_fleet_int.h"
#include "sl_text.h"

enum { NAME_MAX_BYTES = 127, NODE_NAME_MAX_BYTES = 63 };

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

static bool copy_spec(struct gw_fleet *f, struct model_slot *m, const struct gw_model_spec *from)
{
    struct gw_model_spec *to = &m->model.spec;
    to->duration_us = from->duration_us;
    to->max_duration_us = from->max_duration_us;
    to->input_count = from->input_count;
    to->output_count = from->output_count;
    to->problem = "";
    to->name = copy_text(f, from->name);
    to->version = copy_text(f, from->version);
    to->engine = copy_text(f, from->engine);
    return to->name != NULL && to->version != NULL && to->engine != NULL &&
           copy_tensors(f, from->inputs, from->input_count, &to->inputs) &&
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
           a->duration_us == b->duration_us && a->max_duration_us == b->max_duration_us &&
           a->input_count == b->input_count && a->output_count == b->output_count &&
           same_tensors(a->inputs, b->inputs, a->input_count) &&
           same_tensors(a->outputs, b->outputs, a->output_count);
}

struct gw_fleet_model *gw_fleet_find(struct gw_fleet *f, struct sl_span name)
{
    size_t cursor = 0;
    struct gw_fleet_model *m;
    while ((m = gw_fleet_next_model(f, &cursor)) != NULL && !sl_span_eq_str(name, m->spec.name))
        ;
    return m;
}

void gw_fleet_hold(struct gw_fleet_model *m)
{
    m->holders++;
}

void gw_fleet_unhold(struct gw_fleet *f, struct gw_fleet_model *m)
{
    m->holders--;
    if (m->is_current || m->holders > 0)
        return;
    struct model_slot *slot = (struct model_slot *)m;
    gw_fleet_model_finish(f, slot);
    sl_status s = sl_slot_put(f->models, slot->id);
    (void)s;
}

static struct gw_fleet_model *new_model(struct gw_fleet *f, const struct gw_model_spec *spec)
{
    sl_slot_id id;
    void *object;
    if (sl_slot_take(f->models, &id, &object) != SL_OK)
        return NULL;
    struct model_slot *m = object;
    m->id = id;
    m->model.is_current = true;
    if (copy_spec(f, m, spec))
        return &m->model;
    gw_fleet_model_finish(f, m);
    sl_status s = sl_slot_put(f->models, id);
    (void)s;
    return NULL;
}

/* The spec changed while no node had it: the old one lives on for the calls that were checked by it. */
static void retire(struct gw_fleet *f, struct gw_fleet_model *m)
{
    gw_fleet_hold(m);
    m->is_current = false;
    gw_fleet_unhold(f, m);
}

static const char *spec_problem(const struct gw_model_spec *spec)
{
    if (!is_name(spec->name, NAME_MAX_BYTES) || !is_name(spec->version, NAME_MAX_BYTES))
        return "its name or version is not 1 to 127 of A-Z a-z 0-9 . _ -";
    if (spec->input_count > GW_TENSORS_MAX || spec->output_count > GW_TENSORS_MAX)
        return "it has more than 64 inputs or outputs";
    if (spec->duration_us <= 0 || spec->max_duration_us < spec->duration_us)
        return "its duration is not positive, or above its max_duration";
    return NULL;
}

/* The catalogue's entry for a ready model, made or found; NULL with the problem told. */
static struct gw_fleet_model *merge(struct gw_fleet *f, const struct gw_model_spec *spec,
                                    const char **problem)
{
    *problem = spec_problem(spec);
    if (*problem != NULL)
        return NULL;
    struct gw_fleet_model *known = gw_fleet_find(f, sl_span_str(spec->name));
    if (known != NULL && same_spec(&known->spec, spec))
        return known;
    if (known != NULL && known->node_count > 0) {
        *problem = "another node has a model of this name with another interface";
        return NULL;
    }
    if (known != NULL)
        retire(f, known);
    struct gw_fleet_model *m = new_model(f, spec);
    if (m == NULL)
        *problem = "the gateway's limit of models is reached";
    return m;
}

/* ---- nodes */

static bool already_offered(const struct gw_fleet_node *node, const struct gw_fleet_model *m)
{
    for (size_t i = 0; i < node->offer_count; i++)
        if (node->offers[i].model == m)
            return true;
    return false;
}

static bool add_offer(struct gw_fleet *f, struct gw_fleet_node *node,
                      const struct gw_model_spec *spec)
{
    const char *problem = spec->problem;
    struct gw_fleet_model *m = NULL;
    if (problem[0] == '\0') {
        m = merge(f, spec, &problem);
        if (m != NULL && already_offered(node, m)) {
            m = NULL;
            problem = "it is announced twice";
        }
    }
    struct gw_fleet_offer *offer = &node->offers[node->offer_count];
    offer->name = copy_text(f, spec->name);
    offer->problem = copy_text(f, m != NULL ? "" : problem);
    offer->model = m;
    node->offer_count++;
    if (m != NULL)
        m->node_count++;
    return offer->name != NULL && offer->problem != NULL;
}

static bool add_slices(struct gw_fleet *f, struct gw_fleet_node *node, const struct gw_hello *hello)
{
    node->slices = sl_alloc_zero(f->alloc, hello->slice_count, sizeof *node->slices);
    if (node->slices == NULL)
        return false;
    for (size_t i = 0; i < hello->slice_count; i++) {
        struct gw_fleet_slice *s = &node->slices[node->slice_count++];
        s->node = node;
        s->id = hello->slices[i].id;
        s->memory_bytes = hello->slices[i].memory_bytes;
        s->share_thousandths = hello->slices[i].share_thousandths;
        s->device = copy_text(f, hello->slices[i].device);
        s->kind = copy_text(f, hello->slices[i].kind);
        if (s->device == NULL || s->kind == NULL)
            return false;
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
    (void)f;
    for (size_t i = 0; i < node->offer_count; i++)
        if (node->offers[i].model != NULL) {
            node->offers[i].model->node_count--;
            node->offers[i].model = NULL;
        }
}

void gw_fleet_node_finish(struct gw_fleet *f, struct gw_fleet_node *node)
{
    for (size_t i = 0; i < node->slice_count; i++) {
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
    for (size_t i = 0; i < hello->slice_count; i++)
        for (size_t j = 0; j < i; j++)
            if (hello->slices[i].id == hello->slices[j].id)
                return true;
    return false;
}

static sl_status check_hello(struct gw_fleet *f, const struct gw_hello *hello, struct sl_error *err)
{
    if (!is_name(hello->name, NODE_NAME_MAX_BYTES)) {
        sl_error_set(err, SL_REASON_BAD_INPUT,
                     "the node's name is not 1 to %d of A-Z a-z 0-9 . _ -", NODE_NAME_MAX_BYTES);
        return SL_EINVAL;
    }
    if (hello->session == 0 || hello->slice_count == 0 ||
        hello->slice_count > GW_FLEET_SLICES_MAX || has_slice_twice(hello) ||
        hello->model_count > GW_FLEET_MODELS_OF_NODE_MAX) {
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
    return SL_OK;
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
    if (s != SL_OK) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no room for node '%s'; the limit is %zu nodes",
                     hello->name, f->conf.max_nodes);
        return s;
    }
    struct gw_fleet_node *node = object;
    *node = (struct gw_fleet_node){.id = id,
                                   .session = hello->session,
                                   .joined_at = now,
                                   .heard_at = now,
                                   .slice_backlog_max = hello->slice_backlog_max};
    if (!fill_node(f, node, hello)) {
        gw_fleet_node_withdraw(f, node);
        gw_fleet_node_finish(f, node);
        s = sl_slot_put(f->nodes, id);
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for node '%s'", hello->name);
        return SL_ENOMEM;
    }
    *out = node;
    return SL_OK;
}
