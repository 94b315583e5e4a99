/* engine_rig.h - an engine in the test's own process: a model from a text, runs, outputs in memory. */
#ifndef ENGINE_RIG_H
#define ENGINE_RIG_H

#include "ex_engine.h"
#include "ex_model.h"
#include "ex_model_file.h"
#include "sl_buf.h"

struct rig_output {
    bool is_taken;
    enum sl_dtype dtype;
    int64_t dims[SL_RANK_MAX];
    size_t rank;
    size_t bytes;
    uint8_t *data; /* 64-aligned, freed with the next run */
};

struct engine_rig {
    char dir[64];
    struct ex_model_file *file;
    const struct ex_model_spec *spec;
    const struct ex_engine *engine;
    void *model;
    struct sl_error err; /* of the last deed */
    struct ex_sink sink;
    struct rig_output outputs[EX_TENSORS_MAX];
    size_t max_bytes;          /* larger outputs find no memory */
    _Atomic bool is_cancelled; /* what runs are told that ask */
};

/* Writes model.yaml into a fresh directory, links `files` (NULL-ended, may be NULL) into it, and reads
 * it. Fails the test when model.yaml is bad. */
void engine_rig_open(struct engine_rig *r, const char *yaml, const char *const *files);
/* Loads and attaches to a CPU slice of two threads; false: r->err. */
bool engine_rig_load(struct engine_rig *r);
void engine_rig_close(struct engine_rig *r);

/* One run with all outputs wanted, or those of `wanted`. */
bool engine_rig_run(struct engine_rig *r, const struct ex_tensor *inputs, size_t input_count,
                    const struct ex_param *params, size_t param_count, const bool *wanted);

/* An input of these bytes. */
struct ex_tensor rig_tensor(const struct ex_tensor_spec *spec, const int64_t *dims,
                            const void *bytes, size_t len);

#endif
