/* ex_cuda_assert.c - compares ex_cuda_api.h with a real cuda.h; compiled, never linked.
 *
 * First the sizes, offsets and values. Then the names of our types are made to mean the real ones, so
 * that each prototype of the table must be exactly that of the header.
 */
#include <cuda.h>

#include "ex_cuda_api.h"

#define SAME_SIZE(ours, theirs)                                                                    \
    _Static_assert(sizeof(ours) == sizeof(theirs) && _Alignof(ours) == _Alignof(theirs), #ours)
#define SAME_VALUE(ours, theirs) _Static_assert((long long)(ours) == (long long)(theirs), #ours)
#define SAME_PLACE(our_type, ours, their_type, theirs)                                             \
    _Static_assert(offsetof(our_type, ours) == offsetof(their_type, theirs) &&                     \
                       sizeof(((our_type *)0)->ours) == sizeof(((their_type *)0)->theirs),         \
                   #our_type "." #ours)

SAME_SIZE(ex_cu_result, CUresult);
SAME_SIZE(ex_cu_device_attribute, CUdevice_attribute);
SAME_SIZE(ex_cu_mem_allocation_type, CUmemAllocationType);
SAME_SIZE(ex_cu_mem_handle_type, CUmemAllocationHandleType);
SAME_SIZE(ex_cu_mem_location_type, CUmemLocationType);
SAME_SIZE(ex_cu_mem_access_flags, CUmemAccess_flags);
SAME_SIZE(ex_cu_mem_granularity, CUmemAllocationGranularity_flags);
SAME_SIZE(ex_cu_device, CUdevice);
SAME_SIZE(ex_cu_deviceptr, CUdeviceptr);
SAME_SIZE(ex_cu_mem_handle, CUmemGenericAllocationHandle);
SAME_SIZE(ex_cu_context, CUcontext);
SAME_SIZE(ex_cu_stream, CUstream);
SAME_SIZE(ex_cu_event, CUevent);
SAME_SIZE(ex_cu_module, CUmodule);
SAME_SIZE(ex_cu_function, CUfunction);
SAME_SIZE(struct ex_cu_uuid, CUuuid);
SAME_SIZE(struct ex_cu_mem_location, CUmemLocation);
SAME_SIZE(struct ex_cu_mem_access, CUmemAccessDesc);
SAME_SIZE(struct ex_cu_mem_prop, CUmemAllocationProp);

SAME_PLACE(struct ex_cu_mem_location, type, CUmemLocation, type);
SAME_PLACE(struct ex_cu_mem_location, id, CUmemLocation, id);
SAME_PLACE(struct ex_cu_mem_access, location, CUmemAccessDesc, location);
SAME_PLACE(struct ex_cu_mem_access, flags, CUmemAccessDesc, flags);
SAME_PLACE(struct ex_cu_mem_prop, type, CUmemAllocationProp, type);
SAME_PLACE(struct ex_cu_mem_prop, requested_handle_types, CUmemAllocationProp,
           requestedHandleTypes);
SAME_PLACE(struct ex_cu_mem_prop, location, CUmemAllocationProp, location);
SAME_PLACE(struct ex_cu_mem_prop, win32_handle_meta_data, CUmemAllocationProp, win32HandleMetaData);
SAME_PLACE(struct ex_cu_mem_prop, alloc_flags.compression_type, CUmemAllocationProp,
           allocFlags.compressionType);
SAME_PLACE(struct ex_cu_mem_prop, alloc_flags.gpu_direct_rdma_capable, CUmemAllocationProp,
           allocFlags.gpuDirectRDMACapable);
SAME_PLACE(struct ex_cu_mem_prop, alloc_flags.usage, CUmemAllocationProp, allocFlags.usage);
SAME_PLACE(struct ex_cu_mem_prop, alloc_flags.reserved, CUmemAllocationProp, allocFlags.reserved);

SAME_VALUE(EX_CU_SUCCESS, CUDA_SUCCESS);
SAME_VALUE(EX_CU_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_VALUE);
SAME_VALUE(EX_CU_ERROR_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
SAME_VALUE(EX_CU_ERROR_NOT_INITIALIZED, CUDA_ERROR_NOT_INITIALIZED);
SAME_VALUE(EX_CU_ERROR_DEINITIALIZED, CUDA_ERROR_DEINITIALIZED);
SAME_VALUE(EX_CU_ERROR_STUB_LIBRARY, CUDA_ERROR_STUB_LIBRARY);
SAME_VALUE(EX_CU_ERROR_DEVICE_UNAVAILABLE, CUDA_ERROR_DEVICE_UNAVAILABLE);
SAME_VALUE(EX_CU_ERROR_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
SAME_VALUE(EX_CU_ERROR_INVALID_DEVICE, CUDA_ERROR_INVALID_DEVICE);
SAME_VALUE(EX_CU_ERROR_ECC_UNCORRECTABLE, CUDA_ERROR_ECC_UNCORRECTABLE);
SAME_VALUE(EX_CU_ERROR_NOT_READY, CUDA_ERROR_NOT_READY);
SAME_VALUE(EX_CU_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_ILLEGAL_ADDRESS);
SAME_VALUE(EX_CU_ERROR_LAUNCH_TIMEOUT, CUDA_ERROR_LAUNCH_TIMEOUT);
SAME_VALUE(EX_CU_ERROR_CONTEXT_IS_DESTROYED, CUDA_ERROR_CONTEXT_IS_DESTROYED);
SAME_VALUE(EX_CU_ERROR_ASSERT, CUDA_ERROR_ASSERT);
SAME_VALUE(EX_CU_ERROR_HARDWARE_STACK_ERROR, CUDA_ERROR_HARDWARE_STACK_ERROR);
SAME_VALUE(EX_CU_ERROR_LAUNCH_FAILED, CUDA_ERROR_LAUNCH_FAILED);
SAME_VALUE(EX_CU_ERROR_NOT_SUPPORTED, CUDA_ERROR_NOT_SUPPORTED);
SAME_VALUE(EX_CU_ERROR_SYSTEM_NOT_READY, CUDA_ERROR_SYSTEM_NOT_READY);
SAME_VALUE(EX_CU_ERROR_MPS_CONNECTION_FAILED, CUDA_ERROR_MPS_CONNECTION_FAILED);
SAME_VALUE(EX_CU_ERROR_MPS_CLIENT_TERMINATED, CUDA_ERROR_MPS_CLIENT_TERMINATED);
SAME_VALUE(EX_CU_ERROR_UNKNOWN, CUDA_ERROR_UNKNOWN);

SAME_VALUE(EX_CU_DEVICE_MULTIPROCESSOR_COUNT, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME_VALUE(EX_CU_DEVICE_ASYNC_ENGINE_COUNT, CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT);
SAME_VALUE(EX_CU_DEVICE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME_VALUE(EX_CU_DEVICE_COMPUTE_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME_VALUE(EX_CU_DEVICE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
           CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED);
SAME_VALUE(EX_CU_DEVICE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
           CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED);

SAME_VALUE(EX_CU_CTX_SCHED_SPIN, CU_CTX_SCHED_SPIN);
SAME_VALUE(EX_CU_CTX_SCHED_BLOCKING_SYNC, CU_CTX_SCHED_BLOCKING_SYNC);
SAME_VALUE(EX_CU_STREAM_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
SAME_VALUE(EX_CU_EVENT_BLOCKING_SYNC, CU_EVENT_BLOCKING_SYNC);
SAME_VALUE(EX_CU_EVENT_DISABLE_TIMING, CU_EVENT_DISABLE_TIMING);
SAME_VALUE(EX_CU_MEMHOSTALLOC_PORTABLE, CU_MEMHOSTALLOC_PORTABLE);
SAME_VALUE(EX_CU_MEMHOSTREGISTER_PORTABLE, CU_MEMHOSTREGISTER_PORTABLE);
SAME_VALUE(EX_CU_MEMHOSTREGISTER_READ_ONLY, CU_MEMHOSTREGISTER_READ_ONLY);

SAME_VALUE(EX_CU_MEM_ALLOCATION_TYPE_PINNED, CU_MEM_ALLOCATION_TYPE_PINNED);
SAME_VALUE(EX_CU_MEM_LOCATION_TYPE_DEVICE, CU_MEM_LOCATION_TYPE_DEVICE);
SAME_VALUE(EX_CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
SAME_VALUE(EX_CU_MEM_ACCESS_FLAGS_PROT_READ, CU_MEM_ACCESS_FLAGS_PROT_READ);
SAME_VALUE(EX_CU_MEM_ACCESS_FLAGS_PROT_READWRITE, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
SAME_VALUE(EX_CU_MEM_ALLOC_GRANULARITY_MINIMUM, CU_MEM_ALLOC_GRANULARITY_MINIMUM);
SAME_VALUE(EX_CU_MEM_ALLOC_GRANULARITY_RECOMMENDED, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED);

/* From here on our names mean the header's types. */
#define ex_cu_result           CUresult
#define ex_cu_device_attribute CUdevice_attribute
#define ex_cu_mem_handle_type  CUmemAllocationHandleType
#define ex_cu_mem_granularity  CUmemAllocationGranularity_flags
#define ex_cu_device           CUdevice
#define ex_cu_deviceptr        CUdeviceptr
#define ex_cu_mem_handle       CUmemGenericAllocationHandle
#define ex_cu_context          CUcontext
#define ex_cu_stream           CUstream
#define ex_cu_event            CUevent
#define ex_cu_module           CUmodule
#define ex_cu_function         CUfunction
#define ex_cu_uuid             CUuuid_st
#define ex_cu_mem_prop         CUmemAllocationProp_st
#define ex_cu_mem_access       CUmemAccessDesc_st

#define SAME_PROTOTYPE(member, symbol, params)                                                     \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&symbol), CUresult(*) params), #symbol);
EX_CUDA_FUNCTIONS(SAME_PROTOTYPE)
