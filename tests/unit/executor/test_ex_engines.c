/* test_ex_engines.c - engines identity and fake, in this process. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine_rig.h"
#include "ex_fake_script.h"
#include "sl_base.h"
#include "sl_test.h"

static int64_t now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the table */

static void engines_are_found_by_name(void **state SL_UNUSED)
{
    const char *const *names = ex_engine_names();
    for (; *names != NULL; names++) {
        const struct ex_engine *e = ex_engine_find(*names);
        assert_non_null(e);
        assert_string_equal(e->name, *names);
    }
    assert_null(ex_engine_find("tensorflow"));
}

/* ---- identity */

static void identity_answers_what_it_is_given(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[2][2] = {{2, 3}, {0, 4}};
    const char bytes[24] = "123456789012345678901234";
    engine_rig_open(&r,
                    "engine: identity\n"
                    "inputs: [{name: a, datatype: FP32, shape: [-1, 3]},"
                    " {name: b, datatype: INT64, shape: [-1, 4]}]\n"
                    "outputs: [{name: x, datatype: FP32, shape: [-1, -1]},"
                    " {name: y, datatype: INT64, shape: [-1, 4]}]\n",
                    NULL);
    assert_true(engine_rig_load(&r));
    const struct ex_tensor inputs[2] = {rig_tensor(&r.spec->inputs[0], dims[0], bytes, 24),
                                        rig_tensor(&r.spec->inputs[1], dims[1], NULL, 0)};
    assert_true(engine_rig_run(&r, inputs, 2, NULL, 0, NULL));
    assert_int_equal(r.outputs[0].bytes, 24);
    assert_memory_equal(r.outputs[0].data, bytes, 24);
    assert_memory_equal(r.outputs[0].dims, dims[0], sizeof(dims[0]));
    assert_int_equal(r.outputs[0].dtype, SL_DTYPE_FP32);
    assert_true(r.outputs[1].is_taken);
    assert_int_equal(r.outputs[1].bytes, 0);
    const bool second[EX_TENSORS_MAX] = {false, true};
    assert_true(engine_rig_run(&r, inputs, 2, NULL, 0, second));
    assert_false(r.outputs[0].is_taken);
    assert_true(r.outputs[1].is_taken);
    engine_rig_close(&r);
}

static void identity_passes_texts(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[1] = {2};
    engine_rig_open(&r,
                    "engine: identity\n"
                    "inputs: [{name: a, datatype: BYTES, shape: [-1]}]\n"
                    "outputs: [{name: x, datatype: BYTES, shape: [-1]}]\n",
                    NULL);
    assert_true(engine_rig_load(&r));
    const struct ex_tensor in = rig_tensor(&r.spec->inputs[0], dims, "\3\0\0\0abc\0\0\0\0", 11);
    assert_true(engine_rig_run(&r, &in, 1, NULL, 0, NULL));
    assert_int_equal(r.outputs[0].bytes, 11);
    assert_memory_equal(r.outputs[0].data, "\3\0\0\0abc\0\0\0\0", 11);
    engine_rig_close(&r);
}

static void identity_says_when_there_is_no_memory(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t dims[1] = {100};
    static const char bytes[100];
    engine_rig_open(&r,
                    "engine: identity\n"
                    "inputs: [{name: a, datatype: INT8, shape: [-1]}]\n"
                    "outputs: [{name: x, datatype: INT8, shape: [-1]}]\n",
                    NULL);
    assert_true(engine_rig_load(&r));
    r.max_bytes = 99;
    const struct ex_tensor in = rig_tensor(&r.spec->inputs[0], dims, bytes, 100);
    assert_false(engine_rig_run(&r, &in, 1, NULL, 0, NULL));
    assert_int_equal(r.err.reason, SL_REASON_OUT_OF_MEMORY);
    assert_string_equal(r.err.text, "out of memory: output x needs 100 bytes");
    engine_rig_close(&r);
}

static void refuses_to_load(const char *yaml, const char *text)
{
    struct engine_rig r;
    engine_rig_open(&r, yaml, NULL);
    assert_false(engine_rig_load(&r));
    assert_int_equal(r.err.reason, SL_REASON_MODEL_ERROR);
    assert_string_equal(r.err.text, text);
    engine_rig_close(&r);
}

