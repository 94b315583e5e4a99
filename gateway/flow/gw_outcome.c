#include "gw_outcome.h"

#include <utlist.h>

#include "sl_log.h"

struct gw_outcome *gw_outcome_create(struct gw_flow *f, size_t arena_bytes)
{
    struct gw_outcome *o = sl_alloc_zero(f->alloc, 1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->references = 1;
    sl_arena_init(&o->arena, f->alloc, arena_bytes);
    DL_APPEND(f->outcomes, o);
    return o;
}

static void give_room(struct gw_flow *f, struct gw_outcome *o)
{
    gw_flow_give_result(f, o->room_bytes);
    o->room_bytes = 0;
}

static void drop_memory(struct gw_flow *f, struct gw_outcome *o)
{
    if (o->release != NULL)
        o->release(o->release_ctx);
    o->release = NULL;
    o->pieces = NULL;
    sl_arena_finish(&o->arena);
    give_room(f, o);
}

static void destroy(struct gw_flow *f, struct gw_outcome *o)
{
    DL_DELETE(f->outcomes, o);
    drop_memory(f, o);
    if (o->file != NULL)
        f->ports.results.drop(f->ports.results.ctx, o->file);
    sl_alloc_free(f->alloc, o);
}

void gw_outcome_release(struct gw_flow *f, struct gw_outcome *o)
{
    if (o != NULL && --o->references == 0)
        destroy(f, o);
}

void gw_outcome_release_all(struct gw_flow *f)
{
    while (f->outcomes != NULL)
        destroy(f, f->outcomes);
}

/* ---- made of a reply */

/* So much that one block is all there is. */
static size_t whole(size_t bytes)
{
    enum { ALIGNMENT = sizeof(max_align_t) };
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Of memory in one piece; NULL: none. */
static struct gw_outcome *create_with(struct gw_flow *f, size_t bytes, void **out)
{
    struct gw_outcome *o = gw_outcome_create(f, whole(bytes));
    *out = o != NULL ? sl_arena_get(&o->arena, bytes) : NULL;
    if (*out != NULL)
        return o;
    gw_outcome_release(f, o);
    return NULL;
}

struct gw_outcome *gw_outcome_of_error(struct gw_flow *f, const struct gw_reply *r)
{
    void *room;
    struct gw_outcome *o = create_with(f, sizeof *o->error, &room);
    if (o == NULL)
        return NULL;
    o->error = room;
    *o->error = r->error;
    o->retry_after_ms = r->retry_after_ms;
    return o;
}

static void set_message(struct gw_outcome *o, struct sl_span *piece, struct sl_span message)
{
    *piece = message;
    o->pieces = piece;
    o->piece_count = 1;
    o->message_bytes = message.len;
}

struct gw_outcome *gw_outcome_copy(struct gw_flow *f, const struct gw_reply *r)
{
    void *room;
    struct gw_outcome *o = create_with(f, sizeof(struct sl_span) + (size_t)r->message_bytes, &room);
    if (o == NULL)
        return NULL;
    struct sl_span *piece = room;
    uint8_t *p = (uint8_t *)(piece + 1);
    set_message(o, piece, sl_span_of(p, (size_t)r->message_bytes));
    for (size_t i = 0; i < r->piece_count; p += r->pieces[i].len, i++)
        memcpy(p, r->pieces[i].data, r->pieces[i].len);
    return o;
}

/* ---- shown */

static void hold(struct gw_outcome *o)
{
    o->references++;
    o->shown++;
}

/* A copy is where it is as long as the outcome; it counts as kept then. */
static void let_go(struct gw_flow *f, struct gw_outcome *o)
{
    if (--o->shown == 0 && o->file != NULL)
        drop_memory(f, o);
    else if (o->shown == 0 && o->release == NULL)
        give_room(f, o);
    gw_outcome_release(f, o);
}

void gw_outcome_take(struct gw_outcome *o, struct gw_exchange *x, uint64_t room_bytes)
{
    struct gw_reply *r = &x->reply;
    o->pieces = r->pieces;
    o->piece_count = r->piece_count;
    o->message_bytes = r->message_bytes;
    o->release = r->release;
    o->release_ctx = r->release_ctx;
    o->room_bytes = room_bytes;
    r->release = NULL;
    x->flow_shows = o;
    hold(o);
}

bool gw_outcome_show(struct gw_flow *f, struct gw_outcome *o, struct gw_exchange *x,
                     struct sl_error *err)
{
    struct gw_reply *r = &x->reply;
    if (o->room_bytes == 0 && !gw_flow_take_result(f, o->message_bytes)) {
        gw_flow_no_result_room(f, o->message_bytes, err);
        return false;
    }
    if (o->room_bytes == 0)
        o->room_bytes = o->message_bytes;
    hold(o);
    x->flow_shows = o;
    r->pieces = o->pieces;
    r->piece_count = o->piece_count;
    r->message_bytes = o->message_bytes;
    return true;
}

void gw_outcome_hide(struct gw_flow *f, struct gw_exchange *x)
{
    struct gw_outcome *o = x->flow_shows;
    x->flow_shows = NULL;
    if (o != NULL)
        let_go(f, o);
}

void gw_outcome_tell_times(const struct gw_outcome *o, struct gw_exchange *x)
{
    if (!o->was_started)
        return;
    gw_exchange_add_trailer(x, "sluice-queue-ms", gw_exchange_ms_text(x, o->queue_us));
    gw_exchange_add_trailer(x, "sluice-exec-ms", gw_exchange_ms_text(x, o->exec_us));
    gw_exchange_add_trailer(x, "sluice-node", sl_arena_str(&x->arena, sl_span_str(o->node)));
}

/* ---- written to disk */

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
    hold(o);
    return SL_OK;
}

void gw_flow_on_spooled(struct gw_flow *f, void *user, sl_status outcome)
{
    struct gw_outcome *o = user;
    if (outcome != SL_OK) {
        sl_log(SL_LOG_WARN, "a result was not kept: its file could not be written",
               SL_S("call", o->call_id), SL_U("bytes", o->message_bytes),
               SL_S("why", sl_status_text(outcome)));
        gw_idem_lose(f->idem, o->entry);
    }
    let_go(f, o);
}

/* ---- read from it */

struct fetch {
    struct gw_reader reader;
    struct gw_outcome *outcome;
    struct gw_body *body;
};

static void end_fetch(struct gw_flow *f, struct fetch *r)
{
    gw_body_release(r->body);
    gw_outcome_release(f, r->outcome);
    sl_alloc_free(f->alloc, r);
}

static struct fetch *begin_fetch(struct gw_flow *f, struct gw_outcome *o, struct gw_reader reader)
{
    struct fetch *r = sl_alloc_zero(f->alloc, 1, sizeof *r);
    struct gw_body *body = gw_body_create_large(f->alloc, f->conf.bodies, (size_t)o->message_bytes);
    if (r == NULL || body == NULL) {
        gw_body_release(body);
        sl_alloc_free(f->alloc, r);
        return NULL;
    }
    o->references++;
    *r = (struct fetch){reader, o, body};
    return r;
}

static bool read_file(struct gw_flow *f, struct gw_outcome *o, struct gw_reader reader)
{
    const struct gw_results_port *p = &f->ports.results;
    struct fetch *r = begin_fetch(f, o, reader);
    if (r == NULL)
        return false;
    if (p->fetch(p->ctx, o->file, r->body->data, r->body->len, r) == SL_OK)
        return true;
    end_fetch(f, r);
    return false;
}

bool gw_outcome_fetch(struct gw_flow *f, struct gw_outcome *o, struct gw_reader reader,
                      struct sl_error *err)
{
    if (!gw_flow_take_result(f, o->message_bytes)) {
        gw_flow_no_result_room(f, o->message_bytes, err);
        return false;
    }
    if (read_file(f, o, reader))
        return true;
    gw_flow_give_result(f, o->message_bytes);
    sl_error_set(err, SL_REASON_NO_CAPACITY, "no memory to read the result that was kept");
    return false;
}

static void release_body(void *body)
{
    gw_body_release(body);
}

/* What was read, told as the first was; it has the room that was taken for it. */
static struct gw_outcome *outcome_of(struct gw_flow *f, const struct fetch *r)
{
    void *room;
    const struct gw_outcome *first = r->outcome;
    struct gw_outcome *o = create_with(f, sizeof(struct sl_span), &room);
    if (o == NULL)
        return NULL;
    memcpy(o->call_id, first->call_id, sizeof o->call_id);
    memcpy(o->node, first->node, sizeof o->node);
    memcpy(o->fetch_token, first->fetch_token, sizeof o->fetch_token);
    o->was_started = first->was_started;
    o->charged_us = first->charged_us;
    o->queue_us = first->queue_us;
    o->exec_us = first->exec_us;
    set_message(o, room, sl_span_of(r->body->data, r->body->len));
    o->room_bytes = o->message_bytes;
    o->release = release_body;
    o->release_ctx = gw_body_share(r->body);
    return o;
}

void gw_flow_on_fetched(struct gw_flow *f, void *user, sl_status outcome)
{
    struct fetch *r = user;
    struct gw_outcome *read = outcome == SL_OK ? outcome_of(f, r) : NULL;
    if (read == NULL)
        gw_flow_give_result(f, r->outcome->message_bytes);
    r->reader.on_read(f, r->reader.id, read);
    gw_outcome_release(f, read);
    end_fetch(f, r);
}
