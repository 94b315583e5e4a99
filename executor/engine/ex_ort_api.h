/* ex_ort_api.h - the part of ONNX Runtime's C interface that we use, in our own words.
 *
 * The library gives out a table of function pointers that only ever grows at its end, so a
 * function's place in it is its number for good, and neither header nor link library is needed.
 * scripts/check_ort_slots.py compares the numbers with an official onnxruntime_c_api.h.
 */
#ifndef EX_ORT_API_H
#define EX_ORT_API_H

#include <stddef.h>
#include <stdint.h>

/* The table's version that we ask for (ONNX Runtime 1.14): newer libraries still give it. */
enum { EX_ORT_API_VERSION = 14 };

struct ort_status; /* NULL: success. Else release it */
struct ort_env;
struct ort_session;
struct ort_session_options;
struct ort_run_options;
struct ort_memory_info;
struct ort_value;
struct ort_type_info;
struct ort_tensor_info;
struct ort_allocator;

typedef void (*ort_logger)(void *ctx, int level, const char *category, const char *log_id,
                           const char *code_location, const char *message);

enum ort_log_level { ORT_LOG_VERBOSE, ORT_LOG_INFO, ORT_LOG_WARNING, ORT_LOG_ERROR, ORT_LOG_FATAL };
enum ort_optimization {
    ORT_OPTIMIZE_NONE,
    ORT_OPTIMIZE_BASIC,
    ORT_OPTIMIZE_EXTENDED,
    ORT_OPTIMIZE_ALL = 99
};
enum ort_allocator_kind { ORT_ALLOCATOR_DEVICE, ORT_ALLOCATOR_ARENA };
enum ort_memory_kind { ORT_MEMORY_DEFAULT };

/* ONNXTensorElementDataType. */
enum ort_element {
    ORT_ELEMENT_UNDEFINED,
    ORT_ELEMENT_FLOAT,
    ORT_ELEMENT_UINT8,
    ORT_ELEMENT_INT8,
    ORT_ELEMENT_UINT16,
    ORT_ELEMENT_INT16,
    ORT_ELEMENT_INT32,
    ORT_ELEMENT_INT64,
    ORT_ELEMENT_STRING,
    ORT_ELEMENT_BOOL,
    ORT_ELEMENT_FLOAT16,
    ORT_ELEMENT_DOUBLE,
    ORT_ELEMENT_UINT32,
    ORT_ELEMENT_UINT64,
    ORT_ELEMENT_COMPLEX64,
    ORT_ELEMENT_COMPLEX128,
    ORT_ELEMENT_BFLOAT16
};

