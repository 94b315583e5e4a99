/* test_ex_engine_onnx.c - engine onnx with the real runtime, on the networks of tests/data/onnx.
 * Skipped, with a word, where no ONNX Runtime is found (SLUICE_ONNXRUNTIME names one). */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine_rig.h"
#include "ex_onnx_check.h"
#include "ex_ort.h"
#include "sl_base.h"
#include "sl_test.h"

static bool is_available;

static int look_for_runtime(void **state SL_UNUSED)
{
    struct ex_ort ort;
    struct sl_error err;
    is_available = ex_ort_open(NULL, &ort, &err);
    if (is_available)
        printf("ONNX Runtime %s\n", ort.version);
    else
        printf("skipped: %s\n", err.text);
    if (is_available)
        ex_ort_close(&ort);
    return 0;
}

static const char *data(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", SLUICE_ONNX_DATA, name);
    return path;
}

static void open_network(struct engine_rig *r, const char *file, const char *tensors)
{
    char yaml[4096];
    const char *const files[] = {data(file), NULL};
    if (!is_available)
        skip();
    snprintf(yaml, sizeof(yaml), "engine: onnx\nonnx: {file: %s}\n%s", file, tensors);
    engine_rig_open(r, yaml, files);
}

static void load_network(struct engine_rig *r, const char *file, const char *tensors)
{
    open_network(r, file, tensors);
    if (!engine_rig_load(r))
        fail_msg("%s", r->err.text);
}

static const char rows_yaml[] = "inputs: [{name: x, datatype: FP32, shape: [-1, 4]}]\n"
                                "outputs: [{name: z, datatype: FP32, shape: [-1, 4]},"
                                " {name: y, datatype: FP32, shape: [-1, 4]}]\n";

/* ---- results */

static void free_shapes_are_computed(void **state SL_UNUSED)
{
    struct engine_rig r;
    load_network(&r, "rows.onnx", rows_yaml);
    for (int64_t rows = 0; rows < 5; rows++) {
        const int64_t dims[2] = {rows, 4};
        float x[16];
        for (int i = 0; i < 16; i++)
            x[i] = (float)i / 4;
        const struct ex_tensor in = rig_tensor(&r.spec->inputs[0], dims, x, (size_t)rows * 16);
        if (!engine_rig_run(&r, &in, 1, NULL, 0, NULL))
            fail_msg("%s", r.err.text);
        assert_int_equal(r.outputs[0].bytes, rows * 16);
        assert_int_equal(r.outputs[0].dims[0], rows);
        for (int64_t i = 0; i < rows * 4; i++) {
            assert_true(((float *)(void *)r.outputs[0].data)[i] == x[i] * 2);
            assert_true(((float *)(void *)r.outputs[1].data)[i] == x[i] + 1);
        }
    }
    engine_rig_close(&r);
}

/* What an executor does with calls that run together: their rows behind each other, cut again. */
static void rows_of_several_calls_are_computed_as_their_own(void **state SL_UNUSED)
{
    struct engine_rig r;
    float x[24], whole[24];
    const int64_t all[2] = {6, 4};
    load_network(&r, "rows.onnx", rows_yaml);
    for (int i = 0; i < 24; i++)
        x[i] = (float)i / 7;
    const struct ex_tensor joined = rig_tensor(&r.spec->inputs[0], all, x, sizeof(x));
    if (!engine_rig_run(&r, &joined, 1, NULL, 0, NULL))
        fail_msg("%s", r.err.text);
    memcpy(whole, r.outputs[0].data, sizeof(whole));
    for (int64_t rows = 1, at = 0; rows <= 3; at += rows++) {
        const int64_t dims[2] = {rows, 4};
        const struct ex_tensor in =
            rig_tensor(&r.spec->inputs[0], dims, x + 4 * at, (size_t)rows * 16);
        if (!engine_rig_run(&r, &in, 1, NULL, 0, NULL))
            fail_msg("%s", r.err.text);
        assert_memory_equal(r.outputs[0].data, whole + 4 * at, (size_t)rows * 16);
    }
    engine_rig_close(&r);
}

