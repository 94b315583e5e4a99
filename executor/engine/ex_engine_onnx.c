/* ex_engine_onnx.c - ONNX networks by ONNX Runtime, on the CPU.
 *
 * Options  (section `onnx:` of model.yaml)
 *   file          the network, in the version's directory; model.onnx without it
 *   library       ONNX Runtime's shared library (ex_ort.h says where else it is looked for)
 *   optimization  none | basic | extended | all (all without it)
 *
 * Inputs are used where they lie. An output whose whole shape stands in model.yaml is computed
 * where it is sent from; others are copied there once. The slice's threads compute; they sleep
 * between operations instead of spinning, which would cost the machine's other users more than it
 * gains here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ex_engine.h"
#include "ex_model.h"
#include "ex_onnx_check.h"
#include "ex_ort.h"
#include "sl_base.h"
#include "sl_log.h"

enum { PATH_BYTES = 4096, WARM_BYTES_MAX = 64 << 20 };

struct onnx_model {
    const struct ex_model_spec *spec;
    struct ex_ort ort;
    struct ort_session *session;
    struct ort_run_options *run_options; /* by which a run is ended */
    const char *input_names[EX_TENSORS_MAX];
    /* Of the run under way: */
    struct ort_value *inputs[EX_TENSORS_MAX];
    size_t input_count;
    size_t wanted[EX_TENSORS_MAX]; /* indices into the spec's outputs */
    const char *wanted_names[EX_TENSORS_MAX];
    struct ort_value *outputs[EX_TENSORS_MAX]; /* NULL before the run: the runtime makes it */
    bool is_in_place[EX_TENSORS_MAX];
    size_t wanted_count;
};

/* ---- load */

static bool read_optimization(const struct ex_model_spec *spec, int *out, struct sl_error *err)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"none", ORT_OPTIMIZE_NONE},
        {"basic", ORT_OPTIMIZE_BASIC},
        {"extended", ORT_OPTIMIZE_EXTENDED},
        {"all", ORT_OPTIMIZE_ALL},
    };
    const char *text = ex_model_option(spec, "optimization", "all");
    for (size_t i = 0; i < SL_ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i].name, text) == 0) {
            *out = levels[i].level;
            return true;
        }
    }
    sl_error_set(err, SL_REASON_MODEL_ERROR,
                 "onnx.optimization is %s; it must be none, basic, extended or all", text);
    return false;
}

static bool has_free_inputs(const struct ex_model_spec *spec)
{
    for (size_t i = 0; i < spec->input_count; i++) {
        for (size_t k = 0; k < spec->inputs[i].rank; k++) {
            if (spec->inputs[i].dims[k] == -1)
                return true;
        }
    }
    return false;
}

static bool set_options(const struct onnx_model *m, uint32_t cpu_threads,
                        struct ort_session_options *options, struct sl_error *err)
{
    static const char what[] = "cannot set up ONNX Runtime";
    const struct ex_ort *o = &m->ort;
    int level;
    if (!read_optimization(m->spec, &level, err))
        return false;
    /* One memory plan per input shape is kept: with free shapes that would never end. */
    if (has_free_inputs(m->spec) && !ex_ort_is_ok(o, o->api.DisableMemPattern(options), what, err))
        return false;
    return ex_ort_is_ok(o, o->api.SetSessionGraphOptimizationLevel(options, level), what, err) &&
           ex_ort_is_ok(o, o->api.SetIntraOpNumThreads(options, (int)cpu_threads), what, err) &&
           ex_ort_is_ok(o, o->api.SetInterOpNumThreads(options, 1), what, err) &&
           ex_ort_is_ok(
               o, o->api.AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"),
               what, err);
}

static bool find_file(const struct ex_model_spec *spec, char *out, size_t out_bytes,
                      struct sl_error *err)
{
    const char *file = ex_model_option(spec, "file", "model.onnx");
    const int len = snprintf(out, out_bytes, "%s/%s", spec->version_dir, file);
    if (len >= 0 && (size_t)len < out_bytes)
        return true;
    sl_error_set(err, SL_REASON_MODEL_ERROR, "the path of onnx.file %s is too long", file);
    return false;
}

