/* gw_token_table.c - rows in two hash tables: by hash for callers, by prefix for people. */
#include "gw_token_table.h"

#include <stdlib.h>
#include <string.h>

/* uthash compares keys by this: the same time whatever they hold. 0: they are the same. */
static int differ(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    unsigned difference = 0;
    for (size_t i = 0; i < len; i++)
        difference |= (unsigned)(x[i] ^ y[i]);
    return difference != 0;
}

/* Keys are hashes of 256 bits or random digits already: no caller can choose them. */
#define HASH_NONFATAL_OOM            1
#define HASH_KEYCMP(a, b, len)       differ(a, b, len)
#define uthash_malloc(bytes)         sl_alloc_get(table_alloc, bytes)
#define uthash_free(p, bytes)        sl_alloc_free(table_alloc, p)
#define uthash_nonfatal_oom(element) (element)->is_lost = true
#include <uthash.h>

#include "gw_app.h"

struct entry {
    struct gw_token_row row; /* first: a row is its entry */
    bool is_lost;            /* there was no memory to put it into a table */
    UT_hash_handle by_hash;
    UT_hash_handle by_prefix;
};

struct gw_token_table {
    const struct sl_alloc *alloc;
    size_t max_count;
    struct entry *by_hash;
    struct entry *by_prefix;
};

sl_status gw_token_table_create(const struct sl_alloc *alloc, size_t max_count,
                                struct gw_token_table **out)
{
    if (max_count == 0)
        return SL_EINVAL;
    struct gw_token_table *t = sl_alloc_zero(alloc, 1, sizeof *t);
    if (t == NULL)
        return SL_ENOMEM;
    t->alloc = alloc;
    t->max_count = max_count;
    *out = t;
    return SL_OK;
}

void gw_token_table_destroy(struct gw_token_table *t)
{
    if (t == NULL)
        return;
    const struct sl_alloc *table_alloc = t->alloc;
    HASH_CLEAR(by_prefix, t->by_prefix);
    struct entry *e = t->by_hash, *next;
    for (; e != NULL; e = next) {
        next = e->by_hash.next;
        HASH_DELETE(by_hash, t->by_hash, e);
        sl_alloc_free(t->alloc, e);
    }
    sl_alloc_free(table_alloc, t);
}

static struct entry *find_prefix(const struct gw_token_table *t, struct sl_span prefix)
{
    struct entry *e = NULL;
    if (prefix.len == GW_TOKEN_PREFIX_LEN)
        HASH_FIND(by_prefix, t->by_prefix, prefix.data, GW_TOKEN_PREFIX_LEN, e);
    return e;
}

/* Into both tables or into none. */
static bool link_entry(struct gw_token_table *t, struct entry *e)
{
    const struct sl_alloc *table_alloc = t->alloc;
    HASH_ADD(by_hash, t->by_hash, row.hash, GW_TOKEN_HASH_BYTES, e);
    if (e->is_lost)
        return false;
    HASH_ADD(by_prefix, t->by_prefix, row.prefix, GW_TOKEN_PREFIX_LEN, e);
    if (e->is_lost)
        HASH_DELETE(by_hash, t->by_hash, e);
    return !e->is_lost;
}

static bool has_good_names(const struct gw_token_row *row)
{
    struct sl_span user = sl_span_str(row->user);
    if (row->app[0] == '\0')
        return gw_user_name_is_good(user);
    return gw_owner_name_is_good(user) && gw_app_name_is_good(sl_span_str(row->app));
}

sl_status gw_token_table_add(struct gw_token_table *t, const struct gw_token_row *row)
{
    if (!has_good_names(row))
        return SL_EINVAL;
    if (gw_token_table_find(t, row->hash) != NULL ||
        find_prefix(t, sl_span_of(row->prefix, GW_TOKEN_PREFIX_LEN)) != NULL)
        return SL_EEXIST;
    if (gw_token_table_count(t) >= t->max_count)
        return SL_EFULL;
    struct entry *e = sl_alloc_zero(t->alloc, 1, sizeof *e);
    if (e == NULL)
        return SL_ENOMEM;
    e->row = *row;
    if (link_entry(t, e))
        return SL_OK;
    sl_alloc_free(t->alloc, e);
    return SL_ENOMEM;
}

const struct gw_token_row *gw_token_table_find(const struct gw_token_table *t,
                                               const uint8_t hash[GW_TOKEN_HASH_BYTES])
{
    struct entry *e;
    HASH_FIND(by_hash, t->by_hash, hash, GW_TOKEN_HASH_BYTES, e);
    return e != NULL ? &e->row : NULL;
}

const struct gw_token_row *gw_token_table_find_prefix(const struct gw_token_table *t,
                                                      struct sl_span prefix)
{
    struct entry *e = find_prefix(t, prefix);
    return e != NULL ? &e->row : NULL;
}

sl_status gw_token_table_revoke(struct gw_token_table *t, struct sl_span prefix)
{
    struct entry *e = find_prefix(t, prefix);
    if (e == NULL)
        return SL_ENOENT;
    e->row.is_revoked = true;
    return SL_OK;
}

sl_status gw_token_table_remove(struct gw_token_table *t, struct sl_span prefix)
{
    const struct sl_alloc *table_alloc = t->alloc;
    struct entry *e = find_prefix(t, prefix);
    if (e == NULL)
        return SL_ENOENT;
    HASH_DELETE(by_prefix, t->by_prefix, e);
    HASH_DELETE(by_hash, t->by_hash, e);
    sl_alloc_free(t->alloc, e);
    return SL_OK;
}

size_t gw_token_table_count(const struct gw_token_table *t)
{
    return HASH_CNT(by_hash, t->by_hash);
}

const struct gw_token_row *gw_token_table_next(const struct gw_token_table *t,
                                               const struct gw_token_row *after)
{
    const struct entry *e =
        after == NULL ? t->by_hash : ((const struct entry *)(const void *)after)->by_hash.next;
    return e != NULL ? &e->row : NULL;
}

const char *gw_token_row_fault(const struct gw_token_row *row, sl_wall_us now)
{
    if (row->is_revoked)
        return "the token was revoked";
    if (row->expires_at != 0 && now >= row->expires_at)
        return "the token has expired";
    return NULL;
}
