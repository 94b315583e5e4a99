/* test_sluice_nomem.c - a whole call with the i-th allocation failing, for every i: a status, no crash,
 * and (under ASan) no leak. */
#include <sluice/sluice.h>
#include <stdlib.h>

#include "peer_server.h"
#include "sl_base.h"
#include "sl_test.h"

/* The linker sends our code's allocations here (--wrap); those of other libraries stay as they are. */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
char *__wrap_strdup(const char *text);

/* Allocations until the one that fails; -1: none fails. Of this thread, so the server goes on. */
static _Thread_local long countdown = -1;

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
    return fails() ? NULL : __real_realloc(p, bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static void check(const struct sluice_result *result)
{
    const struct sluice_tensor *y = sluice_result_output_named(result, "y");
    const struct sluice_parameter *k = sluice_result_parameter(result, 0);

    assert_non_null(y);
    assert_float_equal(((const float *)y->data)[1], 2, 0);
    assert_int_equal(k->kind, SLUICE_PARAMETER_STRING);
    assert_string_equal(k->value.string, "vv");
    assert_string_equal(sluice_result_metadata(result, "sluice-exec-ms"), "2");
}

static int infer_once(const char *address, size_t input_bytes)
{
    static uint8_t data[1 << 16];
    struct sluice_call_options options = SLUICE_CALL_OPTIONS_INIT;
    struct sluice_channel *channel;
    struct sluice_request *request = NULL;
    struct sluice_result *result = NULL;
    struct sluice_status status;
    int64_t shape[1] = {(int64_t)input_bytes};

    int code = sluice_channel_create(address, NULL, &channel, &status);
    if (code == SLUICE_OK)
        code = sluice_request_create("identity", "1", &request);
    if (code == SLUICE_OK) {
        sluice_request_set_id(request, "x");
        sluice_request_add_input(request, "INPUT0", "UINT8", shape, 1, data, input_bytes);
        sluice_request_add_bytes_input(request, "B", (int64_t[]){1}, 1,
                                       &(struct sluice_bytes){data, 300}, 1);
        options.timeout_ms = 5000;
        code = sluice_infer(channel, request, &options, &result, &status);
        if (code != SLUICE_OK)
            assert_string_equal(status.reason, "OUT_OF_MEMORY");
        else
            check(result);
    }
    sluice_result_destroy(result);
    sluice_request_destroy(request);
    sluice_channel_destroy(channel);
    return code;
}

static void every_allocation_may_fail(void **state SL_UNUSED)
{
    struct peer_server *server = peer_server_start();
    long count = 0;
    int last;

    countdown = -1;
    assert_int_equal(infer_once(peer_server_address(server), 60000), SLUICE_OK);
    do {
        countdown = count++;
        last = infer_once(peer_server_address(server), 60000);
        if (countdown < 0) /* it was reached */
            assert_int_equal(last, SLUICE_RESOURCE_EXHAUSTED);
    } while (countdown < 0 && count < 10000);
    countdown = -1;
    printf("%ld allocations\n", count - 1);
    assert_in_range(count, 15, 1000);
    assert_int_equal(last, SLUICE_OK);
    peer_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