/* X(function, its place in the table, what it returns, its parameters) */
/* clang-format off */
#define EX_ORT_SLOT_MAP(X)                                                                         \
    X(GetErrorMessage, 2, const char *, (const struct ort_status *))                               \
    X(CreateEnvWithCustomLogger, 4, struct ort_status *,                                           \
      (ort_logger, void *ctx, int level, const char *log_id, struct ort_env **))                   \
    X(CreateSession, 7, struct ort_status *,                                                       \
      (const struct ort_env *, const char *path, const struct ort_session_options *,               \
       struct ort_session **))                                                                     \
    X(Run, 9, struct ort_status *,                                                                 \
      (struct ort_session *, const struct ort_run_options *, const char *const *input_names,       \
       const struct ort_value *const *inputs, size_t input_count, const char *const *output_names, \
       size_t output_count, struct ort_value **outputs))                                           \
    X(CreateSessionOptions, 10, struct ort_status *, (struct ort_session_options **))              \
    X(DisableMemPattern, 17, struct ort_status *, (struct ort_session_options *))                  \
    X(SetSessionGraphOptimizationLevel, 23, struct ort_status *,                                   \
      (struct ort_session_options *, int level))                                                   \
    X(SetIntraOpNumThreads, 24, struct ort_status *, (struct ort_session_options *, int))          \
    X(SetInterOpNumThreads, 25, struct ort_status *, (struct ort_session_options *, int))          \
    X(SessionGetInputCount, 30, struct ort_status *, (const struct ort_session *, size_t *))       \
    X(SessionGetOutputCount, 31, struct ort_status *, (const struct ort_session *, size_t *))      \
    X(SessionGetInputTypeInfo, 33, struct ort_status *,                                            \
      (const struct ort_session *, size_t, struct ort_type_info **))                               \
    X(SessionGetOutputTypeInfo, 34, struct ort_status *,                                           \
      (const struct ort_session *, size_t, struct ort_type_info **))                               \
    X(SessionGetInputName, 36, struct ort_status *,                                                \
      (const struct ort_session *, size_t, struct ort_allocator *, char **))                       \
    X(SessionGetOutputName, 37, struct ort_status *,                                               \
      (const struct ort_session *, size_t, struct ort_allocator *, char **))                       \
    X(CreateRunOptions, 39, struct ort_status *, (struct ort_run_options **))                      \
    X(RunOptionsSetTerminate, 46, struct ort_status *, (struct ort_run_options *))                 \
    X(RunOptionsUnsetTerminate, 47, struct ort_status *, (struct ort_run_options *))               \
    X(CreateTensorWithDataAsOrtValue, 49, struct ort_status *,                                     \
      (const struct ort_memory_info *, void *data, size_t bytes, const int64_t *dims, size_t rank, \
       int element, struct ort_value **))                                                          \
    X(GetTensorMutableData, 51, struct ort_status *, (struct ort_value *, void **))                \
    X(CastTypeInfoToTensorInfo, 55, struct ort_status *,                                           \
      (const struct ort_type_info *, const struct ort_tensor_info **))                             \
    X(GetTensorElementType, 60, struct ort_status *, (const struct ort_tensor_info *, int *))      \
    X(GetDimensionsCount, 61, struct ort_status *, (const struct ort_tensor_info *, size_t *))     \
    X(GetDimensions, 62, struct ort_status *,                                                      \
      (const struct ort_tensor_info *, int64_t *dims, size_t rank))                                \
    X(GetTensorTypeAndShape, 65, struct ort_status *,                                              \
      (const struct ort_value *, struct ort_tensor_info **))                                       \
    X(CreateCpuMemoryInfo, 69, struct ort_status *,                                                \
      (int allocator_kind, int memory_kind, struct ort_memory_info **))                            \
    X(AllocatorFree, 76, struct ort_status *, (struct ort_allocator *, void *))                    \
    X(GetAllocatorWithDefaultOptions, 78, struct ort_status *, (struct ort_allocator **))          \
    X(ReleaseEnv, 92, void, (struct ort_env *))                                                    \
    X(ReleaseStatus, 93, void, (struct ort_status *))                                              \
    X(ReleaseMemoryInfo, 94, void, (struct ort_memory_info *))                                     \
    X(ReleaseSession, 95, void, (struct ort_session *))                                            \
    X(ReleaseValue, 96, void, (struct ort_value *))                                                \
    X(ReleaseRunOptions, 97, void, (struct ort_run_options *))                                     \
    X(ReleaseTypeInfo, 98, void, (struct ort_type_info *))                                         \
    X(ReleaseTensorTypeAndShapeInfo, 99, void, (struct ort_tensor_info *))                         \
    X(ReleaseSessionOptions, 100, void, (struct ort_session_options *))                            \
    X(AddSessionConfigEntry, 130, struct ort_status *,                                             \
      (struct ort_session_options *, const char *key, const char *value))
/* clang-format on */

/* The functions under their own names. */
struct ort_api {
#define EX_ORT_MEMBER(name, slot, returned, params) returned(*name) params;
    EX_ORT_SLOT_MAP(EX_ORT_MEMBER)
#undef EX_ORT_MEMBER
};

/* What the library's only exported function, OrtGetApiBase, returns. */
struct ort_api_base {
    const void *(*GetApi)(uint32_t version); /* NULL: the library is older */
    const char *(*GetVersionString)(void);
};

#endif
