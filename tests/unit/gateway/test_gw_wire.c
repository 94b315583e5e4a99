/* test_gw_wire.c - the small public messages, read back by protobuf-c; names that it would cut are
 * refused. */
#include "gw_top_facts.h"
#include "gw_wire.h"

#include "grpc/health/v1/health.pb-c.h"
#include "gw_pb.h"
#include "inference/inference.pb-c.h"
#include "sl_test.h"
#include "sluice/v1/admin.pb-c.h"

static const struct gw_size large = {"large", 500, 1, 1000};

static const struct gw_wire_port *const wire = &gw_wire_port;

/* Two nodes: n1 with m and a model that is broken, n2 with m; m has run twice. */
struct rig {
    struct sl_arena arena;
    struct gw_fleet *fleet;
    struct gw_drains *drains; /* n2, and one that is not connected */
};

static void join(struct rig *r, const char *name, const struct gw_model_spec *models, size_t count)
{
    struct gw_hello_slice slices[2] = {{1, "gpu0", "mig", 1 << 30, 500, 0},
                                       {2, "gpu0", "mig", 7, 250, 0}};
    struct gw_hello hello = {.session = 1,
                             .name = name,
                             .version = "0.1",
                             .slice_backlog_max = 4,
                             .slices = slices,
                             .slice_count = 2,
                             .models = (struct gw_model_spec *)(uintptr_t)models,
                             .model_count = count};
    struct gw_fleet_node *node;
    struct sl_error err;
    assert_ok(gw_fleet_join(r->fleet, &hello, SL_NS_PER_S, &node, &err));
}

static void begin(struct rig *r)
{
    static const struct gw_fleet_conf conf = {
        .max_nodes = 4, .max_models = 4, .max_leases = 4, .feed_ahead_us = 1, .feed_ahead_max = 1};
    static const struct gw_tensor_spec in = {"IN", SL_DTYPE_BF16, {-1, 4}, 2};
    static const struct gw_tensor_spec out = {"OUT", SL_DTYPE_BYTES, {0}, 0};
    const struct gw_model_spec models[2] = {{.name = "m",
                                             .version = "3",
                                             .engine = "onnx",
                                             .inputs = &in,
                                             .input_count = 1,
                                             .outputs = &out,
                                             .output_count = 1,
                                             .duration_us = 5000,
                                             .duration = "auto",
                                             .max_duration_us = 7000,
                                             .problem = ""},
                                            {.name = "bad",
                                             .version = "1",
                                             .engine = "onnx",
                                             .duration_us = 1,
                                             .max_duration_us = 1,
                                             .problem = "model.yaml:2: no file"}};
    sl_arena_init(&r->arena, &sl_alloc_malloc, 1 << 20);
    assert_ok(gw_fleet_create(&sl_alloc_malloc, &conf, &r->fleet));
    join(r, "n1", models, 2);
    join(r, "n2", models, 1);
    struct gw_fleet_model *m = gw_fleet_find(r->fleet, sl_span_str("m"));
    struct gw_fleet_lease *lease;
    for (int64_t us = 100; us <= 300; us += 200) {
        assert_ok(
            gw_fleet_lease(r->fleet, gw_fleet_pick(r->fleet, m, &large, NULL), m, 1, 1, &lease));
        gw_fleet_end_lease(r->fleet, lease, us, 1);
    }
    assert_ok(gw_fleet_lease(r->fleet, gw_fleet_pick(r->fleet, m, &large, NULL), m, 1, 1, &lease));
    assert_ok(gw_drains_create(&sl_alloc_malloc, 2, &r->drains));
    assert_ok(gw_drains_add(r->drains, &(struct gw_drain_row){"n2", "user:admin", 5}));
    assert_ok(gw_drains_add(r->drains, &(struct gw_drain_row){"n3", "user:admin", 6}));
}

static void end(struct rig *r)
{
    gw_drains_destroy(r->drains);
    gw_fleet_destroy(r->fleet);
    sl_arena_finish(&r->arena);
}

