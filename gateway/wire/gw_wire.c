#include "gw_wire.h"

#include <stdio.h>

#include "gw_pb.h"
#include "gw_wire_models.h"
#include "gw_wire_top.h"
#include "inference/inference.pb-c.h"
#include "sl_pack.h"
#include "sl_text.h"
#include "sluice/v1/admin.pb-c.h"

#define NOTHING sl_span_of(NULL, 0)

typedef Sluice__V1__ListNodesResponse__Node pb_node;

/* protobuf-c's structs hold char *, though packing only reads. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* Walked by hand: protobuf-c would cut a name at a NUL byte instead of refusing it. */
static bool decode_model(struct sl_span message, struct sl_span *out_name,
                         struct sl_span *out_version)
{
    struct gw_pb_reader r = gw_pb_reader_of(message);
    struct gw_pb_field field;
    *out_name = *out_version = sl_span_str("");
    while (gw_pb_next(&r, &field)) {
        struct sl_span *out = field.number == 1 ? out_name : field.number == 2 ? out_version : NULL;
        if (out == NULL)
            continue;
        if (field.type != GW_PB_BYTES || !sl_text_is_utf8(gw_pb_content(&r, &field)))
            return false;
        *out = gw_pb_content(&r, &field);
    }
    return !r.bad;
}

static struct sl_span server_live(struct sl_arena *arena)
{
    Inference__ServerLiveResponse m = INFERENCE__SERVER_LIVE_RESPONSE__INIT;
    m.live = true;
    return sl_pack(arena, &m.base);
}

static struct sl_span server_ready(struct sl_arena *arena, bool ready)
{
    Inference__ServerReadyResponse m = INFERENCE__SERVER_READY_RESPONSE__INIT;
    m.ready = ready;
    return sl_pack(arena, &m.base);
}

static struct sl_span model_ready(struct sl_arena *arena, bool ready)
{
    Inference__ModelReadyResponse m = INFERENCE__MODEL_READY_RESPONSE__INIT;
    m.ready = ready;
    return sl_pack(arena, &m.base);
}

static struct sl_span server_metadata(struct sl_arena *arena, const char *version)
{
    Inference__ServerMetadataResponse m = INFERENCE__SERVER_METADATA_RESPONSE__INIT;
    char *extensions[] = {text("parameters"), text("statistics"), text("model_repository_index")};
    m.name = text("sluice");
    m.version = text(version);
    m.extensions = extensions;
    m.n_extensions = SL_ARRAY_LEN(extensions);
    return sl_pack(arena, &m.base);
}

typedef Inference__ModelMetadataResponse__TensorMetadata tensor_metadata;

static tensor_metadata **tensors(struct sl_arena *arena, const struct gw_tensor_spec *specs,
                                 size_t count)
{
    tensor_metadata **list = sl_arena_zero(arena, count + 1, sizeof *list);
    tensor_metadata *items = sl_arena_zero(arena, count + 1, sizeof *items);
    if (list == NULL || items == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        inference__model_metadata_response__tensor_metadata__init(&items[i]);
        items[i].name = text(specs[i].name);
        items[i].datatype = text(sl_dtype_name(specs[i].dtype));
        items[i].n_shape = specs[i].rank;
        items[i].shape = (int64_t *)(uintptr_t)specs[i].dims;
        list[i] = &items[i];
    }
    return list;
}

static struct sl_span model_metadata(struct sl_arena *arena, const struct gw_model_spec *spec)
{
    Inference__ModelMetadataResponse m = INFERENCE__MODEL_METADATA_RESPONSE__INIT;
    char *version = text(spec->version);
    m.name = text(spec->name);
    m.n_versions = 1;
    m.versions = &version;
    m.platform = text(spec->engine);
    m.n_inputs = spec->input_count;
    m.inputs = tensors(arena, spec->inputs, spec->input_count);
    m.n_outputs = spec->output_count;
    m.outputs = tensors(arena, spec->outputs, spec->output_count);
    return m.inputs == NULL || m.outputs == NULL ? NOTHING : sl_pack(arena, &m.base);
}

/* ---- sluice.v1.Admin */

