/* gw_link_gather.c - results whose payload comes by bulk: the chunks are kept as they came, and the
 * result is handed to the flow when both its message and all of its bytes are here. */
#include <inttypes.h>
#include <utlist.h>

#include "gw_link_int.h"
#include "sl_aside.h"

enum { RESULT_ARENA_MAX = 1 << 20, ASIDE_FROM_BYTES = 32 << 20 };

static void free_gathering(void *ctx)
{
    struct gw_gathering *g = ctx;
    const struct sl_alloc *alloc = g->arena.alloc;
    for (size_t i = 0; i < g->chunk_count; i++)
        zmq_msg_close(&g->chunks[i]);
    sl_alloc_free(alloc, g->chunks);
    sl_alloc_free(alloc, g->pieces);
    sl_arena_finish(&g->arena);
    sl_alloc_free(alloc, g);
}

static void release_gathering(void *ctx)
{
    const struct gw_gathering *g = ctx;
    if (g->got_bytes < ASIDE_FROM_BYTES)
        free_gathering(ctx);
    else
        sl_aside_do(free_gathering, ctx);
}

void gw_link_drop_gatherings(struct gw_peer *p, sl_slot_id lease)
{
    struct gw_gathering *g, *next;
    DL_FOREACH_SAFE (p->gatherings, g, next) {
        if (lease != 0 && g->lease != lease)
            continue;
        DL_DELETE(p->gatherings, g);
        release_gathering(g);
    }
}

static struct gw_gathering *find(struct gw_peer *p, sl_slot_id lease)
{
    struct gw_gathering *g;
    DL_FOREACH (p->gatherings, g) {
        if (g->lease == lease)
            return g;
    }
    return NULL;
}

static size_t chunks_for(uint64_t bytes)
{
    return (size_t)(bytes / GW_LINK_CHUNK_MAX + 1);
}

const struct gw_fleet_lease *gw_link_open_lease(struct gw_link *l, const struct gw_peer *p,
                                                sl_slot_id lease)
{
    struct gw_fleet_lease *found = gw_fleet_find_lease(gw_flow_fleet(l->flow), lease);
    return found != NULL && found->slice->node == p->node ? found : NULL;
}

/* Room for the payload, or the reason why none is wanted: the node is not at fault, so it is not
 * lost by it. */
static enum sl_reason make_room(struct gw_link *l, struct gw_gathering *g,
                                const struct gw_fleet_lease *lease)
{
    if (lease->call == 0)
        return SL_REASON_CANCELLED; /* nobody waits for it any more */
    if (g->total_bytes > l->conf.max_result_bytes)
        return SL_REASON_TOO_LARGE;
    if (!gw_flow_expect_result(l->flow, g->lease, g->total_bytes))
        return SL_REASON_NO_CAPACITY;
    g->chunk_room = 4 * chunks_for(g->total_bytes); /* smaller chunks are fine, crumbs are not */
    g->chunks = sl_alloc_zero(l->alloc, g->chunk_room, sizeof *g->chunks);
    g->pieces = sl_alloc_zero(l->alloc, g->chunk_room, sizeof *g->pieces);
    return g->chunks == NULL || g->pieces == NULL ? SL_REASON_NO_CAPACITY : SL_REASON_OK;
}