static bool open_session(struct onnx_model *m, uint32_t cpu_threads, struct sl_error *err)
{
    const struct ex_ort *o = &m->ort;
    char path[PATH_BYTES];
    struct ort_session_options *options = NULL;
    if (!find_file(m->spec, path, sizeof(path), err) ||
        !ex_ort_is_ok(o, o->api.CreateSessionOptions(&options), "cannot set up ONNX Runtime", err))
        return false;
    const bool ok = set_options(m, cpu_threads, options, err) &&
                    ex_ort_is_ok(o, o->api.CreateSession(o->env, path, options, &m->session),
                                 "cannot load the network", err);
    o->api.ReleaseSessionOptions(options);
    return ok;
}

static void unload(void *model)
{
    struct onnx_model *m = model;
    if (m == NULL)
        return;
    if (m->session != NULL)
        m->ort.api.ReleaseSession(m->session);
    if (m->run_options != NULL)
        m->ort.api.ReleaseRunOptions(m->run_options);
    ex_ort_close(&m->ort);
    free(m);
}

static bool load(const struct ex_model_spec *spec, uint32_t cpu_threads, void **out_model,
                 struct sl_error *err)
{
    struct onnx_model *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory");
        return false;
    }
    m->spec = spec;
    for (size_t i = 0; i < spec->input_count; i++)
        m->input_names[i] = spec->inputs[i].name;
    if (!ex_ort_open(ex_model_option(spec, "library", NULL), &m->ort, err) ||
        !ex_ort_is_ok(&m->ort, m->ort.api.CreateRunOptions(&m->run_options),
                      "cannot set up ONNX Runtime", err) ||
        !open_session(m, cpu_threads, err) || !ex_onnx_check(&m->ort, m->session, spec, err)) {
        unload(m);
        return false;
    }
    sl_log(SL_LOG_INFO, "network loaded", SL_S("model", spec->name),
           SL_S("onnxruntime", m->ort.version), SL_U("threads", cpu_threads));
    *out_model = m;
    return true;
}

/* ---- run */

static bool wrap(const struct onnx_model *m, void *data, size_t bytes, enum sl_dtype dtype,
                 const int64_t *dims, size_t rank, struct ort_value **out, struct sl_error *err)
{
    static uint64_t nothing; /* where empty tensors lie */
    return ex_ort_is_ok(
        &m->ort,
        m->ort.api.CreateTensorWithDataAsOrtValue(m->ort.cpu, bytes == 0 ? &nothing : data, bytes,
                                                  dims, rank, ex_onnx_element(dtype), out),
        "cannot use a tensor", err);
}

static bool wrap_inputs(struct onnx_model *m, const struct ex_run *call, struct sl_error *err)
{
    for (size_t i = 0; i < call->input_count; i++) {
        const struct ex_tensor *in = &call->inputs[i];
        /* The runtime does not write to inputs: they may lie in read-only memory. */
        if (!wrap(m, (void *)(uintptr_t)in->raw.data, in->raw.len, in->dtype, in->dims, in->rank,
                  &m->inputs[i], err))
            return false;
        m->input_count = i + 1;
    }
    return true;
}

static bool is_shape_known(const struct ex_tensor_spec *spec)
{
    for (size_t i = 0; i < spec->rank; i++) {
        if (spec->dims[i] == -1)
            return false;
    }
    return true;
}

/* Memory of the sink as output `i` of the run, before the run. */
static bool place_output(struct onnx_model *m, size_t i, struct ex_sink *sink, struct sl_error *err)
{
    const size_t index = m->wanted[i];
    const struct ex_tensor_spec *spec = &m->spec->outputs[index];
    uint64_t bytes;
    if (sl_shape_bytes(spec->dtype, spec->dims, spec->rank, &bytes) != SL_OK) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "output %s is too large", spec->name);
        return false;
    }
    void *data = ex_sink_take(sink, m->spec, index, spec->dims, spec->rank, (size_t)bytes, err);
    m->is_in_place[i] = true;
    return data != NULL &&
           wrap(m, data, (size_t)bytes, spec->dtype, spec->dims, spec->rank, &m->outputs[i], err);
}

