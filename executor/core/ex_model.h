/* ex_model.h - what a model says of itself (model.yaml), checked. Pure data and pure checks;
 * reading the file is executor/engine/ex_model_file's job. */
#ifndef EX_MODEL_H
#define EX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_time.h"

enum { EX_TENSORS_MAX = 64, EX_NAME_MAX = 127, EX_OPTIONS_MAX = 64 };

struct ex_tensor_spec {
    const char *name;
    enum sl_dtype dtype;
    int64_t dims[SL_RANK_MAX]; /* -1: free */
    size_t rank;
};

/* One key of the engine's own section of model.yaml, as text: "library" = "/x/y.so". */
struct ex_option {
    const char *name;
    const char *value;
};

/* Strings and arrays belong to who made the spec (ex_model_file). */
struct ex_model_spec {
    const char *name;        /* the directory's name: 1 to EX_NAME_MAX of [A-Za-z0-9._-] */
    const char *version;     /* the newest version directory's name, or "1" without one */
    const char *dir;         /* the model's directory */
    const char *version_dir; /* DIR/VERSION, or dir without one */
    const char *engine;
    const struct ex_tensor_spec *inputs;
    size_t input_count;
    const struct ex_tensor_spec *outputs;
    size_t output_count;
    int64_t duration_us; /* of a call that does not say; default 60 s */
    /* How the gateway tells it instead: "auto", or an expression in Lua, which is not looked at here. "":
     * duration_us it is; else duration_us is for gateways that know no other. */
    const char *duration;
    int64_t max_duration_us; /* default 300 s */
    const char *size;        /* of the slice, by the gateway's table; "": its first one */
    int64_t max_batch;       /* items that run together, 1 to EX_BATCH_MAX; 1: each call alone */
    int64_t batch_delay_us;  /* how long the first of them waits for others that are likely */
    const struct ex_option *options;
    size_t option_count;
};

/* The option's text, or fallback. */
const char *ex_model_option(const struct ex_model_spec *m, const char *name, const char *fallback);
/* Index of the tensor of that name; count when there is none. */
size_t ex_tensor_find(const struct ex_tensor_spec *specs, size_t count, struct sl_span name);

/* A number for all that callers and workers must agree on: FNV-1a (64 bits) of the lines
 * "ENGINE VERSION\n", then for each input "in NAME DATATYPE SHAPE\n" and for each output
 * "out NAME DATATYPE SHAPE\n", with shapes as sl_shape_format writes them. */
uint64_t ex_model_fingerprint(const struct ex_model_spec *m);

/* Does a tensor of these dims and raw bytes suit the spec? False: *err is BAD_INPUT with a sentence
 * that names tensor, value and what was expected. For BYTES only the shape is looked at; its
 * content is sl_bytes_tensor_check's job. */
bool ex_tensor_check(const struct ex_tensor_spec *spec, const int64_t *dims, size_t rank,
                     uint64_t bytes, struct sl_error *err);

#endif
