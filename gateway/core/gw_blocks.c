/* gw_blocks.c - a hash table by account. */
#include "gw_blocks.h"

#include <stdlib.h>
#include <string.h>

/* Administrators choose the keys, not strangers. */
#define HASH_NONFATAL_OOM            1
#define uthash_malloc(bytes)         sl_alloc_get(table_alloc, bytes)
#define uthash_free(p, bytes)        sl_alloc_free(table_alloc, p)
#define uthash_nonfatal_oom(element) (element)->is_lost = true
#include <uthash.h>

struct entry {
    struct gw_block_row row; /* first: a row is its entry */
    bool is_lost;            /* there was no memory to put it into the table */
    UT_hash_handle hh;
};

struct gw_blocks {
    const struct sl_alloc *alloc;
    size_t max_count;
    struct entry *by_account;
};

sl_status gw_blocks_create(const struct sl_alloc *alloc, size_t max_count, struct gw_blocks **out)
{
    if (max_count == 0)
        return SL_EINVAL;
    struct gw_blocks *b = sl_alloc_zero(alloc, 1, sizeof *b);
    if (b == NULL)
        return SL_ENOMEM;
    b->alloc = alloc;
    b->max_count = max_count;
    *out = b;
    return SL_OK;
}

static void drop(struct gw_blocks *b, struct entry *e)
{
    const struct sl_alloc *table_alloc = b->alloc;
    HASH_DELETE(hh, b->by_account, e);
    sl_alloc_free(b->alloc, e);
}

void gw_blocks_destroy(struct gw_blocks *b)
{
    if (b == NULL)
        return;
    while (b->by_account != NULL)
        drop(b, b->by_account);
    sl_alloc_free(b->alloc, b);
}

static struct entry *find(const struct gw_blocks *b, struct sl_span account)
{
    struct entry *e = NULL;
    if (account.len > 0)
        HASH_FIND(hh, b->by_account, account.data, (unsigned)account.len, e);
    return e;
}

sl_status gw_blocks_set(struct gw_blocks *b, const struct gw_block_row *row)
{
    const struct sl_alloc *table_alloc = b->alloc;
    struct sl_span account = sl_span_str(row->account);
    struct entry *e = find(b, account);
    if (e != NULL) {
        e->row = *row;
        return SL_OK;
    }
    if (account.len == 0)
        return SL_EINVAL;
    if (HASH_COUNT(b->by_account) >= b->max_count)
        return SL_EFULL;
    e = sl_alloc_zero(b->alloc, 1, sizeof *e);
    if (e == NULL)
        return SL_ENOMEM;
    e->row = *row;
    HASH_ADD(hh, b->by_account, row.account[0], (unsigned)account.len, e);
    if (!e->is_lost)
        return SL_OK;
    sl_alloc_free(b->alloc, e);
    return SL_ENOMEM;
}

void gw_blocks_remove(struct gw_blocks *b, struct sl_span account)
{
    struct entry *e = find(b, account);
    if (e != NULL)
        drop(b, e);
}

const struct gw_block_row *gw_blocks_find(const struct gw_blocks *b, struct sl_span account)
{
    struct entry *e = find(b, account);
    return e != NULL ? &e->row : NULL;
}

const struct gw_block_row *gw_blocks_next(const struct gw_blocks *b,
                                          const struct gw_block_row *after)
{
    const struct entry *e =
        after == NULL ? b->by_account : ((const struct entry *)(const void *)after)->hh.next;
    return e != NULL ? &e->row : NULL;
}