/* Chooses the outputs of this run. sink may be NULL: the runtime makes them all. */
static bool place_outputs(struct onnx_model *m, const bool *wanted, struct ex_sink *sink,
                          struct sl_error *err)
{
    for (size_t index = 0; index < m->spec->output_count; index++) {
        if (!wanted[index])
            continue;
        const size_t i = m->wanted_count++;
        m->wanted[i] = index;
        m->wanted_names[i] = m->spec->outputs[index].name;
        m->outputs[i] = NULL;
        m->is_in_place[i] = false;
        if (sink != NULL && is_shape_known(&m->spec->outputs[index]) &&
            !place_output(m, i, sink, err))
            return false;
    }
    return true;
}

/* The shape of a value that the runtime made. */
static bool read_dims(const struct onnx_model *m, const struct ort_value *value, const char *name,
                      int64_t *dims, size_t *rank, struct sl_error *err)
{
    static const char what[] = "cannot read an output";
    const struct ex_ort *o = &m->ort;
    struct ort_tensor_info *info = NULL;
    if (!ex_ort_is_ok(o, o->api.GetTensorTypeAndShape(value, &info), what, err))
        return false;
    bool ok = ex_ort_is_ok(o, o->api.GetDimensionsCount(info, rank), what, err);
    if (ok && *rank > SL_RANK_MAX) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "output %s has rank %zu; at most %d", name, *rank,
                     SL_RANK_MAX);
        ok = false;
    }
    ok = ok && ex_ort_is_ok(o, o->api.GetDimensions(info, dims, *rank), what, err);
    o->api.ReleaseTensorTypeAndShapeInfo(info);
    return ok;
}

static bool copy_output(const struct onnx_model *m, size_t i, struct ex_sink *sink,
                        struct sl_error *err)
{
    const struct ex_tensor_spec *spec = &m->spec->outputs[m->wanted[i]];
    int64_t dims[SL_RANK_MAX];
    size_t rank;
    uint64_t bytes;
    void *from;
    if (!read_dims(m, m->outputs[i], spec->name, dims, &rank, err) ||
        !ex_ort_is_ok(&m->ort, m->ort.api.GetTensorMutableData(m->outputs[i], &from),
                      "cannot read an output", err))
        return false;
    if (!sl_shape_fits(spec->dims, spec->rank, dims, rank) ||
        sl_shape_bytes(spec->dtype, dims, rank, &bytes) != SL_OK) {
        char shape[128];
        sl_error_set(err, SL_REASON_MODEL_ERROR,
                     "output %s came out as %s, which model.yaml does not allow", spec->name,
                     sl_shape_format(dims, rank, shape, sizeof(shape)));
        return false;
    }
    void *to = ex_sink_take(sink, m->spec, m->wanted[i], dims, rank, (size_t)bytes, err);
    if (to != NULL && bytes > 0)
        memcpy(to, from, (size_t)bytes);
    return to != NULL;
}

static bool copy_outputs(const struct onnx_model *m, struct ex_sink *sink, struct sl_error *err)
{
    for (size_t i = 0; i < m->wanted_count; i++) {
        if (!m->is_in_place[i] && !copy_output(m, i, sink, err))
            return false;
    }
    return true;
}

static bool is_cancelled(const struct ex_run *call)
{
    return call->is_cancelled != NULL && call->is_cancelled(call);
}

static bool compute(struct onnx_model *m, struct sl_error *err)
{
    return ex_ort_is_ok(&m->ort,
                        m->ort.api.Run(m->session, m->run_options, m->input_names,
                                       (const struct ort_value *const *)m->inputs, m->input_count,
                                       m->wanted_names, m->wanted_count, m->outputs),
                        "the network failed", err);
}

