/* sluice_request.h - the inside of a request: what was set, until it is encoded.
 *
 * Memory   Texts, shapes and BYTES inputs lie in the request's arena; tensor data are borrowed.
 */
#ifndef SLUICE_REQUEST_H
#define SLUICE_REQUEST_H

#include "sl_arena.h"
#include "sl_span.h"
#include "sluice/sluice.h"

enum { SLUICE_PARAMETERS_MAX = 64 };

struct sluice_request_input {
    char *name;
    char *datatype;
    int64_t *shape;
    size_t rank;
    struct sl_span data;
};

struct sluice_request {
    char *model; /* own allocations: they outlive sluice_request_clear */
    char *version;
    char *id;
    struct sl_arena arena;
    struct sluice_request_input inputs[SLUICE_INPUTS_MAX];
    size_t input_count;
    char *outputs[SLUICE_OUTPUTS_MAX];
    size_t output_count;
    struct sluice_parameter parameters[SLUICE_PARAMETERS_MAX];
    size_t parameter_count;
    struct sluice_status error; /* the first refusal of a setter */
};

#endif
