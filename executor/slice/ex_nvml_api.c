/* ex_nvml_api.c - opens NVML at run time. */
#include "ex_nvml_api.h"

#include "ex_symbols.h"

#define NVML_SYMBOL(member, symbol, params) {#symbol, offsetof(struct ex_nvml_api, member)},
static const struct ex_symbol symbols[] = {EX_NVML_FUNCTIONS(NVML_SYMBOL)
                                               NVML_SYMBOL(error_string, nvmlErrorString, ())};
#undef NVML_SYMBOL

sl_status ex_nvml_api_open(struct ex_nvml_api *api, const char *library, struct sl_error *err)
{
    return ex_symbols_open(library ? library : "libnvidia-ml.so.1", symbols, SL_ARRAY_LEN(symbols),
                           api, &api->library, err);
}

void ex_nvml_api_close(struct ex_nvml_api *api)
{
    ex_symbols_close(api->library);
    *api = (struct ex_nvml_api){0};
}
