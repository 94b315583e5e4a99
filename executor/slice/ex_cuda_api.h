/* ex_cuda_api.h - the part of the CUDA driver API that workers use: our own types and prototypes.
 *
 * Always built; libcuda is opened at run time and never linked. ex_cuda_assert.c compares every type,
 * value and prototype below with a real cuda.h wherever one is at hand.
 *
 * A process's device, MIG instance and MPS limits are fixed at ex_cu init(): only a worker that has
 * its slice opens this. The supervisor watches devices by ex_nvml_api.h.
 *
 * Threads  As the driver: any thread, with a context current on it.
 * Errors   Functions of the driver return an ex_cu_result; error_name and error_string give its text.
 */
#ifndef EX_CUDA_API_H
#define EX_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

#include "sl_reason.h"
#include "sl_status.h"

enum ex_cu_result_code {
    EX_CU_SUCCESS = 0,
    EX_CU_ERROR_INVALID_VALUE = 1,
    EX_CU_ERROR_OUT_OF_MEMORY = 2,
    EX_CU_ERROR_NOT_INITIALIZED = 3,
    EX_CU_ERROR_DEINITIALIZED = 4,
    EX_CU_ERROR_STUB_LIBRARY = 34,
    EX_CU_ERROR_DEVICE_UNAVAILABLE = 46,
    EX_CU_ERROR_NO_DEVICE = 100,
    EX_CU_ERROR_INVALID_DEVICE = 101,
    EX_CU_ERROR_ECC_UNCORRECTABLE = 214,
    EX_CU_ERROR_NOT_READY = 600,
    EX_CU_ERROR_ILLEGAL_ADDRESS = 700,
    EX_CU_ERROR_LAUNCH_TIMEOUT = 702,
    EX_CU_ERROR_CONTEXT_IS_DESTROYED = 709,
    EX_CU_ERROR_ASSERT = 710,
    EX_CU_ERROR_HARDWARE_STACK_ERROR = 714,
    EX_CU_ERROR_LAUNCH_FAILED = 719,
    EX_CU_ERROR_NOT_SUPPORTED = 801,
    EX_CU_ERROR_SYSTEM_NOT_READY = 802,
    EX_CU_ERROR_MPS_CONNECTION_FAILED = 805,
    EX_CU_ERROR_MPS_CLIENT_TERMINATED = 810,
    EX_CU_ERROR_UNKNOWN = 999,
};

enum ex_cu_device_attribute_code {
    EX_CU_DEVICE_MULTIPROCESSOR_COUNT = 16,
    EX_CU_DEVICE_ASYNC_ENGINE_COUNT = 40,
    EX_CU_DEVICE_COMPUTE_CAPABILITY_MAJOR = 75,
    EX_CU_DEVICE_COMPUTE_CAPABILITY_MINOR = 76,
    EX_CU_DEVICE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED = 102,
    EX_CU_DEVICE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED = 103,
};

enum ex_cu_flags {
    EX_CU_CTX_SCHED_SPIN = 0x1,
    EX_CU_CTX_SCHED_BLOCKING_SYNC = 0x4,
    EX_CU_STREAM_NON_BLOCKING = 0x1,
    EX_CU_EVENT_BLOCKING_SYNC = 0x1,
    EX_CU_EVENT_DISABLE_TIMING = 0x2,
    EX_CU_MEMHOSTALLOC_PORTABLE = 0x1,
    EX_CU_MEMHOSTREGISTER_PORTABLE = 0x1,
    EX_CU_MEMHOSTREGISTER_READ_ONLY = 0x8,
};

enum ex_cu_mem_code {
    EX_CU_MEM_ALLOCATION_TYPE_PINNED = 0x1,
    EX_CU_MEM_LOCATION_TYPE_DEVICE = 0x1,
    EX_CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR = 0x1,
    EX_CU_MEM_ACCESS_FLAGS_PROT_READ = 0x1,
    EX_CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 0x3,
    EX_CU_MEM_ALLOC_GRANULARITY_MINIMUM = 0x0,
    EX_CU_MEM_ALLOC_GRANULARITY_RECOMMENDED = 0x1,
};

/* The driver's scalars and handles. Its enums are unsigned ints of the ABI. */
typedef unsigned ex_cu_result;
typedef unsigned ex_cu_device_attribute;
typedef unsigned ex_cu_mem_allocation_type;
typedef unsigned ex_cu_mem_handle_type;
typedef unsigned ex_cu_mem_location_type;
typedef unsigned ex_cu_mem_access_flags;
typedef unsigned ex_cu_mem_granularity;
typedef int ex_cu_device;
typedef unsigned long long ex_cu_deviceptr;
typedef unsigned long long ex_cu_mem_handle;
typedef struct ex_cu_context_object *ex_cu_context;
typedef struct ex_cu_stream_object *ex_cu_stream;
typedef struct ex_cu_event_object *ex_cu_event;
typedef struct ex_cu_module_object *ex_cu_module;
typedef struct ex_cu_function_object *ex_cu_function;

