/* triton_identity.c - a Triton backend for bench/run: OUTPUT0 is INPUT0, by one copy and nothing else.
 *
 * Triton calls it once for each batch; a model of bench/run does not batch, so a batch is one request.
 * It reports statistics as Triton's own backends do: bench/run counts the answers by them. */
#include <string.h>
#include <time.h>

#include "triton_api.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* An answer that Triton does not take can be told to nobody. */
static bool drop(triton_error *error)
{
    if (error == NULL)
        return true;
    TRITONSERVER_ErrorDelete(error);
    return false;
}

static triton_error *copy_buffers(triton_input *input, uint32_t buffer_count, unsigned char *to)
{
    for (uint32_t i = 0; i < buffer_count; i++) {
        const void *from = NULL;
        uint64_t size_bytes = 0;
        triton_memory memory = TRITON_MEMORY_CPU;
        int64_t memory_id = 0;
        triton_error *error =
            TRITONBACKEND_InputBuffer(input, i, &from, &size_bytes, &memory, &memory_id);

        if (error != NULL)
            return error;
        if (from != NULL)
            memcpy(to, from, size_bytes);
        to += size_bytes;
    }
    return NULL;
}

/* Room of Triton's for size_bytes in main memory: the reply that it will send. */
static triton_error *reserve(triton_output *output, uint64_t size_bytes, void **out)
{
    triton_memory memory = TRITON_MEMORY_CPU;
    int64_t memory_id = 0;
    triton_error *error = TRITONBACKEND_OutputBuffer(output, out, size_bytes, &memory, &memory_id);

    if (error == NULL && memory != TRITON_MEMORY_CPU)
        error = TRITONSERVER_ErrorNew(TRITON_ERROR_UNSUPPORTED, "OUTPUT0 is not in main memory");
    return error;
}

static triton_error *answer(triton_request *request, triton_response *response)
{
    triton_input *input;
    triton_output *output;
    triton_datatype datatype;
    const int64_t *shape;
    uint32_t dims_count, buffer_count;
    uint64_t size_bytes;
    void *to = NULL;

    triton_error *error = TRITONBACKEND_RequestInputByIndex(request, 0, &input);
    if (error == NULL)
        error = TRITONBACKEND_InputProperties(input, NULL, &datatype, &shape, &dims_count,
                                              &size_bytes, &buffer_count);
    if (error == NULL)
        error =
            TRITONBACKEND_ResponseOutput(response, &output, "OUTPUT0", datatype, shape, dims_count);
    if (error == NULL)
        error = reserve(output, size_bytes, &to);
    return error != NULL ? error : copy_buffers(input, buffer_count, to);
}

/* Answers, counts and gives back one request, whatever happens to it. */
static void serve(triton_instance *instance, triton_request *request)
{
    const uint64_t begun_ns = now_ns();
    triton_response *response = NULL;
    bool answered = false;

    if (drop(TRITONBACKEND_ResponseNew(&response, request))) {
        triton_error *error = answer(request, response);
        answered = error == NULL;
        drop(TRITONBACKEND_ResponseSend(response, TRITON_RESPONSE_FINAL, error));
        drop(error);
    }
    const uint64_t ended_ns = now_ns();
    drop(TRITONBACKEND_ModelInstanceReportStatistics(instance, request, answered, begun_ns,
                                                     begun_ns, ended_ns, ended_ns));
    drop(TRITONBACKEND_RequestRelease(request, TRITON_RELEASE_ALL));
    drop(TRITONBACKEND_ModelInstanceReportBatchStatistics(instance, 1, begun_ns, begun_ns, ended_ns,
                                                          ended_ns));
}

triton_error *TRITONBACKEND_Initialize(triton_backend *backend)
{
    uint32_t major = 0, minor = 0;
    triton_error *error = TRITONBACKEND_ApiVersion(&major, &minor);

    (void)backend;
    if (error != NULL || major == TRITON_API_MAJOR)
        return error;
    return TRITONSERVER_ErrorNew(TRITON_ERROR_UNSUPPORTED,
                                 "triton_identity is written for version 1 of the backend API");
}

triton_error *TRITONBACKEND_ModelInstanceExecute(triton_instance *instance,
                                                 triton_request **requests, uint32_t request_count)
{
    for (uint32_t i = 0; i < request_count; i++)
        serve(instance, requests[i]);
    return NULL;
}