static void nodes_are_listed_with_what_they_have(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    struct sl_span got = wire->nodes(&r.arena, r.fleet, r.drains, 4 * SL_NS_PER_S);
    Sluice__V1__ListNodesResponse *m =
        sluice__v1__list_nodes_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    assert_int_equal(m->n_nodes, 3);
    const Sluice__V1__ListNodesResponse__Node *n = m->nodes[0];
    assert_string_equal(n->name, "n1");
    assert_string_equal(n->version, "0.1");
    assert_true(n->connected && n->silent_for_ms == 3000 && n->connected_for_ms == 3000);
    assert_int_equal(n->n_slices, 2);
    assert_true(n->slices[0]->id == 1 && n->slices[0]->memory_bytes == 1 << 30);
    assert_true(n->slices[1]->share_thousandths == 250 && !n->slices[1]->busy);
    assert_string_equal(n->slices[0]->device, "gpu0");
    assert_string_equal(n->slices[0]->kind, "mig");
    size_t busy = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 2; k++)
            busy += m->nodes[i]->slices[k]->busy != 0;
    assert_int_equal(busy, 1);
    assert_int_equal(n->n_models, 1);
    assert_string_equal(n->models[0], "m");
    assert_int_equal(n->n_problems, 1);
    assert_string_equal(n->problems[0], "bad: model.yaml:2: no file");
    assert_true(n->calls == 1 && !n->stopping && !n->drained && n->drained_at_us == 0);
    assert_int_equal(m->nodes[1]->n_problems, 0);
    assert_true(m->nodes[1]->drained && m->nodes[1]->connected && m->nodes[1]->calls == 0);
    assert_string_equal(m->nodes[1]->drained_by, "user:admin");
    assert_int_equal(m->nodes[1]->drained_at_us, 5);
    assert_string_equal(m->nodes[2]->name, "n3");
    assert_true(m->nodes[2]->drained && !m->nodes[2]->connected);
    sluice__v1__list_nodes_response__free_unpacked(m, NULL);
    end(&r);
}

static void models_are_listed_with_their_nodes(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    struct sl_span got = wire->models(&r.arena, r.fleet);
    Sluice__V1__ListModelsResponse *list =
        sluice__v1__list_models_response__unpack(NULL, got.len, got.data);
    assert_non_null(list);
    assert_int_equal(list->n_models, 1);
    const Sluice__V1__ListModelsResponse__Model *m = list->models[0];
    assert_string_equal(m->name, "m");
    assert_string_equal(m->version, "3");
    assert_string_equal(m->engine, "onnx");
    assert_true(m->ready && m->duration_ms == 0 && m->max_duration_ms == 7);
    assert_string_equal(m->duration, "auto");
    assert_string_equal(m->inputs[0], "IN BF16 [-1,4]");
    assert_string_equal(m->outputs[0], "OUT BYTES []");
    assert_int_equal(m->n_nodes, 2);
    assert_string_equal(m->nodes[0], "n1");
    assert_string_equal(m->nodes[1], "n2");
    assert_int_equal(m->mean_exec_us, 200);
    sluice__v1__list_models_response__free_unpacked(list, NULL);
    end(&r);
}

static void the_index_has_what_could_not_be_loaded_too(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    for (int only_ready = 0; only_ready <= 1; only_ready++) {
        struct sl_span got = wire->repository_index(&r.arena, r.fleet, only_ready);
        Inference__RepositoryIndexResponse *m =
            inference__repository_index_response__unpack(NULL, got.len, got.data);
        assert_non_null(m);
        assert_int_equal(m->n_models, only_ready ? 1 : 2);
        assert_string_equal(m->models[0]->name, "m");
        assert_string_equal(m->models[0]->version, "3");
        assert_string_equal(m->models[0]->state, "READY");
        if (!only_ready) {
            assert_string_equal(m->models[1]->name, "bad");
            assert_string_equal(m->models[1]->state, "UNAVAILABLE");
            assert_string_equal(m->models[1]->reason, "n1: model.yaml:2: no file");
        }
        inference__repository_index_response__free_unpacked(m, NULL);
    }
    end(&r);
}

