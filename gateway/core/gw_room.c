/* gw_room.c - a sum, and a hash table of shares. */
#include "gw_room.h"

#include <stdbool.h>

/* A table that cannot grow must be an error, not the end of the process. */
#define HASH_NONFATAL_OOM          1
#define uthash_nonfatal_oom(share) ((share)->is_listed = false)
#include <uthash.h>

struct gw_room_share {
    UT_hash_handle hh;
    uint64_t connection;
    uint64_t used_bytes;
    bool is_listed;
};

void gw_room_init(struct gw_room *r, const struct sl_alloc *alloc, uint64_t max_bytes,
                  uint64_t share_bytes)
{
    *r = (struct gw_room){.alloc = alloc, .max_bytes = max_bytes, .share_bytes = share_bytes};
}

void gw_room_finish(struct gw_room *r)
{
    struct gw_room_share *s, *next;
    HASH_ITER (hh, r->shares, s, next) {
        HASH_DEL(r->shares, s);
        sl_alloc_free(r->alloc, s);
    }
}

static struct gw_room_share *find(const struct gw_room *r, uint64_t connection)
{
    struct gw_room_share *s;
    HASH_FIND(hh, r->shares, &connection, sizeof connection, s);
    return s;
}

static struct gw_room_share *add(struct gw_room *r, uint64_t connection)
{
    struct gw_room_share *s = sl_alloc_zero(r->alloc, 1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->connection = connection;
    s->is_listed = true;
    HASH_ADD(hh, r->shares, connection, sizeof s->connection, s);
    if (s->is_listed)
        return s;
    sl_alloc_free(r->alloc, s);
    return NULL;
}

static sl_status take_share(struct gw_room *r, uint64_t connection, uint64_t bytes)
{
    struct gw_room_share *s = find(r, connection);
    uint64_t used = s != NULL ? s->used_bytes : 0;
    if (used > r->share_bytes || bytes > r->share_bytes - used)
        return SL_EAGAIN;
    if (s == NULL && (s = add(r, connection)) == NULL)
        return SL_ENOMEM;
    s->used_bytes += bytes;
    return SL_OK;
}

static bool has_share(const struct gw_room *r, uint64_t connection)
{
    return connection != 0 && r->share_bytes > 0;
}

void gw_room_resize(struct gw_room *r, uint64_t max_bytes, uint64_t share_bytes)
{
    r->max_bytes = max_bytes;
    if (r->share_bytes > 0 && share_bytes > 0)
        r->share_bytes = share_bytes;
}

sl_status gw_room_take(struct gw_room *r, uint64_t connection, uint64_t bytes)
{
    if (r->used_bytes > r->max_bytes || bytes > r->max_bytes - r->used_bytes)
        return SL_EFULL;
    sl_status s = has_share(r, connection) ? take_share(r, connection, bytes) : SL_OK;
    if (s == SL_OK)
        r->used_bytes += bytes;
    return s;
}

void gw_room_give(struct gw_room *r, uint64_t connection, uint64_t bytes)
{
    struct gw_room_share *s = has_share(r, connection) ? find(r, connection) : NULL;
    r->used_bytes -= bytes;
    if (s == NULL)
        return;
    s->used_bytes -= bytes;
    if (s->used_bytes > 0)
        return;
    HASH_DEL(r->shares, s);
    sl_alloc_free(r->alloc, s);
}
