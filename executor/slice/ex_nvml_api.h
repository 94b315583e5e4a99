/* ex_nvml_api.h - the part of NVML by which the supervisor sees devices: our own types and prototypes.
 *
 * Always built; libnvidia-ml is opened at run time and never linked. ex_nvml_assert.c compares every
 * type, value and prototype below with a real nvml.h wherever one is at hand.
 *
 * NVML makes no CUDA context: the supervisor may open it and still fork.
 *
 * Threads  NVML's functions may be called from any thread.
 * Errors   Functions return an ex_nvml_result; error_string gives its text (static, NVML's).
 */
#ifndef EX_NVML_API_H
#define EX_NVML_API_H

#include <stddef.h>

#include "sl_reason.h"
#include "sl_status.h"

enum ex_nvml_result_code {
    EX_NVML_SUCCESS = 0,
    EX_NVML_ERROR_UNINITIALIZED = 1,
    EX_NVML_ERROR_INVALID_ARGUMENT = 2,
    EX_NVML_ERROR_NOT_SUPPORTED = 3,
    EX_NVML_ERROR_NO_PERMISSION = 4,
    EX_NVML_ERROR_NOT_FOUND = 6,
    EX_NVML_ERROR_INSUFFICIENT_SIZE = 7,
    EX_NVML_ERROR_DRIVER_NOT_LOADED = 9,
    EX_NVML_ERROR_TIMEOUT = 10,
    EX_NVML_ERROR_GPU_IS_LOST = 15,
    EX_NVML_ERROR_RESET_REQUIRED = 16,
    EX_NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
    EX_NVML_ERROR_UNKNOWN = 999,
};

enum ex_nvml_constant {
    EX_NVML_MIG_DISABLED = 0,
    EX_NVML_MIG_ENABLED = 1,
    EX_NVML_UUID_BYTES = 96, /* room for a UUID and its NUL */
    EX_NVML_NAME_BYTES = 96,
    EX_NVML_DRIVER_VERSION_BYTES = 80,
    EX_NVML_EVENT_DOUBLE_BIT_ECC = 0x2,
    EX_NVML_EVENT_XID_CRITICAL = 0x8,
};

#define EX_NVML_NO_INSTANCE 0xFFFFFFFFu /* gpu_instance_id outside of MIG */

typedef unsigned ex_nvml_result;
typedef struct ex_nvml_device_object *ex_nvml_device;
typedef struct ex_nvml_event_set_object *ex_nvml_event_set;

struct ex_nvml_memory {
    unsigned long long total_bytes;
    unsigned long long free_bytes;
    unsigned long long used_bytes; /* reserved by the driver included */
};

struct ex_nvml_utilization {
    unsigned gpu_percent;
    unsigned memory_percent;
};

struct ex_nvml_process {
    unsigned pid;
    unsigned long long used_bytes; /* all ones: not available */
    unsigned gpu_instance_id;
    unsigned compute_instance_id;
};

struct ex_nvml_attributes {
    unsigned multiprocessor_count;
    unsigned shared_copy_engine_count;
    unsigned shared_decoder_count;
    unsigned shared_encoder_count;
    unsigned shared_jpeg_count;
    unsigned shared_ofa_count;
    unsigned gpu_instance_slice_count;
    unsigned compute_instance_slice_count;
    unsigned long long memory_mib;
};

struct ex_nvml_event {
    ex_nvml_device device;
    unsigned long long type;
    unsigned long long data; /* the Xid of an EX_NVML_EVENT_XID_CRITICAL */
    unsigned gpu_instance_id;
    unsigned compute_instance_id;
};