static void an_index_is_of_all_repositories(void **state SL_UNUSED)
{
    static const uint8_t ready[] = {0x10, 1}, named[] = {0x0a, 1, 'r'}, unnamed[] = {0x0a, 0};
    bool only_ready = true;
    assert_true(wire->decode_index(sl_span_of("", 0), &only_ready) && !only_ready);
    assert_true(wire->decode_index(sl_span_of(ready, sizeof ready), &only_ready) && only_ready);
    assert_true(wire->decode_index(sl_span_of(unnamed, sizeof unnamed), &only_ready));
    assert_false(wire->decode_index(sl_span_of(named, sizeof named), &only_ready));
    assert_false(wire->decode_index(sl_span_of(named, 2), &only_ready));
}

static void statistics_are_of_one_model_or_all(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    struct gw_fleet_model *model = gw_fleet_find(r.fleet, sl_span_str("m"));
    model->succeeded = (struct gw_fleet_runs){2, 30};
    model->failed = (struct gw_fleet_runs){1, 7};
    model->queued = (struct gw_fleet_runs){3, 5};
    model->executed = (struct gw_fleet_runs){3, 32};
    model->engine_runs = 1;
    for (int is_one = 0; is_one <= 1; is_one++) {
        struct sl_span got = wire->statistics(&r.arena, r.fleet, is_one ? model : NULL);
        Inference__ModelStatisticsResponse *m =
            inference__model_statistics_response__unpack(NULL, got.len, got.data);
        assert_non_null(m);
        assert_int_equal(m->n_model_stats, 1);
        const Inference__ModelStatistics *s = m->model_stats[0];
        assert_string_equal(s->name, "m");
        assert_true(s->inference_count == 2 && s->execution_count == 1);
        assert_true(s->inference_stats->success->count == 2 &&
                    s->inference_stats->success->ns == 30000);
        assert_true(s->inference_stats->fail->count == 1 && s->inference_stats->fail->ns == 7000);
        assert_true(s->inference_stats->queue->ns == 5000);
        assert_true(s->inference_stats->compute_infer->ns == 32000);
        inference__model_statistics_response__free_unpacked(m, NULL);
    }
    end(&r);
}

static void health_is_one_word(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    for (int serving = 0; serving <= 1; serving++) {
        struct sl_span got = wire->health(&r.arena, serving);
        Grpc__Health__V1__HealthCheckResponse *m =
            grpc__health__v1__health_check_response__unpack(NULL, got.len, got.data);
        assert_non_null(m);
        assert_int_equal(m->status, serving ? 1 : 2);
        grpc__health__v1__health_check_response__free_unpacked(m, NULL);
    }
    end(&r);
}

