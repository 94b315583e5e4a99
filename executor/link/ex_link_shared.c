/* ex_link_shared.c - reads the gateway's memory, lends it ours. */
#include "ex_link_shared.h"

#include <unistd.h>
#include <utlist.h>

#include "sl_fdpass.h"
#include "sl_log.h"

struct ex_link_lent {
    struct ex_link_lent *prev, *next;
    struct ex_blob *blob;
    uint64_t generation;
};

void ex_link_shared_init(struct ex_link_shared *s, const struct sl_alloc *alloc,
                         struct sl_shm_pool *pool)
{
    s->alloc = alloc;
    s->pool = pool;
    s->lent = NULL;
    s->requests = NULL;
    sl_shm_door_init(&s->door, -1);
    sl_shm_peer_init(&s->theirs, SL_SHM_PEER_MAX);
}

static sl_status connect_to(const char *path, uint64_t session, int *out_fd)
{
    sl_status st = sl_fdpass_connect(path, out_fd);
    if (st != SL_OK)
        return st;
    st = sl_fdpass_send(*out_fd, session, -1);
    if (st != SL_OK)
        close(*out_fd);
    return st;
}

void ex_link_shared_open(struct ex_link_shared *s, const char *path, uint64_t session)
{
    int fd;
    ex_link_shared_close(s);
    if (path[0] == '\0')
        return;
    const sl_status st = connect_to(path, session, &fd);
    if (st == SL_OK)
        sl_shm_door_init(&s->door, fd);
    else
        sl_log(SL_LOG_WARN, "no shared memory with the gateway: payloads go through sockets",
               SL_S("path", path), SL_S("why", sl_status_text(st)));
}

static void end_lent(struct ex_link_shared *s, struct ex_link_lent *l)
{
    DL_DELETE(s->lent, l);
    ex_blob_release(l->blob);
    sl_alloc_free(s->alloc, l);
}

void ex_link_shared_close(struct ex_link_shared *s)
{
    while (s->lent) {
        sl_shm_pool_retire(s->pool, s->lent->blob->block);
        end_lent(s, s->lent);
    }
    while (s->requests)
        ex_link_shared_end(s, s->requests);
    sl_shm_door_finish(&s->door);
    sl_shm_peer_finish(&s->theirs);
    sl_shm_peer_init(&s->theirs, SL_SHM_PEER_MAX);
}

/* ---- requests */

sl_status ex_link_shared_begin(struct ex_link_shared *s, uint64_t lease,
                               const struct sl_shm_ref *ref)
{
    struct ex_link_request *r = sl_alloc_get(s->alloc, sizeof(*r));
    if (!r)
        return SL_ENOMEM;
    *r = (struct ex_link_request){.lease = lease, .use = *ref};
    const sl_status st = sl_shm_door_find(&s->door, &s->theirs, ref, &r->bytes);
    if (st != SL_OK) {
        sl_alloc_free(s->alloc, r);
        return st;
    }
    sl_shm_peer_hold(&s->theirs, ref->number);
    DL_APPEND(s->requests, r);
    return SL_OK;
}

struct sl_span ex_link_shared_step(struct ex_link_request *r, size_t max_bytes)
{
    const size_t rest = r->bytes.len - r->done_bytes;
    const struct sl_span piece =
        sl_span_of(r->bytes.data + r->done_bytes, rest < max_bytes ? rest : max_bytes);
    r->done_bytes += piece.len;
    return piece;
}

void ex_link_shared_to_end(struct ex_link_shared *s, struct ex_link_request *r)
{
    DL_DELETE(s->requests, r);
    DL_APPEND(s->requests, r);
}

void ex_link_shared_end(struct ex_link_shared *s, struct ex_link_request *r)
{
    sl_shm_peer_unhold(&s->theirs, r->use.number);
    DL_DELETE(s->requests, r);
    sl_alloc_free(s->alloc, r);
}

/* ---- results */

/* The blob that holds all outputs, one behind the other, and nothing else; NULL: there is none. */
static struct ex_blob *common_blob(const struct ex_outcome *outcome)
{
    struct ex_blob *blob = outcome->output_count > 0 ? outcome->outputs[0].blob : NULL;
    uint64_t bytes = blob ? outcome->outputs[0].bytes.len : 0;
    for (size_t i = 1; blob && i < outcome->output_count; i++) {
        const struct sl_span before = outcome->outputs[i - 1].bytes;
        bytes += outcome->outputs[i].bytes.len;
        if (outcome->outputs[i].blob != blob ||
            outcome->outputs[i].bytes.data != before.data + before.len)
            return NULL;
    }
    return blob && blob->block && blob->bytes.len == bytes ? blob : NULL;
}

static bool lend(struct ex_link_shared *s, struct ex_blob *blob)
{
    struct ex_link_lent *l = sl_alloc_get(s->alloc, sizeof(*l));
    if (!l)
        return false;
    l->blob = ex_blob_hold(blob);
    l->generation = blob->block->generation;
    DL_APPEND(s->lent, l);
    return true;
}

bool ex_link_shared_give(struct ex_link_shared *s, const struct ex_outcome *outcome,
                         struct sl_shm_ref *out)
{
    struct ex_blob *blob = common_blob(outcome);
    if (!blob || !sl_shm_door_is_open(&s->door))
        return false;
    const sl_status st = sl_shm_door_show(&s->door, s->pool, blob->block);
    if (st != SL_OK || !lend(s, blob))
        return false;
    const uint8_t *first = outcome->outputs[0].bytes.data;
    *out = (struct sl_shm_ref){.number = blob->block->number,
                               .generation = blob->block->generation,
                               .offset_bytes = (uint64_t)(first - blob->block->data),
                               .length_bytes = blob->bytes.len};
    return true;
}

bool ex_link_shared_done(struct ex_link_shared *s, const struct sl_shm_ref *use)
{
    struct ex_link_lent *l, *next;
    DL_FOREACH_SAFE (s->lent, l, next) {
        if (l->blob->block->number != use->number || l->generation != use->generation)
            continue;
        end_lent(s, l);
        return true;
    }
    return false;
}

void ex_link_shared_tick(struct ex_link_shared *s)
{
    if (!sl_shm_door_is_open(&s->door))
        return;
    sl_status st = sl_shm_door_take_in(&s->door, &s->theirs);
    if (st == SL_OK && s->pool)
        st = sl_shm_door_sweep(&s->door, s->pool);
    if (st == SL_OK || st == SL_ENOMEM)
        return;
    sl_log(SL_LOG_WARN, "shared memory with the gateway has ended",
           SL_S("why", sl_status_text(st)));
    sl_shm_door_finish(&s->door); /* what is lent and shown stays until the session's end */
}
