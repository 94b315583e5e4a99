/* gw_infer_reply.h - a ModelInferResponse as a list of pieces: its head written once, the tensor
 * bytes by reference. Pure.
 *
 * Memory   The list and the heads lie in the arena; tensor bytes are borrowed.
 */
#ifndef GW_INFER_REPLY_H
#define GW_INFER_REPLY_H

#include "gw_infer_check.h"

/* An output as the node sent it; payload_offset counts in the concatenation of the payload's
 * pieces. */
struct gw_result_output {
    struct sl_span name;
    enum sl_dtype dtype;
    const int64_t *dims;
    size_t rank;
    uint64_t payload_offset;
    uint64_t bytes;
};

struct gw_result_payload {
    const struct sl_span *pieces;
    size_t piece_count;
    uint64_t total_bytes;
};

struct gw_reply_message {
    struct sl_span *pieces;
    size_t piece_count;
    uint64_t total_bytes;
};

/* The reply to a plan's request: the outputs in the order asked for. id is the request's. Errors:
 * MODEL_ERROR (an output is missing, of another datatype, does not fit the model's shape, or does
 * not have the bytes of its shape), INTERNAL (places outside the payload), TOO_LARGE (4 GiB and
 * over), NO_CAPACITY (arena). */
bool gw_infer_reply(const struct gw_plan *plan, struct sl_span id,
                    const struct gw_result_output *outputs, size_t output_count,
                    const struct gw_result_payload *payload, struct sl_arena *arena,
                    struct gw_reply_message *out, struct sl_error *err);

#endif
