#include "gw_wire_models.h"

#include <stdio.h>

#include "grpc/health/v1/health.pb-c.h"
#include "gw_pb.h"
#include "inference/inference.pb-c.h"
#include "sl_pack.h"
#include "sl_time.h"

#define NOTHING sl_span_of(NULL, 0)

typedef Inference__StatisticDuration duration;
typedef Inference__ModelStatistics statistics;
typedef Inference__RepositoryIndexResponse__ModelIndex entry;

/* protobuf-c's structs hold char *, though packing only reads. */
static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- ModelStatistics */

static duration *duration_of(struct sl_arena *arena, const struct gw_fleet_runs *runs)
{
    duration *d = sl_arena_get(arena, sizeof *d);
    if (d == NULL)
        return NULL;
    inference__statistic_duration__init(d);
    d->count = runs->count;
    d->ns = (uint64_t)sl_sat_mul(runs->total_us, SL_NS_PER_US);
    return d;
}

static Inference__InferStatistics *runs_of(struct sl_arena *arena, const struct gw_fleet_model *m)
{
    Inference__InferStatistics *s = sl_arena_get(arena, sizeof *s);
    if (s == NULL)
        return NULL;
    inference__infer_statistics__init(s);
    s->success = duration_of(arena, &m->succeeded);
    s->fail = duration_of(arena, &m->failed);
    s->queue = duration_of(arena, &m->queued);
    s->compute_infer = duration_of(arena, &m->executed);
    bool ok = s->success != NULL && s->fail != NULL && s->queue != NULL && s->compute_infer != NULL;
    return ok ? s : NULL;
}

static statistics *statistics_of(struct sl_arena *arena, const struct gw_fleet_model *m)
{
    statistics *s = sl_arena_get(arena, sizeof *s);
    if (s == NULL)
        return NULL;
    inference__model_statistics__init(s);
    s->name = text(m->spec.name);
    s->version = text(m->spec.version);
    s->inference_count = m->succeeded.count;
    s->execution_count = m->engine_runs;
    s->inference_stats = runs_of(arena, m);
    return s->inference_stats != NULL ? s : NULL;
}

struct sl_span gw_wire_statistics(struct sl_arena *arena, struct gw_fleet *fleet,
                                  const struct gw_fleet_model *one)
{
    Inference__ModelStatisticsResponse m = INFERENCE__MODEL_STATISTICS_RESPONSE__INIT;
    size_t cursor = 0, count = one != NULL ? 1 : gw_fleet_totals(fleet).models;
    m.model_stats = sl_arena_zero(arena, count + 1, sizeof *m.model_stats);
    while (m.model_stats != NULL && m.n_model_stats < count) {
        const struct gw_fleet_model *of = one != NULL ? one : gw_fleet_next_model(fleet, &cursor);
        if (of == NULL)
            break;
        m.model_stats[m.n_model_stats] = statistics_of(arena, of);
        if (m.model_stats[m.n_model_stats++] == NULL)
            return NOTHING;
    }
    return m.model_stats == NULL ? NOTHING : sl_pack(arena, &m.base);
}

/* ---- RepositoryIndex */

enum { INDEX_REPOSITORY = 1, INDEX_READY = 2 };

bool gw_wire_decode_index(struct sl_span message, bool *out_only_ready)
{
    struct gw_pb_reader r = gw_pb_reader_of(message);
    struct gw_pb_field field;
    *out_only_ready = false;
    while (gw_pb_next(&r, &field)) {
        if (field.number == INDEX_REPOSITORY && (field.type != GW_PB_BYTES || field.length > 0))
            return false;
        if (field.number == INDEX_READY && field.type != GW_PB_VARINT)
            return false;
        if (field.number == INDEX_READY)
            *out_only_ready = field.value != 0;
    }
    return !r.bad;
}

static entry *add_entry(struct sl_arena *arena, Inference__RepositoryIndexResponse *m)
{
    entry *e = sl_arena_get(arena, sizeof *e);
    if (e == NULL)
        return NULL;
    inference__repository_index_response__model_index__init(e);
    m->models[m->n_models++] = e;
    return e;
}

static bool add_model(struct sl_arena *arena, Inference__RepositoryIndexResponse *m,
                      const struct gw_fleet_model *model, bool only_ready)
{
    bool is_ready = gw_fleet_model_is_ready(model);
    if (only_ready && !is_ready)
        return true;
    entry *e = add_entry(arena, m);
    if (e == NULL)
        return false;
    e->name = text(model->spec.name);
    e->version = text(model->spec.version);
    e->state = text(is_ready ? "READY" : "UNAVAILABLE");
    e->reason = text(is_ready ? "" : "no connected executor has it");
    return true;
}

/* A model that its node could not load: the catalogue does not have it, or has it from others. */
static bool add_problem(struct sl_arena *arena, Inference__RepositoryIndexResponse *m,
                        const struct gw_fleet_offer *offer)
{
    char why[GW_FLEET_NODE_NAME_MAX + SL_ERROR_TEXT_MAX];
    entry *e = add_entry(arena, m);
    snprintf(why, sizeof why, "%s: %s", offer->node->name, offer->problem);
    if (e == NULL || (e->reason = sl_arena_str(arena, sl_span_str(why))) == NULL)
        return false;
    e->name = offer->name;
    e->state = text("UNAVAILABLE");
    return true;
}

static size_t count_offers(struct gw_fleet *fleet)
{
    size_t cursor = 0, count = 0;
    const struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(fleet, &cursor)) != NULL)
        count += node->offer_count;
    return count;
}

static bool add_problems(struct sl_arena *arena, Inference__RepositoryIndexResponse *m,
                         struct gw_fleet *fleet)
{
    size_t cursor = 0;
    const struct gw_fleet_node *node;
    while ((node = gw_fleet_next_node(fleet, &cursor)) != NULL)
        for (size_t i = 0; i < node->offer_count; i++)
            if (node->offers[i].model == NULL && !add_problem(arena, m, &node->offers[i]))
                return false;
    return true;
}

struct sl_span gw_wire_repository_index(struct sl_arena *arena, struct gw_fleet *fleet,
                                        bool only_ready)
{
    Inference__RepositoryIndexResponse m = INFERENCE__REPOSITORY_INDEX_RESPONSE__INIT;
    size_t cursor = 0, count = gw_fleet_totals(fleet).models + count_offers(fleet);
    m.models = sl_arena_zero(arena, count + 1, sizeof *m.models);
    if (m.models == NULL)
        return NOTHING;
    const struct gw_fleet_model *model;
    while ((model = gw_fleet_next_model(fleet, &cursor)) != NULL)
        if (!add_model(arena, &m, model, only_ready))
            return NOTHING;
    if (!only_ready && !add_problems(arena, &m, fleet))
        return NOTHING;
    return sl_pack(arena, &m.base);
}

/* ---- health */

struct sl_span gw_wire_health(struct sl_arena *arena, bool is_serving)
{
    Grpc__Health__V1__HealthCheckResponse m = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    m.status = is_serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                          : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    return sl_pack(arena, &m.base);
}
