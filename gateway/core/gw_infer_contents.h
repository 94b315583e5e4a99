/* gw_infer_contents.h - typed tensor contents (InferTensorContents) as raw bytes. Pure.
 *
 * Source: Open Inference Protocol, "Tensor Data": which field carries which datatype. */
#ifndef GW_INFER_CONTENTS_H
#define GW_INFER_CONTENTS_H

#include <stdbool.h>

#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_span.h"

struct gw_contents_count {
    uint64_t elements;
    uint64_t raw_bytes; /* as a raw tensor */
    bool is_contiguous; /* raw already: raw_at is where it lies in the contents */
    size_t raw_at;
};

/* Counts what the contents hold for this datatype. name is for messages. Refused: a datatype
 * without typed form (FP16, BF16), a field of another datatype, garbled bytes. */
bool gw_contents_count(struct sl_span contents, enum sl_dtype dtype, struct sl_span name,
                       struct gw_contents_count *out, struct sl_error *err);

/* Writes raw_bytes bytes. Refused: a value that the datatype cannot hold. */
bool gw_contents_write(struct sl_span contents, enum sl_dtype dtype, struct sl_span name,
                       uint8_t *out, struct sl_error *err);

#endif
