/* ex_ort.h - ONNX Runtime, opened at run time.
 *
 * Threads  One thread opens it, once per process; it stays open until the process ends.
 * Errors   MODEL_ERROR with what the library or the loader said; OUT_OF_MEMORY when that was the
 *          reason.
 */
#ifndef EX_ORT_H
#define EX_ORT_H

#include <stdbool.h>

#include "ex_ort_api.h"
#include "sl_reason.h"

struct ex_ort {
    struct ort_api api;
    struct ort_env *env;
    struct ort_allocator *allocator; /* of names; the library's own */
    struct ort_memory_info *cpu;
    const char *version; /* "1.31.1"; static */
};

/* Opens `library` (a path or a name for the loader); NULL: what the environment's
 * SLUICE_ONNXRUNTIME names, else the names it commonly has. What it logs goes to our log. */
bool ex_ort_open(const char *library, struct ex_ort *out, struct sl_error *err);
void ex_ort_close(struct ex_ort *o);

/* Success? Else sets *err to "WHAT: the library's message", releases the status, returns false. */
bool ex_ort_is_ok(const struct ex_ort *o, struct ort_status *status, const char *what,
                  struct sl_error *err);

#endif
