/* gw_stream.c - streams and their pool. */
#include "gw_stream.h"

#include <string.h>
#include <utlist.h>

void gw_stream_pool_init(struct gw_stream_pool *p, const struct sl_alloc *alloc, size_t idle_max,
                         void *front)
{
    *p = (struct gw_stream_pool){.alloc = alloc, .idle_max = idle_max, .front = front};
    p->next_connection = 1;
    sl_rng_seed(&p->rng, 1);
}

static struct gw_stream *create(struct gw_stream_pool *p)
{
    struct gw_stream *s = sl_alloc_zero(p->alloc, 1, sizeof *s);
    if (s == NULL)
        return NULL;
    sl_arena_init(&s->x.arena, p->alloc, GW_STREAM_ARENA_MAX);
    s->x.net_front = p->front;
    s->x.net_stream = s;
    DL_APPEND2(p->all, s, all_prev, all_next);
    return s;
}

static void destroy(struct gw_stream_pool *p, struct gw_stream *s)
{
    DL_DELETE2(p->all, s, all_prev, all_next);
    sl_arena_finish(&s->x.arena);
    sl_alloc_free(p->alloc, s);
}

static void drop_updates(struct gw_stream *s)
{
    gw_body_release(s->update);
    s->update = NULL;
    gw_body_release(gw_exchange_take_update(&s->x));
}

void gw_stream_pool_finish(struct gw_stream_pool *p)
{
    while (p->all != NULL) {
        struct gw_stream *s = p->all;
        if (s->is_replied)
            gw_stream_release_reply(p, s);
        drop_updates(s);
        gw_stream_drop_body(p, s);
        gw_stream_drop_early(p, s);
        destroy(p, s);
    }
}

struct gw_stream *gw_stream_take(struct gw_stream_pool *p)
{
    struct gw_stream *s = p->idle;
    if (s != NULL) {
        LL_DELETE(p->idle, s);
        p->idle_count--;
    } else if ((s = create(p)) == NULL) {
        return NULL;
    }
    p->taken_count++;
    return s;
}

void gw_stream_name(struct gw_stream_pool *p, struct gw_stream *s)
{
    uint64_t high = sl_rng_u64(&p->rng);
    sl_text_make_uuid(high, sl_rng_u64(&p->rng), s->call_id);
}

/* Field by field where that is cheaper: an exchange has much text that need not be cleared. */
static void forget(struct gw_stream *s)
{
    struct gw_exchange *x = &s->x;
    sl_arena_reset(&x->arena);
    x->net_connection = 0;
    x->message_bytes = 0;
    x->body = NULL;
    x->is_disconnect = false;
    x->flow_call = 0;
    x->flow_inquiry = 0;
    x->flow_watch = 0;
    x->flow_replied = false;
    x->head = (struct sl_span){0};
    x->reply.error.reason = SL_REASON_OK;
    x->reply.pieces = NULL;
    x->reply.piece_count = 0;
    x->reply.message_bytes = 0;
    x->reply.trailer_count = 0;
    x->reply.retry_after_ms = 0;
    x->reply.release = NULL;
    x->reply.release_ctx = NULL;
    x->head_field_count = 0;
    s->prev = s->next = NULL;
    memset(&s->h2, 0, sizeof *s - offsetof(struct gw_stream, h2));
}

void gw_stream_give(struct gw_stream_pool *p, struct gw_stream *s)
{
    gw_stream_drop_body(p, s);
    forget(s);
    p->taken_count--;
    if (p->idle_count >= p->idle_max) {
        destroy(p, s);
        return;
    }
    LL_PREPEND(p->idle, s);
    p->idle_count++;
}

void gw_stream_release_reply(struct gw_stream_pool *p, struct gw_stream *s)
{
    struct gw_reply *r = &s->x.reply;
    void (*release)(void *ctx) = r->release;
    sl_alloc_free(p->alloc, s->packed);
    s->packed = NULL;
    drop_updates(s);
    r->release = NULL;
    if (release != NULL)
        release(r->release_ctx);
}

bool gw_stream_hold(struct gw_stream_pool *p, struct gw_stream *s, size_t bytes, size_t max)
{
    if (bytes > max || p->held_bytes > max - bytes)
        return false;
    p->held_bytes += bytes;
    s->held_bytes += bytes;
    return true;
}

void gw_stream_unhold(struct gw_stream_pool *p, struct gw_stream *s)
{
    p->held_bytes -= s->held_bytes;
    s->held_bytes = 0;
}

void gw_stream_drop_early(struct gw_stream_pool *p, struct gw_stream *s)
{
    gw_stream_unhold(p, s);
    sl_alloc_free(p->alloc, s->early);
    s->early = NULL;
    s->early_bytes = 0;
}

void gw_stream_drop_body(struct gw_stream_pool *p, struct gw_stream *s)
{
    gw_body_release(s->body);
    s->body = NULL;
    if (!s->is_announced || s->is_replied)
        gw_stream_drop_early(p, s);
}
