/* test_gw_flow_methods.c - the methods beside ModelInfer. */
#include "flow_rig.h"

#include "infer_builder.h"
#include "sl_log.h"
#include "sl_test.h"

static struct sl_span only_piece(const struct fake_exchange *e)
{
    flow_assert_replied(e, SL_REASON_OK, NULL);
    assert_true(e->x.reply.piece_count <= 1);
    return e->x.reply.piece_count == 0 ? sl_span_of("", 0) : e->x.reply.pieces[0];
}

static void ready_and_live_are_answered(void **state SL_UNUSED)
{
    static const struct sl_span yes = {(const uint8_t *)"\x08\x01", 2};
    static const uint8_t named[] = {0x0a, 1, 'm'};
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    struct sl_span none = sl_span_of("", 0);
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_SERVER_LIVE, none)), yes));
    assert_int_equal(only_piece(flow_ask(&w, GW_METHOD_SERVER_READY, none)).len, 0);
    struct gw_fleet_node *n = fake_join(&w, "n1", 1, "m");
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_SERVER_READY, none)), yes));
    struct sl_span m = sl_span_of(named, sizeof named);
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_MODEL_READY, m)), yes));
    gw_flow_on_lost(w.flow, n, "test", w.now);
    assert_int_equal(only_piece(flow_ask(&w, GW_METHOD_MODEL_READY, m)).len, 0);
    flow_finish(&w);
}

static void metadata_is_what_the_node_announced(void **state SL_UNUSED)
{
    static const uint8_t named[] = {0x0a, 1, 'm'};
    struct fake_world w;
    flow_begin_with_node(&w);
    struct sl_span got =
        only_piece(flow_ask(&w, GW_METHOD_MODEL_METADATA, sl_span_of(named, sizeof named)));
    Inference__ModelMetadataResponse *m =
        inference__model_metadata_response__unpack(NULL, got.len, got.data);
    assert_non_null(m);
    assert_string_equal(m->name, "m");
    assert_string_equal(m->versions[0], "1");
    assert_string_equal(m->inputs[0]->name, "IN");
    assert_string_equal(m->inputs[0]->datatype, "FP32");
    assert_int_equal(m->inputs[0]->shape[0], -1);
    assert_string_equal(m->outputs[0]->name, "OUT");
    inference__model_metadata_response__free_unpacked(m, NULL);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_SERVER_METADATA, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_GET_STATUS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_LIST_NODES, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_LIST_MODELS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_MODEL_STATISTICS, sl_span_of("", 0))).len > 0);
    assert_true(only_piece(flow_ask(&w, GW_METHOD_REPOSITORY_INDEX, sl_span_of("", 0))).len > 0);
    flow_finish(&w);
}

static void health_is_told_of_the_server_and_its_services(void **state SL_UNUSED)
{
    static const struct sl_span serving = {(const uint8_t *)"\x08\x01", 2};
    static const struct sl_span not_serving = {(const uint8_t *)"\x08\x02", 2};
    static const char inference[] = "\x0a\x1einference.GRPCInferenceService";
    struct sl_span service = sl_span_of(inference, sizeof inference - 1);
    struct sl_span all = sl_span_of("", 0);
    struct fake_world w;
    flow_begin(&w);
    flow_start(&w);
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_HEALTH_CHECK, all)), serving));
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_HEALTH_CHECK, service)), not_serving));
    fake_join(&w, "n1", 1, "m");
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_HEALTH_CHECK, service)), serving));
    flow_assert_replied(flow_ask(&w, GW_METHOD_HEALTH_CHECK, sl_span_of("\x0a\x01y", 3)),
                        SL_REASON_SERVICE_NOT_FOUND,
                        "there is no service 'y'; there are inference.GRPCInferenceService, "
                        "sluice.v1.Visitor and sluice.v1.Admin, and '' is the server");
    gw_flow_drain(w.flow);
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_HEALTH_CHECK, all)), not_serving));
    assert_true(sl_span_eq(only_piece(flow_ask(&w, GW_METHOD_HEALTH_CHECK, service)), not_serving));
    flow_finish(&w);
}

static void unknown_things_are_named(void **state SL_UNUSED)
{
    static const uint8_t other[] = {0x0a, 1, 'x'}, version[] = {0x0a, 1, 'm', 0x12, 1, '2'};
    static const uint8_t nul[] = {0x0a, 2, 'm', 0};
    struct fake_world w;
    flow_begin_with_node(&w);
    flow_assert_replied(flow_ask(&w, GW_METHOD_MODEL_READY, sl_span_of(other, sizeof other)),
                        SL_REASON_MODEL_NOT_FOUND, "no model is named 'x'");
    flow_assert_replied(flow_ask(&w, GW_METHOD_MODEL_METADATA, sl_span_of(version, sizeof version)),
                        SL_REASON_MODEL_NOT_FOUND, "no model is named 'm' with version '2'");
    flow_assert_replied(flow_ask(&w, GW_METHOD_MODEL_READY, sl_span_of(nul, sizeof nul)),
                        SL_REASON_BAD_INPUT, "the message of 4 bytes is not a valid request");
    struct fake_exchange *e = fake_exchange(&w, GW_METHOD_UNKNOWN);
    e->x.req.path = sl_span_str("/a.B/C");
    fake_event(&w, e, GW_EV_OPEN);
    flow_assert_replied(e, SL_REASON_UNIMPLEMENTED, "there is no method /a.B/C");
    fake_message(&w, e, flow_request());
    fake_event(&w, e, GW_EV_GONE);
    e = fake_exchange(&w, GW_METHOD_SERVER_LIVE);
    fake_event(&w, e, GW_EV_OPEN);
    fake_event(&w, e, GW_EV_GONE);
    flow_assert_replied(e, SL_REASON_CANCELLED, NULL);
    fake_message(&w, e, body_of(sl_span_of("", 0)));
    assert_int_equal(e->replies, 1);
    flow_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_and_live_are_answered),
        cmocka_unit_test(metadata_is_what_the_node_announced),
        cmocka_unit_test(health_is_told_of_the_server_and_its_services),
        cmocka_unit_test(unknown_things_are_named),
    };
    sl_log_set_level(SL_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
