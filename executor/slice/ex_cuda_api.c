/* ex_cuda_api.c - opens the CUDA driver at run time. */
#include "ex_cuda_api.h"

#include <stdio.h>

#include "ex_symbols.h"

#define CUDA_SYMBOL(member, symbol, params) {#symbol, offsetof(struct ex_cuda_api, member)},
static const struct ex_symbol symbols[] = {EX_CUDA_FUNCTIONS(CUDA_SYMBOL)};
#undef CUDA_SYMBOL

sl_status ex_cuda_api_open(struct ex_cuda_api *api, const char *library, struct sl_error *err)
{
    return ex_symbols_open(library ? library : "libcuda.so.1", symbols, SL_ARRAY_LEN(symbols), api,
                           &api->library, err);
}

void ex_cuda_api_close(struct ex_cuda_api *api)
{
    ex_symbols_close(api->library);
    *api = (struct ex_cuda_api){0};
}

void ex_cuda_api_describe(const struct ex_cuda_api *api, ex_cu_result result, char *out,
                          size_t capacity)
{
    const char *name = NULL;
    const char *text = NULL;
    if (api->error_name(result, &name) != EX_CU_SUCCESS || !name ||
        api->error_string(result, &text) != EX_CU_SUCCESS || !text)
        snprintf(out, capacity, "CUDA error %u", result);
    else
        snprintf(out, capacity, "%s: %s", name, text);
}