static bool fill_slices(struct sl_arena *arena, const struct gw_fleet_node *node, pb_node *out)
{
    Sluice__V1__Slice *items = sl_arena_zero(arena, node->slice_count, sizeof *items);
    out->slices = sl_arena_zero(arena, node->slice_count, sizeof(Sluice__V1__Slice *));
    if (items == NULL || out->slices == NULL)
        return false;
    for (size_t i = 0; i < node->slice_count; i++) {
        const struct gw_fleet_slice *s = &node->slices[i];
        sluice__v1__slice__init(&items[i]);
        items[i].id = s->id;
        items[i].device = s->device;
        items[i].kind = s->kind;
        items[i].memory_bytes = s->memory_bytes;
        items[i].share_thousandths = s->share_thousandths;
        items[i].busy = gw_fleet_slice_is_held(s);
        out->slices[out->n_slices++] = &items[i];
    }
    return true;
}

static char *problem_text(struct sl_arena *arena, const struct gw_fleet_offer *offer)
{
    size_t name = strlen(offer->name), problem = strlen(offer->problem);
    char *out = sl_arena_get(arena, name + 2 + problem + 1);
    if (out == NULL)
        return NULL;
    memcpy(out, offer->name, name);
    memcpy(out + name, ": ", 2);
    memcpy(out + name + 2, offer->problem, problem + 1);
    return out;
}

static bool fill_offers(struct sl_arena *arena, const struct gw_fleet_node *node, pb_node *out)
{
    out->models = sl_arena_zero(arena, node->offer_count + 1, sizeof(char *));
    out->problems = sl_arena_zero(arena, node->offer_count + 1, sizeof(char *));
    if (out->models == NULL || out->problems == NULL)
        return false;
    for (size_t i = 0; i < node->offer_count; i++) {
        const struct gw_fleet_offer *offer = &node->offers[i];
        if (offer->model != NULL) {
            out->models[out->n_models++] = offer->name;
            continue;
        }
        out->problems[out->n_problems] = problem_text(arena, offer);
        if (out->problems[out->n_problems] == NULL)
            return false;
        out->n_problems++;
    }
    return true;
}

static pb_node *node_item(struct sl_arena *arena, const struct gw_fleet_node *node, sl_mono_ns now)
{
    pb_node *n = sl_arena_get(arena, sizeof *n);
    if (n == NULL)
        return NULL;
    sluice__v1__list_nodes_response__node__init(n);
    n->name = node->name;
    n->version = node->version;
    n->connected = true;
    n->silent_for_ms = (now - node->heard_at) / SL_NS_PER_MS;
    n->connected_for_ms = (now - node->joined_at) / SL_NS_PER_MS;
    n->stopping = node->is_draining;
    n->calls = (uint32_t)gw_fleet_lease_count(node);
    return fill_slices(arena, node, n) && fill_offers(arena, node, n) ? n : NULL;
}

/* Connected (node), or drained (row), or both. */
static pb_node *known_node(struct sl_arena *arena, const char *name,
                           const struct gw_fleet_node *node, const struct gw_drain_row *row,
                           sl_mono_ns now)
{
    pb_node *n = node != NULL ? node_item(arena, node, now) : sl_arena_get(arena, sizeof *n);
    if (n == NULL)
        return NULL;
    if (node == NULL)
        sluice__v1__list_nodes_response__node__init(n);
    n->name = text(name);
    if (row != NULL) {
        n->drained = true;
        n->drained_by = text(row->by);
        n->drained_at_us = row->at;
    }
    return n;
}

static struct sl_span nodes(struct sl_arena *arena, struct gw_fleet *fleet,
                            const struct gw_drains *drains, sl_mono_ns now)
{
    Sluice__V1__ListNodesResponse m = SLUICE__V1__LIST_NODES_RESPONSE__INIT;
    size_t most = gw_fleet_totals(fleet).nodes + gw_drains_count(drains), cursor = 0;
    const struct gw_fleet_node *node;
    const struct gw_drain_row *row = NULL;
    m.nodes = sl_arena_zero(arena, most + 1, sizeof *m.nodes);
    if (m.nodes == NULL)
        return NOTHING;
    while ((node = gw_fleet_next_node(fleet, &cursor)) != NULL)
        m.nodes[m.n_nodes++] =
            known_node(arena, node->name, node, gw_drains_find(drains, node->name), now);
    while ((row = gw_drains_next(drains, row)) != NULL)
        if (gw_fleet_node_by_name(fleet, row->node) == NULL)
            m.nodes[m.n_nodes++] = known_node(arena, row->node, NULL, row, now);
    for (size_t i = 0; i < m.n_nodes; i++)
        if (m.nodes[i] == NULL)
            return NOTHING;
    return sl_pack(arena, &m.base);
}

