/* ex_onnx_check.c - compares a network's inputs and outputs with model.yaml. */
#include "ex_onnx_check.h"

#include <string.h>

#include "sl_base.h"

enum { SHAPE_TEXT_BYTES = 128 };

static const int elements[SL_DTYPE_COUNT] = {
    [SL_DTYPE_BOOL] = ORT_ELEMENT_BOOL,     [SL_DTYPE_UINT8] = ORT_ELEMENT_UINT8,
    [SL_DTYPE_UINT16] = ORT_ELEMENT_UINT16, [SL_DTYPE_UINT32] = ORT_ELEMENT_UINT32,
    [SL_DTYPE_UINT64] = ORT_ELEMENT_UINT64, [SL_DTYPE_INT8] = ORT_ELEMENT_INT8,
    [SL_DTYPE_INT16] = ORT_ELEMENT_INT16,   [SL_DTYPE_INT32] = ORT_ELEMENT_INT32,
    [SL_DTYPE_INT64] = ORT_ELEMENT_INT64,   [SL_DTYPE_FP16] = ORT_ELEMENT_FLOAT16,
    [SL_DTYPE_FP32] = ORT_ELEMENT_FLOAT,    [SL_DTYPE_FP64] = ORT_ELEMENT_DOUBLE,
    [SL_DTYPE_BF16] = ORT_ELEMENT_BFLOAT16,
};

int ex_onnx_element(enum sl_dtype dtype)
{
    return (unsigned)dtype < SL_DTYPE_COUNT ? elements[dtype] : ORT_ELEMENT_UNDEFINED;
}

enum sl_dtype ex_onnx_dtype(int element)
{
    for (int t = SL_DTYPE_INVALID + 1; t < SL_DTYPE_COUNT; t++) {
        if (elements[t] == element && element != ORT_ELEMENT_UNDEFINED)
            return (enum sl_dtype)t;
    }
    return SL_DTYPE_INVALID;
}

/* ---- what the network says of itself */

/* The two directions through one pair of functions. */
struct side {
    const char *what; /* "input", "output" */
    struct ort_status *(*get_count)(const struct ort_session *, size_t *);
    struct ort_status *(*get_type)(const struct ort_session *, size_t, struct ort_type_info **);
    struct ort_status *(*get_name)(const struct ort_session *, size_t, struct ort_allocator *,
                                   char **);
    const struct ex_tensor_spec *specs;
    size_t spec_count;
    bool all_needed; /* must each of the network's be in model.yaml? */
};

struct network_tensor {
    bool is_tensor; /* not a map or sequence */
    int element;
    size_t rank;
    int64_t dims[SL_RANK_MAX]; /* -1: free */
};

static bool read_shape(const struct ex_ort *o, const struct ort_tensor_info *info,
                       struct network_tensor *out, struct sl_error *err)
{
    static const char what[] = "cannot read the network's shapes";
    if (!ex_ort_is_ok(o, o->api.GetTensorElementType(info, &out->element), what, err) ||
        !ex_ort_is_ok(o, o->api.GetDimensionsCount(info, &out->rank), what, err))
        return false;
    if (out->rank > SL_RANK_MAX) {
        sl_error_set(err, SL_REASON_MODEL_ERROR, "the network has a tensor of rank %zu; at most %d",
                     out->rank, SL_RANK_MAX);
        return false;
    }
    return ex_ort_is_ok(o, o->api.GetDimensions(info, out->dims, out->rank), what, err);
}

static bool read_tensor(const struct ex_ort *o, const struct ort_session *session,
                        const struct side *side, size_t index, struct network_tensor *out,
                        struct sl_error *err)
{
    struct ort_type_info *type = NULL;
    const struct ort_tensor_info *info = NULL; /* lies in type */
    *out = (struct network_tensor){0};
    if (!ex_ort_is_ok(o, side->get_type(session, index, &type), "cannot read the network", err))
        return false;
    bool ok = ex_ort_is_ok(o, o->api.CastTypeInfoToTensorInfo(type, &info),
                           "cannot read the network", err);
    out->is_tensor = info != NULL;
    if (ok && out->is_tensor)
        ok = read_shape(o, info, out, err);
    o->api.ReleaseTypeInfo(type);
    return ok;
}

/* ---- the comparison */

static bool are_dims_equal(const struct network_tensor *net, const struct ex_tensor_spec *spec)
{
    for (size_t i = 0; i < net->rank; i++) {
        if (net->dims[i] > 0 && net->dims[i] != spec->dims[i])
            return false;
    }
    return true;
}

