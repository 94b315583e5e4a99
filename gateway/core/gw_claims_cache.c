/* gw_claims_cache.c - a hash table by digest, and a list by when each was seen last. */
#include "gw_claims_cache.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM            1
#define uthash_malloc(bytes)         sl_alloc_get(table_alloc, bytes)
#define uthash_free(p, bytes)        sl_alloc_free(table_alloc, p)
#define uthash_nonfatal_oom(element) (element)->is_lost = true
#include <uthash.h>
#include <utlist.h>

struct entry {
    uint8_t digest[GW_CLAIMS_DIGEST_BYTES];
    struct gw_claims claims;
    sl_wall_us checked_at;
    bool is_lost;              /* there was no memory to put it into the table */
    struct entry *prev, *next; /* seen, the latest first */
    UT_hash_handle hh;
};

struct gw_claims_cache {
    const struct sl_alloc *alloc;
    size_t max_count;
    int64_t kept_us;
    struct entry *by_digest;
    struct entry *seen;
};

sl_status gw_claims_cache_create(const struct sl_alloc *alloc, size_t max_count, int64_t kept_us,
                                 struct gw_claims_cache **out)
{
    if (max_count == 0)
        return SL_EINVAL;
    struct gw_claims_cache *c = sl_alloc_zero(alloc, 1, sizeof *c);
    if (c == NULL)
        return SL_ENOMEM;
    c->alloc = alloc;
    c->max_count = max_count;
    c->kept_us = kept_us;
    *out = c;
    return SL_OK;
}

static void drop(struct gw_claims_cache *c, struct entry *e)
{
    const struct sl_alloc *table_alloc = c->alloc;
    HASH_DELETE(hh, c->by_digest, e);
    DL_DELETE(c->seen, e);
    sl_alloc_free(c->alloc, e);
}

void gw_claims_cache_clear(struct gw_claims_cache *c)
{
    while (c->seen != NULL)
        drop(c, c->seen);
}

void gw_claims_cache_destroy(struct gw_claims_cache *c)
{
    if (c == NULL)
        return;
    gw_claims_cache_clear(c);
    sl_alloc_free(c->alloc, c);
}

static bool is_stale(const struct gw_claims_cache *c, const struct entry *e, sl_wall_us now)
{
    return now < e->checked_at || now - e->checked_at > c->kept_us || now >= e->claims.expires_at;
}

static struct entry *find(const struct gw_claims_cache *c, const uint8_t *digest)
{
    struct entry *e;
    HASH_FIND(hh, c->by_digest, digest, GW_CLAIMS_DIGEST_BYTES, e);
    return e;
}

const struct gw_claims *gw_claims_cache_find(struct gw_claims_cache *c,
                                             const uint8_t digest[GW_CLAIMS_DIGEST_BYTES],
                                             sl_wall_us now)
{
    struct entry *e = find(c, digest);
    if (e == NULL)
        return NULL;
    if (is_stale(c, e, now)) {
        drop(c, e);
        return NULL;
    }
    DL_DELETE(c->seen, e);
    DL_PREPEND(c->seen, e);
    return &e->claims;
}

void gw_claims_cache_put(struct gw_claims_cache *c, const uint8_t digest[GW_CLAIMS_DIGEST_BYTES],
                         const struct gw_claims *claims, sl_wall_us now)
{
    const struct sl_alloc *table_alloc = c->alloc;
    struct entry *e = find(c, digest);
    if (e != NULL)
        drop(c, e);
    else if (gw_claims_cache_count(c) >= c->max_count)
        drop(c, c->seen->prev);
    e = sl_alloc_zero(c->alloc, 1, sizeof *e);
    if (e == NULL)
        return;
    memcpy(e->digest, digest, sizeof e->digest);
    e->claims = *claims;
    e->checked_at = now;
    HASH_ADD(hh, c->by_digest, digest, GW_CLAIMS_DIGEST_BYTES, e);
    if (e->is_lost)
        sl_alloc_free(c->alloc, e);
    else
        DL_PREPEND(c->seen, e);
}

size_t gw_claims_cache_count(const struct gw_claims_cache *c)
{
    return HASH_COUNT(c->by_digest);
}