/* X(member, exported name, parameters) */
#define EX_NVML_FUNCTIONS(X)                                                                       \
    X(init, nvmlInit_v2, (void))                                                                   \
    X(shutdown, nvmlShutdown, (void))                                                              \
    X(driver_version, nvmlSystemGetDriverVersion, (char *version, unsigned capacity))              \
    /* devices */                                                                                  \
    X(device_count, nvmlDeviceGetCount_v2, (unsigned *count))                                      \
    X(device_by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned index, ex_nvml_device *device))    \
    X(device_by_uuid, nvmlDeviceGetHandleByUUID, (const char *uuid, ex_nvml_device *device))       \
    X(device_name, nvmlDeviceGetName, (ex_nvml_device device, char *name, unsigned capacity))      \
    X(device_uuid, nvmlDeviceGetUUID, (ex_nvml_device device, char *uuid, unsigned capacity))      \
    X(device_minor, nvmlDeviceGetMinorNumber, (ex_nvml_device device, unsigned *minor))            \
    X(device_memory, nvmlDeviceGetMemoryInfo,                                                      \
      (ex_nvml_device device, struct ex_nvml_memory * memory))                                     \
    X(device_utilization, nvmlDeviceGetUtilizationRates,                                           \
      (ex_nvml_device device, struct ex_nvml_utilization * utilization))                           \
    X(device_power_mw, nvmlDeviceGetPowerUsage, (ex_nvml_device device, unsigned *milliwatts))     \
    /* MIG: found, never made */                                                                   \
    X(mig_mode, nvmlDeviceGetMigMode,                                                              \
      (ex_nvml_device device, unsigned *current, unsigned *pending))                               \
    X(mig_device_max, nvmlDeviceGetMaxMigDeviceCount, (ex_nvml_device device, unsigned *count))    \
    X(mig_device_by_index, nvmlDeviceGetMigDeviceHandleByIndex,                                    \
      (ex_nvml_device device, unsigned index, ex_nvml_device *mig_device))                         \
    X(mig_parent, nvmlDeviceGetDeviceHandleFromMigDeviceHandle,                                    \
      (ex_nvml_device mig_device, ex_nvml_device * device))                                        \
    X(mig_gpu_instance_id, nvmlDeviceGetGpuInstanceId, (ex_nvml_device mig_device, unsigned *id))  \
    X(mig_compute_instance_id, nvmlDeviceGetComputeInstanceId,                                     \
      (ex_nvml_device mig_device, unsigned *id))                                                   \
    X(mig_attributes, nvmlDeviceGetAttributes_v2,                                                  \
      (ex_nvml_device mig_device, struct ex_nvml_attributes * attributes))                         \
    /* who uses it; *count is the room on the way in, and what is needed on INSUFFICIENT_SIZE */   \
    X(compute_processes, nvmlDeviceGetComputeRunningProcesses_v3,                                  \
      (ex_nvml_device device, unsigned *count, struct ex_nvml_process *processes))                 \
    X(mps_processes, nvmlDeviceGetMPSComputeRunningProcesses_v3,                                   \
      (ex_nvml_device device, unsigned *count, struct ex_nvml_process *processes))                 \
    /* faults */                                                                                   \
    X(event_set_create, nvmlEventSetCreate, (ex_nvml_event_set * set))                             \
    X(event_register, nvmlDeviceRegisterEvents,                                                    \
      (ex_nvml_device device, unsigned long long types, ex_nvml_event_set set))                    \
    X(event_wait, nvmlEventSetWait_v2,                                                             \
      (ex_nvml_event_set set, struct ex_nvml_event * event, unsigned timeout_ms))                  \
    X(event_set_free, nvmlEventSetFree, (ex_nvml_event_set set))

/* NVML: each member is one of its functions, set while the library is open. */
struct ex_nvml_api {
    void *library;
#define EX_NVML_MEMBER(member, symbol, params) ex_nvml_result(*member) params;
    EX_NVML_FUNCTIONS(EX_NVML_MEMBER)
#undef EX_NVML_MEMBER
    const char *(*error_string)(ex_nvml_result result);
};

/* Opens library (NULL: "libnvidia-ml.so.1") and finds every function; initialises nothing.
 * Errors: SL_ENOENT (no such library), SL_ENEVER (a function is missing); *err has the sentence. */
SL_MUST_CHECK sl_status ex_nvml_api_open(struct ex_nvml_api *api, const char *library,
                                         struct sl_error *err);
void ex_nvml_api_close(struct ex_nvml_api *api); /* fine when not open; shut NVML down before */

#endif