static bool check_type(const struct side *side, const struct network_tensor *net,
                       const struct ex_tensor_spec *spec, struct sl_error *err)
{
    if (!net->is_tensor || ex_onnx_dtype(net->element) == SL_DTYPE_INVALID) {
        sl_error_set(err, SL_REASON_MODEL_ERROR,
                     "%s %s of the network is %s, which engine onnx does not serve", side->what,
                     spec->name,
                     !net->is_tensor                      ? "not a tensor"
                     : net->element == ORT_ELEMENT_STRING ? "a tensor of texts"
                                                          : "of an unusual datatype");
        return false;
    }
    if (ex_onnx_dtype(net->element) == spec->dtype)
        return true;
    sl_error_set(err, SL_REASON_MODEL_ERROR, "%s %s is %s in the network, but %s in model.yaml",
                 side->what, spec->name, sl_dtype_name(ex_onnx_dtype(net->element)),
                 sl_dtype_name(spec->dtype));
    return false;
}

static bool check_shape(const struct side *side, const struct network_tensor *net,
                        const struct ex_tensor_spec *spec, struct sl_error *err)
{
    char in_net[SHAPE_TEXT_BYTES];
    char in_spec[SHAPE_TEXT_BYTES];
    const bool is_unknown = net->rank == 0; /* a network that does not say reads as rank 0 too */
    if (is_unknown || (net->rank == spec->rank && are_dims_equal(net, spec)))
        return true;
    sl_error_set(err, SL_REASON_MODEL_ERROR,
                 "%s %s has shape %s in the network, but %s in model.yaml", side->what, spec->name,
                 sl_shape_format(net->dims, net->rank, in_net, sizeof(in_net)),
                 sl_shape_format(spec->dims, spec->rank, in_spec, sizeof(in_spec)));
    return false;
}

/* The network's tensor `index`, called `name`; marks the spec that it answers. */
static bool check_one(const struct ex_ort *o, const struct ort_session *session,
                      const struct side *side, size_t index, const char *name, bool *found,
                      struct sl_error *err)
{
    struct network_tensor net;
    const size_t i = ex_tensor_find(side->specs, side->spec_count, sl_span_str(name));
    if (i == side->spec_count) {
        if (!side->all_needed)
            return true;
        sl_error_set(err, SL_REASON_MODEL_ERROR, "%s %s of the network is missing in model.yaml",
                     side->what, name);
        return false;
    }
    found[i] = true;
    return read_tensor(o, session, side, index, &net, err) &&
           check_type(side, &net, &side->specs[i], err) &&
           check_shape(side, &net, &side->specs[i], err);
}

static bool check_all_found(const struct side *side, const bool *found, struct sl_error *err)
{
    for (size_t i = 0; i < side->spec_count; i++) {
        if (!found[i]) {
            sl_error_set(err, SL_REASON_MODEL_ERROR, "the network has no %s %s", side->what,
                         side->specs[i].name);
            return false;
        }
    }
    return true;
}

static bool check_side(const struct ex_ort *o, const struct ort_session *session,
                       const struct side *side, struct sl_error *err)
{
    bool found[EX_TENSORS_MAX] = {false};
    size_t count = 0;
    if (!ex_ort_is_ok(o, side->get_count(session, &count), "cannot read the network", err))
        return false;
    for (size_t i = 0; i < count; i++) {
        char *name = NULL;
        if (!ex_ort_is_ok(o, side->get_name(session, i, o->allocator, &name),
                          "cannot read the network", err))
            return false;
        const bool ok = check_one(o, session, side, i, name, found, err);
        struct sl_error ignored;
        (void)ex_ort_is_ok(o, o->api.AllocatorFree(o->allocator, name), "", &ignored);
        if (!ok)
            return false;
    }
    return check_all_found(side, found, err);
}

bool ex_onnx_check(const struct ex_ort *o, const struct ort_session *session,
                   const struct ex_model_spec *spec, struct sl_error *err)
{
    const struct side inputs = {
        .what = "input",
        .get_count = o->api.SessionGetInputCount,
        .get_type = o->api.SessionGetInputTypeInfo,
        .get_name = o->api.SessionGetInputName,
        .specs = spec->inputs,
        .spec_count = spec->input_count,
        .all_needed = true,
    };
    const struct side outputs = {
        .what = "output",
        .get_count = o->api.SessionGetOutputCount,
        .get_type = o->api.SessionGetOutputTypeInfo,
        .get_name = o->api.SessionGetOutputName,
        .specs = spec->outputs,
        .spec_count = spec->output_count,
        .all_needed = false,
    };
    return check_side(o, session, &inputs, err) && check_side(o, session, &outputs, err);
}
