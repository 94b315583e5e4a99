/* ex_symbols.h - fills a struct of function pointers from a library opened at run time.
 *
 * So that one binary runs on nodes with and without a GPU: nothing of NVIDIA's is linked.
 *
 * Errors   All-or-nothing: on error no library stays open and the struct is all NULL. The sentence
 *          names the library and, where one is missing, the function.
 * Threads  Not for the same struct at once.
 */
#ifndef EX_SYMBOLS_H
#define EX_SYMBOLS_H

#include <stddef.h>

#include "sl_reason.h"
#include "sl_status.h"

struct ex_symbol {
    const char *name; /* as the library exports it */
    size_t offset;    /* of the function pointer in the struct */
};

/* Opens library (a name for the dynamic loader, or a path) and sets each symbol's pointer in *table.
 * *out_handle is the caller's; end it with ex_symbols_close().
 * Errors: SL_ENOENT  the library cannot be opened: *err says why, reason NO_CAPACITY
 *         SL_ENEVER  it lacks a function: *err names it, reason NO_CAPACITY */
SL_MUST_CHECK sl_status ex_symbols_open(const char *library, const struct ex_symbol *symbols,
                                        size_t symbol_count, void *table, void **out_handle,
                                        struct sl_error *err);
void ex_symbols_close(void *handle); /* NULL is fine */

#endif
