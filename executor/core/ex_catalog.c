/* ex_catalog.c - models in an array, and a hash of their names. */
#include "ex_catalog.h"

#include <string.h>

/* The table has its memory from the catalogue's allocator (every function that changes it has the catalogue as
 * c), and one that cannot grow must be an error, not the end of the process. */
#define HASH_NONFATAL_OOM           1
#define uthash_nonfatal_oom(entry)  ((entry)->is_hashed = false)
#define uthash_malloc(bytes)        sl_alloc_get(c->alloc, bytes)
#define uthash_free(pointer, bytes) sl_alloc_free(c->alloc, pointer)
#include <uthash.h>

struct entry {
    char *name;
    char *problem; /* NULL: none */
    const struct ex_model_spec *spec;
    uint32_t index;
    bool is_hashed;
    UT_hash_handle hh;
};

struct ex_catalog {
    const struct sl_alloc *alloc;
    struct entry *by_name;
    uint32_t count;
    struct entry *entries[EX_CATALOG_MAX];
};

static char no_memory[] = "out of memory";

sl_status ex_catalog_create(const struct sl_alloc *alloc, struct ex_catalog **out)
{
    struct ex_catalog *c = sl_alloc_zero(alloc, 1, sizeof(*c));
    if (!c)
        return SL_ENOMEM;
    c->alloc = alloc;
    *out = c;
    return SL_OK;
}

static void free_text(struct ex_catalog *c, char *text)
{
    if (text != no_memory)
        sl_alloc_free(c->alloc, text);
}

static void free_entry(struct ex_catalog *c, struct entry *e)
{
    if (!e)
        return;
    free_text(c, e->problem);
    sl_alloc_free(c->alloc, e->name);
    sl_alloc_free(c->alloc, e);
}

void ex_catalog_destroy(struct ex_catalog *c)
{
    if (!c)
        return;
    HASH_CLEAR(hh, c->by_name);
    for (uint32_t i = 0; i < c->count; i++)
        free_entry(c, c->entries[i]);
    sl_alloc_free(c->alloc, c);
}

static struct entry *find(const struct ex_catalog *c, const char *name)
{
    struct entry *e;
    HASH_FIND_STR(c->by_name, name, e);
    return e;
}

sl_status ex_catalog_add(struct ex_catalog *c, const char *name, const struct ex_model_spec *spec,
                         const char *problem)
{
    if (find(c, name))
        return SL_EEXIST;
    if (c->count == EX_CATALOG_MAX)
        return SL_EFULL;
    struct entry *e = sl_alloc_zero(c->alloc, 1, sizeof(*e));
    if (!e)
        return SL_ENOMEM;
    e->spec = spec;
    e->index = c->count;
    e->name = sl_alloc_copy(c->alloc, name, strlen(name));
    if (e->name) {
        e->is_hashed = true;
        HASH_ADD_KEYPTR(hh, c->by_name, e->name, strlen(e->name), e);
    }
    if (!e->is_hashed) {
        free_entry(c, e);
        return SL_ENOMEM;
    }
    c->entries[c->count] = e;
    ex_catalog_set_problem(c, c->count++, problem);
    return SL_OK;
}

void ex_catalog_set_problem(struct ex_catalog *c, uint32_t model, const char *problem)
{
    if (model >= c->count)
        return;
    struct entry *e = c->entries[model];
    free_text(c, e->problem);
    e->problem = NULL;
    if (problem[0] == '\0')
        return;
    e->problem = sl_alloc_copy(c->alloc, problem, strlen(problem));
    if (!e->problem)
        e->problem = no_memory;
}

uint32_t ex_catalog_count(const struct ex_catalog *c)
{
    return c->count;
}

const char *ex_catalog_name(const struct ex_catalog *c, uint32_t model)
{
    return model < c->count ? c->entries[model]->name : "";
}

const char *ex_catalog_problem(const struct ex_catalog *c, uint32_t model)
{
    if (model >= c->count)
        return "no such model";
    return c->entries[model]->problem ? c->entries[model]->problem : "";
}

const struct ex_model_spec *ex_catalog_spec(const struct ex_catalog *c, uint32_t model)
{
    return model < c->count ? c->entries[model]->spec : NULL;
}

uint32_t ex_catalog_find(const struct ex_catalog *c, const char *name, const char *version)
{
    const struct entry *e = find(c, name);
    if (!e || !e->spec)
        return c->count;
    if (version[0] != '\0' && strcmp(version, e->spec->version) != 0)
        return c->count;
    return e->index;
}
