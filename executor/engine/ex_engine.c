/* ex_engine.c - the engines by name, and what they share. */
#include "ex_engine.h"

#include <string.h>

#include "ex_model.h"
#include "sl_base.h"

static const struct ex_engine *const engines[] = {
    &ex_engine_identity,
    &ex_engine_fake,
    &ex_engine_onnx,
};

const struct ex_engine *ex_engine_find(const char *name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(engines); i++) {
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    }
    return NULL;
}

const char *const *ex_engine_names(void)
{
    static const char *const names[] = {"identity", "fake", "onnx", NULL};
    _Static_assert(SL_ARRAY_LEN(names) == SL_ARRAY_LEN(engines) + 1, "one name for each engine");
    return names;
}

void *ex_sink_take(struct ex_sink *sink, const struct ex_model_spec *spec, size_t index,
                   const int64_t *dims, size_t rank, size_t bytes, struct sl_error *err)
{
    const struct ex_tensor_spec *output = &spec->outputs[index];
    void *p = sink->take(sink, index, output->dtype, dims, rank, bytes);
    if (p == NULL)
        sl_error_set(err, SL_REASON_OUT_OF_MEMORY, "out of memory: output %s needs %zu bytes",
                     output->name, bytes);
    return p;
}
