/* sl_reason.h - why a call ended as it did, as its caller is told: one table of reason, gRPC code,
 * HTTP code. The names are a contract; add rows, never rename one. */
#ifndef SL_REASON_H
#define SL_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "sl_base.h"

/* The canonical gRPC codes (grpc/grpc, doc/statuscodes.md). */
enum sl_grpc_code {
    SL_GRPC_OK = 0,
    SL_GRPC_CANCELLED = 1,
    SL_GRPC_UNKNOWN = 2,
    SL_GRPC_INVALID_ARGUMENT = 3,
    SL_GRPC_DEADLINE_EXCEEDED = 4,
    SL_GRPC_NOT_FOUND = 5,
    SL_GRPC_ALREADY_EXISTS = 6,
    SL_GRPC_PERMISSION_DENIED = 7,
    SL_GRPC_RESOURCE_EXHAUSTED = 8,
    SL_GRPC_FAILED_PRECONDITION = 9,
    SL_GRPC_ABORTED = 10,
    SL_GRPC_OUT_OF_RANGE = 11,
    SL_GRPC_UNIMPLEMENTED = 12,
    SL_GRPC_INTERNAL = 13,
    SL_GRPC_UNAVAILABLE = 14,
    SL_GRPC_DATA_LOSS = 15,
    SL_GRPC_UNAUTHENTICATED = 16,
};

/* X(NAME, gRPC code, HTTP code) */
#define SL_REASON_MAP(X)                                                                           \
    X(OK, OK, 200)                                                                                 \
    X(QUOTA_EXCEEDED, RESOURCE_EXHAUSTED, 429)                                                     \
    X(DURATION_TOO_LONG, INVALID_ARGUMENT, 400)                                                    \
    X(SIZE_UNAVAILABLE, FAILED_PRECONDITION, 409)                                                  \
    X(QUEUE_FULL, RESOURCE_EXHAUSTED, 429)                                                         \
    X(ALLOCATION_TIMEOUT, UNAVAILABLE, 503)                                                        \
    X(DURATION_EXCEEDED, DEADLINE_EXCEEDED, 504)                                                   \
    X(OUT_OF_MEMORY, RESOURCE_EXHAUSTED, 507)                                                      \
    X(MODEL_ERROR, INTERNAL, 500)                                                                  \
    X(EXECUTOR_LOST, UNAVAILABLE, 503)                                                             \
    X(DEVICE_FAULT, UNAVAILABLE, 503)                                                              \
    X(NO_CAPACITY, UNAVAILABLE, 503)                                                               \
    X(DRAINING, UNAVAILABLE, 503)                                                                  \
    X(MODEL_NOT_FOUND, NOT_FOUND, 404)                                                             \
    X(BAD_INPUT, INVALID_ARGUMENT, 400)                                                            \
    X(TOO_LARGE, RESOURCE_EXHAUSTED, 413)                                                          \
    X(UNAUTHENTICATED, UNAUTHENTICATED, 401)                                                       \
    X(NOT_TRUSTED, PERMISSION_DENIED, 403)                                                         \
    X(HOSTING_LIMIT, FAILED_PRECONDITION, 409)                                                     \
    X(RESULT_GONE, NOT_FOUND, 410)                                                                 \
    X(PREEMPTED, UNAVAILABLE, 503)                                                                 \
    X(CANCELLED, CANCELLED, 499)                                                                   \
    X(DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, 504)                                                   \
    X(UNIMPLEMENTED, UNIMPLEMENTED, 501)                                                           \
    X(INTERNAL, INTERNAL, 500)                                                                     \
    X(SERVICE_NOT_FOUND, NOT_FOUND, 404)                                                           \
    X(BLOCKED, PERMISSION_DENIED, 403)                                                             \
    X(ALREADY_EXISTS, ALREADY_EXISTS, 409)                                                         \
    X(NOT_FOUND, NOT_FOUND, 404)

enum sl_reason {
#define SL_REASON_ENUM(name, grpc, http) SL_REASON_##name,
    SL_REASON_MAP(SL_REASON_ENUM)
#undef SL_REASON_ENUM
        SL_REASON_COUNT
};

/* "QUOTA_EXCEEDED"; "INTERNAL" for a value outside the table. Static. */
const char *sl_reason_name(enum sl_reason r);
enum sl_grpc_code sl_reason_grpc(enum sl_reason r);
int sl_reason_http(enum sl_reason r);
/* The reverse of sl_reason_name; SL_REASON_INTERNAL for a name that is not in the table. */
enum sl_reason sl_reason_from_name(const char *name);

/* How long a caller should leave us alone before the same call may go well; -1 for what will not
 * pass by itself. */
int64_t sl_reason_retry_after_ms(enum sl_reason r);
/* Should clients that retry by themselves let it be? The wait, or the time, has been used up. */
bool sl_reason_forbids_retry(enum sl_reason r);

enum { SL_ERROR_TEXT_MAX = 512, SL_ERROR_FIELD_MAX = 80 };

/* A reason with its sentence. A value: copied, never freed. */
struct sl_error {
    enum sl_reason reason;
    char text[SL_ERROR_TEXT_MAX]; /* UTF-8, NUL-terminated, cut at a character when too long */
    char field
        [SL_ERROR_FIELD_MAX]; /* the part of the request at fault: "inputs.INPUT0"; "" for none */
};

static inline bool sl_error_is_set(const struct sl_error *e)
{
    return e->reason != SL_REASON_OK;
}
/* Sets reason and text, clears field; the sentence names what was wrong, the value, the limit. */
void sl_error_set(struct sl_error *e, enum sl_reason reason, const char *fmt, ...) SL_PRINTF(3, 4);
/* Names the part of the request at fault: inputs.NAME, outputs.NAME, parameters.NAME, a header. */
void sl_error_set_field(struct sl_error *e, const char *fmt, ...) SL_PRINTF(2, 3);

#endif