static void the_status_has_every_outcome_that_happened(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    uint64_t outcomes[SL_REASON_COUNT] = {0};
    outcomes[SL_REASON_OK] = 5;
    outcomes[SL_REASON_INTERNAL] = 2;
    const struct gw_status_facts facts = {
        .version = "9.9",
        .uptime_ms = 77,
        .is_draining = true,
        .fleet = gw_fleet_totals(r.fleet),
        .connections = 6,
        .calls_receiving = 1,
        .calls_queued = 2,
        .calls_dispatched = 3,
        .calls_running = 4,
        .outcomes = outcomes,
        .now = 80000,
        .lines = {{"pro", 16, 3, 2, 1000, {7, 9}}, {"", 0, 1, 0, 5, {-1, -1}}},
        .line_count = 2,
        .today = {7, 8, 9}};
    struct sl_span got = wire->status(&r.arena, &facts);
    Sluice__V1__GetStatusResponse *m =
        sluice__v1__get_status_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    assert_string_equal(m->version, "9.9");
    assert_true(m->uptime_ms == 77 && m->draining && !m->ready);
    assert_true(m->nodes == 2 && m->slices == 4 && m->slices_busy == 1 && m->models == 1);
    assert_true(m->connections == 6 && m->calls_receiving == 1 && m->calls_queued == 2 &&
                m->calls_dispatched == 3 && m->calls_running == 4);
    assert_int_equal(m->n_outcomes, 2);
    assert_string_equal(m->outcomes[0]->reason, "OK");
    assert_int_equal(m->outcomes[0]->calls, 5);
    assert_string_equal(m->outcomes[1]->reason, "INTERNAL");
    assert_int_equal(m->n_lines, 2);
    assert_string_equal(m->lines[0]->tier, "pro");
    assert_true(m->lines[0]->weight == 16 && m->lines[0]->waiting == 3 &&
                m->lines[0]->placed == 2 && m->lines[0]->longest_wait_us == 1000 &&
                m->lines[0]->newest_eta_p50_us == 7 && m->lines[1]->newest_eta_p90_us == -1);
    assert_true(m->lines[1]->background && !m->lines[0]->background);
    assert_true(m->started_at_us == 3000 && m->today_began_at_us == 7 && m->today_used_us == 8 &&
                m->today_charged_us == 9 && m->slices_background == 0 && m->nodes_drained == 0);
    sluice__v1__get_status_response__free_unpacked(m, NULL);
    end(&r);
}

static void a_models_name_and_version_are_found(void **state SL_UNUSED)
{
    uint8_t bytes[64], *p = bytes;
    struct sl_span name, version;
    assert_true(wire->decode_model(sl_span_of("", 0), &name, &version));
    assert_true(name.len == 0 && version.len == 0);
    p = gw_pb_put_bytes(p, 2, sl_span_str("1"));
    p = gw_pb_put_bytes(p, 9, sl_span_str("later"));
    p = gw_pb_put_bytes(p, 1, sl_span_str("m\xc3\xa9"));
    assert_true(wire->decode_model(sl_span_of(bytes, (size_t)(p - bytes)), &name, &version));
    assert_span_text(name, "m\xc3\xa9");
    assert_span_text(version, "1");
    assert_false(wire->decode_model(sl_span_of(bytes, (size_t)(p - bytes) - 1), &name, &version));
    assert_false(wire->decode_model(sl_span_of("\x0a\x03m\0x", 5), &name, &version));
    assert_false(wire->decode_model(sl_span_of("\x0a\x01\xff", 3), &name, &version));
    assert_false(wire->decode_model(sl_span_of("\x08\x01", 2), &name, &version));
}

/* The first node's slices: one runs, and a wide one of both is being cleared. */
static struct sl_span encode_top(struct rig *r)
{
    static const uint64_t outcomes[SL_REASON_COUNT] = {[SL_REASON_OK] = 1};
    struct gw_fleet_node node = *gw_fleet_node_by_name(r->fleet, "n1");
    struct gw_fleet_slice slices[3] = {node.slices[0], node.slices[1], node.slices[0]};
    slices[2].id = 9;
    slices[2].parts = 3;
    node.slices = slices;
    node.wide_count = 1;
    for (size_t i = 0; i < 3; i++)
        slices[i].node = &node;
    const struct gw_slice_facts uses[2] = {
        {&slices[1], GW_SLICE_RUNNING, true, "m", "id", "pro", "user:ana", "large", 5, 60, 1, 2},
        {&slices[2], GW_SLICE_CLEARING, false, "m", "", "", "", "", 0, 0, 0, 0}};
    const struct gw_account_view visitors[1] = {
        {.row = {.name = sl_span_str("user:ana"), .spent_us = 11}, .held_us = 12, .in_flight = 3}};
    const struct gw_fleet_node *nodes[1] = {&node};
    const struct gw_top_facts facts = {
        .status = {.version = "9.9", .outcomes = outcomes, .lines = {{"pro"}}, .line_count = 1},
        .slices = uses,
        .slice_count = 2,
        .visitors = visitors,
        .visitor_count = 1,
        .visitors_open = 77,
        .nodes = nodes,
        .node_count = 1,
        .mono_now = 3 * SL_NS_PER_S,
    };
    return wire->top(&r->arena, &facts);
}

