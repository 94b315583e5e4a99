#include "gw_method.h"

#include <string.h>

#include "sl_base.h"

struct row {
    const char *path;
    size_t path_len;
    bool carries_tensors;
};

static const struct row rows[] = {[GW_METHOD_UNKNOWN] = {"", 0, false},
#define GW_METHOD_ROW(name, path, tensors) [GW_METHOD_##name] = {path, sizeof(path) - 1, tensors},
                                  GW_METHOD_MAP(GW_METHOD_ROW)
#undef GW_METHOD_ROW
};

enum gw_method gw_method_find(struct sl_span path)
{
    for (int m = GW_METHOD_UNKNOWN + 1; m < GW_METHOD_COUNT; m++)
        if (sl_span_eq(path, sl_span_of(rows[m].path, rows[m].path_len)))
            return (enum gw_method)m;
    return GW_METHOD_UNKNOWN;
}

const char *gw_method_path(enum gw_method m)
{
    return m < GW_METHOD_COUNT ? rows[m].path : "";
}

bool gw_method_carries_tensors(enum gw_method m)
{
    return m < GW_METHOD_COUNT && rows[m].carries_tensors;
}

struct absent {
    const char *name; /* after GW_INFERENCE */
    const char *why;
};

#define NO_STREAMS                                                                                 \
    "Streaming inference is not offered: a call holds its slice from its start to its one "        \
    "answer. "                                                                                     \
    "Use ModelInfer."
#define NO_REGIONS "Shared memory of clients is not offered: send the tensor's bytes."
#define NO_LOADING                                                                                 \
    "Models are loaded when an executor starts, from its repository; clients cannot load or "      \
    "unload "                                                                                      \
    "them."

static const struct absent absents[] = {
    {"ModelStreamInfer", NO_STREAMS},
    {"ModelConfig",
     "There is no Triton model configuration here: ModelMetadata has what it says of "
     "inputs and outputs."},
    {"RepositoryModelLoad", NO_LOADING},
    {"RepositoryModelUnload", NO_LOADING},
    {"SystemSharedMemoryStatus", NO_REGIONS},
    {"SystemSharedMemoryRegister", NO_REGIONS},
    {"SystemSharedMemoryUnregister", NO_REGIONS},
    {"CudaSharedMemoryStatus", NO_REGIONS},
    {"CudaSharedMemoryRegister", NO_REGIONS},
    {"CudaSharedMemoryUnregister", NO_REGIONS},
    {"TraceSetting", "Traces are not set by clients: send traceparent with each call."},
    {"LogSettings", "The log is not set by clients: log.level is a key of the configuration."},
};

const char *gw_method_why_not(struct sl_span path)
{
    const size_t prefix = sizeof(GW_INFERENCE) - 1;
    if (path.len < prefix || memcmp(path.data, GW_INFERENCE, prefix) != 0)
        return NULL;
    struct sl_span name = sl_span_of(path.data + prefix, path.len - prefix);
    for (size_t i = 0; i < SL_ARRAY_LEN(absents); i++)
        if (sl_span_eq_str(name, absents[i].name))
            return absents[i].why;
    return NULL;
}
