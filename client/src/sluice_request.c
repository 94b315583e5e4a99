/* sluice_request.c - building a request; the first refusal is kept for sluice_infer. */
#include "sluice_request.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sl_dtype.h"
#include "sl_text.h"
#include "sluice_status.h"

enum { NAME_BYTES_MAX = 1024, TEXT_BYTES_MAX = 64 * 1024, ARENA_BYTES_MAX = 1 << 30 };

static int refuse(struct sluice_request *r, const struct sluice_status *why)
{
    if (r->error.code == SLUICE_OK)
        r->error = *why;
    return why->code;
}

static int refuse_memory(struct sluice_request *r)
{
    struct sluice_status why;
    sluice_status_set(&why, SLUICE_RESOURCE_EXHAUSTED, "OUT_OF_MEMORY",
                      "no memory for the request");
    return refuse(r, &why);
}

/* The request's own refusal with its sentence. */
#define REFUSE_INPUT(r, ...)                                                                       \
    do {                                                                                           \
        struct sluice_status why_;                                                                 \
        sluice_status_set(&why_, SLUICE_INVALID_ARGUMENT, "BAD_INPUT", __VA_ARGS__);               \
        return refuse(r, &why_);                                                                   \
    } while (0)

int sluice_request_create(const char *model, const char *version, struct sluice_request **out)
{
    struct sluice_request *r = calloc(1, sizeof(*r));

    *out = NULL;
    if (r == NULL)
        return SLUICE_RESOURCE_EXHAUSTED;
    r->model = strdup(model != NULL ? model : "");
    r->version = strdup(version != NULL ? version : "");
    if (r->model == NULL || r->version == NULL) {
        free(r->model);
        free(r->version);
        free(r);
        return SLUICE_RESOURCE_EXHAUSTED;
    }
    sl_arena_init(&r->arena, &sl_alloc_malloc, ARENA_BYTES_MAX);
    sluice_request_clear(r);
    *out = r;
    return SLUICE_OK;
}

void sluice_request_destroy(struct sluice_request *request)
{
    if (request == NULL)
        return;
    sl_arena_finish(&request->arena);
    free(request->model);
    free(request->version);
    free(request);
}

static bool is_text(const char *text, size_t max_bytes)
{
    return text != NULL && strnlen(text, max_bytes + 1) <= max_bytes &&
           sl_text_is_utf8(sl_span_str(text));
}

void sluice_request_clear(struct sluice_request *request)
{
    sl_arena_reset(&request->arena);
    request->id = NULL;
    request->input_count = 0;
    request->output_count = 0;
    request->parameter_count = 0;
    sluice_status_clear(&request->error);
    if (request->model[0] == '\0' || !is_text(request->model, NAME_BYTES_MAX) ||
        !is_text(request->version, NAME_BYTES_MAX))
        sluice_status_set(&request->error, SLUICE_INVALID_ARGUMENT, "BAD_INPUT",
                          "the model's name and version must be UTF-8 of at most %d bytes, and the "
                          "name not empty",
                          NAME_BYTES_MAX);
}

static char *keep(struct sluice_request *r, const char *text)
{
    return sl_arena_str(&r->arena, sl_span_str(text));
}

int sluice_request_set_id(struct sluice_request *request, const char *id)
{
    if (!is_text(id, NAME_BYTES_MAX))
        REFUSE_INPUT(request, "the id must be UTF-8 of at most %d bytes", NAME_BYTES_MAX);
    request->id = keep(request, id);
    return request->id != NULL ? SLUICE_OK : refuse_memory(request);
}

