/* gw_method.h - the gRPC methods that the gateway answers: path to number, and what each may carry,
 * and for whom it is.
 * Pure. */
#ifndef GW_METHOD_H
#define GW_METHOD_H

#include <stdbool.h>

#include "sl_span.h"

#define GW_INFERENCE "/inference.GRPCInferenceService/"
#define GW_VISITOR   "/sluice.v1.Visitor/"
#define GW_ADMIN     "/sluice.v1.Admin/"
#define GW_HEALTH    "/grpc.health.v1.Health/"

/* X(NAME, path, carries tensors: up to the configured message limit instead of GW_SMALL_MESSAGE_MAX,
 * for whom it is) */
#define GW_METHOD_MAP(X)                                                                           \
    X(SERVER_LIVE, GW_INFERENCE "ServerLive", false, EVERYBODY)                                    \
    X(SERVER_READY, GW_INFERENCE "ServerReady", false, EVERYBODY)                                  \
    X(MODEL_READY, GW_INFERENCE "ModelReady", false, EVERYBODY)                                    \
    X(SERVER_METADATA, GW_INFERENCE "ServerMetadata", false, EVERYBODY)                            \
    X(MODEL_METADATA, GW_INFERENCE "ModelMetadata", false, EVERYBODY)                              \
    X(MODEL_INFER, GW_INFERENCE "ModelInfer", true, CALLERS)                                       \
    X(MODEL_STATISTICS, GW_INFERENCE "ModelStatistics", false, CALLERS)                            \
    X(REPOSITORY_INDEX, GW_INFERENCE "RepositoryIndex", false, CALLERS)                            \
    X(HEALTH_CHECK, GW_HEALTH "Check", false, EVERYBODY)                                           \
    X(GET_QUOTA, GW_VISITOR "GetQuota", false, CALLERS)                                            \
    X(LIST_RECEIPTS, GW_VISITOR "ListReceipts", false, CALLERS)                                    \
    X(GET_RESULT, GW_VISITOR "GetResult", false, CALLERS)                                          \
    X(GET_CALL, GW_VISITOR "GetCall", false, CALLERS)                                              \
    X(WATCH_CALL, GW_VISITOR "WatchCall", false, CALLERS)                                          \
    X(CANCEL_CALL, GW_VISITOR "CancelCall", false, CALLERS)                                        \
    X(ISSUE_VISITOR_TOKEN, GW_VISITOR "IssueVisitorToken", false, CALLERS)                         \
    X(GET_STATUS, GW_ADMIN "GetStatus", false, ADMINS)                                             \
    X(GET_TOP, GW_ADMIN "GetTop", false, ADMINS)                                                   \
    X(LIST_NODES, GW_ADMIN "ListNodes", false, ADMINS)                                             \
    X(DRAIN_NODE, GW_ADMIN "DrainNode", false, ADMINS)                                             \
    X(UNDRAIN_NODE, GW_ADMIN "UndrainNode", false, ADMINS)                                         \
    X(LIST_MODELS, GW_ADMIN "ListModels", false, CALLERS)                                          \
    X(CREATE_TOKEN, GW_ADMIN "CreateToken", false, ADMINS)                                         \
    X(LIST_TOKENS, GW_ADMIN "ListTokens", false, ADMINS)                                           \
    X(REVOKE_TOKEN, GW_ADMIN "RevokeToken", false, ADMINS)                                         \
    X(LIST_TIERS, GW_ADMIN "ListTiers", false, ADMINS)                                             \
    X(GET_ACCOUNT, GW_ADMIN "GetAccount", false, ADMINS)                                           \
    X(LIST_ACCOUNTS, GW_ADMIN "ListAccounts", false, ADMINS)                                       \
    X(REGISTER_APP, GW_ADMIN "RegisterApp", false, ADMINS)                                         \
    X(LIST_APPS, GW_ADMIN "ListApps", false, ADMINS)                                               \
    X(REMOVE_APP, GW_ADMIN "RemoveApp", false, ADMINS)                                             \
    X(PAUSE_APP, GW_ADMIN "PauseApp", false, ADMINS)                                               \
    X(RESUME_APP, GW_ADMIN "ResumeApp", false, ADMINS)                                             \
    X(EXPORT_USAGE, GW_ADMIN "ExportUsage", false, ADMINS)                                         \
    X(GRANT_TIME, GW_ADMIN "GrantTime", false, ADMINS)                                             \
    X(LIST_GRANTS, GW_ADMIN "ListGrants", false, ADMINS)                                           \
    X(BLOCK_VISITOR, GW_ADMIN "BlockVisitor", false, ADMINS)                                       \
    X(UNBLOCK_VISITOR, GW_ADMIN "UnblockVisitor", false, ADMINS)                                   \
    X(LIST_BLOCKS, GW_ADMIN "ListBlocks", false, ADMINS)

enum { GW_SMALL_MESSAGE_MAX = 32 * 1024 };

enum gw_method {
    GW_METHOD_UNKNOWN,
#define GW_METHOD_ENUM(name, path, tensors, audience) GW_METHOD_##name,
    GW_METHOD_MAP(GW_METHOD_ENUM)
#undef GW_METHOD_ENUM
        GW_METHOD_COUNT
};

enum gw_audience {
    GW_FOR_EVERYBODY, /* who asks is not looked at: probes of load balancers */
    GW_FOR_CALLERS,   /* whoever may call, by token, cookie or address */
    GW_FOR_ADMINS,
};

enum gw_method gw_method_find(struct sl_span path);
const char *gw_method_path(enum gw_method m); /* "" for UNKNOWN; static */
bool gw_method_carries_tensors(enum gw_method m);
enum gw_audience gw_method_audience(enum gw_method m); /* ADMINS for UNKNOWN */
/* Of a method that clients know from elsewhere and that is not offered here: a sentence that says why and what
 * there is instead; static. NULL: nobody knows such a method. */
const char *gw_method_why_not(struct sl_span path);

#endif
