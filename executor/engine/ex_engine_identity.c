/* ex_engine_identity.c - answers its i-th output with its i-th input: for tests and benches. */
#include <string.h>

#include "ex_engine.h"
#include "ex_model.h"

enum { SHAPE_TEXT_BYTES = 128 };

/* Does everything that fits the input fit the output too? */
static bool is_wider(const struct ex_tensor_spec *output, const struct ex_tensor_spec *input)
{
    if (output->rank != input->rank)
        return false;
    for (size_t i = 0; i < input->rank; i++) {
        if (output->dims[i] != -1 && output->dims[i] != input->dims[i])
            return false;
    }
    return true;
}

static bool check_pair(const struct ex_tensor_spec *in, const struct ex_tensor_spec *out,
                       struct sl_error *err)
{
    char in_shape[SHAPE_TEXT_BYTES];
    char out_shape[SHAPE_TEXT_BYTES];
    if (in->dtype == out->dtype && is_wider(out, in))
        return true;
    sl_shape_format(in->dims, in->rank, in_shape, sizeof(in_shape));
    sl_shape_format(out->dims, out->rank, out_shape, sizeof(out_shape));
    sl_error_set(err, SL_REASON_MODEL_ERROR,
                 "engine identity answers %s with %s, but one is %s %s and the other %s %s",
                 out->name, in->name, sl_dtype_name(out->dtype), out_shape,
                 sl_dtype_name(in->dtype), in_shape);
    return false;
}

static bool load(const struct ex_model_spec *spec, uint32_t cpu_threads, void **out_model,
                 struct sl_error *err)
{
    (void)cpu_threads;
    if (spec->input_count != spec->output_count) {
        sl_error_set(
            err, SL_REASON_MODEL_ERROR,
            "engine identity needs as many outputs as inputs; the model has %zu inputs and "
            "%zu outputs",
            spec->input_count, spec->output_count);
        return false;
    }
    for (size_t i = 0; i < spec->input_count; i++) {
        if (!check_pair(&spec->inputs[i], &spec->outputs[i], err))
            return false;
    }
    *out_model = (void *)(uintptr_t)spec; /* there is nothing else to a model */
    return true;
}

static bool attach(void *model, const struct ex_slice *slice, struct sl_error *err)
{
    (void)model;
    (void)slice;
    (void)err;
    return true;
}

static bool run(void *model, const struct ex_run *call, struct ex_sink *sink, struct sl_error *err)
{
    const struct ex_model_spec *spec = model;
    for (size_t i = 0; i < spec->output_count; i++) {
        const struct ex_tensor *in = &call->inputs[i];
        if (!call->wanted[i])
            continue;
        void *out = ex_sink_take(sink, spec, i, in->dims, in->rank, in->raw.len, err);
        if (out == NULL)
            return false;
        if (in->raw.len > 0)
            memcpy(out, in->raw.data, in->raw.len);
    }
    return true;
}

static void detach(void *model)
{
    (void)model;
}

static void unload(void *model)
{
    (void)model;
}

const struct ex_engine ex_engine_identity = {
    .name = "identity",
    .load = load,
    .attach = attach,
    .run = run,
    .detach = detach,
    .unload = unload,
};
