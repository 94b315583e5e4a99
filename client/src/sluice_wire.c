/* sluice_wire.c - requests to the wire: ModelInferRequest by reference, and the small messages. */
#include "sluice_wire.h"

#include "inference/inference.pb-c.h"
#include "sluice_pb.h"

enum { RAW_INPUT_CONTENTS = 7, ENCODE_ARENA_MAX = 1 << 20 };

/* The pb structs of one request, in an arena that lives while it is packed. */
typedef Inference__ModelInferRequest pb_request;
typedef Inference__ModelInferRequest__ParametersEntry pb_parameter;
typedef Inference__ModelInferRequest__InferInputTensor pb_input;
typedef Inference__ModelInferRequest__InferRequestedOutputTensor pb_output;

static void set_parameter(const struct sluice_parameter *p, Inference__InferParameter *v)
{
    inference__infer_parameter__init(v);
    switch (p->kind) {
    case SLUICE_PARAMETER_BOOL:
        v->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM;
        v->bool_param = p->value.boolean;
        break;
    case SLUICE_PARAMETER_INT64:
        v->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM;
        v->int64_param = p->value.int64;
        break;
    case SLUICE_PARAMETER_STRING:
        v->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM;
        v->string_param = (char *)p->value.string;
        break;
    case SLUICE_PARAMETER_DOUBLE:
        v->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM;
        v->double_param = p->value.real;
        break;
    case SLUICE_PARAMETER_UINT64:
        v->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM;
        v->uint64_param = p->value.uint64;
        break;
    }
}

static sl_status put_parameters(const struct sluice_request *r, struct sl_arena *a, pb_request *pb)
{
    pb_parameter *entries = sl_arena_zero(a, r->parameter_count, sizeof(*entries));
    Inference__InferParameter *values = sl_arena_zero(a, r->parameter_count, sizeof(*values));
    pb->parameters = sl_arena_zero(a, r->parameter_count, sizeof(*pb->parameters));
    if (entries == NULL || values == NULL || pb->parameters == NULL)
        return SL_ENOMEM;
    for (size_t i = 0; i < r->parameter_count; i++) {
        inference__model_infer_request__parameters_entry__init(&entries[i]);
        set_parameter(&r->parameters[i], &values[i]);
        entries[i].key = (char *)r->parameters[i].name;
        entries[i].value = &values[i];
        pb->parameters[i] = &entries[i];
    }
    pb->n_parameters = r->parameter_count;
    return SL_OK;
}

static sl_status put_inputs(const struct sluice_request *r, struct sl_arena *a, pb_request *pb)
{
    pb_input *inputs = sl_arena_zero(a, r->input_count, sizeof(*inputs));
    pb->inputs = sl_arena_zero(a, r->input_count, sizeof(*pb->inputs));
    if (inputs == NULL || pb->inputs == NULL)
        return SL_ENOMEM;
    for (size_t i = 0; i < r->input_count; i++) {
        inference__model_infer_request__infer_input_tensor__init(&inputs[i]);
        inputs[i].name = r->inputs[i].name;
        inputs[i].datatype = r->inputs[i].datatype;
        inputs[i].n_shape = r->inputs[i].rank;
        inputs[i].shape = r->inputs[i].shape;
        pb->inputs[i] = &inputs[i];
    }
    pb->n_inputs = r->input_count;
    return SL_OK;
}

static sl_status put_outputs(const struct sluice_request *r, struct sl_arena *a, pb_request *pb)
{
    pb_output *outputs = sl_arena_zero(a, r->output_count, sizeof(*outputs));
    pb->outputs = sl_arena_zero(a, r->output_count, sizeof(*pb->outputs));
    if (outputs == NULL || pb->outputs == NULL)
        return SL_ENOMEM;
    for (size_t i = 0; i < r->output_count; i++) {
        inference__model_infer_request__infer_requested_output_tensor__init(&outputs[i]);
        outputs[i].name = r->outputs[i];
        pb->outputs[i] = &outputs[i];
    }
    pb->n_outputs = r->output_count;
    return SL_OK;
}

/* Packs pb into the body's head, with room for the raw contents' tags. */
static sl_status put_head(const pb_request *pb, struct sluice_body *body)
{
    size_t bytes = inference__model_infer_request__get_packed_size(pb);
    sl_status s = sluice_body_reserve(body, bytes + pb->n_inputs * 2 * SLUICE_PB_VARINT_MAX);
    if (s != SL_OK)
        return s;
    inference__model_infer_request__pack(pb, body->head.data + body->head.len);
    body->head.len += bytes;
    return SL_OK;
}

static sl_status put_raw(const struct sluice_request *r, uint64_t max_bytes,
                         struct sluice_body *body)
{
    for (size_t i = 0; i < r->input_count; i++) {
        sl_status s = sluice_body_add_field(body, RAW_INPUT_CONTENTS, r->inputs[i].data);
        if (s != SL_OK)
            return s;
    }
    return sluice_body_seal(body, max_bytes);
}

sl_status sluice_wire_put_infer(const struct sluice_request *request, uint64_t max_bytes,
                                struct sluice_body *body)
{
    pb_request pb = INFERENCE__MODEL_INFER_REQUEST__INIT;
    struct sl_arena arena;

    sl_arena_init(&arena, &sl_alloc_malloc, ENCODE_ARENA_MAX);
    pb.model_name = request->model;
    pb.model_version = request->version;
    if (request->id != NULL)
        pb.id = request->id;
    sl_status s = put_parameters(request, &arena, &pb);
    if (s == SL_OK)
        s = put_inputs(request, &arena, &pb);
    if (s == SL_OK)
        s = put_outputs(request, &arena, &pb);
    if (s == SL_OK)
        s = put_head(&pb, body);
    sl_arena_finish(&arena);
    return s == SL_OK ? put_raw(request, max_bytes, body) : s;
}

sl_status sluice_wire_put_model_ready(const char *model, const char *version, struct sl_buf *out)
{
    Inference__ModelReadyRequest m = INFERENCE__MODEL_READY_REQUEST__INIT;
    m.name = (char *)model;
    m.version = (char *)version;
    size_t bytes = inference__model_ready_request__get_packed_size(&m);
    sl_status s = sl_buf_reserve(out, bytes);
    if (s == SL_OK)
        out->len += inference__model_ready_request__pack(&m, out->data + out->len);
    return s;
}

sl_status sluice_wire_put_model_metadata(const char *model, const char *version, struct sl_buf *out)
{
    Inference__ModelMetadataRequest m = INFERENCE__MODEL_METADATA_REQUEST__INIT;
    m.name = (char *)model;
    m.version = (char *)version;
    size_t bytes = inference__model_metadata_request__get_packed_size(&m);
    sl_status s = sl_buf_reserve(out, bytes);
    if (s == SL_OK)
        out->len += inference__model_metadata_request__pack(&m, out->data + out->len);
    return s;
}

sl_status sluice_wire_get_bool(struct sl_span message, bool *out)
{
    struct sluice_pb_field f;
    sl_status s;

    *out = false;
    while ((s = sluice_pb_next(&message, &f)) == SL_OK) {
        if (f.number == 1 && f.wire == SLUICE_PB_VARINT)
            *out = f.value != 0;
    }
    return s == SL_ENOENT ? SL_OK : s;
}