static struct sl_span drained_node(struct sl_arena *arena, const struct gw_drained_facts *facts)
{
    Sluice__V1__DrainNodeResponse m = SLUICE__V1__DRAIN_NODE_RESPONSE__INIT;
    m.node = known_node(arena, facts->name, facts->node, facts->row, facts->now);
    m.called_back = facts->called_back;
    return m.node != NULL ? sl_pack(arena, &m.base) : NOTHING;
}

/* "INPUT0 FP32 [-1,4]" for each tensor. */
static char **tensor_texts(struct sl_arena *arena, const struct gw_tensor_spec *specs, size_t count)
{
    char **list = sl_arena_zero(arena, count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        char shape[SL_RANK_MAX * 21 + 3];
        sl_shape_format(specs[i].dims, specs[i].rank, shape, sizeof shape);
        size_t room = strlen(specs[i].name) + 16 + sizeof shape;
        list[i] = sl_arena_get(arena, room);
        if (list[i] == NULL)
            return NULL;
        snprintf(list[i], room, "%s %s %s", specs[i].name, sl_dtype_name(specs[i].dtype), shape);
    }
    return list;
}

static bool fill_model_nodes(struct sl_arena *arena, const struct gw_fleet_model *model,
                             Sluice__V1__ListModelsResponse__Model *out)
{
    out->nodes = sl_arena_zero(arena, model->node_count + 1, sizeof(char *));
    if (out->nodes == NULL)
        return false;
    const struct gw_fleet_offer *offer;
    for (offer = model->offers; offer != NULL; offer = offer->model_next)
        out->nodes[out->n_nodes++] = offer->node->name;
    return true;
}

/* As model.yaml has it. */
static char *duration_text(struct sl_arena *arena, const struct gw_model_spec *spec)
{
    char time[32];
    if (spec->duration[0] != '\0')
        return text(spec->duration);
    sl_text_format_duration(sl_sat_mul(spec->duration_us, SL_NS_PER_US), time);
    return sl_arena_str(arena, sl_span_str(time));
}

static Sluice__V1__ListModelsResponse__Model *model_item(struct sl_arena *arena,
                                                         const struct gw_fleet_model *model)
{
    const struct gw_model_spec *spec = &model->spec;
    Sluice__V1__ListModelsResponse__Model *m = sl_arena_get(arena, sizeof *m);
    if (m == NULL)
        return NULL;
    sluice__v1__list_models_response__model__init(m);
    m->name = text(spec->name);
    m->version = text(spec->version);
    m->engine = text(spec->engine);
    m->ready = gw_fleet_model_is_ready(model);
    m->duration = duration_text(arena, spec);
    m->duration_ms = spec->duration[0] == '\0' ? spec->duration_us / 1000 : 0;
    m->max_duration_ms = spec->max_duration_us / 1000;
    m->size = text(spec->size);
    m->n_inputs = spec->input_count;
    m->inputs = tensor_texts(arena, spec->inputs, spec->input_count);
    m->n_outputs = spec->output_count;
    m->outputs = tensor_texts(arena, spec->outputs, spec->output_count);
    m->calls = model->call_count;
    m->mean_exec_us = model->mean_exec_us;
    m->max_batch = spec->max_batch;
    m->runs = model->engine_runs;
    bool ok = m->duration != NULL && m->inputs != NULL && m->outputs != NULL &&
              fill_model_nodes(arena, model, m);
    return ok ? m : NULL;
}

static struct sl_span models(struct sl_arena *arena, struct gw_fleet *fleet)
{
    Sluice__V1__ListModelsResponse m = SLUICE__V1__LIST_MODELS_RESPONSE__INIT;
    m.models = sl_arena_zero(arena, gw_fleet_totals(fleet).models + 1, sizeof *m.models);
    size_t cursor = 0;
    struct gw_fleet_model *model;
    while (m.models != NULL && (model = gw_fleet_next_model(fleet, &cursor)) != NULL) {
        m.models[m.n_models] = model_item(arena, model);
        if (m.models[m.n_models++] == NULL)
            return NOTHING;
    }
    return m.models == NULL ? NOTHING : sl_pack(arena, &m.base);
}

const struct gw_wire_port gw_wire_port = {
    .decode_model = decode_model,
    .server_live = server_live,
    .server_ready = server_ready,
    .model_ready = model_ready,
    .server_metadata = server_metadata,
    .model_metadata = model_metadata,
    .statistics = gw_wire_statistics,
    .decode_index = gw_wire_decode_index,
    .repository_index = gw_wire_repository_index,
    .health = gw_wire_health,
    .status = gw_wire_status,
    .top = gw_wire_top,
    .nodes = nodes,
    .drained_node = drained_node,
    .models = models,
};