static bool has_input(const struct sluice_request *r, const char *name)
{
    for (size_t i = 0; i < r->input_count; i++) {
        if (strcmp(r->inputs[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Name, place, rank and dimensions: what all inputs have in common. *out_elements: their product. */
static int check_input(struct sluice_request *r, const char *name, const int64_t *shape,
                       size_t rank, int64_t *out_elements)
{
    if (!is_text(name, NAME_BYTES_MAX) || name[0] == '\0')
        REFUSE_INPUT(r, "an input's name must be UTF-8 of 1 to %d bytes", NAME_BYTES_MAX);
    if (r->input_count >= SLUICE_INPUTS_MAX)
        REFUSE_INPUT(r, "input %s is one too many: a request has at most %d inputs", name,
                     SLUICE_INPUTS_MAX);
    if (has_input(r, name))
        REFUSE_INPUT(r, "input %s is there twice", name);
    if (rank > SLUICE_RANK_MAX || (rank > 0 && shape == NULL))
        REFUSE_INPUT(r, "input %s has rank %zu; at most %d is possible", name, rank,
                     SLUICE_RANK_MAX);
    if (sl_shape_elements(shape, rank, out_elements) != SL_OK) {
        char text[256];
        REFUSE_INPUT(r, "input %s has the impossible shape %s", name,
                     sl_shape_format(shape, rank, text, sizeof(text)));
    }
    return SLUICE_OK;
}

/* Puts a checked input at the end of the list. */
static int push_input(struct sluice_request *r, const char *name, const char *datatype,
                      const int64_t *shape, size_t rank, struct sl_span data)
{
    struct sluice_request_input in = {.rank = rank, .data = data};

    in.name = keep(r, name);
    in.datatype = keep(r, datatype);
    in.shape = sl_arena_get(&r->arena, (rank > 0 ? rank : 1) * sizeof(*shape));
    if (in.name == NULL || in.datatype == NULL || in.shape == NULL)
        return refuse_memory(r);
    if (rank > 0)
        memcpy(in.shape, shape, rank * sizeof(*shape));
    r->inputs[r->input_count++] = in;
    return SLUICE_OK;
}

int sluice_request_add_input(struct sluice_request *request, const char *name, const char *datatype,
                             const int64_t *shape, size_t rank, const void *data, size_t bytes)
{
    int64_t elements;
    uint64_t expected;
    int code = check_input(request, name, shape, rank, &elements);
    if (code != SLUICE_OK)
        return code;
    enum sl_dtype type =
        datatype != NULL ? sl_dtype_from_name(sl_span_str(datatype)) : SL_DTYPE_INVALID;
    if (type == SL_DTYPE_INVALID)
        REFUSE_INPUT(request, "input %s has the unknown datatype %.40s", name,
                     datatype != NULL ? datatype : "(null)");
    if (data == NULL && bytes > 0)
        REFUSE_INPUT(request, "input %s has no data", name);
    if (type == SL_DTYPE_BYTES) {
        if (sl_bytes_tensor_check(sl_span_of(data, bytes), elements) != SL_OK)
            REFUSE_INPUT(request,
                         "input %s: its %zu bytes are not %" PRId64 " elements of BYTES, each with "
                         "its length before it",
                         name, bytes, elements);
    } else if (sl_shape_bytes(type, shape, rank, &expected) != SL_OK || expected != bytes) {
        char text[256];
        REFUSE_INPUT(request, "input %s has %zu bytes, but %s of shape %s is another size", name,
                     bytes, datatype, sl_shape_format(shape, rank, text, sizeof(text)));
    }
    return push_input(request, name, datatype, shape, rank, sl_span_of(data, bytes));
}

/* The bytes of all elements with their lengths; false when one or all are too large. */
static bool bytes_tensor_size(const struct sluice_bytes *elements, size_t count, size_t *out)
{
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        if (elements[i].bytes > SLUICE_MAX_MESSAGE_BYTES)
            return false;
        total += 4 + elements[i].bytes;
        if (total > SLUICE_MAX_MESSAGE_BYTES)
            return false;
    }
    *out = (size_t)total;
    return true;
}

static void write_bytes_tensor(uint8_t *at, const struct sluice_bytes *elements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = elements[i].bytes;
        for (int shift = 0; shift < 32; shift += 8)
            *at++ = (uint8_t)(n >> shift);
        if (n > 0)
            memcpy(at, elements[i].data, n);
        at += n;
    }
}

int sluice_request_add_bytes_input(struct sluice_request *request, const char *name,
                                   const int64_t *shape, size_t rank,
                                   const struct sluice_bytes *elements, size_t count)
{
    int64_t expected;
    size_t total;
    int code = check_input(request, name, shape, rank, &expected);
    if (code != SLUICE_OK)
        return code;
    if ((uint64_t)expected != count)
        REFUSE_INPUT(request, "input %s has %zu elements, but its shape says %" PRId64, name, count,
                     expected);
    if (!bytes_tensor_size(elements, count, &total))
        REFUSE_INPUT(request, "input %s is larger than any message (%" PRIu64 " bytes)", name,
                     SLUICE_MAX_MESSAGE_BYTES);
    uint8_t *raw = sl_arena_get(&request->arena, total > 0 ? total : 1);
    if (raw == NULL)
        return refuse_memory(request);
    write_bytes_tensor(raw, elements, count);
    return push_input(request, name, "BYTES", shape, rank, sl_span_of(raw, total));
}

int sluice_request_add_output(struct sluice_request *request, const char *name)
{
    if (!is_text(name, NAME_BYTES_MAX) || name[0] == '\0')
        REFUSE_INPUT(request, "an output's name must be UTF-8 of 1 to %d bytes", NAME_BYTES_MAX);
    if (request->output_count >= SLUICE_OUTPUTS_MAX)
        REFUSE_INPUT(request, "output %s is one too many: a request names at most %d", name,
                     SLUICE_OUTPUTS_MAX);
    char *kept = keep(request, name);
    if (kept == NULL)
        return refuse_memory(request);
    request->outputs[request->output_count++] = kept;
    return SLUICE_OK;
}

static bool has_parameter(const struct sluice_request *r, const char *name)
{
    for (size_t i = 0; i < r->parameter_count; i++) {
        if (strcmp(r->parameters[i].name, name) == 0)
            return true;
    }
    return false;
}

int sluice_request_add_parameter(struct sluice_request *request,
                                 const struct sluice_parameter *parameter)
{
    struct sluice_parameter p = *parameter;

    if (!is_text(p.name, NAME_BYTES_MAX) || p.name[0] == '\0')
        REFUSE_INPUT(request, "a parameter's name must be UTF-8 of 1 to %d bytes", NAME_BYTES_MAX);
    if (request->parameter_count >= SLUICE_PARAMETERS_MAX || has_parameter(request, p.name))
        REFUSE_INPUT(request, "parameter %s is there twice, or one more than %d", p.name,
                     SLUICE_PARAMETERS_MAX);
    if (p.kind < SLUICE_PARAMETER_BOOL || p.kind > SLUICE_PARAMETER_UINT64)
        REFUSE_INPUT(request, "parameter %s has the unknown kind %d", p.name, (int)p.kind);
    if (p.kind == SLUICE_PARAMETER_STRING && !is_text(p.value.string, TEXT_BYTES_MAX))
        REFUSE_INPUT(request, "parameter %s must be UTF-8 of at most %d bytes", p.name,
                     TEXT_BYTES_MAX);
    p.name = keep(request, p.name);
    if (p.kind == SLUICE_PARAMETER_STRING)
        p.value.string = keep(request, p.value.string);
    if (p.name == NULL || (p.kind == SLUICE_PARAMETER_STRING && p.value.string == NULL))
        return refuse_memory(request);
    request->parameters[request->parameter_count++] = p;
    return SLUICE_OK;
}
