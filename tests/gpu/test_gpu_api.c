/* test_gpu_api.c - our CUDA and NVML tables against a real driver: both see the same device, and bytes
 * that go up come down unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ex_cuda_api.h"
#include "ex_nvml_api.h"

static struct ex_cuda_api cuda;
static struct ex_nvml_api nvml;
static bool has_device;

/* Opens both libraries; without them, or without a device, every test skips. */
static int open_driver(void **state)
{
    (void)state;
    struct sl_error err = {0};
    int count = 0;
    if (ex_cuda_api_open(&cuda, NULL, &err) != SL_OK ||
        ex_nvml_api_open(&nvml, NULL, &err) != SL_OK)
        printf("no GPU here: %s\n", err.text);
    else if (cuda.init(0) != EX_CU_SUCCESS || cuda.device_count(&count) != EX_CU_SUCCESS || !count)
        printf("no GPU here: the driver has no device\n");
    else
        has_device = nvml.init() == EX_NVML_SUCCESS;
    return 0;
}

static int close_driver(void **state)
{
    (void)state;
    if (has_device)
        nvml.shutdown();
    ex_nvml_api_close(&nvml);
    ex_cuda_api_close(&cuda);
    return 0;
}

static void assert_ok(ex_cu_result result, const char *what)
{
    char text[256];
    if (result == EX_CU_SUCCESS)
        return;
    ex_cuda_api_describe(&cuda, result, text, sizeof(text));
    fail_msg("%s: %s", what, text);
}

#define OK(call) assert_ok(cuda.call, #call)

/* "GPU-8-4-4-4-12" of a UUID's bytes, as NVML writes it. */
static void format_uuid(const struct ex_cu_uuid *uuid, char out[EX_NVML_UUID_BYTES])
{
    int at = snprintf(out, EX_NVML_UUID_BYTES, "GPU-");
    for (int i = 0; i < 16; i++) {
        const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
        at += snprintf(out + at, (size_t)(EX_NVML_UUID_BYTES - at), "%s%02x", dash,
                       (unsigned char)uuid->bytes[i]);
    }
}

static void cuda_and_nvml_see_the_same_device(void **state)
{
    (void)state;
    if (!has_device)
        skip();
    ex_cu_device device;
    struct ex_cu_uuid uuid;
    char text[EX_NVML_UUID_BYTES];
    char name[EX_NVML_NAME_BYTES];
    ex_nvml_device found;
    struct ex_nvml_memory memory;
    size_t total = 0;
    OK(device_get(&device, 0));
    OK(device_uuid(&uuid, device));
    OK(device_total_mem(&total, device));
    format_uuid(&uuid, text);
    if (nvml.device_by_uuid(text, &found) != EX_NVML_SUCCESS)
        skip(); /* a MIG instance: its UUID is named otherwise */
    assert_int_equal(nvml.device_name(found, name, sizeof(name)), EX_NVML_SUCCESS);
    assert_int_equal(nvml.device_memory(found, &memory), EX_NVML_SUCCESS);
    printf("%s %s: %llu MiB\n", text, name, memory.total_bytes >> 20);
    assert_true(total <= memory.total_bytes);
    assert_true(total > memory.total_bytes / 10 * 9);
}

enum { BYTES = 8 << 20 };

static void bytes_go_up_and_come_down_unchanged(void **state)
{
    (void)state;
    if (!has_device)
        skip();
    ex_cu_device device;
    ex_cu_context ctx;
    ex_cu_stream stream;
    ex_cu_deviceptr on_device;
    void *up;
    void *down;
    OK(device_get(&device, 0));
    OK(primary_ctx_retain(&ctx, device));
    OK(ctx_set_current(ctx));
    OK(stream_create(&stream, EX_CU_STREAM_NON_BLOCKING));
    OK(mem_host_alloc(&up, BYTES, EX_CU_MEMHOSTALLOC_PORTABLE));
    OK(mem_host_alloc(&down, BYTES, EX_CU_MEMHOSTALLOC_PORTABLE));
    OK(mem_alloc(&on_device, BYTES));
    for (size_t i = 0; i < BYTES; i++)
        ((unsigned char *)up)[i] = (unsigned char)(i * 31 >> 3);

    OK(memcpy_to_device(on_device, up, BYTES, stream));
    OK(memset_bytes(on_device, 0xab, 16, stream));
    OK(memcpy_to_host(down, on_device, BYTES, stream));
    OK(stream_synchronize(stream));
    memset(up, 0xab, 16);
    assert_memory_equal(up, down, BYTES);

    OK(mem_free(on_device));
    OK(mem_free_host(up));
    OK(mem_free_host(down));
    OK(stream_destroy(stream));
    OK(primary_ctx_release(device));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda_and_nvml_see_the_same_device),
        cmocka_unit_test(bytes_go_up_and_come_down_unchanged),
    };
    return cmocka_run_group_tests(tests, open_driver, close_driver);
}
