/* gw_infer_peek.h - what a ModelInferRequest says, found without unpacking it. Pure.
 *
 * The peek walks the top-level fields, notes where names, shapes, parameters and tensor bytes lie,
 * and never looks into raw tensor bytes. It can be fed while the message is still arriving: what it
 * keeps are offsets from the message's start, so the bytes may move between two feeds (from a first
 * window to the whole message). A field that is not all there yet is looked at again at the next
 * feed; raw tensor bytes need not be there to be passed over.
 *
 * Memory   Lists grow in the arena given; strings are ranges of the message.
 * Limits   GW_PEEK_TENSORS_MAX inputs, outputs and raw contents, GW_PEEK_PARAMS_MAX parameters of
 *          GW_PEEK_PARAMS_BYTES_MAX in all,
 *          SL_RANK_MAX dimensions, GW_PEEK_NAME_MAX bytes of a name; strings are UTF-8 without NUL.
 * Errors   BAD_INPUT with a sentence; the peek must not be fed again.
 */
#ifndef GW_INFER_PEEK_H
#define GW_INFER_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_arena.h"
#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_span.h"

enum {
    GW_PEEK_TENSORS_MAX = 64,
    GW_PEEK_PARAMS_MAX = 64,
    GW_PEEK_PARAMS_BYTES_MAX = 32 * 1024, /* names and texts; a job's record has room for them */
    GW_PEEK_NAME_MAX = 255,
    GW_PEEK_TEXT_MAX = 4096
};

struct gw_range {
    size_t offset;
    size_t length;
};

struct gw_peek_input {
    struct gw_range name;
    struct gw_range datatype;
    int64_t dims[SL_RANK_MAX];
    size_t rank;
    bool has_contents;
    struct gw_range contents; /* of the InferTensorContents message */
};

enum gw_param_kind {
    GW_PARAM_NONE,
    GW_PARAM_BOOL,
    GW_PARAM_INT,
    GW_PARAM_STRING,
    GW_PARAM_DOUBLE,
    GW_PARAM_UINT
};
struct gw_peek_param {
    struct gw_range name;
    enum gw_param_kind kind;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        struct gw_range s;
    } value;
};

struct gw_peek {
    struct sl_arena *arena;
    size_t at; /* first byte not looked at yet */
    struct gw_range model_name;
    struct gw_range model_version;
    struct gw_range id;
    struct gw_peek_input *inputs;
    size_t input_count, input_room;
    struct gw_range *outputs; /* names asked for */
    size_t output_count, output_room;
    struct gw_range *raws;
    size_t raw_count, raw_room;
    struct gw_peek_param *params;
    size_t param_count, param_room;
    size_t param_bytes; /* names and texts */
};

void gw_peek_init(struct gw_peek *p, struct sl_arena *arena);

/* Looks at message, of which `arrived` bytes are there and which is total_bytes long in the end.
 * Returns false with *err filled when the message cannot be accepted. With arrived == total_bytes
 * the peek is complete, or it is an error. */
bool gw_peek_feed(struct gw_peek *p, const uint8_t *message, size_t arrived, size_t total_bytes,
                  struct sl_error *err);

static inline struct sl_span gw_range_span(const uint8_t *message, struct gw_range r)
{
    return sl_span_of(message + r.offset, r.length);
}

#endif
