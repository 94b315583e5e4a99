/* test_ex_link_wire.c - batches up read back by the generated code, batches down made by it, sizes and
 * failures at every edge. */
#include "ex_link_wire.h"
#include "fail_alloc.h"
#include "sl_pack.h"
#include "sl_rng.h"
#include "sl_test.h"
#include "sluice/node/v1/node.pb-c.h"

typedef Sluice__Node__V1__GatewayBatch pb_down;
typedef Sluice__Node__V1__NodeBatch pb_up;

static struct sl_arena arena;
static struct sl_buf buf;

static int setup(void **state)
{
    (void)state;
    sl_arena_init(&arena, &sl_alloc_malloc, 8 << 20);
    sl_buf_init(&buf, &sl_alloc_malloc, EX_LINK_MESSAGE_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sl_arena_finish(&arena);
    sl_buf_finish(&buf);
    return 0;
}

static pb_up *read_up(void)
{
    ProtobufCAllocator allocator = sl_pack_allocator(&arena);
    pb_up *b = sluice__node__v1__node_batch__unpack(&allocator, buf.len, buf.data);
    assert_non_null(b);
    return b;
}

/* ---- up */

static void test_a_batch_grows_piece_by_piece(void **state)
{
    static const int64_t dims[] = {-7, 2};
    const struct ex_output outputs[] = {
        {"A", SL_DTYPE_FP32, dims, 2, sl_span_of("12345678", 8), NULL},
        {"B", SL_DTYPE_BYTES, NULL, 0, sl_span_of("xyz", 3), NULL}};
    const struct ex_outcome ok = {.outputs = outputs,
                                  .output_count = 2,
                                  .started = true,
                                  .held_us = 99,
                                  .run_us = 300,
                                  .run_calls = 3,
                                  .run_place = 2};
    const struct ex_outcome failed = {.reason = SL_REASON_OUT_OF_MEMORY, .text = "too much"};
    const struct ex_link_payload none = {.bulk_bytes = 0}, bulk = {.bulk_bytes = 11};
    const struct ex_link_payload inside = {.inside = sl_span_of("12345678xyz", 11)};
    const struct ex_link_payload shared = {.shared = {3, UINT64_MAX, 64, 11}, .bulk_bytes = 11};
    (void)state;
    assert_ok(ex_link_put_session(&buf, UINT64_MAX));
    assert_ok(ex_link_put_draining(&buf));
    assert_ok(ex_link_put_started(&buf, 5));
    assert_ok(ex_link_put_result(&buf, 5, &ok, &inside));
    assert_ok(ex_link_put_returned(&buf, 6, SL_REASON_NO_CAPACITY, "no room"));
    assert_ok(ex_link_put_started(&buf, 7));
    assert_ok(ex_link_put_result(&buf, 7, &failed, &none));
    assert_ok(ex_link_put_result(&buf, 8, &ok, &bulk));
    assert_ok(ex_link_put_result(&buf, 9, &ok, &shared));
    assert_ok(ex_link_put_shared_done(&buf, &shared.shared));
    assert_ok(ex_link_put_heartbeat(&buf, 3));
    assert_ok(ex_link_put_bulk_taken(&buf, 1234));
    const pb_up *b = read_up();
    assert_true(b->session == UINT64_MAX && b->draining);
    assert_int_equal(b->n_started, 2);
    assert_int_equal(b->started[1]->lease, 7);
    assert_int_equal(b->n_results, 4);
    assert_int_equal(b->n_returned, 1);
    assert_string_equal(b->returned[0]->reason, "NO_CAPACITY");
    assert_int_equal(b->heartbeat->sequence, 3);
    assert_int_equal(b->bulk_taken_bytes, 1234);
    assert_true(b->results[0]->shared == NULL && b->results[2]->shared == NULL);
    const Sluice__Node__V1__Shared *place = b->results[3]->shared;
    assert_true(place->segment == 3 && place->generation == UINT64_MAX);
    assert_true(place->offset_bytes == 64 && place->length_bytes == 11);
    assert_int_equal(b->results[3]->payload_bytes, 0);
    assert_int_equal(b->n_shared_done, 1);
    assert_true(b->shared_done[0]->segment == 3 && b->shared_done[0]->generation == UINT64_MAX);
    const Sluice__Node__V1__Result *r = b->results[0];
    assert_int_equal(r->payload.len, 11);
    assert_int_equal(r->payload_bytes, 0);
    assert_true(r->started && r->held_us == 99 && r->reason[0] == '\0');
    assert_true(r->run_us == 300 && r->run_calls == 3 && r->run_place == 2);
    assert_int_equal(r->n_outputs, 2);
    assert_string_equal(r->outputs[1]->name, "B");
    assert_string_equal(r->outputs[1]->datatype, "BYTES");
    assert_int_equal(r->outputs[1]->offset_bytes, 8);
    assert_int_equal(r->outputs[1]->length_bytes, 3);
    assert_int_equal(r->outputs[0]->n_shape, 2);
    assert_true(r->outputs[0]->shape[0] == -7);
    assert_string_equal(b->results[1]->reason, "OUT_OF_MEMORY");
    assert_string_equal(b->results[1]->text, "too much");
    assert_int_equal(b->results[2]->payload_bytes, 11);
}

static void test_hello(void **state)
{
    static const struct ex_tensor_spec in[] = {
        {.name = "X", .dtype = SL_DTYPE_INT8, .dims = {-1, 4}, .rank = 2}};
    static const struct ex_model_spec spec = {.name = "m",
                                              .version = "2",
                                              .engine = "identity",
                                              .inputs = in,
                                              .input_count = 1,
                                              .outputs = in,
                                              .output_count = 1,
                                              .duration_us = 5,
                                              .duration = "2 + 3",
                                              .size = "xlarge",
                                              .max_batch = 8,
                                              .max_duration_us = 6};
    const struct ex_slice slices[] = {
        {.id = 0, .kind = EX_SLICE_CPU, .device = "cpu0", .share_thousandths = 500},
        {.id = 1, .kind = EX_SLICE_MIG, .device = "MIG-x", .memory_bytes = 7},
        {.id = 2, .device = "cpu0", .share_thousandths = 1000, .parts = 5}};
    struct ex_hello h = {.node = "n",
                         .host = "h",
                         .slices = slices,
                         .slice_count = 3,
                         .bulk_window_bytes = 64,
                         .inline_max_bytes = 32,
                         .slice_backlog_max = 16};
    struct ex_catalog *catalog;
    (void)state;
    assert_ok(ex_catalog_create(&sl_alloc_malloc, &catalog));
    assert_ok(ex_catalog_add(catalog, "bad", NULL, "line 1: no"));
    assert_ok(ex_catalog_add(catalog, "m", &spec, ""));
    h.catalog = catalog;
    assert_ok(ex_link_put_hello(&buf, &h, &arena));
    const Sluice__Node__V1__Hello *read = read_up()->hello;
    assert_non_null(read);
    assert_int_equal(read->protocol_min, EX_LINK_PROTOCOL_MIN);
    assert_string_equal(read->node, "n");
    assert_int_equal(read->n_slices, 2);
    assert_string_equal(read->slices[1]->kind, "mig");
    assert_int_equal(read->slices[1]->memory_bytes, 7);
    assert_int_equal(read->slices[1]->n_parts, 0);
    assert_int_equal(read->n_wide_slices, 1);
    assert_int_equal(read->wide_slices[0]->id, 2);
    assert_int_equal(read->wide_slices[0]->n_parts, 2);
    assert_true(read->wide_slices[0]->parts[0] == 0 && read->wide_slices[0]->parts[1] == 2);
    assert_int_equal(read->n_models, 2);
    assert_string_equal(read->models[0]->problem, "line 1: no");
    assert_string_equal(read->models[1]->engine, "identity");
    assert_string_equal(read->models[1]->duration, "2 + 3");
    assert_string_equal(read->models[1]->size, "xlarge");
    assert_int_equal(read->models[1]->max_batch, 8);
    assert_string_equal(read->models[1]->inputs[0]->datatype, "INT8");
    assert_true(read->models[1]->inputs[0]->shape[0] == -1);
    assert_int_equal(read->slice_backlog_max, 16);
    ex_catalog_destroy(catalog);
}

static void test_a_lease_that_ended(void **state)
{
    struct ex_journal_entry e = {.record = 3 << 16,
                                 .gateway_run = 99,
                                 .lease = 12,
                                 .held_us = 1500,
                                 .started_at = 17,
                                 .ended_at = 1517,
                                 .slice = 2,
                                 .cause = "CANCELLED",
                                 .model = "m"};
    (void)state;
    assert_ok(ex_link_put_ended(&buf, &e));
    e.call_id[15] = 1;
    assert_ok(ex_link_put_ended(&buf, &e));
    const Sluice__Node__V1__NodeBatch *b = read_up();
    assert_int_equal(b->n_ended, 2);
    const Sluice__Node__V1__Ended *read = b->ended[1];
    assert_int_equal(b->ended[0]->call_id.len, 0);
    assert_int_equal(read->call_id.len, 16);
    assert_memory_equal(read->call_id.data, e.call_id, 16);
    assert_int_equal(read->record, 3 << 16);
    assert_int_equal(read->gateway_run, 99);
    assert_int_equal(read->lease, 12);
    assert_int_equal(read->held_us, 1500);
    assert_int_equal(read->slice, 2);
    assert_string_equal(read->reason, "CANCELLED");
    assert_string_equal(read->model, "m");
    assert_int_equal(read->started_at_us, 17);
    assert_int_equal(read->ended_at_us, 1517);
}

static void test_a_full_batch_stays_as_it_was(void **state)
{
    static uint8_t bytes[EX_LINK_MESSAGE_MAX];
    const struct ex_output output = {"A", SL_DTYPE_UINT8, NULL, 0, sl_span_of(bytes, sizeof(bytes)),
                                     NULL};
    const struct ex_outcome outcome = {.outputs = &output, .output_count = 1};
    (void)state;
    assert_ok(ex_link_put_session(&buf, 1));
    const size_t before = buf.len;
    const struct ex_link_payload inside = {.inside = output.bytes};
    assert_status(ex_link_put_result(&buf, 1, &outcome, &inside), SL_ETOOBIG);
    assert_int_equal(buf.len, before);
    while (ex_link_put_started(&buf, 1) == SL_OK)
        assert_true(buf.len <= EX_LINK_MESSAGE_MAX);
    assert_true(buf.len > EX_LINK_MESSAGE_MAX - 8);
}

static void test_bulk_headers_there_and_back(void **state)
{
    struct ex_bulk_header h, again;
    uint8_t bytes[EX_BULK_HEADER_MAX];
    struct sl_rng rng;
    (void)state;
    sl_rng_seed(&rng, 3);
    for (int i = 0; i < 1000; i++) {
        h = (struct ex_bulk_header){sl_rng_u64(&rng),
                                    sl_rng_u64(&rng) >> sl_rng_below(&rng, 64),
                                    sl_rng_u64(&rng) >> sl_rng_below(&rng, 64),
                                    UINT64_MAX,
                                    {0}};
        const size_t len = ex_link_write_bulk(&h, bytes);
        sl_arena_reset(&arena);
        assert_ok(ex_link_read_bulk(sl_span_of(bytes, len), &arena, &again));
        assert_memory_equal(&h, &again, sizeof(h));
    }
}

/* ---- down */

static struct sl_span pack(const pb_down *b)
{
    return sl_pack(&arena, &b->base);
}

static void test_an_empty_batch(void **state)
{
    struct ex_gateway_batch out;
    (void)state;
    assert_ok(ex_link_read_batch(sl_span_of("", 0), &arena, &out));
    assert_int_equal(out.session, 0);
    assert_int_equal(out.call_count + out.cancel_count, 0);
    assert_false(out.has_welcome);
    assert_null(out.refusal);
}

static void test_welcome_refuse_cancel(void **state)
{
    pb_down b = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Welcome w = SLUICE__NODE__V1__WELCOME__INIT;
    Sluice__Node__V1__Refuse r = SLUICE__NODE__V1__REFUSE__INIT;
    Sluice__Node__V1__Cancel c = SLUICE__NODE__V1__CANCEL__INIT, *cancels[] = {&c};
    uint64_t records[] = {5, UINT64_MAX};
    struct ex_gateway_batch out;
    (void)state;
    w.protocol = 1;
    w.inline_max_bytes = 2;
    w.bulk_window_bytes = 3;
    w.heartbeat_every_ms = 4;
    w.lost_after_ms = 5;
    w.run = 11;
    r.text = (char *)(uintptr_t) "no";
    r.greet_again = true;
    c.lease = 9;
    b.session = 77;
    b.welcome = &w;
    b.refuse = &r;
    b.cancels = cancels;
    b.n_cancels = 1;
    b.bulk_taken_bytes = 6;
    b.acknowledged = records;
    b.n_acknowledged = 2;
    b.called_back = records;
    b.n_called_back = 1;
    assert_ok(ex_link_read_batch(pack(&b), &arena, &out));
    assert_true(out.has_welcome);
    assert_int_equal(out.welcome.protocol, 1);
    assert_int_equal(out.welcome.inline_max_bytes, 2);
    assert_int_equal(out.welcome.bulk_window_bytes, 3);
    assert_int_equal(out.welcome.heartbeat_every_ms, 4);
    assert_int_equal(out.welcome.lost_after_ms, 5);
    assert_string_equal(out.refusal, "no");
    assert_true(out.greet_again);
    assert_int_equal(out.cancels[0], 9);
    assert_true(out.welcome.run == 11);
    assert_int_equal(out.acknowledged_count, 2);
    assert_true(out.acknowledged[0] == 5 && out.acknowledged[1] == UINT64_MAX);
    assert_true(out.called_back_count == 1 && out.called_back[0] == 5);
    assert_int_equal(out.bulk_taken_bytes, 6);
    assert_int_equal(out.session, 77);
}

static Sluice__Node__V1__Parameter param_of(const char *name, int kind)
{
    Sluice__Node__V1__Parameter p = SLUICE__NODE__V1__PARAMETER__INIT;
    p.name = (char *)(uintptr_t)name;
    p.value_case = (Sluice__Node__V1__Parameter__ValueCase)kind;
    return p;
}

static void test_a_dispatch_with_all_its_parts(void **state)
{
    pb_down b = SLUICE__NODE__V1__GATEWAY_BATCH__INIT;
    Sluice__Node__V1__Dispatch d = SLUICE__NODE__V1__DISPATCH__INIT, *dispatches[] = {&d};
    Sluice__Node__V1__Tensor t = SLUICE__NODE__V1__TENSOR__INIT, *inputs[] = {&t};
    Sluice__Node__V1__Parameter p[] = {
        param_of("b", SLUICE__NODE__V1__PARAMETER__VALUE_BOOL_VALUE),
        param_of("none", SLUICE__NODE__V1__PARAMETER__VALUE__NOT_SET),
        param_of("i", SLUICE__NODE__V1__PARAMETER__VALUE_INT64_VALUE),
        param_of("u", SLUICE__NODE__V1__PARAMETER__VALUE_UINT64_VALUE),
        param_of("d", SLUICE__NODE__V1__PARAMETER__VALUE_DOUBLE_VALUE),
        param_of("s", SLUICE__NODE__V1__PARAMETER__VALUE_STRING_VALUE)};
    Sluice__Node__V1__Parameter *params[] = {&p[0], &p[1], &p[2], &p[3], &p[4], &p[5]};
    char *outputs[] = {(char *)(uintptr_t) "O"};
    int64_t shape[] = {2, -3};
    struct ex_gateway_batch out;
    (void)state;
    p[0].bool_value = true;
    p[2].int64_value = -5;
    p[3].uint64_value = UINT64_MAX;
    p[4].double_value = 0.5;
    p[5].string_value = (char *)(uintptr_t) "text";
    t.name = (char *)(uintptr_t) "X";
    t.datatype = (char *)(uintptr_t) "nonsense";
    t.shape = shape;
    t.n_shape = 2;
    t.offset_bytes = 3;
    t.length_bytes = 4;
    d.lease = UINT64_MAX;
    d.slice = 1;
    d.model = (char *)(uintptr_t) "m";
    d.limit_us = 10;
    d.cpu_hint = 4;
    d.parameters = params;
    d.n_parameters = 6;
    d.inputs = inputs;
    d.n_inputs = 1;
    d.outputs = outputs;
    d.n_outputs = 1;
    d.payload = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a\0b"};
    d.payload_bytes = 8;
    b.dispatches = dispatches;
    b.n_dispatches = 1;
    assert_ok(ex_link_read_batch(pack(&b), &arena, &out));
    assert_int_equal(out.call_count, 1);
    const struct ex_call *c = out.calls;
    assert_true(c->lease == UINT64_MAX && c->slice == 1 && c->limit_us == 10);
    assert_int_equal(c->cpu_hint, 4);
    assert_string_equal(c->model, "m");
    assert_string_equal(c->version, "");
    assert_string_equal(c->call_id, "");
    assert_int_equal(c->param_count, 5); /* the one without a value says nothing */
    assert_true(c->params[0].kind == EX_PARAM_BOOL && c->params[0].value.b);
    assert_true(c->params[1].kind == EX_PARAM_INT && c->params[1].value.i == -5);
    assert_true(c->params[2].kind == EX_PARAM_UINT && c->params[2].value.u == UINT64_MAX);
    assert_true(c->params[3].kind == EX_PARAM_DOUBLE && c->params[3].value.d == 0.5);
    assert_string_equal(c->params[4].value.s, "text");
    assert_int_equal(c->inputs[0].dtype, SL_DTYPE_INVALID);
    assert_int_equal(c->inputs[0].rank, 2);
    assert_true(c->inputs[0].dims[1] == -3);
    assert_int_equal(c->inputs[0].offset_bytes, 3);
    assert_string_equal(c->outputs[0], "O");
    assert_memory_equal(c->payload.data, "a\0b", 3);
    assert_int_equal(c->payload_bytes, 8);
}

static void test_noise_and_bombs(void **state)
{
    struct ex_gateway_batch out;
    struct sl_rng rng;
    static uint8_t bytes[1 << 20];
    (void)state;
    sl_rng_seed(&rng, 11);
    for (int i = 0; i < 3000; i++) {
        const size_t len = sl_rng_below(&rng, 200);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t)sl_rng_u64(&rng);
        sl_arena_reset(&arena);
        (void)!ex_link_read_batch(sl_span_of(bytes, len), &arena, &out);
    }
    for (size_t k = 0; k < sizeof(bytes); k += 2) { /* half a million empty dispatches */
        bytes[k] = 4 << 3 | 2;
        bytes[k + 1] = 0;
    }
    sl_arena_reset(&arena);
    assert_status(ex_link_read_batch(sl_span_of(bytes, sizeof(bytes)), &arena, &out), SL_ENOMEM);
}