static void only_what_is_wanted_is_given(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[2] = {1, 4};
    const float x[4] = {1, 2, 3, 4};
    const bool second[EX_TENSORS_MAX] = {false, true};
    const bool none[EX_TENSORS_MAX] = {false};
    load_network(&r, "rows.onnx", rows_yaml);
    const struct ex_tensor in = rig_tensor(&r.spec->inputs[0], dims, x, sizeof(x));
    assert_true(engine_rig_run(&r, &in, 1, NULL, 0, second));
    assert_false(r.outputs[0].is_taken);
    assert_true(((float *)(void *)r.outputs[1].data)[3] == 5);
    assert_true(engine_rig_run(&r, &in, 1, NULL, 0, none));
    engine_rig_close(&r);
}

static void fixed_shapes_are_computed_in_place(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[2] = {2, 3};
    const int64_t a[6] = {1, 2, 3, 4, 5, 6};
    const int64_t b[6] = {10, 20, 30, 40, 50, INT64_MIN};
    load_network(&r, "fixed.onnx",
                 "inputs: [{name: b, datatype: INT64, shape: [2, 3]},"
                 " {name: a, datatype: INT64, shape: [2, 3]}]\n"
                 "outputs: [{name: sum, datatype: INT64, shape: [2, 3]}]\n");
    const struct ex_tensor in[2] = {rig_tensor(&r.spec->inputs[0], dims, b, sizeof(b)),
                                    rig_tensor(&r.spec->inputs[1], dims, a, sizeof(a))};
    for (int round = 0; round < 3; round++) {
        assert_true(engine_rig_run(&r, in, 2, NULL, 0, NULL));
        for (int i = 0; i < 6; i++)
            assert_true(((int64_t *)(void *)r.outputs[0].data)[i] == a[i] + b[i]);
    }
    engine_rig_close(&r);
}

static void every_datatype_goes_through(void **state SL_UNUSED)
{
    static const char *const types[][2] = {
        {"BOOL", "BOOL"},     {"UINT8", "UINT8"},  {"UINT16", "UINT16"}, {"UINT32", "UINT32"},
        {"UINT64", "UINT64"}, {"INT8", "INT8"},    {"INT16", "INT16"},   {"INT32", "INT32"},
        {"INT64", "INT64"},   {"FLOAT16", "FP16"}, {"FLOAT", "FP32"},    {"DOUBLE", "FP64"},
        {"BFLOAT16", "BF16"},
    };
    struct engine_rig r;
    char yaml[4096] = "inputs:\n";
    static const char bytes[16] = {1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0};
    const int64_t dims[1] = {2};
    struct ex_tensor in[SL_ARRAY_LEN(types)];
    const size_t count = SL_ARRAY_LEN(types);
    for (size_t i = 0; i < 2 * count; i++) {
        const size_t len = strlen(yaml);
        snprintf(yaml + len, sizeof(yaml) - len, "%s  - {name: %s_%s, datatype: %s, shape: [-1]}\n",
                 i == count ? "outputs:\n" : "", i < count ? "in" : "out", types[i % count][0],
                 types[i % count][1]);
    }
    load_network(&r, "types.onnx", yaml);
    for (size_t i = 0; i < count; i++)
        in[i] = rig_tensor(&r.spec->inputs[i], dims, bytes,
                           2 * sl_dtype_bytes(r.spec->inputs[i].dtype));
    if (!engine_rig_run(&r, in, count, NULL, 0, NULL))
        fail_msg("%s", r.err.text);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(r.outputs[i].bytes, in[i].raw.len);
        assert_memory_equal(r.outputs[i].data, bytes, in[i].raw.len);
    }
    engine_rig_close(&r);
}

static void datatypes_and_elements_are_one_to_one(void **state SL_UNUSED)
{
    assert_int_equal(ex_onnx_element(SL_DTYPE_BYTES), ORT_ELEMENT_UNDEFINED);
    assert_int_equal(ex_onnx_element(SL_DTYPE_INVALID), ORT_ELEMENT_UNDEFINED);
    assert_int_equal(ex_onnx_dtype(ORT_ELEMENT_UNDEFINED), SL_DTYPE_INVALID);
    assert_int_equal(ex_onnx_dtype(ORT_ELEMENT_STRING), SL_DTYPE_INVALID);
    for (int t = SL_DTYPE_INVALID + 1; t < SL_DTYPE_COUNT; t++) {
        if (t != SL_DTYPE_BYTES)
            assert_int_equal(ex_onnx_dtype(ex_onnx_element((enum sl_dtype)t)), t);
    }
}