struct ex_cu_uuid {
    char bytes[16];
};

struct ex_cu_mem_location {
    ex_cu_mem_location_type type;
    int id; /* the device's ordinal */
};

struct ex_cu_mem_access {
    struct ex_cu_mem_location location;
    ex_cu_mem_access_flags flags;
};

struct ex_cu_mem_prop {
    ex_cu_mem_allocation_type type;
    ex_cu_mem_handle_type requested_handle_types;
    struct ex_cu_mem_location location;
    void *win32_handle_meta_data; /* NULL */
    struct {
        unsigned char compression_type;
        unsigned char gpu_direct_rdma_capable;
        unsigned short usage;
        unsigned char reserved[4];
    } alloc_flags;
};

/* X(member, exported name, parameters): names with a version suffix are what the driver really
 * exports; a cuda.h hides them behind macros. */
#define EX_CUDA_FUNCTIONS(X)                                                                       \
    X(init, cuInit, (unsigned flags))                                                              \
    X(driver_version, cuDriverGetVersion, (int *version))                                          \
    X(error_name, cuGetErrorName, (ex_cu_result result, const char **name))                        \
    X(error_string, cuGetErrorString, (ex_cu_result result, const char **text))                    \
    /* devices */                                                                                  \
    X(device_count, cuDeviceGetCount, (int *count))                                                \
    X(device_get, cuDeviceGet, (ex_cu_device * device, int ordinal))                               \
    X(device_name, cuDeviceGetName, (char *name, int capacity, ex_cu_device device))               \
    X(device_uuid, cuDeviceGetUuid_v2, (struct ex_cu_uuid * uuid, ex_cu_device device))            \
    X(device_total_mem, cuDeviceTotalMem_v2, (size_t * bytes, ex_cu_device device))                \
    X(device_attribute, cuDeviceGetAttribute,                                                      \
      (int *value, ex_cu_device_attribute attribute, ex_cu_device device))                         \
    /* contexts */                                                                                 \
    X(primary_ctx_retain, cuDevicePrimaryCtxRetain, (ex_cu_context * ctx, ex_cu_device device))    \
    X(primary_ctx_release, cuDevicePrimaryCtxRelease_v2, (ex_cu_device device))                    \
    X(primary_ctx_set_flags, cuDevicePrimaryCtxSetFlags_v2, (ex_cu_device device, unsigned flags)) \
    X(ctx_create, cuCtxCreate_v2, (ex_cu_context * ctx, unsigned flags, ex_cu_device device))      \
    X(ctx_destroy, cuCtxDestroy_v2, (ex_cu_context ctx))                                           \
    X(ctx_set_current, cuCtxSetCurrent, (ex_cu_context ctx))                                       \
    X(ctx_get_current, cuCtxGetCurrent, (ex_cu_context * ctx))                                     \
    X(ctx_synchronize, cuCtxSynchronize, (void))                                                   \
    /* memory */                                                                                   \
    X(mem_info, cuMemGetInfo_v2, (size_t * free_bytes, size_t * total_bytes))                      \
    X(mem_alloc, cuMemAlloc_v2, (ex_cu_deviceptr * ptr, size_t bytes))                             \
    X(mem_free, cuMemFree_v2, (ex_cu_deviceptr ptr))                                               \
    X(mem_host_alloc, cuMemHostAlloc, (void **ptr, size_t bytes, unsigned flags))                  \
    X(mem_free_host, cuMemFreeHost, (void *ptr))                                                   \
    X(mem_host_register, cuMemHostRegister_v2, (void *ptr, size_t bytes, unsigned flags))          \
    X(mem_host_unregister, cuMemHostUnregister, (void *ptr))                                       \
    X(mem_host_device_pointer, cuMemHostGetDevicePointer_v2,                                       \
      (ex_cu_deviceptr * device_ptr, void *ptr, unsigned flags))                                   \
    X(memcpy_to_device, cuMemcpyHtoDAsync_v2,                                                      \
      (ex_cu_deviceptr to, const void *from, size_t bytes, ex_cu_stream stream))                   \
    X(memcpy_to_host, cuMemcpyDtoHAsync_v2,                                                        \
      (void *to, ex_cu_deviceptr from, size_t bytes, ex_cu_stream stream))                         \
    X(memcpy_on_device, cuMemcpyDtoDAsync_v2,                                                      \
      (ex_cu_deviceptr to, ex_cu_deviceptr from, size_t bytes, ex_cu_stream stream))               \
    X(memset_bytes, cuMemsetD8Async,                                                               \
      (ex_cu_deviceptr to, unsigned char byte, size_t bytes, ex_cu_stream stream))                 \
    /* memory that outlives its maker: exportable as a file descriptor */                          \
    X(mem_granularity, cuMemGetAllocationGranularity,                                              \
      (size_t * bytes, const struct ex_cu_mem_prop *prop, ex_cu_mem_granularity option))           \
    X(mem_create, cuMemCreate,                                                                     \
      (ex_cu_mem_handle * handle, size_t bytes, const struct ex_cu_mem_prop *prop,                 \
       unsigned long long flags))                                                                  \
    X(mem_release, cuMemRelease, (ex_cu_mem_handle handle))                                        \
    X(mem_export, cuMemExportToShareableHandle,                                                    \
      (void *fd, ex_cu_mem_handle handle, ex_cu_mem_handle_type type, unsigned long long flags))   \
    X(mem_import, cuMemImportFromShareableHandle,                                                  \
      (ex_cu_mem_handle * handle, void *fd, ex_cu_mem_handle_type type))                           \
    X(mem_address_reserve, cuMemAddressReserve,                                                    \
      (ex_cu_deviceptr * ptr, size_t bytes, size_t alignment, ex_cu_deviceptr hint,                \
       unsigned long long flags))                                                                  \
    X(mem_address_free, cuMemAddressFree, (ex_cu_deviceptr ptr, size_t bytes))                     \
    X(mem_map, cuMemMap,                                                                           \
      (ex_cu_deviceptr ptr, size_t bytes, size_t offset, ex_cu_mem_handle handle,                  \
       unsigned long long flags))                                                                  \
    X(mem_unmap, cuMemUnmap, (ex_cu_deviceptr ptr, size_t bytes))                                  \
    X(mem_set_access, cuMemSetAccess,                                                              \
      (ex_cu_deviceptr ptr, size_t bytes, const struct ex_cu_mem_access *access, size_t count))    \
    /* streams and events */                                                                       \
    X(stream_create, cuStreamCreate, (ex_cu_stream * stream, unsigned flags))                      \
    X(stream_destroy, cuStreamDestroy_v2, (ex_cu_stream stream))                                   \
    X(stream_synchronize, cuStreamSynchronize, (ex_cu_stream stream))                              \
    X(stream_query, cuStreamQuery, (ex_cu_stream stream))                                          \
    X(stream_wait_event, cuStreamWaitEvent,                                                        \
      (ex_cu_stream stream, ex_cu_event event, unsigned flags))                                    \
    X(event_create, cuEventCreate, (ex_cu_event * event, unsigned flags))                          \
    X(event_destroy, cuEventDestroy_v2, (ex_cu_event event))                                       \
    X(event_record, cuEventRecord, (ex_cu_event event, ex_cu_stream stream))                       \
    X(event_synchronize, cuEventSynchronize, (ex_cu_event event))                                  \
    X(event_query, cuEventQuery, (ex_cu_event event))                                              \
    X(event_elapsed_ms, cuEventElapsedTime, (float *ms, ex_cu_event start, ex_cu_event end))       \
    /* code */                                                                                     \
    X(module_load_data, cuModuleLoadData, (ex_cu_module * module, const void *image))              \
    X(module_unload, cuModuleUnload, (ex_cu_module module))                                        \
    X(module_function, cuModuleGetFunction,                                                        \
      (ex_cu_function * function, ex_cu_module module, const char *name))                          \
    X(launch, cuLaunchKernel,                                                                      \
      (ex_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,                 \
       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,                \
       ex_cu_stream stream, void **params, void **extra))

/* The driver: each member is one of its functions, set while the library is open. */
struct ex_cuda_api {
    void *library;
#define EX_CUDA_MEMBER(member, symbol, params) ex_cu_result(*member) params;
    EX_CUDA_FUNCTIONS(EX_CUDA_MEMBER)
#undef EX_CUDA_MEMBER
};

/* Opens library (NULL: "libcuda.so.1") and finds every function; initialises nothing.
 * Errors: SL_ENOENT (no such library), SL_ENEVER (a function is missing); *err has the sentence. */
SL_MUST_CHECK sl_status ex_cuda_api_open(struct ex_cuda_api *api, const char *library,
                                         struct sl_error *err);
void ex_cuda_api_close(struct ex_cuda_api *api); /* fine when not open */

/* "CUDA_ERROR_OUT_OF_MEMORY: out of memory" of result, by the driver when it knows it. */
void ex_cuda_api_describe(const struct ex_cuda_api *api, ex_cu_result result, char *out,
                          size_t capacity);

#endif
