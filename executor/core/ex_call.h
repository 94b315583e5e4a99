/* ex_call.h - what comes down from the gateway and what goes back up, as plain data. Pure.
 *
 * Memory   Everything is borrowed for the time of the function call that passes it.
 */
#ifndef EX_CALL_H
#define EX_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_blob.h"
#include "ex_param.h"
#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_shm_ref.h"
#include "sl_span.h"
#include "sl_time.h"

/* An input as the gateway names it: its bytes lie in the call's payload. */
struct ex_input {
    const char *name;
    enum sl_dtype dtype;
    const int64_t *dims;
    size_t rank;
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

/* A dispatched call. Unchecked but for its form: strings are NUL-terminated, arrays are as long as
 * their counts say. */
struct ex_call {
    uint64_t gateway_run; /* of the gateway; the link fills it in */
    uint64_t lease;
    uint32_t slice;
    const char *model;
    const char *version; /* "": whichever is here */
    uint64_t limit_us;
    const struct ex_param *params;
    size_t param_count;
    const struct ex_input *inputs;
    size_t input_count;
    const char *const *outputs; /* none: all */
    size_t output_count;
    struct sl_span payload; /* when it came with the call */
    uint64_t payload_bytes; /* else: how much comes by bulk, or lies in shared memory */
    struct sl_shm_ref shared;
    const char *call_id;
    uint32_t cpu_hint; /* 1 + the processor on which it is best served; 0: none */
};

/* A finished output. With a blob the bytes may be kept by holding it; without, they are gone when
 * the function returns. */
struct ex_output {
    const char *name;
    enum sl_dtype dtype;
    const int64_t *dims;
    size_t rank;
    struct sl_span bytes;
    struct ex_blob *blob;
};

/* How a call ended. */
struct ex_outcome {
    enum sl_reason reason; /* SL_REASON_OK: outputs; else text */
    const char *text;
    const struct ex_output *outputs;
    size_t output_count;
    bool started;
    sl_gpu_us held_us; /* 0 when it was not started */
    uint64_t record;   /* of the lease in the journal; 0: none */
    /* Of a call that ran together with others: its share of the run is held_us. */
    sl_gpu_us run_us;   /* how long the run held the slice; 0: it ran alone */
    uint32_t run_calls; /* that shared the run */
    uint32_t
        run_place; /* among those that are told their outputs, from 0; run_calls: it is not one */
};

#endif
