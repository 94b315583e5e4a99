/* gw_method.h - the gRPC methods that the gateway answers: path to number, and what each may carry.
 * Pure. */
#ifndef GW_METHOD_H
#define GW_METHOD_H

#include <stdbool.h>

#include "sl_span.h"

#define GW_INFERENCE "/inference.GRPCInferenceService/"
#define GW_ADMIN     "/sluice.v1.Admin/"
#define GW_HEALTH    "/grpc.health.v1.Health/"

/* X(NAME, path, carries tensors: up to the configured message limit instead of
 * GW_SMALL_MESSAGE_MAX) */
#define GW_METHOD_MAP(X)                                                                           \
    X(SERVER_LIVE, GW_INFERENCE "ServerLive", false)                                               \
    X(SERVER_READY, GW_INFERENCE "ServerReady", false)                                             \
    X(MODEL_READY, GW_INFERENCE "ModelReady", false)                                               \
    X(SERVER_METADATA, GW_INFERENCE "ServerMetadata", false)                                       \
    X(MODEL_METADATA, GW_INFERENCE "ModelMetadata", false)                                         \
    X(MODEL_INFER, GW_INFERENCE "ModelInfer", true)                                                \
    X(MODEL_STATISTICS, GW_INFERENCE "ModelStatistics", false)                                     \
    X(REPOSITORY_INDEX, GW_INFERENCE "RepositoryIndex", false)                                     \
    X(HEALTH_CHECK, GW_HEALTH "Check", false)                                                      \
    X(GET_STATUS, GW_ADMIN "GetStatus", false)                                                     \
    X(LIST_NODES, GW_ADMIN "ListNodes", false)                                                     \
    X(LIST_MODELS, GW_ADMIN "ListModels", false)

enum { GW_SMALL_MESSAGE_MAX = 32 * 1024 };

enum gw_method {
    GW_METHOD_UNKNOWN,
#define GW_METHOD_ENUM(name, path, tensors) GW_METHOD_##name,
    GW_METHOD_MAP(GW_METHOD_ENUM)
#undef GW_METHOD_ENUM
        GW_METHOD_COUNT
};

enum gw_method gw_method_find(struct sl_span path);
const char *gw_method_path(enum gw_method m); /* "" for UNKNOWN; static */
bool gw_method_carries_tensors(enum gw_method m);
/* Of a method that clients know from elsewhere and that is not offered here: a sentence that says why and what
 * there is instead; static. NULL: nobody knows such a method. */
const char *gw_method_why_not(struct sl_span path);

#endif
