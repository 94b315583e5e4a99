/* ex_nvml_assert.c - compares ex_nvml_api.h with a real nvml.h; compiled, never linked. As
 * ex_cuda_assert.c: values and layouts first, then the prototypes with our names meaning theirs. */
#include <nvml.h>

#include "ex_nvml_api.h"

#define SAME_SIZE(ours, theirs)                                                                    \
    _Static_assert(sizeof(ours) == sizeof(theirs) && _Alignof(ours) == _Alignof(theirs), #ours)
#define SAME_VALUE(ours, theirs) _Static_assert((long long)(ours) == (long long)(theirs), #ours)
#define SAME_PLACE(our_type, ours, their_type, theirs)                                             \
    _Static_assert(offsetof(our_type, ours) == offsetof(their_type, theirs) &&                     \
                       sizeof(((our_type *)0)->ours) == sizeof(((their_type *)0)->theirs),         \
                   #our_type "." #ours)

SAME_SIZE(ex_nvml_result, nvmlReturn_t);
SAME_SIZE(ex_nvml_device, nvmlDevice_t);
SAME_SIZE(ex_nvml_event_set, nvmlEventSet_t);
SAME_SIZE(struct ex_nvml_memory, nvmlMemory_t);
SAME_SIZE(struct ex_nvml_utilization, nvmlUtilization_t);
SAME_SIZE(struct ex_nvml_process, nvmlProcessInfo_t);
SAME_SIZE(struct ex_nvml_attributes, nvmlDeviceAttributes_t);
SAME_SIZE(struct ex_nvml_event, nvmlEventData_t);

SAME_PLACE(struct ex_nvml_memory, total_bytes, nvmlMemory_t, total);
SAME_PLACE(struct ex_nvml_memory, free_bytes, nvmlMemory_t, free);
SAME_PLACE(struct ex_nvml_memory, used_bytes, nvmlMemory_t, used);
SAME_PLACE(struct ex_nvml_utilization, gpu_percent, nvmlUtilization_t, gpu);
SAME_PLACE(struct ex_nvml_utilization, memory_percent, nvmlUtilization_t, memory);
SAME_PLACE(struct ex_nvml_process, pid, nvmlProcessInfo_t, pid);
SAME_PLACE(struct ex_nvml_process, used_bytes, nvmlProcessInfo_t, usedGpuMemory);
SAME_PLACE(struct ex_nvml_process, gpu_instance_id, nvmlProcessInfo_t, gpuInstanceId);
SAME_PLACE(struct ex_nvml_process, compute_instance_id, nvmlProcessInfo_t, computeInstanceId);
SAME_PLACE(struct ex_nvml_attributes, multiprocessor_count, nvmlDeviceAttributes_t,
           multiprocessorCount);
SAME_PLACE(struct ex_nvml_attributes, shared_copy_engine_count, nvmlDeviceAttributes_t,
           sharedCopyEngineCount);
SAME_PLACE(struct ex_nvml_attributes, gpu_instance_slice_count, nvmlDeviceAttributes_t,
           gpuInstanceSliceCount);
SAME_PLACE(struct ex_nvml_attributes, compute_instance_slice_count, nvmlDeviceAttributes_t,
           computeInstanceSliceCount);
SAME_PLACE(struct ex_nvml_attributes, memory_mib, nvmlDeviceAttributes_t, memorySizeMB);
SAME_PLACE(struct ex_nvml_event, device, nvmlEventData_t, device);
SAME_PLACE(struct ex_nvml_event, type, nvmlEventData_t, eventType);
SAME_PLACE(struct ex_nvml_event, data, nvmlEventData_t, eventData);
SAME_PLACE(struct ex_nvml_event, gpu_instance_id, nvmlEventData_t, gpuInstanceId);
SAME_PLACE(struct ex_nvml_event, compute_instance_id, nvmlEventData_t, computeInstanceId);

SAME_VALUE(EX_NVML_SUCCESS, NVML_SUCCESS);
SAME_VALUE(EX_NVML_ERROR_UNINITIALIZED, NVML_ERROR_UNINITIALIZED);
SAME_VALUE(EX_NVML_ERROR_INVALID_ARGUMENT, NVML_ERROR_INVALID_ARGUMENT);
SAME_VALUE(EX_NVML_ERROR_NOT_SUPPORTED, NVML_ERROR_NOT_SUPPORTED);
SAME_VALUE(EX_NVML_ERROR_NO_PERMISSION, NVML_ERROR_NO_PERMISSION);
SAME_VALUE(EX_NVML_ERROR_NOT_FOUND, NVML_ERROR_NOT_FOUND);
SAME_VALUE(EX_NVML_ERROR_INSUFFICIENT_SIZE, NVML_ERROR_INSUFFICIENT_SIZE);
SAME_VALUE(EX_NVML_ERROR_DRIVER_NOT_LOADED, NVML_ERROR_DRIVER_NOT_LOADED);
SAME_VALUE(EX_NVML_ERROR_TIMEOUT, NVML_ERROR_TIMEOUT);
SAME_VALUE(EX_NVML_ERROR_GPU_IS_LOST, NVML_ERROR_GPU_IS_LOST);
SAME_VALUE(EX_NVML_ERROR_RESET_REQUIRED, NVML_ERROR_RESET_REQUIRED);
SAME_VALUE(EX_NVML_ERROR_LIB_RM_VERSION_MISMATCH, NVML_ERROR_LIB_RM_VERSION_MISMATCH);
SAME_VALUE(EX_NVML_ERROR_UNKNOWN, NVML_ERROR_UNKNOWN);
SAME_VALUE(EX_NVML_MIG_DISABLED, NVML_DEVICE_MIG_DISABLE);
SAME_VALUE(EX_NVML_MIG_ENABLED, NVML_DEVICE_MIG_ENABLE);
SAME_VALUE(EX_NVML_UUID_BYTES, NVML_DEVICE_UUID_V2_BUFFER_SIZE);
SAME_VALUE(EX_NVML_NAME_BYTES, NVML_DEVICE_NAME_V2_BUFFER_SIZE);
SAME_VALUE(EX_NVML_DRIVER_VERSION_BYTES, NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE);
SAME_VALUE(EX_NVML_EVENT_DOUBLE_BIT_ECC, nvmlEventTypeDoubleBitEccError);
SAME_VALUE(EX_NVML_EVENT_XID_CRITICAL, nvmlEventTypeXidCriticalError);

/* From here on our names mean the header's types. */
#define ex_nvml_result      nvmlReturn_t
#define ex_nvml_device      nvmlDevice_t
#define ex_nvml_event_set   nvmlEventSet_t
#define ex_nvml_memory      nvmlMemory_st
#define ex_nvml_utilization nvmlUtilization_st
#define ex_nvml_process     nvmlProcessInfo_v2_st
#define ex_nvml_attributes  nvmlDeviceAttributes_st
#define ex_nvml_event       nvmlEventData_st

#define SAME_PROTOTYPE(member, symbol, params)                                                     \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&symbol), nvmlReturn_t(*) params),      \
                   #symbol);
EX_NVML_FUNCTIONS(SAME_PROTOTYPE)
_Static_assert(__builtin_types_compatible_p(__typeof__(&nvmlErrorString),
                                            const char *(*)(nvmlReturn_t)),
               "nvmlErrorString");
