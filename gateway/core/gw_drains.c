/* gw_drains.c - a list in the order in which the rows came. */
#include "gw_drains.h"

#include <string.h>
#include <utlist.h>

struct entry {
    struct gw_drain_row row; /* first: a row is its entry */
    struct entry *prev, *next;
};

struct gw_drains {
    const struct sl_alloc *alloc;
    size_t count, max_count;
    struct entry *rows;
};

sl_status gw_drains_create(const struct sl_alloc *alloc, size_t max_count, struct gw_drains **out)
{
    if (max_count == 0)
        return SL_EINVAL;
    struct gw_drains *d = sl_alloc_zero(alloc, 1, sizeof *d);
    if (d == NULL)
        return SL_ENOMEM;
    d->alloc = alloc;
    d->max_count = max_count;
    *out = d;
    return SL_OK;
}

static void drop(struct gw_drains *d, struct entry *e)
{
    DL_DELETE(d->rows, e);
    d->count--;
    sl_alloc_free(d->alloc, e);
}

void gw_drains_destroy(struct gw_drains *d)
{
    if (d == NULL)
        return;
    while (d->rows != NULL)
        drop(d, d->rows);
    sl_alloc_free(d->alloc, d);
}

static struct entry *find(const struct gw_drains *d, const char *node)
{
    struct entry *e;
    DL_FOREACH (d->rows, e)
        if (strcmp(e->row.node, node) == 0)
            return e;
    return NULL;
}

sl_status gw_drains_add(struct gw_drains *d, const struct gw_drain_row *row)
{
    if (row->node[0] == '\0')
        return SL_EINVAL;
    if (find(d, row->node) != NULL)
        return SL_EEXIST;
    if (d->count == d->max_count)
        return SL_EFULL;
    struct entry *e = sl_alloc_zero(d->alloc, 1, sizeof *e);
    if (e == NULL)
        return SL_ENOMEM;
    e->row = *row;
    DL_APPEND(d->rows, e);
    d->count++;
    return SL_OK;
}

void gw_drains_remove(struct gw_drains *d, const char *node)
{
    struct entry *e = find(d, node);
    if (e != NULL)
        drop(d, e);
}

const struct gw_drain_row *gw_drains_find(const struct gw_drains *d, const char *node)
{
    const struct entry *e = find(d, node);
    return e != NULL ? &e->row : NULL;
}

const struct gw_drain_row *gw_drains_next(const struct gw_drains *d,
                                          const struct gw_drain_row *after)
{
    const struct entry *e =
        after == NULL ? d->rows : ((const struct entry *)(const void *)after)->next;
    return e != NULL ? &e->row : NULL;
}

size_t gw_drains_count(const struct gw_drains *d)
{
    return d->count;
}