static void identity_needs_matching_pairs(void **state SL_UNUSED)
{
    refuses_to_load("engine: identity\n"
                    "inputs: [{name: a, datatype: FP32, shape: [-1]}]\n"
                    "outputs: [{name: x, datatype: FP32, shape: [-1]},"
                    " {name: y, datatype: FP32, shape: [-1]}]\n",
                    "engine identity needs as many outputs as inputs; the model has 1 inputs and "
                    "2 outputs");
    refuses_to_load("engine: identity\n"
                    "inputs: [{name: a, datatype: FP32, shape: [-1]}]\n"
                    "outputs: [{name: x, datatype: INT32, shape: [-1]}]\n",
                    "engine identity answers x with a, but one is INT32 [-1] and the other FP32 "
                    "[-1]");
    refuses_to_load("engine: identity\n"
                    "inputs: [{name: a, datatype: FP32, shape: [-1, 4]}]\n"
                    "outputs: [{name: x, datatype: FP32, shape: [2, 4]}]\n",
                    "engine identity answers x with a, but one is FP32 [2,4] and the other FP32 "
                    "[-1,4]");
}

/* ---- fake */

static const char fake_yaml[] = "engine: fake\n"
                                "inputs: [{name: a, datatype: UINT8, shape: [-1]}]\n"
                                "outputs: [{name: x, datatype: UINT8, shape: [-1]},"
                                " {name: y, datatype: FP32, shape: [2, -1, -1]},"
                                " {name: z, datatype: BYTES, shape: [-1]}]\n";

static void open_fake(struct engine_rig *r, const char *section)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "%s%s", fake_yaml, section);
    engine_rig_open(r, yaml, NULL);
    if (!engine_rig_load(r))
        fail_msg("%s", r->err.text);
}

static bool run_fake(struct engine_rig *r, const char *bytes, const struct ex_param *params,
                     size_t param_count)
{
    const int64_t dims[1] = {(int64_t)strlen(bytes)};
    const struct ex_tensor in = rig_tensor(&r->spec->inputs[0], dims, bytes, strlen(bytes));
    return engine_rig_run(r, &in, 1, params, param_count, NULL);
}

static void fake_answers_zeros_of_its_input_s_rows(void **state SL_UNUSED)
{
    static const char zeros[64];
    struct engine_rig r;
    open_fake(&r, "");
    assert_true(run_fake(&r, "abcd", NULL, 0));
    assert_int_equal(r.outputs[0].bytes, 4);
    assert_memory_equal(r.outputs[0].data, zeros, 4);
    assert_int_equal(r.outputs[1].dims[0], 2);
    assert_int_equal(r.outputs[1].dims[1], 4);
    assert_int_equal(r.outputs[1].dims[2], 1);
    assert_int_equal(r.outputs[1].bytes, 32);
    assert_int_equal(r.outputs[2].bytes, 16);
    assert_memory_equal(r.outputs[2].data, zeros, 16);
    engine_rig_close(&r);
}

static void fake_copies_and_sizes_its_results(void **state SL_UNUSED)
{
    struct engine_rig r;
    const struct ex_param rows = {.name = "fake_rows", .kind = EX_PARAM_UINT, .value.u = 10};
    open_fake(&r, "fake: {result: copy, rows: 3}\n");
    assert_true(run_fake(&r, "abcd", NULL, 0));
    assert_int_equal(r.outputs[0].bytes, 3);
    assert_memory_equal(r.outputs[0].data, "abc", 3);
    assert_true(run_fake(&r, "abcd", &rows, 1));
    assert_int_equal(r.outputs[0].bytes, 10);
    assert_memory_equal(r.outputs[0].data, "abcdabcdab", 10);
    assert_true(run_fake(&r, "", &rows, 1));
    assert_memory_equal(r.outputs[0].data, "\0\0\0\0\0\0\0\0\0\0", 10);
    engine_rig_close(&r);
}

