/* infer_builder.h - ModelInferRequest bytes made by protobuf-c, so that what our own reader says
 * can be compared with what another encoder wrote.
 *
 *   struct infer_builder b;
 *   infer_begin(&b, "adder");
 *   infer_raw(infer_input(&b, "A", "FP32", 1, (int64_t[]){2}), ...);
 *   struct sl_span bytes = infer_bytes(&b);
 *   infer_end(&b);
 *
 * Errors   No memory aborts: a test cannot go on.
 * Memory   Everything lies in the builder's arena and is gone with infer_end; arguments are copied.
 */
#ifndef INFER_BUILDER_H
#define INFER_BUILDER_H

#include "gw_exchange.h"
#include "inference/inference.pb-c.h"
#include "sl_arena.h"

enum { INFER_LIST_MAX = 80 };

typedef Inference__ModelInferRequest__InferInputTensor infer_input_tensor;

struct infer_builder {
    struct sl_arena arena;
    Inference__ModelInferRequest request;
    infer_input_tensor *inputs[INFER_LIST_MAX];
    Inference__ModelInferRequest__InferRequestedOutputTensor *outputs[INFER_LIST_MAX];
    ProtobufCBinaryData raws[INFER_LIST_MAX];
    Inference__ModelInferRequest__ParametersEntry *params[INFER_LIST_MAX];
};

void infer_begin(struct infer_builder *b, const char *model);
void infer_end(struct infer_builder *b);

/* Room for n bytes; a copy of n bytes; both live until infer_end. */
void *infer_room(struct infer_builder *b, size_t n);
void *infer_copy(struct infer_builder *b, const void *bytes, size_t n);

infer_input_tensor *infer_input(struct infer_builder *b, const char *name, const char *datatype,
                                size_t rank, const int64_t *dims);
/* Typed contents of an input, empty: fill its lists. */
Inference__InferTensorContents *infer_contents(struct infer_builder *b, infer_input_tensor *in);
void infer_raw(struct infer_builder *b, const void *bytes, size_t n);
void infer_output(struct infer_builder *b, const char *name);
/* A parameter without a value; set one in what comes back. */
Inference__InferParameter *infer_param(struct infer_builder *b, const char *name);
void infer_param_string(struct infer_builder *b, const char *name, const char *value);
void infer_tensor_param(struct infer_builder *b, infer_input_tensor *in, const char *name);

/* The message; it may be asked for again after changes. */
struct sl_span infer_bytes(struct infer_builder *b);
/* The same as a received body with one reference. */
struct gw_body *infer_body(struct infer_builder *b);
struct gw_body *body_of(struct sl_span bytes);

#endif