static void the_top_has_its_lists(void **state SL_UNUSED)
{
    struct rig r;
    begin(&r);
    struct sl_span got = encode_top(&r);
    Sluice__V1__GetTopResponse *m = sluice__v1__get_top_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    assert_string_equal(m->status->lines[0]->tier, "pro");
    assert_int_equal(m->n_slices, 2);
    const Sluice__V1__GetTopResponse__SliceUse *s = m->slices[0];
    assert_true(s->slice == 2 && s->use == 2 && s->background && s->n_parts == 0);
    assert_true(s->run_us == 5 && s->limit_us == 60 && s->calls == 1 && s->behind == 2);
    assert_string_equal(s->node, "n1");
    assert_string_equal(s->device, "gpu0");
    assert_string_equal(s->visitor, "user:ana");
    assert_string_equal(s->size, "large");
    s = m->slices[1];
    assert_true(s->slice == 9 && s->use == 3 && s->n_parts == 2 && s->parts[0] == 1 &&
                s->parts[1] == 2);
    assert_string_equal(m->visitors[0]->account, "user:ana");
    assert_true(m->visitors[0]->spent_us == 11 && m->visitors[0]->held_us == 12 &&
                m->visitors[0]->calls == 3 && m->visitors_open == 77);
    assert_string_equal(m->nodes[0]->name, "n1");
    assert_true(m->nodes[0]->silent_for_ms == 2000 && m->nodes[0]->slices == 2);
    sluice__v1__get_top_response__free_unpacked(m, NULL);
    end(&r);
}

typedef struct sl_span (*encoder)(struct rig *r);

static struct sl_span encode_nodes(struct rig *r)
{
    return wire->nodes(&r->arena, r->fleet, r->drains, 1);
}

static struct sl_span encode_drained(struct rig *r)
{
    const struct gw_drained_facts facts = {.name = "n3", .row = gw_drains_find(r->drains, "n3")};
    return wire->drained_node(&r->arena, &facts);
}

static struct sl_span encode_models(struct rig *r)
{
    return wire->models(&r->arena, r->fleet);
}

static struct sl_span encode_metadata(struct rig *r)
{
    return wire->model_metadata(&r->arena, &gw_fleet_find(r->fleet, sl_span_str("m"))->spec);
}

static struct sl_span encode_live(struct rig *r)
{
    return wire->server_live(&r->arena);
}

/* Whatever the arena holds: the whole message, or nothing. */
static void without_memory_there_is_no_half_message(void **state SL_UNUSED)
{
    static const encoder encoders[] = {encode_nodes,  encode_drained,  encode_top,
                                       encode_models, encode_metadata, encode_live};
    for (size_t i = 0; i < SL_ARRAY_LEN(encoders); i++) {
        struct rig r;
        begin(&r);
        size_t whole = encoders[i](&r).len;
        assert_true(whole > 0);
        for (size_t max = 0;; max += 8) {
            sl_arena_finish(&r.arena);
            sl_arena_init(&r.arena, &sl_alloc_malloc, max);
            struct sl_span got = encoders[i](&r);
            if (got.data != NULL) {
                assert_int_equal(got.len, whole);
                break;
            }
        }
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_listed_with_what_they_have),
        cmocka_unit_test(models_are_listed_with_their_nodes),
        cmocka_unit_test(the_index_has_what_could_not_be_loaded_too),
        cmocka_unit_test(an_index_is_of_all_repositories),
        cmocka_unit_test(statistics_are_of_one_model_or_all),
        cmocka_unit_test(health_is_one_word),
        cmocka_unit_test(the_status_has_every_outcome_that_happened),
        cmocka_unit_test(the_top_has_its_lists),
        cmocka_unit_test(a_models_name_and_version_are_found),
        cmocka_unit_test(without_memory_there_is_no_half_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
