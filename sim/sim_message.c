/* sim_message.c - requests for models that have one tensor in and one number out. */
#include <string.h>

#include "gw_pb.h"
#include "sim_day_int.h"

enum { HEADS_BYTES = 96 };

const struct gw_tensor_spec sim_input_spec = {"IN", SL_DTYPE_INT64, {-1}, 1};
const struct gw_tensor_spec sim_output_spec = {"OUT", SL_DTYPE_INT64, {1}, 1};

struct gw_body *sim_message_make(const char *model, size_t values)
{
    uint8_t input[64], shape[GW_PB_VARINT_MAX], *p = input;
    size_t shape_len = (size_t)(gw_pb_put_varint(shape, values) - shape);
    size_t tensor_bytes = values * sizeof(int64_t);
    struct gw_body *b =
        gw_body_create(&sl_alloc_malloc, strlen(model) + HEADS_BYTES + tensor_bytes);
    if (b == NULL)
        return NULL;
    p = gw_pb_put_bytes(p, 1, sl_span_str(sim_input_spec.name));
    p = gw_pb_put_bytes(p, 2, sl_span_str("INT64"));
    p = gw_pb_put_bytes(p, 3, sl_span_of(shape, shape_len));
    uint8_t *q = gw_pb_put_bytes(b->data, 1, sl_span_str(model));
    q = gw_pb_put_bytes(q, 5, sl_span_of(input, (size_t)(p - input)));
    q = gw_pb_put_head(q, 7, tensor_bytes);
    memset(q, 0, tensor_bytes);
    b->len = (size_t)(q - b->data) + tensor_bytes;
    return b;
}