static struct gw_gathering *begin(struct gw_link *l, struct gw_peer *p,
                                  const struct gw_fleet_lease *lease, uint64_t total)
{
    struct gw_gathering *g = total == 0 ? NULL : sl_alloc_zero(l->alloc, 1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->lease = lease->id;
    g->total_bytes = total;
    sl_arena_init(&g->arena, l->alloc, RESULT_ARENA_MAX);
    g->refused = make_room(l, g, lease);
    DL_APPEND(p->gatherings, g);
    return g;
}

static void deliver_if_complete(struct gw_link *l, struct gw_peer *p, struct gw_gathering *g,
                                sl_mono_ns now)
{
    if (!g->has_result || g->got_bytes < g->total_bytes)
        return;
    DL_DELETE(p->gatherings, g);
    g->result.payload = (struct gw_result_payload){g->pieces, g->chunk_count, g->total_bytes};
    g->result.release = release_gathering;
    g->result.release_ctx = g;
    gw_flow_on_result(l->flow, p->node, &g->result, now);
}

static bool keep_chunk(struct gw_gathering *g, zmq_msg_t *chunk)
{
    if (g->chunk_count == g->chunk_room)
        return false;
    zmq_msg_t *place = &g->chunks[g->chunk_count];
    zmq_msg_init(place);
    zmq_msg_move(place, chunk);
    g->pieces[g->chunk_count++] = sl_span_of(zmq_msg_data(place), zmq_msg_size(place));
    return true;
}

bool gw_link_on_chunk(struct gw_link *l, struct gw_peer *p, const struct gw_bulk_header *h,
                      zmq_msg_t *chunk, sl_mono_ns now)
{
    size_t len = zmq_msg_size(chunk);
    p->bulk_taken_bytes += len;
    sl_metric_add(l->metrics.received_bulk_bytes, (int64_t)len);
    const struct gw_fleet_lease *lease = gw_link_open_lease(l, p, h->lease);
    if (lease == NULL) {
        const bool is_open = gw_fleet_find_lease(gw_flow_fleet(l->flow), h->lease) != NULL;
        gw_link_count(l, is_open ? GW_REFUSAL_FORGED : GW_REFUSAL_STALE,
                      "a chunk of a lease that is not open here");
        return true;
    }
    struct gw_gathering *g = find(p, h->lease);
    if (g == NULL)
        g = begin(l, p, lease, h->total_bytes);
    if (g != NULL && h->offset_bytes < g->got_bytes)
        gw_link_count(l, GW_REFUSAL_REPLAYED, "a chunk that has come before");
    if (g == NULL || h->total_bytes != g->total_bytes || h->offset_bytes != g->got_bytes ||
        len > g->total_bytes - g->got_bytes)
        return false;
    g->got_bytes += len;
    if (g->refused != SL_REASON_OK)
        return true;
    if (!keep_chunk(g, chunk))
        return false;
    deliver_if_complete(l, p, g, now);
    return true;
}

static struct sl_span keep_span(struct sl_arena *arena, struct sl_span s)
{
    return sl_span_of(sl_arena_str(arena, s), s.len);
}

/* Copies the result out of the batch it came in. */
static bool keep_result(struct gw_gathering *g, const struct gw_result *r)
{
    struct gw_result_output *outputs =
        sl_arena_zero(&g->arena, r->output_count + 1, sizeof *outputs);
    g->result = *r;
    g->result.text = keep_span(&g->arena, r->text);
    g->result.outputs = outputs;
    if (outputs == NULL || g->result.text.data == NULL)
        return false;
    for (size_t i = 0; i < r->output_count; i++) {
        outputs[i] = r->outputs[i];
        outputs[i].name = keep_span(&g->arena, r->outputs[i].name);
        int64_t *dims = sl_arena_zero(&g->arena, r->outputs[i].rank + 1, sizeof *dims);
        if (outputs[i].name.data == NULL || dims == NULL)
            return false;
        for (size_t k = 0; k < r->outputs[i].rank; k++)
            dims[k] = r->outputs[i].dims[k];
        outputs[i].dims = dims;
    }
    g->has_result = true;
    return true;
}

static void deliver_inline(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                           sl_mono_ns now)
{
    struct gw_result result = r->result;
    result.payload = (struct gw_result_payload){&r->inline_payload, 1, r->inline_payload.len};
    gw_link_drop_gatherings(p, result.lease); /* of a result that was given up */
    gw_flow_on_result(l->flow, p->node, &result, now);
}

/* The call ends without its payload; chunks that are still to come find their lease closed. */
void gw_link_refuse_payload(struct gw_link *l, struct gw_peer *p, const struct gw_result *r,
                            uint64_t bytes, enum sl_reason why, sl_mono_ns now)
{
    struct sl_error err;
    if (why == SL_REASON_TOO_LARGE)
        sl_error_set(&err, why, "the result has %" PRIu64 " bytes, over the limit of %" PRIu64,
                     bytes, l->conf.max_result_bytes);
    else
        gw_flow_no_result_room(l->flow, bytes, &err);
    struct gw_result result = {.lease = r->lease,
                               .reason = err.reason,
                               .text = sl_span_str(err.text),
                               .was_started = r->was_started,
                               .held_us = r->held_us,
                               .record = r->record};
    gw_link_drop_gatherings(p, r->lease);
    gw_flow_on_result(l->flow, p->node, &result, now);
}

bool gw_link_on_result(struct gw_link *l, struct gw_peer *p, const struct gw_node_result *r,
                       sl_mono_ns now)
{
    if (r->shared.number != 0)
        return gw_link_on_shared_result(l, p, r, now);
    const struct gw_fleet_lease *lease = gw_link_open_lease(l, p, r->result.lease);
    if (r->bulk_bytes == 0 || lease == NULL) {
        deliver_inline(l, p, r, now);
        return true;
    }
    struct gw_gathering *g = find(p, lease->id);
    if (g == NULL)
        g = begin(l, p, lease, r->bulk_bytes);
    if (g != NULL && g->has_result)
        gw_link_count(l, GW_REFUSAL_REPLAYED, "a result that has come before");
    if (g == NULL || g->has_result || g->total_bytes != r->bulk_bytes)
        return false;
    if (g->refused != SL_REASON_OK) {
        gw_link_refuse_payload(l, p, &r->result, g->total_bytes, g->refused, now);
        return true;
    }
    if (!keep_result(g, &r->result))
        return false;
    deliver_if_complete(l, p, g, now);
    return true;
}