static void fake_tells_the_parameters_it_was_given(void **state SL_UNUSED)
{
    static const char told[] = "\x0c\0\0\0a=int:-70000"
                               "\x0b\0\0\0b=bool:true"
                               "\x0c\0\0\0c=double:0.5"
                               "\x0b\0\0\0dd=string:x";
    const struct ex_param params[] = {
        {.name = "a", .kind = EX_PARAM_INT, .value.i = -70000},
        {.name = "b", .kind = EX_PARAM_BOOL, .value.b = true},
        {.name = "c", .kind = EX_PARAM_DOUBLE, .value.d = 0.5},
        {.name = "dd", .kind = EX_PARAM_STRING, .value.s = "x"},
    };
    struct engine_rig r;
    open_fake(&r, "fake: {result: params}\n");
    assert_true(run_fake(&r, "abcd", params, 4));
    assert_int_equal(r.outputs[2].dims[0], 4);
    assert_int_equal(r.outputs[2].bytes, sizeof told - 1);
    assert_memory_equal(r.outputs[2].data, told, sizeof told - 1);
    assert_true(run_fake(&r, "abcd", NULL, 0));
    assert_int_equal(r.outputs[2].bytes, 0);
    engine_rig_close(&r);
}

static void fake_hashes_depend_on_every_byte(void **state SL_UNUSED)
{
    struct engine_rig r;
    uint64_t word;
    open_fake(&r, "fake: {result: hash, rows: 8}\n");
    assert_true(run_fake(&r, "abcd", NULL, 0));
    const uint64_t seed = ex_fake_seed(EX_FAKE_SEED, sl_span_str("abcd"));
    memcpy(&word, r.outputs[0].data, sizeof(word));
    assert_true(word == ex_fake_hash(seed, 0, 0));
    memcpy(&word, r.outputs[1].data + 8, sizeof(word));
    assert_true(word == ex_fake_hash(seed, 1, 1));
    assert_true(seed != ex_fake_seed(EX_FAKE_SEED, sl_span_str("abce")));
    engine_rig_close(&r);
}

static void fake_takes_its_time(void **state SL_UNUSED)
{
    struct engine_rig r;
    const struct ex_param params[2] = {
        {.name = "fake_run", .kind = EX_PARAM_INT, .value.i = 60},
        {.name = "fake_how", .kind = EX_PARAM_STRING, .value.s = "busy"}};
    open_fake(&r, "fake: {run: 30ms}\n");
    int64_t wall = now_ms(CLOCK_MONOTONIC);
    int64_t cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    assert_true(run_fake(&r, "a", NULL, 0));
    assert_true(now_ms(CLOCK_MONOTONIC) - wall >= 29);
    assert_true(now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu < 20);
    wall = now_ms(CLOCK_MONOTONIC);
    assert_true(run_fake(&r, "a", params, 2));
    assert_true(now_ms(CLOCK_MONOTONIC) - wall >= 59);
    engine_rig_close(&r);
}

static void fake_fails_as_told(void **state SL_UNUSED)
{
    struct engine_rig r;
    open_fake(&r, "fake: {error: boom, reason: DEVICE_FAULT, every: 3}\n");
    assert_true(run_fake(&r, "a", NULL, 0));
    assert_true(run_fake(&r, "a", NULL, 0));
    assert_false(run_fake(&r, "a", NULL, 0));
    assert_int_equal(r.err.reason, SL_REASON_DEVICE_FAULT);
    assert_string_equal(r.err.text, "boom");
    assert_true(run_fake(&r, "a", NULL, 0));
    engine_rig_close(&r);
}

static void fake_fails_for_bad_items_alone(void **state SL_UNUSED)
{
    struct engine_rig r;
    open_fake(&r, "fake: {error: boom, bad: 98}\n"); /* 'b' */
    assert_true(run_fake(&r, "aca", NULL, 0));
    assert_true(run_fake(&r, "", NULL, 0));
    assert_false(run_fake(&r, "acb", NULL, 0));
    assert_string_equal(r.err.text, "boom");
    engine_rig_close(&r);
}

static void fake_tells_items_and_takes_time_for_each(void **state SL_UNUSED)
{
    struct engine_rig r;
    uint64_t word;
    open_fake(&r, "fake: {result: items, item: 10ms}\n");
    const int64_t before = now_ms(CLOCK_MONOTONIC);
    assert_true(run_fake(&r, "abcdefgh", NULL, 0));
    assert_true(now_ms(CLOCK_MONOTONIC) - before >= 79);
    memcpy(&word, r.outputs[0].data, sizeof(word));
    assert_int_equal(word, 8);
    engine_rig_close(&r);
}

