/* gw_infer_check.h - does a peeked request fit its model, and where do its tensor bytes lie? Pure.
 *
 * Everything is checked before a call is queued: names, datatypes, shapes, and that shape x
 * datatype is exactly the number of bytes sent. The outcome is a plan: the inputs in the order of
 * the model's spec, each with its place in the payload, which is at most two pieces:
 *
 *   payload = message[message_part] ++ converted
 *
 * The first piece is the part of the received message that holds tensor bytes, by reference: raw
 * contents, and typed FP32/FP64 contents, which lie in the message as they are needed. Typed
 * contents of the other datatypes are written into `converted` by gw_plan_convert, once the caller
 * has found the memory.
 *
 * Errors   BAD_INPUT, TOO_LARGE (converted contents), NO_CAPACITY (arena), each with the name of
 *          what is wrong, its value and what was expected.
 * Memory   Lists lie in the arena; specs are borrowed.
 */
#ifndef GW_INFER_CHECK_H
#define GW_INFER_CHECK_H

#include "gw_infer_peek.h"
#include "gw_model.h"

struct gw_plan_input {
    const struct gw_peek_input *said; /* name, dims and rank as the caller sent them */
    enum sl_dtype dtype;
    bool is_converted;
    struct gw_range source;  /* in the message: raw bytes, or the typed contents to convert */
    uint64_t payload_offset; /* in the payload */
    uint64_t bytes;
};

struct gw_plan {
    const struct gw_model_spec *model;
    struct gw_plan_input *inputs; /* model->input_count, in the spec's order */
    size_t *outputs;              /* indices into the spec, in the order of the reply */
    size_t output_count;
    struct gw_range message_part;
    uint64_t converted_bytes;
};

/* Names, datatypes and shapes of the inputs that a peek has found so far: a request that cannot fit
 * is refused before its tensors are received. */
bool gw_plan_check_inputs(const struct gw_peek *peek, const uint8_t *message,
                          const struct gw_model_spec *model, struct sl_error *err);

/* max_bytes bounds what typed contents may grow to. */
bool gw_plan_make(struct gw_plan *plan, const struct gw_peek *peek, const uint8_t *message,
                  const struct gw_model_spec *model, uint64_t max_bytes, struct sl_arena *arena,
                  struct sl_error *err);

/* Writes the converted contents; out has plan->converted_bytes. The contents were counted by
 * gw_plan_make; values that do not fit the datatype (300 as UINT8) are refused here. */
bool gw_plan_convert(const struct gw_plan *plan, const uint8_t *message, uint8_t *out,
                     struct sl_error *err);

static inline uint64_t gw_plan_payload_bytes(const struct gw_plan *plan)
{
    return plan->message_part.length + plan->converted_bytes;
}

#endif
