#include "gw_outcome.h"

#include "gw_kept.h"
#include "sl_log.h"

struct gw_outcome *gw_outcome_create(struct gw_flow *f, size_t arena_bytes)
{
    struct gw_outcome *o = sl_alloc_zero(f->alloc, 1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->alloc = f->alloc;
    o->references = 1;
    sl_arena_init(&o->arena, f->alloc, arena_bytes);
    return o;
}

static void drop_memory(struct gw_flow *f, struct gw_outcome *o)
{
    if (o->release != NULL)
        o->release(o->release_ctx);
    o->release = NULL;
    o->pieces = NULL;
    sl_arena_finish(&o->arena);
    gw_flow_give_result(f, o->room_bytes);
    o->room_bytes = 0;
}

void gw_outcome_release(struct gw_flow *f, struct gw_outcome *o)
{
    if (o == NULL || --o->references > 0)
        return;
    drop_memory(f, o);
    if (o->file != NULL)
        f->ports.results.drop(f->ports.results.ctx, o->file);
    sl_alloc_free(o->alloc, o);
}

/* ---- made of a reply */

/* So much that one block is all there is. */
static size_t whole(size_t bytes)
{
    enum { ALIGNMENT = sizeof(max_align_t) };
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

struct gw_outcome *gw_outcome_of_error(struct gw_flow *f, const struct gw_reply *r)
{
    struct gw_outcome *o = gw_outcome_create(f, whole(sizeof *o->error));
    struct sl_error *e = o != NULL ? sl_arena_get(&o->arena, sizeof *e) : NULL;
    if (e == NULL) {
        gw_outcome_release(f, o);
        return NULL;
    }
    *e = r->error;
    o->error = e;
    o->retry_after_ms = r->retry_after_ms;
    return o;
}

struct gw_outcome *gw_outcome_copy(struct gw_flow *f, const struct gw_reply *r)
{
    size_t bytes = sizeof(struct sl_span) + (size_t)r->message_bytes;
    struct gw_outcome *o = gw_outcome_create(f, whole(bytes));
    struct sl_span *piece = o != NULL ? sl_arena_get(&o->arena, bytes) : NULL;
    if (piece == NULL) {
        gw_outcome_release(f, o);
        return NULL;
    }
    uint8_t *p = (uint8_t *)(piece + 1);
    *piece = sl_span_of(p, (size_t)r->message_bytes);
    for (size_t i = 0; i < r->piece_count; p += r->pieces[i].len, i++)
        memcpy(p, r->pieces[i].data, r->pieces[i].len);
    o->pieces = piece;
    o->piece_count = 1;
    o->message_bytes = r->message_bytes;
    return o;
}

void gw_outcome_take(struct gw_outcome *o, struct gw_reply *r)
{
    o->pieces = r->pieces;
    o->piece_count = r->piece_count;
    o->message_bytes = r->message_bytes;
    o->release = r->release;
    o->release_ctx = r->release_ctx;
    r->release = NULL;
    gw_outcome_show(o);
}

/* ---- shown */

void gw_outcome_show(struct gw_outcome *o)
{
    o->references++;
    o->shown++;
}

static void hide(struct gw_flow *f, struct gw_outcome *o)
{
    if (--o->shown == 0 && o->file != NULL)
        drop_memory(f, o);
}

void gw_outcome_hide(struct gw_flow *f, struct gw_outcome *o)
{
    hide(f, o);
    gw_outcome_release(f, o);
}

/* ---- on disk */

bool gw_outcome_is_on_disk(const struct gw_outcome *o)
{
    return o->file != NULL && o->pieces == NULL;
}

sl_status gw_outcome_spool(struct gw_flow *f, struct gw_outcome *o, gw_idem_id entry)
{
    const struct gw_results_port *p = &f->ports.results;
    struct gw_spool_file *file;
    sl_status s = p->spool(p->ctx, o->pieces, o->piece_count, o, &file);
    if (s != SL_OK)
        return s;
    o->file = file;
    o->entry = entry;
    o->is_spooling = true;
    gw_outcome_show(o);
    return SL_OK;
}

void gw_flow_on_spooled(struct gw_flow *f, void *user, sl_status outcome)
{
    struct gw_outcome *o = user;
    o->is_spooling = false;
    if (outcome != SL_OK) {
        sl_log(SL_LOG_WARN, "a result was not kept: its file could not be written",
               SL_S("call", o->call_id), SL_U("bytes", o->message_bytes),
               SL_S("why", sl_status_text(outcome)));
        gw_idem_lose(f->idem, o->entry);
    }
    gw_outcome_hide(f, o);
}

/* What is read for one call. */
struct fetch {
    uint64_t call;
    struct gw_outcome *outcome;
    struct gw_body *body;
};

static void end_fetch(struct gw_flow *f, struct fetch *r)
{
    gw_body_release(r->body);
    gw_outcome_release(f, r->outcome);
    sl_alloc_free(f->alloc, r);
}

static struct fetch *begin_fetch(struct gw_flow *f, struct gw_outcome *o, const struct gw_call *c)
{
    struct fetch *r = sl_alloc_zero(f->alloc, 1, sizeof *r);
    struct gw_body *body = gw_body_create_large(f->alloc, f->conf.bodies, (size_t)o->message_bytes);
    if (r == NULL || body == NULL) {
        gw_body_release(body);
        sl_alloc_free(f->alloc, r);
        return NULL;
    }
    o->references++;
    *r = (struct fetch){c->id, o, body};
    return r;
}

sl_status gw_outcome_fetch(struct gw_flow *f, struct gw_outcome *o, struct gw_call *c)
{
    const struct gw_results_port *p = &f->ports.results;
    if (!gw_flow_take_result(f, o->message_bytes))
        return SL_EFULL;
    struct fetch *r = begin_fetch(f, o, c);
    sl_status s = SL_ENOMEM;
    if (r != NULL) {
        s = p->fetch(p->ctx, o->file, r->body->data, r->body->len, r);
        if (s != SL_OK)
            end_fetch(f, r);
    }
    if (s != SL_OK)
        gw_flow_give_result(f, o->message_bytes);
    return s;
}

/* The call may have ended meanwhile: then only the room is given back. */
void gw_flow_on_fetched(struct gw_flow *f, void *user, sl_status outcome)
{
    struct fetch *r = user;
    struct gw_call *c = gw_call_find(f, r->call);
    if (c != NULL && c->fetches == r->outcome)
        gw_kept_on_message(f, c, r->outcome, r->body, outcome);
    else
        gw_flow_give_result(f, r->outcome->message_bytes);
    end_fetch(f, r);
}
