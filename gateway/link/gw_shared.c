/* gw_shared.c - lends requests to nodes, takes results from them. */
#include "gw_shared.h"

#include <pthread.h>
#include <stdatomic.h>
#include <utlist.h>

/* A request that the node may still read. */
struct lent {
    struct lent *prev, *next;
    struct gw_body *body;
    uint64_t generation;
};

/* The node's memory, which outlives the node while replies are sent from it. */
struct room {
    const struct sl_alloc *alloc;
    atomic_uint references;
    struct sl_shm_peer theirs; /* the link's thread; the last release ends it */
    pthread_mutex_t lock;      /* of all below */
    size_t done_count;
    struct sl_shm_ref
        done[SL_SHM_PEER_MAX]; /* at most one a segment: it is held until it is said */
};

/* A result. */
struct taken {
    struct room *room;
    struct sl_shm_ref use;
    struct sl_span bytes;
};

struct gw_shared {
    const struct sl_alloc *alloc;
    struct sl_shm_pool *pool;
    struct sl_shm_door door;
    struct lent *lent;
    struct room *room;
};

/* ---- life */

static void release_room(struct room *r)
{
    if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1)
        return;
    sl_shm_peer_finish(&r->theirs);
    pthread_mutex_destroy(&r->lock);
    sl_alloc_free(r->alloc, r);
}

static struct room *make_room(const struct sl_alloc *alloc)
{
    struct room *r = sl_alloc_zero(alloc, 1, sizeof *r);
    if (r == NULL)
        return NULL;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        sl_alloc_free(alloc, r);
        return NULL;
    }
    r->alloc = alloc;
    atomic_init(&r->references, 1);
    sl_shm_peer_init(&r->theirs, SL_SHM_PEER_MAX);
    return r;
}

struct gw_shared *gw_shared_create(const struct sl_alloc *alloc, struct sl_shm_pool *pool,
                                   int take_fd)
{
    struct gw_shared *s = sl_alloc_zero(alloc, 1, sizeof *s);
    struct sl_shm_door door;
    sl_shm_door_init(&door, take_fd);
    if (s == NULL || (s->room = make_room(alloc)) == NULL) {
        sl_shm_door_finish(&door);
        sl_alloc_free(alloc, s);
        return NULL;
    }
    s->alloc = alloc;
    s->pool = pool;
    s->door = door;
    return s;
}

static void end_lent(struct gw_shared *s, struct lent *l)
{
    DL_DELETE(s->lent, l);
    gw_body_release(l->body);
    sl_alloc_free(s->alloc, l);
}

void gw_shared_destroy(struct gw_shared *s)
{
    if (s == NULL)
        return;
    while (s->lent != NULL) {
        sl_shm_pool_retire(s->pool, s->lent->body->block);
        end_lent(s, s->lent);
    }
    sl_shm_door_finish(&s->door);
    release_room(s->room);
    sl_alloc_free(s->alloc, s);
}

/* ---- requests */

static bool add_lent(struct gw_shared *s, struct gw_body *body)
{
    struct lent *l = sl_alloc_get(s->alloc, sizeof *l);
    if (l == NULL)
        return false;
    *l = (struct lent){.body = gw_body_share(body), .generation = body->block->generation};
    DL_APPEND(s->lent, l);
    return true;
}

bool gw_shared_lend(struct gw_shared *s, struct gw_body *body, size_t offset, size_t length,
                    struct sl_shm_ref *out)
{
    if (body->block == NULL || length == 0 ||
        sl_shm_door_show(&s->door, s->pool, body->block) != SL_OK || !add_lent(s, body))
        return false;
    *out = (struct sl_shm_ref){.number = body->block->number,
                               .generation = body->block->generation,
                               .offset_bytes = offset,
                               .length_bytes = length};
    return true;
}

bool gw_shared_returned(struct gw_shared *s, const struct sl_shm_ref *use)
{
    struct lent *l, *next;
    DL_FOREACH_SAFE (s->lent, l, next) {
        if (l->body->block->number != use->number || l->generation != use->generation)
            continue;
        end_lent(s, l);
        return true;
    }
    return false;
}

/* ---- results */

sl_status gw_shared_take(struct gw_shared *s, const struct sl_shm_ref *ref,
                         struct sl_span **out_bytes, void **out_release_ctx)
{
    struct taken *t = sl_alloc_get(s->alloc, sizeof *t);
    if (t == NULL)
        return SL_ENOMEM;
    const sl_status st = sl_shm_door_find(&s->door, &s->room->theirs, ref, &t->bytes);
    if (st != SL_OK || sl_shm_peer_is_held(&s->room->theirs, ref->number)) {
        sl_alloc_free(s->alloc, t);
        return st != SL_OK ? st : SL_EPROTO; /* named again before it was given back */
    }
    sl_shm_peer_hold(&s->room->theirs, ref->number);
    atomic_fetch_add_explicit(&s->room->references, 1, memory_order_relaxed);
    t->room = s->room;
    t->use = *ref;
    *out_bytes = &t->bytes;
    *out_release_ctx = t;
    return SL_OK;
}

void gw_shared_release(void *release_ctx)
{
    struct taken *t = release_ctx;
    struct room *r = t->room;
    pthread_mutex_lock(&r->lock);
    r->done[r->done_count++] = t->use;
    pthread_mutex_unlock(&r->lock);
    sl_alloc_free(r->alloc, t);
    release_room(r);
}

bool gw_shared_has_done(struct gw_shared *s)
{
    pthread_mutex_lock(&s->room->lock);
    const bool has = s->room->done_count > 0;
    pthread_mutex_unlock(&s->room->lock);
    return has;
}

bool gw_shared_next_done(struct gw_shared *s, struct sl_shm_ref *out)
{
    struct room *r = s->room;
    pthread_mutex_lock(&r->lock);
    const bool has = r->done_count > 0;
    if (has)
        *out = r->done[--r->done_count];
    pthread_mutex_unlock(&r->lock);
    if (has)
        sl_shm_peer_unhold(&r->theirs, out->number);
    return has;
}

/* ---- time */

sl_status gw_shared_tick(struct gw_shared *s)
{
    const sl_status st = sl_shm_door_take_in(&s->door, &s->room->theirs);
    if (st != SL_OK)
        return st == SL_ENOMEM ? SL_OK : st;
    return sl_shm_door_sweep(&s->door, s->pool);
}