static void test_each_allocation_may_fail(void **state)
{
    static const uint8_t message[] = {8, 1,    0x22, 12,  8,    5, 0x1a, 1, 'm', 0x3a,
                                      5, 0x0a, 1,    'X', 0x1a, 0, 0x2a, 2, 8,   9};
    struct ex_gateway_batch out;
    struct fail_alloc f;
    (void)state;
    assert_ok(ex_link_read_batch(sl_span_of(message, sizeof(message)), &arena, &out));
    assert_int_equal(out.call_count, 1);
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct sl_arena small;
        sl_arena_init(&small, &f.alloc, 1 << 20);
        const sl_status st = ex_link_read_batch(sl_span_of(message, sizeof(message)), &small, &out);
        assert_status(st, f.failures > 0 ? SL_ENOMEM : SL_OK);
        sl_arena_finish(&small);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

#define wire_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        wire_test(test_a_batch_grows_piece_by_piece),
        wire_test(test_hello),
        wire_test(test_a_lease_that_ended),
        wire_test(test_a_full_batch_stays_as_it_was),
        wire_test(test_bulk_headers_there_and_back),
        wire_test(test_an_empty_batch),
        wire_test(test_welcome_refuse_cancel),
        wire_test(test_a_dispatch_with_all_its_parts),
        wire_test(test_noise_and_bombs),
        wire_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
