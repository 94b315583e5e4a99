/* engine_rig.c - loads and runs an engine without a worker. */
#include "engine_rig.h"

#include <stdlib.h>
#include <unistd.h>

#include "remove_tree.h"
#include "sl_alloc.h"
#include "sl_base.h"
#include "sl_test.h"

static void write_yaml(const char *dir, const char *yaml)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/model.yaml", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(yaml, f);
    assert_int_equal(fclose(f), 0);
}

static void link_file(const char *dir, const char *file)
{
    char path[512];
    const char *slash = strrchr(file, '/');
    snprintf(path, sizeof(path), "%s/%s", dir, slash + 1);
    assert_int_equal(symlink(file, path), 0);
}

static void *take(struct ex_sink *sink, size_t index, enum sl_dtype dtype, const int64_t *dims,
                  size_t rank, size_t bytes)
{
    struct engine_rig *r = SL_CONTAINER_OF(sink, struct engine_rig, sink);
    struct rig_output *o = &r->outputs[index];
    assert_true(index < r->spec->output_count);
    assert_false(o->is_taken);
    if (bytes > r->max_bytes)
        return NULL;
    o->is_taken = true;
    o->dtype = dtype;
    o->rank = rank;
    o->bytes = bytes;
    if (rank > 0)
        memcpy(o->dims, dims, rank * sizeof(dims[0]));
    o->data = aligned_alloc(64, (bytes / 64 + 1) * 64);
    return o->data;
}

void engine_rig_open(struct engine_rig *r, const char *yaml, const char *const *files)
{
    struct sl_buf errors;
    memset(r, 0, sizeof(*r));
    r->max_bytes = 64 << 20;
    r->sink.take = take;
    strcpy(r->dir, "/tmp/sluice-engine-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    write_yaml(r->dir, yaml);
    for (; files != NULL && *files != NULL; files++)
        link_file(r->dir, *files);
    sl_buf_init(&errors, &sl_alloc_malloc, 4096);
    if (ex_model_file_load(r->dir, &errors, &r->file) != SL_OK)
        fail_msg("%.*s", (int)errors.len, (const char *)errors.data);
    sl_buf_finish(&errors);
    r->spec = ex_model_file_spec(r->file);
    r->engine = ex_engine_find(r->spec->engine);
    assert_non_null(r->engine);
}

bool engine_rig_load(struct engine_rig *r)
{
    static const struct ex_slice slice = {
        .kind = EX_SLICE_CPU, .device = "cpu0", .share_thousandths = 1000, .cpu_threads = 2};
    r->err.reason = SL_REASON_OK;
    if (!r->engine->load(r->spec, slice.cpu_threads, &r->model, &r->err))
        return false;
    return r->engine->attach(r->model, &slice, &r->err);
}

static void drop_outputs(struct engine_rig *r)
{
    for (size_t i = 0; i < EX_TENSORS_MAX; i++) {
        free(r->outputs[i].data);
        r->outputs[i] = (struct rig_output){0};
    }
}

void engine_rig_close(struct engine_rig *r)
{
    drop_outputs(r);
    if (r->model != NULL) {
        r->engine->detach(r->model);
        r->engine->unload(r->model);
    }
    ex_model_file_destroy(r->file);
    assert_int_equal(remove_tree(r->dir), 0);
}

static bool is_cancelled(const struct ex_run *run)
{
    const struct engine_rig *r = run->asked;
    return r->is_cancelled;
}

bool engine_rig_run(struct engine_rig *r, const struct ex_tensor *inputs, size_t input_count,
                    const struct ex_param *params, size_t param_count, const bool *wanted)
{
    bool all[EX_TENSORS_MAX];
    for (size_t i = 0; i < EX_TENSORS_MAX; i++)
        all[i] = i < r->spec->output_count;
    const struct ex_run run = {
        .call_id = "test",
        .inputs = inputs,
        .input_count = input_count,
        .params = params,
        .param_count = param_count,
        .wanted = wanted == NULL ? all : wanted,
        .is_cancelled = is_cancelled,
        .asked = r,
    };
    drop_outputs(r);
    r->err.reason = SL_REASON_OK;
    return r->engine->run(r->model, &run, &r->sink, &r->err);
}

struct ex_tensor rig_tensor(const struct ex_tensor_spec *spec, const int64_t *dims,
                            const void *bytes, size_t len)
{
    return (struct ex_tensor){.name = spec->name,
                              .dtype = spec->dtype,
                              .dims = dims,
                              .rank = spec->rank,
                              .raw = sl_span_of(bytes, len)};
}