static void fake_dies_as_told(void **state SL_UNUSED)
{
    static const struct {
        const char *how;
        int signal; /* 0: exits */
    } deaths[] = {{"segv", SIGSEGV}, {"abort", SIGABRT}, {"kill", SIGKILL}, {"exit", 0}};
    struct engine_rig r;
    open_fake(&r, "");
    for (size_t i = 0; i < SL_ARRAY_LEN(deaths); i++) {
        const struct ex_param crash = {
            .name = "fake_crash", .kind = EX_PARAM_STRING, .value.s = deaths[i].how};
        int status;
        const pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL); /* cmocka's, not the worker's */
            (void)run_fake(&r, "a", &crash, 1);
            _exit(99);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (deaths[i].signal != 0)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == deaths[i].signal);
        else
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
    engine_rig_close(&r);
}

static void assert_bad_param(const struct ex_param *p, const char *text)
{
    struct engine_rig r;
    open_fake(&r, "");
    assert_false(run_fake(&r, "a", p, 1));
    assert_int_equal(r.err.reason, SL_REASON_BAD_INPUT);
    assert_string_equal(r.err.text, text);
    engine_rig_close(&r);
}

static void fake_refuses_what_it_does_not_understand(void **state SL_UNUSED)
{
    assert_bad_param(
        &(struct ex_param){.name = "fake_run", .kind = EX_PARAM_STRING, .value.s = "soon"},
        "parameter fake_run is soon; it must be a duration such as 50ms");
    assert_bad_param(&(struct ex_param){.name = "fake_rows", .kind = EX_PARAM_INT, .value.i = 0},
                     "parameter fake_rows is 0; it must be a count, 1 or more");
    assert_bad_param(&(struct ex_param){.name = "fake_rows", .kind = EX_PARAM_INT, .value.i = -1},
                     "parameter fake_rows is of another kind; it must be a count, 1 or more");
    assert_bad_param(
        &(struct ex_param){.name = "fake_load_error", .kind = EX_PARAM_STRING, .value.s = "x"},
        "fake_load_error is not a parameter of engine fake");
    assert_bad_param(
        &(struct ex_param){.name = "fake_reason", .kind = EX_PARAM_STRING, .value.s = "TIRED"},
        "fake reason TIRED is not a reason's name");
    assert_bad_param(
        &(struct ex_param){.name = "fake_crash", .kind = EX_PARAM_STRING, .value.s = "loudly"},
        "parameter fake_crash is loudly; it must be one of its choices");
}

static void fake_ignores_other_parameters(void **state SL_UNUSED)
{
    struct engine_rig r;
    const struct ex_param p = {.name = "temperature", .kind = EX_PARAM_DOUBLE, .value.d = 0.7};
    open_fake(&r, "");
    assert_true(run_fake(&r, "a", &p, 1));
    engine_rig_close(&r);
}

static void fake_loads_as_told(void **state SL_UNUSED)
{
    struct engine_rig r;
    const int64_t start = now_ms(CLOCK_MONOTONIC);
    open_fake(&r, "fake: {load_delay: 50ms, load_memory: 1MiB}\n");
    assert_true(now_ms(CLOCK_MONOTONIC) - start >= 49);
    engine_rig_close(&r);
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "%sfake: {load_error: weights are torn}\n", fake_yaml);
    refuses_to_load(yaml, "weights are torn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_are_found_by_name),
        cmocka_unit_test(identity_answers_what_it_is_given),
        cmocka_unit_test(identity_passes_texts),
        cmocka_unit_test(identity_says_when_there_is_no_memory),
        cmocka_unit_test(identity_needs_matching_pairs),
        cmocka_unit_test(fake_answers_zeros_of_its_input_s_rows),
        cmocka_unit_test(fake_copies_and_sizes_its_results),
        cmocka_unit_test(fake_tells_the_parameters_it_was_given),
        cmocka_unit_test(fake_hashes_depend_on_every_byte),
        cmocka_unit_test(fake_takes_its_time),
        cmocka_unit_test(fake_fails_as_told),
        cmocka_unit_test(fake_fails_for_bad_items_alone),
        cmocka_unit_test(fake_tells_items_and_takes_time_for_each),
        cmocka_unit_test(fake_dies_as_told),
        cmocka_unit_test(fake_refuses_what_it_does_not_understand),
        cmocka_unit_test(fake_ignores_other_parameters),
        cmocka_unit_test(fake_loads_as_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