/* Who was cancelled before its options were made ready may have been interrupted before that. */
static bool compute_unless_cancelled(struct onnx_model *m, const struct ex_run *call,
                                     struct sl_error *err)
{
    if (!ex_ort_is_ok(&m->ort, m->ort.api.RunOptionsUnsetTerminate(m->run_options),
                      "cannot begin a run", err))
        return false;
    if (!is_cancelled(call) && compute(m, err))
        return true;
    if (is_cancelled(call)) /* the runtime has no code of its own for it */
        sl_error_set(err, SL_REASON_CANCELLED, "cancelled in the middle of its run");
    return false;
}

/* It sets a flag, which the runtime looks at before each of the network's operations. */
static void interrupt(void *model)
{
    struct onnx_model *m = model;
    (void)m->ort.api.RunOptionsSetTerminate(m->run_options);
}

static void release_values(struct onnx_model *m)
{
    for (size_t i = 0; i < m->input_count; i++)
        m->ort.api.ReleaseValue(m->inputs[i]);
    for (size_t i = 0; i < m->wanted_count; i++) {
        if (m->outputs[i] != NULL)
            m->ort.api.ReleaseValue(m->outputs[i]);
    }
    m->input_count = 0;
    m->wanted_count = 0;
}

static bool run(void *model, const struct ex_run *call, struct ex_sink *sink, struct sl_error *err)
{
    struct onnx_model *m = model;
    const bool ok = wrap_inputs(m, call, err) && place_outputs(m, call->wanted, sink, err) &&
                    (m->wanted_count == 0 || compute_unless_cancelled(m, call, err)) &&
                    (sink == NULL || copy_outputs(m, sink, err));
    release_values(m);
    return ok;
}

/* ---- warm */

/* Zeros in the smallest legal shape. False: no memory, or more than warming is worth. */
static bool make_zeros(const struct ex_tensor_spec *spec, int64_t *dims, struct ex_tensor *out)
{
    uint64_t bytes;
    for (size_t i = 0; i < spec->rank; i++)
        dims[i] = spec->dims[i] == -1 ? 1 : spec->dims[i];
    if (sl_shape_bytes(spec->dtype, dims, spec->rank, &bytes) != SL_OK || bytes > WARM_BYTES_MAX)
        return false;
    *out = (struct ex_tensor){
        .name = spec->name,
        .dtype = spec->dtype,
        .dims = dims,
        .rank = spec->rank,
        .raw = sl_span_of(calloc(1, (size_t)bytes + 1), (size_t)bytes),
    };
    return out->raw.data != NULL;
}

/* One run on zeros, so that the first call does not pay for lazy set-up. Some networks cannot run
 * on zeros; that is no fault. */
static void warm(struct onnx_model *m)
{
    struct ex_tensor inputs[EX_TENSORS_MAX];
    int64_t dims[EX_TENSORS_MAX][SL_RANK_MAX];
    bool wanted[EX_TENSORS_MAX];
    struct sl_error err = {0};
    size_t count = 0;
    for (size_t i = 0; i < m->spec->output_count; i++)
        wanted[i] = true;
    while (count < m->spec->input_count &&
           make_zeros(&m->spec->inputs[count], dims[count], &inputs[count]))
        count++;
    const struct ex_run call = {
        .call_id = "", .inputs = inputs, .input_count = count, .wanted = wanted};
    if (count == m->spec->input_count && !run(m, &call, NULL, &err))
        sl_log(SL_LOG_DEBUG, "not warmed", SL_S("model", m->spec->name), SL_S("text", err.text));
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)inputs[i].raw.data);
}

static bool attach(void *model, const struct ex_slice *slice, struct sl_error *err)
{
    if (slice->kind != EX_SLICE_CPU) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "engine onnx computes on CPU slices; %s is none",
                     slice->device);
        return false;
    }
    warm(model);
    return true;
}

static void detach(void *model)
{
    (void)model;
}

const struct ex_engine ex_engine_onnx = {
    .name = "onnx",
    .load = load,
    .attach = attach,
    .run = run,
    .interrupt = interrupt,
    .detach = detach,
    .unload = unload,
};
