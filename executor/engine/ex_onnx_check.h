/* ex_onnx_check.h - does a network's own description agree with model.yaml?
 *
 * Each input of the network stands in model.yaml and the other way round; each output of model.yaml
 * is one of the network's. Datatypes and ranks are equal; a dimension that the network fixes is
 * fixed to the same number in model.yaml.
 */
#ifndef EX_ONNX_CHECK_H
#define EX_ONNX_CHECK_H

#include <stdbool.h>

#include "ex_model.h"
#include "ex_ort.h"

/* False: *err is MODEL_ERROR and names the tensor, what the network says, what model.yaml says. */
bool ex_onnx_check(const struct ex_ort *o, const struct ort_session *session,
                   const struct ex_model_spec *spec, struct sl_error *err);

/* The runtime's number for a datatype and back; ORT_ELEMENT_UNDEFINED and SL_DTYPE_INVALID for what
 * the other side does not have. BYTES has none: text networks are not served. */
int ex_onnx_element(enum sl_dtype dtype);
enum sl_dtype ex_onnx_dtype(int element);

#endif
