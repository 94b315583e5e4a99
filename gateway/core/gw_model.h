/* gw_model.h - a model as the gateway knows it: what executors announced, merged by name. Pure
 * data. */
#ifndef GW_MODEL_H
#define GW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sl_dtype.h"
#include "sl_span.h"

enum { GW_TENSORS_MAX = 64 };

struct gw_tensor_spec {
    const char *name;
    enum sl_dtype dtype;
    int64_t dims[SL_RANK_MAX]; /* -1: free */
    size_t rank;
};

struct gw_model_spec {
    const char *name;
    const char *version;
    const char *engine;
    const struct gw_tensor_spec *inputs;
    size_t input_count;
    const struct gw_tensor_spec *outputs;
    size_t output_count;
    int64_t duration_us;     /* of a call that does not say, unless duration says how */
    const char *duration;    /* gw_duration.h: "", "auto" or an expression; NULL is "" */
    int64_t max_duration_us; /* the most a call may ask for */
    const char *size;        /* of a call that does not say; "" or NULL: the first there is */
    uint32_t max_batch;      /* items of several calls that may run together; 1: none */
    const char *problem;     /* "": ready; else why it cannot run */
};

/* Do calls of this model that do not say take what its calls took before? */
bool gw_model_is_auto(const struct gw_model_spec *m);
/* Does it have an expression for them? */
bool gw_model_has_expression(const struct gw_model_spec *m);

/* Index of the tensor of that name; count when there is none. */
size_t gw_tensor_find(const struct gw_tensor_spec *specs, size_t count, struct sl_span name);

#endif
