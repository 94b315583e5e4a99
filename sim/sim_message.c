/* sim_message.c - requests for models that have one small tensor in and one out. */
#include <string.h>

#include "gw_pb.h"
#include "sim_day_int.h"

enum { TENSOR_BYTES = 8, HEADS_BYTES = 96 };

const struct gw_tensor_spec sim_input_spec = {"IN", SL_DTYPE_INT64, {1}, 1};
const struct gw_tensor_spec sim_output_spec = {"OUT", SL_DTYPE_INT64, {1}, 1};

struct gw_body *sim_message_make(const char *model)
{
    uint8_t input[64], *p = input;
    static const uint8_t shape[] = {1};
    struct gw_body *b =
        gw_body_create(&sl_alloc_malloc, strlen(model) + HEADS_BYTES + TENSOR_BYTES);
    if (b == NULL)
        return NULL;
    p = gw_pb_put_bytes(p, 1, sl_span_str(sim_input_spec.name));
    p = gw_pb_put_bytes(p, 2, sl_span_str("INT64"));
    p = gw_pb_put_bytes(p, 3, sl_span_of(shape, sizeof shape));
    uint8_t *q = gw_pb_put_bytes(b->data, 1, sl_span_str(model));
    q = gw_pb_put_bytes(q, 5, sl_span_of(input, (size_t)(p - input)));
    q = gw_pb_put_head(q, 7, TENSOR_BYTES);
    memset(q, 0, TENSOR_BYTES);
    b->len = (size_t)(q - b->data) + TENSOR_BYTES;
    return b;
}
