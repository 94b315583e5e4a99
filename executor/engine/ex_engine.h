/* ex_engine.h - what an engine is: five deeds on a model, behind one table of functions.
 *
 * An engine runs inside a sluice-worker process, one model instance per process, one thread. The
 * worker loads the model on the CPU at its start, attaches it to its slice, runs one call at a
 * time, and is killed when it overruns: an engine need not defend itself against a call that never
 * ends.
 *
 * On a call's way:  worker -> [attach] -> [run ...] -> [detach]
 *
 * Errors   Deeds return true, or false with *err filled (MODEL_ERROR unless said otherwise) and
 *          nothing changed: a failed load leaves no model, a failed attach leaves it detached, a
 *          failed run leaves it ready for the next run.
 * Memory   Inputs are borrowed for the run and read-only (they lie in shared memory). Outputs are
 *          asked from the sink, which owns them: an engine writes its result where it will be sent
 *          from. What was taken from the sink before a failed run is dropped by the worker.
 */
#ifndef EX_ENGINE_H
#define EX_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ex_param.h"
#include "ex_slice.h"
#include "sl_dtype.h"
#include "sl_reason.h"
#include "sl_span.h"

struct ex_model_spec; /* executor/core/ex_model.h */

/* An input or a finished output. */
struct ex_tensor {
    const char *name;
    enum sl_dtype dtype;
    const int64_t *dims;
    size_t rank;
    struct sl_span raw; /* row-major, little-endian; BYTES with length prefixes */
};

/* One call as an engine sees it. Everything is borrowed for the run. */
struct ex_run {
    const char *call_id;
    const struct ex_tensor *inputs; /* complete, checked against the model's spec, in its order */
    size_t input_count;
    const struct ex_param *params;
    size_t param_count;
    const bool *wanted; /* for each output of the spec: is it asked for? */
    /* Does nobody wait for it any more? An engine that can stop in the middle of a run asks now and then, which costs
     * a load, or is told by `interrupt`, and fails with CANCELLED; one that cannot is killed with its process a
     * little later. */
    bool (*is_cancelled)(const struct ex_run *run);
    const void *asked; /* is_cancelled's own */
};

/* Where outputs go. `index` is the output's place in the model's spec; a wanted output is taken
 * once, and no other is taken. */
struct ex_sink {
    /* bytes of memory for the output, 64-aligned, not zeroed; never NULL for 0 bytes. NULL when
     * there is none (answer OUT_OF_MEMORY). */
    void *(*take)(struct ex_sink *sink, size_t index, enum sl_dtype dtype, const int64_t *dims,
                  size_t rank, size_t bytes);
};

/* Takes memory for output `index` of the spec, or sets *err to OUT_OF_MEMORY and returns NULL. */
void *ex_sink_take(struct ex_sink *sink, const struct ex_model_spec *spec, size_t index,
                   const int64_t *dims, size_t rank, size_t bytes, struct sl_error *err);

struct ex_engine {
    const char *name; /* as in model.yaml */
    /* Reads the model of spec (borrowed; outlives the model) into CPU memory. cpu_threads >= 1. */
    bool (*load)(const struct ex_model_spec *spec, uint32_t cpu_threads, void **out_model,
                 struct sl_error *err);
    /* Ties the model to a slice; slice is borrowed until detach. */
    bool (*attach)(void *model, const struct ex_slice *slice, struct sl_error *err);
    bool (*run)(void *model, const struct ex_run *run, struct ex_sink *sink, struct sl_error *err);
    /* The run under way has been cancelled (is_cancelled says so already): end it soon. Called between any two
     * instructions of it, in a signal's handler, on any thread: a flag may be set, and little more. NULL: the
     * engine asks by itself, or does not stop. */
    void (*interrupt)(void *model);
    void (*detach)(void *model);
    void (*unload)(void *model); /* NULL is fine */
};

extern const struct ex_engine ex_engine_identity; /* i-th output is the i-th input */
extern const struct ex_engine ex_engine_fake;     /* scripted times, results and failures */
extern const struct ex_engine ex_engine_onnx;     /* ONNX Runtime, opened at run time */

/* By name; NULL when there is none. names() is NULL-terminated. */
const struct ex_engine *ex_engine_find(const char *name);
const char *const *ex_engine_names(void);

#endif