/* ---- failures */

static void a_failed_run_says_why_and_the_next_one_works(void **state SL_UNUSED)
{
    struct engine_rig r;
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const int64_t five[1] = {5};
    const int64_t six[1] = {6};
    load_network(&r, "threes.onnx",
                 "inputs: [{name: x, datatype: FP32, shape: [-1]}]\n"
                 "outputs: [{name: y, datatype: FP32, shape: [3, -1]}]\n");
    struct ex_tensor in = rig_tensor(&r.spec->inputs[0], five, x, 20);
    assert_false(engine_rig_run(&r, &in, 1, NULL, 0, NULL));
    assert_int_equal(r.err.reason, SL_REASON_MODEL_ERROR);
    assert_non_null(strstr(r.err.text, "the network failed: "));
    in = rig_tensor(&r.spec->inputs[0], six, x, 24);
    assert_true(engine_rig_run(&r, &in, 1, NULL, 0, NULL));
    assert_int_equal(r.outputs[0].dims[1], 2);
    engine_rig_close(&r);
}

static void no_memory_for_an_output_is_said(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[2] = {1, 4};
    const float x[4] = {1, 2, 3, 4};
    load_network(&r, "rows.onnx", rows_yaml);
    r.max_bytes = 15;
    const struct ex_tensor in = rig_tensor(&r.spec->inputs[0], dims, x, sizeof(x));
    assert_false(engine_rig_run(&r, &in, 1, NULL, 0, NULL));
    assert_string_equal(r.err.text, "out of memory: output z needs 16 bytes");
    engine_rig_close(&r);
}

static void refuses(const char *file, const char *tensors, const char *text)
{
    struct engine_rig r;
    open_network(&r, file, tensors);
    if (engine_rig_load(&r))
        fail_msg("loaded, instead of: %s", text);
    assert_int_equal(r.err.reason, SL_REASON_MODEL_ERROR);
    assert_string_equal(r.err.text, text);
    engine_rig_close(&r);
}

static void disagreements_with_model_yaml_are_named(void **state SL_UNUSED)
{
    static const char out[] = "outputs: [{name: y, datatype: FP32, shape: [-1, 4]}]\n";
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "inputs: [{name: X, datatype: FP32, shape: [-1, 4]}]\n%s", out);
    refuses("rows.onnx", yaml, "input x of the network is missing in model.yaml");
    snprintf(yaml, sizeof(yaml),
             "inputs: [{name: x, datatype: FP32, shape: [-1, 4]},"
             " {name: w, datatype: FP32, shape: [1]}]\n%s",
             out);
    refuses("rows.onnx", yaml, "the network has no input w");
    snprintf(yaml, sizeof(yaml), "inputs: [{name: x, datatype: INT8, shape: [-1, 4]}]\n%s", out);
    refuses("rows.onnx", yaml, "input x is FP32 in the network, but INT8 in model.yaml");
    snprintf(yaml, sizeof(yaml), "inputs: [{name: x, datatype: FP32, shape: [-1]}]\n%s", out);
    refuses("rows.onnx", yaml, "input x has shape [-1,4] in the network, but [-1] in model.yaml");
    snprintf(yaml, sizeof(yaml), "inputs: [{name: x, datatype: FP32, shape: [-1, -1]}]\n%s", out);
    refuses("rows.onnx", yaml,
            "input x has shape [-1,4] in the network, but [-1,-1] in model.yaml");
    refuses("rows.onnx",
            "inputs: [{name: x, datatype: FP32, shape: [-1, 4]}]\n"
            "outputs: [{name: probs, datatype: FP32, shape: [-1, 4]}]\n",
            "the network has no output probs");
}

static void text_networks_are_refused(void **state SL_UNUSED)
{
    refuses("texts.onnx",
            "inputs: [{name: t, datatype: BYTES, shape: [-1]}]\n"
            "outputs: [{name: u, datatype: BYTES, shape: [-1]}]\n",
            "input t of the network is a tensor of texts, which engine onnx does not serve");
}

