/* sluice_result.c - reading a result. */
#include "sluice_result.h"

#include <stdlib.h>

enum { ARENA_BYTES_MAX = 1 << 30 };

struct sluice_result *sluice_result_create(void)
{
    struct sluice_result *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    for (size_t i = 0; i < SL_ARRAY_LEN(r->pairs); i++)
        sluice_pairs_init(&r->pairs[i]);
    sl_arena_init(&r->arena, &sl_alloc_malloc, ARENA_BYTES_MAX);
    r->model_name = r->model_version = r->id = "";
    return r;
}

void sluice_result_drop_message(struct sluice_result *r)
{
    free(r->block);
    r->block = r->message = NULL;
    r->message_len = 0;
}

void sluice_result_destroy(struct sluice_result *result)
{
    if (result == NULL)
        return;
    for (size_t i = 0; i < SL_ARRAY_LEN(result->pairs); i++)
        sluice_pairs_finish(&result->pairs[i]);
    sl_arena_finish(&result->arena);
    sluice_result_drop_message(result);
    free(result);
}

const char *sluice_result_model_name(const struct sluice_result *result)
{
    return result->model_name;
}

const char *sluice_result_model_version(const struct sluice_result *result)
{
    return result->model_version;
}

const char *sluice_result_id(const struct sluice_result *result)
{
    return result->id;
}

size_t sluice_result_output_count(const struct sluice_result *result)
{
    return result->output_count;
}

const struct sluice_tensor *sluice_result_output(const struct sluice_result *result, size_t index)
{
    return index < result->output_count ? &result->outputs[index] : NULL;
}

const struct sluice_tensor *sluice_result_output_named(const struct sluice_result *result,
                                                       const char *name)
{
    for (size_t i = 0; i < result->output_count; i++) {
        if (strcmp(result->outputs[i].name, name) == 0)
            return &result->outputs[i];
    }
    return NULL;
}

bool sluice_tensor_next_bytes(const struct sluice_tensor *tensor, size_t *cursor,
                              struct sluice_bytes *out)
{
    const uint8_t *at = (const uint8_t *)tensor->data + *cursor;
    size_t left = *cursor <= tensor->bytes ? tensor->bytes - *cursor : 0;
    if (left < 4)
        return false;
    size_t len = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (len > left - 4)
        return false;
    *out = (struct sluice_bytes){.data = at + 4, .bytes = len};
    *cursor += 4 + len;
    return true;
}

size_t sluice_result_parameter_count(const struct sluice_result *result)
{
    return result->parameter_count;
}

const struct sluice_parameter *sluice_result_parameter(const struct sluice_result *result,
                                                       size_t index)
{
    return index < result->parameter_count ? &result->parameters[index] : NULL;
}

struct sluice_bytes sluice_result_message(const struct sluice_result *result)
{
    if (result->is_inference)
        return (struct sluice_bytes){.data = NULL, .bytes = 0};
    return (struct sluice_bytes){.data = result->message, .bytes = result->message_len};
}

size_t sluice_result_pair_count(const struct sluice_result *result, enum sluice_pairs from)
{
    return (size_t)from < SL_ARRAY_LEN(result->pairs) ? result->pairs[from].count : 0;
}

const struct sluice_pair *sluice_result_pair(const struct sluice_result *result,
                                             enum sluice_pairs from, size_t index)
{
    return index < sluice_result_pair_count(result, from) ? &result->pairs[from].items[index]
                                                          : NULL;
}

const char *sluice_result_metadata(const struct sluice_result *result, const char *name)
{
    const char *value = sluice_pairs_find(&result->pairs[SLUICE_TRAILERS], name);
    return value != NULL ? value : sluice_pairs_find(&result->pairs[SLUICE_HEADERS], name);
}
