/* test_ex_model_file.c - model.yaml into a spec, mistakes named with their lines; repositories. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ex_engine.h"
#include "ex_model_file.h"
#include "ex_model_repo.h"
#include "fail_alloc.h"
#include "remove_tree.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

static char root[64];

static int make_root(void **state SL_UNUSED)
{
    strcpy(root, "/tmp/sluice-models-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state SL_UNUSED)
{
    return remove_tree(root);
}

static const char *path_of(const char *relative)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", root, relative);
    return path;
}

static void make_dir(const char *relative)
{
    assert_int_equal(mkdir(path_of(relative), 0755), 0);
}

static void write_file(const char *relative, const char *text)
{
    FILE *f = fopen(path_of(relative), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void write_model(const char *name, const char *yaml)
{
    char file[256];
    make_dir(name);
    snprintf(file, sizeof(file), "%s/model.yaml", name);
    write_file(file, yaml);
}

#define TENSORS                                                                                    \
    "inputs: [{name: a, datatype: FP32, shape: [-1]}]\n"                                           \
    "outputs: [{name: x, datatype: FP32, shape: [-1]}]\n"

/* ---- good models */

static struct ex_model_file *load_good(const char *name)
{
    struct sl_buf errors;
    struct ex_model_file *file = NULL;
    sl_buf_init(&errors, &sl_alloc_malloc, 4096);
    if (ex_model_file_load(path_of(name), &errors, &file) != SL_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
    return file;
}

static void everything_is_read(void **state SL_UNUSED)
{
    write_model("full", "engine: onnx\n"
                        "duration: 1500ms\n"
                        "max_duration: 2m\n"
                        "size: xlarge\n"
                        "inputs:\n"
                        "  - {name: ids, datatype: INT64, shape: [-1, 32]}\n"
                        "  - {name: t, datatype: BYTES, shape: []}\n"
                        "outputs:\n"
                        "  - {name: logits, datatype: FP32, shape: [-1, 32, 1000]}\n"
                        "onnx: {file: net.onnx, optimization: basic}\n");
    struct ex_model_file *f = load_good("full/");
    const struct ex_model_spec *m = ex_model_file_spec(f);
    assert_string_equal(m->name, "full");
    assert_string_equal(m->version, "1");
    assert_string_equal(m->dir, m->version_dir);
    assert_string_equal(m->engine, "onnx");
    assert_int_equal(m->duration_us, 1500000);
    assert_int_equal(m->max_duration_us, 120000000);
    assert_string_equal(m->size, "xlarge");
    assert_int_equal(m->input_count, 2);
    assert_string_equal(m->inputs[0].name, "ids");
    assert_int_equal(m->inputs[0].dtype, SL_DTYPE_INT64);
    assert_int_equal(m->inputs[0].rank, 2);
    assert_int_equal(m->inputs[0].dims[0], -1);
    assert_int_equal(m->inputs[0].dims[1], 32);
    assert_int_equal(m->inputs[1].dtype, SL_DTYPE_BYTES);
    assert_int_equal(m->inputs[1].rank, 0);
    assert_int_equal(m->output_count, 1);
    assert_int_equal(m->outputs[0].dims[2], 1000);
    assert_int_equal(m->option_count, 2);
    assert_string_equal(ex_model_option(m, "file", "?"), "net.onnx");
    assert_string_equal(ex_model_option(m, "optimization", "?"), "basic");
    assert_string_equal(ex_model_option(m, "library", "?"), "?");
    assert_int_equal(ex_tensor_find(m->inputs, 2, sl_span_str("t")), 1);
    assert_int_equal(ex_tensor_find(m->inputs, 2, sl_span_str("T")), 2);
    ex_model_file_destroy(f);
}

/* Workers in other languages compute it too. */
static void the_fingerprint_stands(void **state SL_UNUSED)
{
    static const char text[] = "onnx 7\nin a FP32 [-1,4]\nin b BYTES []\nout c INT8 [2]\n";
    const struct ex_tensor_spec inputs[2] = {
        {.name = "a", .dtype = SL_DTYPE_FP32, .dims = {-1, 4}, .rank = 2},
        {.name = "b", .dtype = SL_DTYPE_BYTES}};
    const struct ex_tensor_spec output = {
        .name = "c", .dtype = SL_DTYPE_INT8, .dims = {2}, .rank = 1};
    const struct ex_model_spec spec = {.engine = "onnx",
                                       .version = "7",
                                       .inputs = inputs,
                                       .input_count = 2,
                                       .outputs = &output,
                                       .output_count = 1};
    uint64_t wanted = UINT64_C(0xcbf29ce484222325);
    for (const char *c = text; *c != '\0'; c++)
        wanted = (wanted ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    assert_true(ex_model_fingerprint(&spec) == wanted);
}

static void what_is_left_out_has_defaults(void **state SL_UNUSED)
{
    write_model("bare", "engine: identity\n" TENSORS);
    struct ex_model_file *f = load_good("bare");
    const struct ex_model_spec *m = ex_model_file_spec(f);
    assert_int_equal(m->duration_us, 60000000);
    assert_int_equal(m->max_duration_us, 300000000);
    assert_int_equal(m->max_batch, 1);
    assert_int_equal(m->batch_delay_us, 1000);
    assert_string_equal(m->size, "");
    assert_int_equal(m->option_count, 0);
    ex_model_file_destroy(f);
}

static void a_model_may_take_items_of_several_calls(void **state SL_UNUSED)
{
    write_model("batch", "engine: identity\n"
                         "max_batch: 8\n"
                         "batch_delay: 2500us\n"
                         "inputs:  [{name: a, datatype: FP32, shape: [-1, 4]}]\n"
                         "outputs: [{name: b, datatype: FP32, shape: [-1, 4]}]\n");
    struct ex_model_file *f = load_good("batch");
    assert_int_equal(ex_model_file_spec(f)->max_batch, 8);
    assert_int_equal(ex_model_file_spec(f)->batch_delay_us, 2500);
    ex_model_file_destroy(f);
}

static void a_duration_is_a_time_auto_or_an_expression(void **state SL_UNUSED)
{
    static const struct {
        const char *yaml, *duration;
        int64_t us;
    } cases[] = {
        {"duration: 500ms\n", "", 500000},
        {"duration: 5\n", "", 5000000},
        {"duration: 1.5\n", "", 1500000},
        {"duration: auto\n", "auto", 60000000},
        {"duration: auto\nmax_duration: 10s\n", "auto", 10000000},
        {"duration: 2 + inputs.a.bytes / 2^20\n", "2 + inputs.a.bytes / 2^20", 60000000},
        {"duration: 1e1\n", "1e1", 60000000},
        {"duration: |\n  1 +\n  2\n", "1 +\n2\n", 60000000},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        char text[512], name[32];
        snprintf(text, sizeof text, "engine: identity\n%s" TENSORS, cases[i].yaml);
        snprintf(name, sizeof name, "timed%zu", i);
        write_model(name, text);
        struct ex_model_file *f = load_good(name);
        assert_string_equal(ex_model_file_spec(f)->duration, cases[i].duration);
        assert_int_equal(ex_model_file_spec(f)->duration_us, cases[i].us);
        ex_model_file_destroy(f);
    }
}

static void options_are_texts_that_engines_read(void **state SL_UNUSED)
{
    write_model("acting", "engine: fake\n" TENSORS "fake:\n"
                          "  run: 1500ms\n  how: busy\n  memory: 64MiB\n  hang: true\n"
                          "  every: 3\n  error: oh, dear\n");
    struct ex_model_file *f = load_good("acting");
    const struct ex_model_spec *m = ex_model_file_spec(f);
    assert_int_equal(m->option_count, 6);
    assert_string_equal(ex_model_option(m, "run", "?"), "1500ms");
    assert_string_equal(ex_model_option(m, "how", "?"), "busy");
    assert_string_equal(ex_model_option(m, "memory", "?"), "64MiB");
    assert_string_equal(ex_model_option(m, "hang", "?"), "true");
    assert_string_equal(ex_model_option(m, "every", "?"), "3");
    assert_string_equal(ex_model_option(m, "error", "?"), "oh, dear");
    ex_model_file_destroy(f);
}

static void the_largest_number_is_the_version(void **state SL_UNUSED)
{
    write_model("versions", "engine: identity\n" TENSORS);
    make_dir("versions/2");
    make_dir("versions/10");
    make_dir("versions/9x");
    make_dir("versions/011");
    make_dir("versions/data");
    write_file("versions/30", "a file is no version");
    struct ex_model_file *f = load_good("versions");
    const struct ex_model_spec *m = ex_model_file_spec(f);
    assert_string_equal(m->version, "10");
    assert_string_equal(m->version_dir, path_of("versions/10"));
    ex_model_file_destroy(f);
}

/* ---- bad models: the sentences stand as users see them, the root's path cut off */

/* Each line begins with the wanted one; wanted ends with NULL. */
static void expect_errors(const char *name, const char *yaml, const char *const *wanted)
{
    struct sl_buf errors;
    struct ex_model_file *file = NULL;
    write_model(name, yaml);
    sl_buf_init(&errors, &sl_alloc_malloc, 4096);
    assert_status(ex_model_file_load(path_of(name), &errors, &file), SL_EINVAL);
    assert_ok(sl_buf_append(&errors, "", 1));
    for (char *line = strtok((char *)errors.data, "\n"); line; line = strtok(NULL, "\n")) {
        assert_memory_equal(line, root, strlen(root));
        line += strlen(root) + 1;
        if (*wanted == NULL || strncmp(line, *wanted, strlen(*wanted)) != 0)
            fail_msg("got: %s\nwanted: %s", line, *wanted ? *wanted : "nothing more");
        wanted++;
    }
    if (*wanted != NULL)
        fail_msg("missing: %s", *wanted);
    sl_buf_finish(&errors);
}
#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What follows the key is the reader's own wording (sl_conf). */
static void mistakes_of_form_are_named(void **state SL_UNUSED)
{
    expect_errors("form1",
                  "engine: tensorflow\n"
                  "durration: 5s\n"
                  "inputs: [{name: a, datatype: float32, shape: [-2]}]\n"
                  "outputs: [{name: x, shape: [1]}]\n",
                  LINES("form1/model.yaml:1:1: engine is ",
                        "form1/model.yaml:2:1: unknown key durration; did you mean duration?",
                        "form1/model.yaml:3:20: inputs[0].datatype is ",
                        "form1/model.yaml:3:47: inputs[0].shape[0] is ",
                        "form1/model.yaml:4:11: outputs[0].datatype is missing; "));
}

static void mistakes_of_sense_are_named(void **state SL_UNUSED)
{
    expect_errors(
        "sense1",
        "engine: identity\n"
        "duration: 10m\n"
        "inputs:\n"
        "  - {name: a, datatype: FP32, shape: [-1]}\n"
        "  - {name: a, datatype: FP32, shape: [4294967296, 4294967296]}\n"
        "  - {name: b, datatype: FP32}\n"
        "outputs: []\n"
        "fake: {run: 5s}\n",
        LINES("sense1/model.yaml:2: duration is longer than max_duration, 5m",
              "sense1/model.yaml:5: inputs[1].name is a, like one before it",
              "sense1/model.yaml:5: inputs[1].shape has more elements than can be counted",
              "sense1/model.yaml:6: inputs[2].shape is missing; write [] for a single value",
              "sense1/model.yaml:7: outputs is empty; a model has at least one",
              "sense1/model.yaml:8: fake.run is of no use: the model's engine is identity"));
}

static void items_that_cannot_be_told_apart_are_named(void **state SL_UNUSED)
{
    expect_errors(
        "batch1",
        "engine: identity\n"
        "max_batch: 4\n"
        "inputs:  [{name: a, datatype: FP32, shape: [2]}]\n"
        "outputs: [{name: b, datatype: FP32, shape: []}]\n",
        LINES("batch1/model.yaml:3: inputs[0].shape must begin with -1, because max_batch is 4",
              "batch1/model.yaml:4: outputs[0].shape must begin with -1, because max_batch is 4"));
    expect_errors("batch2", "engine: identity\nmax_batch: 257\n" TENSORS,
                  LINES("batch2/model.yaml:2:1: max_batch is \"257\"; it must be a whole number "
                        "from 1 to 256"));
}

static void a_duration_that_is_no_time_is_named(void **state SL_UNUSED)
{
    static const char rest[] =
        " must be a time from 1ms to 1d (ms, s, m, h, d), auto, or an expression";
    static const char *const bad[] = {"5parsecs", "0s", "0.5ms", "2d", "1.2.3", "7x"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        char text[512], wanted[256], name[32];
        snprintf(text, sizeof text, "engine: identity\nduration: %s\n" TENSORS, bad[i]);
        snprintf(name, sizeof name, "time%zu", i);
        snprintf(wanted, sizeof wanted, "%s/model.yaml:2: duration is %s; it%s", name, bad[i],
                 rest);
        expect_errors(name, text, LINES(wanted));
    }
    expect_errors("timeless", "engine: identity\nduration: ''\n" TENSORS,
                  LINES("timeless/model.yaml:2: duration is empty"));
}

static void mistakes_in_an_engine_s_section_are_named(void **state SL_UNUSED)
{
    expect_errors("section1",
                  "engine: fake\n" TENSORS "fake:\n"
                  "  run: soon\n"
                  "  every: 0\n"
                  "  crash: gently\n"
                  "  rus: 5s\n",
                  LINES("section1/model.yaml:5:3: fake.run is ",
                        "section1/model.yaml:6:3: fake.every is ",
                        "section1/model.yaml:7:3: fake.crash is ",
                        "section1/model.yaml:8:3: unknown key fake.rus; did you mean fake.run?"));
}

static void a_bad_name_is_named(void **state SL_UNUSED)
{
    expect_errors("my model", "engine: identity\n" TENSORS,
                  LINES("my model/model.yaml: the model's name, my model, must be 1 to 127 of A-Z "
                        "a-z 0-9 . _ -"));
}

static void a_directory_without_model_is_named(void **state SL_UNUSED)
{
    struct sl_buf errors;
    struct ex_model_file *file = NULL;
    make_dir("empty");
    sl_buf_init(&errors, &sl_alloc_malloc, 4096);
    assert_status(ex_model_file_load(path_of("empty"), &errors, &file), SL_ENOENT);
    assert_non_null(memmem(errors.data, errors.len, "empty/model.yaml: there is no such file", 39));
    sl_buf_finish(&errors);
}

/* Wherever memory ends: nothing is kept, and it is said. */
static void no_memory_is_survived_everywhere(void **state SL_UNUSED)
{
    struct fail_alloc f;
    write_model("poor", "engine: fake\n" TENSORS "fake: {run: 5ms, error: oh}\n");
    make_dir("poor/3");
    for (size_t i = 1; fail_alloc_start(&f, i); i++) {
        struct sl_buf errors;
        struct ex_model_file *file = NULL;
        sl_buf_init(&errors, &f.alloc, 4096);
        const sl_status s = ex_model_file_load(path_of("poor"), &errors, &file);
        assert_true(f.failures > 0 ? s == SL_ENOMEM : s == SL_OK);
        ex_model_file_destroy(file);
        sl_buf_finish(&errors);
        assert_int_equal(fail_alloc_finish(&f), 0);
    }
}

/* ---- repositories */

static void a_repository_lists_good_and_bad(void **state SL_UNUSED)
{
    struct ex_model_repo *r = NULL;
    struct sl_error err;
    make_dir("repo");
    write_model("repo/good", "engine: identity\n" TENSORS);
    write_model("repo/bad", "engine: identity\ninputs: 5\n");
    write_model("repo/.hidden", "engine: identity\n" TENSORS);
    make_dir("repo/none");
    write_file("repo/README", "a file");
    assert_ok(ex_model_repo_load(path_of("repo"), &r, &err));
    assert_int_equal(ex_model_repo_count(r), 3);
    const struct ex_model_entry *bad = ex_model_repo_at(r, 0);
    assert_string_equal(bad->name, "bad");
    assert_null(bad->spec);
    assert_non_null(strstr(bad->problem, "repo/bad/model.yaml:2:1: inputs is "));
    assert_true(bad->problem[strlen(bad->problem) - 1] != '\n');
    const struct ex_model_entry *good = ex_model_repo_at(r, 1);
    assert_string_equal(good->name, "good");
    assert_string_equal(good->problem, "");
    assert_string_equal(good->spec->engine, "identity");
    assert_non_null(strstr(ex_model_repo_at(r, 2)->problem, "there is no such file"));
    ex_model_repo_destroy(r);
}

static void a_missing_repository_is_named(void **state SL_UNUSED)
{
    struct ex_model_repo *r = NULL;
    struct sl_error err;
    char wanted[512];
    assert_status(ex_model_repo_load(path_of("nowhere"), &r, &err), SL_ENOENT);
    snprintf(wanted, sizeof(wanted),
             "cannot read the model repository %s: No such file or directory", path_of("nowhere"));
    assert_string_equal(err.text, wanted);
}

static void too_many_models_are_refused(void **state SL_UNUSED)
{
    struct ex_model_repo *r = NULL;
    struct sl_error err;
    char name[64];
    make_dir("many");
    for (int i = 0; i <= EX_MODELS_MAX; i++) {
        snprintf(name, sizeof(name), "many/m%d", i);
        make_dir(name);
    }
    assert_status(ex_model_repo_load(path_of("many"), &r, &err), SL_ETOOBIG);
    assert_non_null(strstr(err.text, "/many has 1025 models; at most 1024 are served"));
}

static void the_reference_tells_every_key(void **state SL_UNUSED)
{
    struct sl_buf out;
    sl_buf_init(&out, &sl_alloc_malloc, 1 << 20);
    assert_ok(ex_model_file_reference(&out));
    assert_ok(sl_buf_append(&out, "", 1));
    static const char *const some[] = {"| `engine` |", "| `inputs[].shape` |", "| `onnx.library` |",
                                       "| `fake.load_delay` |"};
    for (size_t i = 0; i < SL_ARRAY_LEN(some); i++)
        assert_non_null(strstr((char *)out.data, some[i]));
    sl_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(the_fingerprint_stands),
        cmocka_unit_test(what_is_left_out_has_defaults),
        cmocka_unit_test(a_duration_is_a_time_auto_or_an_expression),
        cmocka_unit_test(a_model_may_take_items_of_several_calls),
        cmocka_unit_test(items_that_cannot_be_told_apart_are_named),
        cmocka_unit_test(a_duration_that_is_no_time_is_named),
        cmocka_unit_test(options_are_texts_that_engines_read),
        cmocka_unit_test(the_largest_number_is_the_version),
        cmocka_unit_test(mistakes_of_form_are_named),
        cmocka_unit_test(mistakes_of_sense_are_named),
        cmocka_unit_test(mistakes_in_an_engine_s_section_are_named),
        cmocka_unit_test(a_bad_name_is_named),
        cmocka_unit_test(a_directory_without_model_is_named),
        cmocka_unit_test(no_memory_is_survived_everywhere),
        cmocka_unit_test(a_repository_lists_good_and_bad),
        cmocka_unit_test(a_missing_repository_is_named),
        cmocka_unit_test(too_many_models_are_refused),
        cmocka_unit_test(the_reference_tells_every_key),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