static void a_missing_network_is_named(void **state SL_UNUSED)
{
    struct engine_rig r;
    char yaml[1024];
    if (!is_available)
        skip();
    snprintf(yaml, sizeof(yaml), "engine: onnx\n%s", rows_yaml);
    engine_rig_open(&r, yaml, NULL);
    assert_false(engine_rig_load(&r));
    assert_non_null(strstr(r.err.text, "cannot load the network: "));
    assert_non_null(strstr(r.err.text, "/model.onnx"));
    engine_rig_close(&r);
}

static void a_wrong_library_is_named(void **state SL_UNUSED)
{
    struct engine_rig r;
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "engine: onnx\nonnx: {library: libnothing.so}\n%s", rows_yaml);
    engine_rig_open(&r, yaml, NULL);
    assert_false(engine_rig_load(&r));
    assert_non_null(strstr(r.err.text, "cannot open ONNX Runtime: libnothing.so"));
    engine_rig_close(&r);
    snprintf(yaml, sizeof(yaml), "engine: onnx\nonnx: {library: libc.so.6}\n%s", rows_yaml);
    engine_rig_open(&r, yaml, NULL);
    assert_false(engine_rig_load(&r));
    assert_non_null(strstr(r.err.text, "this is not ONNX Runtime: "));
    engine_rig_close(&r);
}

static void only_cpu_slices_are_served(void **state SL_UNUSED)
{
    const struct ex_slice slice = {.kind = EX_SLICE_MIG, .device = "MIG-1", .cpu_threads = 1};
    struct sl_error err;
    assert_false(ex_engine_onnx.attach(NULL, &slice, &err));
    assert_string_equal(err.text, "engine onnx computes on CPU slices; MIG-1 is none");
}

/* ---- cancelled */

static void *interrupt_soon(void *ctx)
{
    struct engine_rig *r = ctx;
    usleep(50000);
    r->is_cancelled = true;
    r->engine->interrupt(r->model);
    return NULL;
}

static const char long_yaml[] = "inputs: [{name: n, datatype: INT64, shape: []},"
                                " {name: x, datatype: FP32, shape: []}]\n"
                                "outputs: [{name: s, datatype: FP32, shape: []}]\n";

static bool run_long(struct engine_rig *r, int64_t n)
{
    static const float x = 7;
    const struct ex_tensor inputs[2] = {
        rig_tensor(&r->spec->inputs[0], NULL, &n, sizeof n),
        rig_tensor(&r->spec->inputs[1], NULL, &x, sizeof x),
    };
    return engine_rig_run(r, inputs, 2, NULL, 0, NULL);
}

static void a_run_that_is_cancelled_stops_in_the_middle(void **state SL_UNUSED)
{
    struct engine_rig r;
    pthread_t thread;
    load_network(&r, "long.onnx", long_yaml);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, &r), 0);
    assert_false(run_long(&r, INT64_MAX)); /* for ever */
    pthread_join(thread, NULL);
    assert_int_equal(r.err.reason, SL_REASON_CANCELLED);
    assert_false(run_long(&r, 1)); /* whoever was cancelled before he began does not begin */
    assert_int_equal(r.err.reason, SL_REASON_CANCELLED);
    r.is_cancelled = false;
    assert_true(run_long(&r, 1));
    assert_true(*(float *)(void *)r.outputs[0].data == 4.5f);
    engine_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_shapes_are_computed),
        cmocka_unit_test(rows_of_several_calls_are_computed_as_their_own),
        cmocka_unit_test(only_what_is_wanted_is_given),
        cmocka_unit_test(fixed_shapes_are_computed_in_place),
        cmocka_unit_test(every_datatype_goes_through),
        cmocka_unit_test(datatypes_and_elements_are_one_to_one),
        cmocka_unit_test(a_failed_run_says_why_and_the_next_one_works),
        cmocka_unit_test(no_memory_for_an_output_is_said),
        cmocka_unit_test(disagreements_with_model_yaml_are_named),
        cmocka_unit_test(text_networks_are_refused),
        cmocka_unit_test(a_missing_network_is_named),
        cmocka_unit_test(a_wrong_library_is_named),
        cmocka_unit_test(only_cpu_slices_are_served),
        cmocka_unit_test(a_run_that_is_cancelled_stops_in_the_middle),
    };
    return cmocka_run_group_tests(tests, look_for_runtime, NULL);
}
