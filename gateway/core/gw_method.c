#include "gw_method.h"

#include "sl_base.h"

struct row {
    const char *path;
    size_t path_len;
    bool carries_tensors;
    enum gw_audience audience;
};

static const struct row rows[] = {[GW_METHOD_UNKNOWN] = {"", 0, false, GW_FOR_ADMINS},
#define GW_METHOD_ROW(name, path, tensors, audience)                                               \
    [GW_METHOD_##name] = {path, sizeof(path) - 1, tensors, GW_FOR_##audience},
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

enum gw_audience gw_method_audience(enum gw_method m)
{
    return m < GW_METHOD_COUNT ? rows[m].audience : GW_FOR_ADMINS;
}

struct absent {
    const char *path;
    const char *why;
};

#define NO_STREAMS                                                                                 \
    "Streaming inference is not offered: a call has one answer, at its end. Use ModelInfer."
#define NO_REGIONS "Shared memory of clients is not offered: send the tensor's bytes."
#define NO_LOADING "Clients cannot load or unload models: that is done when an executor starts."

#define GW_REFLECTION(version) "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo"
#define NO_REFLECTION                                                                              \
    "Reflection is not offered: the definitions are published as the Open Inference Protocol."

static const struct absent absents[] = {
    {GW_INFERENCE "ModelStreamInfer", NO_STREAMS},
    {GW_INFERENCE "ModelConfig",
     "There is no Triton model configuration here: ModelMetadata has what it says of "
     "inputs and outputs."},
    {GW_INFERENCE "RepositoryModelLoad", NO_LOADING},
    {GW_INFERENCE "RepositoryModelUnload", NO_LOADING},
    {GW_INFERENCE "SystemSharedMemoryStatus", NO_REGIONS},
    {GW_INFERENCE "SystemSharedMemoryRegister", NO_REGIONS},
    {GW_INFERENCE "SystemSharedMemoryUnregister", NO_REGIONS},
    {GW_INFERENCE "CudaSharedMemoryStatus", NO_REGIONS},
    {GW_INFERENCE "CudaSharedMemoryRegister", NO_REGIONS},
    {GW_INFERENCE "CudaSharedMemoryUnregister", NO_REGIONS},
    {GW_INFERENCE "TraceSetting",
     "Traces are not set by clients: send traceparent with each call."},
    {GW_INFERENCE "LogSettings",
     "The log is not set by clients: log.level is a key of the configuration."},
    {GW_HEALTH "Watch", "Health is not watched here: ask Check."},
    {GW_REFLECTION("v1"), NO_REFLECTION},
    {GW_REFLECTION("v1alpha"), NO_REFLECTION},
};

const char *gw_method_why_not(struct sl_span path)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(absents); i++)
        if (sl_span_eq_str(path, absents[i].path))
            return absents[i].why;
    return NULL;
}
