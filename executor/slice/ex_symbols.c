/* ex_symbols.c - dlopen and dlsym over a table. */
#include "ex_symbols.h"

#include <dlfcn.h>
#include <string.h>

/* POSIX gives functions as void *; C forbids the cast, so the bytes are copied. */
static void set_pointer(void *table, size_t offset, void *function)
{
    memcpy((char *)table + offset, &function, sizeof(function));
}

static void clear(const struct ex_symbol *symbols, size_t symbol_count, void *table)
{
    for (size_t i = 0; i < symbol_count; i++)
        set_pointer(table, symbols[i].offset, NULL);
}

void ex_symbols_close(void *handle)
{
    if (handle)
        dlclose(handle);
}

sl_status ex_symbols_open(const char *library, const struct ex_symbol *symbols, size_t symbol_count,
                          void *table, void **out_handle, struct sl_error *err)
{
    clear(symbols, symbol_count, table);
    *out_handle = NULL;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        sl_error_set(err, SL_REASON_NO_CAPACITY, "%s cannot be opened: %s", library, dlerror());
        return SL_ENOENT;
    }
    for (size_t i = 0; i < symbol_count; i++) {
        void *function = dlsym(handle, symbols[i].name);
        if (!function) {
            sl_error_set(err, SL_REASON_NO_CAPACITY,
                         "%s lacks %s: the installed driver is older than Sluice needs", library,
                         symbols[i].name);
            clear(symbols, symbol_count, table);
            dlclose(handle);
            return SL_ENEVER;
        }
        set_pointer(table, symbols[i].offset, function);
    }
    *out_handle = handle;
    return SL_OK;
}
