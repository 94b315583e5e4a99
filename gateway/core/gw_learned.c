#include "gw_learned.h"

#include <string.h>

#include "gw_learn_code.h"

/* The hash of names takes its memory from the allocator, and no memory is an error. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(entry)  ((entry)->is_hashed = false)
#define uthash_malloc(bytes)        sl_alloc_get(l->alloc, bytes)
#define uthash_free(pointer, bytes) sl_alloc_free(l->alloc, pointer)
#include <uthash.h>

struct entry {
    UT_hash_handle hh;
    bool is_hashed;
    size_t model_bytes, version_bytes, sample_bytes;
    uint8_t bytes[]; /* the three, one behind the other */
};

struct gw_learned {
    const struct sl_alloc *alloc;
    size_t max_models, count;
    struct entry *by_model;
};

sl_status gw_learned_create(const struct sl_alloc *alloc, size_t max_models,
                            struct gw_learned **out)
{
    struct gw_learned *l = sl_alloc_zero(alloc, 1, sizeof *l);
    if (l == NULL)
        return SL_ENOMEM;
    l->alloc = alloc;
    l->max_models = max_models;
    *out = l;
    return SL_OK;
}

static void drop(struct gw_learned *l, struct entry *e)
{
    HASH_DEL(l->by_model, e);
    sl_alloc_free(l->alloc, e);
    l->count--;
}

void gw_learned_destroy(struct gw_learned *l)
{
    struct entry *e, *next;
    if (l == NULL)
        return;
    HASH_ITER (hh, l->by_model, e, next)
        drop(l, e);
    sl_alloc_free(l->alloc, l);
}

static struct entry *find(struct gw_learned *l, struct sl_span model)
{
    struct entry *e;
    HASH_FIND(hh, l->by_model, model.data, model.len, e);
    return e;
}

static struct entry *make(struct gw_learned *l, struct sl_span model, struct sl_span version,
                          struct sl_span samples)
{
    struct entry *e = sl_alloc_get(l->alloc, sizeof *e + model.len + version.len + samples.len);
    if (e == NULL)
        return NULL;
    *e = (struct entry){.is_hashed = true, /* until the table says no */
                        .model_bytes = model.len,
                        .version_bytes = version.len,
                        .sample_bytes = samples.len};
    memcpy(e->bytes, model.data, model.len);
    memcpy(e->bytes + model.len, version.data, version.len);
    memcpy(e->bytes + model.len + version.len, samples.data, samples.len);
    return e;
}

sl_status gw_learned_note(struct gw_learned *l, struct sl_span model, struct sl_span version,
                          struct sl_span samples)
{
    struct gw_learn good;
    sl_status s = gw_learn_decode(samples, &good);
    if (s != SL_OK)
        return s;
    if (model.len == 0 || version.len == 0)
        return SL_EPROTO;
    if (find(l, model) != NULL)
        return SL_OK;
    if (l->count == l->max_models)
        return SL_EFULL;
    struct entry *e = make(l, model, version, samples);
    if (e == NULL)
        return SL_ENOMEM;
    HASH_ADD_KEYPTR(hh, l->by_model, e->bytes, e->model_bytes, e);
    if (!e->is_hashed) {
        sl_alloc_free(l->alloc, e);
        return SL_ENOMEM;
    }
    l->count++;
    return SL_OK;
}

bool gw_learned_take(struct gw_learned *l, struct sl_span model, struct sl_span version,
                     struct gw_learn *out)
{
    struct entry *e = find(l, model);
    if (e == NULL)
        return false;
    const uint8_t *at = e->bytes + e->model_bytes;
    bool is_it = sl_span_eq(version, sl_span_of(at, e->version_bytes));
    struct sl_span samples = sl_span_of(at + e->version_bytes, e->sample_bytes);
    is_it = is_it && gw_learn_decode(samples, out) == SL_OK;
    drop(l, e);
    return is_it;
}
