/* test_ex_cuda_api.c - opening CUDA and NVML at run time: absent, too old, complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ex_cuda_api.h"
#include "ex_nvml_api.h"
#include "ex_symbols.h"

static bool all_zero(const void *p, size_t size)
{
    const unsigned char *bytes = p;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in '%s'", part, text);
}

static void an_absent_library_is_named(void **state)
{
    (void)state;
    struct ex_cuda_api api;
    struct sl_error err = {0};
    memset(&api, 0xff, sizeof(api));
    assert_int_equal(ex_cuda_api_open(&api, "libno-such-driver.so.1", &err), SL_ENOENT);
    assert_int_equal(err.reason, SL_REASON_NO_CAPACITY);
    assert_contains(err.text, "libno-such-driver.so.1 cannot be opened");
    assert_true(all_zero(&api, sizeof(api)));
    ex_cuda_api_close(&api);
}

static void the_default_names_are_the_drivers(void **state)
{
    (void)state;
    struct ex_cuda_api cuda;
    struct ex_nvml_api nvml;
    struct sl_error err = {0};
    sl_status st = ex_cuda_api_open(&cuda, NULL, &err);
    if (st != SL_OK)
        assert_contains(err.text, "libcuda.so.1");
    ex_cuda_api_close(&cuda);
    st = ex_nvml_api_open(&nvml, NULL, &err);
    if (st != SL_OK)
        assert_contains(err.text, "libnvidia-ml.so.1");
    ex_nvml_api_close(&nvml);
}

static void a_library_without_a_function_is_refused_whole(void **state)
{
    (void)state;
    struct ex_cuda_api cuda;
    struct ex_nvml_api nvml;
    struct sl_error err = {0};
    assert_int_equal(ex_cuda_api_open(&cuda, "libc.so.6", &err), SL_ENEVER);
    assert_contains(err.text, "libc.so.6 lacks cuInit");
    assert_true(all_zero(&cuda, sizeof(cuda)));
    assert_int_equal(ex_nvml_api_open(&nvml, FAKE_CUDA_LIBRARY, &err), SL_ENEVER);
    assert_contains(err.text, "lacks nvmlInit_v2");
    assert_true(all_zero(&nvml, sizeof(nvml)));
}

static void the_first_missing_function_is_named(void **state)
{
    (void)state;
    static const struct ex_symbol symbols[] = {
        {"cuInit", 0}, {"cuNoSuchThing", sizeof(void *)}, {"cuNorThis", 2 * sizeof(void *)}};
    void *table[3];
    void *handle;
    struct sl_error err = {0};
    assert_int_equal(ex_symbols_open(FAKE_CUDA_LIBRARY, symbols, 3, table, &handle, &err),
                     SL_ENEVER);
    assert_contains(err.text, "lacks cuNoSuchThing");
    assert_null(handle);
    assert_true(all_zero(table, sizeof(table)));
}

#define COUNT_ONE(member, symbol, params) +1
enum { FUNCTION_COUNT = 0 EX_CUDA_FUNCTIONS(COUNT_ONE) };

static void a_complete_library_fills_every_member(void **state)
{
    (void)state;
    struct ex_cuda_api api;
    struct sl_error err = {0};
    assert_int_equal(ex_cuda_api_open(&api, FAKE_CUDA_LIBRARY, &err), SL_OK);
    assert_non_null(api.library);
#define ASSERT_SET(member, symbol, params) assert_non_null(api.member);
    EX_CUDA_FUNCTIONS(ASSERT_SET)
    assert_int_equal(sizeof(api), (FUNCTION_COUNT + 1) * sizeof(void *));
    assert_int_equal(api.init(0), EX_CU_ERROR_NOT_READY);
    assert_int_equal(api.ctx_synchronize(), EX_CU_ERROR_NOT_READY);
    ex_cuda_api_close(&api);
    assert_true(all_zero(&api, sizeof(api)));
}

static void an_error_without_a_name_is_described_by_its_number(void **state)
{
    (void)state;
    struct ex_cuda_api api;
    struct sl_error err = {0};
    char text[128];
    assert_int_equal(ex_cuda_api_open(&api, FAKE_CUDA_LIBRARY, &err), SL_OK);
    ex_cuda_api_describe(&api, 719, text, sizeof(text));
    assert_string_equal(text, "CUDA error 719");
    ex_cuda_api_close(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_library_is_named),
        cmocka_unit_test(the_default_names_are_the_drivers),
        cmocka_unit_test(a_library_without_a_function_is_refused_whole),
        cmocka_unit_test(the_first_missing_function_is_named),
        cmocka_unit_test(a_complete_library_fills_every_member),
        cmocka_unit_test(an_error_without_a_name_is_described_by_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
