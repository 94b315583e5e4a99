#include "infer_builder.h"

#include <stdlib.h>

#include "sl_pack.h"

static void *need(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

void *infer_room(struct infer_builder *b, size_t n)
{
    return need(sl_arena_get(&b->arena, n > 0 ? n : 1));
}

void *infer_copy(struct infer_builder *b, const void *bytes, size_t n)
{
    void *copy = infer_room(b, n);
    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

static char *copy_text(struct infer_builder *b, const char *text)
{
    return need(sl_arena_str(&b->arena, sl_span_str(text)));
}

void infer_begin(struct infer_builder *b, const char *model)
{
    *b = (struct infer_builder){0};
    sl_arena_init(&b->arena, &sl_alloc_malloc, SIZE_MAX / 2);
    inference__model_infer_request__init(&b->request);
    b->request.model_name = copy_text(b, model);
    b->request.inputs = b->inputs;
    b->request.outputs = b->outputs;
    b->request.raw_input_contents = b->raws;
    b->request.parameters = b->params;
}

void infer_end(struct infer_builder *b)
{
    sl_arena_finish(&b->arena);
}

static size_t take_place(size_t *count)
{
    if (*count == INFER_LIST_MAX)
        abort();
    return (*count)++;
}

infer_input_tensor *infer_input(struct infer_builder *b, const char *name, const char *datatype,
                                size_t rank, const int64_t *dims)
{
    infer_input_tensor *in = infer_room(b, sizeof *in);
    inference__model_infer_request__infer_input_tensor__init(in);
    in->name = copy_text(b, name);
    in->datatype = copy_text(b, datatype);
    in->n_shape = rank;
    in->shape = infer_copy(b, dims, rank * sizeof *dims);
    b->inputs[take_place(&b->request.n_inputs)] = in;
    return in;
}

Inference__InferTensorContents *infer_contents(struct infer_builder *b, infer_input_tensor *in)
{
    in->contents = infer_room(b, sizeof *in->contents);
    inference__infer_tensor_contents__init(in->contents);
    return in->contents;
}

void infer_raw(struct infer_builder *b, const void *bytes, size_t n)
{
    size_t i = take_place(&b->request.n_raw_input_contents);
    b->raws[i] = (ProtobufCBinaryData){n, infer_copy(b, bytes, n)};
}

void infer_output(struct infer_builder *b, const char *name)
{
    Inference__ModelInferRequest__InferRequestedOutputTensor *out = infer_room(b, sizeof *out);
    inference__model_infer_request__infer_requested_output_tensor__init(out);
    out->name = copy_text(b, name);
    b->outputs[take_place(&b->request.n_outputs)] = out;
}

Inference__InferParameter *infer_param(struct infer_builder *b, const char *name)
{
    Inference__ModelInferRequest__ParametersEntry *entry = infer_room(b, sizeof *entry);
    inference__model_infer_request__parameters_entry__init(entry);
    entry->key = copy_text(b, name);
    entry->value = infer_room(b, sizeof *entry->value);
    inference__infer_parameter__init(entry->value);
    b->params[take_place(&b->request.n_parameters)] = entry;
    return entry->value;
}

void infer_param_string(struct infer_builder *b, const char *name, const char *value)
{
    Inference__InferParameter *p = infer_param(b, name);
    p->parameter_choice_case = INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM;
    p->string_param = copy_text(b, value);
}

void infer_tensor_param(struct infer_builder *b, infer_input_tensor *in, const char *name)
{
    Inference__ModelInferRequest__InferInputTensor__ParametersEntry *entry =
        infer_room(b, sizeof *entry);
    inference__model_infer_request__infer_input_tensor__parameters_entry__init(entry);
    entry->key = copy_text(b, name);
    in->n_parameters = 1;
    in->parameters = infer_room(b, sizeof *in->parameters);
    in->parameters[0] = entry;
}

struct sl_span infer_bytes(struct infer_builder *b)
{
    struct sl_span bytes = sl_pack(&b->arena, &b->request.base);
    need((void *)(uintptr_t)bytes.data);
    return bytes;
}

struct gw_body *body_of(struct sl_span bytes)
{
    struct gw_body *body = need(gw_body_create(&sl_alloc_malloc, bytes.len));
    if (bytes.len > 0)
        memcpy(body->data, bytes.data, bytes.len);
    return body;
}

struct gw_body *infer_body(struct infer_builder *b)
{
    return body_of(infer_bytes(b));
}
