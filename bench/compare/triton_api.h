/* triton_api.h - the few calls of Triton's public backend interface (TRITONBACKEND, version 1) that
 * triton_identity uses, by prototypes of our own: the wheel that brings the server brings no headers.
 *
 * Names, argument types and values are those of the published interface. Triton finds a backend's
 * functions by name and the backend finds Triton's in the process that loaded it, so nothing is linked. */
#ifndef TRITON_API_H
#define TRITON_API_H

#include <stdbool.h>
#include <stdint.h>

enum { TRITON_API_MAJOR = 1 };

/* Objects of Triton's, seen by pointer only. An error of NULL is success. */
typedef struct TRITONSERVER_Error triton_error;
typedef struct TRITONBACKEND_Backend triton_backend;
typedef struct TRITONBACKEND_ModelInstance triton_instance;
typedef struct TRITONBACKEND_Request triton_request;
typedef struct TRITONBACKEND_Response triton_response;
typedef struct TRITONBACKEND_Input triton_input;
typedef struct TRITONBACKEND_Output triton_output;

typedef int triton_datatype; /* passed on, never looked at */
typedef int triton_memory;

enum { TRITON_MEMORY_CPU = 0 };
enum { TRITON_ERROR_UNSUPPORTED = 5 };
enum { TRITON_RELEASE_ALL = 1 };
enum { TRITON_RESPONSE_FINAL = 1 };

triton_error *TRITONSERVER_ErrorNew(int code, const char *text);
void TRITONSERVER_ErrorDelete(triton_error *error);

triton_error *TRITONBACKEND_ApiVersion(uint32_t *major, uint32_t *minor);

triton_error *TRITONBACKEND_RequestInputByIndex(triton_request *request, uint32_t index,
                                                triton_input **out);
triton_error *TRITONBACKEND_RequestRelease(triton_request *request, uint32_t flags);

triton_error *TRITONBACKEND_InputProperties(triton_input *input, const char **name,
                                            triton_datatype *datatype, const int64_t **shape,
                                            uint32_t *dims_count, uint64_t *size_bytes,
                                            uint32_t *buffer_count);
triton_error *TRITONBACKEND_InputBuffer(triton_input *input, uint32_t index, const void **buffer,
                                        uint64_t *size_bytes, triton_memory *memory,
                                        int64_t *memory_id);

triton_error *TRITONBACKEND_ResponseNew(triton_response **out, triton_request *request);
triton_error *TRITONBACKEND_ResponseOutput(triton_response *response, triton_output **out,
                                           const char *name, triton_datatype datatype,
                                           const int64_t *shape, uint32_t dims_count);
triton_error *TRITONBACKEND_OutputBuffer(triton_output *output, void **buffer, uint64_t size_bytes,
                                         triton_memory *memory, int64_t *memory_id);
triton_error *TRITONBACKEND_ResponseSend(triton_response *response, uint32_t flags,
                                         triton_error *error);

triton_error *TRITONBACKEND_ModelInstanceReportStatistics(triton_instance *instance,
                                                          triton_request *request, bool success,
                                                          uint64_t begun_ns, uint64_t compute_ns,
                                                          uint64_t computed_ns, uint64_t ended_ns);
triton_error *TRITONBACKEND_ModelInstanceReportBatchStatistics(
    triton_instance *instance, uint64_t batch_count, uint64_t begun_ns, uint64_t compute_ns,
    uint64_t computed_ns, uint64_t ended_ns);

/* What a backend defines. */
triton_error *TRITONBACKEND_Initialize(triton_backend *backend);
triton_error *TRITONBACKEND_ModelInstanceExecute(triton_instance *instance,
                                                 triton_request **requests, uint32_t request_count);

#endif
