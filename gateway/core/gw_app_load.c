#include "gw_app_load.h"

#include <stdlib.h>
#include <string.h>

/* Operators choose the names, not strangers. */
#define HASH_NONFATAL_OOM            1
#define uthash_malloc(bytes)         sl_alloc_get(ls->alloc, bytes)
#define uthash_free(p, bytes)        sl_alloc_free(ls->alloc, p)
#define uthash_nonfatal_oom(element) (element)->is_lost = true
#include <uthash.h>

struct gw_app_load_entry {
    struct gw_app_load load; /* first: a load is its entry */
    bool is_lost;            /* there was no memory to put it into the table */
    UT_hash_handle hh;
};

void gw_app_loads_init(struct gw_app_loads *ls, const struct sl_alloc *alloc,
                       struct gw_order_pool *places)
{
    *ls = (struct gw_app_loads){.alloc = alloc, .places = places};
}

static void drop(struct gw_app_loads *ls, struct gw_app_load_entry *e)
{
    HASH_DELETE(hh, ls->by_name, e);
    sl_alloc_free(ls->alloc, e);
}

void gw_app_loads_finish(struct gw_app_loads *ls)
{
    while (ls->by_name != NULL)
        drop(ls, ls->by_name);
}

static struct gw_app_load_entry *make(struct gw_app_loads *ls, const char *name)
{
    struct gw_app_load_entry *e = sl_alloc_zero(ls->alloc, 1, sizeof *e);
    if (e == NULL)
        return NULL;
    strncpy(e->load.name, name, sizeof e->load.name - 1);
    for (size_t i = 0; i < GW_ASIDES_MAX; i++)
        gw_order_init(&e->load.asides[i].calls, ls->places);
    HASH_ADD_STR(ls->by_name, load.name, e);
    if (!e->is_lost)
        return e;
    sl_alloc_free(ls->alloc, e);
    return NULL;
}

struct gw_app_load *gw_app_loads_get(struct gw_app_loads *ls, const char *name)
{
    struct gw_app_load_entry *e;
    HASH_FIND_STR(ls->by_name, name, e);
    if (e == NULL)
        e = make(ls, name);
    return e == NULL ? NULL : &e->load;
}

void gw_app_loads_release(struct gw_app_loads *ls, struct gw_app_load *l)
{
    if (l != NULL && l->running_count == 0 && l->waiting_count == 0)
        drop(ls, (struct gw_app_load_entry *)l);
}

struct gw_app_load *gw_app_loads_next(const struct gw_app_loads *ls, const struct gw_app_load *l)
{
    const struct gw_app_load_entry *e = (const struct gw_app_load_entry *)l;
    struct gw_app_load_entry *next = e == NULL ? ls->by_name : e->hh.next;
    return next == NULL ? NULL : &next->load;
}

static bool is_of(const struct gw_aside *a, const struct gw_pool *pool, uint8_t size,
                  uint8_t class_index)
{
    return a->pool == pool && a->size == size && a->class_index == class_index;
}

struct gw_aside *gw_app_load_aside(struct gw_app_load *l, struct gw_pool *pool, uint8_t size,
                                   uint8_t class_index)
{
    struct gw_aside *unused = NULL;
    for (size_t i = 0; i < GW_ASIDES_MAX; i++) {
        struct gw_aside *a = &l->asides[i];
        if (is_of(a, pool, size, class_index))
            return a;
        if (a->pool == NULL && unused == NULL)
            unused = a;
    }
    if (unused == NULL)
        return &l->asides[GW_ASIDES_MAX - 1];
    unused->pool = pool;
    unused->size = size;
    unused->class_index = class_index;
    return unused;
}
