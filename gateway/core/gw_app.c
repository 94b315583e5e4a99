/* gw_app.c - a hash table by name. */
#include "gw_app.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM            1
#define uthash_malloc(bytes)         sl_alloc_get(table_alloc, bytes)
#define uthash_free(p, bytes)        sl_alloc_free(table_alloc, p)
#define uthash_nonfatal_oom(element) (element)->is_lost = true
#include <uthash.h>

struct entry {
    struct gw_app_row row; /* first: a row is its entry */
    bool is_lost;          /* there was no memory to put it into the table */
    UT_hash_handle hh;
};

struct gw_apps {
    const struct sl_alloc *alloc;
    size_t max_count;
    struct entry *by_name;
};

sl_status gw_apps_create(const struct sl_alloc *alloc, size_t max_count, struct gw_apps **out)
{
    if (max_count == 0)
        return SL_EINVAL;
    struct gw_apps *a = sl_alloc_zero(alloc, 1, sizeof *a);
    if (a == NULL)
        return SL_ENOMEM;
    a->alloc = alloc;
    a->max_count = max_count;
    *out = a;
    return SL_OK;
}

static void drop(struct gw_apps *a, struct entry *e)
{
    const struct sl_alloc *table_alloc = a->alloc;
    HASH_DELETE(hh, a->by_name, e);
    sl_alloc_free(a->alloc, e);
}

void gw_apps_destroy(struct gw_apps *a)
{
    if (a == NULL)
        return;
    while (a->by_name != NULL)
        drop(a, a->by_name);
    sl_alloc_free(a->alloc, a);
}

static bool is_first(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool gw_app_name_is_good(struct sl_span name)
{
    if (name.len == 0 || name.len > GW_APP_NAME_MAX || !is_first(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_first(name.data[i]) && memchr("-_.", name.data[i], 3) == NULL)
            return false;
    return true;
}

static struct entry *find(const struct gw_apps *a, struct sl_span name)
{
    struct entry *e = NULL;
    if (gw_app_name_is_good(name))
        HASH_FIND(hh, a->by_name, name.data, (unsigned)name.len, e);
    return e;
}

sl_status gw_apps_load(struct gw_apps *a, const struct gw_app_row *row)
{
    const struct sl_alloc *table_alloc = a->alloc;
    struct sl_span name = sl_span_str(row->name);
    if (!gw_app_name_is_good(name) || row->owner[0] == '\0')
        return SL_EINVAL;
    if (find(a, name) != NULL)
        return SL_EEXIST;
    if (gw_apps_count(a) >= a->max_count)
        return SL_EFULL;
    struct entry *e = sl_alloc_zero(a->alloc, 1, sizeof *e);
    if (e == NULL)
        return SL_ENOMEM;
    e->row = *row;
    HASH_ADD(hh, a->by_name, row.name[0], (unsigned)name.len, e);
    if (!e->is_lost)
        return SL_OK;
    sl_alloc_free(a->alloc, e);
    return SL_ENOMEM;
}

static void explain(sl_status s, const struct gw_apps *a, const struct gw_app_row *row,
                    struct sl_error *err)
{
    switch (s) {
    case SL_EINVAL:
        sl_error_set(
            err, SL_REASON_BAD_INPUT,
            "an app's name is 1 to %d of a-z, 0-9, '-', '_' and '.', the first a letter or "
            "digit; '%s' is not",
            GW_APP_NAME_MAX, row->name);
        break;
    case SL_EEXIST:
        sl_error_set(err, SL_REASON_ALREADY_EXISTS, "there is an app '%s' already", row->name);
        break;
    case SL_EFULL:
        sl_error_set(err, SL_REASON_NO_CAPACITY, "%zu apps are registered, which is the limit",
                     a->max_count);
        break;
    default:
        sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory for the app");
        break;
    }
}

sl_status gw_apps_register(struct gw_apps *a, const struct gw_app_row *row,
                           const struct gw_tier *tier_of_owner, struct sl_error *err)
{
    size_t has = gw_apps_count_of(a, row->owner);
    if (has >= tier_of_owner->apps && find(a, sl_span_str(row->name)) == NULL) {
        sl_error_set(err, SL_REASON_HOSTING_LIMIT,
                     "%s has %zu apps; the tier %s may host %u, so there is no place for '%s'",
                     row->owner, has, tier_of_owner->name, tier_of_owner->apps, row->name);
        return SL_ENEVER;
    }
    sl_status s = gw_apps_load(a, row);
    if (s != SL_OK)
        explain(s, a, row, err);
    return s;
}

sl_status gw_apps_remove(struct gw_apps *a, struct sl_span name)
{
    struct entry *e = find(a, name);
    if (e == NULL)
        return SL_ENOENT;
    drop(a, e);
    return SL_OK;
}

sl_status gw_apps_set_paused(struct gw_apps *a, struct sl_span name, bool is_paused)
{
    struct entry *e = find(a, name);
    if (e == NULL)
        return SL_ENOENT;
    e->row.is_paused = is_paused;
    return SL_OK;
}

const struct gw_app_row *gw_apps_find(const struct gw_apps *a, struct sl_span name)
{
    struct entry *e = find(a, name);
    return e != NULL ? &e->row : NULL;
}

size_t gw_apps_count(const struct gw_apps *a)
{
    return HASH_COUNT(a->by_name);
}

size_t gw_apps_count_of(const struct gw_apps *a, const char *owner)
{
    size_t count = 0;
    for (const struct gw_app_row *r = NULL; (r = gw_apps_next(a, r)) != NULL;)
        count += strcmp(r->owner, owner) == 0;
    return count;
}

const struct gw_app_row *gw_apps_next(const struct gw_apps *a, const struct gw_app_row *after)
{
    const struct entry *e =
        after == NULL ? a->by_name : ((const struct entry *)(const void *)after)->hh.next;
    return e != NULL ? &e->row : NULL;
}
